/* intervals.c - reads and writes buffers with their lifetimes as CSV (see intervals.h). */
#include "intervals.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../base/csv.h"
#include "../base/next_line.h"
#include "../base/record.h"

/* What is being read: where a sentence points to. */
typedef struct {
    const tare__line *line;
    const char *path;
    int row;
} place;

static int wrong(const place *p, const char *what)
{
    return tare__failed(p->line, "%s: line %d: %s", p->path, p->row, what);
}

void tare__intervals_free(tare__intervals *v)
{
    for (int i = 0; i < v->n; ++i) {
        free(v->id[i]);
        free(v->more[i]);
    }
    free(v->more_heads);
    free(v->more);
    free(v->id);
    free(v->interval);
    free(v->row);
    *v = (tare__intervals){0};
}

void tare__intervals_add(tare__intervals *v, char *id, tare_interval interval, int row)
{
    if (v->n == v->capacity) {
        v->capacity = v->capacity ? 2 * v->capacity : 64;
        v->id = tare__more(v->id, (size_t)v->capacity, sizeof *v->id);
        v->interval = tare__more(v->interval, (size_t)v->capacity, sizeof *v->interval);
        v->row = tare__more(v->row, (size_t)v->capacity, sizeof *v->row);
        v->more = tare__more(v->more, (size_t)v->capacity, sizeof *v->more);
    }
    v->id[v->n] = id;
    v->more[v->n] = NULL;
    v->interval[v->n] = interval;
    v->row[v->n++] = row;
}

/* ---- fields ---------------------------------------------------------------------------------------------------*/

/* The text up to the next comma, unquoted in place; *rest is what follows it, NULL at the end of the line. NULL: a
 * quote that does not close, or more behind it. */
static char *take_field(char **rest)
{
    char *field = *rest, *to = field, *from = field;
    if (*from != '"') {
        *rest = strchr(field, ',');
        if (*rest)
            *(*rest)++ = 0;
        return field;
    }
    for (++from; *from && (*from != '"' || from[1] == '"'); ++from) {
        from += *from == '"';
        *to++ = *from;
    }
    if (*from != '"' || (from[1] && from[1] != ','))
        return NULL;
    *rest = from[1] ? from + 2 : NULL;
    *to = 0;
    return field;
}

static const char *const column[] = {"lower", "upper", "size", "offset"};
enum { LOWER, UPPER, SIZE, OFFSET, N_COLUMNS };

static int take_number(const place *p, const char *field, int which, int64_t *out)
{
    char text[160], *end;
    errno = 0;
    *out = strtoll(field, &end, 10);
    end += strspn(end, " \t");
    if (end != field && !*end && !errno)
        return TARE__RAN;
    snprintf(text, sizeof text, "%s '%.60s' is %s", column[which], field,
             errno == ERANGE ? "beyond 64 bits" : "no whole number");
    return wrong(p, text);
}

static int check_row(const place *p, const tare_interval *v)
{
    if (v->bytes < 0)
        return wrong(p, "the size is negative");
    if (v->lower >= v->upper)
        return wrong(p, "lower is not below upper");
    if (v->fixed && v->offset < 0)
        return wrong(p, "the offset is negative");
    if (v->fixed && v->offset > INT64_MAX / 4)
        return wrong(p, "the offset is beyond 2^61");
    return TARE__RAN;
}

/* The columns' names: a plan's, with *more what stands beyond them (NULL: nothing), or without the offset, which a
 * plan's rows then lack. */
static bool is_head(const char *text, const char **more)
{
    static const char plan[] = "id,lower,upper,size,offset";
    const char *end = text + sizeof plan - 1;
    *more = NULL;
    if (strncmp(text, plan, sizeof plan - 1) != 0)
        return strcmp(text, "id,lower,upper,size") == 0;
    *more = *end == ',' && end[1] ? end + 1 : NULL;
    return !*end || *more;
}

static int read_row(const place *p, char *text, bool of_plan, tare__intervals *to)
{
    const char *form = of_plan ? "a row is id,lower,upper,size,offset" : "a row is id,lower,upper,size";
    char *rest = text, *id = take_field(&rest);
    int64_t number[N_COLUMNS] = {0};
    int code = TARE__RAN, n = 0;
    if (!id)
        return wrong(p, "a quoted id ends in a quote on its line, and a comma follows");
    if (!*id)
        return wrong(p, rest ? "the id is empty" : form);
    for (; rest && n < N_COLUMNS && !code; ++n) {
        char *field = take_field(&rest);
        if (!field)
            return wrong(p, form);
        if (n == OFFSET && !of_plan && !*field)
            break; /* given by others, free here */
        code = take_number(p, field, n, &number[n]);
    }
    if (code)
        return code;
    if ((rest && !to->more_heads) || n < (of_plan ? N_COLUMNS : OFFSET))
        return wrong(p, form);
    tare_interval v = {number[LOWER], number[UPPER], number[SIZE], number[OFFSET], n == N_COLUMNS};
    code = check_row(p, &v);
    if (code)
        return code;
    tare__intervals_add(to, tare__copy_text(id), v, p->row);
    to->more[to->n - 1] = rest && *rest ? tare__copy_text(rest) : NULL;
    return TARE__RAN;
}

