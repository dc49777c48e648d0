/* memory_report.c - what a step holds, taken, printed, as blocks (see memory_report.h). */
#include "memory_report.h"

#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "offsets.h"

tare_status tare__memory_take(const tare__arm *a, tare__memory *m)
{
    const tare_plan_block *block;
    char order[32];
    *m = (tare__memory){.nodes = tare_graph_nodes(a->graph), .blocks = tare_plan_blocks(a->plan, &block)};
    tare_status status = tare__strategies_take(a, &m->bytes);
    if (status == TARE_OK)
        status = tare__occupancy_plan(a, &m->plan);
    if (status == TARE_OK)
        status = tare__occupancy_imperative(a, &m->imperative);
    if (status != TARE_OK) {
        tare__memory_free(m);
        return status;
    }
    m->bytes.pool = m->imperative.height;
    m->order = tare__copy_text(tare__level_name(TARE__ORDER, (int)tare_plan_order_of(a->plan), order));
    const char *bar = strrchr(a->label, '/'); /* a file without its folder */
    m->title = tare__print("%s, batch %lld, %s%s%s", bar ? bar + 1 : a->label, (long long)a->batch,
                           tare__work_names[a->task.work], a->optimizer ? " with " : "",
                           a->optimizer ? a->task.optimizer : "");
    return TARE_OK;
}

void tare__memory_free(tare__memory *m)
{
    tare__occupancy_free(&m->plan);
    tare__occupancy_free(&m->imperative);
    free(m->title);
    free(m->order);
    *m = (tare__memory){0};
}

/* ---- printed -------------------------------------------------------------------------------------------------*/

static void print_strategies(const tare__memory *m, FILE *out)
{
    static const char *head[] = {"<strategy", "bytes", "", "x lower bound"};
    tare__table t;
    tare__table_init(&t, head, 4);
    for (int i = 0; i < TARE__STRATEGY_COUNT; ++i) {
        char text[TARE__FIGURE];
        int64_t bytes = tare__strategy_bytes(&m->bytes, i);
        if (bytes < 0)
            continue;
        tare__table_put(&t, "%s", tare__strategy_list[i].text);
        tare__table_put(&t, "%lld", (long long)bytes);
        tare__table_put(&t, "%s", tare__figure_bytes((double)bytes, text));
        tare__table_put(&t, "%.3f", m->bytes.lower_bound ? (double)bytes / (double)m->bytes.lower_bound : 1);
    }
    tare__table_print(&t, out);
    tare__table_fini(&t);
    char gap[TARE__FIGURE];
    fprintf(out, "  gap of the arena above the lower bound: %s\n",
            tare__figure_bytes((double)(m->bytes.arena - m->bytes.lower_bound), gap));
}

/* Bytes at the peak of a side, by a key of its stays. */
typedef struct {
    const char *key;
    int64_t bytes[2]; /* plan, imperative */
} share;

typedef const char *key_of(const tare__stay *);

static const char *use_key(const tare__stay *s)
{
    return tare__use_names[s->use];
}

static const char *layer_key(const tare__stay *s)
{
    return *s->path ? s->path : "(in no layer)";
}

static void add_share(share **list, int *n, const char *key, int side, int64_t bytes)
{
    int i = 0;
    while (i < *n && strcmp((*list)[i].key, key) != 0)
        ++i;
    if (i == *n) {
        *list = tare__more(*list, (size_t)*n + 1, sizeof **list);
        (*list)[(*n)++] = (share){.key = key};
    }
    (*list)[i].bytes[side] += bytes;
}

static int by_bytes(const void *a, const void *b)
{
    const share *x = a, *y = b;
    int64_t p = x->bytes[0] + x->bytes[1], q = y->bytes[0] + y->bytes[1];
    return p == q ? strcmp(x->key, y->key) : (p < q) - (p > q);
}

enum { MOST_SHARES = 10 };

