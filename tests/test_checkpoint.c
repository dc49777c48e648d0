/* test_checkpoint.c - weights and checkpoints: what is restored is what was saved, another training's is refused and
 * changes nothing, whatever allocation fails (the JSON library's too) there is a whole file or none. */
#include <errno.h>
#include <jansson.h>

#include "../nets/checkpoint.h"
#include "fixture.h"
#include "scratch.h"

#define NET       "gauntlet" /* running statistics, a count of random calls, an int32 table */
#define OPTIMIZER "adam:clip=2"

typedef struct {
    tare_net *net;
    tare_optimizer *optimizer;
    tare_batches batches;
    tare_checkpoint all;
} trained;

static void open_trained(trained *t, const char *net, const char *optimizer, uint64_t seed, int64_t batch)
{
    OK(tare_net_new(rt, net, seed, &t->net));
    OK(tare_optimizer_new(t->net, optimizer, &t->optimizer));
    OK(tare_batches_init(&t->batches, &rt->memory, 50, batch, TARE_LAST_DROP, true, 5));
    t->all = (tare_checkpoint){t->net, t->optimizer, &t->batches};
}

static void close_trained(trained *t)
{
    tare_batches_fini(&t->batches);
    tare_optimizer_free(t->optimizer);
    tare_net_free(t->net);
}

/* Other bytes in everything that a checkpoint holds. */
static void stir_value(tare_value *v, int salt)
{
    unsigned char bytes[4096];
    size_t n = tare_desc_bytes(&v->d);
    ck_assert_uint_le(n, sizeof bytes);
    for (size_t i = 0; i < n; ++i)
        bytes[i] = (unsigned char)(salt * 37 + (int)i * 11);
    OK(tare_value_write(v, bytes, n));
}

static void stir(trained *t, int salt)
{
    for (int i = 0; i < t->net->n_parameters; ++i)
        stir_value(t->net->parameter[i].value, salt + i);
    for (int i = 0; i < t->net->n_states; ++i)
        stir_value(t->net->state[i].value, salt - i);
    for (int i = 0; i < t->net->n_parameters * t->optimizer->type->n_states; ++i)
        stir_value(t->optimizer->state[i], salt * 3 + i);
    stir_value(t->optimizer->learning_rate, salt);
    stir_value(t->optimizer->clip, salt + 1);
    stir_value(t->optimizer->step, salt + 2);
    OK(tare_batches_seek(&t->batches, salt, salt % 5));
}

/* All of it as one set, written and read; freed by the caller. */
static tare_tensors snapshot(const trained *t, const char *name)
{
    tare_tensors set = {0};
    OK(tare_checkpoint_save(&t->all, NULL, scratch_path(name)));
    OK(tare_safetensors_read(&rt->memory, scratch_path(name), &set));
    return set;
}

static void assert_same(const trained *a, const trained *b)
{
    tare_tensors x = snapshot(a, "a.safetensors"), y = snapshot(b, "b.safetensors");
    ck_assert_int_eq(x.n, y.n);
    ck_assert_int_eq(x.n_metadata, y.n_metadata);
    for (int i = 0; i < x.n; ++i) {
        const tare_array *array = tare_tensors_find(&y, x.tensor[i].name);
        ck_assert_msg(array && memcmp(array->data, x.tensor[i].array.data, array->bytes) == 0, "%s", x.tensor[i].name);
    }
    for (int i = 0; i < x.n_metadata; ++i)
        ck_assert_str_eq(x.metadata[i].text, tare_tensors_text(&y, x.metadata[i].key));
    tare_safetensors_free(&rt->memory, &x);
    tare_safetensors_free(&rt->memory, &y);
}

START_TEST(round_trip)
{
    trained a, b;
    open_trained(&a, NET, OPTIMIZER, 3, 7);
    open_trained(&b, NET, OPTIMIZER, 3, 7);
    stir(&a, 3);
    stir(&b, 4);
    tare_tensors file = snapshot(&a, "x.safetensors");
    ck_assert(tare_checkpoint_is(&file));
    ck_assert_int_eq(file.n, a.net->n_parameters * 3 + a.net->n_states + 3);
    ck_assert_str_eq(tare_tensors_text(&file, "net"), NET);
    OK(tare_checkpoint_restore(&b.all, &file, "x.safetensors"));
    assert_same(&a, &b);
    ck_assert_int_eq(b.batches.epoch, 3);
    ck_assert_int_eq(b.batches.position, 3);
    tare_safetensors_free(&rt->memory, &file);
    close_trained(&a);
    close_trained(&b);
}
END_TEST

