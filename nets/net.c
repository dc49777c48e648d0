/* net.c - a net from its name: options, parameters, state, registration. */
#include "net.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../ops/ops.h"
#include "initialiser.h"
#include "nets_private.h"

char *tare__net_text(tare_net *net, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = tare_arena_take(&net->arena, bytes);
    return kept ? memcpy(kept, text, bytes) : NULL;
}

const char *tare__net_path(tare_net *net, const char *format, int number)
{
    char text[64];
    (void)snprintf(text, sizeof text, format, number);
    return tare__net_text(net, text);
}

#define WORD(name, scale, doc) #name "|"
static const tare_attr common_options[] = {
    {"init", TARE_ATTR_CHOICE, offsetof(tare_net_options, init), 0, 0, TARE_INITIALISERS(WORD), "how weights begin"},
    {"init_scale", TARE_ATTR_FLOAT, offsetof(tare_net_options, init_scale), -1e6, 1e6, "0",
     "scale of that; 0: its own"},
};
enum { N_COMMON = sizeof common_options / sizeof *common_options };

/* The net's own options and behind them those of every net, as one table over one struct: *common is where the latter
 * begin. NULL: no memory. */
static tare_attr *all_options(tare_net *net, const tare_net_type *type, size_t *common)
{
    tare_attr *all = tare_arena_take(&net->arena, ((size_t)type->n_options + N_COMMON) * sizeof *all);
    *common = ((size_t)type->option_bytes + 7) & ~(size_t)7;
    for (int i = 0; all && i < type->n_options; ++i)
        all[i] = type->options[i];
    for (int i = 0; all && i < N_COMMON; ++i) {
        all[type->n_options + i] = common_options[i];
        all[type->n_options + i].offset = (uint16_t)(common_options[i].offset + *common);
    }
    return all;
}

/* "chain:depth=20,width=16": the net's own options in full, then of the common ones those that are not usual. */
static tare_status make_label(tare_net *net, const tare_net_type *type, const tare_net_options *common)
{
    char label[768];
    size_t used = (size_t)snprintf(label, sizeof label, "%s%s", type->name, type->n_options ? ":" : "");
    (void)tare_attr_print(type->options, type->n_options, net->options, label + used, sizeof label - used);
    const bool given[N_COMMON] = {common->init != 0, common->init_scale != 0};
    for (int i = 0, more = type->n_options; i < N_COMMON; ++i) {
        used = strlen(label);
        if (!given[i] || used + 2 >= sizeof label)
            continue;
        label[used++] = more++ ? ',' : ':';
        (void)tare_attr_print(&common_options[i], 1, common, label + used, sizeof label - used);
    }
    net->label = tare__net_text(net, label);
    return net->label ? TARE_OK : TARE_NO_MEMORY;
}

static tare_status read_options(tare_net *net, const tare_net_type *type, const char *text)
{
    size_t at;
    const tare_attr *all = all_options(net, type, &at);
    net->options = tare_arena_take(&net->arena, at + sizeof(tare_net_options));
    if (!all || !net->options)
        return TARE_NO_MEMORY;
    tare_status status = tare_attr_parse(type->name, all, type->n_options + N_COMMON, text, net->options);
    if (status != TARE_OK)
        return status;
    const tare_net_options *common = (const tare_net_options *)(const void *)((const char *)net->options + at);
    net->init = common->init;
    net->init_scale = common->init_scale;
    return make_label(net, type, common);
}

static tare_status check_type(const tare_net_type *type)
{
    if (!type->build || type->net_bytes < sizeof(tare_net))
        return tare_error(TARE_BAD_ARGUMENT,
                          "net '%s' cannot be built: its record has no build, or no net_bytes of a "
                          "struct that begins with a tare_net",
                          type->name);
    return TARE_OK;
}

