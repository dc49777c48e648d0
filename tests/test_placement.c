/* test_placement.c - what is joined is made in its place: which joins need no call, which copy only some of their
 * inputs, and that nothing else changes.
 *
 * A body is captured forward, or with its gradient, and planned with the pass and without: the calls that the pass
 * saves are the joins that the case says, as many of the others as it says copy only so many of their inputs, all
 * results have the same bits, those of the imperative mode too, and the plan takes no more than reference counting. A
 * whole lives as long as the last of its parts, so a plan whose peak is at a join may have to leave it; with `room`,
 * more bytes live elsewhere, and the operands alone decide. */
#include "../graph/graph_private.h"
#include "spine.h"

enum { MOST_IN = 3 };

typedef tare_value *body(tare_mode *m, tare_value *const *x);

typedef struct {
    const char *name;
    body *f;
    int rank;
    int64_t dim[4]; /* of every input */
    int joins;      /* that are not run */
    bool trains;    /* then with the gradient of every input */
    int partly;     /* joins that are run for some inputs only */
    int copied;     /* inputs that these copy */
} placed_case;

enum { ROOM = 1 << 20 };

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

static tare_value *joined(tare_mode *m, int64_t axis, int n, tare_value *const *part)
{
    return tare_apply1(m, &tare_op_concat, &(tare_concat_attr){axis}, part, n);
}

static tare_value *stacked(tare_mode *m, int64_t axis, int n, tare_value *const *part)
{
    return tare_apply1(m, &tare_op_stack, &(tare_stack_attr){axis}, part, n);
}

/* ---- bodies: what is joined, and what makes it
 * --------------------------------------------------------------------------------------------------*/
static tare_value *rows(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]),
                                tare_matmul(m, x[1], x[2], (tare_matmul_attr){.transpose_b = true})};
    return joined(m, 0, 2, part);
}

static tare_value *columns(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1]), tare_scale(m, x[2], (tare_scale_attr){0.5})};
    return tare_sigmoid(m, joined(m, 1, 3, part));
}

static tare_value *last_axis(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    return joined(m, -1, 2, part);
}

/* Their outputs would be apart, and no variant of theirs writes so. */
static tare_value *products(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_mean(m, x[0], (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true}),
                                tare_mean(m, x[1], (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true})};
    return joined(m, 1, 2, part);
}

static tare_value *nested(tare_mode *m, tare_value *const *x)
{
    tare_value *const inner[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    tare_value *const outer[] = {joined(m, 1, 2, inner), tare_sigmoid(m, x[2])};
    return joined(m, 1, 2, outer);
}

static tare_value *nested_rows(tare_mode *m, tare_value *const *x)
{
    tare_value *const inner[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    tare_value *const outer[] = {joined(m, 0, 2, inner), tare_sigmoid(m, x[2])};
    return joined(m, 0, 2, outer);
}

static tare_value *twice(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_relu(m, x[0]);
    tare_value *const part[] = {a, a};
    return joined(m, 0, 2, part);
}

/* The second join of the same parts finds them placed. */
static tare_value *two_joins(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    return tare_mul(m, joined(m, 0, 2, part), joined(m, 0, 2, part));
}

/* The whole is read for the last time where a part of it is still wanted: it is there once, not beside its part. */
static tare_value *outlived(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    tare_value *whole = joined(m, 0, 2, part);
    return tare_add(m, part[0], spine_total(m, tare_matmul(m, whole, whole, (tare_matmul_attr){.transpose_b = true})));
}

static tare_value *external(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), x[1]};
    return joined(m, 0, 2, part);
}

/* What the caller gave is copied, wherever it stands and however often. */
static tare_value *externals(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {x[2], tare_relu(m, x[0]), x[1], x[2], tare_tanh(m, x[1])};
    return tare_sigmoid(m, joined(m, 1, 5, part));
}

static tare_value *view_beside(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_relu(m, x[0]);
    tare_value *const part[] = {tare_slice(m, a, (tare_slice_attr){.axis = 1, .begin = 1, .end = 3, .step = 1}), a,
                                tare_tanh(m, x[1])};
    return joined(m, 1, 3, part);
}

/* One of two parts has no maker that writes rows apart. */
static tare_value *mean_beside(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_mean(m, x[0], (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true}),
                                tare_relu(m, x[1])};
    return joined(m, 1, 2, part);
}

