/* points.c - the points of a line: operators, families, a net's nodes (see points.h). */
#include "points.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../arm/request.h"
#include "../base/table.h"

enum { SIZES_MOST = 64 };
typedef struct {
    const tare__line *line;
    tare__micro_points *to;
    int64_t size[SIZES_MOST];
    int n_sizes;
} reading;

/* ---- sizes and operands ---------------------------------------------------------------------------------------*/

static int read_sizes(reading *r)
{
    const char *text = tare__text(r->line, "sizes");
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char *end;
        errno = 0;
        long long size = strtoll(at, &end, 10);
        if (end == at || (*end && *end != ',') || errno || size < 1 || size > INT32_MAX)
            return tare__usage(r->line, "--sizes needs whole numbers from 1 to %d, not '%.*s'", INT32_MAX,
                               (int)strcspn(at, ","), at);
        if (r->n_sizes == SIZES_MOST)
            return tare__usage(r->line, "--sizes takes %d numbers at most", SIZES_MOST);
        r->size[r->n_sizes++] = size;
    }
    return TARE__RAN;
}

/* Bytes of operands as a text has them, their elements taken for eight bytes each. */
static double bytes_of(const char *text)
{
    double bytes = 0;
    for (const char *c = text; (c = strchr(c, '[')); ++c) {
        double count = 8;
        for (char *end; *c && *c != ']'; c = end) {
            double dim = strtod(c + 1, &end);
            if (end == c + 1)
                break;
            count *= dim;
        }
        bytes += count;
    }
    return bytes;
}

static int check_bytes(const tare__line *line, const tare__point *p)
{
    double most = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 2, bytes = bytes_of(p->operands);
    char text[2][TARE__FIGURE];
    return bytes <= most
               ? TARE__RAN
               : tare__usage(line, "%s of %s needs up to %s of operands, more than half of this machine's %s", p->name,
                             p->operands, tare__figure_bytes(bytes, text[0]), tare__figure_bytes(2 * most, text[1]));
}

/* Whether the operator takes such operands, before a process is started for them. */
static int check_point(const tare__line *line, const tare__point *p)
{
    int code = check_bytes(line, p);
    if (code || !p->op)
        return code;
    const tare_sample sample = {TARE_SAMPLE_BENCH, p->operands, p->attributes, NULL};
    tare__case s;
    if (!tare__case_read(&s, p->op, &sample, false))
        return tare__usage(line, "'%s' are no operands: f32[3,5] i32[3]<0,5> -", p->operands);
    if (s.status != TARE_OK)
        return tare__status_usage(line, s.status);
    const tare_desc *in[TARE__CASE_INPUTS];
    tare_desc d[TARE__CASE_OUTPUTS], *out[TARE__CASE_OUTPUTS];
    for (int i = 0; i < s.n_in; ++i)
        in[i] = s.present[i] ? &s.d[i] : NULL;
    for (int o = 0; o < TARE__CASE_OUTPUTS; ++o)
        out[o] = &d[o];
    if (p->op->n_in >= 0 && s.n_in != p->op->n_in)
        return tare__usage(line, "%s takes %d operands, not the %d of '%s'", p->name, p->op->n_in, s.n_in, p->operands);
    for (int i = 0; i < s.n_in; ++i)
        if (!in[i] && !(p->op->optional >> i & 1))
            return tare__usage(line, "%s: operand %d cannot be absent", p->name, i);
    tare_args args = {p->op, s.attr, (const tare_desc_ref *)in, s.n_in, s.absent, NULL, NULL};
    tare_status status = p->op->infer(&args, (const tare_desc_out *)out);
    return status == TARE_OK ? TARE__RAN : tare__status_usage(line, status);
}

/* "f32[64,20] f32[20]" with another number in front: of every operand that begins as the first one does. */
static char *other_front(const char *text, int64_t size)
{
    char *changed = NULL;
    size_t bytes, first = strcspn(text, "[") + 1, length;
    FILE *out = tare__text_begin(&changed, &bytes);
    const char *front = text[first - 1] ? text + first : "";
    length = strspn(front, "0123456789");
    for (const char *c = text; *c;) {
        bool same =
            c != text && c[-1] == '[' && length && strspn(c, "0123456789") == length && strncmp(c, front, length) == 0;
        if (same)
            fprintf(out, "%lld", (long long)size);
        else
            (void)fputc(*c, out);
        c += same ? length : 1;
    }
    tare__text_end(out);
    return changed;
}

/* ---- operators ------------------------------------------------------------------------------------------------*/

