/* arm.c - what an arm is made of, whatever its setting: runtime, net, batch (see arm.h). */
#define _GNU_SOURCE
#include "arm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/random.h"
#include "../../ops/ops.h"
#include "../base/folder.h"
#include "arm_private.h"
#include "around.h"
#include "net_save.h"

const char *const tare__work_names[] = {"train", "forward", "infer"};

/* Streams of random numbers, apart from those of the net's parameters. */
enum { STREAM_INPUT = 0x696e7075, STREAM_TARGET = 0x74617267 };

static tare_status make_runtime(tare__arm *a)
{
    const int *level = a->setting.level;
    tare_options options = {
        .threads = level[TARE__THREADS],
        .kernels = (tare_kernel_choice)level[TARE__KERNELS],
        .added = level[TARE__KERNELS] == TARE_KERNELS_ADDED ? TARE__ADDED : NULL,
        .layout = level[TARE__LAYOUT] == TARE__LAYOUT_BLOCKED ? TARE_LAYOUT_BLOCKED : TARE_LAYOUT_PLAIN,
        .storage = level[TARE__STORAGE] == TARE__STORAGE_MALLOC ? TARE_STORAGE_MALLOC : TARE_STORAGE_POOL,
        .engine = level[TARE__ENGINE] == TARE__ENGINE_QUEUE ? TARE_ENGINE_QUEUE : TARE_ENGINE_DIRECT,
        .bulk = level[TARE__BULK],
        .isa_limit = TARE_ISA_COUNT,
        .open_device = a->task.open_device,
        .device_owner = a->task.device_owner,
    };
    tare_status status = tare__start(&options, &a->task.plugins, &a->rt);
    if (status == TARE_OK && a->task.net_type)
        status = tare_register(a->rt, TARE_KIND_NET, a->task.net_type);
    return status;
}

/* A value with the bytes given. */
static tare_status value_of(tare_runtime *rt, const tare_desc *d, const void *bytes, tare_value **out)
{
    tare_status status = tare_value_new(rt, d, TARE_MEMORY_INPUT, out);
    return status ? status : tare_value_write(*out, bytes, tare_desc_bytes(d));
}

static tare_status make_input(tare__arm *a)
{
    tare_desc d = tare_net_input(a->net, a->batch);
    float *x = tare__take((size_t)tare_desc_count(&d), sizeof *x);
    tare_random_uniform(x, tare_desc_count(&d), a->task.seed, STREAM_INPUT, -1, 1);
    tare_status status = value_of(a->rt, &d, x, &a->x);
    free(x);
    return status;
}

/* Labels for integers, uniform(-1, 1) otherwise. */
static tare_status make_target(tare__arm *a)
{
    if (a->loss_kind == TARE_LOSS_ONES)
        return TARE_OK;
    tare_desc d = tare_net_target(a->net, a->loss_kind, a->batch), sample;
    int64_t n = tare_desc_count(&d);
    union {
        float real;
        int32_t label;
    } *t = tare__take((size_t)n, sizeof *t);
    bool labels = d.dtype == TARE_I32;
    tare_random_uniform(&t->real, n, a->task.seed, STREAM_TARGET, labels ? 0 : -1, 1);
    a->net->type->output(a->net->options, &sample);
    int64_t classes = sample.rank > 0 ? sample.dim[sample.rank - 1] : 1;
    for (int64_t i = 0; labels && i < n; ++i) {
        int32_t label = (int32_t)((double)t[i].real * (double)classes);
        t[i].label = label < classes ? label : (int32_t)classes - 1;
    }
    tare_status status = value_of(a->rt, &d, t, &a->target);
    free(t);
    return status;
}

