/* test_save.c - nets and functions saved and loaded: the same bits in every rung, at any batch; hostile, cut and
 * changed files are refused with file, place and reason; whatever fails, nothing is lost and no half file appears. */
#include <sys/stat.h>

#include "../bench/digest.h"
#include "../bench/net_save.h"
#include "../core/capture.h"
#include "../graph/save.h"
#include "scratch.h"
#include "spine.h"

static tare_runtime *start(void)
{
    return spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void save_net(const char *name, int64_t batch, const char *path)
{
    tare_runtime *rt = start();
    tare_net *net;
    must(tare_net_new(rt, name, 1, &net));
    must(tare__net_save(net, batch, path));
    tare_net_free(net);
    spine_end(rt);
}

/* The file's text, the caller's to free. */
static char *text_of(const char *path, size_t *n)
{
    const unsigned char *bytes = scratch_get(path, n);
    char *text = malloc(*n + 1);
    memcpy(text, bytes, *n);
    text[*n] = 0;
    return text;
}

/* ---- nets
 * ------------------------------------------------------------------------------------------------------------*/
static void assert_same_digests(const char *name, const char *path, int64_t batch)
{
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        tare__digest digest[2];
        tare__setting setting = tare__setting_of(rung, true);
        for (int from_file = 0; from_file < 2; ++from_file) {
            tare__task task = {.net = from_file ? path : name,
                               .batch = batch,
                               .optimizer = "sgd:lr=0.05",
                               .training_loss = true,
                               .seed = 1};
            must(tare__digest_run(&task, &setting, 3, NULL, NULL, &digest[from_file]));
        }
        const char *what;
        ck_assert_msg(tare__digest_equal(&digest[0], &digest[1], &what), "%s, %s, batch %lld: other %s", name,
                      rung->name, (long long)batch, what);
        ck_assert_ptr_null(digest[1].parameters.why);
    }
}

/* Every net of the catalogue, saved at one batch, trained in every rung at its own and at a third. */
START_TEST(every_net_in_every_rung)
{
    tare_runtime *rt = start();
    const char *path = scratch_path("net.json");
    ck_assert_int_gt(rt->n_records[TARE_KIND_NET], 2);
    for (int i = 0; i < rt->n_records[TARE_KIND_NET]; ++i) {
        const char *name = rt->record[TARE_KIND_NET][i]->name;
        save_net(name, 5, path);
        assert_same_digests(name, path, 0);
        assert_same_digests(name, path, 3);
    }
    spine_end(rt);
}
END_TEST

START_TEST(a_file_net_is_its_net)
{
    const char *path = scratch_path("m.json");
    save_net("mlp_mnist", 2, path);
    tare_runtime *rt = start();
    tare_net *a, *b;
    must(tare_net_new(rt, "mlp_mnist", 1, &a));
    must(tare_net_new(rt, path, 7, &b));
    ck_assert_str_eq(b->label, path);
    ck_assert_str_eq(b->type->doc, "mlp_mnist");
    ck_assert_int_eq(a->type->default_batch, b->type->default_batch);
    ck_assert_int_eq(a->type->training_loss, b->type->training_loss);
    ck_assert_int_eq(a->type->bench_loss, b->type->bench_loss);
    tare_desc in[2] = {tare_net_input(a, 3), tare_net_input(b, 3)}, to[2];
    to[0] = tare_net_target(a, TARE_LOSS_L2, 3);
    to[1] = tare_net_target(b, TARE_LOSS_L2, 3);
    ck_assert(tare_desc_same_shape(&in[0], &in[1]) && tare_desc_same_shape(&to[0], &to[1]));
    ck_assert_int_eq(a->n_parameters, b->n_parameters);
    for (int i = 0; i < a->n_parameters; ++i) {
        ck_assert_str_eq(a->parameter[i].name, b->parameter[i].name);
        ck_assert(b->parameter[i].value->wants_gradient);
        ck_assert(spine_same(a->parameter[i].value, b->parameter[i].value));
    }
    tare_net_free(a);
    tare_net_free(b);
    spine_end(rt);
}
END_TEST

