/* optimizer_rules.c - the update rules: the options of each, and the operators that it applies to one parameter. */
#include <stddef.h>

#include "../ops/ops.h"
#include "nets_private.h"

typedef struct {
    tare_optimizer_options common;
    double momentum, weight_decay;
    bool nesterov;
} sgd_options;

typedef struct {
    tare_optimizer_options common;
    double beta1, beta2, epsilon, weight_decay;
} adam_options;

typedef struct {
    tare_optimizer_options common;
    double alpha, epsilon, weight_decay;
} rmsprop_options;

typedef struct {
    tare_optimizer_options common;
    double epsilon, weight_decay;
} adagrad_options;

/* ---- attributes of the update operators, and what a step computes once -------------------------------------------*/
static void sgd_attr(const tare_optimizer *opt, void *attr)
{
    const sgd_options *o = opt->options;
    *(tare_sgd_attr *)attr = (tare_sgd_attr){o->momentum, o->weight_decay, o->nesterov};
}

static tare_value *adam_begin(tare_mode *m, const tare_optimizer *opt)
{
    const adam_options *o = opt->options;
    tare_value *t = tare_increment(m, opt->step);
    return tare_adam_rate(m, t, opt->learning_rate, (tare_adam_rate_attr){.beta1 = o->beta1, .beta2 = o->beta2});
}

static void adam_attr(const tare_optimizer *opt, void *attr)
{
    const adam_options *o = opt->options;
    *(tare_adam_attr *)attr = (tare_adam_attr){o->beta1, o->beta2, o->epsilon, o->weight_decay, false};
}

static void adamw_attr(const tare_optimizer *opt, void *attr)
{
    adam_attr(opt, attr);
    ((tare_adam_attr *)attr)->decoupled = true;
}

static void rmsprop_attr(const tare_optimizer *opt, void *attr)
{
    const rmsprop_options *o = opt->options;
    *(tare_rmsprop_attr *)attr = (tare_rmsprop_attr){o->alpha, o->epsilon, o->weight_decay};
}

static void adagrad_attr(const tare_optimizer *opt, void *attr)
{
    const adagrad_options *o = opt->options;
    *(tare_adagrad_attr *)attr = (tare_adagrad_attr){o->epsilon, o->weight_decay};
}

/* ---- options ----------------------------------------------------------------------------------------------------*/
#define OWN(struct_, field, type, low, high, normal, doc)                                                              \
    {                                                                                                                  \
#field, TARE_ATTR_##type, offsetof(struct_, field), low, high, normal, doc                                     \
    }
#define COMMON(name, type, field, low, high, normal, doc)                                                              \
    {                                                                                                                  \
        name, TARE_ATTR_##type, offsetof(tare_optimizer_options, field), low, high, normal, doc                        \
    }
#define WEIGHT_DECAY(struct_, normal)                                                                                  \
    OWN(struct_, weight_decay, FLOAT, 0, 1e6, normal, "times w, added to the gradient")
#define EPSILON(struct_, normal) OWN(struct_, epsilon, FLOAT, 0, 1e6, normal, "added to the root")

/* Every rule has these, after its own. */
#define COMMON_OPTIONS                                                                                                 \
    COMMON("clip", FLOAT, clip, 0, 1e30, "0",                                                                          \
           "largest norm of all gradients together, which are scaled down to it; 0: as they are"),                     \
        COMMON("schedule", CHOICE, schedule.kind, 0, 0, TARE_SCHEDULE_WORDS, "how lr changes with the step"),          \
        COMMON("warmup", INT, schedule.warmup, 0, 1e12, "0", "steps over which lr first rises in a straight line"),    \
        COMMON("steps", INT, schedule.steps, 0, 1e12, "0", "steps until cosine and linear have come to their end"),    \
        COMMON("period", INT, schedule.period, 1, 1e12, "1", "steps to a factor gamma of step, exponential, inverse"), \
        COMMON("gamma", FLOAT, schedule.gamma, 0, 1e6, "0.1", "factor of step and exponential; growth of inverse"),    \
        COMMON("end", FLOAT, schedule.end, 0, 1e6, "0", "where cosine and linear come to, as a share of lr")
