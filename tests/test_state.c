/* test_state.c - randomness and running statistics: their values, and several steps in both modes, bit for bit. */
#include <check.h>
#include <math.h>

#include "../bench/weights.h"
#include "../core/capture.h"
#include "../core/random.h"
#include "../graph/graph.h"
#include "../imperative/imperative.h"
#include "../nets/layer.h"
#include "../nets/layer_state.h"
#include "golden/state.h"
#include "scratch.h"

#define OK(call) ck_assert_msg((call) == TARE_OK, "%s", tare_error_text())

/* ---- a runtime, a mode, values --------------------------------------------------------------------------------*/
static tare_runtime *rt;
static tare_mode *now;

static void open_mode(void)
{
    OK(tare_start(NULL, &rt));
    OK(tare_graph_register(rt));
    OK(tare_imperative_new(rt, &now));
    now->scope_begin(now, NULL);
}

static void close_mode(void)
{
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}

static tare_value *value_of(tare_dtype dtype, int rank, const int64_t *dim, const void *data)
{
    tare_desc d = tare_desc_of(dtype, rank, dim);
    tare_value *v;
    OK(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    OK(tare_value_write(v, data, tare_desc_bytes(&d)));
    return v;
}

static tare_value *count_of(int64_t n)
{
    return value_of(TARE_I64, 0, NULL, &n);
}

static int64_t read_count(const tare_value *v)
{
    int64_t n;
    OK(tare_value_read(v, &n, sizeof n));
    return n;
}

/* ---- dropout's draws ------------------------------------------------------------------------------------------*/
enum { DRAWS = 100003 };
static float ones[DRAWS], drawn[DRAWS], again[DRAWS];

static void draw(float *to, double rate, int64_t seed, int64_t n)
{
    const int64_t dim = DRAWS;
    for (int i = 0; i < DRAWS; ++i)
        ones[i] = 1;
    tare_value *x = value_of(TARE_F32, 1, &dim, ones), *count = count_of(n);
    tare_value *y = tare_dropout(now, x, count, (tare_dropout_attr){.rate = rate, .seed = seed});
    OK(now->error);
    OK(tare_value_read(y, to, sizeof drawn));
    ck_assert_int_eq(read_count(count), n); /* the operator leaves it to the layer */
    tare_value_drop(x);
    tare_value_drop(count);
}

/* Element i stays where word i % 4 of block i / 4, key = seed, stream = n, is at least rate 2^32. */
START_TEST(draws_are_philox_bits)
{
    const double rates[] = {0, 0.1, 0.5, 0.999};
    const int64_t seeds[] = {0, 7, -1}, counts[] = {0, 1, INT64_C(1) << 40};
    uint32_t word[4] = {0};
    for (int k = 0; k < 4; ++k) {
        int64_t seed = seeds[k % 3], n = counts[k % 3];
        draw(drawn, rates[k], seed, n);
        for (int i = 0; i < DRAWS; ++i) {
            if (i % 4 == 0)
                tare_philox((uint64_t)seed, (uint64_t)n, (uint64_t)i / 4, word);
            bool stays = (double)(word[i % 4] >> 8) * 0x1p-24 >= rates[k];
            ck_assert_msg(drawn[i] == (stays ? (float)(1 / (1 - rates[k])) : 0.0f), "element %d is %g", i,
                          (double)drawn[i]);
        }
    }
}
END_TEST

/* Over 100003 elements the share that stays has a deviation of sqrt(r (1 - r) / n) = 0.0015 at most. */
START_TEST(draws_have_the_rate_mean_and_variance)
{
    const double rates[] = {0.1, 0.5, 0.8};
    for (int k = 0; k < 3; ++k) {
        double stay = 0, sum = 0, squares = 0, keep = 1 - rates[k];
        draw(drawn, rates[k], 20240817, k);
        for (int i = 0; i < DRAWS; ++i) {
            stay += drawn[i] != 0;
            sum += (double)drawn[i];
            squares += (double)drawn[i] * (double)drawn[i];
        }
        double mean = sum / DRAWS, variance = squares / DRAWS - mean * mean;
        ck_assert_double_eq_tol(stay / DRAWS, keep, 5 * sqrt(keep * (1 - keep) / DRAWS));
        ck_assert_double_eq_tol(mean, 1, 5 * sqrt((1 - keep) / keep / DRAWS));
        ck_assert_double_eq_tol(variance / ((1 - keep) / keep), 1, 0.05);
    }
}
END_TEST

static int differing(void)
{
    int n = 0;
    for (int i = 0; i < DRAWS; ++i)
        n += drawn[i] != again[i];
    return n;
}

START_TEST(draws_repeat_with_their_key_and_differ_without)
{
    draw(drawn, 0.5, 3, 4);
    draw(again, 0.5, 3, 4);
    ck_assert_int_eq(differing(), 0);
    draw(again, 0.5, 3, 5);
    ck_assert_int_gt(differing(), DRAWS / 3);
    draw(again, 0.5, 4, 4);
    ck_assert_int_gt(differing(), DRAWS / 3);
}
END_TEST

/* y has the same bits whether a mask is made or not, and the gradient is the head under that mask. */
START_TEST(gradient_is_the_mask)
{
    enum { N = 1000 };
    const int64_t dim = N;
    float x[N], plain[N], recorded[N], gradient[N];
    tare_random_uniform(x, N, 1, 2, 1, 2);
    tare_value *v = value_of(TARE_F32, 1, &dim, x), *head = value_of(TARE_F32, 1, &dim, x), *n = count_of(9);
    tare_dropout_attr attr = {.rate = 0.25, .seed = 5};
    OK(tare_value_read(tare_dropout(now, v, n, attr), plain, sizeof plain));
    ck_assert_int_eq(now->program->n, 0);
    tare_value_want_gradient(v, true);
    now->recording = true;
    tare_value *y = tare_dropout(now, v, n, attr);
    OK(tare_value_read(y, recorded, sizeof recorded));
    ck_assert_int_eq(memcmp(plain, recorded, sizeof plain), 0);
    OK(now->backward(now, &y, &head, 1, false));
    OK(tare_value_read(tare_value_gradient(v), gradient, sizeof gradient));
    for (int i = 0; i < N; ++i)
        ck_assert_float_eq(gradient[i], recorded[i] != 0 ? x[i] * (float)(1 / 0.75) : 0);
    tare_value_drop(v);
    tare_value_drop(head);
    tare_value_drop(n);
}
END_TEST

/* A NaN that is dropped is gone. */
START_TEST(what_is_dropped_is_zero)
{
    enum { N = 64 };
    const int64_t dim = N;
    float x[N], y[N];
    int zeros = 0, nans = 0;
    for (int i = 0; i < N; ++i)
        x[i] = NAN;
    tare_value *v = value_of(TARE_F32, 1, &dim, x), *n = count_of(0);
    OK(tare_value_read(tare_dropout(now, v, n, (tare_dropout_attr){.rate = 0.5}), y, sizeof y));
    for (int i = 0; i < N; ++i) {
        zeros += y[i] == 0;
        nans += isnan(y[i]) != 0;
    }
    ck_assert_int_eq(zeros + nans, N);
    ck_assert_int_gt(zeros, 10);
    ck_assert_int_gt(nans, 10);
    tare_value_drop(v);
    tare_value_drop(n);
}
END_TEST

/* ---- batch norm -----------------------------------------------------------------------------------------------*/
typedef struct {
    tare_value *x, *scale, *shift, *mean, *var;
} norm_values;

static norm_values norm_of(const float *x)
{
    const int64_t wide[] = {5, 3}, channels = 3;
    const float zeros[3] = {0}, ones3[3] = {1, 1, 1};
    return (norm_values){value_of(TARE_F32, 2, wide, x), value_of(TARE_F32, 1, &channels, ones3),
                         value_of(TARE_F32, 1, &channels, zeros), value_of(TARE_F32, 1, &channels, zeros),
                         value_of(TARE_F32, 1, &channels, ones3)};
}

static void norm_drop(const norm_values *v)
{
    tare_value_drop(v->x);
    tare_value_drop(v->scale);
    tare_value_drop(v->shift);
    tare_value_drop(v->mean);
    tare_value_drop(v->var);
}

static void near(const tare_value *v, const float *wanted, int n)
{
    float is[64];
    OK(tare_value_read(v, is, (size_t)n * sizeof *is));
    for (int i = 0; i < n; ++i)
        ck_assert_msg(fabsf(is[i] - wanted[i]) <= 2e-6f * fmaxf(1, fabsf(wanted[i])), "%d: %.9g, not %.9g", i,
                      (double)is[i], (double)wanted[i]);
}

START_TEST(running_statistics_are_pytorchs)
{
    norm_values v = norm_of(golden_norm_x);
    for (int step = 0; step < 4; ++step) {
        OK(tare_value_write(v.x, golden_norm_x + 15 * step, 15 * sizeof(float)));
        (void)tare_batch_norm(now, v.x, v.scale, v.shift, v.mean, v.var, (tare_batch_norm_attr){1e-5, 0.2});
        OK(now->error);
        near(v.mean, golden_norm_mean + 3 * step, 3);
        near(v.var, golden_norm_var + 3 * step, 3);
    }
    OK(tare_value_write(v.x, golden_norm_x, 15 * sizeof(float)));
    near(tare_batch_norm_inference(now, v.x, v.scale, v.shift, v.mean, v.var, (tare_batch_norm_inference_attr){1e-5}),
         golden_norm_y, 15);
    norm_drop(&v);
}
END_TEST

/* Without the outputs that track, y is the same and the statistics stay: what a recomputation does. */
START_TEST(a_recomputation_leaves_the_statistics)
{
    norm_values v = norm_of(golden_norm_x);
    float before[15], after[15], mean[3];
    tare_value *out[3];
    tare_batch_norm_attr attr = {1e-5, 0.2};
    tare_value *const in[] = {v.x, v.scale, v.shift, v.mean, v.var};
    OK(tare_value_read(tare_batch_norm(now, v.x, v.scale, v.shift, v.mean, v.var, attr), before, sizeof before));
    uint32_t version = v.mean->storage->version;
    OK(now->apply(now, &tare_op_batch_norm, &attr, in, 5, out, 6));
    OK(tare_value_read(out[0], after, sizeof after));
    ck_assert_ptr_null(out[1]);
    ck_assert_int_eq(memcmp(before, after, sizeof before), 0);
    near(v.mean, golden_norm_mean, 3);
    near(v.var, golden_norm_var, 3);
    OK(tare_value_read(v.mean, mean, sizeof mean));
    ck_assert_uint_eq(v.mean->storage->version, version);
    norm_drop(&v);
}
END_TEST

START_TEST(no_gradient_passes_the_running_statistics)
{
    norm_values v = norm_of(golden_norm_x);
    tare_value *out[3];
    tare_batch_norm_attr attr = {1e-5, 0.2};
    tare_value *const in[] = {v.x, v.scale, v.shift, v.mean, v.var};
    tare_value_want_gradient(v.x, true);
    now->recording = true;
    OK(now->apply(now, &tare_op_batch_norm, &attr, in, 5, out, 0));
    ck_assert_int_eq(now->backward(now, &out[1], NULL, 1, false), TARE_NOT_DIFFERENTIABLE);
    assert_error_has("batch_norm", "running statistics");
    tare_mode_clear(now);
    now->recording = false;
    norm_drop(&v);
}
END_TEST

/* A mean far from zero costs the variance nothing. */
START_TEST(variance_far_from_zero)
{
    enum { N = 500 };
    const int64_t wide[] = {N, 1, 4}, one = 1;
    float x[4 * N], y[4 * N], scale = 1, shift = 0;
    for (int i = 0; i < 4 * N; ++i)
        x[i] = 4096 + (float)(i % 2);
    tare_value *v = value_of(TARE_F32, 3, wide, x), *s = value_of(TARE_F32, 1, &one, &scale),
               *t = value_of(TARE_F32, 1, &one, &shift);
    tare_value *in[] = {v, s, t, NULL, NULL}, *out[3];
    OK(now->apply(now, &tare_op_batch_norm, &(tare_batch_norm_attr){0, 0.1}, in, 5, out, 6));
    OK(tare_value_read(out[0], y, sizeof y));
    for (int i = 0; i < 4 * N; ++i)
        ck_assert_float_eq(y[i], i % 2 ? 1 : -1);
    tare_value_drop(v);
    tare_value_drop(s);
    tare_value_drop(t);
}
END_TEST

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
        status = tare_batch_norm_layer_build(n, &s->norm, "norm", UNITS, (tare_batch_norm_attr){1e-5, 0.1});
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

static tare_value *state_forward(tare_mode *m, tare_net *n, tare_value *x)
{
    return state_body(m, n, x, TARE_API_DIRECT);
}

static tare_value *state_block(tare_mode *m, tare_net *n, tare_value *x)
{
    return state_body(m, n, x, TARE_API_BLOCK);
}

static tare_value *state_hybrid(tare_mode *m, tare_net *n, tare_value *x)
{
    return state_body(m, n, x, TARE_API_HYBRID);
}

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
                                         .forward = {state_forward, state_block, state_hybrid}};

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
    if (rt->n_records[TARE_KIND_NET] == 0) {
        OK(tare_nets_register(rt));
        OK(tare_register(rt, TARE_KIND_NET, &state_type));
    }
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
    const char *path = scratch_path("net.safetensors");
    trained_open(&a);
    train_now(&a, forward_plain);
    OK(tare__weights_save(a.net, path));
    trained_keep(&a);
    trained_open(&b);
    OK(tare__weights_load(b.net, path));
    trained_keep(&b);
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_int_eq(memcmp(a.bytes, b.bytes, a.n), 0);
    ck_assert_int_eq(read_count(b.net->random_calls), RANDOM_NODES * STEPS);
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
    assert_error_has("dropout 'drop'", "need at least 0 and less than 1");
    ck_assert_int_eq(tare_dropout_layer_build(t.net, &l, "drop", NAN), TARE_BAD_ARGUMENT);
    trained_close(&t);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {draws_are_philox_bits,
                                  draws_have_the_rate_mean_and_variance,
                                  draws_repeat_with_their_key_and_differ_without,
                                  gradient_is_the_mask,
                                  what_is_dropped_is_zero,
                                  running_statistics_are_pytorchs,
                                  a_recomputation_leaves_the_statistics,
                                  no_gradient_passes_the_running_statistics,
                                  variance_far_from_zero,
                                  both_modes_agree_over_several_steps,
                                  a_captured_net_agrees_too,
                                  every_way_of_reaching_a_layer_agrees,
                                  inference_draws_nothing_and_tracks_nothing,
                                  a_checkpoint_holds_the_state,
                                  a_rate_outside_is_refused};
    Suite *suite = suite_create("state");
    TCase *all = tcase_create("state");
    tcase_add_checked_fixture(all, scratch_setup, scratch_teardown);
    tcase_add_checked_fixture(all, open_mode, close_mode);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; ++i)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
