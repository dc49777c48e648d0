/* page_chart.c - charts in the page: a card with the drawing, what it shows, and its table. */
#include <stdlib.h>

#include "page_private.h"

/* Rows of a table before the page says that there are more. */
enum { MOST_ROWS = 200 };

/* Kept for what comes after all charts: definitions. */
enum { RESERVE = 40000 };

bool tare__page_room(FILE *out, size_t bytes)
{
    long at = ftell(out);
    return at >= 0 && (size_t)at + bytes + RESERVE <= TARE__PAGE_MOST_BYTES;
}

static void write_card(FILE *out, const tare__source *source, const tare__chart *chart, const json_t *rows, int most)
{
    tare__drawing d;
    tare__sheet sheet = {chart->column, (json_t *)rows};
    chart->draw(source, rows, chart->wide ? 720 : TARE__COLUMN_WIDTH, most, &d);
    fprintf(out, "<figure%s>\n<h3><abbr title=\"", chart->wide ? " class=\"whole\"" : "");
    tare__text_put(out, chart->about);
    fputs("\">", out);
    tare__text_put(out, chart->title);
    if (chart->scope == TARE__OF_GROUP) {
        fputs(": ", out);
        tare__text_put(out, tare__text_at(tare__run_any(source->run), "net"));
    }
    fputs("</abbr></h3>\n<div class=\"slide\">", out);
    tare__drawing_svg(out, &d);
    fputs("</div><figcaption>", out);
    tare__text_put(out, chart->about);
    fputs("</figcaption>\n<details><summary>Table</summary>\n", out);
    tare__sheet_html(out, &sheet, MOST_ROWS);
    fputs("</details></figure>\n", out);
    tare__drawing_fini(&d);
}

/* In memory first: a card is written whole or not at all. */
static void put_card(FILE *out, const tare__source *source, const tare__chart *chart, const json_t *rows, int most)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *card = tare__text_begin(&text, &bytes);
    write_card(card, source, chart, rows, most);
    tare__text_end(card);
    if (tare__page_room(out, bytes)) {
        (void)fwrite(text, 1, bytes, out);
    } else {
        fputs("<p class=\"soft\">", out);
        tare__text_put(out, chart->title);
        fputs(": left out, the page would be too large; --figures DIR has it.</p>\n", out);
    }
    free(text);
}

bool tare__page_charts(FILE *out, const tare__source *source, tare__chart_scope scope, int most, bool any)
{
    for (int i = 0; tare__charts[i]; ++i) {
        const tare__chart *chart = tare__charts[i];
        json_t *rows = chart->scope == scope ? chart->rows(source) : NULL;
        if (json_array_size(rows)) {
            fputs(any ? "" : "<div class=\"charts\">\n", out);
            any = true;
            put_card(out, source, chart, rows, most);
        }
        json_decref(rows);
    }
    return any;
}
