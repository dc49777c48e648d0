/* wire.c - task, arms and schedule to JSON and back (see wire.h). */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

json_t *tare__wire_write(const tare__task *task, const tare__specs *specs, const tare__schedule *schedule)
{
    json_t *arms = json_array();
    for (int i = 0; i < specs->n; ++i) {
        const tare__spec *spec = &specs->spec[i];
        json_array_append_new(arms, json_pack("{s:s,s:s,s:o,s:b}", "name", spec->name, "rung", spec->setting.rung->name,
                                              "levels", tare__setting_json(&spec->setting), "spans", (int)spec->spans));
    }
    json_t *plugins = json_array();
    for (int i = 0; i < task->plugins.n; ++i)
        json_array_append_new(plugins, json_string(task->plugins.path[i]));
    return json_pack("{s:s,s:o,s:I,s:s,s:o,s:b,s:I,s:o,s:i,s:i,s:I,s:f,s:I,s:i}", "net", task->net, "plugins", plugins,
                     "batch", (json_int_t)task->batch, "work", tare__work_names[task->work], "optimizer",
                     text_or_null(task->optimizer), "training_loss", (int)task->training_loss, "seed",
                     (json_int_t)task->seed, "arms", arms, "open", schedule->open, "process", schedule->process,
                     "rounds", (json_int_t)schedule->rounds, "seconds", schedule->seconds, "order_seed",
                     (json_int_t)schedule->order_seed, "rate_threads", schedule->rate_threads);
}

/* All levels of a setting; false: one is missing, unknown, or a file that is not there any more. */
static bool read_levels(const tare__line *line, const json_t *levels, tare__setting *setting)
{
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        const char *level = json_string_value(json_object_get(levels, tare__factors[f].name));
        if (!level || tare__setting_put(setting, line, f, level) != TARE__RAN)
            return false;
    }
    return true;
}

static bool read_arms(const tare__line *line, const json_t *arms, tare__specs *specs)
{
    size_t i;
    json_t *arm;
    specs->spec = tare__take(json_array_size(arms) + 1, sizeof *specs->spec);
    json_array_foreach(arms, i, arm)
    {
        const char *name = json_string_value(json_object_get(arm, "name"));
        const char *rung = json_string_value(json_object_get(arm, "rung"));
        tare__spec *spec = &specs->spec[specs->n];
        spec->setting.rung = rung ? tare__rung_find(rung) : NULL;
        if (!name || !spec->setting.rung || !read_levels(line, json_object_get(arm, "levels"), &spec->setting))
            return false;
        spec->name = tare__copy_text(name);
        spec->spans = json_is_true(json_object_get(arm, "spans"));
        ++specs->n;
    }
    return specs->n > 0;
}

static bool read_plugins(const json_t *paths, tare__plugins *p)
{
    size_t i;
    json_t *path;
    if (!json_is_array(paths))
        return false;
    p->path = tare__take(json_array_size(paths) + 1, sizeof *p->path);
    json_array_foreach(paths, i, path)
    {
        if (!json_is_string(path))
            return false;
        p->path[p->n++] = json_string_value(path);
    }
    return true;
}

static bool read_task(json_t *object, tare__task *task, tare__schedule *s)
{
    json_int_t batch, seed, rounds, order_seed;
    int training_loss;
    const char *work;
    json_t *optimizer = NULL;
    if (json_unpack(object, "{s:s,s:I,s:s,s:o,s:b,s:I,s:i,s:i,s:I,s:F,s:I,s:i}", "net", &task->net, "batch", &batch,
                    "work", &work, "optimizer", &optimizer, "training_loss", &training_loss, "seed", &seed, "open",
                    &s->open, "process", &s->process, "rounds", &rounds, "seconds", &s->seconds, "order_seed",
                    &order_seed, "rate_threads", &s->rate_threads) != 0)
        return false;
    task->optimizer = json_string_value(optimizer);
    task->batch = batch;
    task->seed = (uint64_t)seed;
    task->training_loss = training_loss;
    s->rounds = rounds;
    s->order_seed = order_seed;
    int w = 0;
    while (w < 3 && strcmp(work, tare__work_names[w]) != 0)
        ++w;
    task->work = (tare__work)w;
    return w < 3 && s->rate_threads >= 1 && s->process >= 0 &&
           read_plugins(json_object_get(object, "plugins"), &task->plugins);
}

int tare__wire_read(const tare__line *line, FILE *file, tare__wire *wire)
{
    *wire = (tare__wire){.object = json_loadf(file, 0, NULL)};
    bool good = read_task(wire->object, &wire->task, &wire->schedule) &&
                read_arms(line, json_object_get(wire->object, "arms"), &wire->specs) &&
                wire->schedule.open < wire->specs.n;
    if (good)
        return TARE__RAN;
    tare__wire_free(wire);
    return tare__usage(line, "standard input holds no schedule: tare bench starts this command");
}

void tare__wire_free(tare__wire *wire)
{
    tare__specs_free(&wire->specs);
    free(wire->task.plugins.path);
    json_decref(wire->object);
    *wire = (tare__wire){0};
}
