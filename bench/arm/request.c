/* request.c - task and arms from a command line (see request.h). */
#include "request.h"

#include <stdlib.h>
#include <string.h>

/* A net from a file has no layer objects, one of a plug-in need not have them. */
static int read_net(const tare__line *line, tare__task *task)
{
    const char *word = line->word[0];
    size_t letters = tare__plugin_letters(word);
    task->net = word;
    task->no_layers = tare_net_is_file(word);
    int code = tare__plugins_read(line, &task->plugins);
    if (!code && letters)
        code = tare__plugins_add(line, word, letters, &task->plugins);
    if (code || !task->plugins.n)
        return code;
    tare_runtime *rt;
    tare_status status = tare__start(NULL, &task->plugins, &rt);
    if (status != TARE_OK)
        return tare__status_usage(line, status);
    if (letters)
        code = tare__plugins_net(line, rt, &task->plugins, word, &task->net);
    for (int i = 0; i < rt->n_records[TARE_KIND_NET]; ++i) {
        const tare_net_type *type = (const tare_net_type *)rt->record[TARE_KIND_NET][i];
        size_t length = strlen(type->name);
        if (strncmp(task->net, type->name, length) == 0 && (!task->net[length] || task->net[length] == ':'))
            task->no_layers = !type->forward[TARE_API_BLOCK] || !type->forward[TARE_API_HYBRID];
    }
    (void)tare_runtime_free(rt);
    return code;
}

int tare__task_read(const tare__line *line, tare__task *task)
{
    int64_t seed = 1;
    *task = (tare__task){.optimizer = tare__text(line, "optimizer")};
    int code = read_net(line, task);
    if (!code)
        code = tare__integer(line, "seed", 0, INT64_MAX, &seed);
    if (!code)
        code = tare__integer(line, "batch", 1, 1 << 24, &task->batch);
    task->seed = (uint64_t)seed;
    static const tare__work works[] = {TARE__TRAIN, TARE__FORWARD, TARE__INFER};
    int n_works = 0;
    for (int w = 0; w < 3; ++w) {
        if (tare__given(line, tare__work_names[w])) {
            task->work = works[w];
            ++n_works;
        }
    }
    if (!code && n_works > 1)
        code = tare__usage(line, "--train, --forward and --infer exclude one another");
    if (!code && task->optimizer && task->work != TARE__TRAIN)
        code = tare__usage(line, "--optimizer needs gradients, and --%s makes none", tare__work_names[task->work]);
    return code;
}

/* Calls take(owner, item) for each item of a list parted by commas; an exit code. */
static int each_item(const char *list, int (*take)(void *owner, const char *item), void *owner)
{
    char *copy = tare__copy_text(list), *rest = copy, *item;
    int code = TARE__RAN;
    while (!code && (item = strsep(&rest, ",")))
        code = take(owner, item);
    free(copy);
    return code;
}

typedef struct {
    const tare__line *line;
    const tare__task *task;
    tare__specs *specs;
    tare__setting *setting;
    bool first_threads; /* of several --threads take the first */
    bool floor;         /* flips that mean nothing on it are for the others */
    int n_arms;         /* before they are repeated with more threads */
} reading;

static int take_flip(void *owner, const char *item)
{
    reading *r = owner;
    return r->floor ? tare__setting_flip_if(r->setting, r->line, item) : tare__setting_flip(r->setting, r->line, item);
}

/* --factor and the options that are aliases of one. */
static int apply_factors(reading *r)
{
    static const int alias[] = {TARE__THREADS, TARE__KERNELS, TARE__DEVICE};
    int code = TARE__RAN, at = 0;
    const char *list;
    while (!code && (list = tare__each(r->line, "factor", &at)))
        code = each_item(list, take_flip, r);
    for (size_t i = 0; i < sizeof alias / sizeof *alias && !code; ++i) {
        const char *name = tare__factors[alias[i]].name, *level = tare__text(r->line, name);
        if (!level)
            continue;
        bool first = alias[i] == TARE__THREADS && r->first_threads;
        char *flip = tare__print("%s=%.*s", name, (int)(first ? strcspn(level, ",") : strlen(level)), level);
        code = tare__setting_flip(r->setting, r->line, flip);
        free(flip);
    }
    return code;
}

