/* test_optimizers.c - optimizers over several steps and schedules against torch.optim; initialisers against what their
 * definitions ask. tests/golden/make_optimizers.py makes the values. */
#include <jansson.h>
#include <math.h>

#include "../core/random.h"
#include "spine.h"

static json_t *golden;
static tare_runtime *rt;

static void open_all(void)
{
    json_error_t error;
    golden = json_load_file("tests/golden/optimizers.json", 0, &error);
    ck_assert_msg(golden != NULL, "%s", error.text);
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void close_all(void)
{
    json_decref(golden);
    spine_end(rt);
}

/* ---- a net of one parameter, its option the shape
 * ------------------------------------------------------------------*/
typedef struct {
    tare_ints shape;
} one_options;

static tare_status one_build(tare_net *n, const void *options)
{
    const tare_ints *shape = &((const one_options *)options)->shape;
    tare_value *w;
    return tare_net_parameter(n, NULL, "w", TARE_INIT_WEIGHT, shape->n, shape->at, &w);
}

static const tare_attr one_attrs[] = {{"shape", TARE_ATTR_INTS, 0, 1, 4096, "3-7", "of its parameter"}};
static const tare_net_type one_type = {.name = "one",
                                       .doc = "one parameter",
                                       .options = one_attrs,
                                       .n_options = 1,
                                       .option_bytes = sizeof(one_options),
                                       .net_bytes = sizeof(tare_net),
                                       .build = one_build};

static tare_net *one_new(const char *text, uint64_t seed)
{
    tare_net *n;
    if (!tare_find(rt, TARE_KIND_NET, "one"))
        must(tare_register(rt, TARE_KIND_NET, &one_type));
    must(tare_net_new(rt, text, seed, &n));
    return n;
}

/* ---- against torch.optim ------------------------------------------------------------------------------------------*/
enum { N = 21 };

static void floats_of(const json_t *array, float out[N])
{
    ck_assert_uint_eq(json_array_size(array), N);
    for (size_t i = 0; i < N; ++i)
        out[i] = (float)json_number_value(json_array_get(array, i));
}

static void expect_near(const tare_value *v, const json_t *wanted, const char *text, size_t step)
{
    float *is = spine_bytes(v), w[N];
    floats_of(wanted, w);
    for (int i = 0; i < N; ++i)
        ck_assert_msg(fabsf(is[i] - w[i]) <= 2e-6f * (1 + fabsf(w[i])), "%s, step %zu, element %d: %.9g, not %.9g",
                      text, step, i, (double)is[i], (double)w[i]);
    free(is);
}

static void set_gradient(tare_value *w, const json_t *numbers)
{
    float g[N];
    tare_value *v;
    floats_of(numbers, g);
    must(tare_value_new(rt, &w->d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, g, sizeof g));
    tare_value_clear_gradient(w);
    w->gradient = v; /* where a backward would have left it */
}

START_TEST(optimizers_are_pytorchs)
{
    int runs = 0;
    tare_mode *m = spine_mode(rt, false);
    for (size_t c = 0; c < json_array_size(golden); ++c) {
        const json_t *run = json_array_get(golden, c), *gradients = json_object_get(run, "gradients");
        const char *text = json_string_value(json_object_get(run, "text"));
        if (!gradients)
            continue;
        float start[N];
        tare_optimizer *o;
        tare_net *net = one_new("one", 1);
        tare_value *w = net->parameter[0].value;
        floats_of(json_object_get(run, "start"), start);
        must(tare_value_write(w, start, sizeof start));
        must(tare_optimizer_new(net, text, &o));
        for (size_t step = 0; step < json_array_size(gradients); ++step) {
            set_gradient(w, json_array_get(gradients, step));
            must(tare_optimizer_advance(o));
            m->scope_begin(m, NULL);
            must(tare_optimizer_step(o, m));
            m->scope_end(m, NULL, 0);
            expect_near(w, json_array_get(json_object_get(run, "after"), step), text, step);
        }
        ck_assert_int_eq(o->n_steps, (int64_t)json_array_size(gradients));
        tare_optimizer_free(o);
        tare_net_free(net);
        ++runs;
    }
    tare_imperative_free(m);
    ck_assert_int_ge(runs, 11);
}
END_TEST

START_TEST(schedules_are_pytorchs)
{
    int schedules = 0;
    tare_net *net = one_new("one", 1);
    for (size_t c = 0; c < json_array_size(golden); ++c) {
        const json_t *run = json_array_get(golden, c), *rates = json_object_get(run, "rates");
        const char *text = json_string_value(json_object_get(run, "text"));
        tare_optimizer *o;
        if (!rates)
            continue;
        must(tare_optimizer_new(net, text, &o));
        ck_assert_int_eq(tare_optimizer_scheduled(o), strstr(text, "schedule") != NULL);
        for (size_t t = 0; t < json_array_size(rates); ++t) {
            double wanted = json_number_value(json_array_get(rates, t)), is = tare_optimizer_rate(o, (int64_t)t);
            ck_assert_msg(fabs(is - wanted) <= 1e-12, "%s, step %zu: %.17g, not %.17g", text, t, is, wanted);
            must(tare_optimizer_advance(o));
            ck_assert_float_eq(spine_first(o->learning_rate), (float)is);
        }
        tare_optimizer_free(o);
        ++schedules;
    }
    tare_net_free(net);
    ck_assert_int_eq(schedules, 7);
}
END_TEST

/* Without a schedule the rate is the caller's to write, and stays. */
START_TEST(a_rate_that_was_written_stays_without_a_schedule)
{
    const float rate = 0.125f;
    tare_net *net = one_new("one", 1);
    tare_optimizer *o;
    must(tare_optimizer_new(net, "sgd", &o));
    must(tare_value_write(o->learning_rate, &rate, sizeof rate));
    must(tare_optimizer_advance(o));
    ck_assert_float_eq(spine_first(o->learning_rate), rate);
    tare_optimizer_free(o);
    tare_net_free(net);
}
END_TEST

/* ---- initialisers -------------------------------------------------------------------------------------------------*/
typedef struct {
    double low, high, mean, deviation;
} moments;

static moments moments_of(const float *x, int64_t n)
{
    moments m = {INFINITY, -INFINITY, 0, 0};
    for (int64_t i = 0; i < n; ++i) {
        m.low = fmin(m.low, (double)x[i]);
        m.high = fmax(m.high, (double)x[i]);
        m.mean += (double)x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i)
        m.deviation += ((double)x[i] - m.mean) * ((double)x[i] - m.mean) / (double)n;
    m.deviation = sqrt(m.deviation);
    return m;
}

/* [64,32,3,3]: fan_in 288, fan_out 576, 18432 elements. bound 0: normal of that deviation. */
static void expect_moments(const char *text, double bound, double deviation)
{
    char name[128];
    (void)snprintf(name, sizeof name, "one:shape=64-32-3-3%s", text);
    tare_net *net = one_new(name, 5);
    float *x = spine_bytes(net->parameter[0].value);
    moments m = moments_of(x, 64 * 32 * 9);
    free(x);
    tare_net_free(net);
    double error = 4 * deviation / sqrt(64 * 32 * 9);
    ck_assert_msg(fabs(m.mean) <= error && fabs(m.deviation - deviation) <= error, "%s: mean %g, deviation %g", text,
                  m.mean, m.deviation);
    if (bound > 0)
        ck_assert_msg(m.low >= -bound && m.high <= bound && m.high > 0.99 * bound && m.low < -0.99 * bound,
                      "%s: from %g to %g", text, m.low, m.high);
    else
        ck_assert_msg(m.high > 3 * deviation && m.low < -3 * deviation, "%s: from %g to %g", text, m.low, m.high);
}

START_TEST(draws_have_the_moments_of_their_definition)
{
    const double root_3 = sqrt(3.0), xavier = sqrt(6.0 / 864), he = sqrt(6.0 / 288);
    expect_moments("", xavier, xavier / root_3);
    expect_moments(",init=xavier_uniform,init_scale=2", 2 * xavier, 2 * xavier / root_3);
    expect_moments(",init=xavier_normal", 0, sqrt(2.0 / 864));
    expect_moments(",init=he_uniform", he, he / root_3);
    expect_moments(",init=he_normal", 0, sqrt(2.0 / 288));
    expect_moments(",init=normal", 0, 0.01);
    expect_moments(",init=normal,init_scale=0.5", 0, 0.5);
    expect_moments(",init=uniform", 0.07, 0.07 / root_3);
}
END_TEST

START_TEST(a_constant_is_itself_and_labels_say_how_weights_began)
{
    tare_net *net = one_new("one:init=constant,init_scale=-0.25,shape=2-2", 5);
    ck_assert_str_eq(net->label, "one:shape=2-2,init=constant,init_scale=-0.25");
    float *x = spine_bytes(net->parameter[0].value);
    for (int i = 0; i < 4; ++i)
        ck_assert_float_eq(x[i], -0.25f);
    free(x);
    tare_net_free(net);
    net = one_new("one:shape=2-2,init=xavier_uniform", 5);
    ck_assert_str_eq(net->label, "one:shape=2-2");
    tare_net_free(net);
    must(tare_net_new(rt, "mlp_mnist:init=orthogonal", 1, &net));
    ck_assert_str_eq(net->label, "mlp_mnist:init=orthogonal");
    tare_net_free(net);
}
END_TEST

/* Rows of q, or its columns where they are fewer, are orthonormal; with the draws a (their matrix [longer, shorter]) qᵀ
 * a is a triangle with a positive diagonal: then q is the one factor that there is. */
static void expect_orthogonal(const char *text, int64_t rows, int64_t columns, double scale)
{
    tare_net *net = one_new(text, 9);
    const int64_t n = rows * columns, shorter = rows < columns ? rows : columns, longer = n / shorter;
    float *q = spine_bytes(net->parameter[0].value), *a = malloc((size_t)n * sizeof *a);
    tare_random_normal(a, n, 9, 0, 0, 1);
#define Q(k, i) ((double)(rows < columns ? q[(i)*columns + (k)] : q[(k)*columns + (i)]) / scale)
    for (int64_t i = 0; i < shorter; ++i)
        for (int64_t j = 0; j < shorter; ++j) {
            double product = 0, triangle = 0;
            for (int64_t k = 0; k < longer; ++k) {
                product += Q(k, i) * Q(k, j);
                triangle += Q(k, i) * (double)a[k * shorter + j];
            }
            ck_assert_msg(fabs(product - (i == j)) < 1e-6, "%s: %g at %d, %d", text, product, (int)i, (int)j);
            ck_assert_msg(i == j ? triangle > 0.01 : i < j || fabs(triangle) < 1e-5, "%s: factor %g at %d, %d", text,
                          triangle, (int)i, (int)j);
        }
#undef Q
    free(a);
    free(q);
    tare_net_free(net);
}

START_TEST(orthogonal_weights_are_the_factor_of_their_draws)
{
    expect_orthogonal("one:shape=40-40,init=orthogonal", 40, 40, 1);
    expect_orthogonal("one:shape=50-20,init=orthogonal", 50, 20, 1);
    expect_orthogonal("one:shape=20-50,init=orthogonal,init_scale=1.5", 20, 50, 1.5);
    expect_orthogonal("one:shape=8-3-2-2,init=orthogonal", 8, 12, 1);
    expect_orthogonal("one:shape=1-1,init=orthogonal", 1, 1, 1);
}
END_TEST

/* What is lost is found when the runtime is freed. */
START_TEST(without_memory_there_is_no_net_and_nothing_is_lost)
{
    for (int64_t k = 1;; ++k) {
        tare_net *net = NULL;
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = tare_net_new(rt, "mlp_mnist:init=orthogonal", 1, &net);
        bool done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        if (done) {
            must(status);
            tare_net_free(net);
            break;
        }
        ck_assert_int_eq(status, TARE_NO_MEMORY);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("optimizers");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, optimizers_are_pytorchs);
    tcase_add_test(tests, schedules_are_pytorchs);
    tcase_add_test(tests, a_rate_that_was_written_stays_without_a_schedule);
    tcase_add_test(tests, draws_have_the_moments_of_their_definition);
    tcase_add_test(tests, a_constant_is_itself_and_labels_say_how_weights_began);
    tcase_add_test(tests, orthogonal_weights_are_the_factor_of_their_draws);
    tcase_add_test(tests, without_memory_there_is_no_net_and_nothing_is_lost);
    return spine_run("optimizers", &tests, 1);
}
