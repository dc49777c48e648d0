/* saved.h - a net and a function saved to files, for the tests of saving and of loading what should not be loaded. */
#ifndef TARE_TESTS_SAVED_H
#define TARE_TESTS_SAVED_H

#include "../bench/arm/net_save.h"
#include "../graph/save.h"
#include "scratch.h"
#include "spine.h"

static inline tare_runtime *start(void)
{
    return spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static inline void save_net(const char *name, int64_t batch, const char *path)
{
    tare_runtime *rt = start();
    tare_net *net;
    must(tare_net_new(rt, name, 1, &net));
    must(tare__net_save(net, batch, path));
    tare_net_free(net);
    spine_end(rt);
}

/* The file's text, the caller's to free. */
static inline char *text_of(const char *path, size_t *n)
{
    const unsigned char *bytes = scratch_get(path, n);
    char *text = malloc(*n + 1);
    memcpy(text, bytes, *n);
    text[*n] = 0;
    return text;
}

typedef struct {
    tare_value *weight, *steps, *unread;
} parts;

static inline tare_value *whole(tare_runtime *rt, int64_t n)
{
    tare_desc d = tare_desc_of(TARE_I64, 0, NULL);
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_PARAMETER, &v));
    must(tare_value_write(v, &n, sizeof n));
    return v;
}

static inline parts parts_new(tare_runtime *rt)
{
    parts p = {spine_random(rt, 2, (const int64_t[]){4, 3}, 5), whole(rt, 40), spine_leaf(rt, 2, 6)};
    tare_value_want_gradient(p.weight, true);
    p.weight->name = "weight";
    p.steps->name = "steps";
    p.unread->name = "unread";
    return p;
}

static inline void parts_free(parts *p)
{
    tare_value_drop(p->weight);
    tare_value_drop(p->steps);
    tare_value_drop(p->unread);
}

/* Two inputs, three results, attributes, an optional input left out, an effect, a value that no result needs, another
 * program in training. */
static inline void function(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    const parts *p = owner;
    (void)n_in;
    m->scope_begin(m, "head");
    tare_value *h = tare_dense(m, in[0], p->weight, NULL);
    (void)tare_sigmoid(m, h);
    h = tare_tanh(m, h);
    if (m->training) {
        h = tare_dropout(m, h, p->steps, (tare_dropout_attr){.rate = 0.25, .seed = 3});
        (void)tare_increment(m, p->steps);
    }
    out[0] = tare_mul(m, h, in[1]);
    out[1] = tare_sum(m, out[0], (tare_sum_attr){.axes = {1, {1}}, .keep_dims = true});
    out[2] = tare_scale(m, h, (tare_scale_attr){.factor = 0.1});
    m->scope_end(m, out, n_out);
}

static inline tare_graph *capture(tare_runtime *rt, parts *p, bool training)
{
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    m->training = m->recording = training;
    tare_desc a = tare_desc_of(TARE_F32, 2, (const int64_t[]){2, 3}), b = tare_desc_of(TARE_F32, 2, (int64_t[]){1, 4});
    tare_value *in[] = {tare_graph_input(g, &a, "a"), tare_graph_input(g, &b, NULL)}, *out[3];
    function(p, m, in, 2, out, 3);
    for (int i = 0; i < 3; ++i)
        must(tare_graph_output(g, out[i]));
    if (training) { /* what comes after the first backward is no part of the forward program */
        must(m->backward(m, &out[1], NULL, 1, false));
        must(tare_graph_output(g, m->gradient(m, p->weight)));
    }
    return g;
}

static inline tare_status save_function(tare_runtime *rt, parts *p, const char *path)
{
    tare_graph *training = capture(rt, p, true), *inference = capture(rt, p, false);
    tare_save_options options = {.parameter = &p->unread, .n_parameters = 1};
    tare_status status = tare_graph_save(training, inference, &options, path);
    tare_graph_free(training);
    tare_graph_free(inference);
    return status;
}

static inline void save_a_function(const char *path)
{
    tare_runtime *rt = start();
    parts p = parts_new(rt);
    must(save_function(rt, &p, path));
    parts_free(&p);
    spine_end(rt);
}

/* main's body. Many small files are written and read: where there is a folder in memory, they need not wait for a
 * disk. */
static inline int saved_run(const char *name, const TTest *const *tests, size_t n_tests)
{
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return scratch_run(name, tests, n_tests);
}

#endif
