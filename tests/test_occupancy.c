/* test_occupancy.c - who holds memory when: the plan's stays are its blocks, and their most live bytes its bound; what
 * was recorded of the imperative mode is what a runtime counts by itself, with real kernels and a pool of its own. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/arm/facts.h"
#include "../bench/report/drawing.h"
#include "../bench/report/memory_draw.h"

typedef struct {
    const char *net;
    int64_t batch;
    tare__work work;
    const char *optimizer;
    int order;
} want;

static const want wants[] = {
    {"chain", 1, TARE__TRAIN, NULL, TARE__ORDER_PROGRAM},
    {"mlp_mnist", 4, TARE__TRAIN, NULL, TARE__ORDER_BEST},
    {"mlp_mnist", 4, TARE__TRAIN, "adam", TARE__ORDER_BEST},
    {"lenet", 2, TARE__TRAIN, "sgd:momentum=0.9", TARE__ORDER_PROGRAM},
    {"lenet", 2, TARE__FORWARD, NULL, TARE__ORDER_PROGRAM},
    {"lenet", 2, TARE__INFER, NULL, TARE__ORDER_PROGRAM},
    {"gauntlet", 3, TARE__TRAIN, NULL, TARE__ORDER_PROGRAM},
    {"gauntlet", 3, TARE__TRAIN, "sgd:clip=1", TARE__ORDER_BEST},
    {"cifarnet", 2, TARE__TRAIN, NULL, TARE__ORDER_LEAST_PEAK},
    {"lenetp", 3, TARE__TRAIN, NULL, TARE__ORDER_EAGER_UPDATE},
};
enum { WANTS = sizeof wants / sizeof *wants };

static void open_rung(const want *w, const char *rung, tare__arm *arm)
{
    tare__task task = {.net = w->net, .batch = w->batch, .work = w->work, .optimizer = w->optimizer, .seed = 1};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), w->optimizer != NULL);
    if (setting.level[TARE__CAPTURE] == TARE__CAPTURE_STEP)
        setting.level[TARE__ORDER] = w->order;
    ck_assert_msg(tare__arm_open(arm, &task, &setting, rung) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(arm) == TARE_OK, "%s", tare_error_text());
}

/* Each block is held from its first call to its last, by one value at a time, at its own place. */
static void check_blocks(const tare__arm *a, const tare__occupancy *o)
{
    const tare_plan_block *block;
    int n = tare_plan_blocks(a->plan, &block);
    int64_t *until = calloc((size_t)n, sizeof *until);
    bool *begun = calloc((size_t)n, sizeof *begun);
    for (int i = 0; i < o->n; ++i) {
        const tare__stay *s = &o->stay[i];
        ck_assert_int_lt(s->block, n);
        ck_assert_int_eq(s->bytes, block[s->block].bytes);
        ck_assert_int_eq(s->offset, block[s->block].offset);
        ck_assert_int_eq(s->lower, begun[s->block] ? until[s->block] : block[s->block].lower);
        ck_assert_int_lt(s->lower, s->upper);
        begun[s->block] = true;
        until[s->block] = s->upper;
    }
    for (int b = 0; b < n; ++b) {
        ck_assert(begun[b]);
        ck_assert_int_eq(until[b], block[b].upper);
    }
    free(until);
    free(begun);
}

START_TEST(stays_are_the_plan)
{
    tare__arm a;
    tare__occupancy o;
    open_rung(&wants[_i], "step", &a);
    ck_assert_int_eq(tare__occupancy_plan(&a, &o), TARE_OK);
    check_blocks(&a, &o);
    ck_assert_int_eq(o.peak, tare_plan_size(a.plan).lower_bound);
    ck_assert_int_eq(o.height, tare_plan_size(a.plan).arena);
    for (int i = 0; i < o.n; ++i)
        ck_assert_int_le(o.stay[i].offset + o.stay[i].bytes, o.height);
    tare__occupancy_free(&o);
    tare__arm_close(&a);
}
END_TEST

static int64_t use_bytes(const tare__occupancy *o, tare__use use, int64_t call)
{
    int64_t bytes = 0;
    for (int i = 0; i < o->n; ++i)
        if (o->stay[i].use == use && o->stay[i].lower <= call && call < o->stay[i].upper)
            bytes += o->stay[i].bytes;
    return bytes;
}

/* Gradients of parameters that stay to the end are the storages that a step leaves on the parameters, each once:
 * several can be views of one, and one that is the given head itself takes no bytes. */
