/* costly.h - a net whose costs are known: a chain of one operator that takes its time, each in its own place, to choose
 * its variant, to compute its geometry, to infer, to run, and to walk back; and a device that takes its time to
 * allocate and to copy.
 *
 * How time passes, spend(), is for the including file to say, and what each costs, in `costs`. */
#ifndef TARE_TESTS_COSTLY_H
#define TARE_TESTS_COSTLY_H

#include <math.h>

#include "../bench/arm/facts.h"
#include "../bench/arm/spans.h"
#include "../bench/measure/decompose.h"
#include "../core/gradient.h"
#include "../core/runtime_private.h"
#include "../nets/layer.h"
#include "../ops/ops.h"

enum { DEPTH = 5 };

static struct {
    int64_t fits, prepare, infer, kernel, walk, allocate, feed, read;
} costs;
static void spend(int64_t ns);

/* ---- the operator --------------------------------------------------------------------------------------------*/

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    spend(costs.infer);
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}

static bool fits(const tare_args *a)
{
    (void)a;
    spend(costs.fits);
    return true;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    spend(costs.prepare);
    w->g[0] = tare_desc_count(out[0]);
    w->n_g = 1;
}

static int run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const float *x = c->ptr[0];
    float *y = c->ptr[1];
    spend(costs.kernel);
    for (int64_t i = 0; i < c->g[0]; ++i)
        y[i] = 2 * x[i];
    return 0;
}

static void gradient(tare_builder *b)
{
    spend(costs.walk);
    tare_contribute(b, 0, tare_scale(b->mode, tare_head(b, 0), (tare_scale_attr){2}));
}

static const tare_variant variants[] = {{.name = "reference",
                                         .set = TARE_SET_REFERENCE,
                                         .dtypes = TARE_BIT(TARE_F32),
                                         .fits = fits,
                                         .prepare = prepare,
                                         .run = run}};
static const tare_op costly = {.name = "costly",
                               .doc = "2 x, at a price",
                               .n_in = 1,
                               .n_out = 1,
                               .infer = infer,
                               .gradient = gradient,
                               .variants = variants,
                               .n_variants = 1};

/* ---- the net -------------------------------------------------------------------------------------------------*/

static void shape(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){4});
}

typedef struct {
    tare_net net;           /* first */
    tare_dense_layer dense; /* something that wants a gradient; it ticks nowhere */
} costly_net;

static tare_status build(tare_net *n, const void *options)
{
    (void)options;
    tare_status status = tare_register(n->runtime, TARE_KIND_OPERATOR, &costly);
    return status ? status : tare_dense_layer_build(n, &((costly_net *)n)->dense, "dense", 4, 4, TARE_ACTIVATION_NONE);
}

static tare_value *forward(tare_mode *m, tare_net *n, tare_value *x)
{
    x = tare_dense_layer_forward(m, &((costly_net *)n)->dense, x);
    for (int i = 0; i < DEPTH; ++i)
        x = tare_apply1(m, &costly, NULL, &x, 1);
    return x;
}

static const tare_net_type net = {.name = "costly",
                                  .doc = "costs that are known",
                                  .default_batch = 2,
                                  .input = shape,
                                  .output = shape,
                                  .net_bytes = sizeof(costly_net),
                                  .build = build,
                                  .forward = {forward}};

/* The CPU, but for the price of an allocation and of a copy. */
static void *(*cpu_alloc)(tare_device *, tare_memory_category, size_t);
static tare_status (*cpu_copy)(tare_device *, void *, const void *, size_t, tare_copy_direction);

static void *alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    if (category == TARE_MEMORY_WORK)
        spend(costs.allocate);
    return cpu_alloc(d, category, bytes);
}

static tare_status copy(tare_device *d, void *to, const void *from, size_t bytes, tare_copy_direction way)
{
    spend(way == TARE_COPY_TO_HOST ? costs.read : costs.feed);
    return cpu_copy(d, to, from, bytes, way);
}

static tare_status open_device(tare_runtime *rt, void *owner, tare_device **out)
{
    (void)owner;
    tare_status status = tare__cpu_open(rt, out);
    if (status != TARE_OK)
        return status;
    cpu_alloc = (*out)->alloc;
    (*out)->alloc = alloc;
    cpu_copy = (*out)->copy;
    (*out)->copy = copy;
    return TARE_OK;
}

/* ---- arms ----------------------------------------------------------------------------------------------------*/

/* An imperative arm takes its storage from the heap, so that each taking is an allocation. around: its batch is copied
 * into its place, and its outputs are read. */
static inline tare_status costly_open(const char *rung, bool around, tare__arm *a)
{
    const tare__task task = {.net = "costly", .net_type = &net, .seed = 1, .open_device = open_device};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), false);
    if (setting.level[TARE__STORAGE] == TARE__STORAGE_POOL)
        setting.level[TARE__STORAGE] = TARE__STORAGE_MALLOC;
    if (around) {
        setting.level[TARE__FEED] = TARE__FEED_COPIED;
        setting.level[TARE__READBACK] = TARE__READBACK_STEP;
    }
    tare_status status = tare__arm_open(a, &task, &setting, rung);
    return status ? status : tare__arm_prepare(a);
}

#endif
