/* stored.c - files of records, and the runs in them (see stored.h). */
#include "stored.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/next_line.h"
#include "rates.h"

/* ---- lines ---------------------------------------------------------------------------------------------------*/

static int take_text(const tare__line *line, const char *path, int number, const char *text, size_t bytes, bool partial,
                     tare__take_record *take, void *owner)
{
    json_error_t error;
    json_t *record = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    int code = TARE__RAN;
    bool whole = text[bytes - 1] == '\n';
    if (!record && !whole && partial)
        return TARE__RAN;
    if (!record && !whole)
        code = tare__failed(line, "%s: line %d: the file is cut short in it", path, number);
    else if (!record)
        code = tare__failed(line, "%s: line %d: %s", path, number, error.text);
    else if (!tare__field_text(record, "kind") || !tare__field_text(record, "run_id"))
        code = tare__failed(line, "%s: line %d: no record of tare", path, number);
    else if (tare__field(record, "schema") != TARE__SCHEMA)
        code = tare__failed(line, "%s: line %d: schema %lld, and this command reads schema %d", path, number,
                            (long long)tare__field(record, "schema"), TARE__SCHEMA);
    else
        code = take(owner, record, path, number);
    json_decref(record);
    return code;
}

int tare__records_read(const tare__line *line, const char *path, bool partial, tare__take_record *take, void *owner)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tare__failed(line, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t capacity = 0;
    ssize_t bytes = 0;
    int code = TARE__RAN;
    for (int number = 1; !code && (bytes = tare__next_line(file, &text, &capacity)) > 0; ++number) {
        if (strspn(text, " \t\r\n") < (size_t)bytes)
            code = take_text(line, path, number, text, (size_t)bytes, partial, take, owner);
    }
    if (!code && bytes < 0)
        code = tare__failed(line, "%s: %s", path, strerror(errno));
    free(text);
    (void)fclose(file);
    return code;
}

int tare__by_machine(const tare__line *line)
{
    const char *by = tare__text(line, "by");
    return !by || strcmp(by, "machine") == 0 ? TARE__RAN : tare__usage(line, "--by takes machine, not '%s'", by);
}

static int keep_line(void *owner, json_t *record, const char *path, int number)
{
    (void)number;
    tare__store *store = owner;
    const char *run_id = tare__field_text(record, "run_id");
    int i = 0;
    while (i < store->n && strcmp(tare__field_text(json_array_get(store->run[i].lines, 0), "run_id"), run_id) != 0)
        ++i;
    if (i == store->n) {
        store->run = tare__more(store->run, (size_t)store->n + 1, sizeof *store->run);
        store->run[store->n++] = (tare__stored){.path = path, .lines = json_array()};
    }
    json_array_append(store->run[i].lines, record);
    if (strcmp(tare__field_text(record, "kind"), "run") == 0)
        store->run[i].end = record;
    return TARE__RAN;
}

json_t *tare__stored_line(const tare__stored *run, const char *kind, const char *arm)
{
    size_t i;
    json_t *record;
    json_array_foreach(run->lines, i, record)
    {
        const char *name = tare__field_text(record, "arm");
        if (strcmp(tare__field_text(record, "kind"), kind) == 0 && (!arm || (name && strcmp(name, arm) == 0)))
            return record;
    }
    return NULL;
}

/* ---- arms ----------------------------------------------------------------------------------------------------*/

int tare__stored_arm(const tare__stored *run, const char *name)
{
    for (int i = 0; name && i < run->blocks.n_arms; ++i)
        if (strcmp(run->name[i], name) == 0)
            return i;
    return -1;
}

static void name_arms(tare__stored *run)
{
    size_t i;
    json_t *record;
    int n = 0;
    json_array_foreach(run->lines, i, record)
    {
        const char *name = tare__field_text(record, "arm");
        run->blocks.n_arms = n;
        if (strcmp(tare__field_text(record, "kind"), "block") != 0 || !name || tare__stored_arm(run, name) >= 0)
            continue;
        run->name = tare__more(run->name, (size_t)n + 1, sizeof *run->name);
        run->name[n++] = tare__copy_text(name);
    }
    tare__blocks_init(&run->blocks, n);
}

static const char *factor(const json_t *record, const char *name)
{
    const char *level = tare__field_text(json_object_get(record, "factors"), name);
    return level ? level : "";
}

/* Whether the factors of two records are the same but for kernels, which are null in b. */
static bool is_null_of(json_t *a, json_t *b)
{
    if (strcmp(factor(b, "kernels"), "null") != 0 ||
        !json_equal(json_object_get(a, "mode"), json_object_get(b, "mode")))
        return false;
    const char *name;
    json_t *level;
    json_object_foreach(json_object_get(a, "factors"), name, level)
    {
        (void)level;
        if (strcmp(name, "kernels") != 0 && strcmp(factor(a, name), factor(b, name)) != 0)
            return false;
    }
    return true;
}

