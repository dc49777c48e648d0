/* memory_draw.c - blocks with their live curve and bound (see memory_draw.h).
 *
 * Both panels have the same scales, so that what is higher is more bytes. A block is a rectangle from the call that
 * makes it to its last reader, as high as its bytes. The line over the blocks is what is live; the empty room under the
 * top is what the placing costs. */
#include "memory_draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "axis.h"

static const tare__ink ink_of[TARE__USE_COUNT] = {
    [TARE__USE_ACTIVATION] = TARE__INK_SKY,  [TARE__USE_SAVED] = TARE__INK_BLUE,
    [TARE__USE_GRADIENT] = TARE__INK_ORANGE, [TARE__USE_PARAMETER] = TARE__INK_RED,
    [TARE__USE_UPDATE] = TARE__INK_PURPLE,   [TARE__USE_WORKSPACE] = TARE__INK_GRAY,
    [TARE__USE_REPEATED] = TARE__INK_GREEN,
};

typedef struct {
    const tare__occupancy *o;
    tare__scale x, y;
    double top, bottom, left, right;
    int most;
    tare__drawing *d;
} panel;

static double at_x(const panel *p, int64_t call)
{
    return tare__scale_at(&p->x, (double)(call < p->o->calls ? call : p->o->calls));
}

static double at_y(const panel *p, int64_t bytes)
{
    return tare__scale_at(&p->y, (double)bytes);
}

/* ---- blocks --------------------------------------------------------------------------------------------------*/

static void draw_block(const panel *p, const tare__stay *s)
{
    char bytes[TARE__FIGURE];
    char *title = tare__print("%s%s%s: %s, %s, calls %lld to %lld", s->path, *s->path ? "/" : "", s->what,
                              tare__use_names[s->use], tare__figure_bytes((double)s->bytes, bytes), (long long)s->lower,
                              (long long)(s->upper < p->o->calls ? s->upper - 1 : p->o->calls - 1));
    double x = at_x(p, s->lower), width = at_x(p, s->upper) - x;
    double y = at_y(p, s->offset + s->bytes), height = at_y(p, s->offset) - y;
    double gap_x = width > 1.5 ? 0.2 : 0, gap_y = height > 1.5 ? 0.2 : 0; /* so that neighbours are seen apart */
    tare__draw_rect(p->d, x, y, width - gap_x, height - gap_y, ink_of[s->use], title);
    free(title);
}

/* Larger first, so that a group of one colour is likely; of equal ones the earlier. */
static int by_area(const void *a, const void *b)
{
    const tare__stay *x = *(const tare__stay *const *)a, *y = *(const tare__stay *const *)b;
    double p = (double)x->bytes * (double)(x->upper - x->lower), q = (double)y->bytes * (double)(y->upper - y->lower);
    return p == q ? (x > y) - (x < y) : (p < q) - (p > q);
}

static int by_use(const void *a, const void *b)
{
    const tare__stay *x = *(const tare__stay *const *)a, *y = *(const tare__stay *const *)b;
    return x->use == y->use ? (x > y) - (x < y) : (x->use > y->use) - (x->use < y->use);
}

enum { COLUMNS = 360, ROWS = 120 };

/* What holds each spot of a grid, drawn as runs along its rows. */
static void draw_raster(const panel *p, const tare__stay *const *stay, int n)
{
    signed char *grid = tare__take((size_t)COLUMNS * ROWS, 1);
    memset(grid, -1, (size_t)COLUMNS * ROWS);
    double width = (p->right - p->left) / COLUMNS, height = (p->bottom - p->top) / ROWS;
    for (int i = 0; i < n; ++i) {
        int from = (int)((at_x(p, stay[i]->lower) - p->left) / width),
            to = (int)((at_x(p, stay[i]->upper) - p->left) / width);
        int low = (int)((p->bottom - at_y(p, stay[i]->offset)) / height);
        int high = (int)((p->bottom - at_y(p, stay[i]->offset + stay[i]->bytes)) / height);
        for (int row = low < 0 ? 0 : low; row <= high && row < ROWS; ++row)
            for (int column = from < 0 ? 0 : from; column <= to && column < COLUMNS; ++column)
                grid[row * COLUMNS + column] = (signed char)stay[i]->use;
    }
    for (int use = 0; use < TARE__USE_COUNT; ++use)
        for (int row = 0; row < ROWS; ++row)
            for (int column = 0, end; column < COLUMNS; column = end) {
                end = column + 1;
                if (grid[row * COLUMNS + column] != use)
                    continue;
                while (end < COLUMNS && grid[row * COLUMNS + end] == use)
                    ++end;
                tare__draw_rect(p->d, p->left + column * width, p->bottom - (row + 1) * height, (end - column) * width,
                                height, ink_of[use], NULL);
            }
    free(grid);
}

