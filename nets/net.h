/* net.h - nets, written once over the mode seam and unable to know in which mode they run.
 *
 * A net type is a const record in the catalogue: name, options, shapes, losses, how to build one. A net is one of
 * its instances: parameters in order (values of one runtime), state (what steps change without a gradient: running
 * statistics, the count of random calls) and layers. forward() calls layer functions directly; the same body compiled a
 * second time goes through the layers' table (see layer.h).
 *
 * Ownership: tare_net_free frees parameters and layers. Threads: the runtime's. */
#ifndef TARE_NETS_NET_H
#define TARE_NETS_NET_H

#include "../core/bundle.h"
#include "block.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tare_net tare_net;
typedef struct tare_net_type tare_net_type;

typedef enum { TARE_LOSS_ONES, TARE_LOSS_L2, TARE_LOSS_SOFTMAX_CE } tare_loss;

struct tare_net_type {
    const char *name, *doc;
    const tare_attr *options; /* string form after "name:" */
    uint16_t n_options, option_bytes;
    int64_t default_batch;
    tare_loss bench_loss, training_loss;
    const char *optimizer; /* what it is trained with unless told otherwise, "adam:lr=0.0001"; NULL: adam */
    /* Shape of one sample's input and output: fills desc without the batch dimension. */
    void (*input)(const void *options, tare_desc *sample);
    void (*output)(const void *options, tare_desc *sample);
    int32_t byte_divisor; /* what the bytes of a data set (pixels) are divided by; 0: 255 */
    size_t net_bytes;     /* the instance, which begins with a tare_net */
    tare_status (*build)(tare_net *, const void *options);
    /* By tare_api: the same body with layers called directly, as objects, as hybrid objects (block.h); a net
     * without layer objects has the first alone. */
    tare_value *(*forward[TARE_API_COUNT])(tare_mode *, tare_net *, tare_value *x);
    void (*close)(tare_net *); /* lets go of what build took outside the arena; NULL: nothing */
};

typedef struct {
    tare_value *value;
    const char *name; /* "dense0.weight", owned by the net */
} tare_parameter;

struct tare_net {
    const tare_net_type *type;
    tare_runtime *runtime;
    char *label; /* "chain:depth=20,width=16" in full */
    void *options;
    tare_parameter *parameter;
    int n_parameters, capacity_parameters;
    tare_parameter *state; /* no gradient: written by the operators that they are tied to */
    int n_states, capacity_states;
    tare_value *random_calls; /* one of the state: 0-d int64, random operators so far; NULL: the net has none */
    uint64_t seed;
    int64_t init;      /* how weights begin: a number of tare_initialisers */
    double init_scale; /* of it; 0: its own */
    tare_arena arena;  /* names, layers' arrays */
    tare_block root;   /* the net as an object: its layers are the children */
};

/* Builds the net that `text` names ("mlp", "chain:depth=5"), weights from `seed` as the option `init` says (any net
 * takes it: "chain:depth=5,init=he_normal"; Xavier uniform where it does not), zero biases; or reads the one that was
 * saved to "FILE.json", with its weights (data/saved.h). NOT_FOUND, BAD_ARGUMENT with the text set; of a file BAD_FILE
 * and IO too. */
TARE_API tare_status tare_net_new(tare_runtime *, const char *text, uint64_t seed, tare_net **out);
TARE_API void tare_net_free(tare_net *);
/* Lets the gradients that the last backward left on the parameters go: before the next one, which would add to them. */
TARE_API void tare_net_clear_gradients(const tare_net *);
/* Whether a net's name is that of a file: its parameters come from there, and it has no layer objects. */
TARE_API bool tare_net_is_file(const char *text);
/* For net files: compiles `body`(mode, net, x, api), an inline function, once for each way of reaching a layer, and
 * names the three as the record's forward. */
#define TARE_NET_FORWARDS(body)                                                                                        \
    static tare_value *body##_direct(tare_mode *m, tare_net *n, tare_value *x)                                         \
    {                                                                                                                  \
        return body(m, n, x, TARE_API_DIRECT);                                                                         \
    }                                                                                                                  \
    static tare_value *body##_block(tare_mode *m, tare_net *n, tare_value *x)                                          \
    {                                                                                                                  \
        return body(m, n, x, TARE_API_BLOCK);                                                                          \
    }                                                                                                                  \
    static tare_value *body##_hybrid(tare_mode *m, tare_net *n, tare_value *x)                                         \
    {                                                                                                                  \
        return body(m, n, x, TARE_API_HYBRID);                                                                         \
    }
#define TARE_NET_FORWARD(body)                                                                                         \
    {                                                                                                                  \
        body##_direct, body##_block, body##_hybrid                                                                     \
    }

/* The net's function with layers called directly. */
static inline tare_value *tare_net_forward(tare_mode *m, tare_net *net, tare_value *x)
{
    return net->type->forward[TARE_API_DIRECT](m, net, x);
}

/* Registers the built-in nets and optimizers. */
TARE_API tare_status tare_nets_register(tare_runtime *);

/* Input desc for a batch, and target desc of a loss (labels int32 [N], regression float32 [N,...]). */
TARE_API tare_desc tare_net_input(const tare_net *, int64_t batch);
TARE_API tare_desc tare_net_target(const tare_net *, tare_loss, int64_t batch);

