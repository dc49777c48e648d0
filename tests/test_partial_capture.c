/* test_partial_capture.c - a function captured within an imperative step changes no bit: losses, gradients, in each way
 * of keeping and running a captured operator, against the same step with plain calls.
 *
 * Each case is a step over four leaves, written once; `call` reaches function 0 or 1 plainly or as a captured
 * operator. A step runs three times, so that entries, instances and old gradients are met again: these are added to,
 * cleared, or overwritten. */
#include "spine.h"

enum { N = 4, LEAVES = 4, FUNCTIONS = 2, STEPS = 6, RESULTS = LEAVES + 1 };

static tare_runtime *rt;
static tare_mode *m;
static tare_value *leaf[LEAVES]; /* the last wants no gradient */
static const tare_capture_service *service;
static tare_captured *captured[FUNCTIONS]; /* NULL: called plainly */
static tare_function *function[FUNCTIONS];
static int n_out[FUNCTIONS];

static void call(int f, tare_value *const *in, int n_in, tare_value **out)
{
    if (captured[f])
        (void)service->apply(captured[f], m, in, n_in, out);
    else
        function[f](NULL, m, in, n_in, out, n_out[f]);
}

static tare_value *call1(int f, tare_value *x)
{
    tare_value *y;
    call(f, &x, 1, &y);
    return y;
}

static tare_value *product(tare_mode *mode, tare_value *a, tare_value *b)
{
    return tare_matmul(mode, a, b, (tare_matmul_attr){.transpose_b = true});
}

static tare_value *half(tare_mode *mode, tare_value *x)
{
    return tare_scale(mode, x, (tare_scale_attr){0.5});
}

/* ---- functions to capture
 * ------------------------------------------------------------------------------------------*/
#define FUNCTION(name)                                                                                                 \
    static void name(void *owner, tare_mode *mode, tare_value *const *in, int n_in, tare_value **out, int n)
#define UNUSED (void)owner, (void)mode, (void)n_in, (void)n

FUNCTION(layer)
{
    UNUSED;
    mode->scope_begin(mode, "layer");
    out[0] = tare_tanh(mode, product(mode, in[0], leaf[0]));
    mode->scope_end(mode, out, 1);
}

/* leaf 0 again, another way round */
FUNCTION(other)
{
    UNUSED;
    out[0] = tare_relu(mode, product(mode, leaf[0], in[0]));
}

/* leaf 0 and the input are each read several times: sums of many contributions */
FUNCTION(crossing)
{
    UNUSED;
    tare_value *a = product(mode, in[0], leaf[0]), *b = tare_mul(mode, leaf[0], in[0]);
    tare_value *c = tare_mul(mode, tare_sigmoid(mode, in[0]), leaf[0]);
    out[0] = tare_add(mode, tare_add(mode, tare_tanh(mode, a), b), tare_mul(mode, c, leaf[1]));
}

FUNCTION(pair)
{
    UNUSED;
    tare_value *h = tare_tanh(mode, tare_mul(mode, in[0], leaf[0]));
    out[0] = tare_relu(mode, h);
    out[1] = tare_sigmoid(mode, tare_mul(mode, h, leaf[1]));
}

FUNCTION(identity)
{
    UNUSED;
    out[0] = in[0];
}

FUNCTION(twins)
{
    UNUSED;
    out[0] = out[1] = tare_tanh(mode, tare_mul(mode, in[0], leaf[0]));
}

FUNCTION(inner_value)
{
    UNUSED;
    out[0] = tare_tanh(mode, tare_mul(mode, in[0], leaf[0]));
    out[1] = tare_mul(mode, out[0], leaf[1]);
}

FUNCTION(views)
{
    UNUSED;
    tare_value *h = tare_tanh(mode, tare_mul(mode, in[0], leaf[0]));
    out[0] = tare_mul(mode, h, tare_detach(mode, h));
    out[1] = tare_detach(mode, out[0]);
}

/* The second result depends on nothing that wants a gradient. */
FUNCTION(half_constant)
{
    UNUSED;
    out[0] = tare_mul(mode, in[0], leaf[0]);
    out[1] = tare_tanh(mode, leaf[3]);
}

