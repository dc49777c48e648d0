/* test_ladder.c - what each rung pays a step, counted exactly, so that no rung can be an alias of another.
 *
 * A rung's signature: the runtime's counters of a steady step, the calls that reach layers through their objects,
 * the runs asked of the device and the calls in them (seen by spies, so that nothing is counted for it in the library),
 * what setting up took, and the kind of plan. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/arm/arm.h"
#include "../bench/arm/facts.h"

/* ---- spies
 * ---------------------------------------------------------------------------------------------------------------------*/
static tare_status (*real_run)(tare_device *, const tare_call *, int, int *);
static const tare_block_class *real_class;
static const tare_net_type *real_type;
static int64_t n_runs, n_run_calls, n_net_calls, n_forward, n_hybrid_forward;

static tare_status spy_run(tare_device *d, const tare_call *call, int n, int *failed)
{
    ++n_runs;
    n_run_calls += n;
    return real_run(d, call, n, failed);
}

static tare_value *spy_forward(tare_mode *m, tare_block *b, tare_value *x)
{
    ++n_forward;
    return real_class->forward(m, b, x);
}

static tare_value *spy_hybrid_forward(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                      tare_value *const *parameters)
{
    ++n_hybrid_forward;
    return real_class->hybrid_forward(m, b, F, x, parameters);
}