#define LEARNING_RATE(normal) COMMON("lr", FLOAT, lr, 0, 1e6, normal, "learning rate at the start")

static const tare_attr sgd_attrs[] = {
    LEARNING_RATE("0.01"),
    OWN(sgd_options, momentum, FLOAT, 0, 1, "0.9", "share of the last step kept"),
    WEIGHT_DECAY(sgd_options, "0"),
    OWN(sgd_options, nesterov, BOOL, 0, 1, "false", "step along the velocity that the next step will have"),
    COMMON_OPTIONS,
};

#define ADAM_ATTRS(weight_decay)                                                                                       \
    LEARNING_RATE("0.001"), OWN(adam_options, beta1, FLOAT, 0, 1, "0.9", "decay of the first moment"),                 \
        OWN(adam_options, beta2, FLOAT, 0, 1, "0.999", "decay of the second moment"), EPSILON(adam_options, "1e-8"),   \
        weight_decay, COMMON_OPTIONS
static const tare_attr adam_attrs[] = {ADAM_ATTRS(WEIGHT_DECAY(adam_options, "0"))};
static const tare_attr adamw_attrs[] = {
    ADAM_ATTRS(OWN(adam_options, weight_decay, FLOAT, 0, 1e6, "0.01", "times lr, the share of w taken off each step"))};

static const tare_attr rmsprop_attrs[] = {
    LEARNING_RATE("0.01"),
    OWN(rmsprop_options, alpha, FLOAT, 0, 1, "0.99", "share of the old squares kept"),
    EPSILON(rmsprop_options, "1e-8"),
    WEIGHT_DECAY(rmsprop_options, "0"),
    COMMON_OPTIONS,
};

static const tare_attr adagrad_attrs[] = {
    LEARNING_RATE("0.01"),
    EPSILON(adagrad_options, "1e-10"),
    WEIGHT_DECAY(adagrad_options, "0"),
    COMMON_OPTIONS,
};

#define OPTIONS(rule, struct_)                                                                                         \
    .options = rule##_attrs, .n_options = sizeof rule##_attrs / sizeof *rule##_attrs, .option_bytes = sizeof(struct_), \
    .attr = rule##_attr

static const tare_optimizer_type optimizers[] = {
    {.name = "sgd",
     .doc = "stochastic gradient descent with momentum, Nesterov's if wanted",
     .n_states = 1,
     .update = &tare_op_sgd,
     OPTIONS(sgd, sgd_options)},
    {.name = "adam",
     .doc = "Adam (Kingma and Ba, 2015, algorithm 1)",
     .n_states = 2,
     .counts_steps = true,
     .begin = adam_begin,
     .update = &tare_op_adam,
     OPTIONS(adam, adam_options)},
    {.name = "adamw",
     .doc = "Adam with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2)",
     .n_states = 2,
     .counts_steps = true,
     .begin = adam_begin,
     .update = &tare_op_adam,
     OPTIONS(adamw, adam_options)},
    {.name = "rmsprop",
     .doc = "RMSProp (Tieleman and Hinton, 2012), not centred, without momentum",
     .n_states = 1,
     .update = &tare_op_rmsprop,
     OPTIONS(rmsprop, rmsprop_options)},
    {.name = "adagrad",
     .doc = "AdaGrad (Duchi, Hazan and Singer, 2011), its squares 0 at the start",
     .n_states = 1,
     .update = &tare_op_adagrad,
     OPTIONS(adagrad, adagrad_options)},
};

tare_status tare__optimizers_register(tare_runtime *rt)
{
    tare_status status = TARE_OK;
    for (size_t i = 0; status == TARE_OK && i < sizeof optimizers / sizeof *optimizers; ++i)
        status = tare_register(rt, TARE_KIND_OPTIMIZER, &optimizers[i]);
    return status;
}