FUNCTION(parameter_itself)
{
    UNUSED;
    out[0] = tare_mul(mode, in[0], leaf[1]);
    out[1] = leaf[0];
}

FUNCTION(two_inputs)
{
    UNUSED;
    out[0] = tare_mul(mode, tare_tanh(mode, in[0]), in[1]);
}

/* cut in two: x and leaf 0 are read on both sides */
FUNCTION(one_break)
{
    UNUSED;
    tare_value *h = tare_graph_break(mode, tare_tanh(mode, product(mode, in[0], leaf[0])));
    out[0] = tare_add(mode, tare_mul(mode, h, leaf[0]), product(mode, in[0], h));
}

/* cut in four, a view and a shortcut cross; a break at the end, one that is read twice, one that nobody reads */
FUNCTION(many_breaks)
{
    UNUSED;
    tare_value *h = tare_graph_break(mode, tare_mul(mode, in[0], leaf[0]));
    tare_value *across = tare_transpose(mode, tare_sigmoid(mode, h), (tare_transpose_attr){.axes = {2, {1, 0}}});
    tare_value *g = tare_graph_break(mode, tare_tanh(mode, across));
    (void)tare_graph_break(mode, tare_relu(mode, g));
    tare_value *sum = tare_add(mode, product(mode, g, leaf[1]), tare_mul(mode, across, g));
    out[0] = tare_graph_break(mode, tare_add(mode, sum, tare_mul(mode, h, leaf[0])));
}

/* what is handed through a break is read on both sides of it, in turns: its contributions come in three groups */
FUNCTION(read_around_breaks)
{
    UNUSED;
    tare_value *a = tare_tanh(mode, product(mode, in[0], leaf[0]));
    tare_value *b = tare_graph_break(mode, a), *c = tare_sigmoid(mode, a), *d = tare_mul(mode, b, leaf[1]);
    tare_value *e = tare_graph_break(mode, b), *f = tare_mul(mode, a, c), *g = tare_mul(mode, e, d);
    tare_value *h = tare_mul(mode, tare_softplus(mode, e), tare_tanh(mode, b));
    out[0] = tare_add(mode, tare_add(mode, tare_mul(mode, f, leaf[1]), g), tare_add(mode, h, tare_relu(mode, e)));
}

FUNCTION(broken_pair)
{
    UNUSED;
    tare_value *h = tare_graph_break(mode, tare_tanh(mode, tare_mul(mode, in[0], leaf[0])));
    out[0] = tare_relu(mode, h);
    out[1] = tare_graph_break(mode, tare_sigmoid(mode, tare_mul(mode, h, leaf[1])));
}

/* ---- steps: each gives the loss
 * ------------------------------------------------------------------------------------*/
static tare_value *alone(void)
{
    return call1(0, leaf[3]);
}

static tare_value *within(void)
{
    return tare_mul(m, call1(0, tare_relu(m, tare_mul(m, leaf[1], leaf[2]))), leaf[1]);
}

static tare_value *twice(void)
{
    return call1(0, tare_move(call1(0, leaf[1])));
}

static tare_value *side_by_side(void)
{
    tare_value *x = tare_tanh(m, leaf[1]);
    return tare_add(m, call1(0, x), call1(0, tare_mul(m, x, leaf[2])));
}

static tare_value *siblings(void)
{
    tare_value *x = tare_tanh(m, leaf[1]);
    return tare_add(m, call1(0, x), call1(1, x));
}

/* leaf 0 and x are read before, inside and after the captured function. */
static tare_value *before_and_after(void)
{
    tare_value *x = tare_tanh(m, leaf[1]);
    tare_value *early = tare_add(m, tare_mul(m, x, leaf[0]), product(m, leaf[0], x));
    tare_value *inside = call1(0, x);
    tare_value *late = tare_add(m, product(m, x, leaf[0]), tare_mul(m, tare_sigmoid(m, x), leaf[0]));
    return tare_add(m, tare_add(m, early, inside), tare_mul(m, late, inside));
}

/* The last steps read leaf 0 elsewhere too, after steps in which its gradient came from one place. */
static int n_steps;

