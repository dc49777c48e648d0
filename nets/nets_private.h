/* nets_private.h - what the files of nets/ share. */
#ifndef TARE_NETS_NETS_PRIVATE_H
#define TARE_NETS_NETS_PRIVATE_H

#include "net.h"
#include "schedule.h"

/* A layer's path in the net's arena: format with one %d. NULL: out of memory. */
const char *tare__net_path(tare_net *, const char *format, int number);

/* Text in the net's arena; NULL: out of memory. */
char *tare__net_text(tare_net *, const char *text);

/* A layer's weight [units,...] (by the net's initialiser) and bias [units] (zeros). */
tare_status tare__affine_parameters(tare_net *, const char *path, int rank, const int64_t *dim, tare_value **weight,
                                    tare_value **bias);

/* file_net.c: the net that is in a file. */
tare_status tare__file_net_new(tare_runtime *, const char *path, uint64_t seed, tare_net **out);

/* What the options of every update rule begin with. */
typedef struct {
    double lr, clip;
    tare_schedule schedule;
} tare_optimizer_options;

tare_status tare__dense_nets_register(tare_runtime *);
tare_status tare__conv_nets_register(tare_runtime *);
tare_status tare__gauntlet_register(tare_runtime *);
tare_status tare__optimizers_register(tare_runtime *);

#endif