/* A step's highest bytes of results: the replay gives up what is read for the last time, as layers do. */
static int64_t peak_of(const char *name, bool recording)
{
    tare_runtime *rt = start();
    tare_net *net;
    must(tare_net_new(rt, name, 1, &net));
    tare_mode *m = spine_mode(rt, recording);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){32, 16}, 1);
    m->scope_begin(m, NULL);
    tare_value *y = net->type->forward(m, net, x);
    if (recording)
        must(m->backward(m, &y, NULL, 1, false));
    m->scope_end(m, NULL, 0);
    must(m->error);
    int64_t peak = rt->work_bytes_peak;
    for (int i = 0; i < net->n_parameters; ++i)
        tare_value_clear_gradient(net->parameter[i].value);
    tare_value_drop(x);
    tare_imperative_free(m);
    tare_net_free(net);
    spine_end(rt);
    return peak;
}

START_TEST(a_replay_holds_no_more_than_the_net)
{
    const char *path = scratch_path("chain.json");
    save_net("chain", 1, path);
    for (int recording = 0; recording < 2; ++recording)
        ck_assert_int_le(peak_of(path, recording), peak_of("chain", recording));
}
END_TEST

/* ---- functions
 * -------------------------------------------------------------------------------------------------------*/
typedef struct {
    tare_value *weight, *steps, *unread;
} parts;

static tare_value *whole(tare_runtime *rt, int64_t n)
{
    tare_desc d = tare_desc_of(TARE_I64, 0, NULL);
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_PARAMETER, &v));
    must(tare_value_write(v, &n, sizeof n));
    return v;
}

static parts parts_new(tare_runtime *rt)
{
    parts p = {spine_random(rt, 2, (const int64_t[]){4, 3}, 5), whole(rt, 40), spine_leaf(rt, 2, 6)};
    tare_value_want_gradient(p.weight, true);
    p.weight->name = "weight";
    p.steps->name = "steps";
    p.unread->name = "unread";
    return p;
}

static void parts_free(parts *p)
{
    tare_value_drop(p->weight);
    tare_value_drop(p->steps);
    tare_value_drop(p->unread);
}

/* Two inputs, three results, attributes, an optional input left out, an effect, a value that no result needs, another
 * program in training. */
static void function(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    const parts *p = owner;
    (void)n_in;
    m->scope_begin(m, "head");
    tare_value *h = tare_dense(m, in[0], p->weight, NULL);
    (void)tare_increment(m, p->steps);
    (void)tare_sigmoid(m, h);
    h = m->training ? tare_tanh(m, h) : tare_relu(m, h);
    out[0] = tare_mul(m, h, in[1]);
    out[1] = tare_sum(m, out[0], (tare_sum_attr){.axes = {1, {1}}, .keep_dims = true});
    out[2] = tare_scale(m, h, (tare_scale_attr){.factor = 0.1});
    m->scope_end(m, out, n_out);
}

static tare_graph *capture(tare_runtime *rt, parts *p, bool training)
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

static tare_status save_function(tare_runtime *rt, parts *p, const char *path)
{
    tare_graph *training = capture(rt, p, true), *inference = capture(rt, p, false);
    tare_save_options options = {.parameter = &p->unread, .n_parameters = 1};
    tare_status status = tare_graph_save(training, inference, &options, path);
    tare_graph_free(training);
    tare_graph_free(inference);
    return status;
}

static void save_a_function(const char *path)
{
    tare_runtime *rt = start();
    parts p = parts_new(rt);
    must(save_function(rt, &p, path));
    parts_free(&p);
    spine_end(rt);
}

typedef struct {
    tare_value *out[3], *gradient;
} answers;

/* Runs it once with a gradient, in the imperative mode or as a captured operator in it. */
static answers run_function(tare_runtime *rt, tare_function *f, void *owner, tare_value *weight, bool training,
                            bool captured, int64_t rows)
{
    const tare_capture_service *service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    tare_captured *c = NULL;
    tare_mode *m = spine_mode(rt, true);
    tare_value *in[] = {spine_random(rt, 2, (const int64_t[]){rows, 3}, 8), spine_random(rt, 2, (int64_t[]){1, 4}, 9)};
    answers a;
    m->training = training;
    m->scope_begin(m, NULL);
    if (captured) {
        must(service->make(rt, f, owner, 3, NULL, &c));
        must(service->apply(c, m, in, 2, a.out));
    } else {
        f(owner, m, in, 2, a.out, 3);
    }
    tare_value_clear_gradient(weight);
    must(m->backward(m, a.out, NULL, 3, false));
    m->scope_end(m, a.out, 3);
    must(m->error);
    a.gradient = tare_value_share(tare_value_gradient(weight));
    tare_value_clear_gradient(weight);
    tare_value_drop(in[0]);
    tare_value_drop(in[1]);
    tare_imperative_free(m);
    if (c)
        service->free(c);
    return a;
}

