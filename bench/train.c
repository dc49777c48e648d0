/* train.c - `tare train` and `tare predict`: a net on a data set, in any rung.
 *
 * An epoch's batches are shuffled by (seed, epoch); the rows that do not fill the last batch are left out, since a plan
 * is for one shape. The test set is evaluated whole, in the imperative mode, whatever the rung of a step. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../data/npy.h"
#include "clock.h"
#include "commands.h"
#include "request.h"
#include "samples.h"
#include "table.h"
#include "weights.h"

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__setting setting;
    tare__samples samples;
    tare__arm arm;
    tare_batches batches;
    tare__journal journal;
    json_t *run, *factors;
    int64_t epochs;
    bool progress;
} session;

static int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

/* ---- training ------------------------------------------------------------------------------------------------*/

typedef struct {
    double loss, metric; /* mean over the epoch's steps; of the test set after it */
    int64_t steps, ns;
} epoch;

static tare_status train_step(session *s, const tare_batch *batch, double *loss)
{
    float value = 0;
    tare_status status = tare__samples_feed(&s->samples, &s->samples.set.train, batch, &s->arm);
    if (status == TARE_OK)
        status = s->arm.step(&s->arm);
    if (status == TARE_OK)
        status = tare_value_read(s->arm.loss, &value, sizeof value);
    *loss += (double)value;
    return status;
}

static tare_status train_epoch(session *s, int64_t number, epoch *e)
{
    *e = (epoch){0};
    int64_t begin = tare__clock_ns(), shown = begin, n = tare_batches_count(&s->batches, number - 1);
    tare_status status = TARE_OK;
    tare_batch batch;
    for (tare_batches_next(&s->batches, &batch); batch.count && status == TARE_OK;
         tare_batches_next(&s->batches, &batch)) {
        status = train_step(s, &batch, &e->loss);
        ++e->steps;
        int64_t now = s->progress ? tare__clock_ns() : shown;
        if (now - shown > 200000000) {
            shown = now;
            fprintf(stderr, "\repoch %lld: %lld of %lld steps, loss %.4f ", (long long)number, (long long)e->steps,
                    (long long)n, e->loss / (double)e->steps);
        }
    }
    e->ns = tare__clock_ns() - begin;
    e->loss /= e->steps ? (double)e->steps : 1;
    if (s->progress)
        fprintf(stderr, "\r%60s\r", "");
    if (status == TARE_OK)
        status = tare__samples_evaluate(&s->samples.set.test, &s->arm, &e->metric, NULL);
    return status;
}

static void report_epoch(session *s, int64_t number, const epoch *e)
{
    char time[TARE__FIGURE], step[TARE__FIGURE], peak[TARE__FIGURE];
    const char *metric = tare__samples_metric(&s->arm);
    printf("epoch %-3lld loss %.9g  test %s %.6f  %s, %s a step, peak memory %s\n", (long long)number, e->loss, metric,
           e->metric, tare__figure_ns((double)e->ns, time), tare__figure_ns((double)e->ns / (double)e->steps, step),
           tare__figure_bytes((double)peak_rss_bytes(), peak));
    (void)fflush(stdout);
    json_t *record = tare__record("epoch", s->run, s->setting.rung->name, s->setting.rung->name, s->factors);
    json_object_set_new(record, "optimizer", json_string(s->task.optimizer));
    json_object_set_new(record, "epoch", json_integer(number));
    json_object_set_new(record, "steps", json_integer(e->steps));
    json_object_set_new(record, "loss", tare__real(e->loss));
    json_object_set_new(record, "metric", json_string(metric));
    json_object_set_new(record, "test", tare__real(e->metric));
    json_object_set_new(record, "time_ns", json_integer(e->ns));
    json_object_set_new(record, "rss_peak_bytes", json_integer(peak_rss_bytes()));
    tare__journal_put(&s->journal, record);
}

