/* weights.h - a net's parameters to a safetensors file and back. */
#ifndef TARE_BENCH_WEIGHTS_H
#define TARE_BENCH_WEIGHTS_H

#include "../nets/net.h"

tare_status tare__weights_save(const tare_net *, const char *path);
/* Every parameter must be in the file under its name, in its shape, as float32, and nothing else; on failure the net is
 * as it was. */
tare_status tare__weights_load(tare_net *, const char *path);

#endif