static void assert_same_answers(answers *a, answers *b)
{
    ck_assert(spine_same(a->gradient, b->gradient));
    for (int i = 0; i < 3; ++i) {
        ck_assert(spine_same(a->out[i], b->out[i]));
        tare_value_drop(a->out[i]);
        tare_value_drop(b->out[i]);
    }
    tare_value_drop(a->gradient);
    tare_value_drop(b->gradient);
}

static int64_t integer_of(const tare_value *v)
{
    int64_t n;
    must(tare_value_read(v, &n, sizeof n));
    return n;
}

START_TEST(a_function_in_training_and_inference)
{
    const char *path = scratch_path("f.json");
    save_a_function(path);
    tare_runtime *rt = start();
    parts p = parts_new(rt);
    tare_saved *s;
    must(tare_saved_read(rt, path, &s));
    ck_assert_int_eq(s->n_parameters, 3);
    ck_assert_str_eq(s->parameter[0]->name, "unread");
    ck_assert_str_eq(s->parameter[1]->name, "weight");
    ck_assert_str_eq(s->parameter[2]->name, "steps");
    ck_assert(s->parameter[1]->wants_gradient && !s->parameter[2]->wants_gradient);
    ck_assert_str_eq(s->input_name[0], "a");
    ck_assert_ptr_null(s->input_name[1]);
    ck_assert_ptr_null(s->net);
    ck_assert_ptr_ne(s->program[0], s->program[1]);
    for (int training = 0; training < 2; ++training) {
        ck_assert_int_eq(s->program[training]->n_nodes, 6); /* no sigmoid, no gradient; the count is an effect */
        ck_assert_int_eq(s->program[training]->n_results, 3);
        for (int captured = 0; captured < 2; ++captured) {
            for (int64_t rows = 2; rows < 8; rows += 5) {
                answers a = run_function(rt, function, &p, p.weight, training, captured, rows);
                answers b = run_function(rt, tare_saved_forward, s, s->parameter[1], training, captured, rows);
                assert_same_answers(&a, &b);
            }
        }
    }
    ck_assert_int_eq(integer_of(s->parameter[2]), integer_of(p.steps));
    ck_assert_int_eq(integer_of(s->parameter[2]), 48);
    tare_saved_free(s);
    parts_free(&p);
    spine_end(rt);
}
END_TEST

/* What was read is written again to the last byte. */
START_TEST(written_again_it_is_the_same_file)
{
    const char *path[] = {scratch_path("f.json"), scratch_path("net.json"), scratch_path("again.json")};
    const char *weights[] = {scratch_path("f.safetensors"), scratch_path("net.safetensors"),
                             scratch_path("again.safetensors")};
    save_a_function(path[0]);
    save_net("chain:depth=3,width=5", 4, path[1]);
    tare_runtime *rt = start();
    for (int i = 0; i < 2; ++i) {
        tare_saved *s;
        must(tare_saved_read(rt, path[i], &s));
        must(tare_saved_write(s, path[2]));
        tare_saved_free(s);
        for (int of_weights = 0; of_weights < 2; ++of_weights) {
            size_t n[2];
            char *a = text_of(of_weights ? weights[i] : path[i], &n[0]);
            char *b = text_of(of_weights ? weights[2] : path[2], &n[1]);
            ck_assert_uint_eq(n[0], n[1]);
            ck_assert(memcmp(a, b, n[0]) == 0);
            free(a);
            free(b);
        }
    }
    spine_end(rt);
}
END_TEST

