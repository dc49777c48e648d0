/* net_save.h - a net to files, from which it can be loaded as a net again ("FILE.json"). */
#ifndef TARE_BENCH_NET_SAVE_H
#define TARE_BENCH_NET_SAVE_H

#include "../../nets/net.h"

/* Captures the net's forward function at this batch, in training and in inference, and writes PATH (NAME.json) and
 * NAME.safetensors; see graph/save.h. */
tare_status tare__net_save(tare_net *, int64_t batch, const char *path);

#endif
