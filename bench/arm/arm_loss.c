/* arm_loss.c - the loss of a step: the net's own, or in another form (the switch `loss`). */
#include "../../ops/ops.h"
#include "arm_private.h"

/* Its mean over the batch. */
static tare_value *mean_of(tare_mode *m, tare_value *each)
{
    return tare_mean(m, tare_move(each), (tare_mean_attr){.axes = {0}});
}

/* -sum_k t[n,k] log softmax(y)[n,k], t the labels as ones: what softmax_cross_entropy does at once. */
static tare_value *composed(tare_mode *m, tare_value *y, tare_value *label)
{
    const tare_ints last = {1, {-1}};
    tare_value *p = tare_log_softmax(m, y, (tare_log_softmax_attr){.axis = -1});
    tare_value *t = tare_one_hot(m, label, (tare_one_hot_attr){.depth = y->d.dim[y->d.rank - 1], .dtype = TARE_F32});
    tare_value *sum = tare_sum(m, tare_mul(m, p, t), (tare_sum_attr){.axes = last});
    return tare_scale(m, sum, (tare_scale_attr){-1});
}

tare_status tare__arm_loss_check(const tare__arm *a)
{
    const int form = a->setting.level[TARE__LOSS];
    const bool labels = a->loss_kind == TARE_LOSS_SOFTMAX_CE, targets = a->loss_kind == TARE_LOSS_L2;
    if (form == TARE__LOSS_NET || (form == TARE__LOSS_COMPOSED ? labels : targets))
        return TARE_OK;
    char name[32];
    return tare_error(TARE_IMPOSSIBLE, "%s: loss=%s is a form of %s, and the loss of %s is %s", a->name,
                      tare__level_name(TARE__LOSS, form, name),
                      form == TARE__LOSS_COMPOSED ? "softmax cross entropy" : "squared errors", a->label,
                      tare_loss_name(a->loss_kind));
}

tare_value *tare__arm_loss(const tare__arm *a, tare_mode *m, tare_value *y, tare_value *target)
{
    const int form = a->setting.level[TARE__LOSS];
    if (form == TARE__LOSS_NET)
        return tare_net_loss(m, a->loss_kind, y, target);
    m->scope_begin(m, "loss");
    tare_value *each = form == TARE__LOSS_COMPOSED ? composed(m, y, target)
                       : form == TARE__LOSS_MAE    ? tare_l1_loss(m, y, target)
                                                   : tare_scale(m, tare_l2_loss(m, y, target), (tare_scale_attr){2});
    tare_value *mean = mean_of(m, each);
    m->scope_end(m, &mean, 1);
    return mean;
}
