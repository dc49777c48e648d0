/* training.h - a training step of a net in each of three ways: imperatively, as a joint plan with the update outside,
 * and as one plan with the update in it.
 *
 * A training owns a net, an optimizer and what its way needs; all ways of one seed must give the same bits. Every call
 * answers a status, so that the tests of failing allocations can use it too. */
#ifndef TARE_TESTS_TRAINING_H
#define TARE_TESTS_TRAINING_H

#include "spine.h"

typedef enum { TRAIN_NOW, TRAIN_JOINT, TRAIN_STEP, TRAIN_WAYS } training_way;

enum { TRAINING_PARAMETERS = 64 };
typedef struct {
    const char *net, *optimizer; /* optimizer NULL: no update */
    tare_loss loss;
    int64_t batch;
    tare_plan_options plan;
} training_task;

typedef struct {
    tare_runtime *rt;
    training_task task;
    training_way way;
    tare_net *net;
    tare_optimizer *opt;
    tare_mode *now; /* NOW; and JOINT's update */
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    tare_value *y, *root; /* of the last step: handles */
    tare_value *gradient[TRAINING_PARAMETERS];
} training;

static inline void training_forget(training *t)
{
    tare_value_drop(t->y);
    tare_value_drop(t->root);
    t->y = t->root = NULL;
    for (int i = 0; i < TRAINING_PARAMETERS; ++i) {
        tare_value_drop(t->gradient[i]);
        t->gradient[i] = NULL;
    }
}

static inline void training_fini(training *t)
{
    training_forget(t);
    for (int i = 0; t->net && i < t->net->n_parameters; ++i)
        tare_value_clear_gradient(t->net->parameter[i].value);
    tare_instance_free(t->run);
    tare_plan_free(t->plan);
    tare_graph_free(t->graph);
    tare_imperative_free(t->now);
    tare_optimizer_free(t->opt);
    tare_net_free(t->net);
}

/* Forward, loss and backward through either mode; ONES: the root is y. */
static inline tare_status training_pass(training *t, tare_mode *m, tare_value *x, tare_value *target, tare_value **y,
                                        tare_value **root)
{
    *y = tare_net_forward(m, t->net, x);
    *root = tare_net_loss(m, t->task.loss, *y, target);
    (void)m->backward(m, root, NULL, 1, false);
    return m->error;
}

static inline tare_status training_capture(training *t)
{
    tare_desc dx = tare_net_input(t->net, t->task.batch), dt = tare_net_target(t->net, t->task.loss, t->task.batch);
    tare_status status = tare_graph_new(t->rt, &t->graph);
    if (status != TARE_OK)
        return status;
    tare_mode *m = tare_graph_mode(t->graph);
    m->recording = true;
    tare_value *x = tare_graph_input(t->graph, &dx, "x"), *y, *root;
    tare_value *target = t->task.loss == TARE_LOSS_ONES ? NULL : tare_graph_input(t->graph, &dt, "target");
    status = training_pass(t, m, x, target, &y, &root);
    if (status == TARE_OK)
        status = tare_graph_output(t->graph, y);
    if (status == TARE_OK)
        status = tare_graph_output(t->graph, root);
    for (int i = 0; status == TARE_OK && i < t->net->n_parameters; ++i)
        status = tare_graph_output(t->graph, m->gradient(m, t->net->parameter[i].value));
    if (status == TARE_OK && t->way == TRAIN_STEP && t->opt)
        status = tare_optimizer_step(t->opt, m);
    if (status == TARE_OK)
        status = tare_plan_new(t->graph, &t->task.plan, &t->plan);
    return status == TARE_OK ? tare_instance_new(t->plan, &t->run) : status;
}

static inline tare_status training_init(training *t, tare_runtime *rt, const training_task *task, training_way way)
{
    *t = (training){.rt = rt, .task = *task, .way = way};
    tare_status status = tare_net_new(rt, task->net, 11, &t->net);
    if (status == TARE_OK && task->optimizer)
        status = tare_optimizer_new(t->net, task->optimizer, &t->opt);
    if (status == TARE_OK && way != TRAIN_STEP)
        status = tare_imperative_new(rt, &t->now);
    return status == TARE_OK && way != TRAIN_NOW ? training_capture(t) : status;
}

static inline tare_status training_update(training *t)
{
    return t->opt ? tare_optimizer_step(t->opt, t->now) : TARE_OK;
}

