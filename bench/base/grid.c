/* grid.c - lists found on a command line, and lines without them (see grid.h). */
#include "grid.h"

#include <stdlib.h>
#include <string.h>

#include "../../nets/net.h"

enum { CELLS_MAX = 100000 };

static const char *text_of(const tare__line *line, int given)
{
    return given < 0 ? line->word[0] : line->given[given].value;
}

/* An axis of what lies between two letters, if it is a list. */
static int add_axis(tare__grid *g, int given, size_t from, size_t to, char bar)
{
    const char *text = text_of(g->line, given);
    if (!memchr(text + from, bar, to - from))
        return TARE__RAN;
    g->axis = tare__more(g->axis, (size_t)g->n_axes + 1, sizeof *g->axis);
    tare__axis *axis = &g->axis[g->n_axes++];
    *axis = (tare__axis){.given = given, .from = from, .to = to};
    for (size_t at = from; at <= to;) {
        const char *end = memchr(text + at, bar, to - at);
        size_t next = end ? (size_t)(end - text) : to;
        axis->entry = tare__more(axis->entry, (size_t)axis->n + 1, sizeof *axis->entry);
        axis->entry[axis->n] = tare__print("%.*s", (int)(next - at), text + at);
        for (int i = 0; i < axis->n; ++i)
            if (strcmp(axis->entry[i], axis->entry[axis->n]) == 0) {
                ++axis->n;
                return tare__usage(g->line, "'%s' stands twice in the list '%.*s'", axis->entry[i], (int)(to - from),
                                   text + from);
            }
        ++axis->n;
        at = next + 1;
    }
    g->n_cells *= axis->n;
    return g->n_cells <= CELLS_MAX ? TARE__RAN : tare__usage(g->line, "a grid has at most %d cells", CELLS_MAX);
}

/* The values of "key=value,key=value" from a letter on. One that begins as a path does is no list. */
static int add_values(tare__grid *g, int given, size_t from)
{
    const char *text = text_of(g->line, given);
    int code = TARE__RAN;
    while (!code && text[from]) {
        size_t to = from + strcspn(text + from, ",");
        const char *equals = memchr(text + from, '=', to - from);
        if (equals && !strchr("/.", equals[1]))
            code = add_axis(g, given, (size_t)(equals - text) + 1, to, '/');
        from = text[to] ? to + 1 : to;
    }
    return code;
}

static int add_option(tare__grid *g, int given)
{
    const char *name = g->line->given[given].option->name, *value = g->line->given[given].value;
    if (strcmp(name, "batch") == 0 || strcmp(name, "threads") == 0)
        return add_axis(g, given, 0, strlen(value), ',');
    if (strcmp(name, "kernels") == 0 || strcmp(name, "device") == 0)
        return add_axis(g, given, 0, strlen(value), '/');
    return strcmp(name, "factor") == 0 ? add_values(g, given, 0) : TARE__RAN;
}

static int read_shard(tare__grid *g)
{
    const char *text = tare__text(g->line, "shard");
    g->shard = g->n_shards = 1;
    if (!text)
        return TARE__RAN;
    char *bar, *end = NULL;
    long long shard = strtoll(text, &bar, 10), n = *bar == '/' ? strtoll(bar + 1, &end, 10) : 0;
    if (!end || *end || end == bar + 1 || shard < 1 || shard > n || n > CELLS_MAX)
        return tare__usage(g->line, "--shard needs I/N, the I-th of N, not '%s'", text);
    g->shard = shard;
    g->n_shards = n;
    return TARE__RAN;
}

int tare__grid_read(const tare__line *line, tare__grid *g)
{
    *g = (tare__grid){.line = line, .n_cells = 1, .fraction = 1};
    int code = read_shard(g);
    const char *options = strchr(line->word[0], ':');
    if (!code && options && !tare_net_is_file(line->word[0]))
        code = add_values(g, -1, (size_t)(options - line->word[0]) + 1);
    for (int i = 0; i < line->n_given && !code; ++i)
        if (line->given[i].value)
            code = add_option(g, i);
    if (!code)
        code = tare__integer(line, "fraction", 1, 1000, &g->fraction);
    if (code)
        tare__grid_free(g);
    return code;
}

void tare__grid_free(tare__grid *g)
{
    for (int a = 0; a < g->n_axes; ++a) {
        for (int i = 0; i < g->axis[a].n; ++i)
            free(g->axis[a].entry[i]);
        free(g->axis[a].entry);
    }
    free(g->axis);
    *g = (tare__grid){0};
}

/* The place in its list of axis a's entry. */
static int place_of(const tare__grid *g, int64_t k, int a)
{
    for (int last = g->n_axes - 1; last > a; --last)
        k /= g->axis[last].n;
    return (int)(k % g->axis[a].n);
}

int64_t *tare__grid_cells(const tare__grid *g, int *n)
{
    int64_t *cell = tare__take((size_t)g->n_cells, sizeof *cell), found = 0;
    *n = 0;
    for (int64_t k = 0; k < g->n_cells; ++k) {
        int64_t sum = 0;
        for (int a = 0; a < g->n_axes; ++a)
            sum += place_of(g, k, a);
        if (sum % g->fraction == 0 && found++ % g->n_shards == g->shard - 1)
            cell[(*n)++] = k;
    }
    return cell;
}

/* A text with the lists of one option replaced by their entries; the lists lie in it from left to right. */
static char *replaced(const tare__grid *g, int64_t k, int given, const char *text)
{
    char *result = tare__copy_text("");
    size_t at = 0;
    for (int a = 0; a < g->n_axes; ++a) {
        const tare__axis *axis = &g->axis[a];
        if (axis->given != given)
            continue;
        char *longer =
            tare__print("%s%.*s%s", result, (int)(axis->from - at), text + at, axis->entry[place_of(g, k, a)]);
        free(result);
        result = longer;
        at = axis->to;
    }
    char *all = tare__print("%s%s", result, text + at);
    free(result);
    return all;
}

void tare__grid_line(const tare__grid *g, int64_t k, tare__line *cell)
{
    *cell = *g->line;
    cell->word = tare__take((size_t)cell->n_words + 1, sizeof *cell->word);
    cell->given = tare__take((size_t)cell->n_given + 1, sizeof *cell->given);
    for (int i = 0; i < cell->n_words; ++i)
        cell->word[i] = i ? g->line->word[i] : replaced(g, k, -1, g->line->word[0]);
    for (int i = 0; i < cell->n_given; ++i) {
        cell->given[i] = g->line->given[i];
        if (cell->given[i].value)
            cell->given[i].value = replaced(g, k, i, cell->given[i].value);
    }
}

void tare__grid_line_free(tare__line *cell)
{
    for (int i = 0; i < cell->n_given; ++i)
        free((char *)(uintptr_t)cell->given[i].value);
    if (cell->n_words)
        free((char *)(uintptr_t)cell->word[0]);
    free(cell->word);
    free(cell->given);
    *cell = (tare__line){0};
}
