/* plan_command.c - `tare plan`: the memory plan of a net, of intervals in a CSV file, and the checker on such a file.
 *
 * Effort is counted in nodes, so that a plan is the same everywhere; only --budget asks for a clock. Whatever a packer
 * answers goes through the verifier before it is shown or written. */
#include <stdlib.h>
#include <string.h>

#include "../arm/intervals.h"
#include "../arm/request.h"
#include "../base/clock.h"
#include "../base/table.h"
#include "../report/memory_draw.h"
#include "commands.h"

/* ---- packing --------------------------------------------------------------------------------------------------*/

/* Where no budget is given: about a second of search, and never more for many rows, whose nodes cost more each. */
enum { NODES = 1 << 20, NODES_BY_ROWS = 1 << 28 };

/* The packers asked for, and the best of what they found. */
typedef struct {
    const tare__line *line;
    tare_runtime *rt;
    const tare_packer **packer;
    int n_packers;
    tare_pack_options options;
    double seconds; /* 0: no clock */
    tare__table table;
    tare_packing best;
    const char *best_name;
} packing;

static bool is_late(void *deadline)
{
    return tare__clock_ns() >= *(const int64_t *)deadline;
}

/* The packers that --packers names: all, or A,B. */
static int find_packers(packing *k)
{
    const char *names = tare__text(k->line, "packers");
    const tare_record *const *all = k->rt->record[TARE_KIND_PACKER];
    int n_all = k->rt->n_records[TARE_KIND_PACKER];
    if (names && strcmp(names, "all") == 0) {
        k->packer = tare__take((size_t)n_all, sizeof(tare_packer *));
        for (; k->n_packers < n_all; ++k->n_packers)
            k->packer[k->n_packers] = (const tare_packer *)all[k->n_packers];
        return TARE__RAN;
    }
    char *text = tare__copy_text(names ? names : "portfolio"), *rest = text, *name;
    int code = TARE__RAN;
    while (!code && (name = strsep(&rest, ","))) {
        const tare_packer *found = tare_find(k->rt, TARE_KIND_PACKER, name);
        k->packer = tare__more(k->packer, (size_t)k->n_packers + 1, sizeof(tare_packer *));
        k->packer[k->n_packers++] = found;
        code = found ? TARE__RAN : tare__status_usage(k->line, TARE_NOT_FOUND);
    }
    free(text);
    return code;
}

static const char *const heads[] = {"<packer", "height", "x bound", "nodes", "time"};

static int packing_open(const tare__line *line, const tare__plugins *plugins, int64_t alignment, packing *k)
{
    *k = (packing){.line = line, .options = {.alignment = alignment, .nodes = NODES}};
    k->best.height = INT64_MAX;
    tare__table_init(&k->table, (const char **)heads, sizeof heads / sizeof *heads);
    int code = tare__integer(line, "capacity", 0, INT64_MAX, &k->options.goal);
    if (!code)
        code = tare__number(line, "budget", 1e-3, 1e6, &k->seconds);
    if (k->seconds > 0)
        k->options.nodes = INT64_MAX;
    tare_status status = code ? TARE_OK : tare__start(NULL, plugins, &k->rt);
    if (status != TARE_OK)
        code = tare__status_usage(line, status);
    return code ? code : find_packers(k);
}

static void packing_close(packing *k)
{
    tare__table_fini(&k->table);
    free(k->packer);
    (void)tare_runtime_free(k->rt);
}

