/* micro_process.c - one process of `tare micro`: rounds over all points (see micro.h).
 *
 * It is told {"process", "rounds", "seconds", "order_seed", "block_ns"} on its standard input, reads the points from
 * the same words as its parent, and says
 *     {"rates": round, "process", "blocks": [[rate, steps, ns, cpu_ns], ...]}
 *     {"point": i, "round", "process", "dropped", "blocks": [[way, steps, ns, cpu_ns], ...], "flops", "bytes", "work"}
 *     {"point": i, "failed": sentence}
 * Nothing is written while a block is timed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/random.h"
#include "../base/clock.h"
#include "../base/journal.h"
#include "measure.h"
#include "micro.h"

typedef struct {
    const tare__line *line;
    tare__micro_points points;
    tare__rates rates;
    bool variants;
    int process, round;
    int64_t order_seed, block_ns, begin_ns;
    int64_t rounds; /* 0: any number */
    double seconds; /* 0: no limit */
    struct forced { /* a copy of an operator, with one variant in front; lives as long as the runtime */
        const tare_op *of;
        int variant;
        tare_op op;
        tare_variant choice[2];
        char name[96];
        struct forced *next;
    } * forced;
} session;

/* ---- blocks ---------------------------------------------------------------------------------------------------*/

/* What a block runs: a way of a point, or a rate. */
typedef struct {
    tare__open_point *point;
    int way; /* or rate, where point is NULL */
    const session *in;
} runner;

static tare_status run_steps(const runner *r, int64_t steps)
{
    tare_status status = TARE_OK;
    for (int64_t k = 0; k < steps && status == TARE_OK; ++k)
        if (r->point)
            status = tare__point_run(r->point, (tare__way)r->way);
        else
            tare__rates_run(&r->in->rates, (tare__rate)r->way);
    return status == TARE_OK && r->point ? tare_runtime_wait(r->point->rt) : status;
}

/* That many steps, timed. */
static tare_status time_steps(const runner *r, int64_t steps, tare__block *b)
{
    int64_t cpu = tare__cpu_clock_ns(), begin = tare__clock_ns();
    tare_status status = run_steps(r, steps);
    *b = (tare__block){.steps = steps, .ns = tare__clock_ns() - begin, .cpu_ns = tare__cpu_clock_ns() - cpu};
    return status;
}

/* One step warms up, and is all of a block where it takes many times as long as one; steps are then doubled until they
 * take a good part of a block, which says how many fill it. */
static tare_status run_block(const runner *r, int64_t full_ns, tare__block *b)
{
    enum { LONG = 10 };
    tare_status status = time_steps(r, 1, b);
    if (b->ns >= LONG * full_ns)
        return status;
    for (int64_t steps = 1; status == TARE_OK; steps *= 2) {
        status = time_steps(r, steps, b);
        if (b->ns >= full_ns / 4)
            break;
    }
    if (status != TARE_OK || b->ns >= full_ns)
        return status;
    return time_steps(r, (int64_t)((double)b->steps * (double)full_ns / (double)b->ns) + 1, b);
}

static void put_block(json_t *blocks, int way, const tare__block *b)
{
    json_array_append_new(blocks,
                          json_pack("[i,I,I,I]", way, (json_int_t)b->steps, (json_int_t)b->ns, (json_int_t)b->cpu_ns));
}

/* ---- a point in its turn --------------------------------------------------------------------------------------*/

/* The operator with that variant in front of its reference, registered; NULL: the text is set. */
static const tare_op *force(session *s, const tare_op *op, int variant)
{
    for (struct forced *f = s->forced; f; f = f->next)
        if (f->of == op && f->variant == variant)
            return &f->op;
    struct forced *f = tare__take(1, sizeof *f);
    f->of = op;
    f->variant = variant;
    f->choice[0] = op->variants[variant];
    f->choice[1] = op->variants[op->n_variants - 1];
    f->op = *op;
    f->op.name = f->name;
    f->op.variants = f->choice;
    f->op.n_variants = variant == op->n_variants - 1 ? 1 : 2;
    snprintf(f->name, sizeof f->name, "%s of %s", f->choice[0].name, op->name);
    f->next = s->forced;
    s->forced = f;
    return tare_register(s->points.arm.rt, TARE_KIND_OPERATOR, &f->op) == TARE_OK ? &f->op : NULL;
}

static int ways_of(const session *s, const tare__point *p)
{
    return !s->variants ? TARE__WAY_COUNT : p->op ? p->op->n_variants : 0;
}

/* One way of an open point, put down under a number. */
static tare_status time_way(const session *s, tare__open_point *o, tare__way way, int number, json_t *line)
{
    tare__block b;
    if (way == TARE__WAY_KERNEL && o->n_calls == 0)
        return TARE_OK;
    tare_status status = run_block(&(runner){o, (int)way, s}, s->block_ns, &b);
    if (status == TARE_OK)
        put_block(json_object_get(line, "blocks"), number, &b);
    return status;
}

static void say_work(const tare__open_point *o, json_t *line)
{
    int n;
    double flops, bytes;
    tare__node_work *work = tare__point_work(o, &n, &flops, &bytes);
    json_t *list = json_array();
    for (int i = 0; i < n; ++i)
        json_array_append_new(list, json_pack("[f,f,I]", work[i].flops, work[i].bytes, (json_int_t)work[i].n));
    json_object_set_new(line, "flops", json_real(flops));
    json_object_set_new(line, "bytes", json_real(bytes));
    json_object_set_new(line, "work", list);
    free(work);
}

