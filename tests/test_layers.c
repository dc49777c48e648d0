/* test_layers.c - layers that are composed or have rules of their own: an LSTM cell, clipping, pooling over NaN. */
#include "../nets/layer_image.h"
#include "../nets/layer_sequence.h"
#include "fixture.h"
#include "golden/state.h"

/* Same elements, NaN where NaN is wanted, and zeros of the same sign. */
static void same(const tare_value *v, const float *wanted, int n)
{
    float is[64];
    OK(tare_value_read(v, is, (size_t)n * sizeof *is));
    for (int i = 0; i < n; ++i)
        ck_assert_msg(isnan(wanted[i]) ? isnan(is[i]) : is[i] == wanted[i] && !signbit(is[i]) == !signbit(wanted[i]),
                      "%d: %g, not %g", i, (double)is[i], (double)wanted[i]);
}

/* ---- a net of a sequence: embedding, LSTM cell -------------------------------------------------------------------*/
enum { TIME = 3, BATCH = 2, INPUTS = 2, UNITS = 3, ENTRIES = TIME * BATCH };
typedef struct {
    tare_net net; /* first */
    tare_embedding_layer embedding;
    tare_lstm_cell cell;
    tare_block look_up; /* the embedding as an object */
} sequence_net;

static tare_status sequence_build(tare_net *n, const void *options)
{
    (void)options;
    sequence_net *s = (sequence_net *)n;
    tare_status status = tare_embedding_layer_build(n, &s->embedding, "embedding", ENTRIES, INPUTS);
    tare_embedding_layer_block(&s->embedding, &s->look_up);
    return status == TARE_OK ? tare_lstm_cell_build(n, &s->cell, "cell", INPUTS, UNITS) : status;
}

static const tare_net_type sequence_type = {
    .name = "sequence", .doc = "embedding, LSTM cell", .net_bytes = sizeof(sequence_net), .build = sequence_build};

/* The cell takes torch.nn.LSTMCell's weights; the embedding holds the inputs. */
static sequence_net *sequence_new(void)
{
    tare_net *n;
    if (!tare_find(rt, TARE_KIND_NET, "sequence"))
        OK(tare_register(rt, TARE_KIND_NET, &sequence_type));
    OK(tare_net_new(rt, "sequence", 1, &n));
    sequence_net *s = (sequence_net *)n;
    OK(tare_value_write(s->embedding.weight, golden_lstm_x, sizeof golden_lstm_x));
    OK(tare_value_write(s->cell.w_input, golden_lstm_weight_ih, sizeof golden_lstm_weight_ih));
    OK(tare_value_write(s->cell.w_hidden, golden_lstm_weight_hh, sizeof golden_lstm_weight_hh));
    OK(tare_value_write(s->cell.b_input, golden_lstm_bias_ih, sizeof golden_lstm_bias_ih));
    OK(tare_value_write(s->cell.b_hidden, golden_lstm_bias_hh, sizeof golden_lstm_bias_hh));
    return s;
}

/* Time step t reads the entries t BATCH, t BATCH + 1; h and c NULL: the cell's own zeros. */
static inline void sequence_run(tare_mode *m, sequence_net *s, tare_value *const *ids, tare_value **h, tare_value **c,
                                const tare_api api)
{
    m->scope_begin(m, NULL);
    for (int t = 0; t < TIME; ++t) {
        tare_value *x = tare_block_call(m, &s->look_up, tare_embedding_layer_direct, ids[t], api);
        tare_value *old_h = *h ? tare_move(*h) : NULL, *old_c = *c ? tare_move(*c) : NULL;
        tare_lstm_cell_forward(m, &s->cell, tare_move(x), &old_h, &old_c);
        *h = old_h;
        *c = old_c;
    }
    tare_value *kept[2] = {*h, *c};
    m->scope_end(m, kept, 2);
    *h = kept[0];
    *c = kept[1];
}

static void sequence_ids(tare_value *ids[TIME])
{
    const int64_t dim = BATCH;
    for (int32_t t = 0; t < TIME; ++t) {
        tare_desc d = tare_desc_of(TARE_I32, 1, &dim);
        OK(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &ids[t]));
        OK(tare_value_write(ids[t], (const int32_t[]){t * BATCH, t * BATCH + 1}, BATCH * sizeof(int32_t)));
    }
}