/* Each whole is a part of the next; all have an input that is given. */
static tare_value *nested_externals(tare_mode *m, tare_value *const *x)
{
    tare_value *const inner[] = {tare_relu(m, x[0]), x[1]};
    tare_value *const middle[] = {x[2], joined(m, 1, 2, inner)};
    tare_value *const outer[] = {joined(m, 1, 2, middle), x[0], tare_tanh(m, x[1])};
    return joined(m, 1, 3, outer);
}

/* A recurrence: what has been read so far, beside the state. */
static tare_value *recurrence(tare_mode *m, tare_value *const *x)
{
    tare_value *state = tare_tanh(m, x[0]);
    for (int k = 0; k < 3; ++k) {
        tare_value *const part[] = {x[1], state};
        tare_value *both = joined(m, 1, 2, part);
        state = tare_tanh(m, tare_add(m, tare_slice(m, both, (tare_slice_attr){1, 0, x[0]->d.dim[1], 1}), x[2]));
    }
    return state;
}

static tare_value *stacked_externals(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), x[1], tare_relu(m, x[2]), x[1]};
    return stacked(m, 1, 4, part);
}

static tare_value *view(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_flatten(m, tare_relu(m, x[0])), tare_flatten(m, tare_tanh(m, x[1]))};
    return joined(m, 0, 2, part);
}

/* concat does not read rows backwards: what is joined is a copy. */
static tare_value *copied(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_relu(m, x[0]);
    tare_value *const part[] = {tare_flip(m, a, (tare_flip_attr){.axes = {1, {0}}}), tare_tanh(m, x[1])};
    return joined(m, 0, 2, part);
}

/* A view of a part: its strides would not be those that the program has. */
static tare_value *viewed(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    tare_value *y = joined(m, 1, 2, part), *flat = tare_flatten(m, part[0]);
    return tare_add(m, spine_total(m, y), spine_total(m, tare_tanh(m, flat)));
}

static tare_value *read_again(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    tare_value *y = joined(m, 1, 2, part), *sum = tare_add(m, part[0], part[1]);
    return tare_add(m, spine_total(m, y), spine_total(m, sum));
}

/* The gradient of a dense layer reads part 0. */
static tare_value *layers(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_relu(m, x[0]);
    tare_value *const part[] = {a, tare_tanh(m, tare_matmul(m, a, x[1], (tare_matmul_attr){.transpose_b = true}))};
    return tare_tanh(m, joined(m, 1, 2, part));
}

/* relu may overwrite tanh's result; the sum's last read is before the join's. */
static tare_value *in_place(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, tare_tanh(m, x[0])),
                                tare_relu(m, tare_scale(m, x[1], (tare_scale_attr){2}))};
    return tare_relu(m, tare_tanh(m, joined(m, 1, 2, part)));
}

static tare_value *stacked_rows(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]),
                                tare_matmul(m, x[1], x[2], (tare_matmul_attr){.transpose_b = true})};
    return stacked(m, 0, 2, part);
}

static tare_value *stacked_columns(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1]), tare_relu(m, x[2])};
    return stacked(m, 1, 3, part);
}

static tare_value *stacked_numbers(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {tare_relu(m, x[0]), tare_tanh(m, x[1])};
    return stacked(m, -1, 2, part);
}

static tare_value *stacked_scalars(tare_mode *m, tare_value *const *x)
{
    tare_value *const part[] = {spine_total(m, x[0]), spine_total(m, x[1]), spine_total(m, x[2])};
    return stacked(m, 0, 3, part);
}

