/* verify.c - `tare verify`: computes every figure of a file again from its raw blocks and openings, and says which
 * differ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../measure/explain.h"
#include "../measure/fields.h"
#include "../measure/micro.h"
#include "../measure/stored.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    const tare__stored *run;
    const char *path, *kind, *arm;
    int64_t compared, differ, rounds;
    int n_ops; /* lines of tare micro in the file */
    bool runs; /* and there are blocks of runs in it */
} session;

static void differs(session *s, const char *field, const json_t *written, const json_t *computed)
{
    char *is = written ? json_dumps(written, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *should = computed ? json_dumps(computed, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    printf("%s: %s%s%s: %s is %s, computed again %s\n", s->path, s->kind, s->arm ? " " : "", s->arm ? s->arm : "",
           field, is ? is : "missing", should ? should : "missing");
    free(is);
    free(should);
    ++s->differ;
}

/* Numbers may differ in their last digits, by the order in which a compiler adds. */
static bool same_number(const json_t *a, const json_t *b)
{
    double x = json_number_value(a), y = json_number_value(b);
    return fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
}

/* All fields of `computed`, down to their numbers. Reasons are words, and those of a written line may be more. */
static void compare(session *s, const char *field, const json_t *written, json_t *computed)
{
    if (json_is_object(computed)) {
        const char *name;
        json_t *value;
        json_object_foreach(computed, name, value)
        {
            char *inner = *field ? tare__print("%s.%s", field, name) : tare__copy_text(name);
            if (strcmp(name, "reasons") != 0)
                compare(s, inner, json_object_get(written, name), value);
            free(inner);
        }
    } else if (json_is_array(computed) && json_array_size(written) == json_array_size(computed)) {
        for (size_t i = 0; i < json_array_size(computed); ++i)
            compare(s, field, json_array_get(written, i), json_array_get(computed, i));
    } else {
        ++s->compared;
        bool numbers = json_is_number(written) && json_is_number(computed);
        if (numbers ? !same_number(written, computed) : !json_equal(written, computed))
            differs(s, field, written, computed);
    }
}

/* A line of the run, NULL: it is missing, against what it should say; takes computed over. */
static void check_written(session *s, const char *kind, const char *arm, const json_t *written, json_t *computed)
{
    s->kind = kind;
    s->arm = arm;
    if (written)
        compare(s, "", written, computed);
    else
        differs(s, "the line", NULL, NULL);
    json_decref(computed);
}

static void check_line(session *s, const char *kind, const char *arm, json_t *computed)
{
    check_written(s, kind, arm, tare__stored_line(s->run, kind, arm), computed);
}

/* What an arm's line repeats of its opening. */
static json_t *opening_of(const session *s, const char *arm)
{
    static const char *const field[] = {"first_step_ns", "capture_ns", "peak_bytes",  "reserved_bytes",
                                        "rss_growth",    "digest",     "calls_digest"};
    const json_t *opening = tare__stored_line(s->run, "opening", arm);
    json_t *repeated = json_object();
    for (size_t f = 0; opening && f < sizeof field / sizeof *field; ++f)
        json_object_set(repeated, field[f], json_object_get(opening, field[f]));
    return repeated;
}

/* The rounds that each process said it had run are there. */
static void check_processes(session *s)
{
    size_t i;
    json_t *record;
    s->kind = "process";
    s->arm = NULL;
    json_array_foreach(s->run->lines, i, record)
    {
        if (strcmp(tare__field_text(record, "kind"), s->kind) != 0)
            continue;
        int64_t rounds = 0, dropped = 0;
        for (int k = 0; k < s->run->blocks.n_rounds; ++k) {
            bool mine = s->run->blocks.round[k].process == tare__field(record, "process");
            rounds += mine;
            dropped += mine && s->run->blocks.round[k].dropped;
        }
        json_t *computed = json_pack("{s:I,s:I}", "rounds", (json_int_t)rounds, "dropped_rounds", (json_int_t)dropped);
        compare(s, "", record, computed);
        json_decref(computed);
    }
}

/* A part of an arm, found by its name. */
static void check_part(session *s, const char *arm, json_t *computed)
{
    size_t i;
    json_t *record, *written = NULL;
    json_array_foreach(s->run->lines, i, record) if (strcmp(tare__field_text(record, "kind"), "part") == 0 &&
                                                     strcmp(tare__field_text(record, "arm"), arm) == 0 &&
                                                     json_equal(json_object_get(record, "name"),
                                                                json_object_get(computed, "name"))) written = record;
    check_written(s, "part", arm, written, computed);
}

static int find_arm(const void *run, const char *name)
{
    return tare__stored_arm(run, name);
}

/* The parts of an arm, taken apart again. */
static void check_closure(session *s, json_t *closure)
{
    const tare__stored *run = s->run;
    const char *arm = tare__field_text(closure, "arm");
    const char *threads = tare__field_text(json_object_get(closure, "factors"), "threads");
    double calls =
        (double)tare__field(json_object_get(tare__stored_line(run, "opening", arm), "counts"), "kernel_calls");
    tare__explained e = {.arm = tare__stored_arm(run, arm)};
    s->kind = "closure";
    s->arm = arm;
    if (e.arm < 0 || !threads || !tare__explained_of(json_object_get(closure, "arms"), find_arm, run, &e)) {
        differs(s, "arms", json_object_get(closure, "arms"), NULL);
        return;
    }
    tare__explained_take(&run->blocks, &run->summary, run->reference.base, atoi(threads), calls, &e);
    check_line(s, "closure", arm, tare__closure_fields(&e.parts));
    for (int p = 0; p < TARE__PART_COUNT && e.parts.closed; ++p)
        check_part(s, arm, tare__part_fields(&e.parts, (tare__part)p));
}

static void check_run(session *s)
{
    const tare__stored *run = s->run;
    const tare__reference *r = &run->reference;
    for (int i = 0; i < run->blocks.n_arms; ++i) {
        check_line(s, "arm", run->name[i], tare__derived_arm(&run->summary, r, i));
        check_line(s, "arm", run->name[i], opening_of(s, run->name[i]));
        if (i != r->base && i != r->sgemm && i != r->triad)
            check_line(s, "contrast", run->name[i], tare__derived_contrast(&run->summary, r, i));
    }
    size_t at;
    json_t *record;
    json_array_foreach(run->lines, at, record) if (strcmp(tare__field_text(record, "kind"), "closure") == 0)
        check_closure(s, record);
    check_processes(s);
    check_line(s, "run", NULL, tare__derived_run(&run->summary, r));
}

/* A line of tare micro has its own blocks. */
static int check_op(void *owner, json_t *record, const char *path, int number)
{
    (void)path;
    (void)number;
    session *s = owner;
    s->kind = tare__field_text(record, "kind");
    s->runs |= strcmp(s->kind, "block") == 0;
    if (strcmp(s->kind, "op") != 0)
        return TARE__RAN;
    json_t *computed = tare__micro_derived(record);
    s->arm = tare__field_text(record, "arm");
    compare(s, "", record, computed);
    json_decref(computed);
    ++s->n_ops;
    s->rounds += (int64_t)json_array_size(json_object_get(record, "blocks"));
    return TARE__RAN;
}

int tare__verify_run(const tare__line *line)
{
    session s = {.line = line};
    int code = TARE__RAN, n_runs = 0;
    for (int i = 0; i < line->n_words && !code; ++i) {
        tare__store store = {0};
        s.path = line->word[i];
        s.n_ops = s.runs = 0;
        code = tare__records_read(line, s.path, false, check_op, &s);
        n_runs += s.n_ops > 0;
        if (!code && (s.runs || !s.n_ops))
            code = tare__store_read(line, s.path, false, &store);
        for (int k = 0; k < store.n && !code; ++k) {
            s.run = &store.run[k];
            s.rounds += s.run->blocks.n_rounds;
            ++n_runs;
            check_run(&s);
        }
        tare__store_free(&store);
    }
    if (code)
        return code;
    printf("%lld figures of %d run%s computed again from %lld rounds: ", (long long)s.compared, n_runs,
           n_runs == 1 ? "" : "s", (long long)s.rounds);
    if (!s.differ) {
        printf("all as written\n");
        return TARE__RAN;
    }
    printf("%lld differ\n", (long long)s.differ);
    return tare__failed(line, "%lld of %lld figures are not what the blocks say", (long long)s.differ,
                        (long long)s.compared);
}
