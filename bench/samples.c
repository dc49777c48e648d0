/* samples.c - batches of a data set, and what a net makes of them (see samples.h). */
#include "samples.h"

#include <stdlib.h>

#include "../imperative/imperative.h"

int tare__samples_open(const tare__line *line, const char *folder, unsigned parts, tare__samples *s)
{
    *s = (tare__samples){0};
    tare_status status = tare_dataset_open(&s->memory, folder, parts, &s->set);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}

void tare__samples_close(tare__samples *s)
{
    tare_dataset_fini(&s->memory, &s->set);
    free(s->batch);
    s->batch = NULL;
    s->batch_bytes = 0;
}

tare_status tare__samples_fit(const tare_dataset_part *part, const tare_net *net, tare_loss loss)
{
    tare_desc x = tare_net_input(net, 1), target = tare_net_target(net, loss, 1);
    int64_t has = tare_array_row_count(&part->x), wants = tare_desc_count(&x);
    if (has != wants)
        return tare_error(TARE_BAD_SHAPE, "a sample has %lld numbers, and %s takes %lld", (long long)has,
                          net->type->name, (long long)wants);
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

tare_status tare__samples_gather(const tare_dataset_part *part, const tare_batch *batch, const tare_net *net,
                                 tare_loss loss, float *x, void *target)
{
    float scale = 1.0f / (float)(net->type->byte_divisor ? net->type->byte_divisor : 255);
    tare_status status = tare_gather_f32(&part->x, batch, part->x.dtype == TARE_U8 ? scale : 1, x);
    if (status != TARE_OK)
        return status;
    return loss == TARE_LOSS_SOFTMAX_CE ? tare_gather_i32(&part->y, batch, target)
                                        : tare_gather_f32(&part->y, batch, 1, target);
}

tare_status tare__samples_feed(tare__samples *s, const tare_dataset_part *part, const tare_batch *batch, tare__arm *arm)
{
    size_t x_bytes = tare_desc_bytes(&arm->x->d), bytes = x_bytes + tare_desc_bytes(&arm->target->d);
    if (s->batch_bytes < bytes) {
        s->batch = tare__more(s->batch, bytes, 1);
        s->batch_bytes = bytes;
    }
    /* both are of 4-byte elements, so the target after x is aligned */
    float *x = (float *)(void *)s->batch;
    void *target = s->batch + x_bytes;
    tare_status status = tare__samples_gather(part, batch, arm->net, arm->loss_kind, x, target);
    return status == TARE_OK ? tare__arm_feed(arm, x, target) : status;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------*/

const char *tare__samples_metric(const tare__arm *arm)
{
    return arm->loss_kind == TARE_LOSS_SOFTMAX_CE ? "accuracy" : "MSE";
}

/* Right answers among the rows (the first of equal scores counts), or the sum of squared errors. */
static double score(tare_loss loss, const float *y, const void *target, int64_t rows, int64_t width)
{
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r, y += width) {
        if (loss == TARE_LOSS_SOFTMAX_CE) {
            int64_t best = 0;
            for (int64_t c = 1; c < width; ++c)
                best = y[c] > y[best] ? c : best;
            sum += best == ((const int32_t *)target)[r];
            continue;
        }
        for (int64_t c = 0; c < width; ++c) {
            double error = (double)y[c] - (double)((const float *)target)[r * width + c];
            sum += error * error;
        }
    }
    return sum;
}

/* Forward over rows of x, without a tape; y has room for the output. */
static tare_status forward(tare_mode *m, const tare__arm *arm, const float *x, int64_t rows, float *y, size_t y_bytes)
{
    tare_desc d = tare_net_input(arm->net, rows);
    tare_value *input;
    tare_status status = tare_value_new(arm->rt, &d, TARE_MEMORY_INPUT, &input);
    if (status != TARE_OK)
        return status;
    status = tare_value_write(input, x, tare_desc_bytes(&d));
    if (status == TARE_OK) {
        m->scope_begin(m, NULL);
        tare_value *output = tare_net_forward(m, arm->net, input);
        status = m->error ? m->error : tare_value_read(output, y, y_bytes);
        m->scope_end(m, NULL, 0);
    }
    tare_value_drop(input);
    return status;
}

tare_status tare__samples_evaluate(const tare_dataset_part *part, const tare__arm *arm, double *metric, float *output)
{
    tare_mode *m = NULL;
    tare_status status = tare_imperative_new(arm->rt, &m);
    if (status != TARE_OK)
        return status;
    tare_desc sample;
    arm->net->type->output(arm->net->options, &sample);
    int64_t n = part->x.dims[0], width = tare_desc_count(&sample);
    size_t target_width = (size_t)tare_array_row_count(&part->y);
    float *x = tare__take((size_t)(arm->batch * tare_array_row_count(&part->x)), sizeof *x);
    float *y = tare__take((size_t)(arm->batch * width), sizeof *y);
    void *target = tare__take((size_t)arm->batch * target_width, sizeof(float));
    double sum = 0;
    for (int64_t first = 0; first < n && status == TARE_OK; first += arm->batch) {
        int64_t rows = n - first < arm->batch ? n - first : arm->batch;
        tare_batch batch = {.count = rows, .first = first};
        status = tare__samples_gather(part, &batch, arm->net, arm->loss_kind, x, target);
        if (status == TARE_OK)
            status = forward(m, arm, x, rows, y, (size_t)(rows * width) * sizeof *y);
        sum += status == TARE_OK ? score(arm->loss_kind, y, target, rows, width) : 0;
        for (int64_t i = 0; output && i < rows * width; ++i)
            output[first * width + i] = y[i];
    }
    *metric = sum / (double)n / (arm->loss_kind == TARE_LOSS_SOFTMAX_CE ? 1 : (double)width);
    free(x);
    free(y);
    free(target);
    tare_imperative_free(m);
    return status;
}
