/* evaluate.c - a net on a part of a data set (see evaluate.h). */
#include "evaluate.h"

#include <math.h>
#include <string.h>

#include "../../data/metrics.h"
#include "../../imperative/imperative.h"
#include "../base/clock.h"

/* One evaluation at work. */
typedef struct {
    const tare__evaluation *e;
    const tare_dataset_part *part;
    tare_mode *m;
    int64_t batch, x_width, y_width; /* rows; numbers of a row */
    float *x, *y;                    /* [batch,width] */
    void *target;                    /* NULL: no labels */
    size_t target_bytes;
    tare_metrics metrics;
    double loss; /* sum over rows */
} work;

/* ---- outputs of a batch --------------------------------------------------------------------------------------*/

static tare_status make_value(const work *w, const tare_desc *d, const void *bytes, tare_value **out)
{
    tare_status status = tare_value_new(w->e->arm->rt, d, TARE_MEMORY_INPUT, out);
    if (status != TARE_OK)
        return status;
    status = tare_value_write(*out, bytes, tare_desc_bytes(d));
    if (status != TARE_OK)
        tare_value_drop(*out);
    return status;
}

/* Through the net, now and without a tape. */
static tare_status outputs_now(work *w, int64_t rows)
{
    tare_net *net = w->e->arm->net;
    tare_desc d = tare_net_input(net, rows);
    tare_value *input;
    tare_status status = make_value(w, &d, w->x, &input);
    if (status != TARE_OK)
        return status;
    w->m->scope_begin(w->m, NULL);
    tare_value *output = tare_net_forward(w->m, net, input);
    status = w->m->error ? w->m->error : tare_value_read(output, w->y, (size_t)(rows * w->y_width) * sizeof *w->y);
    w->m->scope_end(w->m, NULL, 0);
    tare_value_drop(input);
    return status;
}

/* Through the arm's step, the last row repeated up to a batch. */
static tare_status outputs_by_step(work *w, int64_t rows)
{
    tare__arm *arm = w->e->arm;
    for (int64_t r = rows; r < w->batch; ++r)
        memcpy(w->x + r * w->x_width, w->x + (rows - 1) * w->x_width, (size_t)w->x_width * sizeof *w->x);
    tare_status status = tare__arm_feed(arm, w->x, NULL);
    if (status == TARE_OK)
        status = arm->step(arm);
    return status == TARE_OK ? tare_value_read(arm->y, w->y, (size_t)(w->batch * w->y_width) * sizeof *w->y) : status;
}

/* ---- what they are worth -------------------------------------------------------------------------------------*/

static tare_status loss_of(work *w, int64_t rows, float *loss)
{
    const tare_net *net = w->e->arm->net;
    tare_desc d = tare_net_target(net, TARE_LOSS_L2, rows), dt = tare_net_target(net, w->e->loss, rows);
    tare_value *y, *target;
    tare_status status = make_value(w, &d, w->y, &y);
    if (status != TARE_OK)
        return status;
    status = make_value(w, &dt, w->target, &target);
    if (status == TARE_OK) {
        w->m->scope_begin(w->m, NULL);
        tare_value *mean = tare_net_loss(w->m, w->e->loss, y, target);
        status = w->m->error ? w->m->error : tare_value_read(mean, loss, sizeof *loss);
        w->m->scope_end(w->m, NULL, 0);
        tare_value_drop(target);
    }
    tare_value_drop(y);
    return status;
}

static tare_status judge(work *w, int64_t rows)
{
    float loss;
    tare_status status = loss_of(w, rows, &loss);
    if (status != TARE_OK)
        return status;
    w->loss += (double)loss * (double)rows;
    if (w->e->loss == TARE_LOSS_SOFTMAX_CE)
        tare_metrics_labels(&w->metrics, w->y, w->target, rows);
    else
        tare_metrics_targets(&w->metrics, w->y, w->target, rows);
    return TARE_OK;
}

static tare_status take_batch(work *w, int64_t first, int64_t rows)
{
    const tare__evaluation *e = w->e;
    const tare_batch batch = {.count = rows, .first = first};
    tare_status status = tare__samples_gather(e->samples, w->part, &batch, e->loss, w->x, w->target);
    if (status == TARE_OK)
        status = e->by_step ? outputs_by_step(w, rows) : outputs_now(w, rows);
    if (status == TARE_OK && w->target)
        status = judge(w, rows);
    if (status == TARE_OK && e->output)
        memcpy(e->output + first * w->y_width, w->y, (size_t)(rows * w->y_width) * sizeof *w->y);
    return status;
}

