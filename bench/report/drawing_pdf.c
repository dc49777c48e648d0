/* drawing_pdf.c - a drawing as PDF 1.4 (ISO 32000-1): one page, its operators deflated, text in Helvetica.
 *
 * Written by hand, for the few operators that a drawing needs: rectangles (re f), lines (m l S), dots as four curves,
 * texts (Tj). Nothing in it depends on the time, so the same drawing is the same file. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "drawing.h"

/* A colour, three numbers from 0 to 1. */
static void put_colour(FILE *to, tare__ink ink, const char *operator)
{
    unsigned c = tare__ink_light[ink];
    fprintf(to, "%.3f %.3f %.3f %s\n", (c >> 16) / 255.0, (c >> 8 & 255) / 255.0, (c & 255) / 255.0, operator);
}

/* One character of UTF-8 at *text as WinAnsi, '?' where that has none; moves on. */
static int take_character(const char **text)
{
    const unsigned char *c = (const unsigned char *)*text;
    static const struct {
        unsigned code;
        int ansi;
    } beyond[] = {{0x2026, 0x85}, {0x2013, 0x96}, {0x2014, 0x97}, {0x2212, '-'}, {0x2192, '>'}};
    int n = *c < 0x80 ? 1 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
    unsigned code = n == 1 ? *c : *c & (0xffu >> (n + 1));
    for (int i = 1; i < n && (c[i] & 0xc0) == 0x80; ++i)
        code = code << 6 | (c[i] & 0x3fu);
    for (int i = 0; i < n && **text; ++i)
        ++*text;
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; ++i)
        if (beyond[i].code == code)
            return beyond[i].ansi;
    return code < ' ' ? ' ' : code < 0x7f || (code >= 0xa0 && code <= 0xff) ? (int)code : '?';
}

static void put_text(FILE *to, const tare__drawing *d, const tare__shape *s)
{
    double width = tare__text_width(s->text, s->h);
    double x = s->x - (s->anchor == TARE__END ? width : s->anchor == TARE__MIDDLE ? width / 2 : 0);
    put_colour(to, s->ink, "rg");
    fprintf(to, "BT /F %.2f Tf %.2f %.2f Td (", s->h, x, d->height - s->y);
    for (const char *text = s->text; *text;) {
        int c = take_character(&text);
        fprintf(to, c == '(' || c == ')' || c == '\\' ? "\\%c" : c < 0x7f ? "%c" : "\\%03o", c);
    }
    fputs(") Tj ET\n", to);
}

static void put_line(FILE *to, const tare__drawing *d, const tare__shape *s)
{
    put_colour(to, s->ink, "RG");
    fprintf(to, "%.2f w %s d\n", s->width, s->dashed ? "[3 2] 0" : "[] 0");
    for (int i = 0; i < s->n; ++i)
        fprintf(to, "%.2f %.2f %c\n", s->xy[2 * i], d->height - s->xy[2 * i + 1], i ? 'l' : 'm');
    fputs("S\n", to);
}

static void put_dot(FILE *to, const tare__drawing *d, const tare__shape *s)
{
    double x = s->x, y = d->height - s->y, r = s->w, k = 0.5523 * r; /* of a quarter circle */
    put_colour(to, s->ink, "rg");
    fprintf(to, "%.2f %.2f m %.2f %.2f %.2f %.2f %.2f %.2f c %.2f %.2f %.2f %.2f %.2f %.2f c\n", x + r, y, x + r, y + k,
            x + k, y + r, x, y + r, x - k, y + r, x - r, y + k, x - r, y);
    fprintf(to, "%.2f %.2f %.2f %.2f %.2f %.2f c %.2f %.2f %.2f %.2f %.2f %.2f c f\n", x - r, y - k, x - k, y - r, x,
            y - r, x + k, y - r, x + r, y - k, x + r, y);
}

static void put_rect(FILE *to, const tare__drawing *d, const tare__shape *s)
{
    put_colour(to, s->ink, "rg");
    fprintf(to, "%.2f %.2f %.2f %.2f re f\n", s->x, d->height - s->y - s->h, s->w, s->h);
}

static void put_shapes(FILE *to, const tare__drawing *d)
{
    static void (*const put[])(FILE *, const tare__drawing *, const tare__shape *) = {put_rect, put_line, put_dot,
                                                                                      put_text};
    fputs("1 J 1 j\n", to);
    for (int i = 0; i < d->n; ++i)
        put[d->shape[i].kind](to, d, &d->shape[i]);
}

/* The page's operators, deflated: a block that the caller frees. */
static unsigned char *content(const tare__drawing *d, uLongf *bytes)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = tare__text_begin(&text, &length);
    put_shapes(to, d);
    tare__text_end(to);
    *bytes = compressBound((uLong)length);
    unsigned char *packed = tare__take(*bytes, 1);
    int status = compress2(packed, bytes, (const Bytef *)text, (uLong)length, 9);
    free(text);
    if (status == Z_OK)
        return packed;
    free(packed);
    return NULL; /* zlib was without memory: it asks for some of its own */
}

enum { OBJECTS = 5 };

tare_status tare__drawing_pdf(FILE *out, const tare__drawing *d)
{
    uLongf bytes;
    unsigned char *packed = content(d, &bytes);
    if (!packed)
        return tare_error(TARE_NO_MEMORY, "no memory for the drawing");
    long at[OBJECTS];
    fputs("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", out);
    at[0] = ftell(out);
    fputs("1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n", out);
    at[1] = ftell(out);
    fputs("2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n", out);
    at[2] = ftell(out);
    fprintf(out,
            "3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 %.2f %.2f]/Contents 5 0 R"
            "/Resources<</Font<</F 4 0 R>>>>>> endobj\n",
            d->width, d->height);
    at[3] = ftell(out);
    fputs("4 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>> endobj\n", out);
    at[4] = ftell(out);
    fprintf(out, "5 0 obj <</Length %lu/Filter/FlateDecode>> stream\n", (unsigned long)bytes);
    (void)fwrite(packed, 1, bytes, out);
    fputs("\nendstream endobj\n", out);
    long table = ftell(out);
    fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", OBJECTS + 1);
    for (int i = 0; i < OBJECTS; ++i)
        fprintf(out, "%010ld 00000 n \n", at[i]);
    fprintf(out, "trailer <</Size %d/Root 1 0 R>>\nstartxref\n%ld\n%%%%EOF\n", OBJECTS + 1, table);
    free(packed);
    return TARE_OK;
}
