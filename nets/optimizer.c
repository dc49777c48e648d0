/* optimizer.c - one optimizer of a net over the mode seam: run now in the imperative mode, part of the plan in a graph.
 *
 * What changes between steps (learning rate, largest norm, step count) is a 0-d value, so that a captured step stays
 * valid. The rules themselves: optimizer_rules.c. */
#include <stdio.h>
#include <string.h>

#include "../ops/ops.h"
#include "net.h"
#include "nets_private.h"

/* ---- one optimizer of a net
 * ----------------------------------------------------------------------------------------------*/
static tare_status zero_value(tare_runtime *rt, const tare_desc *d, const char *name, tare_value **out)
{
    size_t bytes = tare_desc_bytes(d);
    void *zeros = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, bytes);
    tare_status status = zeros ? tare_value_new(rt, d, TARE_MEMORY_OPTIMIZER, out) : TARE_NO_MEMORY;
    if (status == TARE_OK) {
        (*out)->name = name;
        status = tare_value_write(*out, zeros, bytes);
    }
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, zeros, bytes);
    return status;
}

static tare_status make_values(tare_optimizer *opt)
{
    tare_net *net = opt->net;
    tare_runtime *rt = net->runtime;
    const tare_optimizer_options *options = opt->options;
    const float lr = (float)tare_optimizer_rate(opt, 0), clip = (float)options->clip;
    tare_desc scalar = tare_desc_of(TARE_F32, 0, NULL), count = tare_desc_of(TARE_I64, 0, NULL);
    tare_status status = zero_value(rt, &scalar, "learning_rate", &opt->learning_rate);
    if (status == TARE_OK)
        status = tare_value_write(opt->learning_rate, &lr, sizeof lr);
    if (status == TARE_OK && clip > 0)
        status = zero_value(rt, &scalar, "clip", &opt->clip);
    if (status == TARE_OK && clip > 0)
        status = tare_value_write(opt->clip, &clip, sizeof clip);
    if (status == TARE_OK && opt->type->counts_steps)
        status = zero_value(rt, &count, "step", &opt->step);
    for (int i = 0; status == TARE_OK && i < net->n_parameters * opt->type->n_states; ++i) {
        const tare_parameter *p = &net->parameter[i / opt->type->n_states];
        status = zero_value(rt, &p->value->d, p->name, &opt->state[i]);
    }
    return status;
}

enum { ATTR_WORDS = 32 };

static size_t state_bytes(const tare_optimizer *opt)
{
    return (size_t)(opt->net->n_parameters * opt->type->n_states) * sizeof *opt->state;
}

static size_t operand_bytes(const tare_optimizer *opt)
{
    return (size_t)(opt->net->n_parameters * opt->type->update->n_in) * sizeof *opt->operand;
}

/* Whether the rule's operator takes what a step gives it, and its attributes find room. */
static tare_status check_rule(const tare_optimizer_type *type)
{
    const tare_op *op = type->update;
    bool fits = op && op->n_in == 3 + type->n_states && op->n_in <= TARE_OPERANDS && op->n_out <= TARE_OPERANDS &&
                op->attr_bytes <= ATTR_WORDS * sizeof(int64_t) && !op->attr_bytes == !type->attr;
    return fits ? TARE_OK
                : tare_error(TARE_BAD_ARGUMENT,
                             "optimizer '%s' cannot be run: its record's update does not take a parameter, a gradient, "
                             "%d states and a rate",
                             type->name, type->n_states);
}

tare_status tare_optimizer_new(tare_net *net, const char *text, tare_optimizer **out)
{
    char name[64];
    tare_runtime *rt = net->runtime;
    if (!text)
        return tare_error(TARE_BAD_ARGUMENT, "an optimizer needs a name");
    size_t length = strcspn(text, ":");
    (void)snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), text);
    const tare_optimizer_type *type = tare_find(rt, TARE_KIND_OPTIMIZER, name);
    if (!type)
        return TARE_NOT_FOUND;
    tare_status status = check_rule(type);
    if (status != TARE_OK)
        return status;
    tare_optimizer *opt = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *opt);
    if (!opt)
        return TARE_NO_MEMORY;
    opt->type = type;
    opt->net = net;
    opt->options = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, type->option_bytes);
    opt->state = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, state_bytes(opt));
    status = opt->options && opt->state ? TARE_OK : TARE_NO_MEMORY;
    if (status == TARE_OK)
        status = tare_attr_parse(type->name, type->options, type->n_options, text[length] ? text + length + 1 : NULL,
                                 opt->options);
    if (status == TARE_OK)
        status = tare__schedule_check(&((const tare_optimizer_options *)opt->options)->schedule, type->name);
    if (status == TARE_OK)
        status = make_values(opt);
    if (status != TARE_OK) {
        tare_optimizer_free(opt);
        return status;
    }
    *out = opt;
    return TARE_OK;
}