/* sized: NULL or --sizes; operands: taken over */
static int add_operator(reading *r, const tare_op *op, char *operands, const char *attributes, const int64_t *sized)
{
    tare__point *p = tare__points_add(&r->to->points);
    p->name = tare__copy_text(op->name);
    p->op = op;
    p->operands = operands;
    p->attributes = tare__copy_text(attributes ? attributes : "");
    if (sized) {
        p->family = op->name;
        p->size = (double)*sized;
    }
    return check_point(r->line, p);
}

static int add_samples(reading *r, const tare_op *op)
{
    const char *given = tare__text(r->line, "operands"), *attributes = tare__text(r->line, "attributes");
    int code = TARE__RAN;
    for (int i = 0; i < r->n_sizes && given && !code; ++i)
        code = add_operator(r, op, tare__operands_sized(given, r->size[i]), attributes, &r->size[i]);
    if (given && !r->n_sizes)
        return add_operator(r, op, tare__copy_text(given), attributes, NULL);
    for (int k = 0; k < op->n_samples && !given && !code; ++k) {
        const tare_sample *s = &op->samples[k];
        if (s->use != TARE_SAMPLE_BENCH)
            continue;
        for (int i = 0; i < r->n_sizes && !code; ++i)
            code = add_operator(r, op, other_front(s->shapes, r->size[i]), s->attr, &r->size[i]);
        if (r->n_sizes)
            break;
        code = add_operator(r, op, tare__copy_text(s->shapes), s->attr, NULL);
    }
    return code;
}

static int add_word(reading *r, const char *word)
{
    const tare_op *op = tare_find(r->to->arm.rt, TARE_KIND_OPERATOR, word);
    int before = r->to->points.n, code = op ? add_samples(r, op) : tare__status_usage(r->line, TARE_NOT_FOUND);
    return code || r->to->points.n > before
               ? code
               : tare__usage(r->line, "%s has no bench case: say --operands \"f32[64,20] f32[20]\"", word);
}

static int add_all(reading *r)
{
    tare_runtime *rt = r->to->arm.rt;
    int code = TARE__RAN;
    for (int i = 0; i < rt->n_records[TARE_KIND_OPERATOR] && !code; ++i)
        code = add_samples(r, (const tare_op *)rt->record[TARE_KIND_OPERATOR][i]);
    return code;
}

/* ---- families -------------------------------------------------------------------------------------------------*/

static int add_family(reading *r, const char *name, size_t length)
{
    const char *names[32];
    int n = 0;
    char text[TARE__NEAREST], word[64];
    bool all = length == 3 && strncmp(name, "all", 3) == 0, known = false;
    for (const tare__family *f = tare__families; f->name; names[n++] = f++->name)
        if (all || (strlen(f->name) == length && strncmp(f->name, name, length) == 0)) {
            tare__family_add(&r->to->points, r->to->arm.rt, f, r->n_sizes ? r->size : NULL, r->n_sizes);
            known = true;
        }
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    return known ? TARE__RAN : tare__usage(r->line, "unknown family '%s'%s", word, tare__nearest(word, names, n, text));
}

