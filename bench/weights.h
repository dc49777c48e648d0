/* weights.h - a net's parameters and state (running statistics, the count of random calls) to a safetensors file and
 * back. */
#ifndef TARE_BENCH_WEIGHTS_H
#define TARE_BENCH_WEIGHTS_H

#include "../nets/net.h"

tare_status tare__weights_save(const tare_net *, const char *path);
/* Every parameter and entry of the state must be in the file under its name, in its shape and dtype, and nothing else;
 * on failure the net is as it was. */
tare_status tare__weights_load(tare_net *, const char *path);

#endif
