/* view.c - operators without a kernel: a new look at the same storage. */
#include "record.h"

#ifdef TARE_PASS_RECORDS

static tare_status infer_detach(const tare_args *a, const tare_desc_out *out)
{
    *out[0] = *a->in[0];
    return TARE_OK;
}

static int64_t no_offset(const tare_args *a)
{
    (void)a;
    return 0;
}

const tare_op tare_op_detach = {
    .name = "detach",
    .doc = "y = x, through which no gradient passes; a view",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_detach,
    .not_differentiable = true,
    .stops_gradient = true,
    .view = no_offset,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}},
    .n_samples = 1,
};

#endif
