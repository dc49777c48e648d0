/* train.c - `tare train`: a net trained on a data set, in any rung; told, recorded, saved, resumed.
 *
 * With --resume, what is not given on the line is what the checkpoint says. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../arm/request.h"
#include "../arm/training_progress.h"
#include "../base/clock.h"
#include "../base/interrupt.h"
#include "../base/table.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__setting setting; /* the arm's: what a loss is read for is the training's own */
    tare__setting told;    /* as records have it */
    tare__samples samples;
    tare__set set; /* where the arm feeds itself */
    tare__arm arm;
    tare__training training;
    tare__training_progress progress;
    tare__journal journal;
    json_t *run, *factors;
    tare_memory memory;
    tare_tensors resumed; /* the checkpoint; holds nothing where there is none */
    const char *part;     /* what an epoch is evaluated on: "validation", "test" */
} session;

/* ---- what is told of an epoch --------------------------------------------------------------------------------*/

static int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

static json_t *new_record(session *s, const char *kind)
{
    json_t *record = tare__record(kind, s->run, s->setting.rung->name, s->setting.rung->name, s->factors);
    json_object_set_new(record, "optimizer", json_string(s->arm.task.optimizer));
    return record;
}

static void record_epoch(session *s, const tare__epoch *e)
{
    json_t *record = new_record(s, "epoch");
    json_object_set_new(record, "epoch", json_integer(e->number));
    json_object_set_new(record, "steps", json_integer(e->steps));
    json_object_set_new(record, "samples", json_integer(e->steps * s->arm.batch));
    json_object_set_new(record, "loss", tare__real(e->loss));
    json_object_set_new(record, "score", tare__score_json(&e->score, s->part));
    json_object_set_new(record, "time_ns", json_integer(e->time_ns));
    json_object_set_new(record, "cpu_ns", json_integer(e->cpu_ns));
    json_object_set_new(record, "rss_peak_bytes", json_integer(peak_rss_bytes()));
    json_object_set_new(record, "peak_bytes", json_integer(s->arm.rt->work_bytes_peak));
    if (s->arm.plan)
        json_object_set_new(record, "planned_bytes", json_integer(tare_plan_size(s->arm.plan).arena));
    else
        tare__null(record, "planned_bytes", "the step is no one plan");
    tare__journal_put(&s->journal, record);
}

static void on_epoch(void *owner, const tare__epoch *e)
{
    session *s = owner;
    char time[TARE__FIGURE], cpu[TARE__FIGURE], step[TARE__FIGURE], rate[TARE__FIGURE], peak[TARE__FIGURE];
    char score[TARE__SCORE_TEXT];
    double samples = (double)(e->steps * s->arm.batch);
    tare__training_progress_clear(&s->progress);
    printf("epoch %-3lld loss %.9g  %s %s  %s (cpu %s), %s a step, %s samples/s, peak memory %s\n",
           (long long)e->number, e->loss, s->part, tare__score_text(&e->score, score),
           tare__figure_ns((double)e->time_ns, time), tare__figure_ns((double)e->cpu_ns, cpu),
           tare__figure_ns((double)e->time_ns / (double)e->steps, step),
           tare__figure_count(samples * 1e9 / (double)e->time_ns, rate),
           tare__figure_bytes((double)peak_rss_bytes(), peak));
    (void)fflush(stdout);
    record_epoch(s, e);
}

static void on_step(void *owner, const tare__training *t)
{
    tare__training_progress_step(&((session *)owner)->progress, t);
}

static bool stopped(void *owner)
{
    (void)owner;
    return tare__interrupted() != 0;
}

/* ---- what was asked for --------------------------------------------------------------------------------------*/

/* What the line gives, else what the checkpoint says under `key`, else the option's own. */
static const char *wish(const session *s, const char *option, const char *key)
{
    const char *text = tare__given(s->line, option) ? NULL : tare_tensors_text(&s->resumed, key);
    return text ? text : tare__text(s->line, option);
}

