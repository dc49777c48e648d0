/* arm_graph.c - a step replayed: captured once through the same net function, planned, bound to the resident batch.
 *
 * symbol: forward and backward are in the plan, gradients are its results, the update runs outside. step: the update is
 * in the plan. kernels: the calls of either as a bare list. Which of them is the setting's, not the rung's name. */
#include <stdlib.h>

#include "../base/clock.h"
#include "arm_private.h"

static bool plan_updates(const tare__arm *a)
{
    return a->optimizer && a->setting.level[TARE__JOINT] == TARE__JOINT_STEP;
}

void tare__arm_bound(const tare__arm *a, tare_value *value[3], int *n)
{
    *n = 0;
    tare_value *const all[3] = {a->x, a->target, a->head};
    for (int i = 0; i < 3; ++i)
        if (all[i])
            value[(*n)++] = all[i];
}

/* Appends the whole step to the graph. Results in order: y, the loss if there is one, gradients. */
static tare_status trace(tare__arm *a)
{
    tare_mode *m = tare_graph_mode(a->graph);
    m->training = a->task.work != TARE__INFER;
    m->recording = a->task.work != TARE__INFER; /* forward leaves what a gradient would need */
    tare_value *x = tare_graph_input(a->graph, &a->x->d, "x");
    if (a->x->wants_gradient)
        tare_value_want_gradient(x, true);
    tare_value *target = a->target ? tare_graph_input(a->graph, &a->target->d, "target") : NULL;
    tare_value *head = a->head ? tare_graph_input(a->graph, &a->head->d, "head") : NULL;
    tare_value *y = tare_net_forward(m, a->net, x), *root = y;
    if (target)
        root = tare__arm_loss(a, m, y, target);
    a->n_forward = tare_graph_program(a->graph)->n;
    if (head)
        (void)m->backward(m, &root, &head, 1, false);
    a->n_backward = tare_graph_program(a->graph)->n;
    tare_status status = m->error;
    if (status == TARE_OK)
        status = tare_graph_output(a->graph, y);
    if (status == TARE_OK && root != y)
        status = tare_graph_output(a->graph, root);
    bool results = head && (!plan_updates(a) || a->expose);
    for (int i = 0; results && i < a->net->n_parameters && status == TARE_OK; ++i) {
        tare_value *gradient = m->gradient(m, a->net->parameter[i].value);
        if (gradient)
            status = tare_graph_output(a->graph, gradient);
    }
    if (status == TARE_OK && head && x->wants_gradient) /* behind those that take_results numbers */
        status = tare_graph_output(a->graph, m->gradient(m, x));
    if (status == TARE_OK && plan_updates(a))
        status = tare_optimizer_step(a->optimizer, m);
    return status;
}

/* The instance's results become handles of the arm's: y, loss, gradients. Outside updates read the latter from the
 * leaves, where an imperative backward would have left them. */
static void take_results(tare__arm *a, bool with_gradients)
{
    int next = 0;
    tare_mode *m = tare_graph_mode(a->graph);
    a->y = tare_value_share(tare_instance_output(a->instance, next++));
    if (a->target)
        a->loss = tare_value_share(tare_instance_output(a->instance, next++));
    for (int i = 0; with_gradients && i < a->net->n_parameters; ++i)
        if (m->gradient(m, a->net->parameter[i].value))
            a->gradient[i] = tare_value_share(tare_instance_output(a->instance, next++));
}

static tare_status step_replay(tare__arm *a)
{
    return tare_instance_run(a->instance);
}

static tare_status step_guarded(tare__arm *a)
{
    return tare_instance_run_guarded(a->instance);
}

static tare_status step_replay_update(tare__arm *a)
{
    tare_status status = a->replay(a);
    if (status != TARE_OK)
        return status;
    tare_mode *m = a->mode;
    m->scope_begin(m, NULL);
    (void)tare_optimizer_step(a->optimizer, m);
    status = m->error;
    m->scope_end(m, NULL, 0);
    return status;
}

