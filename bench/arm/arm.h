/* arm.h - an arm: one setting of the factors at work on one task, with a runtime of its own.
 *
 * Life: open (runtime, net from the seed, batch, optimizer), prepare (capture, plan and bind where the setting says
 * so), any number of steps, close. step() is the function that is timed; what it leaves behind (loss, outputs,
 * gradients) can be observed when the arm was told to keep it. The same task gives the same bytes in every arm.
 *
 * The first failure's sentence is in tare_error_text(). Threads: the caller's, one arm after the other. */
#ifndef TARE_BENCH_ARM_H
#define TARE_BENCH_ARM_H

#include "../../graph/graph.h"
#include "../../imperative/carrier.h"
#include "../../nets/net.h"
#include "../base/plugins.h"
#include "rung.h"

typedef enum { TARE__TRAIN, TARE__FORWARD, TARE__INFER } tare__work;
extern const char *const tare__work_names[]; /* train, forward, infer */

typedef struct {
    const char *net; /* as tare_net_new takes it: of a plug-in's file, its net's name */
    tare__plugins plugins;
    const tare_net_type *net_type; /* its type, where neither a built-in one nor a plug-in's; NULL */
    bool no_layers;                /* the net has no layer objects */
    int64_t batch;                 /* 0: the net's own */
    tare__work work;
    const char *optimizer; /* NULL: none; "": the net's own */
    bool training_loss;    /* the net's training loss, not its bench head */
    bool outputs_only;     /* no loss at all */
    uint64_t seed;
    tare_device_open *open_device; /* NULL: the CPU */
    void *device_owner;
    const struct tare__set *set;       /* what batches are made of; NULL: the resident batch several times over */
    struct tare__shared_order *shared; /* for arms with iterator=shared; NULL: there is none */
} tare__task;

typedef struct tare__shared_order tare__shared_order;
typedef struct tare__input tare__input;
typedef struct tare__arm tare__arm;
struct tare__arm {
    const char *name; /* borrowed */
    tare__setting setting;
    tare__task task;
    int64_t batch;
    tare_loss loss_kind;
    tare_runtime *rt;
    tare_net *net;
    const char *label;         /* of the net with all its options, whichever file it came through; borrowed from it */
    tare_optimizer *optimizer; /* NULL: none */
    tare_value *x, *target,
        *head;       /* resident; target NULL where the loss has none, head NULL where nothing is derived */
    tare_mode *mode; /* imperative */
    const tare_capture_service *capture;
    tare_captured *captured; /* the net as one operator; NULL */
    tare_api api;            /* how the net's body reaches its layers */
    tare_graph *graph;       /* NULL in an imperative arm, as plan and instance */
    tare_carrier *carrier;   /* what goes along the graph's program instead of replaying it; NULL */
    int n_forward;           /* nodes of the program up to and with the loss */
    int n_backward;          /* and up to and with the gradients: what follows is the update */
    tare_plan *plan;
    tare_instance *instance;
    const tare_call *call; /* the bare list, where api = kernels */
    int n_calls;
    tare_status (*step)(tare__arm *);
    tare_status (*replay)(tare__arm *); /* the instance's run, guarded or not; NULL in an imperative arm */
    tare_status (*inner)(tare__arm *);  /* the step without what is around it (around.h); NULL: nothing is */
    struct tare__around *around;        /* NULL: nothing but, perhaps, a schedule */
    tare__input *input;                 /* NULL: the resident batch */
    int64_t input_wait_ns;              /* spent so far in getting batches */
    char *net_text, *optimizer_text;    /* of the task, where a switch changes them; NULL */
    bool keep;                          /* leave loss and outputs of a step to be observed */
    bool expose;                        /* gradients are results of the plan, even where the update is in it */
    tare_value *y, *loss;               /* kept by the last step: handles of the arm's own */
    tare_value **gradient; /* [n_parameters] graph: the results of the instance; NULL where there are none */
    tare_carried carried;  /* what the carrier goes along; its lists are the arm's own */
    int64_t bind_ns;       /* of making and binding the instance */
    int64_t lost;          /* closed: blocks that its runtime still had out; 0 */
};

/* The floor: what is left when nothing is around the calls. Pieces are the device's to hand out. */
static inline tare_status tare__calls_run(tare_runtime *rt, const tare_call *call, int n)
{
    tare_device *d = rt->device;
    int64_t calls = rt->counts.kernel_calls + n;
    int bad = 0, failed;
    for (const tare_call *c = call, *end = c + n; c < end; ++c)
        bad |= c->n_pieces == 1 ? c->run(c, 0, 0) : d->run(d, c, 1, &failed) != TARE_OK;
    rt->counts.kernel_calls = calls;
    return bad ? tare_error(TARE_BAD_DATA, "a kernel met bad data") : TARE_OK;
}

/* Whether a step is a replay of the plan. */
static inline bool tare__arm_replays(const tare__arm *a)
{
    return a->graph && !a->carrier;
}

/* On failure the arm is closed. `name` is borrowed. */
tare_status tare__arm_open(tare__arm *, const tare__task *, const tare__setting *, const char *name);
/* Captures, plans, binds; an imperative arm has nothing to do. */
tare_status tare__arm_prepare(tare__arm *);
/* What was built is let go; fine on a zeroed arm. */
void tare__arm_close(tare__arm *);

/* New content for the resident batch. target NULL: as it is. */
tare_status tare__arm_feed(tare__arm *, const void *x, const void *target);
/* Parameter i's gradient after a step, borrowed; NULL: there is none to see. */
tare_value *tare__arm_gradient(const tare__arm *, int parameter);
/* Lets go what a kept step left. */
void tare__arm_forget(tare__arm *);

/* Bytes of parameters, optimizer state, batch. */
int64_t tare__arm_bytes(const tare__arm *, tare_memory_category);

#endif