/* Whether a setting reaches layers through their objects, and the net has none. */
bool tare__setting_needs_objects(const tare__task *task, const tare__setting *s)
{
    int api = s->level[TARE__API];
    return task->no_layers &&
           (api == TARE__API_BLOCK || api == TARE__API_HYBRIDBLOCK || s->level[TARE__CAPTURE] == TARE__CAPTURE_CHILD);
}

static int refuse_objects(const tare__line *line, const tare__task *task, const char *name)
{
    return tare__usage(line, "%s reaches layers as objects, and %s has none%s", name, task->net,
                       tare_net_is_file(task->net) ? ": it was read from a file" : "");
}

const char *tare__setting_idle(const tare__task *task, const tare__setting *s)
{
    if (task->work == TARE__TRAIN && s->level[TARE__AUTOGRAD] == TARE__AUTOGRAD_OFF)
        return "autograd=off leaves no gradient to train with: ask for --forward or --infer";
    if (!task->optimizer && s->level[TARE__UPDATE] == TARE__UPDATE_MULTI)
        return "update=multi means nothing without an update: ask for an --optimizer";
    if (s->level[TARE__BULK] > 1 && s->level[TARE__ENGINE] == TARE__ENGINE_DIRECT)
        return "bulk means nothing with engine=direct: nothing is handed over (engine=queue,bulk=8)";
    return NULL;
}

static int read_setting(reading *r, const char *rung)
{
    const tare__rung *found = tare__rung_find(rung);
    if (!found)
        return tare__rung_unknown(r->line, rung);
    *r->setting = tare__setting_of(found, r->task->optimizer != NULL);
    int code = apply_factors(r);
    const char *idle = code ? NULL : tare__setting_idle(r->task, r->setting);
    return idle ? tare__usage(r->line, "%s", idle) : code;
}

static int check(const tare__line *line, const tare__task *task, const tare__setting *setting)
{
    const bool train = strcmp(line->command->name, "train") == 0;
    return tare__setting_check(setting, line, task->optimizer || train, task->work == TARE__TRAIN);
}

int tare__setting_read(const tare__line *line, const tare__task *task, const char *rung, tare__setting *setting)
{
    int code = read_setting(&(reading){.line = line, .task = task, .setting = setting}, rung);
    if (!code)
        code = check(line, task, setting);
    return !code && tare__setting_needs_objects(task, setting) ? refuse_objects(line, task, rung) : code;
}

int tare__floor_read(const tare__line *line, const tare__task *task, tare__setting *setting)
{
    return read_setting(
        &(reading){.line = line, .task = task, .setting = setting, .first_threads = true, .floor = true}, "kernels");
}

/* Room for a spec of that name. */
static int reserve_spec(reading *r, const char *name)
{
    tare__specs *specs = r->specs;
    for (int i = 0; i < specs->n; ++i)
        if (strcmp(specs->spec[i].name, name) == 0)
            return tare__usage(r->line, "two arms are named '%s'", name);
    if (strcmp(name, "sgemm") == 0)
        return tare__usage(r->line, "the name sgemm is that of the machine's own product");
    specs->spec = tare__more(specs->spec, (size_t)specs->n + 1, sizeof *specs->spec);
    specs->spec[specs->n] = (tare__spec){0};
    return TARE__RAN;
}

/* A spec of that name and rung; the setting comes after. */
static int add_spec(reading *r, const char *name, const char *rung)
{
    int code = reserve_spec(r, name);
    if (code)
        return code;
    tare__spec *spec = &r->specs->spec[r->specs->n];
    r->setting = &spec->setting;
    code = read_setting(r, rung);
    if (code)
        return code;
    spec->name = tare__copy_text(name);
    ++r->specs->n;
    return TARE__RAN;
}

