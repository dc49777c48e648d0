/* programs.h - random programs over the mode seam, to be built in every mode and compared bit for bit.
 *
 * A program is a function of its number alone: shapes, fan-out, shared parameters, nested scopes, values given up,
 * views, joins, values that nobody reads, branches without a gradient; and where it has a net (program_net.h), layers
 * with state and randomness and captured functions with several results. The same code builds it in every mode, so that
 * only what lies below the seam can differ. Draws are statements of their own: C leaves the order of arguments open. */
#ifndef TARE_TESTS_PROGRAMS_H
#define TARE_TESTS_PROGRAMS_H

#include "spine.h"

enum { WIDTHS = 3, INPUTS = WIDTHS, PARAMETERS = WIDTHS * WIDTHS + WIDTHS + 1, LIST = 64 };

/* An operand: what is read of it last may be given up. */
typedef struct {
    tare_value *x;
    int of; /* in: x's width; out: the result's */
    bool gives_up;
} program_term;

typedef struct program_builder program_builder;
typedef tare_value *program_kind(program_builder *, program_term *);

struct program_builder {
    tare_mode *m;
    uint64_t state;
    int64_t rows, width[WIDTHS];
    tare_value **parameter; /* weights [to][from], biases [to], one scalar */
    tare_value *list[LIST]; /* matrices [rows, width[of]] within reach; the first INPUTS stay */
    int of[LIST], n;
    int mark;                /* the scope's own begin here */
    program_kind *layer;     /* applies one of a net's layers or captured functions; NULL: there is no net */
    struct program_net *net; /* for `layer` */
    bool in_function;        /* of the net's */
    tare_api api;            /* how layers are reached */
};

static inline int64_t program_below(program_builder *b, int64_t n)
{
    b->state = b->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((b->state >> 33) % (uint64_t)n);
}

static inline tare_value *program_last(const program_term *t)
{
    return t->gives_up ? tare_move(t->x) : t->x;
}

static inline void program_push(program_builder *b, tare_value *v, int of)
{
    if (b->n < LIST) {
        b->list[b->n] = v;
        b->of[b->n++] = of;
    }
}

/* A value of that width within reach. */
static inline tare_value *program_pick(program_builder *b, int of)
{
    int at = of;
    for (int i = INPUTS; i < b->n; ++i)
        if (b->of[i] == of && program_below(b, 2))
            at = i;
    return b->list[at];
}

static inline tare_value *program_weight(const program_builder *b, int to, int of)
{
    return b->parameter[to * WIDTHS + of];
}

static inline tare_value *program_bias(const program_builder *b, int of)
{
    return b->parameter[WIDTHS * WIDTHS + of];
}

/* ---- kinds of operation
 * --------------------------------------------------------------------------------------------*/
static inline tare_value *program_activate(program_builder *b, program_term *t)
{
    static tare_value *(*const plain[])(tare_mode *, tare_value *) = {
        tare_relu, tare_tanh, tare_sigmoid, tare_softsign, tare_softplus, tare_silu, tare_abs, tare_detach};
    enum { N_PLAIN = sizeof plain / sizeof *plain };
    int64_t how = program_below(b, N_PLAIN + 3);
    tare_value *x = program_last(t);
    return how < N_PLAIN        ? plain[how](b->m, x)
           : how == N_PLAIN     ? tare_scale(b->m, x, (tare_scale_attr){-0.75})
           : how == N_PLAIN + 1 ? tare_elu(b->m, x, (tare_elu_attr){0.5})
                                : tare_clip(b->m, x, (tare_clip_attr){-0.5, 2});
}

static inline tare_value *program_product(program_builder *b, program_term *t)
{
    int64_t how = program_below(b, 2);
    int of = t->of, to = (int)program_below(b, WIDTHS);
    tare_value *weight = program_weight(b, to, of), *x = program_last(t);
    t->of = to;
    return how ? tare_dense(b->m, x, weight, program_bias(b, to))
               : tare_matmul(b->m, x, weight, (tare_matmul_attr){.transpose_b = true});
}

