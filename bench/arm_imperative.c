/* arm_imperative.c - a step run operator by operator: forward, loss, backward, update, all in one scope. */
#include "arm_private.h"

static void clear_gradients(const tare__arm *a)
{
    for (int i = 0; i < a->net->n_parameters; ++i)
        tare_value_clear_gradient(a->net->parameter[i].value);
}

/* Gradients of the step before stay readable until the next one begins. */
static tare_status step(tare__arm *a)
{
    tare_mode *m = a->mode;
    tare__work work = a->task.work;
    if (work == TARE__TRAIN)
        clear_gradients(a);
    m->scope_begin(m, NULL);
    tare_value *y = a->net->type->forward(m, a->net, a->x), *root = y;
    if (a->loss_kind != TARE_LOSS_ONES)
        root = tare_net_loss(m, a->loss_kind, y, a->target);
    if (work == TARE__TRAIN)
        (void)m->backward(m, &root, &a->head, 1, false);
    if (a->optimizer)
        (void)tare_optimizer_step(a->optimizer, m);
    tare_status status = m->error;
    if (!a->keep || status != TARE_OK) {
        m->scope_end(m, NULL, 0);
        return status;
    }
    tare__arm_forget(a);
    tare_value *kept[2] = {y, root};
    m->scope_end(m, kept, root == y ? 1 : 2);
    a->y = kept[0];
    a->loss = root == y ? NULL : kept[1];
    return status;
}

tare_status tare__arm_imperative(tare__arm *a)
{
    tare_status status = tare_imperative_new(a->rt, &a->mode);
    if (status != TARE_OK)
        return status;
    a->mode->training = a->task.work != TARE__INFER;
    a->mode->recording = a->mode->training && a->setting.level[TARE__AUTOGRAD] == TARE__AUTOGRAD_TAPE;
    a->step = step;
    return TARE_OK;
}