START_TEST(misuse_of_a_loaded_function)
{
    const char *path = scratch_path("f.json");
    save_a_function(path);
    tare_runtime *rt = start();
    tare_saved *s;
    must(tare_saved_read(rt, path, &s));
    tare_mode *m = spine_mode(rt, false);
    tare_value *ok[] = {spine_random(rt, 2, (const int64_t[]){2, 3}, 8), spine_random(rt, 2, (int64_t[]){1, 4}, 9)};
    tare_value *flat[] = {spine_random(rt, 1, (const int64_t[]){3}, 8), ok[1]};
    tare_value *wide[] = {spine_random(rt, 2, (const int64_t[]){2, 5}, 8), ok[1]}, *none[] = {ok[0], NULL}, *out[3];
    const struct {
        tare_value **in;
        int n_in;
        const char *why;
    } wrong[] = {{ok, 1, "2 inputs and 3 results was called with 1 and 3"},
                 {flat, 2, "input 0 of a saved graph is float32 of rank 1"},
                 {none, 2, "input 1 of a saved graph is missing"},
                 {wide, 2, "dense 'head': "}};
    for (int i = 0; i < 4; ++i) {
        tare_saved_forward(s, m, wrong[i].in, wrong[i].n_in, out, 3);
        ck_assert_int_ne(m->error, TARE_OK);
        ck_assert_msg(strstr(tare_error_text(), wrong[i].why) != NULL, "%s", tare_error_text());
        ck_assert(out[0]->poison && out[2]->poison);
        tare_mode_clear(m);
    }
    tare_value_drop(ok[0]);
    tare_value_drop(ok[1]);
    tare_value_drop(flat[0]);
    tare_value_drop(wide[0]);
    tare_imperative_free(m);
    tare_saved_free(s);
    spine_end(rt);
}
END_TEST

/* ---- what cannot be saved
 * --------------------------------------------------------------------------------------------*/
START_TEST(what_cannot_be_saved)
{
    tare_runtime *rt = start();
    parts p = parts_new(rt);
    const char *path = scratch_path("never.json");
    expect_error(save_function(rt, &p, scratch_path("graph.txt")), TARE_BAD_ARGUMENT, "ends in .json");
    expect_error(save_function(rt, &p, scratch_path("none/graph.json")), TARE_IO,
                 "none/graph.safetensors: cannot be written");
    p.weight->name = NULL;
    expect_error(save_function(rt, &p, path), TARE_BAD_ARGUMENT, "float32[4,3] that the graph reads has no name");
    p.weight->name = "steps";
    expect_error(save_function(rt, &p, path), TARE_BAD_ARGUMENT, "'steps': the name is taken");
    p.weight->name = "a\nb";
    expect_error(save_function(rt, &p, path), TARE_BAD_ARGUMENT, "control character");
    p.weight->name = "\xff";
    expect_error(save_function(rt, &p, path), TARE_BAD_ARGUMENT, "is no UTF-8");
    p.weight->name = "weight";
    /* a full disk behind the second file leaves neither */
    ck_assert_int_eq(symlink("/dev/full", scratch_path("full.json")), 0);
    expect_error(save_function(rt, &p, scratch_path("full.json")), TARE_IO, "full.json");
    ck_assert_int_eq(scratch_count(false), 1);

    tare_graph *g = capture(rt, &p, false), *empty, *broken;
    must(tare_graph_new(rt, &empty));
    expect_error(tare_graph_save(empty, NULL, NULL, path), TARE_BAD_ARGUMENT, "has no results");
    tare_desc d = tare_desc_of(TARE_F32, 1, (const int64_t[]){3});
    tare_mode *m = tare_graph_mode(empty);
    must(tare_graph_output(empty, tare_relu(m, tare_graph_input(empty, &d, "a"))));
    expect_error(tare_graph_save(g, empty, NULL, path), TARE_BAD_ARGUMENT, "results");
    (void)tare_graph_input(empty, &d, "b");
    must(tare_graph_output(empty, tare_tanh(m, tare_graph_input(empty, &d, "a"))));
    must(tare_graph_output(empty, tare_tanh(m, tare_graph_input(empty, &d, "a"))));
    expect_error(tare_graph_save(g, empty, NULL, path), TARE_BAD_ARGUMENT, "placeholders");
    must(tare_graph_new(rt, &broken));
    m = tare_graph_mode(broken);
    (void)tare_matmul(m, tare_graph_input(broken, &d, "a"), p.weight, (tare_matmul_attr){0});
    expect_error(tare_graph_save(broken, NULL, NULL, path), TARE_BAD_ARGUMENT, "with an error");
    tare_graph_free(g);
    tare_graph_free(empty);
    tare_graph_free(broken);
    parts_free(&p);
    ck_assert_int_eq(scratch_count(false), 1);
    spine_end(rt);
}
END_TEST