/* Packs with one packer, verifies, and keeps the offsets if none were lower. */
static tare_status pack_once(packing *k, const tare_packer *packer, tare_interval *v, tare_interval *trial, int n)
{
    char time[TARE__FIGURE], bytes[TARE__FIGURE];
    int64_t begun = tare__clock_ns(), deadline = begun + (int64_t)(k->seconds * 1e9);
    tare_pack_options options = k->options;
    tare_packing p;
    if (k->seconds > 0) {
        options.stop = is_late;
        options.owner = &deadline;
    }
    memcpy(trial, v, (size_t)n * sizeof *v);
    tare_status status = tare_pack(&k->rt->memory, packer, &options, trial, n, &p);
    int64_t spent = tare__clock_ns() - begun;
    if (status == TARE_OK)
        status = tare_pack_verify(&k->rt->memory, trial, n, options.alignment, p.height);
    if (status != TARE_OK)
        return status;
    tare__table_put(&k->table, "%s", packer->name);
    tare__table_put(&k->table, "%lld", (long long)p.height);
    tare__table_put(&k->table, "%.4f", p.bound ? (double)p.height / (double)p.bound : 1);
    tare__table_put(&k->table, "%s", tare__figure_count((double)p.nodes, bytes));
    tare__table_put(&k->table, "%s", tare__figure_ns((double)spent, time));
    k->best.bound = p.bound > k->best.bound ? p.bound : k->best.bound;
    if (p.height < k->best.height) {
        k->best.height = p.height;
        k->best.nodes = p.nodes;
        k->best_name = packer->name;
        for (int i = 0; i < n; ++i)
            v[i].offset = trial[i].offset;
    }
    return TARE_OK;
}

/* With every packer; the best stays in v. */
static int pack_all(packing *k, tare_interval *v, int n)
{
    tare_interval *trial = tare__take((size_t)n, sizeof *trial);
    tare_status status = TARE_OK;
    if (k->options.nodes == NODES && n > NODES_BY_ROWS / NODES)
        k->options.nodes = NODES_BY_ROWS / n;
    for (int i = 0; i < k->n_packers && status == TARE_OK; ++i)
        status = pack_once(k, k->packer[i], v, trial, n);
    free(trial);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(k->line, status);
}

/* ---- a file of intervals -------------------------------------------------------------------------------------*/

/* Above capacity: proved, or only not found. */
static int beyond_capacity(const packing *k, int64_t capacity, const tare__intervals *r, int largest)
{
    long long within = (long long)capacity, height = (long long)k->best.height, bound = (long long)k->best.bound;
    if (r->interval[largest].bytes > capacity)
        return tare__failed(
            k->line,
            "impossible within %lld bytes: '%.60s' (line %d) alone takes %lld; the lower bound is %lld, "
            "the best plan %lld high",
            within, r->id[largest], r->row[largest], (long long)r->interval[largest].bytes, bound, height);
    if (k->best.bound > capacity)
        return tare__failed(k->line, "impossible within %lld bytes: the lower bound is %lld, the best plan %lld high",
                            within, bound, height);
    return tare__failed(k->line, "no plan within %lld bytes was found: the best is %lld high, the lower bound is %lld",
                        within, height, bound);
}

static int pack_rows(packing *k, tare__intervals *r)
{
    int64_t capacity = tare__given(k->line, "capacity") ? k->options.goal : INT64_MAX;
    int largest = 0;
    for (int i = 0; i < r->n; ++i)
        largest = r->interval[i].bytes > r->interval[largest].bytes ? i : largest;
    if (tare_pack_lower_bound(&k->rt->memory, r->interval, r->n, 1) > capacity) {
        k->options.goal = 0; /* nothing to search for: any height will do to compare */
        k->options.nodes = 1;
    }
    int code = pack_all(k, r->interval, r->n);
    if (code)
        return code;
    if (k->n_packers > 1)
        tare__table_print(&k->table, stdout);
    if (k->best.height > capacity)
        return beyond_capacity(k, capacity, r, largest);
    printf("%d blocks, height %lld, lower bound %lld (%.4f), packer %s, %lld nodes\n", r->n, (long long)k->best.height,
           (long long)k->best.bound, k->best.bound ? (double)k->best.height / (double)k->best.bound : 1.0, k->best_name,
           (long long)k->best.nodes);
    return TARE__RAN;
}