/* ---- the whole -----------------------------------------------------------------------------------------------*/

static size_t x_bytes(const work *w)
{
    return (size_t)(w->batch * w->x_width) * sizeof *w->x;
}

static size_t y_bytes(const work *w)
{
    return (size_t)(w->batch * w->y_width) * sizeof *w->y;
}

static tare_status open_work(work *w, const tare__evaluation *e, const tare_dataset_part *part)
{
    tare_memory *memory = &e->samples->memory;
    tare_desc x = tare_net_input(e->arm->net, 1), y = tare_net_target(e->arm->net, TARE_LOSS_L2, 1);
    *w = (work){.e = e, .part = part, .batch = e->arm->batch};
    w->x_width = tare_desc_count(&x);
    w->y_width = tare_desc_count(&y);
    w->x = tare_memory_take(memory, TARE_MEMORY_INPUT, x_bytes(w));
    w->y = tare_memory_take(memory, TARE_MEMORY_INPUT, y_bytes(w));
    if (part->y.data) {
        tare_desc target = tare_net_target(e->arm->net, e->loss, w->batch);
        w->target_bytes = tare_desc_bytes(&target);
        w->target = tare_memory_take(memory, TARE_MEMORY_INPUT, w->target_bytes);
    }
    if (!w->x || !w->y || (part->y.data && !w->target))
        return TARE_NO_MEMORY;
    tare_status status = tare_metrics_init(&w->metrics, memory, w->y_width);
    return status == TARE_OK ? tare_imperative_new(e->arm->rt, &w->m) : status;
}

static void close_work(work *w)
{
    tare_memory *memory = &w->e->samples->memory;
    tare_imperative_free(w->m);
    tare_metrics_fini(&w->metrics);
    tare_memory_give(memory, TARE_MEMORY_INPUT, w->x, x_bytes(w));
    tare_memory_give(memory, TARE_MEMORY_INPUT, w->y, y_bytes(w));
    tare_memory_give(memory, TARE_MEMORY_INPUT, w->target, w->target_bytes);
}

tare_status tare__evaluate(const tare__evaluation *e, const tare_dataset_part *part, tare__score *score)
{
    work w;
    int64_t begin = tare__clock_ns(), n = part->x.dims[0], first = 0;
    tare_status status = open_work(&w, e, part);
    bool stopped = false;
    for (; first < n && status == TARE_OK && !stopped; first += w.batch) {
        status = take_batch(&w, first, n - first < w.batch ? n - first : w.batch);
        stopped = e->stopped && e->stopped(e->owner);
    }
    const bool labels = e->loss == TARE_LOSS_SOFTMAX_CE;
    *score = (tare__score){.samples = n,
                           .ns = tare__clock_ns() - begin,
                           .whole = first >= n,
                           .loss = part->y.data ? w.loss / (double)n : (double)NAN,
                           .accuracy = tare_metrics_accuracy(&w.metrics),
                           .mse = tare_metrics_mse(&w.metrics),
                           .mae = tare_metrics_mae(&w.metrics),
                           .r2 = labels ? (double)NAN : tare_metrics_r2(&w.metrics)};
    close_work(&w);
    return status;
}

/* ---- in words ------------------------------------------------------------------------------------------------*/

const char *tare__score_text(const tare__score *s, char *text)
{
    *text = 0;
    if (!isnan(s->accuracy))
        snprintf(text, TARE__SCORE_TEXT, "loss %.6f accuracy %.6f", s->loss, s->accuracy);
    else if (!isnan(s->loss) || !isnan(s->mse))
        snprintf(text, TARE__SCORE_TEXT, "loss %.6g MSE %.6g MAE %.6g r2 %.6f", s->loss, s->mse, s->mae, s->r2);
    return text;
}

json_t *tare__score_json(const tare__score *s, const char *set)
{
    json_t *object = json_object();
    const struct {
        const char *name;
        double value;
    } figure[] = {{"loss", s->loss}, {"accuracy", s->accuracy}, {"mse", s->mse}, {"mae", s->mae}, {"r2", s->r2}};
    json_object_set_new(object, "set", json_string(set));
    json_object_set_new(object, "samples", json_integer(s->samples));
    for (size_t i = 0; i < sizeof figure / sizeof *figure; ++i)
        json_object_set_new(object, figure[i].name, tare__real(figure[i].value));
    json_object_set_new(object, "time_ns", json_integer(s->ns));
    return object;
}