/* A whole number that may come from the checkpoint; untouched where nobody says. An exit code. */
static int wish_number(const session *s, const char *option, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const char *path = tare__text(s->line, "resume");
    if (tare__given(s->line, option) || !tare_tensors_text(&s->resumed, key))
        return tare__integer(s->line, option, low, high, out);
    tare_status status = tare_checkpoint_integer(&s->resumed, key, path, out);
    if (status == TARE_OK && (*out < low || *out > high))
        status = tare_error(TARE_BAD_FILE, "%s: its metadata '%s' is out of range", path, key);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

static int read_task(session *s)
{
    int64_t seed = 1;
    int code = tare__task_read(s->line, &s->task);
    if (!code)
        code = wish_number(s, "seed", "seed", 0, INT64_MAX, &seed);
    if (!code)
        code = wish_number(s, "batch", "batches.batch", 1, 1 << 24, &s->task.batch);
    const char *optimizer = wish(s, "optimizer", "optimizer");
    s->task.seed = (uint64_t)seed;
    s->task.optimizer = optimizer ? optimizer : "";
    s->task.training_loss = true;
    return code ? code : tare__setting_read(s->line, &s->task, tare__text(s->line, "mode"), &s->setting);
}

static int read_training(session *s)
{
    const tare__line *line = s->line;
    tare__training *t = &s->training;
    int64_t order_seed = (int64_t)s->task.seed;
    const char *shuffle = tare_tensors_text(&s->resumed, "batches.shuffle");
    *t = (tare__training){.epochs = 1,
                          .validation = wish(s, "validation", "training.validation"),
                          .shuffle = !tare__given(line, "no-shuffle") && (!shuffle || strcmp(shuffle, "true") == 0),
                          .checkpoint = tare__text(line, "checkpoint"),
                          .stopped = stopped,
                          .on_step = on_step,
                          .on_epoch = on_epoch,
                          .owner = s};
    int code = wish_number(s, "epochs", "training.epochs", 1, 1000000, &t->epochs);
    if (!code)
        code = wish_number(s, "early-stop", "training.patience", 0, 1000000, &t->patience);
    if (!code)
        code = wish_number(s, "order-seed", "batches.seed", 0, INT64_MAX, &order_seed);
    if (!code)
        code = tare__integer(line, "checkpoint-every", 1, INT64_MAX, &t->checkpoint_every);
    t->order_seed = (uint64_t)order_seed;
    if (s->setting.level[TARE__SEQUENCE] != TARE__SEQUENCE_USUAL)
        t->shuffle = s->setting.level[TARE__SEQUENCE] == TARE__SEQUENCE_SHUFFLED;
    if (!code && t->shuffle && s->setting.level[TARE__INPUT] == TARE__INPUT_SLICES)
        code =
            tare__usage(line, "input=slices means nothing on shuffled samples: a view is of neighbours (--no-shuffle)");
    t->last_loss = s->setting.level[TARE__READBACK] == TARE__READBACK_EPOCH;
    s->told = s->setting;
    s->told.level[TARE__READBACK] = t->last_loss ? TARE__READBACK_EPOCH : TARE__READBACK_STEP;
    s->setting.level[TARE__READBACK] = TARE__READBACK_END;
    if (!tare__input_wanted(&s->setting))
        s->told.level[TARE__FEED] = TARE__FEED_COPIED;
    if (!code && t->checkpoint_every && !t->checkpoint)
        code = tare__usage(line, "--checkpoint-every needs --checkpoint FILE");
    if (!code && t->patience && !t->validation)
        code = tare__usage(line, "--early-stop needs --validation: a test set that says when to stop is no test");
    return code;
}

static int read_checkpoint(session *s)
{
    const char *path = tare__text(s->line, "resume");
    if (!path)
        return TARE__RAN;
    if (tare__given(s->line, "load"))
        return tare__usage(s->line, "--load and --resume exclude one another: a checkpoint has its own weights");
    tare_status status = tare_safetensors_read(&s->memory, path, &s->resumed);
    if (status == TARE_OK && !tare_checkpoint_is(&s->resumed))
        status = tare_error(TARE_BAD_FILE, "%s: this is no checkpoint; weights alone are for --load", path);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

/* ---- making it -----------------------------------------------------------------------------------------------*/

static int open_samples(session *s)
{
    int code =
        tare__samples_open(s->line, tare__text(s->line, "data"), TARE_DATASET_TRAIN | TARE_DATASET_TEST, &s->samples);
    if (!code && s->training.validation)
        code = tare__samples_validate(s->line, s->training.validation, &s->samples);
    s->part = s->training.validation ? "validation" : "test";
    s->training.part = s->training.validation ? &s->samples.validation : &s->samples.test;
    return code;
}

/* Of an arm that feeds itself: all training rows, in the training's order. */
static tare_status make_set(session *s)
{
    tare_status status = tare__samples_set(&s->samples, &s->samples.train, s->arm.net, s->arm.loss_kind, &s->set);
    s->set.shuffle = s->training.shuffle;
    s->set.seed = s->training.order_seed;
    s->arm.task.set = &s->set;
    return status;
}

/* The arm, the samples that it must be able to take, what to begin with. */
static int open_arm(session *s)
{
    const char *load = tare__text(s->line, "load");
    tare_status status = tare__arm_open(&s->arm, &s->task, &s->setting, s->setting.rung->name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    if (s->arm.loss_kind == TARE_LOSS_ONES)
        return tare__usage(s->line, "%s has no loss to train with", s->arm.label);
    const int64_t rows = s->samples.train.x.dims[0];
    if (tare__input_wanted(&s->setting) && rows < s->arm.batch)
        return tare__usage(s->line, "%lld rows in batches of %lld: no batch is full", (long long)rows,
                           (long long)s->arm.batch);
    status = tare__samples_fit(&s->samples, s->arm.net, s->arm.loss_kind);
    if (status == TARE_OK && load)
        status = tare_weights_load(s->arm.net, load);
    s->arm.keep = true;
    if (status == TARE_OK && tare__input_wanted(&s->setting))
        status = make_set(s);
    if (status == TARE_OK)
        status = tare__arm_prepare(&s->arm);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

/* A resumed training adds to what is recorded already: in the part of one that was interrupted, or in the file of one
 * that ended and is to go on. */
static int open_journal(session *s)
{
    static const char *const ends[] = {"epoch", "score", NULL};
    const char *json = tare__text(s->line, "json");
    if (!json || !tare__given(s->line, "resume"))
        return tare__journal_open(&s->journal, s->line, json);
    json_t *lines;
    struct stat found;
    char *part = tare__print("%s.part", json);
    if (stat(part, &found) != 0 && stat(json, &found) == 0 && S_ISREG(found.st_mode))
        (void)rename(json, part); /* where it cannot be, the file is begun anew */
    free(part);
    int code = tare__journal_resume(&s->journal, s->line, json, ends, &lines);
    json_decref(lines);
    return code;
}

static int open_training(session *s)
{
    tare__training *t = &s->training;
    const char *resume = tare__text(s->line, "resume");
    t->arm = &s->arm;
    t->samples = &s->samples;
    tare_status status = tare__training_open(t);
    if (status == TARE_OK && resume)
        status = tare__training_restore(t, &s->resumed, resume);
    if (status == TARE_OK && s->arm.input)
        status = tare__input_seek(&s->arm, t->batches.epoch, t->batches.position);
    if (status != TARE_OK)
        return status == TARE_BAD_ARGUMENT ? tare__status_usage(s->line, status) : tare__status_failed(s->line, status);
    s->run = tare__run_record(s->line, s->arm.label, s->arm.batch, s->setting.level[TARE__THREADS],
                              (int64_t)s->task.seed, (int64_t)t->order_seed);
    s->factors = tare__setting_json(&s->told);
    return open_journal(s);
}

static int open_session(session *s)
{
    if (!tare__given(s->line, "data"))
        return tare__usage(s->line, "--data DIR is wanted");
    int (*const part[])(session *) = {read_checkpoint, read_task, read_training, open_samples, open_arm, open_training};
    int code = TARE__RAN;
    for (size_t i = 0; i < sizeof part / sizeof *part && !code; ++i)
        code = part[i](s);
    return code;
}

static void close_session(session *s)
{
    tare__training_close(&s->training);
    tare__arm_close(&s->arm);
    tare__samples_close(&s->samples);
    tare_safetensors_free(&s->memory, &s->resumed);
    tare__journal_leave(&s->journal);
    json_decref(s->run);
    json_decref(s->factors);
}

/* ---- the run -------------------------------------------------------------------------------------------------*/

static void print_head(const session *s)
{
    char train[TARE__FIGURE], held[TARE__FIGURE], test[TARE__FIGURE];
    const tare__samples *d = &s->samples;
    int64_t of, done = tare__training_steps(&s->training, &of);
    printf("%s, batch %lld, %s, mode %s: %s training, ", s->arm.label, (long long)s->arm.batch, s->arm.task.optimizer,
           s->setting.rung->name, tare__figure_count((double)d->train.x.dims[0], train));
    if (d->validation.x.data)
        printf("%s validation, ", tare__figure_count((double)d->validation.x.dims[0], held));
    printf("%s test samples\n", tare__figure_count((double)d->test.x.dims[0], test));
    if (tare__given(s->line, "resume"))
        printf("resumed after step %lld of %lld\n", (long long)done, (long long)of);
    (void)fflush(stdout);
}

/* The test set, once, where epochs were evaluated on other data. */
static tare_status test(session *s)
{
    char text[TARE__SCORE_TEXT];
    tare__score score;
    const tare__training *t = &s->training;
    if (t->patience && t->best_epoch)
        printf("the best epoch was %lld, and its weights are taken\n", (long long)t->best_epoch);
    if (!t->validation)
        return TARE_OK;
    const tare__evaluation evaluation = {.samples = &s->samples, .arm = &s->arm, .loss = s->arm.loss_kind};
    tare_status status = tare__evaluate(&evaluation, &s->samples.test, &score);
    if (status != TARE_OK)
        return status;
    printf("test %s\n", tare__score_text(&score, text));
    json_t *record = new_record(s, "score");
    json_object_set_new(record, "score", tare__score_json(&score, "test"));
    tare__journal_put(&s->journal, record);
    return TARE_OK;
}

/* One line, and the exit code of a process that the signal has ended. */
static int broken_off(session *s)
{
    int64_t of, done = tare__training_steps(&s->training, &of);
    const char *checkpoint = s->training.checkpoint;
    tare__training_progress_clear(&s->progress);
    (void)tare__failed(s->line, "interrupted after step %lld of %lld; %s%s", (long long)done, (long long)of,
                       checkpoint ? "go on with --resume " : "nothing is saved without --checkpoint",
                       checkpoint ? checkpoint : "");
    return 128 + tare__interrupted();
}

static int run(session *s)
{
    print_head(s);
    tare__training_progress_begin(&s->progress, s->line, &s->training);
    tare_status status = tare__training_run(&s->training);
    if (status == TARE_OK && s->training.broken_off)
        return broken_off(s);
    tare__training_progress_clear(&s->progress);
    if (status == TARE_OK)
        status = test(s);
    if (status == TARE_OK && tare__given(s->line, "save"))
        status = tare_weights_save(s->arm.net, tare__text(s->line, "save"));
    return status == TARE_OK ? tare__journal_close(&s->journal) : tare__status_failed(s->line, status);
}

int tare__train_run(const tare__line *line)
{
    session s = {.line = line};
    int code = open_session(&s);
    if (!code) {
        tare__interrupt_catch(true);
        code = run(&s);
    }
    close_session(&s);
    return code;
}