static void check_gradients(const tare__arm *a, const tare__occupancy *o)
{
    int64_t bytes = 0;
    int n = a->net->n_parameters;
    for (int i = 0; i < n; ++i) {
        const tare_value *g = tare_value_gradient(a->net->parameter[i].value);
        bool counts = g && g->storage->category == TARE_MEMORY_WORK;
        for (int k = 0; k < i && counts; ++k) {
            const tare_value *other = tare_value_gradient(a->net->parameter[k].value);
            counts = !other || other->storage != g->storage;
        }
        bytes += counts ? (int64_t)tare_memory_rounded(g->storage->bytes) : 0;
    }
    ck_assert_int_gt(bytes, 0);
    ck_assert_int_eq(use_bytes(o, TARE__USE_PARAMETER, o->calls), bytes);
}

START_TEST(the_record_is_what_is_counted)
{
    const want *w = &wants[_i];
    tare__arm like, a;
    tare__occupancy o;
    open_rung(w, "step", &like);
    ck_assert_msg(tare__occupancy_imperative(&like, &o) == TARE_OK, "%s", tare_error_text());
    open_rung(w, "functional", &a);
    int64_t before = a.rt->reserved_bytes, peak;
    for (int i = 0; i < 3; ++i)
        ck_assert_int_eq(a.step(&a), TARE_OK);
    int64_t pool = a.rt->reserved_bytes - before, calls = a.rt->counts.kernel_calls;
    ck_assert_int_eq(tare__arm_peak(&a, &peak), TARE_OK);
    ck_assert_int_eq(o.calls, a.rt->counts.kernel_calls - calls);
    ck_assert_int_eq(o.height, pool);
    ck_assert_int_eq(o.peak, peak);
    if (w->work == TARE__TRAIN)
        check_gradients(&a, &o);
    else
        ck_assert_int_eq(o.forward_calls, o.calls);
    for (int i = 0; i < o.n; ++i) { /* what lives at one time lies apart */
        ck_assert_int_le(o.stay[i].offset + o.stay[i].bytes, o.height);
        for (int k = 0; k < i; ++k)
            ck_assert(o.stay[i].lower >= o.stay[k].upper || o.stay[k].lower >= o.stay[i].upper ||
                      o.stay[i].offset >= o.stay[k].offset + o.stay[k].bytes ||
                      o.stay[k].offset >= o.stay[i].offset + o.stay[i].bytes);
    }
    tare__occupancy_free(&o);
    tare__arm_close(&a);
    tare__arm_close(&like);
}
END_TEST

/* Of x -> dense -> relu -> dense, everything by hand. */
START_TEST(uses_by_hand)
{
    tare__arm a;
    tare__occupancy o;
    open_rung(&(want){"mlp:hidden=64", 8, TARE__TRAIN, NULL, TARE__ORDER_PROGRAM}, "step", &a);
    ck_assert_int_eq(tare__occupancy_imperative(&a, &o), TARE_OK);
    ck_assert_int_eq(use_bytes(&o, TARE__USE_UPDATE, 0), 0);
    ck_assert_int_eq(use_bytes(&o, TARE__USE_REPEATED, 0), 0);
    ck_assert_int_gt(o.forward_calls, 0);
    ck_assert_int_lt(o.forward_calls, o.calls);
    ck_assert_int_eq(o.derive_calls, o.calls);
    int64_t saved = use_bytes(&o, TARE__USE_SAVED, o.forward_calls - 1);
    ck_assert_int_ge(saved, 8 * 64 * 4); /* relu's result: 8 samples of 64 */
    for (int i = 0; i < o.n; ++i) {
        bool forward = o.stay[i].use == TARE__USE_ACTIVATION || o.stay[i].use == TARE__USE_SAVED;
        bool backward = o.stay[i].use == TARE__USE_GRADIENT || o.stay[i].use == TARE__USE_PARAMETER;
        ck_assert(!forward || o.stay[i].lower < o.forward_calls);
        ck_assert(!backward || o.stay[i].lower >= o.forward_calls);
        ck_assert(o.stay[i].use != TARE__USE_WORKSPACE || o.stay[i].upper == o.stay[i].lower + 1);
    }
    tare__occupancy_free(&o);
    tare__arm_close(&a);
}
END_TEST