/* The gradient that the walk starts from, resident: one number that looks like the root. */
static tare_status make_head(tare__arm *a)
{
    if (a->task.work != TARE__TRAIN)
        return TARE_OK;
    tare_desc d = tare_desc_of(TARE_F32, 0, NULL);
    if (a->loss_kind == TARE_LOSS_ONES) {
        tare_desc sample;
        a->net->type->output(a->net->options, &sample);
        int64_t dim[TARE_RANK] = {a->batch};
        for (int i = 0; i < sample.rank && i + 1 < TARE_RANK; ++i)
            dim[i + 1] = sample.dim[i];
        d = tare_desc_of(TARE_F32, sample.rank + 1, dim);
    }
    int64_t n = tare_desc_count(&d);
    bool sum = a->setting.level[TARE__RESCALE] == TARE__RESCALE_SUM; /* of the batch: its mean times its samples */
    if (sum && a->loss_kind == TARE_LOSS_ONES)
        return tare_error(TARE_IMPOSSIBLE, "%s: rescale=sum needs a loss, and a head of ones has none", a->name);
    float *head = tare__take((size_t)n, sizeof *head);
    for (int64_t i = 0; i < n; ++i)
        head[i] = sum ? (float)a->batch : 1;
    tare_status status = value_of(a->rt, &d, head, &a->head);
    free(head);
    return status;
}

/* The net that the task names, saved by a runtime of its own to a folder of its own. */
static tare_status save_net(const tare__arm *a, const char *path)
{
    tare__arm maker = {.setting = a->setting, .task = a->task};
    tare_status status = make_runtime(&maker);
    if (status == TARE_OK)
        status = tare_net_new(maker.rt, a->task.net, a->task.seed, &maker.net);
    if (status == TARE_OK)
        status = tare__net_save(maker.net, maker.net->type->default_batch, path);
    tare_net_free(maker.net);
    (void)tare_runtime_free(maker.rt);
    return status;
}

static tare_status net_through_file(tare__arm *a)
{
    tare__folder folder;
    tare_status status = tare__folder_open(&folder);
    if (status != TARE_OK)
        return status;
    char *json = tare__print("%s/net.json", folder.path), *weights = tare__print("%s/net.safetensors", folder.path);
    status = save_net(a, json);
    if (status == TARE_OK)
        status = tare_net_new(a->rt, json, a->task.seed, &a->net);
    (void)unlink(json);
    (void)unlink(weights);
    free(json);
    free(weights);
    tare__folder_close(&folder);
    return status;
}

/* What an arm reads of a net's record; a plug-in's may lack any of it. */
static tare_status check_type(const tare_net_type *type)
{
    const char *lacks = !type->input || !type->output     ? "input and output"
                        : !type->forward[TARE_API_DIRECT] ? "forward"
                        : type->default_batch < 1         ? "default_batch"
                                                          : NULL;
    return lacks ? tare_error(TARE_BAD_ARGUMENT, "net '%s' cannot be run: its record has no %s", type->name, lacks)
                 : TARE_OK;
}

static tare_loss loss_of(const tare__task *task, const tare_net_type *type)
{
    if (task->outputs_only)
        return TARE_LOSS_ONES;
    return task->training_loss ? type->training_loss : type->bench_loss;
}

/* "NAME:key=value,...", one more of them. */
static char *with_option(const char *text, const char *option)
{
    return tare__print("%s%c%s", text, strchr(text, ':') ? ',' : ':', option);
}

/* The switch init is an option of the net, epsilon one of the optimizer. */
static tare_status apply_init(tare__arm *a)
{
    const int *level = a->setting.level;
    char name[32], option[64];
    if (level[TARE__INIT] != TARE__INIT_NET) {
        if (tare_net_is_file(a->task.net))
            return tare_error(TARE_IMPOSSIBLE, "init means nothing for %s: its weights are read", a->task.net);
        (void)snprintf(option, sizeof option, "init=%s",
                       level[TARE__INIT] == TARE__INIT_ONES ? "constant,init_scale=1"
                                                            : tare__level_name(TARE__INIT, level[TARE__INIT], name));
        a->task.net = a->net_text = with_option(a->task.net, option);
    }
    return TARE_OK;
}

static void apply_epsilon(tare__arm *a)
{
    char name[32], option[64];
    const int level = a->setting.level[TARE__EPSILON];
    if (!level || !a->task.optimizer)
        return;
    (void)snprintf(option, sizeof option, "epsilon=%s", tare__level_name(TARE__EPSILON, level, name));
    a->task.optimizer = a->optimizer_text = with_option(a->task.optimizer, option);
}