static tare_status step_kernels(tare__arm *a)
{
    return tare__calls_run(a->rt, a->call, a->n_calls);
}

static tare_status bind(tare__arm *a)
{
    int64_t begin = tare__clock_ns();
    tare_status status = tare_instance_new(a->plan, &a->instance);
    tare_value *value[3];
    int n;
    tare__arm_bound(a, value, &n);
    for (int i = 0; i < n && status == TARE_OK; ++i)
        status = tare_instance_bind(a->instance, i, value[i]);
    a->bind_ns = tare__clock_ns() - begin;
    return status;
}

/* An update outside the plan: an imperative mode for it, the gradients on the leaves. */
static tare_status prepare_update(tare__arm *a)
{
    tare_status status = tare_imperative_new(a->rt, &a->mode);
    for (int i = 0; i < a->net->n_parameters && status == TARE_OK; ++i) {
        tare_value *p = a->net->parameter[i].value;
        tare_value_clear_gradient(p);
        if (a->gradient[i])
            p->gradient = tare_value_share(a->gradient[i]);
    }
    a->step = step_replay_update;
    return status;
}

const char *tare__arm_packer(const tare__setting *setting)
{
    static const char *const packer[] = {
        [TARE__PLAN_ARENA] = "portfolio", [TARE__PLAN_NONE] = "none",      [TARE__PLAN_SHARED_OBJECT] = "shared_object",
        [TARE__PLAN_POOL] = "pool",       [TARE__PLAN_GREEDY] = "greedy",  [TARE__PLAN_LOCAL_SEARCH] = "local_search",
        [TARE__PLAN_EXACT] = "exact",     [TARE__PLAN_FILE] = "portfolio",
    };
    return packer[setting->level[TARE__PLAN]];
}

tare_status tare__arm_bind(tare__arm *a)
{
    const int *level = a->setting.level;
    tare_plan_options options = {
        .no_dce = level[TARE__DCE] == TARE__OFF,
        .no_cse = level[TARE__CSE] == TARE__OFF,
        .no_folding = level[TARE__FOLDING] == TARE__OFF,
        .no_add_to = level[TARE__ADD_TO] == TARE__OFF,
        .no_in_place = level[TARE__IN_PLACE] == TARE__OFF,
        .no_placement = level[TARE__PLACEMENT] == TARE__OFF,
        .fuse = level[TARE__FUSION] == TARE__FUSION_ON,
        .order = (tare_plan_order)level[TARE__ORDER],
        .guards = level[TARE__GUARDS] == TARE__GUARDS_ON,
        .packer = tare__arm_packer(&a->setting),
        .recompute = (int64_t)level[TARE__RECOMPUTE] * 1024,
    };
    tare_status status = tare_graph_new(a->rt, &a->graph);
    if (status == TARE_OK)
        status = trace(a);
    if (status == TARE_OK)
        status = tare_plan_new(a->graph, &options, &a->plan);
    if (status == TARE_OK && a->setting.given && !(plan_updates(a) && a->expose)) /* which is another plan */
        status = tare__offsets_place(a->setting.given, a->plan);
    return status == TARE_OK ? bind(a) : status;
}

tare_status tare__arm_capture(tare__arm *a)
{
    const int *level = a->setting.level;
    tare_status status = tare__arm_bind(a);
    if (status != TARE_OK)
        return status;
    take_results(a, a->head && (!plan_updates(a) || a->expose));
    a->step = a->replay = level[TARE__GUARDS] == TARE__GUARDS_ON ? step_guarded : step_replay;
    if (level[TARE__API] == TARE__API_KERNELS) {
        a->n_calls = tare_instance_calls(a->instance, &a->call);
        if (a->rt->device->direct) /* elsewhere handing all calls over is the replay */
            a->step = step_kernels;
    } else if (a->optimizer && !plan_updates(a)) {
        status = prepare_update(a);
    }
    return status;
}
