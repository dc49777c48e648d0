/* samples.c - a data set's parts, and their rows as batches (see samples.h). */
#include "samples.h"

#include <stdlib.h>

#include "../../data/formats.h"

static void view_parts(tare__samples *s)
{
    s->train = s->set.train;
    s->test = s->set.test;
}

int tare__samples_open(const tare__line *line, const char *folder, unsigned parts, tare__samples *s)
{
    *s = (tare__samples){.byte_scale = 1};
    tare_status status = tare_dataset_open(&s->memory, folder, parts, &s->set);
    view_parts(s);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}

int tare__samples_open_inputs(const tare__line *line, const char *file, tare__samples *s)
{
    *s = (tare__samples){.byte_scale = 1};
    const tare_format *format = tare_format_of(file);
    tare_status status = format ? format->read(&s->memory, file, &s->set.test.x) : TARE_NOT_FOUND;
    if (status == TARE_OK && (s->set.test.x.rank < 1 || s->set.test.x.bytes == 0))
        status = tare_error(TARE_BAD_DATA, "%s: there are no rows in it", file);
    view_parts(s);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}

void tare__samples_close(tare__samples *s)
{
    tare_dataset_fini(&s->memory, &s->set);
    tare_dataset_fini(&s->memory, &s->other);
    tare_memory_give(&s->memory, TARE_MEMORY_INPUT, s->batch, s->batch_bytes);
    tare_memory_give(&s->memory, TARE_MEMORY_INPUT, s->all, s->all_bytes);
    *s = (tare__samples){0};
}

/* ---- validation ----------------------------------------------------------------------------------------------*/

/* Rows [first, first + rows) of an array, borrowed. */
static tare_array rows_of(const tare_array *from, int64_t first, int64_t rows)
{
    tare_array part = *from;
    size_t row_bytes = from->bytes / (size_t)from->dims[0];
    part.data = (char *)from->data + (size_t)first * row_bytes;
    part.dims[0] = rows;
    part.bytes = (size_t)rows * row_bytes;
    return part;
}

static int hold_out(const tare__line *line, double share, tare__samples *s)
{
    const tare_dataset_part *all = &s->set.train;
    int64_t n = all->x.dims[0], n_held = (int64_t)(share * (double)n + 0.5);
    if (n_held < 1 || n_held >= n)
        return tare__usage(line, "--validation %g of %lld rows leaves none to %s", share, (long long)n,
                           n_held < 1 ? "validate with" : "train on");
    s->train = (tare_dataset_part){rows_of(&all->x, 0, n - n_held), rows_of(&all->y, 0, n - n_held)};
    s->validation = (tare_dataset_part){rows_of(&all->x, n - n_held, n_held), rows_of(&all->y, n - n_held, n_held)};
    return TARE__RAN;
}

int tare__samples_validate(const tare__line *line, const char *text, tare__samples *s)
{
    char *end;
    double share = strtod(text, &end);
    if (end != text && !*end && share > 0 && share < 1)
        return hold_out(line, share, s);
    if (end != text && !*end)
        return tare__usage(line, "--validation needs a share between 0 and 1, or a data set, not '%s'", text);
    tare_status status = tare_dataset_open(&s->memory, text, TARE_DATASET_TEST, &s->other);
    s->validation = s->other.test;
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}

/* ---- batches -------------------------------------------------------------------------------------------------*/