static int take_rung(void *owner, const char *item)
{
    reading *r = owner;
    const tare__rung *rung = tare__rung_find(item);
    if (strcmp(item, "all") != 0)
        return add_spec(r, rung ? rung->name : item, item);
    int code = TARE__RAN;
    for (rung = tare__rungs; rung->name && !code; ++rung) {
        r->floor = strcmp(rung->name, "kernels") == 0;
        code = add_spec(r, rung->name, rung->name);
        r->floor = false;
        if (!code && tare__setting_needs_objects(r->task, r->setting)) {
            printf("%s is left out: it reaches layers as objects, and %s has none\n", rung->name, r->task->net);
            free(r->specs->spec[--r->specs->n].name);
        }
    }
    return code;
}

/* NAME=RUNG[,factor=level...]. */
static int read_arm(reading *r, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return tare__usage(r->line, "an arm is NAME=RUNG,factor=level,..., not '%s'", text);
    char *name = tare__print("%.*s", (int)(equals - text), text);
    char *rung = tare__print("%.*s", (int)strcspn(equals + 1, ","), equals + 1);
    int code = add_spec(r, name, rung);
    const char *flips = strchr(equals, ',');
    if (!code && flips) {
        r->setting = &r->specs->spec[r->specs->n - 1].setting;
        code = each_item(flips + 1, take_flip, r);
        const char *idle = code ? NULL : tare__setting_idle(r->task, r->setting);
        if (idle)
            code = tare__usage(r->line, "%s", idle);
    }
    free(name);
    free(rung);
    return code;
}

/* One more count of threads: the arms so far again, under names that say it. */
static int take_threads(void *owner, const char *item)
{
    reading *r = owner;
    tare__specs *specs = r->specs;
    char *flip = tare__print("threads=%s", item);
    int code = TARE__RAN;
    for (int i = 0; i < r->n_arms && !code; ++i) {
        char *name = tare__print("%s@%s", specs->spec[i].name, item);
        code = reserve_spec(r, name);
        tare__setting setting = specs->spec[i].setting;
        if (!code)
            code = tare__setting_flip(&setting, r->line, flip);
        if (!code)
            specs->spec[specs->n++] = (tare__spec){.name = name, .setting = setting};
        else
            free(name);
    }
    free(flip);
    return code;
}

int tare__specs_read(const tare__line *line, const tare__task *task, const char *modes, tare__specs *specs)
{
    *specs = (tare__specs){0};
    reading r = {.line = line, .task = task, .specs = specs, .first_threads = true};
    int at = 0, code = TARE__RAN;
    bool arms = tare__given(line, "arm");
    if (tare__given(line, "modes") || !arms)
        code = each_item(tare__given(line, "modes") ? tare__text(line, "modes") : modes, take_rung, &r);
    const char *arm;
    while (!code && arms && (arm = tare__each(line, "arm", &at)))
        code = read_arm(&r, arm);
    for (int i = 0; i < specs->n && !code; ++i)
        if (tare__setting_needs_objects(task, &specs->spec[i].setting))
            code = refuse_objects(line, task, specs->spec[i].name);
    for (int i = 0; i < specs->n && !code; ++i)
        code = check(line, task, &specs->spec[i].setting);
    const char *threads = tare__text(line, "threads"), *more = threads ? strchr(threads, ',') : NULL;
    r.n_arms = specs->n;
    if (!code && more)
        code = each_item(more + 1, take_threads, &r);
    if (code)
        tare__specs_free(specs);
    return code;
}

int tare__specs_add(tare__specs *specs, const char *name, const tare__setting *setting)
{
    specs->spec = tare__more(specs->spec, (size_t)specs->n + 1, sizeof *specs->spec);
    specs->spec[specs->n] = (tare__spec){.name = tare__copy_text(name), .setting = *setting};
    return specs->n++;
}

void tare__specs_free(tare__specs *specs)
{
    for (int i = 0; i < specs->n; ++i)
        free(specs->spec[i].name);
    free(specs->spec);
    *specs = (tare__specs){0};
}

int tare__step_arm_open(const tare__line *line, const char *name, tare__task *task, tare__arm *arm)
{
    int code = tare__task_read(line, task);
    if (code)
        return code;
    tare__setting setting;
    code = tare__setting_read(line, task, "step", &setting);
    if (code)
        return code;
    tare_status status = tare__arm_open(arm, task, &setting, name);
    return status == TARE_OK ? TARE__RAN : tare__status_usage(line, status);
}
