/* test_protocol.c - the parts of the protocol that need no clock: when an arm is steady, what a process is told, the
 * cells of a grid, what a part is gone on with, and files that hold nonsense. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench/base/grid.h"
#include "../bench/measure/stored.h"
#include "../bench/measure/warm.h"
#include "scratch.h"

/* ---- steadiness ----------------------------------------------------------------------------------------------*/

static int steady_after(const double *step, const int64_t *held, int n)
{
    tare__steadiness s = {0};
    for (int i = 0; i < n; ++i) {
        tare__steadiness_take(&s, step[i], held ? held[i] : 0);
        if (tare__steady(&s))
            return i + 1;
    }
    return -1;
}

START_TEST(steadiness)
{
    const double flat[] = {100, 100, 100, 100}, falling[] = {100, 90, 80, 70, 60, 50, 49.9, 49.9},
                 noisy[] = {100, 140, 99, 160};
    const int64_t grows[] = {0, 64, 128, 128, 128, 128};
    const double six[] = {1, 1, 1, 1, 1, 1};
    ck_assert_int_eq(steady_after(flat, NULL, 4), 3);
    ck_assert_int_eq(steady_after(falling, NULL, 8), 8); /* 49.9 is within 2 % of 50 */
    ck_assert_int_eq(steady_after(falling, NULL, 7), -1);
    ck_assert_int_eq(steady_after(noisy, NULL, 4), 3); /* slower is no longer getting faster */
    ck_assert_int_eq(steady_after(six, grows, 6), 5);
}
END_TEST

/* ---- the wire ------------------------------------------------------------------------------------------------*/

static FILE *file_of(const char *text)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    rewind(file);
    return file;
}

START_TEST(wire)
{
    tare__spec spec[2] = {{.setting = tare__setting_of(tare__rung_find("block"), true)},
                          {.setting = tare__setting_of(tare__rung_find("step"), true), .spans = true}};
    spec[0].name = tare__copy_text("first");
    spec[1].name = tare__copy_text("second");
    spec[0].setting.level[TARE__THREADS] = 3;
    tare__task task = {.net = "chain:depth=2", .batch = 7, .work = TARE__TRAIN, .optimizer = "adam", .seed = 9};
    tare__schedule schedule = {
        .open = -1, .process = 4, .rounds = 12, .seconds = 1.5, .order_seed = 3, .rate_threads = 2};
    json_t *object = tare__wire_write(&task, &(tare__specs){spec, 2}, &schedule);
    char *text = json_dumps(object, 0);
    FILE *file = file_of(text);
    tare__wire got;
    ck_assert_int_eq(tare__wire_read(NULL, file, &got), 0);
    ck_assert_str_eq(got.task.net, task.net);
    ck_assert_str_eq(got.task.optimizer, "adam");
    ck_assert_int_eq(got.task.batch, 7);
    ck_assert_uint_eq(got.task.seed, 9);
    ck_assert_int_eq(got.specs.n, 2);
    ck_assert_str_eq(got.specs.spec[1].name, "second");
    for (int i = 0; i < 2; ++i) {
        ck_assert_ptr_eq(got.specs.spec[i].setting.rung, spec[i].setting.rung);
        ck_assert_mem_eq(got.specs.spec[i].setting.level, spec[i].setting.level, sizeof spec[i].setting.level);
        free(spec[i].name);
    }
    ck_assert_int_eq(got.schedule.process, 4);
    ck_assert_int_eq(got.schedule.rounds, 12);
    ck_assert_double_eq(got.schedule.seconds, 1.5);
    tare__wire_free(&got);
    (void)fclose(file);
    /* with any one field gone or of another kind it is refused */
    const char *field;
    json_t *value;
    json_object_foreach(object, field, value)
    {
        if (strcmp(field, "optimizer") == 0)
            continue;
        json_t *broken = json_deep_copy(object);
        json_object_set_new(broken, field,
                            json_is_array(value) && json_array_size(value) == 0 ? json_true() : json_array());
        char *wrong = json_dumps(broken, 0);
        file = file_of(wrong);
        ck_assert_msg(tare__wire_read(NULL, file, &got) == TARE__USAGE, "another kind of %s", field);
        (void)fclose(file);
        free(wrong);
        json_decref(broken);
    }
    free(text);
    json_decref(object);
}
END_TEST