#define SPY_NET(api)                                                                                                   \
    static tare_value *spy_net_##api(tare_mode *m, tare_net *net, tare_value *x)                                       \
    {                                                                                                                  \
        ++n_net_calls;                                                                                                 \
        return real_type->forward[TARE_API_##api](m, net, x);                                                          \
    }
SPY_NET(DIRECT)
SPY_NET(BLOCK)
SPY_NET(HYBRID)

/* All layers of the nets here are of one class. */
static void spy_on(tare__arm *arm, tare_block_class *class, tare_net_type *type)
{
    tare_block *root = &arm->net->root;
    real_type = arm->net->type;
    *type = *real_type;
    type->forward[TARE_API_DIRECT] = spy_net_DIRECT;
    type->forward[TARE_API_BLOCK] = spy_net_BLOCK;
    type->forward[TARE_API_HYBRID] = spy_net_HYBRID;
    arm->net->type = type;
    real_run = arm->rt->device->run;
    arm->rt->device->run = spy_run;
    if (root->n_children == 0)
        return; /* a net from a file has no layer objects */
    real_class = root->child[0].class_;
    *class = *real_class;
    class->forward = spy_forward;
    class->hybrid_forward = spy_hybrid_forward;
    for (int i = 0; i < root->n_children; ++i) {
        ck_assert_ptr_eq(root->child[i].class_, real_class);
        root->child[i].class_ = class;
    }
}

/* ---- signatures
 * ---------------------------------------------------------------------------------------------------------------------*/
/* X(name): counts of a step, as the runtime names them; then what the spies saw, what setting up took, the plan. */
#define COUNTS(X)                                                                                                      \
    X(lookups)                                                                                                         \
    X(parses)                                                                                                          \
    X(infers)                                                                                                          \
    X(guards) X(storage_takes) X(allocations) X(tape_nodes) X(patches) X(locks) X(kernel_calls) X(captures) X(plans)
#define FIELDS(X)                                                                                                      \
    COUNTS(X)                                                                                                          \
    X(runs)                                                                                                            \
    X(run_calls)                                                                                                       \
    X(net_calls) X(forwards) X(hybrid_forwards) X(setup_captures) X(setup_plans) X(setup_file_reads) X(kind)
typedef struct {
#define FIELD(name) int64_t name;
    FIELDS(FIELD)
#undef FIELD
} signature;

static signature measure(const tare__rung *rung, const char *net, const char *optimizer)
{
    tare__task task = {.net = net, .batch = 4, .optimizer = optimizer, .seed = 1};
    tare__setting setting = tare__setting_of(rung, optimizer != NULL);
    tare__arm arm;
    tare_block_class class;
    tare_net_type type;
    tare_counts step;
    ck_assert_msg(tare__arm_open(&arm, &task, &setting, rung->name) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(&arm) == TARE_OK, "%s", tare_error_text());
    ck_assert_int_eq(arm.step(&arm), TARE_OK);
    tare_counts setup = tare_runtime_counts(arm.rt);
    spy_on(&arm, &class, &type);
    n_runs = n_run_calls = n_net_calls = n_forward = n_hybrid_forward = 0;
    ck_assert_int_eq(tare__arm_count(&arm, &step), TARE_OK); /* counts the last of three steps */
    signature s = {.runs = n_runs / 3,
                   .run_calls = n_run_calls / 3,
                   .net_calls = n_net_calls / 3,
                   .forwards = n_forward / 3,
                   .hybrid_forwards = n_hybrid_forward / 3,
                   .setup_captures = setup.captures,
                   .setup_plans = setup.plans,
                   .setup_file_reads = setup.file_reads,
                   .kind = setting.level[TARE__JOINT]};
#define COUNT(name) s.name = step.name;
    COUNTS(COUNT)
#undef COUNT
    tare__arm_close(&arm);
    return s;
}

/* A net in training: its layers; kernels of forward and backward; those of the loss, which is not captured, each way;
 * auxiliaries that the loss leaves; parameters, and those so large that their update is cut into pieces, which the
 * device runs; the addresses that move between steps of a captured net. */
typedef struct {
    const char *name;
    int64_t layers, forward, backward, loss, auxiliary, parameters, cut, moved;
} shape;

static const shape shapes[] = {
    {"chain:depth=4", 4, 8, 4 * 4 - 1, 0, 0, 8, 0, 0},
    {"mlp_mnist", 3, 5 + 2, 10 + 2, 2, 1, 6, 1, 3},
};

static bool is(const tare__rung *rung, const char *name)
{
    return strcmp(rung->name, name) == 0;
}

/* Operators run as they are met: each is inferred and takes its storage; the forward part is taped. */
static void expect_imperative(const tare__rung *rung, const shape *net, int64_t updates, signature *s)
{
    s->infers = s->kernel_calls;
    s->net_calls = 1;
    s->storage_takes = net->forward + net->backward + net->auxiliary; /* an update writes its parameter */
    s->tape_nodes = net->forward;
    s->forwards = is(rung, "block") ? net->layers : 0;
    s->hybrid_forwards = is(rung, "hybridblock") ? net->layers : 0;
    s->runs = s->run_calls = updates ? net->cut : 0;
    s->lookups = s->parses = is(rung, "invoke") ? net->forward + updates : 0;
}

/* Two operators, forward and backward, with a block for each one's results (the gradients' is kept where storage is),
 * and the loss beside them. */
static void expect_captured(const tare__rung *rung, const shape *net, int64_t updates, signature *s)
{
    s->infers = 2 + 2 * net->loss + updates;
    s->guards = 1;
    s->tape_nodes = 1 + net->loss;
    bool kept = is(rung, "static_alloc") || is(rung, "static_shape");
    s->storage_takes = 1 + 2 * net->loss + net->auxiliary;
    s->storage_takes += kept ? 0 : 4; /* the gradients, two arenas, what a backward reads */
    s->patches = net->moved;
    s->runs = is(rung, "static_shape") ? 2 : net->forward + net->backward - 2 * net->loss;
    s->runs += updates ? net->cut : 0;
    s->run_calls = net->forward + net->backward - 2 * net->loss + (updates ? net->cut : 0);
    s->setup_captures = 1;
    s->setup_plans = 2;
    s->setup_file_reads = is(rung, "symbolblock");
}

static signature expected(const tare__rung *rung, const shape *net, bool update)
{
    signature s = {.kind = tare__setting_of(rung, update).level[TARE__JOINT]};
    int64_t updates = update ? net->parameters : 0, cut = update ? net->cut : 0;
    s.kernel_calls = net->forward + net->backward + updates;
    switch (s.kind) {
    case TARE__JOINT_NONE:
        expect_imperative(rung, net, updates, &s);
        break;
    case TARE__JOINT_SPLIT:
        expect_captured(rung, net, updates, &s);
        break;
    default:
        s.net_calls = is(rung, "carrier");
        s.infers = is(rung, "symbol") || is(rung, "carrier") ? updates : 0;
        /* a bare loop asks the device for what is cut alone; symbol's updates are outside its plan */
        bool loops = is(rung, "kernels") || is(rung, "carrier");
        s.runs = loops ? cut : is(rung, "symbol") ? 1 + cut : 1;
        s.run_calls = loops ? cut : is(rung, "symbol") ? net->forward + net->backward + cut : s.kernel_calls;
        s.setup_captures = s.setup_plans = 1;
    }
    return s;
}

START_TEST(every_rung_has_its_signature)
{
    const shape *net = &shapes[_i / 2];
    bool update = _i % 2;
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        signature found = measure(rung, net->name, update ? "sgd" : NULL), wanted = expected(rung, net, update);
#define SAME(field)                                                                                                    \
    ck_assert_msg(found.field == wanted.field, "%s%s, %s: %s is %lld, not %lld", net->name, update ? " with sgd" : "", \
                  rung->name, #field, (long long)found.field, (long long)wanted.field);
        FIELDS(SAME)
#undef SAME
    }
}
END_TEST

/* The table says which pairs are the same for what was asked; these are, and no others. */
static bool declared_equal(const tare__rung *a, const tare__rung *b, bool update)
{
    return !update &&
           ((a->without_update && is(b, a->without_update)) || (b->without_update && is(a, b->without_update)));
}

START_TEST(no_rung_is_an_alias)
{
    enum { MOST = 32 };
    signature s[MOST];
    bool update = _i % 2;
    int n = 0;
    for (; tare__rungs[n].name; ++n) {
        ck_assert_int_lt(n, MOST);
        s[n] = measure(&tare__rungs[n], shapes[_i / 2].name, update ? "sgd" : NULL);
    }
    for (int a = 0; a < n; ++a) {
        for (int b = a + 1; b < n; ++b) {
            bool declared = declared_equal(&tare__rungs[a], &tare__rungs[b], update);
            if (declared)
                s[a].kind = s[b].kind; /* the one plan's kind is a special case of the other's */
            ck_assert_msg((memcmp(&s[a], &s[b], sizeof *s) == 0) == declared, "%s%s: %s and %s are %s, and declared %s",
                          shapes[_i / 2].name, update ? " with sgd" : "", tare__rungs[a].name, tare__rungs[b].name,
                          declared ? "not equal" : "equal", declared ? "so" : "different");
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ladder");
    TCase *all = tcase_create("ladder");
    enum { CASES = 2 * sizeof shapes / sizeof *shapes };
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, every_rung_has_its_signature, 0, CASES);
    tcase_add_loop_test(all, no_rung_is_an_alias, 0, CASES);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
