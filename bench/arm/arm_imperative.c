/* arm_imperative.c - a step run operator by operator: forward, loss, backward, update, all in one scope. */
#include "arm_private.h"

static void forward_net(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)n_in;
    (void)n_out;
    out[0] = tare_net_forward(m, owner, in[0]);
}

static tare_value *forward(tare__arm *a)
{
    tare_value *y;
    if (!a->captured)
        return a->net->type->forward[a->api](a->mode, a->net, a->x);
    (void)a->capture->apply(a->captured, a->mode, &a->x, 1, &y);
    return y;
}

/* Gradients of the step before stay readable until the next one begins, or, where storage is kept, overwrites them. */
static tare_status step(tare__arm *a)
{
    tare_mode *m = a->mode;
    tare__work work = a->task.work;
    if (work == TARE__TRAIN && !m->overwrite) {
        tare_net_clear_gradients(a->net);
        tare_value_clear_gradient(a->x);
    }
    m->scope_begin(m, NULL);
    tare_value *y = forward(a), *root = y;
    if (a->loss_kind != TARE_LOSS_ONES)
        root = tare__arm_loss(a, m, y, a->target);
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

static tare_status capture(tare__arm *a, const tare_capture_options *options)
{
    const int *level = a->setting.level;
    if (level[TARE__CAPTURE] == TARE__CAPTURE_CHILD)
        return tare_block_hybridize(a->rt, &a->net->root, options);
    if (level[TARE__CAPTURE] != TARE__CAPTURE_NET && level[TARE__CAPTURE] != TARE__CAPTURE_BROKEN)
        return TARE_OK;
    a->capture = tare_find(a->rt, TARE_KIND_SERVICE, "capture");
    return a->capture ? a->capture->make(a->rt, forward_net, a->net, 1, options, &a->captured) : TARE_NOT_FOUND;
}

tare_status tare__arm_mode(tare__arm *a)
{
    tare_status status = tare_imperative_new(a->rt, &a->mode);
    if (status != TARE_OK)
        return status;
    a->mode->training = a->task.work != TARE__INFER;
    a->mode->recording = a->mode->training && a->setting.level[TARE__AUTOGRAD] != TARE__AUTOGRAD_OFF;
    return TARE_OK;
}

tare_status tare__arm_imperative(tare__arm *a)
{
    const int *level = a->setting.level;
    tare_status status = tare__arm_mode(a);
    if (status != TARE_OK)
        return status;
    a->api = level[TARE__API] == TARE__API_BLOCK ? TARE_API_BLOCK
             : level[TARE__API] == TARE__API_HYBRIDBLOCK || level[TARE__CAPTURE] == TARE__CAPTURE_CHILD
                 ? TARE_API_HYBRID
                 : TARE_API_DIRECT;
    if (!a->net->type->forward[a->api])
        return tare_error(TARE_IMPOSSIBLE, "%s: the net '%s' has no layer objects", a->name, a->net->type->name);
    a->mode->overwrite = level[TARE__KEEP] == TARE__KEEP_KEPT;
    tare_imperative_by_name(a->mode, level[TARE__API] == TARE__API_INVOKE);
    a->step = step;
    return capture(a, &(tare_capture_options){.keep = level[TARE__KEEP] == TARE__KEEP_KEPT,
                                              .packer = tare__arm_packer(&a->setting),
                                              .broken = level[TARE__CAPTURE] == TARE__CAPTURE_BROKEN,
                                              .fuse = level[TARE__FUSION] == TARE__FUSION_ON,
                                              .bound = level[TARE__DISPATCH] == TARE__DISPATCH_BOUND});
}
