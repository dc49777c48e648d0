/* summary.c - `tare summary`: a net layer by layer - parameters, FLOPs, bytes, intensity - from its captured program;
 * and with --measure the time that a layer takes beside the one that this machine's rates would allow. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/facts.h"
#include "../arm/request.h"
#include "../base/table.h"
#include "../measure/calls.h"
#include "commands.h"

typedef struct {
    const char *path; /* borrowed from the program */
    char shape[TARE_DESC_TEXT];
    int nodes;
    int64_t parameters;
    double flops, bytes;
    double roof_ns, ns; /* where it is measured */
} row;

typedef struct {
    row *row;
    int n;
    tare__call_times times; /* n 0: not measured */
} rows;

static row *row_of(rows *r, const char *path)
{
    path = path ? path : "(net)";
    for (int i = 0; i < r->n; ++i)
        if (strcmp(r->row[i].path, path) == 0)
            return &r->row[i];
    r->row = tare__more(r->row, (size_t)r->n + 1, sizeof *r->row);
    r->row[r->n] = (row){.path = path};
    return &r->row[r->n++];
}

/* A node's FLOPs, and the bytes of what it reads and writes. A layer's result is that of its last forward node. */
static void add_node(rows *r, const tare_node *n, bool forward)
{
    row *to = row_of(r, n->path);
    to->flops += tare__node_flops(n);
    if (n->variant) {
        ++to->nodes;
        to->bytes += tare__node_bytes(n);
        if (r->times.n)
            to->roof_ns +=
                fmax(tare__node_flops(n) / r->times.gemm_gflops, tare__node_bytes(n) / r->times.bandwidth_gbs);
    }
    if (forward || !*to->shape)
        tare_desc_text(&n->operand[n->n_in]->d, to->shape);
}

/* "dense0.weight" belongs to the layer dense0. */
static int64_t parameters_of(const tare_net *net, const char *path)
{
    int64_t n = 0;
    for (int i = 0; i < net->n_parameters; ++i) {
        const char *name = net->parameter[i].name, *dot = strrchr(name, '.');
        if (dot && strncmp(name, path, (size_t)(dot - name)) == 0 && !path[dot - name])
            n += tare_desc_count(&net->parameter[i].value->d);
    }
    return n;
}

/* What the plan runs of each layer. */
static void add_times(rows *r, const tare__arm *a)
{
    const tare_node *const *node;
    int n = tare_plan_calls(a->plan, &node);
    for (int i = 0; i < n && i < r->times.n; ++i)
        row_of(r, node[i]->path)->ns += r->times.ns[i];
}

static void put_row(tare__table *t, const row *r, bool measured)
{
    char text[TARE__FIGURE];
    tare__table_put(t, "%s", r->path);
    tare__table_put(t, "%s", r->shape);
    tare__table_put(t, "%d", r->nodes);
    tare__table_put(t, "%lld", (long long)r->parameters);
    tare__table_put(t, "%s", tare__figure_count(r->flops, text));
    tare__table_put(t, "%s", tare__figure_bytes(r->bytes, text));
    tare__table_put(t, "%.2f", r->bytes > 0 ? r->flops / r->bytes : 0);
    if (!measured)
        return;
    tare__table_put(t, "%s", tare__figure_ns(r->roof_ns, text));
    tare__table_put(t, "%s", tare__figure_ns(r->ns, text));
    if (r->ns > 0)
        tare__table_put(t, "%.0f %%", 100 * r->roof_ns / r->ns);
    else
        tare__table_put(t, "%s", "");
}

static json_t *row_json(const row *r, bool measured)
{
    json_t *object = json_pack("{s:s,s:s,s:i,s:I,s:f,s:f}", "name", r->path, "output", r->shape, "nodes", r->nodes,
                               "parameters", (json_int_t)r->parameters, "flops", r->flops, "bytes", r->bytes);
    if (measured) {
        json_object_set_new(object, "roofline_ns", json_real(r->roof_ns));
        json_object_set_new(object, "ns", json_real(r->ns));
    }
    return object;
}

static void print(const tare__line *line, const tare__arm *a, const rows *r, const row *total)
{
    static const char *head[] = {"<layer", "<result",    "nodes",    "parameters", "FLOPs",
                                 "bytes",  "FLOPs/byte", "roofline", "measured",   "share"};
    bool json = tare__given(line, "json"), measured = r->times.n > 0;
    tare__table t;
    tare__table_init(&t, head, measured ? 10 : 7);
    for (int i = 0; i <= r->n; ++i) {
        const row *each = i < r->n ? &r->row[i] : total;
        put_row(&t, each, measured);
        if (json) {
            json_t *object = row_json(each, measured);
            json_dumpf(object, stdout, JSON_COMPACT);
            printf("\n");
            json_decref(object);
        }
    }
    if (!json) {
        tare_plan_bytes plan = tare_plan_size(a->plan);
        char text[3][TARE__FIGURE];
        printf("%s, batch %lld, %s%s%s\n\n", a->net->label, (long long)a->batch, tare__work_names[a->task.work],
               a->task.optimizer ? " with " : "", a->task.optimizer ? a->task.optimizer : "");
        tare__table_print(&t, stdout);
        if (measured)
            printf("\n  the step %s, its kernels one by one %s, at the roof %s: sgemm %.1f GFLOP/s, memory %.1f GB/s\n"
                   "  medians of %d rounds of one process; the roof is the time that these rates, measured in them, "
                   "allow\n",
                   tare__figure_ns(r->times.step_ns, text[0]), tare__figure_ns(total->ns, text[1]),
                   tare__figure_ns(total->roof_ns, text[2]), r->times.gemm_gflops, r->times.bandwidth_gbs,
                   r->times.rounds);
        printf("\n  results: each its own %s, by reference counting %s, in one arena %s\n",
               tare__figure_bytes((double)plan.naive, text[0]), tare__figure_bytes((double)plan.refcount, text[1]),
               tare__figure_bytes((double)plan.arena, text[2]));
    }
    tare__table_fini(&t);
}

int tare__summary_run(const tare__line *line)
{
    tare__task task;
    tare__arm arm;
    int code = tare__step_arm_open(line, "summary", &task, &arm);
    if (code)
        return code;
    rows r = {0};
    double seconds = 5;
    code = tare__number(line, "time", 0.1, 1e6, &seconds);
    if (code) {
        tare__arm_close(&arm);
        return code;
    }
    tare_status status = tare__arm_prepare(&arm);
    if (status == TARE_OK && (tare__given(line, "measure") || tare__given(line, "time")))
        status = tare__call_times_take(&arm, seconds, &r.times);
    if (status == TARE_OK) {
        const tare_program *p = tare_graph_program(arm.graph);
        row total = {.path = "all"};
        for (int i = 0; i < p->n; ++i)
            add_node(&r, &p->node[i], i < arm.n_forward);
        add_times(&r, &arm);
        for (int i = 0; i < r.n; ++i) {
            r.row[i].parameters = parameters_of(arm.net, r.row[i].path);
            total.nodes += r.row[i].nodes;
            total.parameters += r.row[i].parameters;
            total.flops += r.row[i].flops;
            total.bytes += r.row[i].bytes;
            total.roof_ns += r.row[i].roof_ns;
            total.ns += r.row[i].ns;
        }
        print(line, &arm, &r, &total);
        free(r.row);
    }
    code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    tare__call_times_free(&r.times);
    tare__arm_close(&arm);
    return code;
}