/* Rows, scalars, columns and one row against all. */
static inline tare_value *program_broadcast(program_builder *b, program_term *t)
{
    tare_mode *m = b->m;
    tare_value *narrow;
    switch (program_below(b, 8)) {
    case 0:
        return tare_add(m, program_last(t), program_bias(b, t->of));
    case 6:
        return tare_maximum(m, program_bias(b, t->of), program_last(t));
    case 7: /* what is less than its row's entry gives way to it, in a mask that nothing differentiates */
        narrow = tare_less(m, t->x, program_bias(b, t->of));
        return tare_where(m, narrow, program_bias(b, t->of), program_last(t));
    case 1:
        return tare_mul(m, program_bias(b, t->of), program_last(t));
    case 2:
        return tare_sub(m, b->parameter[PARAMETERS - 1], program_last(t));
    case 3: /* each row less its mean */
        narrow = tare_mean(m, t->x, (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true});
        return tare_sub(m, program_last(t), narrow);
    case 4: /* a column, made wide by strides of 0 */
        narrow = tare_mean(m, t->x, (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true});
        narrow = tare_expand(m, narrow, (tare_expand_attr){.shape = {2, {b->rows, b->width[t->of]}}});
        return tare_mul(m, program_last(t), tare_sigmoid(m, narrow));
    default:
        narrow = tare_mean(m, t->x, (tare_mean_attr){.axes = {1, {0}}});
        return tare_add(m, program_last(t), narrow);
    }
}

/* With another of its width. */
static inline tare_value *program_pair(program_builder *b, program_term *t)
{
    tare_mode *m = b->m;
    tare_value *z = program_pick(b, t->of);
    int64_t how = program_below(b, 5);
    if (how == 4) { /* the squares' mean, as a scalar */
        tare_value *each = tare_l2_loss(m, t->x, z);
        return tare_add(m, program_last(t), tare_mean(m, tare_move(each), (tare_mean_attr){.axes = {0}}));
    }
    z = how == 0 ? t->x : how == 1 ? tare_tanh(m, z) : z;
    tare_value *x = program_last(t);
    return how == 2 ? tare_sub(m, z, x) : how == 3 ? tare_add(m, x, z) : tare_mul(m, x, z);
}

/* A view with another order of elements, now and then read through another. */
static inline tare_value *program_view(program_builder *b, program_term *t)
{
    tare_mode *m = b->m;
    int64_t how = program_below(b, 5), axis = program_below(b, 2), w = b->width[t->of];
    tare_value *x = program_last(t);
    switch (how) {
    case 0:
        return tare_flip(m, x, (tare_flip_attr){.axes = {1, {axis}}});
    case 1: /* from the last down to the first */
        return tare_slice(m, x, (tare_slice_attr){.axis = axis, .begin = -1, .end = INT64_MIN, .step = -1});
    case 2:
        x = tare_tanh(m, tare_transpose(m, x, (tare_transpose_attr){0}));
        return tare_transpose(m, x, (tare_transpose_attr){0});
    case 3: /* the elements of a matrix [w, rows] in the order of [rows, w] */
        x = tare_transpose(m, x, (tare_transpose_attr){0});
        return tare_reshape(m, x, (tare_reshape_attr){.shape = {2, {-1, w}}});
    default:
        x = tare_flip(m, tare_flatten(m, x), (tare_flip_attr){0});
        return tare_reshape(m, x, (tare_reshape_attr){.shape = {2, {b->rows, w}}});
    }
}

/* Cut apart and joined in another order; parts read twice or never. */
static inline tare_value *program_join(program_builder *b, program_term *t)
{
    tare_mode *m = b->m;
    tare_value *part[3];
    int64_t how = program_below(b, 4), axis = program_below(b, 2), n = axis ? b->width[t->of] : b->rows;
    int64_t cut = program_below(b, n + 1);
    if (how == 0 && n % 3 == 0) {
        tare_value *x = program_last(t);
        (void)m->apply(m, &tare_op_split, &(tare_split_attr){.axis = axis, .parts = 3}, &x, 1, part, 0);
        tare_value *const mixed[] = {part[2], tare_tanh(m, part[0]), part[2]}; /* part[1] is not read */
        return tare_apply1(m, &tare_op_concat, &(tare_concat_attr){.axis = axis}, mixed, 3);
    }
    if (how == 1) { /* every second one, then the others */
        part[0] = tare_slice(m, t->x, (tare_slice_attr){.axis = axis, .begin = 0, .end = n, .step = 2});
        part[1] = tare_slice(m, program_last(t), (tare_slice_attr){.axis = axis, .begin = 1, .end = n, .step = 2});
    } else { /* two values' parts, either of which may be empty */
        tare_value *z = program_pick(b, t->of);
        part[0] = tare_slice(m, z, (tare_slice_attr){.axis = axis, .begin = 0, .end = cut, .step = 1});
        part[1] = tare_slice(m, program_last(t), (tare_slice_attr){.axis = axis, .begin = cut, .end = n, .step = 1});
    }
    part[0] = how == 2 ? tare_sigmoid(m, part[0]) : part[0];
    return tare_apply1(m, &tare_op_concat, &(tare_concat_attr){.axis = axis}, part, 2);
}