/* What it is trained with unless told otherwise, as the type says. */
TARE_API const char *tare_net_optimizer(const tare_net *);

/* A loss's name, as in files: ones, l2, softmax_ce. */
TARE_API const char *tare_loss_name(tare_loss);

/* The scalar loss, mean over the batch: L2 is half the squared error, mean over features. ONES has no loss: returns y.
 */
TARE_API tare_value *tare_net_loss(tare_mode *, tare_loss, tare_value *y, tare_value *target);

/* ---- for net files: a parameter made, initialised, named and registered with the net ------------------------------*/
typedef enum { TARE_INIT_ZERO, TARE_INIT_ONE, TARE_INIT_WEIGHT } tare_init; /* WEIGHT: as the option `init` says */
TARE_API tare_status tare_net_parameter(tare_net *, const char *layer, const char *name, tare_init, int rank,
                                        const int64_t *dim, tare_value **out);
/* What the option `init` of every net, and `schedule` of every optimizer, chooses from; the usual one first. */
typedef struct {
    const char *name, *doc;
} tare_word;
TARE_API extern const tare_word tare_initialisers[], tare_schedules[];
TARE_API extern const int tare_n_initialisers, tare_n_schedules;

/* The same for an entry of the state, float32, zeros or ones. */
TARE_API tare_status tare_net_state(tare_net *, const char *layer, const char *name, tare_init, int rank,
                                    const int64_t *dim, tare_value **out);
/* A constant list of numbers, int32 [n] (positions, a fixed table's rows): state that nothing writes. */
TARE_API tare_status tare_net_numbers(tare_net *, const char *layer, const char *name, int64_t n, const int32_t *number,
                                      tare_value **out);
/* The net's count of random calls (net->random_calls), made at the first wish. With the net's seed and an element's
 * number it is the key of a draw; whoever draws increments it after. */
TARE_API tare_status tare_net_random_calls(tare_net *, tare_value **out);

/* ---- optimizers: update rules over the seam, the same in both modes
 * --------------------------------------------------*/
typedef struct tare_optimizer tare_optimizer;
typedef struct {
    const char *name, *doc;
    const tare_attr *options;
    uint16_t n_options, option_bytes;
    int n_states;      /* values a parameter, zero at start */
    bool counts_steps; /* has a 0-d int64 step count */
    /* Once a step before the parameters: a value that all updates read; NULL: they read the learning rate. */
    tare_value *(*begin)(tare_mode *, const tare_optimizer *);
    /* The rule, one operator: inputs parameter, gradient, the states, what begin made; it writes the parameter and the
     * states in place. */
    const tare_op *update;
    void (*attr)(const tare_optimizer *, void *attr); /* its attributes; NULL: it has none */
} tare_optimizer_type;

struct tare_optimizer {
    const tare_optimizer_type *type;
    tare_net *net;
    void *options;
    tare_value *learning_rate; /* 0-d float32: written between steps, never an attribute */
    tare_value *clip;          /* 0-d float32, likewise: the largest global norm; NULL: gradients are not clipped */
    tare_value *step;          /* 0-d int64, NULL if not counted */
    tare_value **state;        /* [n_parameters * n_states] */
    int64_t n_steps;           /* that tare_optimizer_advance has begun: to be kept with the state, and set again */
    tare_bundle *multi;        /* all parameters in one call; NULL: a call each */
    tare_value **operand;      /* [n_parameters * inputs of the update]: what multi is given */
};

/* "adam", "sgd:momentum=0.9,lr=0.01,clip=1", "adamw:schedule=cosine,steps=1000,warmup=50". */
TARE_API tare_status tare_optimizer_new(tare_net *, const char *text, tare_optimizer **out);
/* Before its net is freed. NULL is fine. */
TARE_API void tare_optimizer_free(tare_optimizer *);
/* From now on a step run at once updates all parameters in one operator call (core/bundle.h), with the bits of a call
 * each. IMPOSSIBLE where the rule's operator is not made for it. */
TARE_API tare_status tare_optimizer_multi(tare_optimizer *);
/* Updates every parameter that has a gradient (m->gradient), through the mode: run now, or appended to the plan. */
TARE_API tare_status tare_optimizer_step(tare_optimizer *, tare_mode *);

/* The learning rate of step t = 0, 1, ... by the option `schedule` (schedule.h), and whether it is not always the same.
 */
TARE_API double tare_optimizer_rate(const tare_optimizer *, int64_t t);
TARE_API bool tare_optimizer_scheduled(const tare_optimizer *);
/* Before each step, however it is run: counts it, and writes its learning rate where there is a schedule. A captured
 * step reads the rate when it is replayed. Without a schedule a caller may leave it out, and write the rate itself. */
TARE_API tare_status tare_optimizer_advance(tare_optimizer *);

/* The factor that brings the norm of all parameters' gradients together down to max_norm (0-d float32, as the result),
 * 1 where it is below: min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. The gradients stay as they
 * are; multiply what is used of them. NULL where no parameter has a gradient. */
TARE_API tare_value *tare_clip_global_norm(tare_mode *, const tare_net *, tare_value *max_norm);

#ifdef __cplusplus
}
#endif
#endif
