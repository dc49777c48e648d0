/* test_spans.c - costs that are known, on a clock that only they move: each is found in its own row to the tick, what
 * reading the clock costs is found and taken off, and a step that does not add up is refused.
 *
 * The net is a chain of one operator whose every part ticks: choosing its variant, its geometry, its inference, its
 * kernel, its gradient's walk; the device's allocation ticks too. */
#include <check.h>
#include <math.h>

#include "../bench/decompose.h"
#include "../bench/facts.h"
#include "../bench/spans.h"
#include "../core/gradient.h"
#include "../core/runtime_private.h"
#include "../nets/layer.h"
#include "../ops/ops.h"
#include "draws.h"

enum { DEPTH = 5, FITS = 70, PREPARE = 30, INFER = 200, KERNEL = 90000, WALK = 500, ALLOCATE = 40, READ = 7 };

static int64_t clock_at;
static int64_t read_costs;

static int64_t ticks(void)
{
    clock_at += read_costs;
    return clock_at;
}

/* ---- the operator --------------------------------------------------------------------------------------------*/

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    clock_at += INFER;
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}

static bool fits(const tare_args *a)
{
    (void)a;
    clock_at += FITS;
    return true;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    clock_at += PREPARE;
    w->g[0] = tare_desc_count(out[0]);
    w->n_g = 1;
}

static int run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const float *x = c->ptr[0];
    float *y = c->ptr[1];
    clock_at += KERNEL;
    for (int64_t i = 0; i < c->g[0]; ++i)
        y[i] = 2 * x[i];
    return 0;
}

static void gradient(tare_builder *b)
{
    clock_at += WALK;
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

/* The CPU, but for the price of an allocation. */
static void *(*cpu_alloc)(tare_device *, tare_memory_category, size_t);

static void *alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    clock_at += category == TARE_MEMORY_WORK ? ALLOCATE : 0;
    return cpu_alloc(d, category, bytes);
}

static tare_status open_device(tare_runtime *rt, void *owner, tare_device **out)
{
    (void)owner;
    *out = tare__cpu_open(rt);
    if (!*out)
        return TARE_NO_MEMORY;
    cpu_alloc = (*out)->alloc;
    (*out)->alloc = alloc;
    return TARE_OK;
}

/* ---- arms ----------------------------------------------------------------------------------------------------*/

static void open_arm(const char *rung, tare__arm *a)
{
    const tare__task task = {.net = "costly", .net_type = &net, .seed = 1, .open_device = open_device};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), false);
    if (setting.level[TARE__STORAGE] == TARE__STORAGE_POOL)
        setting.level[TARE__STORAGE] = TARE__STORAGE_MALLOC;
    ck_assert_msg(tare__arm_open(a, &task, &setting, rung) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(a) == TARE_OK, "%s", tare_error_text());
}

static double step_of(tare__arm *a)
{
    ck_assert_int_eq(a->step(a), TARE_OK);
    int64_t from = clock_at;
    ck_assert_int_eq(a->step(a), TARE_OK);
    return (double)(clock_at - from);
}

enum { ROUNDS = 6 };

/* Rounds of the arm and its floor, as a run has them; steps longer than they were by `share`. */
static void observe(const char *rung, double share, tare__decomposition *d, int64_t *allocations)
{
    tare__arm arm, floor;
    tare__observation o[ROUNDS];
    tare__spans spans;
    open_arm(rung, &arm);
    open_arm("kernels", &floor);
    tare_counts counts;
    ck_assert_int_eq(tare__arm_count(&arm, &counts), TARE_OK);
    *allocations = counts.allocations;
    tare__spans_init(&spans, &arm, ticks);
    for (int k = 0; k < ROUNDS; ++k) {
        o[k] = (tare__observation){.process = k / 2, .step = (1 + share) * step_of(&arm), .floor = step_of(&floor)};
        o[k].null = o[k].step - o[k].floor;
        for (int p = 0; p < TARE__PART_COUNT; ++p)
            o[k].rung[p] = (double)NAN;
        for (int probing = 1; probing <= TARE__PROBINGS; ++probing) {
            tare__span_sums *sums = &o[k].span[probing - 1];
            *sums = (tare__span_sums){0};
            ck_assert_int_eq(tare__spans_run(&spans, probing, 3, sums), TARE_OK);
            tare__spans_scale(sums, 1 / 3.0);
        }
    }
    tare__decompose(o, ROUNDS, 1, 2 * DEPTH, d);
    ck_assert(!arm.rt->trace.event);
    tare__arm_close(&arm);
    tare__arm_close(&floor);
    ck_assert_int_eq(arm.lost + floor.lost, 0);
}

static void is(const tare__decomposition *d, tare__part part, double wanted)
{
    ck_assert_msg(fabs(d->part[part].mean - wanted) < 1e-6 * d->step.mean, "%s: %.3f, not %.3f",
                  tare__part_texts[part].name, d->part[part].mean, wanted);
}

/* ---- tests ---------------------------------------------------------------------------------------------------*/

static void check_rows(int64_t costs)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = costs;
    observe("functional", 0, &d, &allocations);
    ck_assert_msg(d.closed, "%s", d.cause);
    ck_assert(d.by_spans);
    ck_assert_double_eq_tol(d.probe_ns, (double)read_costs, 1e-9);
    is(&d, TARE__PART_KERNEL, DEPTH * KERNEL);
    is(&d, TARE__PART_DISPATCH, DEPTH * (FITS + PREPARE));
    is(&d, TARE__PART_SHAPE, DEPTH * INFER);
    ck_assert_int_gt(allocations, 2 * DEPTH); /* each result and gradient */
    is(&d, TARE__PART_ALLOCATION, (double)allocations * ALLOCATE);
    is(&d, TARE__PART_TAPE, DEPTH * WALK);
    is(&d, TARE__PART_WRAPPER, 0);
    is(&d, TARE__PART_CACHE, 0);
    is(&d, TARE__PART_UNATTRIBUTED, 0);
}

START_TEST(each_in_its_row)
{
    check_rows(0);
    check_rows(READ);
}
END_TEST

static void check_captured(const char *rung, double dispatch)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = READ;
    observe(rung, 0, &d, &allocations);
    ck_assert_msg(d.closed, "%s", d.cause);
    is(&d, TARE__PART_KERNEL, DEPTH * KERNEL);
    is(&d, TARE__PART_DISPATCH, dispatch);
    is(&d, TARE__PART_SHAPE, 0);
    is(&d, TARE__PART_TAPE, 0);
}

/* A captured node's variant is chosen and prepared anew, or its call is bound. */
START_TEST(what_a_plan_saves)
{
    check_captured("hybridized", DEPTH * (FITS + PREPARE));
    check_captured("static_shape", 0);
    check_captured("symbol", 0);
}
END_TEST

START_TEST(what_does_not_add_up_is_refused)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = READ;
    observe("functional", 0.03, &d, &allocations);
    ck_assert(!d.closed);
    ck_assert_str_ne(d.cause, "");
    observe("functional", -0.03, &d, &allocations);
    ck_assert(!d.closed);
    observe("functional", 0.01, &d, &allocations);
    ck_assert(d.closed);
    is(&d, TARE__PART_UNATTRIBUTED, 0.01 / 1.01 * d.step.mean);
}
END_TEST

SUITE_MAIN("spans", each_in_its_row, what_a_plan_saves, what_does_not_add_up_is_refused)