/* A net alone, and what the caller adds. */
START_TEST(parts_and_additions)
{
    trained a, b;
    float mine[] = {1, 2, 3};
    tare_tensor tensor = {(char[]){"mine.x"}, {TARE_F32, 1, {3}, sizeof mine, mine}};
    tare_metadata metadata = {(char[]){"mine.n"}, (char[]){"-12"}};
    const tare_tensors own = {&tensor, 1, &metadata, 1};
    tare_tensors file = {0};
    int64_t n = 0;
    open_trained(&a, NET, OPTIMIZER, 3, 7);
    open_trained(&b, NET, OPTIMIZER, 3, 7);
    stir(&a, 3);
    const char *path = scratch_path("x.safetensors");
    OK(tare_checkpoint_save(&a.all, &own, path));
    OK(tare_safetensors_read(&rt->memory, path, &file));
    ck_assert(memcmp(tare_tensors_find(&file, "mine.x")->data, mine, sizeof mine) == 0);
    OK(tare_checkpoint_integer(&file, "mine.n", path, &n));
    ck_assert_int_eq(n, -12);
    ck_assert_int_eq(tare_checkpoint_integer(&file, "optimizer", path, &n), TARE_BAD_FILE);
    assert_error_has("x.safetensors", "'optimizer'");
    ck_assert_int_eq(tare_checkpoint_integer(&file, "none", path, &n), TARE_BAD_FILE);
    OK(tare_checkpoint_restore(&(tare_checkpoint){.net = b.net}, &file, path));
    OK(tare_weights_load(b.net, path)); /* a checkpoint's weights alone, too */
    ck_assert_int_eq(b.batches.epoch, 0);
    ck_assert(memcmp(a.net->parameter[0].value->address, b.net->parameter[0].value->address,
                     tare_desc_bytes(&a.net->parameter[0].value->d)) == 0);
    tare_safetensors_free(&rt->memory, &file);
    close_trained(&a);
    close_trained(&b);
}
END_TEST

/* ---- refusals: a sentence, and nothing changes ---------------------------------------------------------------*/

static void refused(const char *net, const char *optimizer, uint64_t seed, int64_t batch, tare_status wanted,
                    const char *why)
{
    trained a, b, c;
    open_trained(&a, NET, OPTIMIZER, 3, 7);
    stir(&a, 3);
    tare_tensors file = snapshot(&a, "x.safetensors");
    open_trained(&b, net, optimizer, seed, batch);
    open_trained(&c, net, optimizer, seed, batch);
    ck_assert_int_eq(tare_checkpoint_restore(&b.all, &file, "x.safetensors"), wanted);
    assert_error_has("x.safetensors: ", why);
    assert_same(&b, &c);
    tare_safetensors_free(&rt->memory, &file);
    close_trained(&a);
    close_trained(&b);
    close_trained(&c);
}

START_TEST(another_training_is_refused)
{
    refused(NET, OPTIMIZER, 4, 7, TARE_BAD_ARGUMENT, "its seed is 3, not 4");
    refused(NET, "sgd:clip=2", 3, 7, TARE_BAD_ARGUMENT, "its optimizer is adam:");
    refused(NET, "adam:clip=3", 3, 7, TARE_BAD_ARGUMENT, "clip=2,schedule=constant");
    refused(NET, OPTIMIZER, 3, 8, TARE_BAD_ARGUMENT, "its batch is 7, not 8");
    refused("chain", OPTIMIZER, 3, 7, TARE_BAD_FILE, "dense0.weight is missing");
}
END_TEST

/* Edits one thing of a good file before it is restored. */
START_TEST(hostile_files)
{
    static const struct {
        const char *key, *text;
        tare_status status;
        const char *why;
    } edits[] = {
        {"format", "pt", TARE_BAD_FILE, "no checkpoint"},
        {"version", "2", TARE_BAD_ARGUMENT, "its version is 2, not 1"},
        {"batches.epoch", "-1", TARE_BAD_FILE, "no batch 3 of epoch -1"},
        {"batches.epoch", "99999999999999999999", TARE_BAD_FILE, "no whole number"},
        {"batches.position", "8", TARE_BAD_FILE, "no batch 8 of epoch 3"},
        {"batches.position", "", TARE_BAD_FILE, "no whole number"},
        {"batches.position", "1x", TARE_BAD_FILE, "no whole number"},
        {"batches.shuffle", "perhaps", TARE_BAD_ARGUMENT, "choice to shuffle"},
    };
    trained a, b, c;
    open_trained(&a, NET, OPTIMIZER, 3, 7);
    open_trained(&b, NET, OPTIMIZER, 3, 7);
    open_trained(&c, NET, OPTIMIZER, 3, 7);
    stir(&a, 3);
    tare_tensors file = snapshot(&a, "x.safetensors");
    for (size_t i = 0; i < sizeof edits / sizeof *edits; ++i) {
        int k = 0;
        while (strcmp(file.metadata[k].key, edits[i].key) != 0)
            ++k;
        char *text = file.metadata[k].text;
        file.metadata[k].text = (char *)edits[i].text;
        ck_assert_int_eq(tare_checkpoint_restore(&b.all, &file, "x.safetensors"), edits[i].status);
        assert_error_has("x.safetensors: ", edits[i].why);
        assert_same(&b, &c);
        file.metadata[k].text = text;
    }
    for (int i = 0; i < file.n; ++i) { /* each array renamed, reshaped */
        file.tensor[i].name[0] ^= 1;
        ck_assert_int_eq(tare_checkpoint_restore(&b.all, &file, "x.safetensors"), TARE_BAD_FILE);
        assert_error_has("x.safetensors: ", "is missing");
        file.tensor[i].name[0] ^= 1;
        tare_array array = file.tensor[i].array;
        file.tensor[i].array.dims[file.tensor[i].array.rank++] = 1;
        ck_assert_int_eq(tare_checkpoint_restore(&b.all, &file, "x.safetensors"), TARE_BAD_FILE);
        assert_error_has("x.safetensors: ", ", and the net has ");
        file.tensor[i].array = array;
    }
    assert_same(&b, &c);
    OK(tare_checkpoint_restore(&b.all, &file, "x.safetensors"));
    assert_same(&b, &a);
    tare_safetensors_free(&rt->memory, &file);
    close_trained(&a);
    close_trained(&b);
    close_trained(&c);
}
END_TEST