static tare_value *at_first_alone(void)
{
    tare_value *x = tare_tanh(m, leaf[1]);
    tare_value *early = n_steps > 2 && n_steps != 4 ? tare_mul(m, x, leaf[0]) : x;
    return tare_add(m, early, call1(0, n_steps > 4 ? early : x));
}

static tare_value *at_first_without_sibling(void)
{
    tare_value *x = tare_tanh(m, leaf[1]), *sibling = n_steps > 2 && n_steps != 4 ? call1(1, x) : x;
    return tare_add(m, sibling, call1(0, n_steps > 4 ? sibling : x));
}

static tare_value *both_results(void)
{
    tare_value *y[2], *x = tare_tanh(m, leaf[1]);
    call(0, &x, 1, y);
    return tare_add(m, tare_mul(m, y[0], leaf[2]), tare_tanh(m, y[1]));
}

static tare_value *first_result(void)
{
    tare_value *y[2];
    call(0, &leaf[1], 1, y);
    return half(m, y[0]);
}

static tare_value *second_result(void)
{
    tare_value *y[2];
    call(0, &leaf[1], 1, y);
    return half(m, y[1]);
}

/* one of two calls has both heads, the other one alone: two backwards of one entry */
static tare_value *unlike_heads(void)
{
    tare_value *y[2], *z[2];
    call(0, &leaf[1], 1, y);
    call(0, &y[0], 1, z);
    return tare_add(m, tare_mul(m, z[0], z[1]), leaf[2]);
}

static tare_value *same_input_twice(void)
{
    tare_value *x = tare_tanh(m, tare_mul(m, leaf[0], leaf[1]));
    tare_value *y, *in[] = {x, x};
    call(0, in, 2, &y);
    return tare_mul(m, y, leaf[2]);
}

static tare_value *parameter_as_input(void)
{
    return tare_mul(m, call1(0, leaf[0]), leaf[0]);
}

static tare_value *through_identity(void)
{
    tare_value *x = tare_tanh(m, leaf[1]);
    return tare_add(m, tare_mul(m, x, leaf[0]), tare_sigmoid(m, call1(0, x)));
}

/* x and what is x too are read in turns: the canonical order has the one between the other's */
static tare_value *identity_in_turns(void)
{
    tare_value *x = tare_tanh(m, leaf[1]), *y = call1(0, x);
    tare_value *a = tare_mul(m, y, leaf[0]), *b = tare_mul(m, x, leaf[2]);
    tare_value *c = tare_sigmoid(m, y), *d = product(m, x, leaf[3]);
    return tare_add(m, tare_add(m, a, b), tare_add(m, c, d));
}

static tare_value *twins_in_turns(void)
{
    tare_value *y[2], *x = tare_tanh(m, leaf[1]);
    call(0, &x, 1, y);
    tare_value *a = tare_mul(m, y[0], leaf[0]), *b = tare_mul(m, y[1], leaf[2]);
    tare_value *c = tare_sigmoid(m, y[0]), *d = product(m, y[1], leaf[3]);
    return tare_add(m, tare_add(m, a, b), tare_add(m, c, d));
}

