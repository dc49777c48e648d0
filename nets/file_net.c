/* file_net.c - a net that was saved to a file: its type is made from what the file says, its forward replays the saved
 * program (data/saved.h).
 *
 * Parameters and state keep the order in which they were saved, so that digests and optimizer states are those of the
 * net that it was. It has no layer objects: a mode sees its operators and the paths of their layers alone. */
#include <string.h>

#include "../data/saved.h"
#include "net.h"
#include "nets_private.h"

typedef struct {
    tare_net net; /* first */
    tare_net_type type;
    tare_saved *saved; /* the options of the type's functions, too */
} file_net;

static const char ending[] = ".json";

bool tare_net_is_file(const char *text)
{
    size_t length = strlen(text), n = sizeof ending - 1;
    return length >= n && strcmp(text + length - n, ending) == 0;
}

static void input(const void *options, tare_desc *sample)
{
    *sample = ((const tare_saved *)options)->net->input;
}

static void output(const void *options, tare_desc *sample)
{
    *sample = ((const tare_saved *)options)->net->output;
}

static tare_value *forward(tare_mode *m, tare_net *net, tare_value *x)
{
    tare_value *y;
    tare_saved_forward(((file_net *)net)->saved, m, &x, 1, &y, 1);
    return y;
}

static void close_file(tare_net *net)
{
    tare_saved_free(((file_net *)net)->saved);
}

static tare_status find_loss(const char *path, const char *name, tare_loss *out)
{
    for (int loss = TARE_LOSS_ONES; loss <= TARE_LOSS_SOFTMAX_CE; ++loss) {
        if (strcmp(tare_loss_name((tare_loss)loss), name) == 0) {
            *out = (tare_loss)loss;
            return TARE_OK;
        }
    }
    return tare_error(TARE_BAD_FILE, "%s: net: the loss '%.60s' is unknown (there are: ones, l2, softmax_ce)", path,
                      name);
}

static tare_status make_type(file_net *f, const char *path)
{
    const tare_saved_net *saved = f->saved->net;
    if (!saved)
        return tare_error(TARE_BAD_FILE, "%s: it holds a program that is no net (no default batch, no losses)", path);
    if (saved->input.dtype != TARE_F32 || saved->output.dtype != TARE_F32)
        return tare_error(TARE_BAD_FILE, "%s: net: its input is %s and its output %s (need float32)", path,
                          tare_dtype_name((tare_dtype)saved->input.dtype),
                          tare_dtype_name((tare_dtype)saved->output.dtype));
    tare_net_type *type = &f->type;
    type->name = f->net.label;
    type->doc = saved->label;
    type->default_batch = saved->default_batch;
    type->optimizer = saved->optimizer;
    type->byte_divisor = saved->byte_divisor;
    type->input = input;
    type->output = output;
    type->forward[TARE_API_DIRECT] = forward;
    tare_status status = find_loss(path, saved->bench_loss, &type->bench_loss);
    return status == TARE_OK ? find_loss(path, saved->training_loss, &type->training_loss) : status;
}

/* Those that are trained are the net's parameters, the others its state, each in the order saved. */
static tare_status take_parameters(file_net *f)
{
    tare_net *net = &f->net;
    tare_memory *memory = &net->runtime->memory;
    int n = f->saved->n_parameters;
    size_t bytes = (size_t)n * sizeof(tare_parameter);
    net->parameter = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    net->capacity_parameters = net->parameter ? n : 0;
    net->state = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    net->capacity_states = net->state ? n : 0;
    if (!net->parameter || !net->state)
        return TARE_NO_MEMORY;
    for (int i = 0; i < n; ++i) {
        tare_value *v = tare_value_share(f->saved->parameter[i]);
        tare_parameter p = {v, v->name};
        if (v->wants_gradient)
            net->parameter[net->n_parameters++] = p;
        else
            net->state[net->n_states++] = p;
    }
    return TARE_OK;
}

tare_status tare__file_net_new(tare_runtime *rt, const char *path, uint64_t seed, tare_net **out)
{
    file_net *f = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *f);
    if (!f)
        return TARE_NO_MEMORY;
    tare_net *net = &f->net;
    f->type.net_bytes = sizeof *f;
    f->type.close = close_file;
    net->type = &f->type;
    net->runtime = rt;
    net->seed = seed;
    net->arena.memory = &rt->memory;
    net->label = tare__net_text(net, path);
    tare_status status = net->label ? tare_saved_read(rt, path, &f->saved) : TARE_NO_MEMORY;
    rt->counts.file_reads += status == TARE_OK;
    net->options = f->saved;
    if (status == TARE_OK)
        status = make_type(f, path);
    if (status == TARE_OK)
        status = take_parameters(f);
    if (status == TARE_OK)
        *out = net;
    else
        tare_net_free(net);
    return status;
}
