/* drawing.c - shapes of a drawing, and how wide texts are (see drawing.h). */
#include "drawing.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TARE__INK_LIGHT(NAME, light, dark) light,
const unsigned tare__ink_light[TARE__INK_COUNT] = {TARE__INKS(TARE__INK_LIGHT)};
#undef TARE__INK_LIGHT
#define TARE__INK_DARK(NAME, light, dark) dark,
const unsigned tare__ink_dark[TARE__INK_COUNT] = {TARE__INKS(TARE__INK_DARK)};
#undef TARE__INK_DARK

tare__ink tare__ink_series(int n)
{
    enum { SERIES = TARE__INK_COUNT - TARE__INK_BLUE };
    return (tare__ink)(TARE__INK_BLUE + n % SERIES);
}

void tare__drawing_init(tare__drawing *d, double width, double height, const char *title, const char *about)
{
    *d = (tare__drawing){
        .width = width, .height = height, .title = tare__copy_text(title), .about = tare__copy_text(about)};
}

void tare__drawing_fini(tare__drawing *d)
{
    for (int i = 0; i < d->n; ++i) {
        free(d->shape[i].xy);
        free(d->shape[i].text);
        free(d->shape[i].title);
    }
    free(d->shape);
    free(d->title);
    free(d->about);
    *d = (tare__drawing){0};
}

static tare__shape *add(tare__drawing *d, tare__shape s, const char *title)
{
    if (d->n == d->capacity) {
        d->capacity = d->capacity ? 2 * d->capacity : 64;
        d->shape = tare__more(d->shape, (size_t)d->capacity, sizeof *d->shape);
    }
    s.title = title ? tare__copy_text(title) : NULL;
    d->shape[d->n] = s;
    return &d->shape[d->n++];
}

void tare__draw_rect(tare__drawing *d, double x, double y, double w, double h, tare__ink ink, const char *title)
{
    if (isfinite(x) && isfinite(y) && isfinite(w) && isfinite(h) && w > 0 && h > 0)
        (void)add(d, (tare__shape){.kind = TARE__RECT, .ink = ink, .x = x, .y = y, .w = w, .h = h}, title);
}

void tare__draw_dot(tare__drawing *d, double x, double y, double radius, tare__ink ink, const char *title)
{
    if (isfinite(x) && isfinite(y))
        (void)add(d, (tare__shape){.kind = TARE__DOT, .ink = ink, .x = x, .y = y, .w = radius}, title);
}

void tare__draw_line(tare__drawing *d, const double *xy, int n, double width, tare__ink ink, bool dashed,
                     const char *title)
{
    for (int i = 0; i < 2 * n; ++i)
        if (!isfinite(xy[i]))
            return;
    if (n < 2)
        return;
    tare__shape *s =
        add(d, (tare__shape){.kind = TARE__LINE, .ink = ink, .n = n, .width = width, .dashed = dashed}, title);
    s->xy = tare__take(2 * (size_t)n, sizeof *xy);
    memcpy(s->xy, xy, 2 * (size_t)n * sizeof *xy);
}

void tare__draw_rule(tare__drawing *d, double x, double y, double to_x, double to_y, double width, tare__ink ink,
                     bool dashed)
{
    tare__draw_line(d, (double[]){x, y, to_x, to_y}, 2, width, ink, dashed, NULL);
}

/* Of Helvetica, in thousandths of its size: Adobe Font Metrics, the printable characters of ASCII. */
static const short helvetica[] = {278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
                                  556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
                                  1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
                                  667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
                                  333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
                                  556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};

double tare__text_width(const char *text, double size)
{
    double width = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; ++c)
        if ((*c & 0xc0) != 0x80)
            width += *c >= ' ' && *c <= '~' ? helvetica[*c - ' '] : 584;
    return width * size / 1000;
}

/* Cuts the text, at the beginning of a character, so that an ellipsis has room behind it; true where it was cut. */
static bool shorten(char *text, double size, double most)
{
    if (tare__text_width(text, size) <= most)
        return false;
    size_t length = strlen(text);
    double room = most - tare__text_width("...", size);
    while (length > 0 && tare__text_width(text, size) > room) {
        do
            --length;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80);
        text[length] = 0;
    }
    return true;
}

void tare__draw_text(tare__drawing *d, double x, double y, double size, tare__anchor anchor, tare__ink ink, double most,
                     const char *format, ...)
{
    char whole[400], text[408];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(whole, sizeof whole, format, list);
    va_end(list);
    while (length >= (int)sizeof whole && length > 0 && ((unsigned char)whole[strlen(whole) - 1] & 0xc0) == 0x80)
        whole[strlen(whole) - 1] = 0; /* no half a character at the end */
    if (!isfinite(x) || !isfinite(y))
        return;
    strcpy(text, whole);
    bool cut = most > 0 && shorten(text, size, most);
    if (cut)
        strcat(text, "\u2026");
    tare__shape *s = add(d, (tare__shape){.kind = TARE__TEXT, .ink = ink, .x = x, .y = y, .h = size, .anchor = anchor},
                         cut ? whole : NULL);
    s->text = tare__copy_text(text);
}