static const struct {
    const char *name;
    tare_function *function[FUNCTIONS];
    int n_out;
    tare_value *(*step)(void);
} cases[] = {
    {"alone", {layer}, 1, alone},
    {"crossing alone", {crossing}, 1, alone},
    {"within", {layer}, 1, within},
    {"crossing within", {crossing}, 1, within},
    {"twice", {layer}, 1, twice},
    {"crossing twice", {crossing}, 1, twice},
    {"side by side", {crossing}, 1, side_by_side},
    {"siblings sharing a parameter", {layer, other}, 1, siblings},
    {"siblings, many reads", {crossing, layer}, 1, siblings},
    {"before and after", {layer}, 1, before_and_after},
    {"crossing before and after", {crossing}, 1, before_and_after},
    {"read elsewhere later", {layer}, 1, at_first_alone},
    {"crossing, read elsewhere later", {crossing}, 1, at_first_alone},
    {"a sibling later", {layer, other}, 1, at_first_without_sibling},
    {"many reads, a sibling later", {crossing, layer}, 1, at_first_without_sibling},
    {"broken", {one_break}, 1, alone},
    {"broken within", {one_break}, 1, within},
    {"broken twice", {one_break}, 1, twice},
    {"broken before and after", {one_break}, 1, before_and_after},
    {"broken siblings", {one_break, many_breaks}, 1, siblings},
    {"broken often", {many_breaks}, 1, within},
    {"broken often, twice", {many_breaks}, 1, side_by_side},
    {"read around breaks", {read_around_breaks}, 1, alone},
    {"read around breaks, twice", {read_around_breaks}, 1, side_by_side},
    {"broken, both results", {broken_pair}, 2, both_results},
    {"broken, unlike heads", {broken_pair}, 2, unlike_heads},
    {"both results", {pair}, 2, both_results},
    {"the first head alone", {pair}, 2, first_result},
    {"the second head alone", {pair}, 2, second_result},
    {"unlike heads", {pair}, 2, unlike_heads},
    {"unlike heads of twins", {twins}, 2, unlike_heads},
    {"one input twice", {two_inputs}, 1, same_input_twice},
    {"a parameter is its input", {crossing}, 1, parameter_as_input},
    {"its input is its result", {identity}, 1, through_identity},
    {"its input is its result, read in turns", {identity}, 1, identity_in_turns},
    {"one value twice", {twins}, 2, both_results},
    {"one value twice, read in turns", {twins}, 2, twins_in_turns},
    {"a value and what is made of it", {inner_value}, 2, both_results},
    {"views inside", {views}, 2, both_results},
    {"a view as result", {views}, 2, first_result},
    {"a result that wants nothing", {half_constant}, 2, both_results},
    {"a result that wants nothing, alone", {half_constant}, 2, first_result},
    {"its parameter is its result", {parameter_itself}, 2, both_results},
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- running
 * ---------------------------------------------------------------------------------------------------------------*/
typedef struct {
    float at[RESULTS][N * N]; /* the loss, gradients; 0 where there is none */
    bool there[RESULTS];
} outcome;

static void take(outcome *o, int r, const tare_value *v)
{
    o->there[r] = v != NULL;
    if (v)
        must(tare_value_read(v, o->at[r], tare_desc_bytes(&v->d)));
}

typedef enum { PLAINLY, RETAINED, HELD_BACK, WAYS } way;

/* One step: backward at once, twice over a retained tape, or after another forward. */
static void step(tare_value *(*body)(void), way how, outcome *o)
{
    m->scope_begin(m, NULL);
    tare_value *loss = spine_total(m, body());
    tare_value *other = how == HELD_BACK ? spine_total(m, body()) : NULL;
    must(m->error);
    must(m->backward(m, &loss, NULL, 1, how == RETAINED));
    if (how != PLAINLY)
        must(m->backward(m, other ? &other : &loss, NULL, 1, false));
    take(o, 0, loss);
    m->scope_end(m, NULL, 0);
}

/* What becomes of the gradients of the step before. */
typedef enum { ADDED, CLEARED, OVERWRITTEN, FATES } fate;

static void run(int k, way how, fate old, const tare_capture_options *options, outcome o[STEPS])
{
    tare_value *held = NULL; /* a gradient of the first step in a user's hand */
    outcome held_then = {0}, held_now = {0};
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    m = spine_mode(rt, true);
    m->overwrite = old == OVERWRITTEN;
    service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    memset(o, 0, STEPS * sizeof *o);
    for (int i = 0; i < LEAVES; ++i) {
        leaf[i] = spine_random(rt, 2, (const int64_t[]){N, N}, (uint64_t)i + 1);
        tare_value_want_gradient(leaf[i], i < LEAVES - 1);
    }
    for (int f = 0; f < FUNCTIONS; ++f) {
        function[f] = cases[k].function[f];
        n_out[f] = cases[k].n_out;
        captured[f] = NULL;
        if (function[f] && options)
            must(service->make(rt, function[f], NULL, n_out[f], options, &captured[f]));
    }
    for (int s = 0; s < STEPS; ++s) {
        for (int i = 0; i < LEAVES && old == CLEARED; ++i)
            tare_value_clear_gradient(leaf[i]);
        n_steps = s;
        step(cases[k].step, how, &o[s]);
        for (int i = 0; i < LEAVES; ++i)
            take(&o[s], 1 + i, leaf[i]->gradient);
        if (s == 0 && old != OVERWRITTEN && leaf[0]->gradient)
            held = tare_value_share(leaf[0]->gradient);
        take(s == 0 ? &held_then : &held_now, 0, held);
    }
    ck_assert_msg(memcmp(&held_then, &held_now, sizeof held_now) == 0, "%s, way %d, fate %d: a held gradient changed",
                  cases[k].name, how, old);
    tare_value_drop(held);
    for (int i = 0; i < LEAVES; ++i)
        tare_value_clear_gradient(leaf[i]);
    tare_imperative_free(m);
    for (int f = 0; f < FUNCTIONS; ++f)
        if (captured[f])
            service->free(captured[f]);
    for (int i = 0; i < LEAVES; ++i)
        tare_value_drop(leaf[i]);
    spine_end(rt);
}

/* Each part of a broken function is an operator of its own, with a guard and a node on the tape. */
START_TEST(a_break_is_a_break)
{
    const tare_capture_options options = {.keep = true, .bound = true};
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    m = spine_mode(rt, true);
    service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    for (int i = 0; i < LEAVES; ++i)
        leaf[i] = spine_random(rt, 2, (const int64_t[]){N, N}, (uint64_t)i + 1);
    tare_value_want_gradient(leaf[0], true);
    tare_function *const functions[] = {layer, one_break, many_breaks};
    const int64_t parts[] = {1, 2, 5}; /* the last part of many_breaks copies what its last break hands on */
    for (int f = 0; f < 3; ++f) {
        tare_captured *c;
        must(service->make(rt, functions[f], NULL, 1, &options, &c));
        for (int s = 0; s < 2; ++s) {
            tare_counts before = tare_runtime_counts(rt);
            m->scope_begin(m, NULL);
            tare_value *y;
            must(service->apply(c, m, &leaf[3], 1, &y));
            tare_counts after = tare_runtime_counts(rt);
            ck_assert_int_eq(after.tape_nodes - before.tape_nodes, parts[f]);
            ck_assert_int_eq(after.guards - before.guards, parts[f] == 1 ? 1 : 1 + parts[f]);
            ck_assert_int_eq(after.plans - before.plans, s == 0 ? parts[f] : 0);
            m->scope_end(m, NULL, 0);
        }
        service->free(c);
    }
    tare_imperative_free(m);
    for (int i = 0; i < LEAVES; ++i)
        tare_value_drop(leaf[i]);
    spine_end(rt);
}
END_TEST

START_TEST(a_captured_function_changes_no_bit)
{
    const tare_capture_options options[] = {{.keep = false}, {.keep = true}, {.keep = true, .bound = true}};
    static outcome plain[STEPS], with[STEPS];
    for (int both = 0; both < WAYS * FATES; ++both) {
        way how = (way)(both / FATES);
        fate old = (fate)(both % FATES);
        run(_i, how, old, NULL, plain);
        bool any = false;
        for (int r = 1; r < RESULTS; ++r)
            any |= plain[0].there[r];
        ck_assert_msg(any, "%s: no gradient at all", cases[_i].name);
        for (int o = 0; o < 3; ++o) {
            run(_i, how, old, &options[o], with);
            for (int s = 0; s < STEPS; ++s)
                for (int r = 0; r < RESULTS; ++r) {
                    ck_assert_msg(plain[s].there[r] == with[s].there[r],
                                  "%s, way %d, fate %d, option %d, step %d: result %d", cases[_i].name, how, old, o, s,
                                  r);
                    ck_assert_msg(memcmp(plain[s].at[r], with[s].at[r], sizeof plain[s].at[r]) == 0,
                                  "%s, way %d, fate %d, option %d, step %d: bits of result %d", cases[_i].name, how,
                                  old, o, s, r);
                }
        }
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("partial capture");
    tcase_add_loop_test(tests, a_captured_function_changes_no_bit, 0, CASES);
    tcase_add_test(tests, a_break_is_a_break);
    return spine_run("partial_capture", &tests, 1);
}