static tare_status fit(const tare_dataset_part *part, const tare_net *net, tare_loss loss)
{
    tare_desc x = tare_net_input(net, 1), target = tare_net_target(net, loss, 1);
    int64_t has = tare_array_row_count(&part->x), wants = tare_desc_count(&x);
    if (has != wants)
        return tare_error(TARE_BAD_SHAPE, "a sample has %lld numbers, and %s takes %lld", (long long)has,
                          net->type->name, (long long)wants);
    if (!part->y.data)
        return TARE_OK;
    has = tare_array_row_count(&part->y);
    wants = tare_desc_count(&target);
    if (has != wants)
        return tare_error(TARE_BAD_SHAPE, "a target has %lld numbers, and the loss of %s takes %lld", (long long)has,
                          net->type->name, (long long)wants);
    bool labels = part->y.dtype != TARE_F32 && part->y.dtype != TARE_F64;
    if (labels != (target.dtype == TARE_I32))
        return tare_error(TARE_BAD_DTYPE, "the targets are %s, and the loss of %s takes %s",
                          tare_dtype_name(part->y.dtype), net->type->name, tare_dtype_name((tare_dtype)target.dtype));
    return TARE_OK;
}

tare_status tare__samples_fit(tare__samples *s, const tare_net *net, tare_loss loss)
{
    const tare_dataset_part *const parts[] = {&s->train, &s->validation, &s->test};
    tare_status status = TARE_OK;
    for (int i = 0; i < 3 && status == TARE_OK; ++i) {
        if (parts[i]->x.data)
            status = fit(parts[i], net, loss);
    }
    s->byte_scale = 1.0f / (float)(net->type->byte_divisor ? net->type->byte_divisor : 255);
    return status;
}

tare_status tare__samples_gather(const tare__samples *s, const tare_dataset_part *part, const tare_batch *batch,
                                 tare_loss loss, float *x, void *target)
{
    tare_status status = tare_gather_f32(&part->x, batch, part->x.dtype == TARE_U8 ? s->byte_scale : 1, x);
    if (status != TARE_OK || !target)
        return status;
    return loss == TARE_LOSS_SOFTMAX_CE ? tare_gather_i32(&part->y, batch, target)
                                        : tare_gather_f32(&part->y, batch, 1, target);
}

/* At least so many bytes, kept. */
static tare_status make_room(tare__samples *s, char **room, size_t *has, size_t bytes)
{
    if (*has >= bytes)
        return TARE_OK;
    void *more = tare_memory_resize(&s->memory, TARE_MEMORY_INPUT, *room, *has, bytes);
    if (!more)
        return TARE_NO_MEMORY;
    *room = more;
    *has = bytes;
    return TARE_OK;
}

tare_status tare__samples_set(tare__samples *s, const tare_dataset_part *part, const tare_net *net, tare_loss loss,
                              tare__set *set)
{
    const tare_desc x = tare_net_input(net, 1), target = tare_net_target(net, loss, 1);
    const tare_batch rows = {.count = part->x.dims[0]};
    const size_t n = (size_t)rows.count, each[2] = {tare_desc_bytes(&x), tare_desc_bytes(&target)};
    *set = (tare__set){.n_rows = rows.count};
    tare_status status = make_room(s, &s->all, &s->all_bytes, n * (each[0] + each[1]));
    if (status != TARE_OK)
        return status;
    char *const at[2] = {s->all, s->all + n * each[0]};
    for (int k = 0; k < 2; ++k) {
        set->rows.at[k] = at[k];
        set->rows.row_bytes[k] = each[k];
    }
    return tare__samples_gather(s, part, &rows, loss, (float *)(void *)at[0], at[1]);
}

tare_status tare__samples_feed(tare__samples *s, const tare_dataset_part *part, const tare_batch *batch, tare__arm *arm)
{
    size_t x_bytes = tare_desc_bytes(&arm->x->d), bytes = x_bytes + tare_desc_bytes(&arm->target->d);
    tare_status status = make_room(s, &s->batch, &s->batch_bytes, bytes);
    if (status != TARE_OK)
        return status;
    /* both are of 4-byte elements, so the target after x is aligned */
    float *x = (float *)(void *)s->batch;
    void *target = s->batch + x_bytes;
    status = tare__samples_gather(s, part, batch, arm->loss_kind, x, target);
    return status == TARE_OK ? tare__arm_feed(arm, x, target) : status;
}