static int add_families(reading *r, const char *list)
{
    int code = TARE__RAN;
    for (const char *at = list; at && !code; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        code = add_family(r, at, strcspn(at, ","));
    for (int i = 0; i < r->to->points.n && !code; ++i)
        code = check_point(r->line, &r->to->points.point[i]);
    return code;
}

/* ---- the nodes of a net ---------------------------------------------------------------------------------------*/

static bool alike(const tare_node *a, const tare_node *b)
{
    int64_t x[9 * 32], y[9 * 32];
    if (a->op != b->op || a->variant != b->variant || a->n_in != b->n_in || a->n_out != b->n_out ||
        a->absent != b->absent)
        return false;
    int n = a->op->n_attrs <= 32 ? tare_attr_words(a->op->attrs, a->op->n_attrs, a->attr, x) : -1;
    if (n < 0 || tare_attr_words(b->op->attrs, b->op->n_attrs, b->attr, y) != n ||
        memcmp(x, y, (size_t)n * sizeof *x) != 0)
        return false;
    for (int k = 0; k < a->n_in + a->n_out; ++k) {
        const tare_value *v = a->operand[k], *w = b->operand[k];
        if (!v != !w || (v && (v->d.dtype != w->d.dtype || !tare_desc_same_shape(&v->d, &w->d))))
            return false;
    }
    return true;
}

static char *operands_text(const tare_node *n)
{
    char *text = NULL, shape[TARE_DESC_TEXT];
    size_t bytes;
    FILE *out = tare__text_begin(&text, &bytes);
    for (int i = 0; i < n->n_in; ++i) {
        const tare_value *v = n->operand[i];
        fprintf(out, "%s%s%s", i ? " " : "", v ? tare__case_dtypes[v->d.dtype] : "-",
                v ? tare_desc_text(&v->d, shape) : "");
    }
    tare__text_end(out);
    return text;
}

static bool wanted(const tare__line *line, const tare_node *n)
{
    bool named = line->n_words == 0;
    for (int i = 0; i < line->n_words; ++i)
        named |= strcmp(line->word[i], n->op->name) == 0;
    return named && n->variant && n->n_in <= TARE__CASE_INPUTS;
}

static void add_node(reading *r, const tare_node *n)
{
    tare__points *points = &r->to->points;
    for (int i = 0; i < points->n; ++i)
        if (alike(points->point[i].node, n)) {
            ++points->point[i].times;
            return;
        }
    char text[512];
    tare__point *p = tare__points_add(points);
    p->name = tare__copy_text(n->op->name);
    p->op = n->op;
    p->node = n;
    p->graph = r->to->arm.graph;
    p->bound = r->to->bound;
    p->operands = operands_text(n);
    p->attributes =
        tare__copy_text(n->attr ? tare_attr_print(n->op->attrs, n->op->n_attrs, n->attr, text, sizeof text) : "");
}

static int add_net(reading *r)
{
    tare__arm *a = &r->to->arm;
    tare_status status = tare__arm_prepare(a);
    if (status != TARE_OK)
        return tare__status_failed(r->line, status);
    tare_value *const bound[] = {a->x, a->target, a->head};
    int n = 0;
    for (int i = 0; i < 3; ++i)
        if (bound[i])
            r->to->bound[n++] = bound[i];
    for (int i = 0; i < r->line->n_words; ++i)
        if (!tare_find(a->rt, TARE_KIND_OPERATOR, r->line->word[i]))
            return tare__status_usage(r->line, TARE_NOT_FOUND);
    const tare_program *p = tare_graph_program(a->graph);
    for (int i = 0; i < p->n; ++i)
        if (wanted(r->line, &p->node[i]))
            add_node(r, &p->node[i]);
    return r->to->points.n ? TARE__RAN
                           : tare__failed(r->line, "%s has no such node with a kernel", tare__text(r->line, "net"));
}

/* ---- the line -------------------------------------------------------------------------------------------------*/

static int open_arm(reading *r, const char *net)
{
    const char *word[] = {net};
    tare__line line = *r->line;
    line.word = word;
    line.n_words = 1;
    return tare__step_arm_open(&line, "micro", &r->to->task, &r->to->arm);
}

static int check_together(const tare__line *line)
{
    bool net = tare__given(line, "net"), family = tare__given(line, "family"), operands = tare__given(line, "operands");
    if (net && (family || operands || tare__given(line, "sizes")))
        return tare__usage(line, "--net has its own operands: --family, --operands and --sizes mean nothing with it");
    if (family && (operands || line->n_words))
        return tare__usage(line,
                           "a family has its own operators: --operands and names of operators mean nothing with it");
    if (operands && line->n_words != 1)
        return tare__usage(line, "--operands needs one operator to be of");
    if (tare__given(line, "attributes") && !operands)
        return tare__usage(line, "--attributes means nothing without --operands");
    if (!net && (tare__given(line, "batch") || tare__given(line, "optimizer")))
        return tare__usage(line, "--batch and --optimizer mean nothing without --net");
    return TARE__RAN;
}

int tare__micro_points_read(const tare__line *line, tare__micro_points *to)
{
    *to = (tare__micro_points){0};
    reading r = {.line = line, .to = to};
    const char *net = tare__text(line, "net"), *family = tare__text(line, "family");
    int code = check_together(line);
    if (!code)
        code = read_sizes(&r);
    if (!code)
        code = open_arm(&r, net ? net : "chain:depth=1,width=1");
    if (!code && net)
        return add_net(&r);
    if (!code && family)
        return add_families(&r, family);
    for (int i = 0; i < line->n_words && !code; ++i)
        code = add_word(&r, line->word[i]);
    return !code && line->n_words == 0 ? add_all(&r) : code;
}

void tare__micro_points_free(tare__micro_points *to)
{
    tare__points_free(&to->points);
    tare__arm_close(&to->arm);
}