/* ---- files ----------------------------------------------------------------------------------------------------*/

typedef struct {
    const char *id;
    int row;
} named;

static int by_id(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : x->row - y->row;
}

static int check_ids(place *p, const tare__intervals *v)
{
    int code = TARE__RAN;
    named *sorted = tare__take((size_t)v->n, sizeof *sorted);
    for (int i = 0; i < v->n; ++i)
        sorted[i] = (named){v->id[i], v->row[i]};
    qsort(sorted, (size_t)v->n, sizeof *sorted, by_id);
    for (int i = 1; i < v->n && !code; ++i) {
        if (strcmp(sorted[i - 1].id, sorted[i].id) != 0)
            continue;
        char text[160];
        snprintf(text, sizeof text, "the id '%.60s' stands in line %d already", sorted[i].id, sorted[i - 1].row);
        p->row = sorted[i].row;
        code = wrong(p, text);
    }
    free(sorted);
    return code;
}

/* A sum that no height could count is refused where it arises. */
static int check_sum(place *p, const tare__intervals *v)
{
    int64_t sum = 0;
    for (int i = 0; i < v->n; ++i) {
        p->row = v->row[i];
        if (v->interval[i].bytes > INT64_MAX / 4 || (sum += v->interval[i].bytes) > INT64_MAX / 4)
            return wrong(p, "the sizes up to here add up to more than 2^61");
    }
    return TARE__RAN;
}

static int read_lines(place *p, FILE *file, bool of_plan, tare__intervals *v)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    const char *more;
    int code = TARE__RAN;
    for (p->row = 1; !code && (length = tare__next_line(file, &text, &capacity)) > 0; ++p->row) {
        char *from = text + (p->row == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
        if (strlen(text) != (size_t)length)
            code = wrong(p, "it holds a zero byte: this is no CSV file");
        from[strcspn(from, "\r\n")] = 0;
        if (code || !*from)
            continue;
        if (v->n == 0 && is_head(from, &more)) {
            free(v->more_heads);
            v->more_heads = more ? tare__copy_text(more) : NULL;
            continue;
        }
        code = v->n == INT_MAX / 16 ? wrong(p, "more rows than can be planned") : read_row(p, from, of_plan, v);
    }
    if (!code && length < 0)
        code = tare__failed(p->line, "%s: %s", p->path, strerror(errno));
    free(text);
    return code;
}

int tare__intervals_read(const tare__line *line, const char *path, bool of_plan, tare__intervals *v)
{
    FILE *file = fopen(path, "r");
    place p = {line, path, 0};
    if (!file)
        return tare__failed(line, "%s: %s", path, strerror(errno));
    int code = read_lines(&p, file, of_plan, v);
    (void)fclose(file);
    if (!code && v->n == 0)
        code = tare__failed(line, "%s: it has no rows", path);
    if (!code)
        code = check_sum(&p, v);
    return code ? code : check_ids(&p, v);
}

char *tare__intervals_cells(const char *a, const char *b)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = tare__text_begin(&text, &bytes);
    tare__csv_text(to, a);
    fputc(',', to);
    tare__csv_text(to, b);
    tare__text_end(to);
    return text;
}

int tare__intervals_write(const tare__line *line, const char *path, const tare__intervals *v)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = tare__text_begin(&text, &bytes);
    fprintf(to, "id,lower,upper,size,offset%s%s\n", v->more_heads ? "," : "", v->more_heads ? v->more_heads : "");
    for (int i = 0; i < v->n; ++i) {
        const tare_interval *b = &v->interval[i];
        tare__csv_text(to, v->id[i]);
        fprintf(to, ",%lld,%lld,%lld,%lld", (long long)b->lower, (long long)b->upper, (long long)b->bytes,
                (long long)b->offset);
        fprintf(to, "%s%s\n", v->more[i] ? "," : "", v->more[i] ? v->more[i] : "");
    }
    tare__text_end(to);
    return tare__file_put(line, path, text, bytes, TARE_OK);
}
