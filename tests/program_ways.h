/* program_ways.h - a random program run now, as a joint plan and as a step plan: the bits agree.
 *
 * The mode seam in full: several roots, one backward over all of them or several that accumulate, an input whose
 * gradient is wanted, passes switched off. */
#ifndef TARE_TESTS_PROGRAM_WAYS_H
#define TARE_TESTS_PROGRAM_WAYS_H

#include "programs.h"

enum { ROOTS = 2 };

/* The roots: sums of what is within reach. */
static inline void program_build(program_builder *b, uint64_t number, tare_mode *m, tare_value **input,
                                 tare_value **parameter, tare_value **root)
{
    program_begin(b, number, m, input, parameter);
    program_blocks(b);
    for (int r = 0; r < ROOTS; ++r) {
        tare_value *total = parameter[PARAMETERS - 1];
        for (int i = b->n - 1; i >= 0; i -= 1 + (int)program_below(b, 3)) {
            tare_value *part = program_below(b, 2) ? tare_mean(m, b->list[i], (tare_mean_attr){.axes = {0}})
                                                   : tare_sum(m, b->list[i], (tare_sum_attr){.axes = {0}});
            total = tare_add(m, total, part);
        }
        root[r] = total;
    }
}

/* One backward over both roots, or two that accumulate. */
static inline tare_status program_backward(const program_builder *b, tare_mode *m, tare_value **root)
{
    if (b->state >> 20 & 1)
        return m->backward(m, root, NULL, ROOTS, false);
    (void)m->backward(m, &root[1], NULL, 1, true);
    return m->backward(m, &root[0], NULL, 1, false);
}

static inline void program_update(tare_mode *m, tare_value **parameter, tare_value **momentum, tare_value *rate)
{
    bool recording = m->recording;
    m->recording = false;
    for (int i = 0; i < PARAMETERS; ++i) {
        tare_value *out[2], *g = m->gradient(m, parameter[i]);
        if (g)
            (void)m->apply(m, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.5},
                           (tare_value *const[]){parameter[i], g, momentum[i], rate}, 4, out, 0);
    }
    m->recording = recording;
}

/* ---- one program, three ways
 * ---------------------------------------------------------------------------------------*/
typedef struct {
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    bool arrived[PARAMETERS];
} program_graph;

/* Sums that are fused take no more than reference counting does without them, but for a tile where what is added could
 * have been written over what it is made of. */
static inline void program_needs_no_more(const program_graph *g, const tare_plan_options *options)
{
    enum { TILE_BYTES = 2048 * sizeof(float) };
    tare_plan_options without = *options;
    tare_plan *plain;
    const bool may_be_worse = options->order == TARE_ORDER_EAGER_UPDATE || options->order == TARE_ORDER_LEAST_PEAK;
    if (tare_plan_passes_of(g->plan).added == 0 || may_be_worse)
        return;
    without.no_add_to = true;
    without.recompute = 0;
    must(tare_plan_new(g->graph, &without, &plain));
    ck_assert_int_le(tare_plan_size(g->plan).lower_bound, tare_plan_size(plain).refcount + TILE_BYTES);
    tare_plan_free(plain);
}

static inline void program_capture(program_builder *b, uint64_t number, tare_runtime *rt, tare_value **parameter,
                                   tare_value **momentum, tare_value *rate, program_graph *g)
{
    tare_value *x[INPUTS], *root[ROOTS];
    must(tare_graph_new(rt, &g->graph));
    tare_mode *m = tare_graph_mode(g->graph);
    m->recording = true;
    for (int i = 0; i < INPUTS; ++i) {
        tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){b->rows, b->width[i]});
        x[i] = tare_graph_input(g->graph, &d, "x");
        tare_value_want_gradient(x[i], i == 0);
    }
    program_build(b, number, m, x, parameter, root);
    must(m->error);
    must(program_backward(b, m, root));
    for (int r = 0; r < ROOTS; ++r)
        must(tare_graph_output(g->graph, root[r]));
    for (int i = 0; i < PARAMETERS; ++i) {
        tare_value *gradient = m->gradient(m, parameter[i]);
        g->arrived[i] = gradient != NULL;
        if (gradient)
            must(tare_graph_output(g->graph, gradient));
    }
    if (momentum)
        program_update(m, parameter, momentum, rate);
    must(m->error);
    tare_plan_options options = {.no_dce = number % 5 == 0,
                                 .no_in_place = number % 7 == 0,
                                 .no_cse = number % 11 == 0,
                                 .no_folding = number % 13 == 0,
                                 .no_add_to = number % 17 == 0,
                                 .order = (tare_plan_order)(number / 2 % 4),
                                 .recompute = number % 3 == 0 /* as little as can be */};
    must(tare_plan_new(g->graph, &options, &g->plan));
    must(tare_instance_new(g->plan, &g->run));
    tare_plan_bytes bytes = tare_plan_size(g->plan);
    ck_assert_int_le(bytes.lower_bound, bytes.arena);
    ck_assert_int_le(bytes.lower_bound, bytes.lower_bound_no_inplace);
    const tare_plan_passes passes = tare_plan_passes_of(g->plan);
    const bool as_it_is = passes.merged + passes.joined + passes.partly + passes.repeated == 0;
    if (tare_plan_order_of(g->plan) == TARE_ORDER_PROGRAM && as_it_is)
        ck_assert_int_eq(bytes.refcount, bytes.lower_bound_no_inplace);
    int64_t order_free;
    must(tare_plan_floor(g->plan, &order_free));
    ck_assert_int_le(order_free, bytes.lower_bound);
    ck_assert_int_le(bytes.refcount, bytes.naive);
    program_needs_no_more(g, &options);
}

