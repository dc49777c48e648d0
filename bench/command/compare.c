/* compare.c - `tare compare`: contrasts between two files of runs, arm by arm.
 *
 * Runs of the same net, batch, work, optimizer and threads belong together; a side's several runs of one kind are taken
 * as more processes. The processes of the two sides are independent, so the contrast is Welch's, of the logarithm of
 * the step. The machine's own sgemm stands for what both sides share: where its contrast leaves 1 +- the limit, the
 * machine changed between the files, and nothing else can be said of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/digest.h"
#include "../base/table.h"
#include "../measure/stored.h"
#include "commands.h"

typedef struct {
    const char *arm;
    double *log[2]; /* of each process of a side */
    int n[2];
    const tare__stored *run[2]; /* the first of each side */
    tare__interval between;     /* log of B less log of A */
    double p, p_holm;
    const char *note; /* why there is no verdict; NULL */
} contrast;

/* What two runs must have in common. */
typedef struct {
    const tare__stored *first; /* of it */
    contrast *contrast;
    int n;
} group;

typedef struct {
    const tare__line *line;
    tare__store store[2];
    group *group;
    int n_groups;
    bool by_machine, across;
    double limit;
    char cause[200]; /* why it is not to be trusted; "": it is */
} session;

static json_t *field_of(const tare__stored *run, const char *field)
{
    return json_object_get(json_array_get(run->lines, 0), field);
}

static bool same(const tare__stored *a, const tare__stored *b, const char *field)
{
    return json_equal(field_of(a, field), field_of(b, field));
}

static bool same_work(const tare__stored *a, const tare__stored *b)
{
    static const char *const end[] = {"work", "optimizer"};
    for (int f = 0; f < 2 && a->end && b->end; ++f)
        if (!json_equal(json_object_get(a->end, end[f]), json_object_get(b->end, end[f])))
            return false;
    return same(a, b, "net") && same(a, b, "batch") && same(a, b, "threads") && same(a, b, "device");
}

/* ---- gathering -----------------------------------------------------------------------------------------------*/

static group *group_of(session *s, const tare__stored *run)
{
    for (int g = 0; g < s->n_groups; ++g)
        if (same_work(s->group[g].first, run) && (!s->by_machine || same(s->group[g].first, run, "machine")))
            return &s->group[g];
    s->group = tare__more(s->group, (size_t)s->n_groups + 1, sizeof *s->group);
    s->group[s->n_groups] = (group){.first = run};
    return &s->group[s->n_groups++];
}

static contrast *contrast_of(group *g, const char *arm)
{
    for (int c = 0; c < g->n; ++c)
        if (strcmp(g->contrast[c].arm, arm) == 0)
            return &g->contrast[c];
    g->contrast = tare__more(g->contrast, (size_t)g->n + 1, sizeof *g->contrast);
    g->contrast[g->n] = (contrast){.arm = arm};
    return &g->contrast[g->n++];
}

static void add_run(session *s, int side, const tare__stored *run)
{
    group *g = group_of(s, run);
    for (int i = 0; i < run->blocks.n_arms; ++i) {
        contrast *c = contrast_of(g, run->name[i]);
        int n;
        double *log = tare__process_logs(&run->summary, &run->blocks, i, &n);
        c->log[side] = tare__more(c->log[side], (size_t)(c->n[side] + n), sizeof *log);
        memcpy(c->log[side] + c->n[side], log, (size_t)n * sizeof *log);
        c->n[side] += n;
        c->run[side] = c->run[side] ? c->run[side] : run;
        free(log);
    }
}

/* The first field in which two machines differ. */
static int refuse_machines(const session *s, const tare__stored *a, const tare__stored *b)
{
    const char *name = "machine";
    json_t *value, *other = field_of(b, "machine");
    json_object_foreach(field_of(a, "machine"), name,
                        value) if (!json_equal(value, json_object_get(other, name))) break;
    char *x = json_dumps(json_object_get(field_of(a, "machine"), name), JSON_ENCODE_ANY);
    char *y = json_dumps(json_object_get(other, name), JSON_ENCODE_ANY);
    int code = tare__failed(s->line,
                            "the files are of different machines (%s: %s and %s): --by machine keeps them apart, "
                            "--across compares them all the same",
                            name, x ? x : "none", y ? y : "none");
    free(x);
    free(y);
    return code;
}