/* The arm, the samples that it must be able to take, the parameters to begin with. An exit code. */
static int open_arm(session *s, unsigned parts)
{
    tare_status status = tare__arm_open(&s->arm, &s->task, &s->setting, s->setting.rung->name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    if (s->arm.loss_kind == TARE_LOSS_ONES)
        return tare__usage(s->line, "%s has no loss to train with", s->arm.net->type->name);
    if (parts & TARE_DATASET_TRAIN)
        status = tare__samples_fit(&s->samples.set.train, s->arm.net, s->arm.loss_kind);
    if (status == TARE_OK)
        status = tare__samples_fit(&s->samples.set.test, s->arm.net, s->arm.loss_kind);
    if (status == TARE_OK && tare__given(s->line, "load"))
        status = tare__weights_load(s->arm.net, tare__text(s->line, "load"));
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

static int train(session *s)
{
    s->arm.keep = true;
    tare_status status = tare__arm_prepare(&s->arm);
    if (status == TARE_OK)
        status = tare_batches_init(&s->batches, &s->samples.memory, s->samples.set.train.x.dims[0], s->arm.batch,
                                   TARE_LAST_DROP, true, s->task.seed);
    if (status != TARE_OK)
        return tare__status_failed(s->line, status);
    s->run = tare__run_record(s->line, s->arm.net->label, s->arm.batch, s->setting.level[TARE__THREADS],
                              (int64_t)s->task.seed, 0);
    s->factors = tare__setting_json(&s->setting);
    int code = tare__journal_open(&s->journal, s->line, tare__text(s->line, "json"));
    if (code)
        return code;
    printf("%s, batch %lld, %s, mode %s: %lld training and %lld test samples\n", s->arm.net->label,
           (long long)s->arm.batch, s->task.optimizer, s->setting.rung->name, (long long)s->samples.set.train.x.dims[0],
           (long long)s->samples.set.test.x.dims[0]);
    for (int64_t e = 1; e <= s->epochs && status == TARE_OK; ++e) {
        epoch result;
        status = train_epoch(s, e, &result);
        if (status == TARE_OK)
            report_epoch(s, e, &result);
    }
    if (status == TARE_OK && tare__given(s->line, "save"))
        status = tare__weights_save(s->arm.net, tare__text(s->line, "save"));
    if (status != TARE_OK) {
        tare__journal_leave(&s->journal);
        return tare__status_failed(s->line, status);
    }
    return tare__journal_close(&s->journal);
}

static void close_session(session *s)
{
    tare_batches_fini(&s->batches);
    tare__arm_close(&s->arm);
    tare__samples_close(&s->samples);
    json_decref(s->run);
    json_decref(s->factors);
}

/* What both subcommands begin with. */
static int open_session(session *s, const char *mode, unsigned parts)
{
    const tare__line *line = s->line;
    if (!tare__given(line, "data"))
        return tare__usage(line, "--data DIR is wanted");
    s->progress = isatty(STDERR_FILENO) && !tare__given(line, "quiet");
    int code = tare__task_read(line, &s->task);
    s->task.training_loss = true;
    if (!code)
        code = tare__setting_read(line, &s->task, mode, &s->setting);
    if (!code)
        code = tare__samples_open(line, tare__text(line, "data"), parts, &s->samples);
    return code ? code : open_arm(s, parts);
}

int tare__train_run(const tare__line *line)
{
    session s = {.line = line, .epochs = 1};
    int code = tare__integer(line, "epochs", 1, 1000000, &s.epochs);
    if (!code)
        code = open_session(&s, tare__text(line, "mode"), TARE_DATASET_TRAIN | TARE_DATASET_TEST);
    if (!code)
        code = train(&s);
    close_session(&s);
    return code;
}

/* ---- predicting ----------------------------------------------------------------------------------------------*/

static int write_outputs(session *s, float *output)
{
    tare_desc d = tare_net_target(s->arm.net, TARE_LOSS_L2, s->samples.set.test.x.dims[0]);
    tare_array array = {.dtype = TARE_F32, .rank = d.rank, .bytes = tare_desc_bytes(&d), .data = output};
    for (int i = 0; i < d.rank; ++i)
        array.dims[i] = d.dim[i];
    tare_memory memory = {0};
    tare_status status = tare_npy_write(&memory, tare__text(s->line, "out"), &array);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

static int predict(session *s)
{
    tare_desc d = tare_net_target(s->arm.net, TARE_LOSS_L2, s->samples.set.test.x.dims[0]);
    float *output = tare__take((size_t)tare_desc_count(&d), sizeof *output);
    double metric;
    tare_status status = tare__samples_evaluate(&s->samples.set.test, &s->arm, &metric, output);
    int code = TARE__RAN;
    if (status != TARE_OK)
        code = tare__status_failed(s->line, status);
    else
        printf("%s: %lld test samples, %s %.6f\n", s->arm.net->label, (long long)d.dim[0],
               tare__samples_metric(&s->arm), metric);
    if (!code && tare__given(s->line, "out"))
        code = write_outputs(s, output);
    free(output);
    return code;
}

int tare__predict_run(const tare__line *line)
{
    session s = {.line = line};
    if (!tare__given(line, "load") && !tare_net_is_file(line->word[0]))
        return tare__usage(line, "--load FILE is wanted");
    int code = open_session(&s, "functional", TARE_DATASET_TEST);
    if (!code)
        code = predict(&s);
    close_session(&s);
    return code;
}
