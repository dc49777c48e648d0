/* clip.c - the common factor of clipping by global norm, from the sum of squares of all gradients (dot.c). */
#include <math.h>

#include "record.h"

#ifdef TARE_PASS_RECORDS

/* factor = min(1, max_norm / (sqrt(total) + 1e-6)); a NaN passes */
static int clip_factor_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    double factor = tare_at(c->ptr[1], c->g[1], 0) / (sqrt(tare_at(c->ptr[0], c->g[1], 0)) + 1e-6);
    tare_put(c->ptr[2], c->g[1], 0, factor > 1 ? 1 : factor);
    return 0;
}

static tare_status infer_factor(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"the total", "the largest norm"};
    char text[TARE_DESC_TEXT];
    for (int i = 0; i < 2; ++i)
        if (a->in[i]->rank != 0)
            return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need [])", name[i], tare_desc_text(a->in[i], text));
    return tare__infer_same(a, out);
}

const tare_op tare_op_clip_factor = {
    .name = "clip_factor",
    .doc = "factor = min(1, max_norm / (sqrt(total) + 1e-6)); total, max_norm, factor []. total: the sum of squares of "
           "all gradients (torch.nn.utils.clip_grad_norm_)",
    .n_in = 2,
    .n_out = 1,
    .infer = infer_factor,
    .not_differentiable = true,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_REFERENCE(clip_factor_reference, .prepare = tare__prepare_pointwise)},
    .n_variants = 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[]<0,100> f32[]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[]<100,1000> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[]<0,1e-30> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[]<0,100> f32[]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[1] f32[]", NULL, "the total is [1] (need [])"},
                 {TARE_SAMPLE_REJECT, "f32[] f32[2]", NULL, "the largest norm is [2] (need [])"},
                 {TARE_SAMPLE_REJECT, "f32[] f64[]", NULL, "input 1 is float64, input 0 is float32 (need one dtype)"}),
    .tolerance = 1e-7,
};

#endif