START_TEST(weights_of_another_net_are_refused)
{
    tare_net *net, *deeper;
    const char *path = scratch_path("w.safetensors");
    OK(tare_net_new(rt, "chain:depth=2", 1, &net));
    OK(tare_net_new(rt, "chain:depth=3", 1, &deeper));
    OK(tare_weights_save(net, path));
    ck_assert_int_eq(tare_weights_load(deeper, path), TARE_BAD_FILE);
    assert_error_has("w.safetensors: ", "dense2.weight is missing");
    OK(tare_weights_save(deeper, path));
    ck_assert_int_eq(tare_weights_load(net, path), TARE_BAD_FILE);
    assert_error_has("w.safetensors: ", "it has 6 arrays, and the net has 4 parameters");
    ck_assert_int_eq(tare_weights_load(net, scratch_path("none")), TARE_NOT_FOUND);
    tare_net_free(net);
    tare_net_free(deeper);
}
END_TEST

/* ---- no memory -----------------------------------------------------------------------------------------------*/

static int64_t json_requests, json_fail_at;

static void *json_malloc(size_t bytes)
{
    ++json_requests;
    if (!json_fail_at || json_requests < json_fail_at)
        return malloc(bytes);
    errno = ENOMEM;
    return NULL;
}

/* What can run out of memory, and must leave everything as it was when it does. */
typedef tare_status attempt(trained *, const char *path);

static tare_status save(trained *t, const char *path)
{
    return tare_checkpoint_save(&t->all, NULL, path);
}

static tare_status restore(trained *t, const char *path)
{
    tare_tensors file = {0};
    tare_status status = tare_safetensors_read(&rt->memory, path, &file);
    if (status == TARE_OK)
        status = tare_checkpoint_restore(&t->all, &file, path);
    tare_safetensors_free(&rt->memory, &file);
    return status;
}

static tare_status save_weights(trained *t, const char *path)
{
    return tare_weights_save(t->net, path);
}

static tare_status load_weights(trained *t, const char *path)
{
    return tare_weights_load(t->net, path);
}

static attempt *const attempts[] = {save, restore, save_weights, load_weights};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

START_TEST(every_allocation_failing)
{
    trained t, same;
    const char *path = scratch_path("x.safetensors");
    json_set_alloc_funcs(json_malloc, free);
    open_trained(&t, NET, OPTIMIZER, 3, 7);
    open_trained(&same, NET, OPTIMIZER, 3, 7);
    stir(&t, 3);
    stir(&same, 3);
    if (_i == 1)
        OK(save(&t, path));
    if (_i == 3)
        OK(save_weights(&t, path));
    int64_t live = rt->memory.n_live;
    for (int json = 0; json < 2; ++json) {
        int64_t k = 0;
        for (bool done = false; !done;) {
            ++k;
            json_requests = 0;
            json_fail_at = json ? k : 0;
            rt->memory.fail_at = json ? 0 : rt->memory.n_requests + k;
            tare_status status = attempts[_i](&t, path);
            done = json ? json_requests < k : rt->memory.n_requests < rt->memory.fail_at;
            json_fail_at = rt->memory.fail_at = 0;
            ck_assert_msg(status == (done ? TARE_OK : TARE_NO_MEMORY), "%s %lld: %s", json ? "JSON" : "memory",
                          (long long)k, tare_error_text());
            ck_assert_int_eq(rt->memory.n_live, live);
            bool file = access(path, F_OK) == 0;
            ck_assert(file == (_i % 2 || done));
        }
        ck_assert_int_gt(k, 3);
        if (_i % 2 == 0)
            ck_assert_int_eq(unlink(path), 0);
    }
    assert_same(&t, &same);
    close_trained(&t);
    close_trained(&same);
}
END_TEST

int main(void)
{
    TCase *all = scratch_case("checkpoint");
    tcase_add_checked_fixture(all, open_mode, close_mode);
    tcase_add_test(all, round_trip);
    tcase_add_test(all, parts_and_additions);
    tcase_add_test(all, another_training_is_refused);
    tcase_add_test(all, hostile_files);
    tcase_add_test(all, weights_of_another_net_are_refused);
    tcase_add_loop_test(all, every_allocation_failing, 0, ATTEMPTS);
    return scratch_run_case("checkpoint", all);
}
