/* plan_command.c - `tare plan`: the memory plan of a net, of intervals in a CSV file, and the checker on such a file.
 *
 * Rows are id,lower,upper,size (and offset in a plan); ids are strings, a block lives in [lower, upper), alignment 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../data/writer.h"
#include "commands.h"
#include "request.h"
#include "table.h"

typedef struct {
    char **id;
    tare_interval *interval;
    int n;
} rows;

static void rows_free(rows *r)
{
    for (int i = 0; i < r->n; ++i)
        free(r->id[i]);
    free(r->id);
    free(r->interval);
    *r = (rows){0};
}

/* ---- CSV -----------------------------------------------------------------------------------------------------*/

/* A whole number from text to the next comma or the end; false: it is none. */
static bool take_number(char **text, int64_t *out)
{
    char *field = strsep(text, ","), *end;
    if (!field)
        return false;
    errno = 0;
    *out = strtoll(field, &end, 10);
    end += strspn(end, " \t\r");
    return end != field && !*end && !errno;
}

static int bad_row(const tare__line *line, const char *path, int number, const char *what)
{
    return tare__failed(line, "%s: line %d: %s", path, number, what);
}

static int read_row(const tare__line *line, const char *path, int number, char *text, bool with_offset, rows *r)
{
    char *rest = text;
    const char *id = strsep(&rest, ",");
    tare_interval i = {0};
    if (!rest || !take_number(&rest, &i.lower) || !take_number(&rest, &i.upper) || !take_number(&rest, &i.bytes) ||
        (with_offset && !take_number(&rest, &i.offset)))
        return bad_row(line, path, number,
                       with_offset ? "a row is id,lower,upper,size,offset" : "a row is id,lower,upper,size");
    if (i.lower >= i.upper)
        return bad_row(line, path, number, "lower is not below upper");
    if (i.bytes < 0 || i.offset < 0)
        return bad_row(line, path, number, "a size or an offset is negative");
    if (i.bytes > INT64_MAX / 4 || i.offset > INT64_MAX / 4)
        return bad_row(line, path, number, "a size or an offset is beyond 2^61");
    r->id = tare__more(r->id, (size_t)r->n + 1, sizeof *r->id);
    r->interval = tare__more(r->interval, (size_t)r->n + 1, sizeof *r->interval);
    r->id[r->n] = tare__copy_text(id);
    r->interval[r->n++] = i;
    return TARE__RAN;
}

/* The sum of sizes must be countable, or no packer could say a height. */
static int check_sum(const tare__line *line, const char *path, const rows *r)
{
    int64_t sum = 0;
    for (int i = 0; i < r->n; ++i)
        if (__builtin_add_overflow(sum, r->interval[i].bytes, &sum) || sum > INT64_MAX / 4)
            return tare__failed(line, "%s: the sizes add up to more than 2^61", path);
    return TARE__RAN;
}

static int read_rows(const tare__line *line, const char *path, bool with_offset, rows *r)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tare__failed(line, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length;
    int code = TARE__RAN;
    for (int number = 1; !code && (length = getline(&text, &capacity, file)) > 0; ++number) {
        text[strcspn(text, "\r\n")] = 0;
        if (strlen(text) == 0 || (number == 1 && strncmp(text, "id,", 3) == 0))
            continue;
        code = read_row(line, path, number, text, with_offset, r);
    }
    if (!code && ferror(file))
        code = tare__failed(line, "%s: cannot be read", path);
    free(text);
    (void)fclose(file);
    if (!code && r->n == 0)
        code = tare__failed(line, "%s: it has no rows", path);
    return code ? code : check_sum(line, path, r);
}

static int write_rows(const tare__line *line, const char *path, const rows *r)
{
    tare_writer writer;
    tare_status status = tare_writer_open(&writer, NULL, path);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    static const char head[] = "id,lower,upper,size,offset\n";
    (void)tare_writer_put(&writer, head, sizeof head - 1);
    for (int i = 0; i < r->n; ++i) {
        const tare_interval *v = &r->interval[i];
        char *row = tare__print("%s,%lld,%lld,%lld,%lld\n", r->id[i], (long long)v->lower, (long long)v->upper,
                                (long long)v->bytes, (long long)v->offset);
        (void)tare_writer_put(&writer, row, strlen(row));
        free(row);
    }
    status = tare_writer_close(&writer); /* repeats the first failure */
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}

/* ---- a file of intervals -------------------------------------------------------------------------------------*/

static const tare_packer *find_packer(tare_runtime **rt)
{
    if (tare_runtime_new(NULL, rt) != TARE_OK || tare_graph_register(*rt) != TARE_OK)
        return NULL;
    return (*rt)->n_records[TARE_KIND_PACKER] ? (const tare_packer *)(*rt)->record[TARE_KIND_PACKER][0] : NULL;
}

