/* facts.c - nodes, FLOPs, bytes, counts, peaks (see facts.h). */
#include "facts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

double tare__node_flops(const tare_node *n)
{
    tare_args args = tare_node_args(n);
    return n->op->flops ? n->op->flops(&args, (const tare_desc_ref *)(n->operand + n->n_in)) : 0;
}

double tare__node_bytes(const tare_node *n)
{
    double bytes = 0;
    for (int i = 0; i < n->n_in + n->n_out; ++i)
        bytes += n->operand[i] ? (double)tare_desc_bytes(&n->operand[i]->d) : 0;
    return bytes;
}

int32_t tare__node_place(const tare_node *n)
{
    int o = n->n_in;
    while (!n->operand[o])
        ++o;
    return n->operand[o]->node;
}

double tare__program_flops(const tare_program *p)
{
    double flops = 0;
    for (int i = 0; i < p->n; ++i)
        flops += p->node[i].op ? tare__node_flops(&p->node[i]) : 0;
    return flops;
}

/* Nodes that are alike are added up: a net of many layers has few kinds. */
static void take_work(const tare_program *p, tare__facts *facts)
{
    facts->work = tare__take((size_t)p->n + 1, sizeof *facts->work);
    for (int i = 0; i < p->n; ++i) {
        if (!p->node[i].op || !p->node[i].variant)
            continue;
        tare__node_work one = {tare__node_flops(&p->node[i]), tare__node_bytes(&p->node[i]), 1};
        int w = 0;
        while (w < facts->n_work && memcmp(&facts->work[w], &one, offsetof(tare__node_work, n)) != 0)
            ++w;
        if (w == facts->n_work)
            facts->work[facts->n_work++] = one;
        else
            ++facts->work[w].n;
    }
}

static int64_t bytes_of(const tare_value *v)
{
    return v ? (int64_t)tare_desc_bytes(&v->d) : 0;
}

static void take_bytes(const tare__arm *a, tare__facts *facts)
{
    facts->input_bytes = bytes_of(a->x) + bytes_of(a->target) + bytes_of(a->head);
    for (int i = 0; i < a->net->n_parameters; ++i)
        facts->parameter_bytes += bytes_of(a->net->parameter[i].value);
    for (int i = 0; i < a->net->n_states; ++i)
        facts->parameter_bytes += bytes_of(a->net->state[i].value);
    if (!a->optimizer)
        return;
    const tare_optimizer *o = a->optimizer;
    facts->optimizer_bytes = bytes_of(o->learning_rate) + bytes_of(o->clip) + bytes_of(o->step);
    for (int i = 0; i < a->net->n_parameters * o->type->n_states; ++i)
        facts->optimizer_bytes += bytes_of(o->state[i]);
}

static tare_status open_rung(tare__arm *a, const tare__task *task, const char *rung)
{
    tare__setting setting = tare__setting_of(tare__rung_find(rung), task->optimizer != NULL);
    tare_status status = tare__arm_open(a, task, &setting, rung);
    if (status != TARE_OK)
        return status;
    status = tare__arm_prepare(a);
    if (status != TARE_OK)
        tare__arm_close(a);
    return status;
}

static tare_status take_memory(const tare__arm *a, tare__facts *facts)
{
    tare__memory memory;
    tare_status status = tare__memory_take(a, &memory);
    if (status != TARE_OK)
        return status;
    facts->plan = memory.bytes;
    facts->memory = tare__memory_sides(&memory);
    tare__memory_free(&memory);
    return TARE_OK;
}

tare_status tare__facts_take(const tare__task *task, tare__facts *facts)
{
    *facts = (tare__facts){0};
    tare__arm arm;
    tare_status status = open_rung(&arm, task, "step");
    if (status != TARE_OK)
        return status;
    facts->label = tare__copy_text(arm.net->label);
    facts->batch = arm.batch;
    facts->nodes = tare_graph_nodes(arm.graph);
    facts->flops = tare__program_flops(tare_graph_program(arm.graph));
    take_work(tare_graph_program(arm.graph), facts);
    take_bytes(&arm, facts);
    status = take_memory(&arm, facts);
    tare__arm_close(&arm);
    if (status != TARE_OK)
        tare__facts_free(facts);
    if (!task->optimizer || status != TARE_OK)
        return status;
    status = open_rung(&arm, task, "symbol");
    if (status != TARE_OK) {
        tare__facts_free(facts);
        return status;
    }
    int64_t pool = facts->plan.pool;
    status = tare__strategies_take(&arm, &facts->plan);
    facts->plan.pool = pool;
    tare__arm_close(&arm);
    if (status != TARE_OK)
        tare__facts_free(facts);
    return status;
}

void tare__facts_free(tare__facts *facts)
{
    free(facts->label);
    free(facts->work);
    json_decref(facts->memory);
    *facts = (tare__facts){0};
}

tare_status tare__arm_count(tare__arm *a, tare_counts *step)
{
    tare_status status = TARE_OK;
    for (int i = 0; i < 2 && status == TARE_OK; ++i)
        status = a->step(a);
    tare_counts before = tare_runtime_counts(a->rt);
    if (status == TARE_OK)
        status = a->step(a);
    tare_counts after = tare_runtime_counts(a->rt);
#define TARE__COUNT_DIFFERENCE(name, doc) step->name = after.name - before.name;
    TARE_COUNTS(TARE__COUNT_DIFFERENCE)
#undef TARE__COUNT_DIFFERENCE
    return status;
}

tare_status tare__arm_peak(tare__arm *a, int64_t *bytes)
{
    a->rt->work_bytes_peak = a->rt->work_bytes_live;
    tare_status status = a->step(a);
    *bytes = a->rt->work_bytes_peak;
    return status;
}

json_t *tare__counts_json(const tare_counts *c)
{
    json_t *counts = json_object();
#define TARE__COUNT_JSON(name, doc) json_object_set_new(counts, #name, json_integer(c->name));
    TARE_COUNTS(TARE__COUNT_JSON)
#undef TARE__COUNT_JSON
    return counts;
}