tare_status tare_net_new(tare_runtime *rt, const char *text, uint64_t seed, tare_net **out)
{
    char name[64];
    if (!text)
        return tare_error(TARE_BAD_ARGUMENT, "a net needs a name");
    size_t length = strcspn(text, ":");
    if (tare_net_is_file(text))
        return tare__file_net_new(rt, text, seed, out);
    if (length >= sizeof name)
        return tare_error(TARE_NOT_FOUND, "net '%.40s...' is unknown", text);
    (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
    const tare_net_type *type = tare_find(rt, TARE_KIND_NET, name);
    tare_status status = type ? check_type(type) : TARE_NOT_FOUND;
    if (status != TARE_OK)
        return status;
    tare_net *net = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, type->net_bytes);
    if (!net)
        return TARE_NO_MEMORY;
    net->type = type;
    net->runtime = rt;
    net->seed = seed;
    net->arena.memory = &rt->memory;
    status = read_options(net, type, text[length] ? text + length + 1 : NULL);
    if (status == TARE_OK)
        status = type->build(net, net->options);
    if (status != TARE_OK) {
        tare_net_free(net);
        return status;
    }
    *out = net;
    return TARE_OK;
}

void tare_net_clear_gradients(const tare_net *net)
{
    const tare_parameter *p = net->parameter;
    for (const tare_parameter *end = p + net->n_parameters; p < end; ++p)
        tare_value_clear_gradient(p->value);
}

void tare_net_free(tare_net *net)
{
    if (!net)
        return;
    tare_memory *memory = &net->runtime->memory;
    (void)tare_block_hybridize(net->runtime, &net->root, NULL);
    tare_net_clear_gradients(net);
    for (int i = 0; i < net->n_parameters; ++i)
        tare_value_drop(net->parameter[i].value);
    tare_memory_give(memory, TARE_MEMORY_RECORD, net->parameter,
                     (size_t)net->capacity_parameters * sizeof *net->parameter);
    for (int i = 0; i < net->n_states; ++i)
        tare_value_drop(net->state[i].value);
    tare_memory_give(memory, TARE_MEMORY_RECORD, net->state, (size_t)net->capacity_states * sizeof *net->state);
    if (net->type->close)
        net->type->close(net);
    tare_arena_fini(&net->arena);
    tare_memory_give(memory, TARE_MEMORY_RECORD, net, net->type->net_bytes);
}

/* ---- parameters
 * ----------------------------------------------------------------------------------------------------*/