/* What has no elements: a sum over no rows, a product over no columns. */
static inline tare_value *program_empty(program_builder *b, program_term *t)
{
    tare_mode *m = b->m;
    const tare_slice_attr no_rows = {.axis = 0, .step = 1}, no_columns = {.axis = 1, .step = 1};
    tare_value *none;
    if (program_below(b, 2)) {
        none = tare_tanh(m, tare_slice(m, t->x, no_rows));
        none = tare_sum(m, none, (tare_sum_attr){.axes = {1, {0}}});
    } else {
        tare_value *weight = tare_slice(m, program_weight(b, t->of, t->of), no_columns);
        none = tare_matmul(m, tare_slice(m, t->x, no_columns), weight, (tare_matmul_attr){.transpose_b = true});
    }
    return tare_add(m, program_last(t), none);
}

/* One operation; now and then its input is given up and its place in the list taken over. */
static inline void program_apply(program_builder *b)
{
    static program_kind *const kinds[] = {program_activate,  program_activate,  program_product, program_product,
                                          program_broadcast, program_broadcast, program_pair,    program_pair,
                                          program_view,      program_view,      program_join,    program_empty};
    int at = (int)program_below(b, b->n);
    program_term t = {.x = b->list[at], .of = b->of[at]};
    t.gives_up = at >= b->mark && program_below(b, 4) == 0;
    program_kind *kind = kinds[program_below(b, (int64_t)(sizeof kinds / sizeof *kinds))];
    if (b->layer && program_below(b, 3) == 0)
        kind = b->layer;
    tare_value *y = kind(b, &t);
    if (t.gives_up) {
        b->list[at] = y;
        b->of[at] = t.of;
    } else {
        program_push(b, y, t.of);
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

/* ---- a whole program
 * -----------------------------------------------------------------------------------------------*/
/* Sizes that fall on tails and edges; now and then so many that kernels are cut into pieces. */
static inline void program_shapes(program_builder *b, uint64_t number)
{
    static const int64_t sizes[] = {1, 2, 3, 8, 15, 16, 17, 33};
    *b = (program_builder){.state = number * 77 + 5};
    int64_t times = number % 16 == 9 ? 13 : 1;
    b->rows = sizes[program_below(b, 8)] * times;
    for (int i = 0; i < WIDTHS; ++i)
        b->width[i] = sizes[program_below(b, 8)] * (i ? times : 1);
}

/* Rank and dimensions of a parameter. */
static inline int program_parameter_shape(const program_builder *b, int i, int64_t dim[2])
{
    dim[0] = i < WIDTHS * WIDTHS ? b->width[i / WIDTHS] : b->width[i % WIDTHS];
    dim[1] = b->width[i % WIDTHS];
    return i < WIDTHS * WIDTHS ? 2 : i < PARAMETERS - 1 ? 1 : 0;
}

/* Whether it is trained. */
static inline bool program_parameter_trains(int i)
{
    return i % 4 != 3 || i == PARAMETERS - 1;
}

static inline void program_begin(program_builder *b, uint64_t number, tare_mode *m, tare_value **input,
                                 tare_value **parameter)
{
    b->m = m;
    b->state = number;
    b->parameter = parameter;
    b->n = 0;
    for (int i = 0; i < INPUTS; ++i)
        program_push(b, input[i], i);
    b->mark = b->n;
}

static inline void program_blocks(program_builder *b)
{
    int64_t blocks = 1 + program_below(b, 5);
    for (int64_t i = 0; i < blocks; ++i)
        program_block(b, 1);
}

#endif