/* ---- grids ---------------------------------------------------------------------------------------------------*/

static const tare__option options[] = {{"batch", "N", NULL, ""},
                                       {"threads", "T", NULL, ""},
                                       {"factor", "F", NULL, ""},
                                       {"kernels", "K", NULL, ""},
                                       {"fraction", "N", "1", ""},
                                       {"shard", "I/N", NULL, ""},
                                       {0}};
static int (*on_line)(const tare__line *);

static int run_on_line(const tare__line *line)
{
    return on_line(line);
}

static const tare__command commands[] = {{"grid", "NET", "", 1, 1, options, run_on_line, NULL}, {0}};

/* Runs a function on the line "grid WORDS". */
static int with_line(const char *words, int (*function)(const tare__line *))
{
    char *copy = tare__print("tare grid %s", words), *rest = copy, *word, *argv[32];
    int argc = 0;
    while ((word = strsep(&rest, " ")))
        argv[argc++] = word;
    on_line = function;
    int code = tare__command_main(commands, argc, argv);
    free(copy);
    return code;
}

static char lines[4096];
static int n_cells;

static int write_cells(const tare__line *line)
{
    tare__grid grid;
    int code = tare__grid_read(line, &grid);
    if (code)
        return code;
    int64_t *cell = tare__grid_cells(&grid, &n_cells);
    lines[0] = 0;
    for (int i = 0; i < n_cells; ++i) {
        tare__line each;
        tare__grid_line(&grid, cell[i], &each);
        const char *batch = tare__text(&each, "batch"), *factor = tare__text(&each, "factor");
        size_t used = strlen(lines);
        snprintf(lines + used, sizeof lines - used, "%lld %s %s %s\n", (long long)cell[i], each.word[0],
                 batch ? batch : "-", factor ? factor : "-");
        tare__grid_line_free(&each);
    }
    free(cell);
    tare__grid_free(&grid);
    return TARE__RAN;
}

START_TEST(grids)
{
    ck_assert_int_eq(with_line("chain", write_cells), 0);
    ck_assert_str_eq(lines, "0 chain - -\n");
    ck_assert_int_eq(with_line("mlp:hidden=300-100/64 --batch 1,8 --factor a=x,b=y/z", write_cells), 0);
    ck_assert_str_eq(lines, "0 mlp:hidden=300-100 1 a=x,b=y\n1 mlp:hidden=300-100 1 a=x,b=z\n"
                            "2 mlp:hidden=300-100 8 a=x,b=y\n3 mlp:hidden=300-100 8 a=x,b=z\n"
                            "4 mlp:hidden=64 1 a=x,b=y\n5 mlp:hidden=64 1 a=x,b=z\n"
                            "6 mlp:hidden=64 8 a=x,b=y\n7 mlp:hidden=64 8 a=x,b=z\n");
    ck_assert_int_eq(with_line("chain:depth=1/2,width=3/4 --batch 5,6 --fraction 2", write_cells), 0);
    ck_assert_str_eq(lines, "0 chain:depth=1,width=3 5 -\n3 chain:depth=1,width=4 6 -\n"
                            "5 chain:depth=2,width=3 6 -\n6 chain:depth=2,width=4 5 -\n");
    ck_assert_int_eq(with_line("dir:a/b/net.json --batch 5", write_cells), 0); /* a path is no list */
    ck_assert_str_eq(lines, "0 dir:a/b/net.json 5 -\n");
}
END_TEST

START_TEST(shards)
{
    char seen[24] = {0};
    for (int shard = 1; shard <= 5; ++shard) {
        char words[100];
        snprintf(words, sizeof words, "chain:depth=1/2/3 --batch 1,2 --threads 1,2,3,4 --shard %d/5", shard);
        ck_assert_int_eq(with_line(words, write_cells), 0);
        for (char *line = lines; *line; line = strchr(line, '\n') + 1)
            ++seen[atoi(line)];
        ck_assert(n_cells == 4 || n_cells == 5);
    }
    for (int i = 0; i < 24; ++i)
        ck_assert_int_eq(seen[i], 1);
}
END_TEST