/* ---- files that lie
 * --------------------------------------------------------------------------------------------------*/
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s", from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

/* chain:depth=1,width=3 is: parameters 0 dense0.weight [3,3], 1 dense0.bias [3]; input 2; dense 3; relu 4. */
START_TEST(hostile_structures)
{
    static const struct {
        const char *from, *to, *why;
    } lies[] = {
        {"\"tare graph\"", "\"onnx\"", "no saved graph"},
        {"\"version\": 1", "\"version\": 2", "version is not 1"},
        {"\"version\": 1", "\"version\": 1, \"more\": 1", "'more' means nothing here"},
        {"\"version\": 1", "\"version\": 1, \"version\": 1", "no JSON"},
        {"\"parameters\"", "\"params\"", "'parameters' is missing"},
        {"\"inputs\": [", "\"inputs\": 3, \"x\": [", "'inputs' is not a list"},
        {"\"inputs\": [", "\"inputs\": [7,", "input 0: this is no object"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"\"", "parameter '' is not there"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"a\\nb\"", "parameter 0: its name has a control character"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"a\\u0000b\"", "no JSON"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"\xff\"", "no JSON"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"other\"", "safetensors: the parameter 'other' is not there"},
        {"\"name\":\"dense0.weight\"", "\"name\":\"dense0.bias\"", "'dense0.bias' is float32[3], and the graph has"},
        {"\"dtype\":\"float32\",\"shape\":[3,3]", "\"dtype\":\"float16\",\"shape\":[3,3]", "its dtype is unknown"},
        {"\"shape\":[3,3]", "\"shape\":[3,-3]", "no list of sizes"},
        {"\"shape\":[3,3]", "\"shape\":[3,3.0]", "no list of sizes"},
        {"\"shape\":[3,3]", "\"shape\":[1,1,1,1,1,1,1]", "more than 6 sizes"},
        {"\"shape\":[3,3]", "\"shape\":[65536,65536]", "more than 2^31 elements"},
        {"\"shape\":[3,3]", "\"shape\":[0,9223372036854775807]", "more than 2^31 elements"},
        {"\"shape\":[3,3]", "\"shape\":[3,3000]", "dense 'dense0': "},
        {"\"gradient\":true", "\"gradient\":1", "'gradient' is not true or false"},
        {"\"op\":\"dense\"", "\"op\":\"dense9\"", "operator 'dense9' is unknown"},
        {"\"op\":\"dense\"", "\"op\":\"relu\"", "relu reads 3 values (need 1)"},
        {"\"op\":\"relu\"", "\"op\":\"sum\"", "'attributes' is missing"},
        {"\"op\":\"relu\"", "\"op\":\"sum\",\"attributes\":\"axes=9\"", "node 1 of 'both': sum"},
        {"\"op\":\"relu\"", "\"op\":\"sum\",\"attributes\":\"axis=1\"", "no option 'axis'"},
        {"\"op\":\"relu\"", "\"op\":\"relu\",\"attributes\":\"\"", "relu has no attributes"},
        {"[2,0,1]", "[2,0,3]", "input 2 is no value made before (need 0 to 2)"},
        {"[2,0,1]", "[2,0,-1]", "input 2 is no value made before"},
        {"[2,0,1]", "[2,0,4294967297]", "input 2 is no value made before"},
        {"[2,0,1]", "[null,0,1]", "input 0 is no value made before"},
        {"[2,0,1]", "[2,0]", "dense reads 2 values (need 3)"},
        {"[2,0,1]", "[2,1,0]", "dense 'dense0': "},
        {"\"out\":[{", "\"out\":[null,{", "dense makes 1 results, and the file has 2"},
        {"\"out\":[{\"dtype\":\"float32\",\"shape\":[2,3]}]", "\"out\":[null]", "all results are marked as absent"},
        {"\"out\":[{\"dtype\":\"float32\",\"shape\":[2,3]}]", "\"out\":[]", "dense has 0 results"},
        {"\"out\":[{\"dtype\":\"float32\",\"shape\":[2,3]}]", "\"out\":[{\"dtype\":\"float32\",\"shape\":[3,2]}]",
         "result 0 would be float32[2,3], and the file has float32[3,2]"},
        {"\"layer\":\"dense0\"", "\"layer\":\"\\u001b\"", "its layer has a control character"},
        {"    4\n", "    5\n", "result 0 is no value that is made"},
        {"    4\n", "    -1\n", "result 0 is no value that is made"},
        {"    4\n", "    4, 3\n", "one input and one result, not 1 and 2"},
        {"    4\n", "\n", "program 'both': it has no results"},
        {"\"both\"", "\"training\"", "need 'both', or 'training' and 'inference'"},
        {"\"default_batch\":1", "\"default_batch\":0", "'default_batch' is 0"},
        {"\"default_batch\":1", "\"default_batch\":99999999999", "'default_batch' is 99999999999"},
        {"\"bench_loss\":\"ones\"", "\"bench_loss\":\"hinge\"", "the loss 'hinge' is unknown"},
        {"\"input\":{\"dtype\":\"float32\",\"shape\":[3]}", "\"input\":{\"dtype\":\"float32\",\"shape\":[4]}",
         "'input' is not one sample"},
        {"\"output\":{\"dtype\":\"float32\",\"shape\":[3]}", "\"output\":{\"dtype\":\"float32\",\"shape\":[]}",
         "'output' is not one sample"},
        {"}\n", "", "no JSON"},
    };
    const char *path = scratch_path("lie.json");
    save_net("chain:depth=1,width=3", 2, path);
    size_t n;
    char *text = text_of(path, &n);
    tare_runtime *rt = start();
    tare_net *net;
    must(tare_net_new(rt, path, 1, &net));
    tare_net_free(net);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; ++i) {
        char *lie =
            i + 1 < sizeof lies / sizeof *lies ? replaced(text, lies[i].from, lies[i].to) : strndup(text, n - 3);
        scratch_put(path, lie, strlen(lie));
        tare_status status = tare_net_new(rt, path, 1, &net);
        ck_assert_msg(status == TARE_BAD_FILE, "%s -> %s: %s", lies[i].from, lies[i].to, tare_error_text());
        assert_error_has("lie.", lies[i].why);
        free(lie);
    }
    scratch_put(path, "", 0);
    expect_error(tare_net_new(rt, path, 1, &net), TARE_BAD_FILE, "no JSON");
    free(text);
    spine_end(rt);
}
END_TEST