static int plan_file(const tare__line *line, const char *path)
{
    tare__intervals r = {0};
    packing k = {0};
    tare__plugins plugins;
    int code = tare__plugins_read(line, &plugins);
    if (!code)
        code = packing_open(line, &plugins, 1, &k);
    if (!code)
        code = tare__intervals_read(line, path, false, &r);
    if (!code)
        code = pack_rows(&k, &r);
    if (!code && tare__given(line, "out"))
        code = tare__intervals_write(line, tare__text(line, "out"), &r);
    packing_close(&k);
    tare__intervals_free(&r);
    return code;
}

static int verify_file(const tare__line *line, const char *path)
{
    tare__intervals r = {0};
    int code = tare__intervals_read(line, path, true, &r);
    if (!code) {
        int64_t height = 0;
        for (int i = 0; i < r.n; ++i) {
            int64_t end = r.interval[i].offset + r.interval[i].bytes;
            height = end > height ? end : height;
        }
        tare_status status = tare_pack_verify(NULL, r.interval, r.n, 1, height);
        if (status == TARE_OK)
            printf("%d blocks, height %lld: no two meet\n", r.n, (long long)height);
        else
            code = tare__failed(line, "%s: %s", path, tare_error_text());
    }
    tare__intervals_free(&r);
    return code;
}

/* ---- a net ---------------------------------------------------------------------------------------------------*/

static void print_passes(tare_plan_passes n)
{
    char text[TARE__FIGURE];
    printf("  nodes: %d dead, %d merged (cse), %d folded (%s of constants), %d joined in place, %d in part (%d inputs "
           "copied), %d added to, %d repeated\n",
           n.dead, n.merged, n.folded, tare__figure_bytes((double)n.constant_bytes, text), n.joined, n.partly, n.copied,
           n.added, n.repeated);
}

/* The packers asked for, side by side on a net's blocks. */
static int compare_packers(const tare__line *line, const tare__plugins *plugins, tare__intervals *r)
{
    packing k;
    int code = packing_open(line, plugins, TARE_ALIGNMENT, &k);
    if (!code)
        code = pack_all(&k, r->interval, r->n);
    if (!code)
        tare__table_print(&k.table, stdout);
    packing_close(&k);
    return code;
}

static int show_net(const tare__line *line, const tare__task *task, tare__arm *arm)
{
    tare__memory memory;
    tare__intervals r = {0};
    tare_status status = tare__memory_take(arm, &memory);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    tare__memory_print(&memory, stdout);
    print_passes(tare_plan_passes_of(arm->plan));
    tare__memory_intervals(&memory, &r);
    int code = tare__given(line, "csv") ? tare__intervals_write(line, tare__text(line, "csv"), &r) : TARE__RAN;
    if (!code && tare__given(line, "packers"))
        code = compare_packers(line, &task->plugins, &r);
    if (!code && tare__given(line, "svg"))
        code = tare__memory_svg(line, tare__text(line, "svg"), &memory);
    if (!code && tare__given(line, "json"))
        code = tare__memory_json(line, tare__text(line, "json"), &memory, arm);
    tare__intervals_free(&r);
    tare__memory_free(&memory);
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
    code = status == TARE_OK ? show_net(line, &task, &arm) : tare__status_failed(line, status);
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
    bool file = ending && strcmp(ending, ".csv") == 0;
    if (file && (tare__given(line, "csv") || tare__given(line, "svg") || tare__given(line, "json")))
        return tare__usage(line, "--csv, --svg and --json show a net's plan; that of a file goes to --out");
    if (!file && (tare__given(line, "out") || tare__given(line, "capacity")))
        return tare__usage(line, "--out and --capacity go with a FILE.csv; a net's plan goes to --csv");
    if (!file && tare__given(line, "budget") && !tare__given(line, "packers"))
        return tare__usage(line, "--budget goes with a FILE.csv or with --packers: a net's own plan looks at no clock");
    return file ? plan_file(line, word) : plan_net(line);
}