static tare_status time_ways(session *s, const tare__point *p, const int64_t *order, json_t *line)
{
    tare__open_point o;
    tare_status status = tare__point_open(&o, s->points.arm.rt, p, NULL);
    if (status == TARE_OK)
        say_work(&o, line);
    for (int k = 0; k < TARE__WAY_COUNT && status == TARE_OK; ++k)
        status = time_way(s, &o, (tare__way)order[k], (int)order[k], line);
    tare__point_close(&o);
    return status;
}

/* The kernel variants that fit and can run here, each with operands of its own. */
static tare_status time_variants(session *s, const tare__point *p, int n, const int64_t *order, json_t *line)
{
    tare_status status = TARE_OK;
    tare_runtime *rt = s->points.arm.rt;
    for (int k = 0; k < n && status == TARE_OK; ++k) {
        const int variant = (int)order[k];
        const tare_variant *v = &p->op->variants[variant];
        tare__open_point o;
        if (v->isa > rt->isa)
            continue;
        const tare_op *op = force(s, p->op, variant);
        status = op ? tare__point_open(&o, rt, p, op) : TARE_IMPOSSIBLE;
        if (!op)
            break;
        const tare_node *const *node;
        bool fits =
            status == TARE_OK && tare_plan_calls(o.plan, &node) == 1 && strcmp(node[0]->variant->name, v->name) == 0;
        if (fits) {
            say_work(&o, line);
            status = time_way(s, &o, TARE__WAY_KERNEL, variant, line);
        }
        tare__point_close(&o);
    }
    return status;
}

static tare_status time_point(session *s, int i)
{
    const tare__point *p = &s->points.points.point[i];
    const int n = ways_of(s, p);
    int64_t order[n + 1];
    uint64_t stream = ((uint64_t)s->process << 48 | (uint64_t)s->round << 24) + (uint64_t)i + 1;
    tare_random_permutation(order, n, (uint64_t)s->order_seed, stream);
    json_t *line = json_pack("{s:i,s:i,s:i,s:[]}", "point", i, "round", s->round, "process", s->process, "blocks");
    tare__disturbance before = tare__disturbance_now();
    int64_t begin = tare__clock_ns(), cpu = tare__thread_clock_ns();
    tare_status status = s->variants ? time_variants(s, p, n, order, line) : time_ways(s, p, order, line);
    int64_t ns = tare__clock_ns() - begin, cpu_ns = tare__thread_clock_ns() - cpu;
    tare__disturbance after = tare__disturbance_now();
    if (status == TARE_OK) {
        json_object_set_new(line, "dropped", json_boolean(tare__disturbed(&before, &after, ns, cpu_ns)));
        tare__measure_say(line);
        return TARE_OK;
    }
    json_decref(line);
    tare__measure_say(json_pack("{s:i,s:s}", "point", i, "failed", tare_error_text()));
    return TARE_OK;
}

/* ---- rounds ---------------------------------------------------------------------------------------------------*/

static void time_rates(session *s)
{
    json_t *blocks = json_array();
    for (int rate = 0; rate < TARE__RATE_COUNT; ++rate) {
        tare__block b = {0};
        (void)run_block(&(runner){NULL, rate, s}, TARE__BLOCK_NS, &b);
        put_block(blocks, rate, &b);
    }
    tare__measure_say(json_pack("{s:i,s:i,s:o}", "rates", s->round, "process", s->process, "blocks", blocks));
}

static bool time_left(const session *s)
{
    return s->seconds <= 0 || (double)(tare__clock_ns() - s->begin_ns) * 1e-9 < s->seconds;
}

static void run_rounds(session *s)
{
    const int n = s->points.points.n;
    int64_t *order = tare__take((size_t)n + 1, sizeof *order);
    for (s->round = 0; s->round == 0 || (time_left(s) && (!s->rounds || s->round < s->rounds)); ++s->round) {
        uint64_t stream = (uint64_t)s->process << 32 | (uint64_t)s->round;
        tare_random_permutation(order, n, (uint64_t)s->order_seed, stream);
        time_rates(s);
        for (int k = 0; k < n && (k == 0 || time_left(s)); ++k)
            (void)time_point(s, (int)order[k]);
    }
    free(order);
    tare__measure_say(json_pack("{s:i,s:i}", "done", s->round, "process", s->process));
}

int tare__micro_process_run(const tare__line *line)
{
    session s = {.line = line, .variants = tare__given(line, "variants"), .begin_ns = tare__clock_ns()};
    tare__journal_need_json();
    json_t *request = json_loadf(stdin, 0, NULL);
    s.process = (int)tare__field(request, "process");
    s.rounds = tare__field(request, "rounds");
    s.order_seed = tare__field(request, "order_seed");
    s.block_ns = tare__field(request, "block_ns");
    s.seconds = json_number_value(json_object_get(request, "seconds"));
    bool told = request && s.block_ns > 0;
    json_decref(request);
    int code = told ? tare__micro_points_read(line, &s.points)
                    : tare__usage(line, "this is a process of tare micro, and is told nothing");
    if (!code) {
        tare__rates_init(&s.rates, s.points.arm.rt->options.threads);
        run_rounds(&s);
        tare__rates_fini(&s.rates);
    }
    if (told)
        tare__micro_points_free(&s.points);
    while (s.forced) {
        struct forced *next = s.forced->next;
        free(s.forced);
        s.forced = next;
    }
    return code;
}