static void print_shares(const tare__memory *m, const char *what, key_of *key, FILE *out)
{
    const tare__occupancy *side[2] = {&m->plan, &m->imperative};
    share *list = NULL;
    int n = 0;
    for (int s = 0; s < 2; ++s)
        for (int i = 0; i < side[s]->n; ++i) {
            const tare__stay *at = &side[s]->stay[i];
            if (at->lower <= side[s]->peak_at && side[s]->peak_at < at->upper)
                add_share(&list, &n, key(at), s, at->bytes);
        }
    if (n)
        qsort(list, (size_t)n, sizeof *list, by_bytes);
    const char *head[] = {what, "plan", "imperative"};
    tare__table t;
    tare__table_init(&t, head, 3);
    share rest = {.key = NULL};
    for (int i = 0; i < n + 1; ++i) {
        if (i < n && i >= MOST_SHARES) {
            rest.bytes[0] += list[i].bytes[0];
            rest.bytes[1] += list[i].bytes[1];
            continue;
        }
        if (i == n && n <= MOST_SHARES)
            break;
        const share *row = i < n ? &list[i] : &rest;
        char text[TARE__FIGURE];
        if (i < n)
            tare__table_put(&t, "%s", row->key);
        else
            tare__table_put(&t, "%d more", n - MOST_SHARES);
        for (int s = 0; s < 2; ++s)
            tare__table_put(&t, "%s", tare__figure_bytes((double)row->bytes[s], text));
    }
    tare__table_print(&t, out);
    tare__table_fini(&t);
    free(list);
}

void tare__memory_print(const tare__memory *m, FILE *out)
{
    char peak[2][TARE__FIGURE];
    fprintf(out, "%s: %d nodes, %d blocks\n  order: %s\n", m->title, m->nodes, m->blocks, m->order);
    print_strategies(m, out);
    fprintf(out, "live at the peak: plan %s at call %lld of %lld, imperative %s at call %lld of %lld\n",
            tare__figure_bytes((double)m->plan.peak, peak[0]), (long long)m->plan.peak_at, (long long)m->plan.calls,
            tare__figure_bytes((double)m->imperative.peak, peak[1]), (long long)m->imperative.peak_at,
            (long long)m->imperative.calls);
    print_shares(m, "<what for", use_key, out);
    print_shares(m, "<layer", layer_key, out);
}

/* ---- blocks --------------------------------------------------------------------------------------------------*/

/* A block once, from its first value to its last, with all that it is used for. */
void tare__memory_intervals(const tare__memory *m, tare__intervals *r)
{
    int n = m->blocks;
    const tare__stay **first = tare__take((size_t)n + 1, sizeof *first);
    int64_t *upper = tare__take((size_t)n + 1, sizeof *upper);
    uint32_t *uses = tare__take((size_t)n + 1, sizeof *uses);
    for (int i = 0; i < m->plan.n; ++i) {
        const tare__stay *s = &m->plan.stay[i];
        if (s->block < 0 || s->block >= n)
            continue;
        first[s->block] = first[s->block] ? first[s->block] : s;
        upper[s->block] = s->upper;
        uses[s->block] |= 1u << s->use;
    }
    r->more_heads = tare__copy_text("layer,use");
    for (int b = 0; b < n; ++b) {
        const tare__stay *s = first[b];
        char use[256] = "";
        for (int u = 0; u < TARE__USE_COUNT; ++u)
            if (s && uses[b] >> u & 1)
                snprintf(use + strlen(use), sizeof use - strlen(use), "%s%s", *use ? "/" : "", tare__use_names[u]);
        if (!s)
            continue;
        char *id = tare__block_id(b, s->path, s->use == TARE__USE_WORKSPACE ? "scratch" : s->what);
        tare__intervals_add(r, id, (tare_interval){s->lower, upper[b], s->bytes, s->offset, false}, b);
        r->more[r->n - 1] = tare__intervals_cells(s->path, use);
    }
    free(uses);
    free(upper);
    free(first);
}
