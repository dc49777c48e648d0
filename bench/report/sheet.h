/* sheet.h - a table of records: columns say which field, how it is shown and what it means; written as CSV, LaTeX,
 * Markdown or HTML.
 *
 * CSV has the records' own values, all columns; the others show them, rounded. */
#ifndef TARE_BENCH_SHEET_H
#define TARE_BENCH_SHEET_H

#include "drawing.h"
#include "report.h"

typedef enum {
    TARE__AS_TEXT,
    TARE__AS_ARM,
    TARE__AS_NS,
    TARE__AS_RATIO,
    TARE__AS_COUNT,
    TARE__AS_BYTES,
    TARE__AS_PERCENT,
    TARE__AS_PLAIN
} tare__format;

typedef struct {
    const char *path; /* of the field, "step_ns.min"; of a range, its list of two */
    const char *head;
    const char *term; /* key of tare__terms; NULL: it says itself what it is */
    tare__format format;
    bool range;
    bool narrow; /* also where a column of text is all the room that there is: LaTeX, Markdown */
} tare__column;

typedef struct {
    const tare__column *column; /* ended by a NULL path */
    json_t *rows;               /* array of records */
} tare__sheet;

void tare__sheet_csv(FILE *, const tare__sheet *);
/* \begin{tabular} with the rules of the package booktabs, at footnote size. */
void tare__sheet_latex(FILE *, const tare__sheet *);
void tare__sheet_markdown(FILE *, const tare__sheet *);
/* At most so many rows; a last line says how many there are besides. */
void tare__sheet_html(FILE *, const tare__sheet *, int most);

/* A value as it is shown, into text (TARE__FIGURE bytes of table.h), returned. */
const char *tare__shown(double, tare__format, char *text);

/* What each term means, numbered as the page's footnotes are. */
typedef struct {
    const char *key, *term, *meaning;
} tare__term;
extern const tare__term tare__terms[]; /* ended by a NULL key */
/* Index in tare__terms; -1. */
int tare__term_find(const char *key);

#endif