static void draw_blocks(const panel *p)
{
    int n = 0;
    const tare__stay **stay = tare__take((size_t)p->o->n + 1, sizeof *stay);
    for (int i = 0; i < p->o->n; ++i)
        if (p->o->stay[i].lower < p->o->stay[i].upper && p->o->stay[i].use < TARE__USE_COUNT)
            stay[n++] = &p->o->stay[i];
    int single = n < p->most ? n : p->most;
    if (n)
        qsort(stay, (size_t)n, sizeof *stay, by_area);
    if (single < n)
        draw_raster(p, stay + single, n - single);
    if (single)
        qsort(stay, (size_t)single, sizeof *stay, by_use);
    for (int i = 0; i < single; ++i)
        draw_block(p, stay[i]);
    free(stay);
}

/* ---- what is live --------------------------------------------------------------------------------------------*/

/* A stair; of many calls no more corners than can be seen: the most of each stretch. */
static void draw_live(const panel *p)
{
    enum { MOST = 700 };
    int64_t calls = p->o->calls, stride = 1 + calls / MOST, *live = tare__occupancy_live(p->o);
    double *xy = tare__take(4 * (size_t)(calls / stride + 2), sizeof *xy);
    int n = 0;
    for (int64_t c = 0; c < calls; c += stride) {
        int64_t most = 0, end = c + stride < calls ? c + stride : calls;
        for (int64_t k = c; k < end; ++k)
            most = live[k] > most ? live[k] : most;
        double corner[4] = {at_x(p, c), at_y(p, most), at_x(p, end), at_y(p, most)};
        memcpy(xy + 2 * n, corner, sizeof corner);
        n += 2;
    }
    tare__draw_line(p->d, xy, n, 2.2, TARE__INK_PAPER, false, NULL); /* seen on any colour */
    tare__draw_line(p->d, xy, n, 0.9, TARE__INK_TEXT, false, "live bytes");
    free(xy);
    free(live);
}

/* Where the parts of the step begin. */
static void draw_parts(const panel *p)
{
    const int64_t from[] = {0, p->o->forward_calls, p->o->derive_calls, p->o->calls};
    static const char *const name[] = {"forward", "backward", "update"};
    for (int i = 0; i < 3; ++i) {
        double x = at_x(p, from[i]), end = at_x(p, from[i + 1]);
        if (from[i + 1] <= from[i])
            continue;
        if (i)
            tare__draw_rule(p->d, x, p->top, x, p->bottom, 0.6, TARE__INK_SOFT, true);
        if (tare__text_width(name[i], TARE__SMALL) < end - x)
            tare__draw_text(p->d, (x + end) / 2, p->top - 2, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0, "%s",
                            name[i]);
    }
}

/* A line over the panel's whole width. */
static void draw_level(const panel *p, int64_t bytes, bool dashed)
{
    if (bytes > 0)
        tare__draw_rule(p->d, p->left, at_y(p, bytes), p->right, at_y(p, bytes), 0.8, TARE__INK_TEXT, dashed);
}

static void draw_panel(const panel *p, const char *name, const char *top, int64_t bound)
{
    char height[TARE__FIGURE], peak[TARE__FIGURE];
    tare__draw_text(p->d, p->left - 36, p->top - 12, TARE__NORMAL, TARE__START, TARE__INK_TEXT, p->right - p->left + 36,
                    "%s: %s %s, live at most %s", name, top, tare__figure_bytes((double)p->o->height, height),
                    tare__figure_bytes((double)p->o->peak, peak));
    tare__axis_left(p->d, &p->y, p->left, p->right, true, tare__figure_bytes);
    draw_parts(p);
    draw_blocks(p);
    draw_live(p);
    draw_level(p, bound, true);
    tare__draw_rule(p->d, p->left, at_y(p, 0), p->right, at_y(p, 0), 0.8, TARE__INK_SOFT, false);
    double x = at_x(p, p->o->peak_at);
    tare__draw_dot(p->d, x, at_y(p, p->o->peak), 1.6, TARE__INK_TEXT, "the peak");
}