static inline tare_status training_step_now(training *t, tare_value *x, tare_value *target)
{
    tare_mode *m = t->now;
    tare_value *keep[2];
    m->recording = true;
    m->scope_begin(m, NULL);
    tare_status status = training_pass(t, m, x, target, &keep[0], &keep[1]);
    for (int i = 0; status == TARE_OK && i < t->net->n_parameters; ++i)
        t->gradient[i] = tare_value_share(m->gradient(m, t->net->parameter[i].value));
    if (status == TARE_OK)
        status = training_update(t);
    m->scope_end(m, keep, 2);
    t->y = keep[0];
    t->root = keep[1];
    if (status != TARE_OK)
        training_forget(t);
    tare_mode_clear(m);
    return status;
}

static inline tare_status training_replay(training *t, tare_value *x, tare_value *target)
{
    tare_status status = tare_instance_bind(t->run, 0, x);
    if (status == TARE_OK && target)
        status = tare_instance_bind(t->run, 1, target);
    if (status == TARE_OK)
        status = tare_instance_run(t->run);
    if (status != TARE_OK)
        return status;
    t->y = tare_value_share(tare_instance_output(t->run, 0));
    t->root = tare_value_share(tare_instance_output(t->run, 1));
    for (int i = 0; i < t->net->n_parameters; ++i)
        t->gradient[i] = tare_value_share(tare_instance_output(t->run, 2 + i));
    if (t->way == TRAIN_STEP)
        return TARE_OK;
    for (int i = 0; i < t->net->n_parameters; ++i) {
        tare_value *p = t->net->parameter[i].value;
        tare_value_clear_gradient(p);
        p->gradient = tare_value_share(t->gradient[i]); /* where a backward would have left it */
    }
    t->now->scope_begin(t->now, NULL);
    status = training_update(t);
    t->now->scope_end(t->now, NULL, 0);
    tare_mode_clear(t->now);
    return status;
}

/* One step from fresh gradients; y, root and gradient[] hold what it made until the next. */
static inline tare_status training_step(training *t, tare_value *x, tare_value *target)
{
    training_forget(t);
    for (int i = 0; i < t->net->n_parameters; ++i)
        tare_value_clear_gradient(t->net->parameter[i].value);
    if (t->opt)
        must(tare_optimizer_advance(t->opt));
    return t->way == TRAIN_NOW ? training_step_now(t, x, target) : training_replay(t, x, target);
}

/* ---- data
 * ----------------------------------------------------------------------------------------------------------*/
static inline tare_value *training_input(const training *t, uint64_t seed)
{
    tare_desc d = tare_net_input(t->net, t->task.batch);
    return spine_random(t->rt, d.rank, d.dim, seed);
}

/* Labels in range, or numbers; NULL for a net without loss. */
static inline tare_value *training_target(const training *t, uint64_t seed)
{
    tare_desc d = tare_net_target(t->net, t->task.loss, t->task.batch);
    if (t->task.loss == TARE_LOSS_ONES)
        return NULL;
    if (d.dtype == TARE_F32)
        return spine_random(t->rt, d.rank, d.dim, seed + 1000);
    int32_t label[512] = {0};
    for (int64_t i = 0; i < d.dim[0]; ++i)
        label[i] = (int32_t)((seed * 7 + (uint64_t)i * 3) % 10);
    tare_value *v;
    must(tare_value_new(t->rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, label, tare_desc_bytes(&d)));
    return v;
}

/* ---- comparing
 * -----------------------------------------------------------------------------------------------------*/
/* The first thing in which the two differ, or NULL: "loss", "dense0.weight", ... */
static inline const char *training_difference(const training *a, const training *b)
{
    if (!spine_same(a->root, b->root))
        return "loss";
    if (!spine_same(a->y, b->y))
        return "output";
    for (int i = 0; i < a->net->n_parameters; ++i) {
        if (!spine_same(a->gradient[i], b->gradient[i]))
            return "gradient";
        if (!spine_same(a->net->parameter[i].value, b->net->parameter[i].value))
            return a->net->parameter[i].name;
    }
    for (int i = 0; a->opt && i < a->net->n_parameters * a->opt->type->n_states; ++i)
        if (!spine_same(a->opt->state[i], b->opt->state[i]))
            return "state";
    if (a->opt && a->opt->step && !spine_same(a->opt->step, b->opt->step))
        return "step count";
    return NULL;
}

#endif