static const placed_case cases[] = {
    {"rows", rows, 2, {9, 9}, 1, false, 0, 0},
    {"rows, trained", rows, 2, {9, 9}, 1, true, 0, 0},
    {"columns, one row", last_axis, 2, {1, 21}, 1, false, 0, 0},
    {"columns", columns, 2, {7, 33}, 1, false, 0, 0},
    {"columns, trained", columns, 2, {7, 33}, 1, true, 0, 0},
    {"channels", columns, 4, {3, 5, 4, 4}, 1, true, 0, 0},
    {"channels, long rows", columns, 4, {3, 17, 32, 32}, 1, true, 0, 0},
    {"many rows", columns, 2, {3000, 17}, 1, false, 0, 0},
    {"within rows", last_axis, 3, {2, 3, 4}, 0, true, 0, 0},
    {"means", products, 2, {4, 4}, 0, true, 0, 0},
    {"a mean", mean_beside, 2, {4, 4}, 0, true, 1, 1},
    {"nested", nested, 2, {4, 6}, 2, true, 0, 0},
    {"nested rows", nested_rows, 2, {4, 6}, 2, true, 0, 0},
    {"an input twice", twice, 2, {4, 6}, 0, true, 1, 1},
    {"two joins", two_joins, 2, {4, 6}, 1, false, 0, 0},
    {"a part outlives its whole", outlived, 2, {4, 6}, 1, false, 0, 0},
    {"an external", external, 2, {4, 6}, 0, true, 1, 1},
    {"externals", externals, 2, {4, 6}, 0, true, 1, 3},
    {"externals, channels", externals, 4, {3, 5, 4, 4}, 0, true, 1, 3},
    {"externals, many rows", externals, 2, {3000, 17}, 0, true, 1, 3},
    {"nested externals", nested_externals, 2, {4, 6}, 0, true, 3, 3},
    {"nested externals, channels", nested_externals, 4, {3, 5, 7, 9}, 0, true, 3, 3},
    {"a recurrence", recurrence, 2, {4, 6}, 0, true, 3, 3},
    {"stack with externals", stacked_externals, 2, {5, 7}, 0, true, 1, 2},
    {"a view", view, 2, {4, 6}, 0, true, 0, 0},
    {"a view beside its base", view_beside, 2, {4, 6}, 0, true, 1, 2},
    {"a copy", copied, 2, {4, 6}, 1, true, 0, 0},
    {"a view of a part", viewed, 2, {4, 6}, 0, true, 1, 1},
    {"a part read again", read_again, 2, {4, 6}, 1, true, 0, 0},
    {"layers", layers, 2, {6, 6}, 1, true, 0, 0},
    {"in place", in_place, 2, {4, 6}, 1, true, 0, 0},
    {"stack", stacked_rows, 2, {5, 5}, 1, true, 0, 0},
    {"stack of columns", stacked_columns, 2, {5, 7}, 1, true, 0, 0},
    {"stack of numbers", stacked_numbers, 2, {5, 7}, 0, true, 0, 0},
    {"stack of scalars", stacked_scalars, 1, {5}, 1, true, 0, 0},
    {"nothing", columns, 2, {0, 4}, 0, true, 0, 0},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* ---- a body in one mode
 * --------------------------------------------------------------------------------------------------*/
typedef struct {
    int calls, joins;
    tare_plan_passes passes;
    tare_plan_bytes bytes;
    int64_t floor;
    int n;
    void *data[1 + MOST_IN];
    size_t size[1 + MOST_IN];
} outcome;

static void outcome_fini(outcome *o)
{
    for (int i = 0; i < o->n; ++i)
        free(o->data[i]);
}

static void keep(outcome *o, const tare_value *v)
{
    o->size[o->n] = v ? tare_desc_bytes(&v->d) : 0;
    o->data[o->n++] = v ? spine_bytes(v) : NULL;
}

static bool same(const outcome *a, const outcome *b)
{
    bool all = a->n == b->n;
    for (int i = 0; all && i < a->n; ++i)
        all = a->size[i] == b->size[i] && (!a->size[i] || memcmp(a->data[i], b->data[i], a->size[i]) == 0);
    return all;
}

static void run_now(const placed_case *c, tare_value **x, outcome *o)
{
    *o = (outcome){0};
    tare_mode *m = spine_mode(rt, c->trains);
    m->scope_begin(m, NULL);
    for (int i = 0; i < MOST_IN; ++i)
        tare_value_want_gradient(x[i], c->trains);
    tare_value *y = c->f(m, x);
    must(m->error);
    keep(o, y);
    tare_value *total = spine_total(m, y);
    if (c->trains)
        must(m->backward(m, &total, NULL, 1, false));
    for (int i = 0; c->trains && i < MOST_IN; ++i) {
        keep(o, tare_value_gradient(x[i]));
        tare_value_clear_gradient(x[i]);
    }
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
}

static void capture(const placed_case *c, tare_value *room, tare_graph **g)
{
    tare_value *in[MOST_IN];
    must(tare_graph_new(rt, g));
    tare_mode *m = tare_graph_mode(*g);
    tare_value *peak = room ? spine_total(m, tare_tanh(m, tare_relu(m, room))) : NULL;
    m->recording = c->trains;
    tare_desc d = tare_desc_of(TARE_F32, c->rank, c->dim);
    for (int i = 0; i < MOST_IN; ++i) {
        in[i] = tare_graph_input(*g, &d, "x");
        tare_value_want_gradient(in[i], c->trains);
    }
    tare_value *y = c->f(m, in), *total = c->trains ? spine_total(m, y) : NULL;
    must(m->error);
    must(tare_graph_output(*g, y));
    if (c->trains)
        must(m->backward(m, &total, NULL, 1, false));
    for (int i = 0; c->trains && i < MOST_IN; ++i)
        if (m->gradient(m, in[i]))
            must(tare_graph_output(*g, m->gradient(m, in[i])));
    if (room)
        must(tare_graph_output(*g, peak));
}

static void run_later(const placed_case *c, tare_value **x, tare_value *room, const tare_plan_options *options,
                      outcome *o)
{
    *o = (outcome){0};
    tare_graph *g;
    tare_plan *p;
    tare_instance *run;
    capture(c, room, &g);
    must(tare_plan_new(g, options, &p));
    must(tare_instance_new(p, &run));
    const tare_node *const *node;
    o->calls = tare_plan_calls(p, &node);
    for (int k = 0; k < o->calls; ++k)
        o->joins += node[k]->op->join != NULL;
    o->passes = tare_plan_passes_of(p);
    o->bytes = tare_plan_size(p);
    must(tare_plan_floor(p, &o->floor));
    for (int i = 0; i < MOST_IN; ++i)
        must(tare_instance_bind(run, i, x[i]));
    for (int k = 0; k < 2; ++k) /* a second run finds what the first left */
        must(tare_instance_run(run));
    for (int i = 0; tare_instance_output(run, i + (room != NULL)); ++i)
        keep(o, tare_instance_output(run, i));
    tare_instance_free(run);
    tare_plan_free(p);
    tare_graph_free(g);
}

/* Gradients that nothing reached are no results of a plan. */
static void drop_absent(outcome *o)
{
    int n = 0;
    for (int i = 0; i < o->n; ++i)
        if (o->data[i]) {
            o->size[n] = o->size[i];
            o->data[n++] = o->data[i];
        }
    o->n = n;
}

START_TEST(only_the_joins_go)
{
    const placed_case *c = &cases[_i];
    tare_value *x[MOST_IN];
    for (int i = 0; i < MOST_IN; ++i)
        x[i] = spine_random(rt, c->rank, c->dim, (uint64_t)i + 1);
    tare_value *room = spine_random(rt, 1, (const int64_t[]){ROOM}, 9);
    outcome now, on, off;
    run_now(c, x, &now);
    drop_absent(&now);
    for (int k = 0; k < 4; ++k) {
        bool still = k & 1, has_room = k & 2;
        const tare_plan_options with = {.no_in_place = still}, without = {.no_in_place = still, .no_placement = true};
        run_later(c, x, has_room ? room : NULL, &with, &on);
        run_later(c, x, has_room ? room : NULL, &without, &off);
        ck_assert_msg(same(&now, &off), "%s, %d: other bits than now", c->name, k);
        ck_assert_msg(same(&now, &on), "%s, %d: other bits with placement", c->name, k);
        int joins = off.joins - on.joins;
        ck_assert_msg(joins == c->joins || (!has_room && joins == 0), "%s, %d: %d joins are not run", c->name, k,
                      joins);
        ck_assert_msg(off.calls - on.calls == joins, "%s, %d: %d calls less", c->name, k, off.calls - on.calls);
        const tare_plan_passes did = on.passes;
        ck_assert_msg((did.partly == c->partly && did.copied == c->copied) ||
                          (!has_room && did.partly + did.copied == 0),
                      "%s, %d: %d joins copy %d inputs", c->name, k, did.partly, did.copied);
        ck_assert_msg(on.bytes.lower_bound <= on.bytes.refcount, "%s, %d: %lld bytes, %lld with reference counting",
                      c->name, k, (long long)on.bytes.lower_bound, (long long)on.bytes.refcount);
        ck_assert_msg(on.floor <= on.bytes.lower_bound && off.floor <= off.bytes.lower_bound, "%s, %d: a floor above",
                      c->name, k);
        ck_assert_int_eq(on.bytes.refcount, off.bytes.refcount);
        ck_assert_int_eq(on.bytes.naive, off.bytes.naive);
        outcome_fini(&on);
        outcome_fini(&off);
    }
    outcome_fini(&now);
    tare_value_drop(room);
    for (int i = 0; i < MOST_IN; ++i)
        tare_value_drop(x[i]);
}
END_TEST

/* Every plan fails at every allocation, cleanly. */
START_TEST(failing_allocations)
{
    tare_graph *g;
    capture(&cases[_i], NULL, &g);
    tare_plan *first;
    must(tare_plan_new(g, NULL, &first)); /* names that the runtime keeps */
    tare_plan_free(first);
    tare_status status = TARE_NO_MEMORY;
    int64_t k = 0;
    for (; status == TARE_NO_MEMORY; ++k) {
        tare_plan *p = NULL;
        int64_t before = rt->memory.n_live;
        rt->memory.fail_at = rt->memory.n_requests + 1 + k;
        status = tare_plan_new(g, NULL, &p);
        rt->memory.fail_at = 0;
        tare_plan_free(p);
        if (status == TARE_NO_MEMORY)
            ck_assert_int_eq(rt->memory.n_live, before);
    }
    ck_assert_int_eq(status, TARE_OK);
    ck_assert_int_gt(k, 5);
    tare_graph_free(g);
}
END_TEST

/* ---- results
 * ---------------------------------------------------------------------------------------------------------*/
/* A part that is a result itself: of rows it lies in the joined one, of columns it must be without gaps. */
START_TEST(a_part_may_be_a_result)
{
    for (int64_t axis = 0; axis < 2; ++axis) {
        tare_graph *g;
        tare_plan *p;
        tare_instance *run;
        const tare_node *const *node;
        must(tare_graph_new(rt, &g));
        tare_mode *m = tare_graph_mode(g), *now = spine_mode(rt, false);
        tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){4, 6});
        tare_value *in = tare_graph_input(g, &d, "x"), *x = spine_random(rt, 2, d.dim, 5);
        tare_value *const part[] = {tare_relu(m, in), tare_tanh(m, in)};
        must(tare_graph_output(g, part[1]));
        must(tare_graph_output(g, joined(m, axis, 2, part)));
        must(tare_plan_new(g, NULL, &p));
        ck_assert_int_eq(tare_plan_calls(p, &node), axis ? 3 : 2);
        must(tare_instance_new(p, &run));
        must(tare_instance_bind(run, 0, x));
        must(tare_instance_run(run));
        now->scope_begin(now, NULL);
        tare_value *const wanted[] = {tare_relu(now, x), tare_tanh(now, x)};
        ck_assert(spine_same(tare_instance_output(run, 0), wanted[1]));
        ck_assert(spine_same(tare_instance_output(run, 1), joined(now, axis, 2, wanted)));
        now->scope_end(now, NULL, 0);
        tare_imperative_free(now);
        tare_instance_free(run);
        tare_plan_free(p);
        tare_graph_free(g);
        tare_value_drop(x);
    }
}
END_TEST

/* ---- strided inputs in the imperative mode: a slice of columns needs no copy
 * ---------------------------------------------------------------------------------------------------------*/
START_TEST(a_slice_of_columns_is_read_where_it_lies)
{
    tare_value *x = spine_random(rt, 2, (const int64_t[]){9, 40}, 1);
    tare_mode *m = spine_mode(rt, false);
    m->scope_begin(m, NULL);
    tare_value *slice = tare_slice(m, x, (tare_slice_attr){.axis = 1, .begin = 3, .end = 36, .step = 1});
    int64_t before = rt->counts.kernel_calls;
    tare_value *y = tare_tanh(m, slice);
    ck_assert_int_eq(rt->counts.kernel_calls - before, 1);
    ck_assert(spine_same(y, tare_tanh(m, tare_copy(m, slice))));
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("placement");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, only_the_joins_go, 0, N_CASES);
    tcase_add_loop_test(tests, failing_allocations, 0, N_CASES);
    tcase_add_test(tests, a_part_may_be_a_result);
    tcase_add_test(tests, a_slice_of_columns_is_read_where_it_lies);
    return spine_run("placement", &tests, 1);
}