static inline void program_graph_free(program_graph *g)
{
    tare_instance_free(g->run);
    tare_plan_free(g->plan);
    tare_graph_free(g->graph);
}

/* Bound, run, and compared with what the imperative step left: roots, and gradients on `leaf`. */
static inline void program_compare(program_graph *g, uint64_t number, const char *way, tare_value **x,
                                   tare_value **root, tare_value **leaf)
{
    int next = ROOTS;
    for (int i = 0; i < INPUTS; ++i)
        must(tare_instance_bind(g->run, i, x[i]));
    must(tare_instance_run(g->run));
    for (int r = 0; r < ROOTS; ++r)
        ck_assert_msg(spine_same(root[r], tare_instance_output(g->run, r)), "program %llu, %s: root %d",
                      (unsigned long long)number, way, r);
    for (int i = 0; i < PARAMETERS; ++i) {
        ck_assert_msg(g->arrived[i] == (leaf[i]->gradient != NULL), "program %llu, %s: gradient %d arrives in one mode",
                      (unsigned long long)number, way, i);
        if (g->arrived[i])
            ck_assert_msg(spine_same(leaf[i]->gradient, tare_instance_output(g->run, next++)),
                          "program %llu, %s: gradient %d", (unsigned long long)number, way, i);
    }
}

static inline tare_value *program_parameter(tare_runtime *rt, const program_builder *b, int i, uint64_t seed)
{
    int64_t dim[2];
    int rank = program_parameter_shape(b, i, dim);
    return spine_random(rt, rank, dim, seed + (uint64_t)i);
}

static inline void program_three_ways(tare_runtime *rt, uint64_t number)
{
    program_builder b;
    program_graph joint, step;
    tare_value *w[2][PARAMETERS], *momentum[2][PARAMETERS], *rate = spine_random(rt, 0, NULL, 3);
    program_shapes(&b, number);
    for (int i = 0; i < PARAMETERS; ++i)
        for (int s = 0; s < 2; ++s) {
            w[s][i] = program_parameter(rt, &b, i, number);
            tare_value_want_gradient(w[s][i], program_parameter_trains(i));
            momentum[s][i] = program_parameter(rt, &b, i, number + 500);
        }
    program_capture(&b, number, rt, w[0], NULL, NULL, &joint);
    program_capture(&b, number, rt, w[1], momentum[1], rate, &step);
    tare_mode *m = spine_mode(rt, true);
    for (uint64_t k = 0; k < 2; ++k) {
        tare_value *x[INPUTS], *root[ROOTS];
        for (int i = 0; i < INPUTS; ++i) {
            x[i] = spine_random(rt, 2, (const int64_t[]){b.rows, b.width[i]}, number + 31 * k + (uint64_t)i);
            tare_value_want_gradient(x[i], i == 0);
        }
        m->scope_begin(m, NULL);
        program_build(&b, number, m, x, w[0], root);
        must(m->error);
        must(program_backward(&b, m, root));
        program_compare(&joint, number, "joint", x, root, w[0]);
        program_compare(&step, number, "step", x, root, w[0]);
        program_update(m, w[0], momentum[0], rate);
        must(m->error);
        m->scope_end(m, NULL, 0);
        for (int i = 0; i < PARAMETERS; ++i) {
            ck_assert_msg(spine_same(w[0][i], w[1][i]) && spine_same(momentum[0][i], momentum[1][i]),
                          "program %llu: parameter %d", (unsigned long long)number, i);
            tare_value_clear_gradient(w[0][i]);
        }
        for (int i = 0; i < INPUTS; ++i) {
            tare_value_clear_gradient(x[i]);
            tare_value_drop(x[i]);
        }
    }
    tare_imperative_free(m);
    program_graph_free(&joint);
    program_graph_free(&step);
    tare_value_drop(rate);
    for (int i = 0; i < PARAMETERS; ++i)
        for (int s = 0; s < 2; ++s) {
            tare_value_drop(w[s][i]);
            tare_value_drop(momentum[s][i]);
        }
}

/* Programs [from, to), a quarter in each kind of runtime. */
static inline void programs_agree(uint64_t from, uint64_t to)
{
    static const tare_kernel_choice kernels[] = {TARE_KERNELS_NATIVE, TARE_KERNELS_NATIVE, TARE_KERNELS_BLAS,
                                                 TARE_KERNELS_REFERENCE};
    for (int kind = 0; kind < 4; ++kind) {
        tare_runtime *rt = spine_start(kernels[kind], kind % 2 ? TARE_STORAGE_MALLOC : TARE_STORAGE_POOL);
        for (uint64_t number = from + (uint64_t)kind; number < to; number += 4)
            program_three_ways(rt, number);
        spine_end(rt);
    }
}

#endif
