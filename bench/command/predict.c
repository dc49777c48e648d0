/* predict.c - `tare predict`: a trained net on a data set's test part, or on an array of inputs, in any rung. */
#include <stdlib.h>
#include <string.h>

#include "../../data/csv.h"
#include "../../data/formats.h"
#include "../../nets/weights.h"
#include "../arm/evaluate.h"
#include "../arm/request.h"
#include "../base/table.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__setting setting;
    tare__samples samples;
    tare__arm arm;
    float *output; /* [n,...] */
    size_t output_bytes;
    tare__score score;
} session;

/* ---- outputs to a file ---------------------------------------------------------------------------------------*/

static bool is_csv(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot &&
           (strcmp(dot, ".csv") == 0 || (strcmp(dot, ".gz") == 0 && dot - path >= 4 && !memcmp(dot - 4, ".csv", 4)));
}

static int check_out(const tare__line *line)
{
    const char *out = tare__text(line, "out");
    if (!out || is_csv(out) || tare_format_of(out))
        return TARE__RAN;
    return tare__usage(line, "--out %s: the name ends in .npy or .csv (or .gz after that)", out);
}

static tare_status write_outputs(session *s)
{
    const char *path = tare__text(s->line, "out");
    tare_desc d = tare_net_target(s->arm.net, TARE_LOSS_L2, s->score.samples);
    tare_array array = {.dtype = TARE_F32, .rank = d.rank, .bytes = s->output_bytes, .data = s->output};
    for (int i = 0; i < d.rank; ++i)
        array.dims[i] = d.dim[i];
    tare_memory *memory = &s->samples.memory;
    return is_csv(path) ? tare_csv_write(memory, path, "output", &array)
                        : tare_format_of(path)->write(memory, path, &array);
}

/* ---- the run -------------------------------------------------------------------------------------------------*/

/* A data set; or, where the file is of none, an array of inputs. */
static int open_samples(session *s)
{
    const char *path = tare__text(s->line, "data");
    const unsigned parts = TARE_DATASET_TEST | TARE_DATASET_UNLABELLED;
    return tare_dataset_names(path) ? tare__samples_open(s->line, path, parts, &s->samples)
                                    : tare__samples_open_inputs(s->line, path, &s->samples);
}

static int open_arm(session *s)
{
    tare_status status = tare__arm_open(&s->arm, &s->task, &s->setting, s->setting.rung->name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    status = tare__samples_fit(&s->samples, s->arm.net, s->arm.net->type->training_loss);
    if (status == TARE_OK && tare__given(s->line, "load"))
        status = tare_weights_load(s->arm.net, tare__text(s->line, "load"));
    s->arm.keep = true;
    if (status == TARE_OK)
        status = tare__arm_prepare(&s->arm);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
}

static tare_status evaluate(session *s)
{
    const tare_dataset_part *part = &s->samples.test;
    if (tare__given(s->line, "out")) {
        tare_desc d = tare_net_target(s->arm.net, TARE_LOSS_L2, part->x.dims[0]);
        s->output_bytes = tare_desc_bytes(&d);
        s->output = tare_memory_take(&s->samples.memory, TARE_MEMORY_INPUT, s->output_bytes);
        if (!s->output)
            return TARE_NO_MEMORY;
    }
    const tare__evaluation evaluation = {.samples = &s->samples,
                                         .arm = &s->arm,
                                         .loss = s->arm.net->type->training_loss,
                                         .by_step = true,
                                         .output = s->output};
    return tare__evaluate(&evaluation, part, &s->score);
}

static int write_record(session *s)
{
    tare__journal journal;
    int code = tare__journal_open(&journal, s->line, tare__text(s->line, "json"));
    if (code || !journal.file)
        return code;
    json_t *factors = tare__setting_json(&s->setting);
    json_t *run = tare__run_record(s->line, s->arm.label, s->arm.batch, s->setting.level[TARE__THREADS],
                                   (int64_t)s->task.seed, 0);
    json_t *record = tare__record("score", run, s->setting.rung->name, s->setting.rung->name, factors);
    json_object_set_new(record, "optimizer", json_null());
    json_object_set_new(record, "score", tare__score_json(&s->score, "test"));
    tare__journal_put(&journal, record);
    json_decref(run);
    json_decref(factors);
    return tare__journal_close(&journal);
}

static int run(session *s)
{
    char text[TARE__SCORE_TEXT], count[TARE__FIGURE], time[TARE__FIGURE];
    tare_status status = evaluate(s);
    if (status == TARE_OK && s->output)
        status = write_outputs(s);
    if (status != TARE_OK)
        return tare__status_failed(s->line, status);
    const char *words = tare__score_text(&s->score, text);
    printf("%s: %s samples in %s%s%s\n", s->arm.label, tare__figure_count((double)s->score.samples, count),
           tare__figure_ns((double)s->score.ns, time), *words ? ", " : "", words);
    return write_record(s);
}

static int open_session(session *s)
{
    const tare__line *line = s->line;
    if (!tare__given(line, "load") && !tare_net_is_file(line->word[0]))
        return tare__usage(line, "--load FILE is wanted");
    if (!tare__given(line, "data"))
        return tare__usage(line, "--data DIR|FILE is wanted");
    int code = check_out(line);
    if (!code)
        code = tare__task_read(line, &s->task);
    s->task.work = TARE__INFER;
    s->task.outputs_only = true;
    if (!code)
        code = tare__setting_read(line, &s->task, tare__text(line, "mode"), &s->setting);
    if (!code)
        code = open_samples(s);
    return code ? code : open_arm(s);
}

int tare__predict_run(const tare__line *line)
{
    session s = {.line = line};
    int code = open_session(&s);
    if (!code)
        code = run(&s);
    tare__arm_close(&s.arm);
    tare_memory_give(&s.samples.memory, TARE_MEMORY_INPUT, s.output, s.output_bytes);
    tare__samples_close(&s.samples);
    return code;
}
