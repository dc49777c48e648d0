/* test_golden_nets.c - every image net against PyTorch in float64: loss, outputs, every parameter's gradient, running
 * statistics.
 *
 * tests/golden/nets.json has of each result its norm and its product with numbers of a formula; parameters, state and
 * images are of the same formula (tests/golden/make_nets.py). Either may be off by FORWARD as a share of the norm, a
 * gradient's by a few times what PyTorch's own float32 is off. A layer in the wrong place is off by tens of percent. */
#include <jansson.h>

#include "formula.h"
#include "spine.h"

static const double FORWARD = 1e-4, LEAST = 2e-5, TIMES = 4;
static json_t *cases;
static char where[160];

static void fill(tare_value *v, const char *name, double scale, double shift)
{
    const int64_t n = tare_desc_count(&v->d);
    const uint32_t seed = formula_seed(name);
    float *data = malloc((size_t)n * sizeof *data + 1);
    for (int64_t i = 0; i < n; ++i)
        data[i] = (float)(formula_number(seed, i) * scale + shift);
    must(tare_value_write(v, data, (size_t)n * sizeof *data));
    free(data);
}

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* As the script: a convolution in front of a batch norm has no bias and starts smaller. */
static void fill_parameters(const tare_net *net)
{
    for (int i = 0; i < net->n_parameters; ++i) {
        const tare_parameter *p = &net->parameter[i];
        const tare_desc *d = &p->value->d;
        bool biased = i + 1 < net->n_parameters && ends(net->parameter[i + 1].name, "bias");
        if (ends(p->name, "bias"))
            fill(p->value, p->name, 0.1, 0);
        else if (d->rank == 1)
            fill(p->value, p->name, 0.4, 1);
        else
            fill(p->value, p->name, 2 * sqrt((biased ? 6 : 2) / ((double)tare_desc_count(d) / (double)d->dim[0])), 0);
    }
    for (int i = 0; i < net->n_states; ++i)
        if (ends(net->state[i].name, "running_mean"))
            fill(net->state[i].value, net->state[i].name, 0.2, 0);
        else if (ends(net->state[i].name, "running_var"))
            fill(net->state[i].value, net->state[i].name, 0.5, 1);
}

/* The digest of v against that of the file. */
static void compare(const tare_value *v, const json_t *wanted, const char *what, double tolerance)
{
    ck_assert_msg(v && json_array_size(wanted) == 2, "%s: no %s", where, what);
    const formula_digest other = {json_number_value(json_array_get(wanted, 0)),
                                  json_number_value(json_array_get(wanted, 1))};
    void *data = spine_bytes(v);
    const formula_digest is = formula_digest_of(data, (tare_dtype)v->d.dtype, tare_desc_count(&v->d));
    free(data);
    ck_assert_msg(formula_error(is, other) <= tolerance, "%s: %s has norm and product %.9g %.9g, not %.9g %.9g", where,
                  what, is.norm, is.product, other.norm, other.product);
}

static void compare_all(const tare_net *net, tare_mode *m, const json_t *wanted)
{
    const json_t *gradients = json_object_get(wanted, "gradient"), *state = json_object_get(wanted, "state");
    const double tolerance = fmax(LEAST, TIMES * json_number_value(json_object_get(wanted, "float32")));
    ck_assert_msg((int)json_object_size(gradients) == net->n_parameters, "%s: %d parameters", where, net->n_parameters);
    for (int i = 0; i < net->n_parameters; ++i)
        compare(m->gradient(m, net->parameter[i].value), json_object_get(gradients, net->parameter[i].name),
                net->parameter[i].name, tolerance);
    for (int i = 0; i < net->n_states && json_object_size(state); ++i)
        compare(net->state[i].value, json_object_get(state, net->state[i].name), net->state[i].name, FORWARD);
}

START_TEST(every_net_is_what_pytorch_computes)
{
    const json_t *wanted = json_array_get(cases, (size_t)_i);
    const int64_t batch = json_integer_value(json_object_get(wanted, "batch"));
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_net *net;
    must(tare_net_new(rt, json_string_value(json_object_get(wanted, "net")), 1, &net));
    (void)snprintf(where, sizeof where, "%s%s", net->label,
                   json_is_true(json_object_get(wanted, "training")) ? " in training" : "");
    fill_parameters(net);
    tare_desc dx = tare_net_input(net, batch), dt = tare_net_target(net, TARE_LOSS_SOFTMAX_CE, batch);
    tare_value *x, *target;
    must(tare_value_new(rt, &dx, TARE_MEMORY_INPUT, &x));
    must(tare_value_new(rt, &dt, TARE_MEMORY_INPUT, &target));
    fill(x, "x", 1, 0);
    int32_t label[8];
    ck_assert_int_le(batch, 8);
    tare_desc sample;
    net->type->output(net->options, &sample);
    for (int32_t i = 0; i < (int32_t)batch; ++i)
        label[i] = i * 7 % (int32_t)sample.dim[0];
    must(tare_value_write(target, label, (size_t)batch * sizeof *label));
    tare_mode *m = spine_mode(rt, true);
    m->training = json_is_true(json_object_get(wanted, "training"));
    m->scope_begin(m, NULL);
    tare_value *y = tare_net_forward(m, net, x);
    tare_value *loss = tare_net_loss(m, TARE_LOSS_SOFTMAX_CE, y, target);
    must(m->backward(m, &loss, NULL, 1, false));
    const double loss_wanted = json_number_value(json_object_get(wanted, "loss"));
    ck_assert_msg(fabs((double)spine_first(loss) / loss_wanted - 1) <= FORWARD, "%s: loss %.9g, not %.9g", where,
                  (double)spine_first(loss), loss_wanted);
    compare(y, json_object_get(json_object_get(wanted, "output"), "y"), "the output", FORWARD);
    compare_all(net, m, wanted);
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
    tare_value_drop(target);
    tare_net_free(net);
    spine_end(rt);
}
END_TEST

int main(void)
{
    cases = json_load_file("tests/golden/nets.json", 0, NULL);
    if (!cases)
        return EXIT_FAILURE;
    TCase *tests = tcase_create("golden nets");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, every_net_is_what_pytorch_computes, 0, (int)json_array_size(cases));
    int failed = spine_run("golden nets", &tests, 1);
    json_decref(cases);
    return failed;
}