static bool make_room(tare_net *net, tare_parameter **list, int n, int *capacity)
{
    if (n < *capacity)
        return true;
    int wanted = *capacity ? *capacity * 2 : 16;
    void *grown = tare_memory_resize(&net->runtime->memory, TARE_MEMORY_RECORD, *list,
                                     (size_t)*capacity * sizeof **list, (size_t)wanted * sizeof **list);
    if (!grown)
        return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

static tare_status initialise(const tare_net *net, tare_value *v, tare_init init)
{
    int64_t n = tare_desc_count(&v->d);
    size_t bytes = tare_desc_bytes(&v->d);
    float *host = tare_memory_take_zeroed(&net->runtime->memory, TARE_MEMORY_RECORD, 1, bytes);
    tare_status status = !host                      ? TARE_NO_MEMORY
                         : init == TARE_INIT_WEIGHT ? tare__initialise(net, &v->d, host)
                                                    : TARE_OK;
    for (int64_t i = 0; status == TARE_OK && init == TARE_INIT_ONE && i < n; ++i)
        host[i] = 1;
    if (status == TARE_OK)
        status = tare_value_write(v, host, bytes);
    tare_memory_give(&net->runtime->memory, TARE_MEMORY_RECORD, host, bytes);
    return status;
}

/* A value of the net, named "layer.name". */
static tare_status make_value(tare_net *net, const char *layer, const char *name, tare_init init, const tare_desc *d,
                              tare_parameter *out)
{
    char text[128];
    (void)snprintf(text, sizeof text, layer ? "%s.%s" : "%s%s", layer ? layer : "", name);
    const char *kept = tare__net_text(net, text);
    tare_value *v;
    tare_status status = kept ? tare_value_new(net->runtime, d, TARE_MEMORY_PARAMETER, &v) : TARE_NO_MEMORY;
    if (status != TARE_OK)
        return status;
    status = initialise(net, v, init);
    if (status != TARE_OK) {
        tare_value_drop(v);
        return status;
    }
    v->name = kept;
    *out = (tare_parameter){v, kept};
    return TARE_OK;
}

tare_status tare_net_parameter(tare_net *net, const char *layer, const char *name, tare_init init, int rank,
                               const int64_t *dim, tare_value **out)
{
    tare_desc d = tare_desc_of(TARE_F32, rank, dim);
    if (!make_room(net, &net->parameter, net->n_parameters, &net->capacity_parameters))
        return TARE_NO_MEMORY;
    tare_parameter *p = &net->parameter[net->n_parameters];
    tare_status status = make_value(net, layer, name, init, &d, p);
    if (status != TARE_OK)
        return status;
    ++net->n_parameters;
    tare_value_want_gradient(p->value, true);
    *out = p->value;
    return TARE_OK;
}

static tare_status make_state(tare_net *net, const char *layer, const char *name, tare_init init, const tare_desc *d,
                              tare_value **out)
{
    if (!make_room(net, &net->state, net->n_states, &net->capacity_states))
        return TARE_NO_MEMORY;
    tare_status status = make_value(net, layer, name, init, d, &net->state[net->n_states]);
    if (status == TARE_OK)
        *out = net->state[net->n_states++].value;
    return status;
}

tare_status tare_net_state(tare_net *net, const char *layer, const char *name, tare_init init, int rank,
                           const int64_t *dim, tare_value **out)
{
    tare_desc d = tare_desc_of(TARE_F32, rank, dim);
    return make_state(net, layer, name, init, &d, out);
}

tare_status tare_net_numbers(tare_net *net, const char *layer, const char *name, int64_t n, const int32_t *number,
                             tare_value **out)
{
    tare_desc d = tare_desc_of(TARE_I32, 1, &n);
    tare_status status = make_state(net, layer, name, TARE_INIT_ZERO, &d, out);
    return status == TARE_OK ? tare_value_write(*out, number, (size_t)n * sizeof *number) : status;
}

tare_status tare_net_random_calls(tare_net *net, tare_value **out)
{
    tare_desc d = tare_desc_of(TARE_I64, 0, NULL);
    tare_status status = TARE_OK;
    if (!net->random_calls)
        status = make_state(net, NULL, "random_calls", TARE_INIT_ZERO, &d, &net->random_calls);
    *out = net->random_calls;
    return status;
}

/* ---- shapes and losses
 * ---------------------------------------------------------------------------------------------*/
static tare_desc with_batch(const tare_desc *sample, int64_t batch)
{
    int64_t dim[TARE_RANK] = {batch};
    for (int i = 0; i < sample->rank; ++i)
        dim[i + 1] = sample->dim[i];
    return tare_desc_of((tare_dtype)sample->dtype, sample->rank + 1, dim);
}

tare_desc tare_net_input(const tare_net *net, int64_t batch)
{
    tare_desc sample;
    net->type->input(net->options, &sample);
    return with_batch(&sample, batch);
}

tare_desc tare_net_target(const tare_net *net, tare_loss loss, int64_t batch)
{
    if (loss == TARE_LOSS_SOFTMAX_CE)
        return tare_desc_of(TARE_I32, 1, &batch);
    tare_desc sample;
    net->type->output(net->options, &sample);
    return with_batch(&sample, batch);
}

const char *tare_net_optimizer(const tare_net *net)
{
    return net->type->optimizer ? net->type->optimizer : "adam";
}

const char *tare_loss_name(tare_loss loss)
{
    static const char *const name[] = {"ones", "l2", "softmax_ce"};
    return name[loss];
}

tare_value *tare_net_loss(tare_mode *m, tare_loss loss, tare_value *y, tare_value *target)
{
    if (loss == TARE_LOSS_ONES)
        return y;
    m->scope_begin(m, "loss");
    tare_value *each = loss == TARE_LOSS_L2 ? tare_l2_loss(m, y, target) : tare_softmax_cross_entropy(m, y, target);
    tare_value *mean = tare_mean(m, tare_move(each), (tare_mean_attr){.axes = {0}});
    m->scope_end(m, &mean, 1);
    return mean;
}

tare_status tare_nets_register(tare_runtime *rt)
{
    int before = tare_registered(rt);
    tare_status status = tare__dense_nets_register(rt);
    if (status == TARE_OK)
        status = tare__conv_nets_register(rt);
    if (status == TARE_OK)
        status = tare__gauntlet_register(rt);
    if (status == TARE_OK)
        status = tare__optimizers_register(rt);
    if (status != TARE_OK)
        tare_unregister(rt, before);
    return status;
}