START_TEST(files_that_are_not_there)
{
    char path[512], weights[512]; /* more names than scratch_path keeps */
    (void)snprintf(path, sizeof path, "%s", scratch_path("here.json"));
    (void)snprintf(weights, sizeof weights, "%s", scratch_path("here.safetensors"));
    save_net("chain:depth=1,width=3", 2, path);
    tare_runtime *rt = start();
    tare_net *net;
    tare_saved *s;
    size_t n;
    char *text = text_of(weights, &n);
    expect_error(tare_net_new(rt, scratch_path("absent.json"), 1, &net), TARE_NOT_FOUND, "absent.json: ");
    expect_error(tare_saved_read(rt, "graph.bin", &s), TARE_BAD_ARGUMENT, "ends in .json");
    expect_error(tare_net_new(rt, ".json", 1, &net), TARE_BAD_ARGUMENT, "ends in .json");
    ck_assert_int_eq(mkdir(scratch_path("folder.json"), 0777), 0);
    expect_error(tare_net_new(rt, scratch_path("folder.json"), 1, &net), TARE_IO, "folder.json");
    ck_assert_int_eq(rmdir(scratch_path("folder.json")), 0);
    ck_assert_int_eq(unlink(weights), 0);
    expect_error(tare_net_new(rt, path, 1, &net), TARE_NOT_FOUND, "here.safetensors");
    save_net("chain:depth=2,width=3", 2, scratch_path("two.json"));
    ck_assert_int_eq(rename(scratch_path("two.safetensors"), weights), 0);
    expect_error(tare_net_new(rt, path, 1, &net), TARE_BAD_FILE, "it has 4 arrays, and the graph has 2 parameters");
    save_net("chain:depth=1,width=4", 2, scratch_path("two.json"));
    ck_assert_int_eq(rename(scratch_path("two.safetensors"), weights), 0);
    expect_error(tare_net_new(rt, path, 1, &net), TARE_BAD_FILE, "is float32[4,4], and the graph has float32[3,3]");
    scratch_put(weights, text, n);
    must(tare_net_new(rt, path, 1, &net));
    tare_net_free(net);
    save_a_function(scratch_path("f.json"));
    expect_error(tare_net_new(rt, scratch_path("f.json"), 1, &net), TARE_BAD_FILE, "no net");
    free(text);
    spine_end(rt);
}
END_TEST