static tare_status open_parts(tare__arm *a)
{
    tare_status status = apply_init(a);
    if (status == TARE_OK)
        status = make_runtime(a);
    bool through_file = a->setting.level[TARE__SOURCE] == TARE__SOURCE_FILE && !tare_net_is_file(a->task.net);
    if (status == TARE_OK)
        status = through_file ? net_through_file(a) : tare_net_new(a->rt, a->task.net, a->task.seed, &a->net);
    if (status == TARE_OK)
        status = check_type(a->net->type);
    if (status != TARE_OK)
        return status;
    a->label = through_file ? a->net->type->doc : a->net->label;
    a->batch = a->task.batch ? a->task.batch : a->net->type->default_batch;
    a->loss_kind = loss_of(&a->task, a->net->type);
    if (a->task.optimizer && !*a->task.optimizer)
        a->task.optimizer = tare_net_optimizer(a->net);
    apply_epsilon(a);
    status = tare__arm_loss_check(a);
    a->gradient = tare__take((size_t)a->net->n_parameters, sizeof(tare_value *));
    tare_status (*const part[])(tare__arm *) = {make_input, make_target, make_head};
    for (int i = 0; i < 3 && status == TARE_OK; ++i)
        status = part[i](a);
    if (status == TARE_OK && a->setting.level[TARE__INPUT_GRADIENT])
        tare_value_want_gradient(a->x, true);
    if (status == TARE_OK && a->task.optimizer)
        status = tare_optimizer_new(a->net, a->task.optimizer, &a->optimizer);
    if (status == TARE_OK && a->optimizer && a->setting.level[TARE__UPDATE] == TARE__UPDATE_MULTI)
        status = tare_optimizer_multi(a->optimizer);
    return status;
}

tare_status tare__arm_open(tare__arm *a, const tare__task *task, const tare__setting *setting, const char *name)
{
    *a = (tare__arm){.name = name, .setting = *setting, .task = *task};
    tare_status status = open_parts(a);
    if (status != TARE_OK)
        tare__arm_close(a);
    return status;
}

tare_status tare__arm_prepare(tare__arm *a)
{
    const int *level = a->setting.level;
    tare_status status = level[TARE__CAPTURE] != TARE__CAPTURE_STEP          ? tare__arm_imperative(a)
                         : level[TARE__EXECUTION] == TARE__EXECUTION_CARRIED ? tare__arm_carry(a)
                                                                             : tare__arm_capture(a);
    return status == TARE_OK ? tare__around_open(a) : status;
}

void tare__arm_forget(tare__arm *a)
{
    tare_value_drop(a->y);
    tare_value_drop(a->loss);
    a->y = a->loss = NULL;
}

void tare__arm_close(tare__arm *a)
{
    tare__arm_forget(a);
    tare__around_close(a);
    if (a->net)
        tare_net_clear_gradients(a->net);
    for (int i = 0; a->gradient && i < a->net->n_parameters; ++i)
        tare_value_drop(a->gradient[i]);
    tare__arm_uncarry(a);
    tare_instance_free(a->instance);
    tare_plan_free(a->plan);
    tare_graph_free(a->graph);
    tare_imperative_free(a->mode);
    if (a->captured)
        a->capture->free(a->captured);
    tare_optimizer_free(a->optimizer);
    tare_value_drop(a->x);
    tare_value_drop(a->target);
    tare_value_drop(a->head);
    tare_net_free(a->net);
    int64_t lost = tare_runtime_free(a->rt);
    free(a->gradient);
    free(a->net_text);
    free(a->optimizer_text);
    *a = (tare__arm){.lost = lost};
}

tare_status tare__arm_feed(tare__arm *a, const void *x, const void *target)
{
    tare_status status = tare_value_write(a->x, x, tare_desc_bytes(&a->x->d));
    if (status == TARE_OK && target && a->target)
        status = tare_value_write(a->target, target, tare_desc_bytes(&a->target->d));
    return status;
}

tare_value *tare__arm_gradient(const tare__arm *a, int parameter)
{
    if (tare__arm_replays(a))
        return a->gradient[parameter];
    return tare_value_gradient(a->net->parameter[parameter].value);
}

int64_t tare__arm_bytes(const tare__arm *a, tare_memory_category category)
{
    return a->rt->memory.bytes_live[category];
}
