/* test_steps.c - a net with dropout and batch norm over several steps: every mode and every way of reaching a layer
 * gives the same losses, parameters and state, bit for bit. */
#include "../core/capture.h"
#include "../core/random.h"
#include "../nets/layer.h"
#include "../nets/layer_state.h"
#include "../nets/weights.h"
#include "fixture.h"
#include "scratch.h"

/* ---- both modes, several steps --------------------------------------------------------------------------------*/
enum { BATCH = 6, INPUTS = 9, UNITS = 20, STEPS = 5, RANDOM_NODES = 2 };
enum { DROP0, DENSE0, NORM, DROP1, DENSE1, LAYERS };
typedef struct {
    tare_net net; /* first */
    tare_dense_layer dense0, dense1;
    tare_batch_norm_layer norm;
    tare_dropout_layer drop0, drop1;
    tare_block block[LAYERS];
} state_net;

static tare_status state_build(tare_net *n, const void *options)
{
    (void)options;
    state_net *s = (state_net *)n;
    tare_status status = tare_dropout_layer_build(n, &s->drop0, "drop0", 0.2);
    if (status == TARE_OK)
        status = tare_dense_layer_build(n, &s->dense0, "dense0", INPUTS, UNITS, TARE_ACTIVATION_RELU);
    if (status == TARE_OK)
        status = tare_batch_norm_layer_build(n, &s->norm, "norm", UNITS, (tare_batch_norm_attr){1e-5, 0.1},
                                             TARE_ACTIVATION_NONE);
    if (status == TARE_OK)
        status = tare_dropout_layer_build(n, &s->drop1, "drop1", 0.5);
    if (status == TARE_OK)
        status = tare_dense_layer_build(n, &s->dense1, "dense1", UNITS, 2, TARE_ACTIVATION_NONE);
    tare_dropout_layer_block(&s->drop0, &s->block[DROP0]);
    tare_dense_layer_block(&s->dense0, &s->block[DENSE0]);
    tare_batch_norm_layer_block(&s->norm, &s->block[NORM]);
    tare_dropout_layer_block(&s->drop1, &s->block[DROP1]);
    tare_dense_layer_block(&s->dense1, &s->block[DENSE1]);
    n->root = (tare_block){.name = "state", .child = s->block, .n_children = LAYERS};
    return status;
}

static inline tare_value *state_body(tare_mode *m, tare_net *n, tare_value *x, const tare_api api)
{
    tare_block *block = ((state_net *)n)->block;
    m->scope_begin(m, NULL);
    m->adopt(m, &x, 1);
    x = tare_block_call(m, &block[DROP0], tare_dropout_layer_direct, tare_move(x), api);
    x = tare_block_call(m, &block[DENSE0], tare_dense_layer_direct, tare_move(x), api);
    x = tare_block_call(m, &block[NORM], tare_batch_norm_layer_direct, tare_move(x), api);
    x = tare_block_call(m, &block[DROP1], tare_dropout_layer_direct, tare_move(x), api);
    x = tare_block_call(m, &block[DENSE1], tare_dense_layer_direct, tare_move(x), api);
    m->scope_end(m, &x, 1);
    return x;
}

TARE_NET_FORWARDS(state_body)

static void state_input(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){INPUTS});
}

static void state_output(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){2});
}

static const tare_net_type state_type = {.name = "state",
                                         .doc = "dropout, dense, batch norm, dropout, dense",
                                         .default_batch = BATCH,
                                         .bench_loss = TARE_LOSS_L2,
                                         .training_loss = TARE_LOSS_L2,
                                         .input = state_input,
                                         .output = state_output,
                                         .net_bytes = sizeof(state_net),
                                         .build = state_build,
                                         .forward = TARE_NET_FORWARD(state_body)};

/* A net, its data and optimizer on the test's runtime, and what is left after the steps. */
typedef struct {
    tare_net *net;
    tare_optimizer *optimizer;
    tare_value *x, *target;
    float loss[STEPS];
    unsigned char bytes[8192];
    size_t n;
} trained;

