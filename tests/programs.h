/* programs.h - random programs over the mode seam, each run now, as a joint plan and as a step plan: the bits agree.
 *
 * A program is a function of its number alone: shapes, fan-out, shared parameters, nested scopes, values given up,
 * detached and reduced, one backward over several roots or several that accumulate. The same code builds it in every
 * mode, so that only what lies below the seam can differ. */
#ifndef TARE_TESTS_PROGRAMS_H
#define TARE_TESTS_PROGRAMS_H

#include "spine.h"

enum { WIDTHS = 3, INPUTS = WIDTHS, PARAMETERS = WIDTHS * WIDTHS + WIDTHS + 1, ROOTS = 2, LIST = 64 };

typedef struct {
    tare_mode *m;
    uint64_t state;
    int64_t rows, width[WIDTHS];
    tare_value **parameter; /* weights [to][from], biases [to], one scalar */
    tare_value *list[LIST]; /* matrices [rows, width[of]] within reach */
    int of[LIST], n;
    int mark; /* the scope's own begin here */
} program_builder;

static inline int64_t program_below(program_builder *b, int64_t n)
{
    b->state = b->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((b->state >> 33) % (uint64_t)n);
}

static inline void program_push(program_builder *b, tare_value *v, int of)
{
    if (b->n < LIST) {
        b->list[b->n] = v;
        b->of[b->n++] = of;
    }
}

/* One operator; now and then its input is given up and its place in the list taken over. */
static inline void program_apply(program_builder *b)
{
    tare_mode *m = b->m;
    int at = (int)program_below(b, b->n), of = b->of[at], to = (int)program_below(b, WIDTHS);
    tare_value *x = b->list[at], *y = NULL;
    tare_value *bias = b->parameter[WIDTHS * WIDTHS + of], *scalar = b->parameter[PARAMETERS - 1];
    tare_value *weight = b->parameter[to * WIDTHS + of];
    bool gives_up = at >= b->mark && program_below(b, 4) == 0;
    int64_t kind = program_below(b, 14);
    if (gives_up && kind < 11) /* the others first read x once more */
        tare_move(x);
    switch (kind) {
    case 0:
        y = tare_relu(m, x);
        break;
    case 1:
        y = tare_tanh(m, x);
        break;
    case 2:
        y = tare_sigmoid(m, x);
        break;
    case 3:
        y = tare_scale(m, x, (tare_scale_attr){-0.75});
        break;
    case 4:
        y = tare_dense(m, x, weight, b->parameter[WIDTHS * WIDTHS + to]);
        of = to;
        break;
    case 5:
        y = tare_matmul(m, x, weight, (tare_matmul_attr){.transpose_b = true});
        of = to;
        break;
    case 6:
        y = tare_add(m, x, bias);
        break;
    case 7:
        y = tare_mul(m, bias, x);
        break;
    case 8:
        y = tare_sub(m, scalar, x);
        break;
    case 9:
        y = tare_mul(m, x, x);
        break;
    case 10:
        y = tare_detach(m, x);
        break;
    case 11: { /* each row less its mean */
        tare_value *mean = tare_mean(m, x, (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true});
        y = tare_sub(m, gives_up ? tare_move(x) : x, mean);
        break;
    }
    default: { /* with another of its width */
        int other = at;
        for (int i = 0; i < b->n; ++i)
            other = b->of[i] == of && program_below(b, 2) ? i : other;
        int64_t how = program_below(b, 3);
        tare_value *z = how == 2 ? tare_tanh(m, b->list[other]) : b->list[other];
        if (gives_up)
            tare_move(x);
        y = how == 0 ? tare_add(m, x, z) : how == 1 ? tare_sub(m, z, x) : tare_mul(m, z, x);
    }
    }
    if (gives_up) {
        b->list[at] = y;
        b->of[at] = of;
    } else {
        program_push(b, y, of);
    }
}

/* A scope of its own that returns one of its values. */
static inline void program_block(program_builder *b, int depth)
{
    int mark = b->mark;
    b->m->scope_begin(b->m, depth % 2 ? "odd" : NULL);
    b->mark = b->n;
    int64_t length = 1 + program_below(b, 6);
    for (int64_t i = 0; i < length; ++i) {
        if (depth < 4 && program_below(b, 4) == 0)
            program_block(b, depth + 1);
        else
            program_apply(b);
    }
    bool any = b->n > b->mark;
    int kept = any ? b->mark + (int)program_below(b, b->n - b->mark) : 0, of = b->of[kept];
    tare_value *y = b->list[kept];
    b->m->scope_end(b->m, &y, any);
    b->n = b->mark;
    b->mark = mark;
    if (any)
        program_push(b, y, of);
}

/* The roots: sums of what is within reach. */
static inline void program_build(program_builder *b, uint64_t number, tare_mode *m, tare_value **input,
                                 tare_value **parameter, tare_value **root)
{
    b->m = m;
    b->state = number;
    b->parameter = parameter;
    b->n = 0;
    for (int i = 0; i < WIDTHS; ++i)
        program_push(b, input[i], i);
    b->mark = b->n;
    int64_t blocks = 1 + program_below(b, 5);
    for (int64_t i = 0; i < blocks; ++i)
        program_block(b, 1);
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
    tare_plan_options options = {.no_dce = number % 5 == 0, .no_in_place = number % 7 == 0};
    must(tare_plan_new(g->graph, &options, &g->plan));
    must(tare_instance_new(g->plan, &g->run));
    tare_plan_bytes bytes = tare_plan_size(g->plan);
    ck_assert_int_le(bytes.lower_bound, bytes.arena);
    ck_assert_int_le(bytes.lower_bound, bytes.lower_bound_no_inplace);
    ck_assert_int_eq(bytes.refcount, bytes.lower_bound_no_inplace);
    ck_assert_int_le(bytes.refcount, bytes.naive);
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

static inline void program_shapes(program_builder *b, uint64_t number)
{
    static const int64_t sizes[] = {1, 2, 3, 8, 15, 16, 17, 33};
    *b = (program_builder){.state = number * 77 + 5};
    b->rows = sizes[program_below(b, 8)];
    for (int i = 0; i < WIDTHS; ++i)
        b->width[i] = sizes[program_below(b, 8)];
}

static inline tare_value *program_parameter(tare_runtime *rt, const program_builder *b, int i, uint64_t seed)
{
    int64_t dim[2] = {b->width[i / WIDTHS % WIDTHS], b->width[i % WIDTHS]};
    int rank = i < WIDTHS * WIDTHS ? 2 : i < PARAMETERS - 1 ? 1 : 0;
    tare_value *v = spine_random(rt, rank, rank == 1 ? &b->width[i - WIDTHS * WIDTHS] : dim, seed + (uint64_t)i);
    return v;
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
            tare_value_want_gradient(w[s][i], i % 4 != 3 || i == PARAMETERS - 1);
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