/* Two parameters of one name, and as many arrays as parameters. */
START_TEST(two_of_one_name)
{
    const char *path = scratch_path("twice.json");
    save_net("chain:depth=2,width=3", 2, path);
    size_t n;
    char *text = text_of(path, &n), *twice = replaced(text, "\"dense1.bias\"", "\"dense0.bias\"");
    scratch_put(path, twice, strlen(twice));
    tare_runtime *rt = start();
    tare_saved *s;
    expect_error(tare_saved_read(rt, path, &s), TARE_BAD_FILE, "two parameters of the graph are named 'dense0.bias'");
    free(text);
    free(twice);
    spine_end(rt);
}
END_TEST

/* Every cut of both files is refused. */
START_TEST(truncated)
{
    const char *files[] = {scratch_path("cut.json"), scratch_path("cut.safetensors")};
    save_net("chain:depth=1,width=2", 2, files[0]);
    tare_runtime *rt = start();
    tare_saved *s;
    for (int f = 0; f < 2; ++f) {
        size_t n;
        char *text = text_of(files[f], &n);
        for (size_t k = 0; k + 1 < n; ++k) { /* the structure's last byte is a line's end */
            scratch_put(files[f], text, k);
            ck_assert_msg(tare_saved_read(rt, files[0], &s) == TARE_BAD_FILE, "%s: %zu of %zu bytes", files[f], k, n);
            assert_error_has("cut.", ": ");
        }
        scratch_put(files[f], text, n);
        must(tare_saved_read(rt, files[0], &s));
        tare_saved_free(s);
        free(text);
    }
    spine_end(rt);
}
END_TEST

static uint64_t draw(uint64_t *seed, uint64_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % n;
}

/* Changes one thing of a text with room for more: a byte, a number, a line; returns the new length. */
static size_t mutate(char *text, size_t n, uint64_t *seed)
{
    static const char *const number[] = {
        "-1",  "0",    "1",    "2",     "7",  "2147483648", "4294967296", "4611686018427387904",
        "1.5", "null", "true", "\"x\"", "[]", "{}",         "1e999",      "99999999999999999999"};
    size_t at = draw(seed, n);
    switch (draw(seed, 4)) {
    case 0:
        text[at] = (char)draw(seed, 256);
        return n;
    case 1:
        memmove(text + at, text + at + 1, n - at - 1);
        return n - 1;
    case 2: { /* the next number */
        at += strcspn(text + at, "0123456789");
        size_t digits = strspn(text + at, "0123456789");
        const char *with = number[draw(seed, sizeof number / sizeof *number)];
        memmove(text + at + strlen(with), text + at + digits, n - at - digits + 1);
        memcpy(text + at, with, strlen(with));
        return n - digits + strlen(with);
    }
    default: { /* the next line, said twice */
        at += strcspn(text + at, "\n");
        size_t line = at < n ? strcspn(text + at + 1, "\n") + 1 : 0;
        memmove(text + at + line, text + at, n - at + 1);
        return n + line;
    }
    }
}

/* What is loaded all the same can be run. */
static void run_if_small(tare_runtime *rt, tare_saved *s)
{
    tare_mode *m = spine_mode(rt, true);
    tare_value *in[4], *out[4];
    bool small = s->n_inputs <= 4 && s->program[0]->n_results <= 4;
    for (int i = 0; small && i < s->n_inputs; ++i)
        small = tare_desc_count(&s->input[i]) < 4096 && s->input[i].dtype == TARE_F32;
    if (small) {
        for (int i = 0; i < s->n_inputs; ++i)
            in[i] = spine_random(rt, s->input[i].rank, s->input[i].dim, 3);
        m->scope_begin(m, NULL);
        tare_saved_forward(s, m, in, s->n_inputs, out, s->program[0]->n_results);
        (void)m->backward(m, out, NULL, 1, false);
        m->scope_end(m, NULL, 0);
        for (int i = 0; i < s->n_inputs; ++i)
            tare_value_drop(in[i]);
    }
    for (int i = 0; i < s->n_parameters; ++i)
        tare_value_clear_gradient(s->parameter[i]);
    tare_imperative_free(m);
}