static void trained_open(trained *t)
{
    const int64_t wide[] = {BATCH, INPUTS}, out[] = {BATCH, 2};
    float x[BATCH * INPUTS], target[BATCH * 2];
    if (!tare_find(rt, TARE_KIND_NET, "state"))
        OK(tare_register(rt, TARE_KIND_NET, &state_type));
    *t = (trained){0};
    OK(tare_net_new(rt, "state", 11, &t->net));
    OK(tare_optimizer_new(t->net, "sgd:lr=0.1,clip=0.5", &t->optimizer));
    tare_random_uniform(x, BATCH * INPUTS, 3, 0, -1, 1);
    tare_random_uniform(target, BATCH * 2, 3, 1, -1, 1);
    t->x = value_of(TARE_F32, 2, wide, x);
    t->target = value_of(TARE_F32, 2, out, target);
}

static void keep(trained *t, const tare_value *v)
{
    size_t bytes = tare_desc_bytes(&v->d);
    ck_assert_uint_le(t->n + bytes, sizeof t->bytes);
    OK(tare_value_read(v, t->bytes + t->n, bytes));
    t->n += bytes;
}

static void trained_keep(trained *t)
{
    ck_assert_int_eq(t->net->n_states, 3); /* the count, two statistics */
    for (int i = 0; i < t->net->n_parameters; ++i)
        keep(t, t->net->parameter[i].value);
    for (int i = 0; i < t->net->n_states; ++i)
        keep(t, t->net->state[i].value);
}

static void trained_close(trained *t)
{
    tare_optimizer_free(t->optimizer);
    tare_net_free(t->net);
    tare_value_drop(t->x);
    tare_value_drop(t->target);
}

typedef tare_value *forward_of(tare_mode *, trained *, tare_value *x);

static tare_value *forward_plain(tare_mode *m, trained *t, tare_value *x)
{
    return tare_net_forward(m, t->net, x);
}

static tare_value *forward_block(tare_mode *m, trained *t, tare_value *x)
{
    return t->net->type->forward[TARE_API_BLOCK](m, t->net, x);
}

static tare_value *forward_hybrid(tare_mode *m, trained *t, tare_value *x)
{
    return t->net->type->forward[TARE_API_HYBRID](m, t->net, x);
}

static void train_now(trained *t, forward_of *forward)
{
    now->training = now->recording = true;
    for (int step = 0; step < STEPS; ++step) {
        for (int i = 0; i < t->net->n_parameters; ++i)
            tare_value_clear_gradient(t->net->parameter[i].value);
        now->scope_begin(now, NULL);
        tare_value *loss = tare_net_loss(now, TARE_LOSS_L2, forward(now, t, t->x), t->target);
        (void)now->backward(now, &loss, NULL, 1, false);
        OK(tare_optimizer_step(t->optimizer, now));
        OK(tare_value_read(loss, &t->loss[step], sizeof t->loss[step]));
        now->scope_end(now, NULL, 0);
        ck_assert_int_eq(read_count(t->net->random_calls), RANDOM_NODES * (step + 1));
    }
    now->training = now->recording = false;
}

static void train_later(trained *t)
{
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    OK(tare_graph_new(rt, &graph));
    tare_mode *m = tare_graph_mode(graph);
    m->training = m->recording = true;
    m->scope_begin(m, NULL);
    tare_value *loss = tare_net_loss(m, TARE_LOSS_L2, forward_plain(m, t, t->x), t->target);
    (void)m->backward(m, &loss, NULL, 1, false);
    OK(tare_graph_output(graph, loss));
    OK(tare_optimizer_step(t->optimizer, m));
    m->scope_end(m, NULL, 0);
    OK(tare_plan_new(graph, NULL, &plan));
    OK(tare_instance_new(plan, &run));
    ck_assert_int_eq(read_count(t->net->random_calls), 0); /* nothing has run */
    for (int step = 0; step < STEPS; ++step) {
        OK(tare_instance_run(run));
        OK(tare_value_read(tare_instance_output(run, 0), &t->loss[step], sizeof t->loss[step]));
        ck_assert_int_eq(read_count(t->net->random_calls), RANDOM_NODES * (step + 1));
    }
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(graph);
}

static void assert_same(const trained *a, const trained *b)
{
    ck_assert_int_eq(memcmp(a->loss, b->loss, sizeof a->loss), 0);
    ck_assert_uint_eq(a->n, b->n);
    ck_assert_int_eq(memcmp(a->bytes, b->bytes, a->n), 0);
    for (int step = 1; step < STEPS; ++step)
        ck_assert_float_ne(a->loss[step], a->loss[0]); /* other draws, other parameters */
}

