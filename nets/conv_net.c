/* conv_net.c - the layers of a net that is a table of steps (conv_net_private.h). */
#include "conv_net_private.h"

#include "nets_private.h"

typedef union {
    tare_conv_layer conv;
    tare_pool_layer pool;
    tare_batch_norm_layer norm;
    tare_dense_layer dense;
    tare_dropout_layer dropout;
} layer;

/* What a lane holds: an image [channels, side, side], or a vector of `channels` numbers. */
typedef struct {
    int64_t channels, side;
} form;

static tare_status build_conv(tare_net *n, const tare_conv_net_step *s, const char *path, const form *x, layer *l,
                              tare_block *out)
{
    const tare_conv2d_attr attr = {s->stride, s->stride, s->pad, s->pad, 1, 1, 1};
    tare_status status = tare_conv_layer_build(n, &l->conv, path, x->channels, s->units, s->size, s->size, attr,
                                               !s->unbiased, s->activation);
    if (status == TARE_OK)
        tare_conv_layer_block(&l->conv, out);
    return status;
}

static void build_pool(const tare_conv_net_step *s, const char *path, layer *l, tare_block *out)
{
    l->pool = tare_pool_layer_square(path, s->kind == TARE_STEP_MAX_POOL ? TARE_POOL_MAX : TARE_POOL_AVERAGE, s->size,
                                     s->stride);
    l->pool.global = s->size == 0;
    l->pool.attr.pad_h = l->pool.attr.pad_w = s->pad;
    tare_pool_layer_block(&l->pool, out);
}

/* Which layer it is; x has what the step reads. */
static tare_status build_layer(tare_net *n, const tare_conv_net_step *s, const char *path, const form *x, layer *l,
                               tare_block *out)
{
    tare_status status = TARE_OK;
    switch (s->kind) {
    case TARE_STEP_CONV:
        return build_conv(n, s, path, x, l, out);
    case TARE_STEP_NORM:
        status = tare_batch_norm_layer_build(n, &l->norm, path, x->channels, (tare_batch_norm_attr){1e-5, 0.1},
                                             s->activation);
        if (status == TARE_OK)
            tare_batch_norm_layer_block(&l->norm, out);
        return status;
    case TARE_STEP_DENSE:
        status = tare_dense_layer_build(n, &l->dense, path, x->channels * x->side * x->side, s->units, s->activation);
        if (status == TARE_OK)
            tare_dense_layer_block(&l->dense, out);
        return status;
    case TARE_STEP_DROPOUT:
        status = tare_dropout_layer_build(n, &l->dropout, path, s->rate);
        if (status == TARE_OK)
            tare_dropout_layer_block(&l->dropout, out);
        return status;
    default:
        build_pool(s, path, l, out);
        return status;
    }
}

/* What the step makes of x. */
static form form_after(const tare_conv_net_step *s, form x)
{
    const form image = {s->kind == TARE_STEP_CONV ? s->units : x.channels,
                        s->size ? (x.side + 2 * s->pad - s->size) / s->stride + 1 : 1};
    switch (s->kind) {
    case TARE_STEP_NORM:
    case TARE_STEP_DROPOUT:
        return x;
    case TARE_STEP_DENSE:
        return (form){s->units, 1};
    default:
        return image;
    }
}

static form form_of_join(const tare_conv_net_step *s, const form *lane)
{
    form y = lane[0];
    for (int k = 1; s->kind == TARE_STEP_CONCAT && k < s->units; ++k)
        y.channels += lane[k].channels;
    return y;
}

static const char *path_of(tare_net *n, const tare_conv_net_step *s, int number)
{
    static const char *const names[] = {"conv%d",  "pool%d",    "pool%d", "norm%d",
                                        "dense%d", "dropout%d", "join%d", "join%d"};
    return s->name ? s->name : tare__net_path(n, names[s->kind], number);
}

tare_status tare__conv_net_build(tare_net *n, const tare_conv_net_plan *p)
{
    tare_conv_net *net = (tare_conv_net *)n;
    const size_t n_steps = (size_t)p->n_steps;
    layer *l = tare_arena_take(&n->arena, n_steps * sizeof *l);
    net->plan = p;
    net->path = tare_arena_take(&n->arena, n_steps * sizeof *net->path);
    net->block = tare_arena_take(&n->arena, n_steps * sizeof *net->block);
    if (!l || !net->path || !net->block)
        return TARE_NO_MEMORY;
    n->root = (tare_block){.name = n->type->name, .child = net->block};
    form lane[TARE_STEP_LANES] = {{p->channels, p->side}};
    int number[TARE_STEP_KINDS] = {0}; /* of each kind so far; poolings are one */
    for (int i = 0; i < p->n_steps; ++i) {
        const tare_conv_net_step *s = &p->step[i];
        net->path[i] = path_of(n, s, number[s->kind == TARE_STEP_AVG_POOL ? TARE_STEP_MAX_POOL : s->kind]++);
        if (!net->path[i])
            return TARE_NO_MEMORY;
        if (tare__step_joins(s->kind)) {
            lane[0] = form_of_join(s, lane);
            continue;
        }
        tare_status status = build_layer(n, s, net->path[i], &lane[s->from], l++, &net->block[n->root.n_children]);
        if (status != TARE_OK)
            return status;
        ++n->root.n_children;
        lane[s->to] = form_after(s, lane[s->from]);
    }
    return TARE_OK;
}
