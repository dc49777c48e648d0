/* page_bar.c - bars of a page: one row of HTML around one SVG in percent, so that text keeps its size on a phone. */
#include <math.h>

#include "page.h"

void tare__page_text(FILE *out, const char *text)
{
    for (; *text; ++text) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* Where a value lies, kept within the picture. */
static double percent(double value, double full)
{
    double at = full > 0 ? 100 * value / full : 0;
    return at < 0 ? 0 : at > 100 ? 100 : at;
}

void tare__page_bar(FILE *out, const char *name, const char *label, double value, double low, double high, double full,
                    int is_base)
{
    fputs("<div class=\"bar\"><span class=\"name\" title=\"", out);
    tare__page_text(out, name);
    fputs("\">", out);
    tare__page_text(out, name);
    fputs("</span><svg width=\"100%\" height=\"18\" role=\"img\" aria-label=\"", out);
    tare__page_text(out, label);
    fprintf(out, "\"><rect class=\"%s\" x=\"0\" y=\"2\" height=\"14\" width=\"%.2f%%\"/>", is_base ? "base" : "arm",
            percent(value, full));
    if (isfinite(low) && isfinite(high)) {
        double from = percent(low, full), to = percent(high, full);
        fprintf(out, "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"9\" y2=\"9\"/>", from, to);
        fprintf(out, "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"5\" y2=\"13\"/>", from, from);
        fprintf(out, "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"5\" y2=\"13\"/>", to, to);
    }
    fputs("</svg><span class=\"value\">", out);
    tare__page_text(out, label);
    fputs("</span></div>\n", out);
}