void tare_optimizer_free(tare_optimizer *opt)
{
    if (!opt)
        return;
    tare_memory *memory = &opt->net->runtime->memory;
    for (int i = 0; opt->state && i < opt->net->n_parameters * opt->type->n_states; ++i)
        tare_value_drop(opt->state[i]);
    tare_value_drop(opt->learning_rate);
    tare_value_drop(opt->clip);
    tare_value_drop(opt->step);
    tare_bundle_free(opt->multi);
    if (opt->operand)
        tare_memory_give(memory, TARE_MEMORY_RECORD, opt->operand, operand_bytes(opt));
    tare_memory_give(memory, TARE_MEMORY_RECORD, opt->state, state_bytes(opt));
    tare_memory_give(memory, TARE_MEMORY_RECORD, opt->options, opt->type->option_bytes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, opt, sizeof *opt);
}

bool tare_optimizer_scheduled(const tare_optimizer *opt)
{
    return tare__schedule_moves(&((const tare_optimizer_options *)opt->options)->schedule);
}

double tare_optimizer_rate(const tare_optimizer *opt, int64_t t)
{
    const tare_optimizer_options *o = opt->options;
    return o->lr * tare__schedule_factor(&o->schedule, t);
}

tare_status tare_optimizer_advance(tare_optimizer *opt)
{
    const float lr = (float)tare_optimizer_rate(opt, opt->n_steps++);
    return tare_optimizer_scheduled(opt) ? tare_value_write(opt->learning_rate, &lr, sizeof lr) : TARE_OK;
}

/* ---- a step
 * ------------------------------------------------------------------------------------------------------------------*/
/* The inputs of parameter i's update; how many there are. */
static int operands(const tare_optimizer *opt, int i, tare_value *gradient, tare_value *shared, tare_value **in)
{
    const int n_states = opt->type->n_states;
    in[0] = opt->net->parameter[i].value;
    in[1] = gradient;
    for (int s = 0; s < n_states; ++s)
        in[2 + s] = opt->state[i * n_states + s];
    in[2 + n_states] = shared ? shared : opt->learning_rate;
    return 3 + n_states;
}

static void update_each(tare_optimizer *opt, tare_mode *m, const void *attr, tare_value *factor, tare_value *shared)
{
    tare_value *in[TARE_OPERANDS], *out[TARE_OPERANDS];
    for (int i = 0; i < opt->net->n_parameters && m->error == TARE_OK; ++i) {
        tare_value *g = m->gradient(m, opt->net->parameter[i].value);
        if (!g)
            continue;
        if (factor) /* a scaled gradient is let go at once */
            m->scope_begin(m, NULL);
        int n_in = operands(opt, i, factor ? tare_mul(m, g, factor) : g, shared, in);
        (void)m->apply(m, opt->type->update, attr, in, n_in, out, 0);
        if (factor)
            m->scope_end(m, NULL, 0);
    }
}

static void update_all(tare_optimizer *opt, tare_mode *m, const void *attr, tare_value *factor, tare_value *shared)
{
    int groups = 0, n_in = opt->type->update->n_in;
    for (int i = 0; i < opt->net->n_parameters && m->error == TARE_OK; ++i) {
        tare_value *g = m->gradient(m, opt->net->parameter[i].value);
        if (g)
            (void)operands(opt, i, factor ? tare_mul(m, g, factor) : g, shared, opt->operand + groups++ * n_in);
    }
    if (groups && m->error == TARE_OK)
        (void)tare_bundle_apply(opt->multi, m, attr, opt->operand, groups, 0);
}

tare_status tare_optimizer_multi(tare_optimizer *opt)
{
    char name[64];
    tare_runtime *rt = opt->net->runtime;
    const tare_op *update = opt->type->update;
    if (opt->multi)
        return TARE_OK;
    (void)snprintf(name, sizeof name, "multi_%s", update->name);
    opt->operand = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, operand_bytes(opt));
    return opt->operand ? tare_bundle_new(rt, update, name, &opt->multi) : TARE_NO_MEMORY;
}

tare_status tare_optimizer_step(tare_optimizer *opt, tare_mode *m)
{
    const tare_net *net = opt->net;
    bool recording = m->recording;
    m->recording = false;
    m->scope_begin(m, "optimizer");
    tare_value *shared = opt->type->begin ? opt->type->begin(m, opt) : NULL;
    tare_value *factor = opt->clip ? tare_clip_global_norm(m, net, opt->clip) : NULL;
    int64_t attr[ATTR_WORDS];
    if (opt->type->attr)
        opt->type->attr(opt, attr);
    (opt->multi ? update_all : update_each)(opt, m, opt->type->attr ? attr : NULL, factor, shared);
    m->scope_end(m, NULL, 0);
    m->recording = recording;
    return m->error;
}