static int pack_rows(const tare__line *line, rows *r)
{
    int64_t capacity = INT64_MAX;
    int code = tare__integer(line, "capacity", 0, INT64_MAX, &capacity);
    if (code)
        return code;
    tare_runtime *rt = NULL;
    const tare_packer *packer = find_packer(&rt);
    int64_t height = packer ? packer->pack(&rt->memory, r->interval, r->n, 1) : -1;
    int64_t bound = packer ? tare_pack_lower_bound(&rt->memory, r->interval, r->n, 1) : -1;
    tare_status status =
        height < 0 || bound < 0 ? TARE_NO_MEMORY : tare_pack_verify(&rt->memory, r->interval, r->n, 1, height);
    if (status != TARE_OK)
        code = tare__status_failed(line, status);
    else if (height > capacity)
        code = tare__failed(line, "no plan within %lld bytes was found: the best is %lld high, the lower bound is %lld",
                            (long long)capacity, (long long)height, (long long)bound);
    else
        printf("%d blocks, height %lld, lower bound %lld (%.4f), packer %s\n", r->n, (long long)height,
               (long long)bound, bound ? (double)height / (double)bound : 1.0, packer->name);
    (void)tare_runtime_free(rt);
    return code;
}

static int plan_file(const tare__line *line, const char *path)
{
    rows r = {0};
    int code = read_rows(line, path, false, &r);
    if (!code)
        code = pack_rows(line, &r);
    if (!code && tare__given(line, "out"))
        code = write_rows(line, tare__text(line, "out"), &r);
    rows_free(&r);
    return code;
}

static int verify_file(const tare__line *line, const char *path)
{
    rows r = {0};
    int code = read_rows(line, path, true, &r);
    if (!code) {
        int64_t height = 0;
        for (int i = 0; i < r.n; ++i) {
            int64_t end = r.interval[i].offset + r.interval[i].bytes;
            height = end > height ? end : height;
        }
        tare_memory memory = {0};
        tare_status status = tare_pack_verify(&memory, r.interval, r.n, 1, height);
        if (status == TARE_OK)
            printf("%d blocks, height %lld: no two meet\n", r.n, (long long)height);
        else
            code = tare__failed(line, "%s: %s", path, tare_error_text());
    }
    rows_free(&r);
    return code;
}

/* ---- a net ---------------------------------------------------------------------------------------------------*/

static void print_bytes(tare_plan_bytes b, int64_t order_free)
{
    const struct {
        const char *what;
        int64_t bytes;
    } line[] = {{"each result its own", b.naive},
                {"reference counting", b.refcount},
                {"arena (this plan)", b.arena},
                {"lower bound", b.lower_bound},
                {"lower bound, nothing in place", b.lower_bound_no_inplace},
                {"floor of all orders", order_free}};
    for (size_t i = 0; i < sizeof line / sizeof *line && line[i].bytes >= 0; ++i) {
        char text[TARE__FIGURE];
        printf("  %-30s %12lld  %10s  %.3f x the lower bound\n", line[i].what, (long long)line[i].bytes,
               tare__figure_bytes((double)line[i].bytes, text),
               b.lower_bound ? (double)line[i].bytes / (double)b.lower_bound : 1);
    }
}

static int write_net(const tare__line *line, const tare_plan *plan)
{
    const tare_plan_block *block;
    rows r = {0};
    int n = tare_plan_blocks(plan, &block);
    r.id = tare__take((size_t)n, sizeof *r.id);
    r.interval = tare__take((size_t)n, sizeof *r.interval);
    for (r.n = 0; r.n < n; ++r.n) {
        const tare_plan_block *b = &block[r.n];
        r.id[r.n] = tare__print("%d:%s%s%s", r.n, b->path ? b->path : "", b->path ? "/" : "", b->what);
        r.interval[r.n] = (tare_interval){b->lower, b->upper, b->bytes, b->offset};
    }
    int code = write_rows(line, tare__text(line, "csv"), &r);
    rows_free(&r);
    return code;
}

static int plan_net(const tare__line *line)
{
    tare__task task;
    tare__arm arm;
    int code = tare__step_arm_open(line, "plan", &task, &arm);
    if (code)
        return code;
    tare_status status = tare__arm_prepare(&arm);
    if (status == TARE_OK) {
        const tare_plan_block *block;
        printf("%s, batch %lld, %s%s%s: %d nodes, %d blocks\n", arm.net->label, (long long)arm.batch,
               tare__work_names[task.work], task.optimizer ? " with " : "", task.optimizer ? task.optimizer : "",
               tare_graph_nodes(arm.graph), tare_plan_blocks(arm.plan, &block));
        char order[32];
        printf("  order: %s\n", tare__level_name(TARE__ORDER, (int)tare_plan_order_of(arm.plan), order));
        int64_t order_free;
        status = tare_plan_floor(arm.plan, &order_free);
        if (status == TARE_OK)
            print_bytes(tare_plan_size(arm.plan), order_free);
        code = status != TARE_OK          ? tare__status_failed(line, status)
               : tare__given(line, "csv") ? write_net(line, arm.plan)
                                          : TARE__RAN;
    } else {
        code = tare__status_failed(line, status);
    }
    tare__arm_close(&arm);
    return code;
}

int tare__plan_run(const tare__line *line)
{
    const char *verify = tare__text(line, "verify");
    if (verify && line->n_words)
        return tare__usage(line, "--verify takes the file itself, and nothing else is planned");
    if (verify)
        return verify_file(line, verify);
    if (!line->n_words)
        return tare__usage(line, "a net, a FILE.csv or --verify FILE.csv is wanted");
    const char *word = line->word[0], *ending = strrchr(word, '.');
    return ending && strcmp(ending, ".csv") == 0 ? plan_file(line, word) : plan_net(line);
}