/* ---- the whole -----------------------------------------------------------------------------------------------*/

/* Uses that there are, as boxes with names, in as many rows as it takes; the height that it took. */
static double draw_legend(const tare__memory *m, tare__drawing *d, double y)
{
    bool there[TARE__USE_COUNT] = {false};
    const tare__occupancy *side[] = {&m->plan, &m->imperative};
    for (int s = 0; s < 2; ++s)
        for (int i = 0; i < side[s]->n; ++i)
            there[side[s]->stay[i].use] = true;
    double x = 2, from = y;
    for (int use = 0; use < TARE__USE_COUNT; ++use) {
        double width = 12 + tare__text_width(tare__use_names[use], TARE__SMALL);
        if (!there[use])
            continue;
        if (x > 2 && x + width > d->width) {
            x = 2;
            y += 10;
        }
        tare__draw_rect(d, x, y - 5.5, 6, 6, ink_of[use], tare__use_docs[use]);
        tare__draw_text(d, x + 8, y, TARE__SMALL, TARE__START, TARE__INK_TEXT, 0, "%s", tare__use_names[use]);
        x += width + 8;
    }
    y += 10;
    tare__draw_rule(d, 2, y - 2.5, 14, y - 2.5, 0.9, TARE__INK_TEXT, false);
    tare__draw_text(d, 17, y, TARE__SMALL, TARE__START, TARE__INK_TEXT, 0, "live bytes");
    tare__draw_rule(d, 60, y - 2.5, 72, y - 2.5, 0.8, TARE__INK_TEXT, true);
    tare__draw_text(d, 75, y, TARE__SMALL, TARE__START, TARE__INK_TEXT, d->width - 75,
                    "lower bound of every plan in this order");
    return y + 8 - from;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void tare__memory_draw(const tare__memory *m, double width, int most, tare__drawing *d)
{
    double panel_height = width < 300 ? 92 : 0.24 * width, left = 40;
    char *title = tare__print("Memory of a step: %s", m->title);
    tare__drawing_init(d, width, 0, title,
                       "Two panels in one scale, the plan above, the imperative mode below. Across: kernel calls. Up: "
                       "addresses. Each block is a value from the call that makes it to its last reader.");
    free(title);
    tare__draw_text(d, 2, 9, TARE__NORMAL, TARE__START, TARE__INK_TEXT, width - 4, "%s", m->title);
    double y = 22 + draw_legend(m, d, 22) + 21;
    double calls = (double)larger(larger(m->plan.calls, m->imperative.calls), 1);
    double bytes = (double)larger(larger(larger(m->plan.height, m->imperative.height), m->imperative.peak), 1);
    static const char *const name[] = {"static", "imperative"}, *const top[] = {"arena", "pool"};
    const tare__occupancy *side[] = {&m->plan, &m->imperative};
    for (int s = 0; s < 2; ++s) {
        if (!side[s]->n)
            continue;
        panel p = {.o = side[s],
                   .x = {0, calls, left, width - 4, false},
                   .y = {0, bytes * 1.02, y + panel_height, y, false},
                   .top = y,
                   .bottom = y + panel_height,
                   .left = left,
                   .right = width - 4,
                   .most = most / 2,
                   .d = d};
        draw_panel(&p, name[s], top[s], m->bytes.lower_bound);
        if (s)
            tare__axis_bottom(d, &p.x, y + panel_height, y + panel_height, false, tare__label_plain);
        y += panel_height + 27;
    }
    d->height = y - 4;
    tare__draw_text(d, (left + width) / 2, d->height - 4, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0, "kernel calls");
}

/* Blocks that a picture of its own has one by one: a hundred bytes each. */
enum { MOST_BLOCKS = 5000 };

int tare__memory_svg(const tare__line *line, const char *path, const tare__memory *m)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = tare__text_begin(&text, &bytes);
    tare__drawing d;
    tare__memory_draw(m, 720, MOST_BLOCKS, &d);
    tare__drawing_svg_file(out, &d, true);
    tare__drawing_fini(&d);
    tare__text_end(out);
    return tare__file_put(line, path, text, bytes, TARE_OK);
}
