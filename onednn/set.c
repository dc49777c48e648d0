/* set.c - the kernel set `onednn`, and this plug-in's one entry. */
#include <stdio.h>

#include "../core/plugin.h"
#include "onednn.h"

#define FOR(op_)                                                                                                       \
    {                                                                                                                  \
#op_, tare__onednn_##op_, (int)(sizeof tare__onednn_##op_ / sizeof *tare__onednn_##op_)                        \
    }
static const tare_added_variants variants[] = {
    FOR(conv2d),          FOR(conv2d_grad_data), FOR(conv2d_grad_weight),
    FOR(dense),           FOR(matmul),           FOR(avg_pool2d),
    FOR(avg_pool2d_grad), FOR(batch_norm),       FOR(batch_norm_inference),
    FOR(batch_norm_grad),
};

static const char *library(void)
{
    static _Thread_local char text[64];
    const dnnl_version_t *v = dnnl_version();
    (void)snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static const tare_added_kernels onednn = {
    .name = "onednn",
    .to = variants,
    .n_to = sizeof variants / sizeof *variants,
    .open = tare__onednn_open,
    .close = tare__onednn_close,
    .library = library,
    .by_threads = true, /* it cuts sums, forward too, by the threads that there are */
    .tolerance = 2,
};

TARE_PLUGIN("onednn", {TARE_KIND_KERNELS, &onednn})