/* What is made again under a budget is told apart. */
START_TEST(repetitions_are_told)
{
    tare__arm a;
    tare__occupancy o;
    tare__task task = {.net = "chain", .batch = 512, .seed = 1};
    tare__setting setting = tare__setting_of(tare__rung_find("step"), false);
    setting.level[TARE__RECOMPUTE] = 256; /* KiB */
    ck_assert_msg(tare__arm_open(&a, &task, &setting, "step") == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(&a) == TARE_OK, "%s", tare_error_text());
    ck_assert_int_eq(tare__occupancy_plan(&a, &o), TARE_OK);
    int n = 0;
    for (int i = 0; i < o.n; ++i)
        n += o.stay[i].use == TARE__USE_REPEATED;
    ck_assert_int_gt(n, 0);
    check_blocks(&a, &o);
    tare__occupancy_free(&o);
    tare__arm_close(&a);
}
END_TEST

START_TEST(records_come_back)
{
    tare__arm a;
    tare__memory m, again = {0};
    open_rung(&wants[3], "step", &a);
    ck_assert_int_eq(tare__memory_take(&a, &m), TARE_OK);
    json_t *sides = tare__memory_sides(&m);
    for (size_t s = 0; s < 2; ++s)
        ck_assert(tare__memory_read(&again, json_array_get(sides, s)));
    const tare__occupancy *x[] = {&m.plan, &m.imperative}, *y[] = {&again.plan, &again.imperative};
    for (int s = 0; s < 2; ++s) {
        ck_assert_int_eq(x[s]->n, y[s]->n);
        ck_assert_int_eq(x[s]->peak, y[s]->peak);
        ck_assert_int_eq(x[s]->peak_at, y[s]->peak_at);
        ck_assert_int_eq(x[s]->height, y[s]->height);
        for (int i = 0; i < x[s]->n; ++i) {
            const tare__stay *p = &x[s]->stay[i], *q = &y[s]->stay[i];
            ck_assert(p->lower == q->lower && p->upper == q->upper && p->bytes == q->bytes && p->offset == q->offset);
            ck_assert(p->use == q->use && strcmp(p->what, q->what) == 0 && strcmp(p->path, q->path) == 0);
        }
    }
    for (int i = 0; i < TARE__STRATEGY_COUNT; ++i)
        ck_assert_int_eq(tare__strategy_bytes(&m.bytes, i), tare__strategy_bytes(&again.bytes, i));
    /* and what makes no sense does not */
    static const char *const wrong[] = {"[3,2,64,0,0,\"a\",\"b\"]",  "[0,1,-64,0,0,\"a\",\"b\"]",
                                        "[0,1,64,0,99,\"a\",\"b\"]", "[0,1,64,-1,0,\"a\",\"b\"]",
                                        "[0,1,64,0,0,\"a\"]",        "7"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        json_t *side = json_deep_copy(json_array_get(sides, 0));
        json_array_append_new(json_object_get(side, "blocks"), json_loads(wrong[i], JSON_DECODE_ANY, NULL));
        ck_assert_msg(!tare__memory_read(&again, side), "%s", wrong[i]);
        json_decref(side);
    }
    json_decref(sides);
    tare__memory_free(&m);
    tare__memory_free(&again);
    tare__arm_close(&a);
}
END_TEST

/* However many blocks there are, a picture has a bounded number of shapes, and draws all that holds bytes. */
START_TEST(pictures_are_bounded)
{
    tare__arm a;
    tare__memory m;
    tare__drawing few, all;
    open_rung(&(want){"chain:depth=200", 1, TARE__TRAIN, NULL, TARE__ORDER_PROGRAM}, "step", &a);
    ck_assert_int_eq(tare__memory_take(&a, &m), TARE_OK);
    tare__memory_draw(&m, 300, 1 << 20, &all);
    tare__memory_draw(&m, 300, 100, &few);
    int titled[2] = {0};
    const tare__drawing *d[] = {&all, &few};
    for (int k = 0; k < 2; ++k)
        for (int i = 0; i < d[k]->n; ++i)
            titled[k] +=
                d[k]->shape[i].kind == TARE__RECT && d[k]->shape[i].title && strstr(d[k]->shape[i].title, "calls");
    ck_assert_int_eq(titled[0], m.plan.n + m.imperative.n);
    ck_assert_int_eq(titled[1], 100);
    tare__drawing_fini(&few);
    tare__drawing_fini(&all);
    tare__memory_free(&m);
    tare__arm_close(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("occupancy");
    TCase *all = tcase_create("occupancy");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, stays_are_the_plan, 0, WANTS);
    tcase_add_loop_test(all, the_record_is_what_is_counted, 0, WANTS);
    tcase_add_test(all, uses_by_hand);
    tcase_add_test(all, repetitions_are_told);
    tcase_add_test(all, records_come_back);
    tcase_add_test(all, pictures_are_bounded);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