static const int64_t state_dim[] = {BATCH, UNITS};

START_TEST(lstm_cell_is_pytorchs)
{
    const float zeros[BATCH * UNITS] = {0};
    tare_value *ids[TIME];
    sequence_ids(ids);
    for (int given = 0; given < 2; ++given) {
        sequence_net *s = sequence_new();
        tare_value *head = value_of(TARE_F32, 2, state_dim, golden_lstm_head),
                   *zero = value_of(TARE_F32, 2, state_dim, zeros);
        tare_value *h = given ? zero : NULL, *c = h;
        now->recording = true;
        now->scope_begin(now, NULL);
        sequence_run(now, s, ids, &h, &c, TARE_API_DIRECT);
        near(h, golden_lstm_h, BATCH * UNITS);
        near(c, golden_lstm_c, BATCH * UNITS);
        OK(now->backward(now, &h, &head, 1, false));
        now->scope_end(now, NULL, 0);
        near(tare_value_gradient(s->cell.w_input), golden_lstm_weight_ih_grad, 4 * UNITS * INPUTS);
        near(tare_value_gradient(s->cell.w_hidden), golden_lstm_weight_hh_grad, 4 * UNITS * UNITS);
        near(tare_value_gradient(s->cell.b_input), golden_lstm_bias_ih_grad, 4 * UNITS);
        near(tare_value_gradient(s->cell.b_hidden), golden_lstm_bias_hh_grad, 4 * UNITS);
        near(tare_value_gradient(s->embedding.weight), golden_lstm_x_grad, TIME * BATCH * INPUTS);
        now->recording = false;
        tare_net_free(&s->net);
        tare_value_drop(head);
        tare_value_drop(zero);
    }
    for (int t = 0; t < TIME; ++t)
        tare_value_drop(ids[t]);
}
END_TEST

/* h, then every parameter's gradient, as bytes. */
typedef struct {
    float at[512];
    size_t n;
} bytes;

static void keep(bytes *b, const tare_value *v)
{
    size_t n = (size_t)tare_desc_count(&v->d);
    ck_assert_uint_le(b->n + n, sizeof b->at / sizeof *b->at);
    OK(tare_value_read(v, b->at + b->n, n * sizeof *b->at));
    b->n += n;
}

static void sequence_now(sequence_net *s, tare_value *const *ids, const tare_api api, bytes *b)
{
    tare_value *h = NULL, *c = NULL;
    now->recording = true;
    now->scope_begin(now, NULL);
    sequence_run(now, s, ids, &h, &c, api);
    keep(b, h);
    OK(now->backward(now, &h, NULL, 1, false));
    now->scope_end(now, NULL, 0);
    now->recording = false;
    for (int i = 0; i < s->net.n_parameters; ++i) {
        keep(b, tare_value_gradient(s->net.parameter[i].value));
        tare_value_clear_gradient(s->net.parameter[i].value);
    }
}

static void sequence_later(sequence_net *s, tare_value *const *ids, bytes *b)
{
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    tare_value *h = NULL, *c = NULL;
    OK(tare_graph_new(rt, &graph));
    tare_mode *m = tare_graph_mode(graph);
    m->recording = true;
    m->scope_begin(m, NULL);
    sequence_run(m, s, ids, &h, &c, TARE_API_DIRECT);
    (void)m->backward(m, &h, NULL, 1, false);
    OK(tare_graph_output(graph, h));
    for (int i = 0; i < s->net.n_parameters; ++i)
        OK(tare_graph_output(graph, m->gradient(m, s->net.parameter[i].value)));
    m->scope_end(m, NULL, 0);
    OK(tare_plan_new(graph, NULL, &plan));
    OK(tare_instance_new(plan, &run));
    OK(tare_instance_run(run));
    for (int k = 0; k <= s->net.n_parameters; ++k)
        keep(b, tare_instance_output(run, k));
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(graph);
}