static int check_machines(const session *s)
{
    for (int i = 0; i < s->store[0].n; ++i)
        for (int k = 0; k < s->store[1].n; ++k)
            if (!same(&s->store[0].run[i], &s->store[1].run[k], "machine"))
                return refuse_machines(s, &s->store[0].run[i], &s->store[1].run[k]);
    return TARE__RAN;
}

/* ---- figures -------------------------------------------------------------------------------------------------*/

/* Other results or other kernel calls: what is compared is not the same work. */
static const char *difference(const contrast *c)
{
    const json_t *a = tare__stored_line(c->run[0], "opening", c->arm),
                 *b = tare__stored_line(c->run[1], "opening", c->arm);
    if (!a || !b)
        return NULL;
#define TARE__OTHER(name)                                                                                              \
    {                                                                                                                  \
        const json_t *x = json_object_get(json_object_get(a, "digest"), #name),                                        \
                     *y = json_object_get(json_object_get(b, "digest"), #name);                                        \
        if (json_is_string(x) && json_is_string(y) && !json_equal(x, y))                                               \
            return "other " #name;                                                                                     \
    }
    TARE__DIGESTS(TARE__OTHER)
#undef TARE__OTHER
    return json_equal(json_object_get(a, "calls_digest"), json_object_get(b, "calls_digest")) ? NULL
                                                                                              : "other kernel calls";
}

static bool is_rate(const session *s, const contrast *c)
{
    (void)s;
    return !tare__stored_line(c->run[0] ? c->run[0] : c->run[1], "opening", c->arm);
}

static void take_contrast(contrast *c)
{
    double freedom;
    tare__interval a = tare__interval_of(c->log[0], c->n[0]), b = tare__interval_of(c->log[1], c->n[1]);
    c->between = tare__interval_between(b, a, &freedom);
    c->p = tare__p_value_of(c->between.mean, c->between.se, freedom);
    c->note = difference(c);
}

static void distrust(session *s, const char *format, double low, double high)
{
    if (!*s->cause)
        snprintf(s->cause, sizeof s->cause, format, low, high);
}

static void judge(session *s, const contrast *c)
{
    for (int side = 0; side < 2; ++side)
        if (!c->run[side]->summary.trusted && !*s->cause)
            snprintf(s->cause, sizeof s->cause, "a run of %s is itself not trusted", c->run[side]->path);
    tare__interval ratio = tare__interval_exp(c->between);
    if (strcmp(c->arm, "sgemm") != 0)
        return;
    if (!isfinite(ratio.low))
        distrust(s, "one process on a side says nothing about the spread between processes", 0, 0);
    else if (!(ratio.low >= 1 - s->limit && ratio.high <= 1 + s->limit))
        distrust(s, "the machine's own sgemm took %.4f-%.4f times as long: the machine changed between the files",
                 ratio.low, ratio.high);
}

/* All contrasts of all groups are one family. */
static int take_figures(session *s)
{
    int n = 0, m = 0;
    for (int g = 0; g < s->n_groups; ++g)
        n += s->group[g].n;
    double *p = tare__take((size_t)n + 1, sizeof *p), *adjusted = tare__take((size_t)n + 1, sizeof *p);
    contrast **of = tare__take((size_t)n + 1, sizeof *of);
    for (int g = 0; g < s->n_groups; ++g)
        for (int i = 0; i < s->group[g].n; ++i) {
            contrast *c = &s->group[g].contrast[i];
            if (!c->n[0] || !c->n[1])
                continue;
            take_contrast(c);
            judge(s, c);
            p[m] = is_rate(s, c) || strcmp(c->arm, "aa") == 0 ? (double)NAN : c->p;
            of[m++] = c;
        }
    tare__holm(p, adjusted, m);
    for (int i = 0; i < m; ++i)
        of[i]->p_holm = adjusted[i];
    free(p);
    free(adjusted);
    free(of);
    return m;
}

/* ---- tables --------------------------------------------------------------------------------------------------*/

static void put_verdict(tare__table *t, const session *s, const contrast *c)
{
    if (is_rate(s, c))
        tare__table_put(t, "the machine");
    else if (c->note)
        tare__table_put(t, "%s", c->note);
    else if (*s->cause || !isfinite(c->p_holm))
        tare__table_put(t, "-");
    else if (c->p_holm >= 0.05)
        tare__table_put(t, "none above %.2g %%", 100 * tare__smallest_effect(c->between));
    else
        tare__table_put(t, c->between.mean > 0 ? "slower" : "faster");
}

static void print_group(const session *s, const group *g)
{
    static const char *head[] = {"<arm", "A", "B", "B / A", "95 % interval", "<verdict on B"};
    tare__table t;
    char text[TARE__FIGURE];
    tare__table_init(&t, head, 6);
    for (int i = 0; i < g->n; ++i) {
        const contrast *c = &g->contrast[i];
        if (!c->n[0] || !c->n[1])
            continue;
        tare__interval ratio = tare__interval_exp(c->between);
        tare__table_put(&t, "%s", c->arm);
        for (int side = 0; side < 2; ++side)
            tare__table_put(&t, "%s", tare__figure_ns(exp(tare__mean(c->log[side], c->n[side])), text));
        tare__table_put(&t, "%s", tare__figure_plain(ratio.mean, 4, text));
        tare__table_put(&t, isfinite(ratio.low) ? "%.4f-%.4f" : "-", ratio.low, ratio.high);
        put_verdict(&t, s, c);
    }
    if (!t.n_cells) {
        tare__table_fini(&t);
        return;
    }
    const char *net = json_string_value(field_of(g->first, "net")), *work = tare__field_text(g->first->end, "work");
    const char *optimizer = tare__field_text(g->first->end, "optimizer");
    printf("%s, batch %lld, %s%s%s, %lld threads", net ? net : "?",
           (long long)json_integer_value(field_of(g->first, "batch")), work ? work : "?", optimizer ? " with " : "",
           optimizer ? optimizer : "", (long long)json_integer_value(field_of(g->first, "threads")));
    const char *host = tare__field_text(field_of(g->first, "machine"), "host");
    printf(s->by_machine && host ? ", on %s\n" : "\n", host);
    tare__table_print(&t, stdout);
    printf("\n");
    tare__table_fini(&t);
}

static int print(session *s)
{
    int m = take_figures(s);
    if (!m)
        return tare__failed(s->line, "the files have no arm in common (net, batch, work, optimizer, threads, name%s)",
                            s->by_machine ? ", machine" : "");
    printf("A: %s\nB: %s\n\n", s->line->word[0], s->line->word[1]);
    if (*s->cause)
        printf("MISTRUSTED: %s.\n\n", s->cause);
    for (int g = 0; g < s->n_groups; ++g)
        print_group(s, &s->group[g]);
    return *s->cause ? TARE__UNTRUSTED : TARE__RAN;
}

static int run(session *s)
{
    const tare__line *line = s->line;
    s->by_machine = tare__given(line, "by");
    s->across = tare__given(line, "across");
    s->limit = 100 * TARE__TRUST_LIMIT;
    int code = tare__by_machine(line);
    if (!code)
        code = tare__number(line, "trust", 0.001, 50, &s->limit);
    s->limit /= 100;
    for (int side = 0; side < 2 && !code; ++side)
        code = tare__store_read(line, line->word[side], tare__given(line, "partial"), &s->store[side]);
    if (!code && !s->by_machine && !s->across)
        code = check_machines(s);
    for (int side = 0; side < 2 && !code; ++side)
        for (int i = 0; i < s->store[side].n; ++i)
            add_run(s, side, &s->store[side].run[i]);
    return code ? code : print(s);
}

int tare__compare_run(const tare__line *line)
{
    session s = {.line = line};
    int code = run(&s);
    for (int g = 0; g < s.n_groups; ++g) {
        for (int i = 0; i < s.group[g].n; ++i) {
            free(s.group[g].contrast[i].log[0]);
            free(s.group[g].contrast[i].log[1]);
        }
        free(s.group[g].contrast);
    }
    free(s.group);
    tare__store_free(&s.store[0]);
    tare__store_free(&s.store[1]);
    return code;
}
