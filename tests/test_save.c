/* test_save.c - nets and functions saved and loaded: the same bits in every rung, in both modes, at any batch; what
 * cannot be saved leaves no file; whatever allocation fails, nothing is lost. */
#include "../bench/arm/digest.h"
#include "../core/capture.h"
#include "saved.h"

/* ---- nets
 * ------------------------------------------------------------------------------------------------------------*/
static void assert_same_digests(const char *name, const char *path, int64_t batch)
{
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        tare__digest digest[2];
        tare__setting setting = tare__setting_of(rung, true);
        int api = setting.level[TARE__API];
        if (api == TARE__API_BLOCK || api == TARE__API_HYBRIDBLOCK)
            continue; /* a file has no layer objects */
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

/* Of more than a million parameters: all rungs of such a net take minutes, and its layers are those of smaller ones. */
static bool is_large(tare_runtime *rt, const char *name)
{
    tare_net *net;
    must(tare_net_new(rt, name, 1, &net));
    int64_t n = 0;
    for (int i = 0; i < net->n_parameters; ++i)
        n += tare_desc_count(&net->parameter[i].value->d);
    tare_net_free(net);
    return n > 1000000;
}

/* Every net of the catalogue but large ones, saved at one batch, trained in every rung at another, a small one at its
 * own too. */
START_TEST(every_net_in_every_rung)
{
    tare_runtime *rt = start();
    const char *path = scratch_path("net.json");
    ck_assert_int_gt(rt->n_records[TARE_KIND_NET], 2);
    for (int i = 0; i < rt->n_records[TARE_KIND_NET]; ++i) {
        const char *name = rt->record[TARE_KIND_NET][i]->name;
        if (is_large(rt, name))
            continue;
        save_net(name, 5, path);
        if (strncmp(name, "lenet", 5) != 0)
            assert_same_digests(name, path, 0);
        assert_same_digests(name, path, 3);
    }
    spine_end(rt);
}
END_TEST

START_TEST(a_file_net_is_its_net)
{
    const char *path = scratch_path("m.json");
    save_net("lenetp", 2, path);
    tare_runtime *rt = start();
    tare_net *a, *b;
    must(tare_net_new(rt, "lenetp", 1, &a));
    must(tare_net_new(rt, path, 7, &b));
    ck_assert_str_eq(b->label, path);
    ck_assert_str_eq(b->type->doc, "lenetp");
    ck_assert_int_eq(b->type->byte_divisor, 1);
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
    tare_value *y = tare_net_forward(m, net, x);
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

/* What a net says of its training goes through the file. */
START_TEST(training_defaults_are_saved)
{
    const char *path = scratch_path("own.json");
    tare_runtime *rt = start();
    tare_net *a, *b;
    tare_net_type type = *(const tare_net_type *)tare_find(rt, TARE_KIND_NET, "mlp_mnist");
    type.name = "own";
    type.optimizer = "sgd:lr=0.5";
    type.byte_divisor = 256;
    must(tare_register(rt, TARE_KIND_NET, &type));
    must(tare_net_new(rt, "own", 1, &a));
    must(tare__net_save(a, 2, path));
    must(tare_net_new(rt, path, 1, &b));
    ck_assert_str_eq(tare_net_optimizer(b), "sgd:lr=0.5");
    ck_assert_int_eq(b->type->byte_divisor, 256);
    tare_net_free(a);
    tare_net_free(b);
    must(tare_net_new(rt, "mlp_mnist", 1, &a));
    ck_assert_str_eq(tare_net_optimizer(a), "adam");
    tare_net_free(a);
    spine_end(rt);
}
END_TEST

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
        ck_assert_int_eq(s->program[training]->n_nodes, training ? 7 : 5); /* the count is an effect; no sigmoid */
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
    ck_assert_int_eq(integer_of(s->parameter[2]), 44);
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

int main(void)
{
    const TTest *const tests[] = {every_net_in_every_rung,
                                  a_file_net_is_its_net,
                                  training_defaults_are_saved,
                                  a_replay_holds_no_more_than_the_net,
                                  a_function_in_training_and_inference,
                                  written_again_it_is_the_same_file,
                                  misuse_of_a_loaded_function,
                                  what_cannot_be_saved,
                                  every_allocation_failing};
    return saved_run("save", tests, sizeof tests / sizeof *tests);
}
