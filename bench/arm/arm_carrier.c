/* arm_carrier.c - a step carried along its captured program, with each of the six mechanisms switched by itself
 * (carrier.h). The update runs outside, as the imperative mode runs it. */
#include <stdlib.h>

#include "arm_private.h"
#include "mechanisms.h"

static tare_status forward_and_back(tare__arm *a, tare_value *kept[2])
{
    tare_mode *m = a->mode;
    tare_value *y = a->net->type->forward[TARE_API_DIRECT](m, a->net, a->x), *root = y;
    if (a->loss_kind != TARE_LOSS_ONES)
        root = tare__arm_loss(a, m, y, a->target);
    if (a->task.work == TARE__TRAIN && a->setting.level[TARE__AUTOGRAD] == TARE__AUTOGRAD_TAPE)
        (void)m->backward(m, &root, &a->head, 1, false);
    else if (a->task.work == TARE__TRAIN)
        (void)tare_carrier_rest(a->carrier);
    kept[0] = y;
    kept[1] = root;
    return m->error;
}

static tare_status step(tare__arm *a)
{
    tare_mode *m = a->mode;
    tare_value *kept[2] = {NULL, NULL};
    if (a->task.work == TARE__TRAIN) {
        tare_net_clear_gradients(a->net);
        tare_value_clear_gradient(a->x);
    }
    m->scope_begin(m, NULL);
    tare_carrier_begin(a->carrier);
    tare_status status = forward_and_back(a, kept);
    tare_carrier_end(a->carrier);
    if (a->optimizer)
        (void)tare_optimizer_step(a->optimizer, m);
    status = m->error;
    if (!a->keep || status != TARE_OK) {
        m->scope_end(m, NULL, 0);
        return status;
    }
    tare__arm_forget(a);
    m->scope_end(m, kept, kept[0] == kept[1] ? 1 : 2);
    a->y = kept[0];
    a->loss = kept[0] == kept[1] ? NULL : kept[1];
    return status;
}

/* What stands for the values that the program does not make. */
static tare_value **list_outside(const tare__arm *a, const tare_program *p)
{
    tare_value **outside = tare__take((size_t)p->n_values + 1, sizeof *outside), *bound[3];
    int n_bound, next = 0;
    tare__arm_bound(a, bound, &n_bound);
    for (int32_t id = 0; id < p->n_values; ++id) {
        if (p->value[id]->node >= 0)
            continue;
        outside[id] = tare_graph_concrete(a->graph, p->value[id]);
        if (!outside[id])
            outside[id] = bound[next++]; /* placeholders are numbered in their order */
    }
    return outside;
}

static void describe(tare__arm *a)
{
    const tare_program *p = tare_graph_program(a->graph);
    tare_mode *captured = tare_graph_mode(a->graph);
    tare_carried *c = &a->carried;
    size_t most = (size_t)a->net->n_parameters + 2;
    int32_t *result = tare__take(most, sizeof *result), *gradient = tare__take(most, sizeof *gradient);
    tare_value **leaf = tare__take(most, sizeof *leaf);
    *c = (tare_carried){.program = p,
                        .storage = tare_instance_storage(a->instance),
                        .outside = list_outside(a, p),
                        .result = result,
                        .leaf = leaf,
                        .gradient = gradient};
    c->n_calls = tare_plan_calls(a->plan, &c->node);
    (void)tare_instance_calls(a->instance, &c->call);
    c->n_results = tare_graph_results(a->graph, result);
    for (int i = 0; i < a->net->n_parameters; ++i) {
        tare_value *g = captured->gradient(captured, a->net->parameter[i].value);
        if (!g)
            continue;
        leaf[c->n_leaves] = a->net->parameter[i].value;
        gradient[c->n_leaves++] = g->id;
    }
}

tare_status tare__arm_carry(tare__arm *a)
{
    tare_status status = tare__arm_bind(a);
    if (status == TARE_OK)
        status = tare__arm_mode(a);
    if (status != TARE_OK)
        return status;
    a->step = step;
    describe(a);
    return tare_carrier_new(a->mode, &a->carried, tare__mechanisms_combination(&a->setting), &a->carrier);
}

void tare__arm_uncarry(tare__arm *a)
{
    tare_carrier_free(a->carrier);
    free((void *)a->carried.outside);
    free((void *)a->carried.result);
    free((void *)a->carried.leaf);
    free((void *)a->carried.gradient);
}