START_TEST(both_modes_agree_over_several_steps)
{
    static trained a, b;
    trained_open(&a);
    train_now(&a, forward_plain);
    trained_keep(&a);
    trained_open(&b);
    train_later(&b);
    trained_keep(&b);
    assert_same(&a, &b);
    trained_close(&a);
    trained_close(&b);
}
END_TEST

/* ---- the same with the net captured as one operator -------------------------------------------------------------*/
static tare_captured *captured;

static void captured_body(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    ck_assert_int_eq(n_in + n_out, 2);
    out[0] = forward_plain(m, owner, in[0]);
}

static tare_value *forward_captured(tare_mode *m, trained *t, tare_value *x)
{
    const tare_capture_service *service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    tare_value *y;
    if (!captured)
        OK(service->make(rt, captured_body, t, 1, &(tare_capture_options){.keep = true, .bound = true}, &captured));
    OK(service->apply(captured, m, &x, 1, &y));
    return y;
}

START_TEST(a_captured_net_agrees_too)
{
    static trained a, b;
    trained_open(&a);
    train_now(&a, forward_plain);
    trained_keep(&a);
    trained_open(&b);
    train_now(&b, forward_captured);
    trained_keep(&b);
    assert_same(&a, &b);
    ((const tare_capture_service *)tare_find(rt, TARE_KIND_SERVICE, "capture"))->free(captured);
    captured = NULL;
    trained_close(&a);
    trained_close(&b);
}
END_TEST

/* Layers as objects, as hybrid objects, and each captured as an operator of its own. */
START_TEST(every_way_of_reaching_a_layer_agrees)
{
    static trained a, b;
    trained_open(&a);
    train_now(&a, forward_plain);
    trained_keep(&a);
    for (int way = 0; way < 3; ++way) {
        const tare_capture_options options = {.keep = true};
        trained_open(&b);
        if (way == 2)
            OK(tare_block_hybridize(rt, &b.net->root, &options));
        train_now(&b, way == 0 ? forward_block : forward_hybrid);
        trained_keep(&b);
        assert_same(&a, &b);
        trained_close(&b);
    }
    trained_close(&a);
}
END_TEST

/* ---- inference, checkpoints ---------------------------------------------------------------------------------------*/
START_TEST(inference_draws_nothing_and_tracks_nothing)
{
    static trained t;
    float y[2][BATCH * 2];
    trained_open(&t);
    train_now(&t, forward_plain);
    trained_keep(&t);
    for (int k = 0; k < 2; ++k)
        OK(tare_value_read(forward_plain(now, &t, t.x), y[k], sizeof y[k]));
    ck_assert_int_eq(memcmp(y[0], y[1], sizeof y[0]), 0);
    size_t n = t.n;
    t.n = 0;
    static unsigned char before[sizeof t.bytes];
    memcpy(before, t.bytes, n);
    trained_keep(&t);
    ck_assert_int_eq(memcmp(before, t.bytes, n), 0);
    trained_close(&t);
}
END_TEST

START_TEST(a_checkpoint_holds_the_state)
{
    static trained a, b;
    scratch_setup();
    const char *path = scratch_path("net.safetensors");
    trained_open(&a);
    train_now(&a, forward_plain);
    OK(tare_weights_save(a.net, path));
    trained_keep(&a);
    trained_open(&b);
    OK(tare_weights_load(b.net, path));
    trained_keep(&b);
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_int_eq(memcmp(a.bytes, b.bytes, a.n), 0);
    ck_assert_int_eq(read_count(b.net->random_calls), RANDOM_NODES * STEPS);
    scratch_teardown();
    trained_close(&a);
    trained_close(&b);
}
END_TEST

START_TEST(a_rate_outside_is_refused)
{
    trained t;
    tare_dropout_layer l;
    trained_open(&t);
    ck_assert_int_eq(tare_dropout_layer_build(t.net, &l, "drop", 1), TARE_BAD_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "dropout 'drop': rate is 1 (need at least 0 and less than 1)"));
    ck_assert_int_eq(tare_dropout_layer_build(t.net, &l, "drop", NAN), TARE_BAD_ARGUMENT);
    trained_close(&t);
}
END_TEST

FIXTURE_MAIN("steps", both_modes_agree_over_several_steps, a_captured_net_agrees_too,
             every_way_of_reaching_a_layer_agrees, inference_draws_nothing_and_tracks_nothing,
             a_checkpoint_holds_the_state, a_rate_outside_is_refused)
