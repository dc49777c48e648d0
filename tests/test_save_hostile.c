/* test_save_hostile.c - saved graphs that lie, are cut, changed or not there: refused with file, place and reason, and
 * nothing is lost. */
#include <sys/stat.h>

#include "saved.h"

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
        {"\"default_batch\":1", "\"default_batch\":1,\"byte_divisor\":0", "'byte_divisor' is 0"},
        {"\"default_batch\":1", "\"default_batch\":99999999999", "'default_batch' is 99999999999"},
        {"\"default_batch\":1", "\"default_batch\":1,\"byte_divisor\":0", "'byte_divisor' is 0"},
        {"\"default_batch\":1", "\"default_batch\":1,\"byte_divisor\":2147483648", "'byte_divisor' is 2147483648"},
        {"\"default_batch\":1", "\"default_batch\":1,\"byte_divisor\":1.5", "'byte_divisor' is not a whole number"},
        {"\"default_batch\":1", "\"default_batch\":1,\"optimizer\":3", "'optimizer' is not text"},
        {"\"default_batch\":1", "\"default_batch\":1,\"optimizer\":\"\\n\"", "control character"},
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

/* Puts `with` where `out` bytes are; the new length. */
static size_t put_in(char *text, size_t n, size_t at, size_t out, const char *with)
{
    memmove(text + at + strlen(with), text + at + out, n - at - out + 1);
    memcpy(text + at, with, strlen(with));
    return n - out + strlen(with);
}

/* Makes the next node one of another operator, with its attributes as they are by default. */
static size_t change_operator(const tare_runtime *rt, char *text, size_t n, size_t at, uint64_t *seed)
{
    const void *record = rt->record[TARE_KIND_OPERATOR][draw(seed, (uint64_t)rt->n_records[TARE_KIND_OPERATOR])];
    const tare_op *op = record;
    char *found = strstr(text + at, "\"op\":\""), with[1024], attributes[512];
    if (!found)
        return n;
    void *attr = calloc(1, op->attr_bytes + 1u);
    (void)tare_attr_parse(op->name, op->attrs, op->n_attrs, NULL, attr);
    (void)tare_attr_print(op->attrs, op->n_attrs, attr, attributes, sizeof attributes);
    free(attr);
    (void)snprintf(with, sizeof with, op->n_attrs ? "\"op\":\"%s\",\"attributes\":\"%s\"" : "\"op\":\"%s\"", op->name,
                   attributes);
    size_t out = strcspn(found + 6, "\"") + 7; /* "op":"NAME" */
    static const char next[] = ",\"attributes\":\"";
    if (strncmp(found + out, next, sizeof next - 1) == 0)
        out += sizeof next - 1 + strcspn(found + out + sizeof next - 1, "\"") + 1;
    return put_in(text, n, (size_t)(found - text), out, with);
}

/* Changes one thing of a text with room for more: a byte, a number, a line, an operator; returns the new length. */
static size_t mutate(const tare_runtime *rt, char *text, size_t n, uint64_t *seed)
{
    static const char *const number[] = {
        "-1",  "0",    "1",    "2",     "7",  "2147483648", "4294967296", "4611686018427387904",
        "1.5", "null", "true", "\"x\"", "[]", "{}",         "1e999",      "99999999999999999999"};
    size_t at = draw(seed, n);
    switch (draw(seed, 5)) {
    case 0:
        text[at] = (char)draw(seed, 256);
        return n;
    case 1:
        memmove(text + at, text + at + 1, n - at - 1);
        return n - 1;
    case 2: { /* the next number */
        at += strcspn(text + at, "0123456789");
        size_t digits = strspn(text + at, "0123456789");
        return put_in(text, n, at, digits, number[draw(seed, sizeof number / sizeof *number)]);
    }
    case 3:
        return change_operator(rt, text, n, at, seed);
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
                length = mutate(rt, changed, length, &seed);
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

int main(void)
{
    const TTest *const tests[] = {hostile_structures, files_that_are_not_there, two_of_one_name, truncated, mutated};
    return saved_run("save_hostile", tests, sizeof tests / sizeof *tests);
}
