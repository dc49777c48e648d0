/* offsets.c - the blocks of a net's plan as rows of a file, and such a file's offsets for them (see offsets.h). */
#include "offsets.h"

#include <stdlib.h>
#include <string.h>

/* One block of memory, which the line lets go with all else that it keeps. */
struct tare__offsets {
    int n;
    const char *path;
    struct tare__offsets_row {
        const char *id;
        tare_interval is;
    } row[]; /* by id; the texts follow */
};

char *tare__block_id(int i, const char *path, const char *what)
{
    bool in_layer = path && *path;
    return tare__print("%d:%s%s%s", i, in_layer ? path : "", in_layer ? "/" : "", what);
}

/* The blocks of a plan as rows. */
static tare__intervals intervals_of(const tare_plan *plan)
{
    const tare_plan_block *block;
    tare__intervals r = {0};
    for (int i = 0, n = tare_plan_blocks(plan, &block); i < n; ++i) {
        const tare_plan_block *b = &block[i];
        tare__intervals_add(&r, tare__block_id(i, b->path, b->what),
                            (tare_interval){b->lower, b->upper, b->bytes, b->offset, false}, i);
    }
    return r;
}

static int by_id(const void *a, const void *b)
{
    const struct tare__offsets_row *x = a, *y = b;
    return strcmp(x->id, y->id);
}

int tare__offsets_read(const tare__line *line, const char *path, const tare__offsets **out)
{
    tare__intervals v = {0};
    int code = tare__intervals_read(line, path, true, &v);
    size_t text = strlen(path) + 1;
    for (int i = 0; i < v.n && !code; ++i)
        text += strlen(v.id[i]) + 1;
    if (!code) {
        tare__offsets *g = tare__take(1, sizeof *g + (size_t)v.n * sizeof *g->row + text);
        char *at = (char *)&g->row[v.n];
        g->n = v.n;
        g->path = strcpy(at, path);
        at += strlen(at) + 1;
        for (int i = 0; i < v.n; ++i, at += strlen(at) + 1)
            g->row[i] = (struct tare__offsets_row){strcpy(at, v.id[i]), v.interval[i]};
        qsort(g->row, (size_t)g->n, sizeof *g->row, by_id);
        *out = tare__keep(line, g);
    }
    tare__intervals_free(&v);
    return code;
}

const char *tare__offsets_path(const tare__offsets *g)
{
    return g->path;
}

/* The offset of a block of the plan in the file. */
static tare_status find_offset(const tare__offsets *g, const char *id, const tare_interval *block, int64_t *offset)
{
    const struct tare__offsets_row *row =
        bsearch(&(struct tare__offsets_row){.id = id}, g->row, (size_t)g->n, sizeof *g->row, by_id);
    if (!row)
        return tare_error(TARE_IMPOSSIBLE, "%s has no row for the block '%s' of the plan", g->path, id);
    if (row->is.lower != block->lower || row->is.upper != block->upper || row->is.bytes != block->bytes)
        return tare_error(TARE_IMPOSSIBLE,
                          "%s: '%s' is %lld bytes in [%lld, %lld), the plan's block %lld bytes in [%lld, %lld)",
                          g->path, id, (long long)row->is.bytes, (long long)row->is.lower, (long long)row->is.upper,
                          (long long)block->bytes, (long long)block->lower, (long long)block->upper);
    *offset = row->is.offset;
    return TARE_OK;
}

tare_status tare__offsets_place(const tare__offsets *g, tare_plan *plan)
{
    tare__intervals v = intervals_of(plan);
    int64_t *offset = tare__take((size_t)v.n + 1, sizeof *offset);
    tare_status status = TARE_OK;
    for (int i = 0; i < v.n && status == TARE_OK; ++i)
        status = find_offset(g, v.id[i], &v.interval[i], &offset[i]);
    if (status == TARE_OK && g->n != v.n)
        status = tare_error(TARE_IMPOSSIBLE, "%s has %d rows, the plan %d blocks", g->path, g->n, v.n);
    if (status == TARE_OK)
        status = tare_plan_place(plan, offset, v.n);
    if (status == TARE_IMPOSSIBLE && strncmp(tare_error_text(), g->path, strlen(g->path)) != 0) {
        char *why = tare__copy_text(tare_error_text());
        (void)tare_error(status, "%s: %s", g->path, why);
        free(why);
    }
    free(offset);
    tare__intervals_free(&v);
    return status;
}