/* ---- figures -------------------------------------------------------------------------------------------------*/

static void read_work(tare__reference *r, const json_t *end)
{
    const json_t *work = json_object_get(end, "node_work");
    size_t i;
    json_t *each;
    r->work = tare__take(json_array_size(work) + 1, sizeof *r->work);
    json_array_foreach(work, i, each) r->work[r->n_work++] =
        (tare__node_work){json_number_value(json_array_get(each, 0)), json_number_value(json_array_get(each, 1)),
                          json_integer_value(json_array_get(each, 2))};
}

/* What figures refer to: as the run's last line says, or, of a run that was cut short, the names that every run has. */
static void read_reference(tare__stored *run)
{
    tare__reference *r = &run->reference;
    const char *base = tare__field_text(run->end, "base");
    int n = run->blocks.n_arms;
    tare__reference_init(r, n);
    r->base = tare__stored_arm(run, base ? base : "kernels");
    r->again = tare__stored_arm(run, "aa");
    r->sgemm = tare__stored_arm(run, tare__rate_names[TARE__SGEMM]);
    r->triad = tare__stored_arm(run, tare__rate_names[TARE__TRIAD]);
    r->flops = json_number_value(json_object_get(run->end, "flops"));
    r->nodes = (int)tare__field(run->end, "nodes");
    r->limit = run->end ? json_number_value(json_object_get(run->end, "limit")) : r->limit;
    read_work(r, run->end);
    json_t **block = tare__take((size_t)n + 1, sizeof *block);
    for (int i = 0; i < n; ++i)
        block[i] = tare__stored_line(run, "block", run->name[i]);
    for (int i = 0; i < n; ++i) {
        r->computes[i] = r->base >= 0 && strcmp(factor(block[i], "kernels"), "null") != 0 &&
                         strcmp(factor(block[i], "threads"), factor(block[r->base], "threads")) == 0;
        for (int k = 0; k < n; ++k)
            if (k != i && r->null[i] < 0 && is_null_of(block[i], block[k]))
                r->null[i] = k;
    }
    free(block);
}

static int take_blocks(const tare__line *line, tare__stored *run)
{
    size_t i;
    json_t *record;
    json_array_foreach(run->lines, i, record)
    {
        int arm = tare__stored_arm(run, tare__field_text(record, "arm"));
        if (strcmp(tare__field_text(record, "kind"), "block") == 0 && !tare__blocks_take(&run->blocks, arm, record))
            return tare__failed(line, "%s: run %s: block %lld of round %lld of process %lld makes no sense", run->path,
                                tare__field_text(record, "run_id"), (long long)i,
                                (long long)tare__field(record, "round"), (long long)tare__field(record, "process"));
    }
    tare__blocks_trim(&run->blocks);
    return TARE__RAN;
}

static int load(const tare__line *line, tare__stored *run, bool partial)
{
    const char *run_id = tare__field_text(json_array_get(run->lines, 0), "run_id");
    if (!run->end && !partial)
        return tare__failed(line, "%s: run %s is cut short: its last line is missing (--partial uses what is there)",
                            run->path, run_id);
    name_arms(run);
    int code = take_blocks(line, run);
    if (code)
        return code;
    read_reference(run);
    if (run->reference.base < 0 || !run->blocks.n_rounds)
        return tare__failed(line, "%s: run %s has no whole round with the arm that ratios refer to", run->path, run_id);
    tare__summary_take(&run->summary, &run->blocks, &run->reference);
    return TARE__RAN;
}

static void stored_free(tare__stored *run)
{
    for (int i = 0; i < run->blocks.n_arms; ++i)
        free(run->name[i]);
    free(run->name);
    tare__summary_fini(&run->summary);
    tare__reference_fini(&run->reference);
    tare__blocks_fini(&run->blocks);
    json_decref(run->lines);
}

int tare__store_read(const tare__line *line, const char *path, bool partial, tare__store *store)
{
    *store = (tare__store){0};
    int code = tare__records_read(line, path, partial, keep_line, store), n = 0;
    for (int i = 0; i < store->n && !code; ++i) /* other commands' runs have no blocks */
        if (!tare__stored_line(&store->run[i], "block", NULL))
            stored_free(&store->run[i]);
        else
            store->run[n++] = store->run[i];
    store->n = code ? store->n : n;
    if (!code && !n)
        code = tare__failed(line, "%s: no run of tare bench is in it", path);
    for (int i = 0; i < n && !code; ++i)
        code = load(line, &store->run[i], partial);
    return code;
}

void tare__store_free(tare__store *store)
{
    for (int i = 0; i < store->n; ++i)
        stored_free(&store->run[i]);
    free(store->run);
    *store = (tare__store){0};
}