START_TEST(bad_grids)
{
    const char *const words[] = {"chain --batch 1,2,1", "chain --shard 0/2",  "chain --shard 3/2", "chain --shard 1",
                                 "chain --shard 1/",    "chain --fraction 0", "chain --shard x/2"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        ck_assert_msg(with_line(words[i], write_cells) == TARE__USAGE, "%s", words[i]);
    const char *many = "1/2/3/4/5/6/7/8/9/10";
    char *huge = tare__print("chain:a=%s,b=%s,c=%s,d=%s,e=%s,f=%s", many, many, many, many, many, many);
    ck_assert_int_eq(with_line(huge, write_cells), TARE__USAGE);
    free(huge);
}
END_TEST

/* ---- parts and files -----------------------------------------------------------------------------------------*/

START_TEST(resuming)
{
    static const char *const ends[] = {"end", NULL};
    static const struct {
        const char *part;
        size_t kept, bytes;
    } given[] = {{"", 0, 0},
                 {"{\"kind\":\"line\"}\n", 0, 0},
                 {"{\"kind\":\"line\"}\n{\"kind\":\"end\"}\n", 2, 31},
                 {"{\"kind\":\"end\"}\n{\"kind\":\"line\"}\n{\"kind\":\"en", 1, 15},
                 {"{\"kind\":\"end\"}\nnonsense\n{\"kind\":\"end\"}\n", 1, 15},
                 {"{\"kind\":\"end\"}\n{\"kind\":\"end\"}", 1, 15}};
    const char *path = scratch_path("x.jsonl"), *part = scratch_path("x.jsonl.part");
    for (size_t i = 0; i < sizeof given / sizeof *given; ++i) {
        scratch_put(part, given[i].part, strlen(given[i].part));
        tare__journal j;
        json_t *records;
        ck_assert_int_eq(tare__journal_resume(&j, NULL, path, ends, &records), 0);
        ck_assert_uint_eq(json_array_size(records), given[i].kept);
        json_decref(records);
        tare__journal_put(&j, json_pack("{s:s}", "kind", "new"));
        ck_assert_int_eq(tare__journal_close(&j), 0);
        ck_assert_int_ne(access(part, F_OK), 0);
        static const char line[] = "{\"kind\":\"new\"}\n";
        size_t bytes;
        const unsigned char *text = scratch_get(path, &bytes);
        ck_assert_uint_eq(bytes, given[i].bytes + strlen(line));
        ck_assert_mem_eq(text, given[i].part, given[i].bytes);
        ck_assert_mem_eq(text + given[i].bytes, line, strlen(line));
    }
}
END_TEST

/* A file of records with anything in their fields is refused, or read, and nothing worse. */
START_TEST(hostile_files)
{
    static const char *const line[] = {
        "{}",
        "[]",
        "null",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\"}",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\",\"arm\":7}",
        "{\"schema\":1,\"kind\":\"run\",\"run_id\":\"a\",\"base\":[],\"node_work\":[[],7,null]}",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\",\"arm\":\"kernels\",\"steps\":-1,\"ns\":1}",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\",\"arm\":\"kernels\",\"steps\":1,\"ns\":1,\"process\":-4}",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\",\"arm\":\"kernels\",\"steps\":1,\"ns\":1,\"factors\":{\"x\":"
        "3}}",
        "{\"schema\":1,\"kind\":\"block\",\"run_id\":\"a\",\"arm\":\"aa\",\"steps\":1,\"ns\":9223372036854775807,"
        "\"factors\":{\"kernels\":\"null\"}}",
        "{\"schema\":1,\"kind\":\"run\",\"run_id\":\"a\",\"base\":\"kernels\",\"limit\":-3,\"node_work\":[[1e308,1e308,"
        "9]]}"};
    enum { N = sizeof line / sizeof *line };
    const char *path = scratch_path("x.jsonl");
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* the sentences of two thousand refusals */
    for (int mask = 1; mask < 1 << N; ++mask) {
        FILE *file = fopen(path, "w");
        for (int i = 0; i < N; ++i)
            if (mask >> i & 1)
                fprintf(file, "%s\n", line[i]);
        ck_assert_int_eq(fclose(file), 0);
        tare__store store;
        (void)tare__store_read(NULL, path, mask & 1, &store);
        tare__store_free(&store);
    }
}
END_TEST

SCRATCH_MAIN("protocol", steadiness, wire, grids, shards, bad_grids, resuming, hostile_files)
