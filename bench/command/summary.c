/* summary.c - `tare summary`: a net layer by layer - parameters, FLOPs, bytes, intensity - from its captured program.
 */
#include <stdlib.h>
#include <string.h>

#include "../arm/facts.h"
#include "../arm/request.h"
#include "../base/table.h"
#include "commands.h"

typedef struct {
    const char *path; /* borrowed from the program */
    char shape[TARE_DESC_TEXT];
    int nodes;
    int64_t parameters;
    double flops, bytes;
} row;

typedef struct {
    row *row;
    int n;
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

static void put_row(tare__table *t, const row *r)
{
    char text[TARE__FIGURE];
    tare__table_put(t, "%s", r->path);
    tare__table_put(t, "%s", r->shape);
    tare__table_put(t, "%d", r->nodes);
    tare__table_put(t, "%lld", (long long)r->parameters);
    tare__table_put(t, "%s", tare__figure_count(r->flops, text));
    tare__table_put(t, "%s", tare__figure_bytes(r->bytes, text));
    tare__table_put(t, "%.2f", r->bytes > 0 ? r->flops / r->bytes : 0);
}

static json_t *row_json(const row *r)
{
    return json_pack("{s:s,s:s,s:i,s:I,s:f,s:f}", "name", r->path, "output", r->shape, "nodes", r->nodes, "parameters",
                     (json_int_t)r->parameters, "flops", r->flops, "bytes", r->bytes);
}

static void print(const tare__line *line, const tare__arm *a, const rows *r, const row *total)
{
    static const char *head[] = {"<layer", "<result", "nodes", "parameters", "FLOPs", "bytes", "FLOPs/byte"};
    bool json = tare__given(line, "json");
    tare__table t;
    tare__table_init(&t, head, 7);
    for (int i = 0; i <= r->n; ++i) {
        const row *each = i < r->n ? &r->row[i] : total;
        put_row(&t, each);
        if (json) {
            json_t *object = row_json(each);
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
    tare_status status = tare__arm_prepare(&arm);
    if (status == TARE_OK) {
        const tare_program *p = tare_graph_program(arm.graph);
        rows r = {0};
        row total = {.path = "all"};
        for (int i = 0; i < p->n; ++i)
            add_node(&r, &p->node[i], i < arm.n_forward);
        for (int i = 0; i < r.n; ++i) {
            r.row[i].parameters = parameters_of(arm.net, r.row[i].path);
            total.nodes += r.row[i].nodes;
            total.parameters += r.row[i].parameters;
            total.flops += r.row[i].flops;
            total.bytes += r.row[i].bytes;
        }
        print(line, &arm, &r, &total);
        free(r.row);
    }
    code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    tare__arm_close(&arm);
    return code;
}
