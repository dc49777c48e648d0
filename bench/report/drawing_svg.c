/* drawing_svg.c - a drawing as SVG (see drawing.h). Places have two decimals; runs of rectangles of one colour share a
 * group, for pictures of thousands. */
#include <string.h>

#include "drawing.h"

void tare__text_put(FILE *out, const char *text)
{
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '<')
            fputs("&lt;", out);
        else if (c == '>')
            fputs("&gt;", out);
        else if (c == '&')
            fputs("&amp;", out);
        else if (c == '"')
            fputs("&quot;", out);
        else
            fputc(c < ' ' ? ' ' : c, out);
    }
}

/* A length with as many digits as it needs, two decimals at most. */
static void put_length(FILE *out, const char *before, double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.2f", x);
    size_t n = strlen(text);
    while (n && text[n - 1] == '0')
        text[--n] = 0;
    if (n && text[n - 1] == '.')
        text[--n] = 0;
    fprintf(out, "%s%s", before, strcmp(text, "-0") == 0 ? "0" : text);
}

static void put_title(FILE *out, const tare__shape *s)
{
    if (!s->title)
        return;
    fputs("<title>", out);
    tare__text_put(out, s->title);
    fputs("</title>", out);
}

static void put_rect(FILE *out, const tare__shape *s)
{
    put_length(out, "<path d=\"M", s->x);
    put_length(out, " ", s->y);
    put_length(out, "h", s->w);
    put_length(out, "v", s->h);
    put_length(out, "h", -s->w);
    fputs(s->title ? "z\">" : "z\"/>", out);
    put_title(out, s);
    fputs(s->title ? "</path>\n" : "\n", out);
}

static void put_dot(FILE *out, const tare__shape *s)
{
    put_length(out, "<circle cx=\"", s->x);
    put_length(out, "\" cy=\"", s->y);
    put_length(out, "\" r=\"", s->w);
    fputs("\">", out);
    put_title(out, s);
    fputs("</circle>\n", out);
}

static void put_line(FILE *out, const tare__shape *s)
{
    fputs("<path d=\"", out);
    for (int i = 0; i < s->n; ++i) {
        put_length(out, i ? "L" : "M", s->xy[2 * i]);
        put_length(out, " ", s->xy[2 * i + 1]);
    }
    put_length(out, "\" stroke-width=\"", s->width);
    fputs(s->dashed ? "\" stroke-dasharray=\"3 2\">" : "\">", out);
    put_title(out, s);
    fputs("</path>\n", out);
}

static void put_text(FILE *out, const tare__shape *s)
{
    static const char *const anchor[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    put_length(out, "<text x=\"", s->x);
    put_length(out, "\" y=\"", s->y);
    put_length(out, "\" font-size=\"", s->h);
    fprintf(out, "\"%s>", anchor[s->anchor]);
    put_title(out, s);
    tare__text_put(out, s->text);
    fputs("</text>\n", out);
}

static void put_shapes(FILE *out, const tare__drawing *d)
{
    static void (*const put[])(FILE *, const tare__shape *) = {put_rect, put_line, put_dot, put_text};
    for (int i = 0; i < d->n; ++i) {
        const tare__shape *s = &d->shape[i];
        bool line = s->kind == TARE__LINE, first = i == 0, last = i + 1 == d->n;
        if (first || s->ink != s[-1].ink || line != (s[-1].kind == TARE__LINE))
            fprintf(out, "<g class=\"%c%d\">\n", line ? 'l' : 'f', (int)s->ink);
        put[s->kind](out, s);
        if (last || s->ink != s[1].ink || line != (s[1].kind == TARE__LINE))
            fputs("</g>\n", out);
    }
}

static void begin(FILE *out, const tare__drawing *d, bool file)
{
    fputs("<svg class=\"drawing\" role=\"img\"", out);
    if (file) {
        put_length(out, " xmlns=\"http://www.w3.org/2000/svg\" width=\"", d->width);
        put_length(out, "pt\" height=\"", d->height);
        fputs("pt\"", out);
    }
    put_length(out, " viewBox=\"0 0 ", d->width);
    put_length(out, " ", d->height);
    fputs("\" font-family=\"Helvetica,Arial,sans-serif\" aria-label=\"", out);
    tare__text_put(out, d->title);
    fputs("\">\n<desc>", out);
    tare__text_put(out, d->about);
    fputs("</desc>\n", out);
}

void tare__drawing_svg(FILE *out, const tare__drawing *d)
{
    begin(out, d, false);
    put_shapes(out, d);
    fputs("</svg>\n", out);
}

static void put_colours(FILE *out, const unsigned *colour)
{
    for (int i = 0; i < TARE__INK_COUNT; ++i)
        fprintf(out, ".f%d{fill:#%06x}.l%d{fill:none;stroke:#%06x;stroke-linejoin:round}", i, colour[i], i, colour[i]);
    fputc('\n', out);
}

void tare__drawing_colours(FILE *out, bool with_dark)
{
    put_colours(out, tare__ink_light);
    if (!with_dark)
        return;
    fputs("@media screen and (prefers-color-scheme:dark){", out);
    put_colours(out, tare__ink_dark);
    fputs("}\n", out);
}

void tare__drawing_svg_file(FILE *out, const tare__drawing *d, bool with_dark)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    begin(out, d, true);
    fputs("<style>\n", out);
    tare__drawing_colours(out, with_dark);
    fprintf(out, "</style>\n<rect class=\"f%d\" width=\"100%%\" height=\"100%%\"/>\n", TARE__INK_PAPER);
    put_shapes(out, d);
    fputs("</svg>\n", out);
}