START_TEST(a_sequence_agrees_in_both_modes)
{
    bytes later = {.n = 0};
    tare_value *ids[TIME];
    sequence_net *s = sequence_new();
    sequence_ids(ids);
    sequence_later(s, ids, &later);
    ck_assert_uint_gt(later.n, 100);
    for (int api = 0; api < TARE_API_COUNT; ++api) {
        bytes is = {.n = 0};
        sequence_now(s, ids, (tare_api)api, &is);
        ck_assert_uint_eq(is.n, later.n);
        ck_assert_int_eq(memcmp(is.at, later.at, is.n * sizeof *is.at), 0);
    }
    tare_net_free(&s->net);
    for (int t = 0; t < TIME; ++t)
        tare_value_drop(ids[t]);
}
END_TEST

/* ---- clipping -----------------------------------------------------------------------------------------------------*/
typedef struct {
    tare_net net; /* first */
    tare_value *a, *unused, *b;
} two_net;

static tare_status two_build(tare_net *n, const void *options)
{
    (void)options;
    two_net *t = (two_net *)n;
    tare_status status = tare_net_parameter(n, "two", "a", TARE_INIT_ZERO, 1, (const int64_t[]){6}, &t->a);
    if (status == TARE_OK)
        status = tare_net_parameter(n, "two", "unused", TARE_INIT_ONE, 1, (const int64_t[]){2}, &t->unused);
    if (status == TARE_OK)
        status = tare_net_parameter(n, "two", "b", TARE_INIT_ZERO, 1, (const int64_t[]){4}, &t->b);
    return status;
}

static const tare_net_type two_type = {
    .name = "two", .doc = "three parameters", .net_bytes = sizeof(two_net), .build = two_build};

/* Gradients are the golden ones: those of sum(a * golden_a) + sum(b * golden_b). */
static void two_backward(tare_mode *m, const two_net *t)
{
    tare_value *root[2] = {tare_scale(m, t->a, (tare_scale_attr){1}), tare_scale(m, t->b, (tare_scale_attr){1})};
    const int64_t n_a = 6, n_b = 4;
    tare_value *head[2] = {value_of(TARE_F32, 1, &n_a, golden_clip_a), value_of(TARE_F32, 1, &n_b, golden_clip_b)};
    OK(m->backward(m, root, head, 2, false));
    tare_value_drop(head[0]);
    tare_value_drop(head[1]);
}

static void negate(const float *x, int n, float *out)
{
    for (int i = 0; i < n; ++i)
        out[i] = -x[i];
}

/* One step of plain descent with a rate of 1 leaves the parameters, zero before, at minus the clipped gradients. */
static void clipped_step(tare_mode *m, const two_net *t, tare_optimizer *o)
{
    m->recording = true;
    m->scope_begin(m, NULL);
    two_backward(m, t);
    OK(tare_optimizer_step(o, m));
    m->scope_end(m, NULL, 0);
    m->recording = false;
}

static two_net *two_new(const char *optimizer, tare_optimizer **o)
{
    tare_net *n;
    if (!tare_find(rt, TARE_KIND_NET, "two"))
        OK(tare_register(rt, TARE_KIND_NET, &two_type));
    OK(tare_net_new(rt, "two", 1, &n));
    OK(tare_optimizer_new(n, optimizer, o));
    return (two_net *)n;
}

static void two_free(two_net *t, tare_optimizer *o)
{
    tare_optimizer_free(o);
    tare_net_free(&t->net);
}

START_TEST(clipping_is_pytorchs)
{
    float a[6], b[4];
    tare_optimizer *o;
    two_net *t = two_new("sgd:lr=1,momentum=0,clip=1.5", &o);
    clipped_step(now, t, o);
    negate(golden_clipped_a, 6, a);
    negate(golden_clipped_b, 4, b);
    near(t->a, a, 6);
    near(t->b, b, 4);
    near(tare_value_gradient(t->a), golden_clip_a, 6); /* the gradient itself stays */
    two_free(t, o);
}
END_TEST

START_TEST(a_large_limit_clips_nothing)
{
    float a[6];
    tare_optimizer *o;
    two_net *t = two_new("sgd:lr=1,momentum=0,clip=1000", &o);
    clipped_step(now, t, o);
    negate(golden_clip_a, 6, a);
    same(t->a, a, 6); /* times 1: bit for bit */
    two_free(t, o);
}
END_TEST