START_TEST(mutated)
{
    enum { MUTATIONS = 4000 };
    const char *files[] = {scratch_path("m.json"), scratch_path("m.safetensors")};
    uint64_t seed = 12345;
    int n_read = 0;
    for (int of = 0; of < 2; ++of) {
        if (of)
            save_a_function(files[0]);
        else
            save_net("chain:depth=2,width=2", 2, files[0]);
        size_t n;
        char *text = text_of(files[0], &n), *changed = calloc(1, n * 8 + 4096);
        tare_runtime *rt = start();
        for (int k = 0; k < MUTATIONS / 2; ++k) {
            memcpy(changed, text, n + 1);
            size_t length = n;
            for (uint64_t times = 1 + draw(&seed, 2); times > 0; --times)
                length = mutate(changed, length, &seed);
            scratch_put(files[0], changed, length);
            tare_saved *s = NULL;
            tare_status status = tare_saved_read(rt, files[0], &s);
            ck_assert_msg(status == TARE_OK || status == TARE_BAD_FILE, "%s", tare_error_text());
            if (status == TARE_OK) {
                ++n_read;
                run_if_small(rt, s);
                tare_saved_free(s);
            } else {
                assert_error_has("m.", ": ");
            }
            ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_PARAMETER], 0);
        }
        free(text);
        free(changed);
        spine_end(rt);
    }
    ck_assert_int_gt(n_read, 10); /* blanks, shapes of inputs that no one contradicts, layers' names */
    ck_assert_int_lt(n_read, MUTATIONS / 2);
}
END_TEST

/* ---- memory
 * ------------------------------------------------------------------------------------------------------------*/
START_TEST(every_allocation_failing)
{
    const char *path = scratch_path("f.json"), *net_path = scratch_path("n.json");
    tare_runtime *rt = start();
    parts p = parts_new(rt);
    tare_graph *training = capture(rt, &p, true), *inference = capture(rt, &p, false);
    tare_saved_net about = {.label = "f", .bench_loss = "l2", .training_loss = "l2", .default_batch = 2};
    tare_save_options options = {.parameter = &p.unread, .n_parameters = 1, .net = &about};
    tare_status status = TARE_NO_MEMORY;
    for (int64_t k = 1; status != TARE_OK; ++k) {
        int64_t live = rt->memory.n_live;
        rt->memory.fail_at = rt->memory.n_requests + k;
        status = tare_graph_save(training, inference, &options, path);
        rt->memory.fail_at = 0;
        ck_assert_msg(status == TARE_OK || status == TARE_NO_MEMORY, "%s", tare_error_text());
        ck_assert_int_eq(rt->memory.n_live, live);
        ck_assert_int_eq(scratch_count(false), status == TARE_OK ? 2 : 0);
        ck_assert_int_lt(k, 1000);
    }
    tare_graph_free(training);
    tare_graph_free(inference);
    parts_free(&p);
    spine_end(rt);

    save_net("chain:depth=2,width=2", 2, net_path);
    status = TARE_NO_MEMORY;
    for (int64_t k = 1; status != TARE_OK; ++k) {
        rt = start();
        int64_t live = rt->memory.bytes_live[TARE_MEMORY_INPUT];
        tare_net *net = NULL;
        rt->memory.fail_at = rt->memory.n_requests + k;
        status = tare_net_new(rt, net_path, 1, &net);
        rt->memory.fail_at = 0;
        ck_assert_msg(status == TARE_OK || status == TARE_NO_MEMORY, "%s", tare_error_text());
        ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_INPUT], live);
        tare_net_free(net);
        spine_end(rt);
        ck_assert_int_lt(k, 1000);
    }
}
END_TEST

/* Thousands of small files are written and read: where there is a folder in memory, they need not wait for a disk. */
int main(void)
{
    const TTest *const tests[] = {every_net_in_every_rung,
                                  a_file_net_is_its_net,
                                  a_replay_holds_no_more_than_the_net,
                                  a_function_in_training_and_inference,
                                  written_again_it_is_the_same_file,
                                  misuse_of_a_loaded_function,
                                  what_cannot_be_saved,
                                  hostile_structures,
                                  files_that_are_not_there,
                                  two_of_one_name,
                                  truncated,
                                  mutated,
                                  every_allocation_failing};
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return scratch_run("save", tests, sizeof tests / sizeof *tests);
}