/* The limit is a value: written between two replays it holds for the second. */
START_TEST(the_limit_of_a_captured_step_can_change)
{
    const float zeros[6] = {0}, limit = 1000;
    float a[6], b[4];
    tare_optimizer *o;
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    two_net *t = two_new("sgd:lr=1,momentum=0,clip=1.5", &o);
    OK(tare_graph_new(rt, &graph));
    clipped_step(tare_graph_mode(graph), t, o);
    OK(tare_plan_new(graph, NULL, &plan));
    OK(tare_instance_new(plan, &run));
    OK(tare_instance_run(run));
    negate(golden_clipped_a, 6, a);
    negate(golden_clipped_b, 4, b);
    near(t->a, a, 6);
    near(t->b, b, 4);
    OK(tare_value_write(t->a, zeros, sizeof zeros));
    OK(tare_value_write(o->clip, &limit, sizeof limit));
    OK(tare_instance_run(run));
    negate(golden_clip_a, 6, a);
    same(t->a, a, 6);
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(graph);
    two_free(t, o);
}
END_TEST

START_TEST(clipping_of_nothing)
{
    tare_optimizer *o;
    two_net *t = two_new("adam:clip=1", &o);
    ck_assert_ptr_null(tare_clip_global_norm(now, &t->net, o->clip));
    OK(tare_optimizer_step(o, now));
    two_free(t, o);
    t = two_new("adam", &o);
    ck_assert_ptr_null(o->clip);
    two_free(t, o);
}
END_TEST

/* ---- pooling over what JSON cannot hold ---------------------------------------------------------------------------*/
static void check_pool(tare_max_pool2d_attr attr, const float *y, const int32_t *index, int n)
{
    const int64_t dim[] = {1, 1, 4, 8};
    tare_pool_layer l = {.path = "pool", .kind = TARE_POOL_MAX};
    memcpy(&l.attr, &attr, sizeof attr);
    tare_block b;
    tare_pool_layer_block(&l, &b);
    tare_value *x = value_of(TARE_F32, 4, dim, golden_pool_x);
    now->scope_begin(now, NULL);
    same(tare_pool_layer_forward(now, &l, x), y, n);
    tare_value_want_gradient(x, true);
    now->recording = true;
    same(tare_block_call(now, &b, tare_pool_layer_direct, x, TARE_API_HYBRID), y, n);
    const tare_node *node = &now->program->node[now->program->n - 1];
    int32_t is[64];
    OK(tare_value_read(node->operand[2], is, (size_t)n * sizeof *is));
    for (int i = 0; i < n; ++i)
        ck_assert_msg(is[i] == index[i], "window %d: %d, not %d", i, is[i], index[i]);
    now->recording = false;
    now->scope_end(now, NULL, 0);
    tare_value_drop(x);
}

static void check_pools(void)
{
    check_pool((tare_max_pool2d_attr){.kernel_h = 2, .kernel_w = 2}, golden_pool_y, golden_pool_index, 8);
    check_pool((tare_max_pool2d_attr){3, 3, 1, 1, 1, 1, false}, golden_pool_wide_y, golden_pool_wide_index, 32);
}

START_TEST(pooling_of_nan_and_infinities)
{
    check_pools();
}
END_TEST

START_TEST(pooling_of_nan_on_other_kernels)
{
    for (int k = 0; k < 3; ++k) {
        close_mode();
        tare_options options = {.kernels = k == 2 ? TARE_KERNELS_REFERENCE : TARE_KERNELS_NATIVE,
                                .isa_limit = k == 0 ? TARE_ISA_PORTABLE : TARE_ISA_AVX2};
        open_mode_with(&options);
        check_pools();
    }
}
END_TEST

FIXTURE_MAIN("layers", lstm_cell_is_pytorchs, a_sequence_agrees_in_both_modes, clipping_is_pytorchs,
             a_large_limit_clips_nothing, clipping_of_nothing, the_limit_of_a_captured_step_can_change,
             pooling_of_nan_and_infinities, pooling_of_nan_on_other_kernels)
