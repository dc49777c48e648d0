/* digest.c - hashes of results and of kernel calls (see digest.h). */
#include "digest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "input.h"
#include "step.h"

const uint64_t tare__fnv_start = 0xcbf29ce484222325u;

uint64_t tare__fnv(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; ++i)
        hash = (hash ^ b[i]) * 0x100000001b3u;
    return hash;
}

/* ---- results -------------------------------------------------------------------------------------------------*/

static void suspect(tare__digest *d, const char *what, const char *name, const char *of)
{
    if (!*d->suspect)
        snprintf(d->suspect, sizeof d->suspect, "%s in %s%s%s", what, of, name ? " " : "", name ? name : "");
}

/* Notes what no comparison of bits would: two arms can agree on infinities or on nothing. */
static void inspect(tare__digest *d, const float *x, int64_t n, const char *name, const char *of, bool vary)
{
    bool finite = true, constant = vary && n > 1;
    for (int64_t i = 0; i < n; ++i) {
        finite &= isfinite(x[i]) != 0;
        constant &= memcmp(&x[i], &x[0], sizeof *x) == 0;
    }
    if (!finite)
        suspect(d, "a value that is not finite", name, of);
    else if (constant)
        suspect(d, "one and the same value everywhere", name, of);
}

static tare_status hash_value(tare__digest *d, tare__hash *hash, const tare_value *v, const char *name, const char *of,
                              bool vary)
{
    size_t bytes = tare_desc_bytes(&v->d);
    void *copy = tare__take(bytes ? bytes : 1, 1);
    tare_status status = tare_value_read(v, copy, bytes);
    if (status == TARE_OK) {
        hash->hash = tare__fnv(hash->hash, copy, bytes);
        if (v->d.dtype == TARE_F32)
            inspect(d, copy, tare_desc_count(&v->d), name, of, vary);
    }
    free(copy);
    return status;
}

static tare_status hash_step(const tare__arm *a, tare__digest *d)
{
    tare_status status = TARE_OK;
    if (!d->loss.why)
        status = hash_value(d, &d->loss, a->loss, NULL, "the loss", false);
    if (status == TARE_OK)
        status = hash_value(d, &d->outputs, a->y, NULL, "the outputs", true);
    for (int i = 0; !d->gradients.why && i < a->net->n_parameters && status == TARE_OK; ++i) {
        tare_value *g = tare__arm_gradient(a, i);
        if (g)
            status = hash_value(d, &d->gradients, g, a->net->parameter[i].name, "the gradient of", true);
    }
    return status;
}

static tare_status hash_end(const tare__arm *a, tare__digest *d)
{
    tare_status status = TARE_OK;
    for (int i = 0; i < a->net->n_parameters && status == TARE_OK; ++i)
        status = hash_value(d, &d->parameters, a->net->parameter[i].value, a->net->parameter[i].name, "", false);
    for (int i = 0; i < a->net->n_states && status == TARE_OK; ++i)
        status = hash_value(d, &d->state, a->net->state[i].value, a->net->state[i].name, "", false);
    const tare_optimizer *o = a->optimizer;
    for (int i = 0; o && i < a->net->n_parameters * o->type->n_states && status == TARE_OK; ++i)
        status = hash_value(d, &d->state, o->state[i], NULL, "the optimizer's state", false);
    if (status == TARE_OK && o && o->step)
        status = hash_value(d, &d->state, o->step, NULL, "the step count", false);
    return status;
}

static void start(const tare__arm *a, bool gradients, tare__digest *d)
{
    *d = (tare__digest){0};
#define TARE__DIGEST_START(name) d->name.hash = tare__fnv_start;
    TARE__DIGESTS(TARE__DIGEST_START)
#undef TARE__DIGEST_START
    if (a->loss_kind == TARE_LOSS_ONES)
        d->loss.why = "a head of ones has no loss";
    if (a->task.work != TARE__TRAIN)
        d->gradients.why = "no gradient was asked for";
    else if (!gradients)
        d->gradients.why = "the update is in the plan";
    if (!a->optimizer && a->net->n_states == 0)
        d->state.why = "no optimizer was asked for, and the net has no state";
}

static tare_status run_arm(tare__arm *a, int steps, tare__feed *feed, void *owner, bool gradients, tare__digest *out)
{
    a->keep = true;
    tare_status status = tare__arm_prepare(a);
    start(a, gradients, out);
    for (int s = 0; s < steps && status == TARE_OK; ++s) {
        if (feed)
            status = feed(owner, a, s);
        if (status == TARE_OK)
            status = a->step(a);
        if (status == TARE_OK)
            status = hash_step(a, out);
    }
    return status == TARE_OK ? hash_end(a, out) : status;
}

static tare_status run(const tare__task *task, const tare__setting *setting, bool expose, int steps, tare__feed *feed,
                       void *owner, tare__digest *out)
{
    tare__arm arm;
    tare_status status = tare__arm_open(&arm, task, setting, "digest");
    if (status != TARE_OK)
        return status;
    bool hidden = task->optimizer && setting->level[TARE__JOINT] == TARE__JOINT_STEP && !expose;
    arm.expose = expose;
    status = run_arm(&arm, steps, feed, owner, !hidden, out);
    tare__arm_close(&arm);
    return status;
}

/* Where the update is in the plan, gradients end with it. A second run with gradients as results of the plan shows
 * them as they are just before the update; it must agree in all else with the plan that is timed. */
tare_status tare__digest_run(const tare__task *task, const tare__setting *setting, int steps, tare__feed *feed,
                             void *owner, tare__digest *out)
{
    if (setting->level[TARE__KERNELS] == TARE_KERNELS_NULL) {
#define TARE__DIGEST_NONE(name) out->name.why = "null kernels compute nothing";
        *out = (tare__digest){0};
        TARE__DIGESTS(TARE__DIGEST_NONE)
#undef TARE__DIGEST_NONE
        return TARE_OK;
    }
    const tare__shared_order before = task->shared ? *task->shared : (tare__shared_order){0};
    tare_status status = run(task, setting, false, steps, feed, owner, out);
    if (status != TARE_OK || task->work != TARE__TRAIN || !out->gradients.why)
        return status;
    tare__digest exposed;
    if (task->shared) /* the second run sees what the first saw */
        tare__shared_order_return(task->shared, &before);
    status = run(task, setting, true, steps, feed, owner, &exposed);
    const char *what;
    if (status == TARE_OK && !tare__digest_equal(out, &exposed, &what))
        return tare_error(TARE_BAD_DATA, "%s: its plan with gradients as results gives other %s", setting->rung->name,
                          what);
    out->gradients = exposed.gradients;
    if (!*out->suspect)
        memcpy(out->suspect, exposed.suspect, sizeof out->suspect);
    return status;
}

/* ---- kernel calls --------------------------------------------------------------------------------------------*/

typedef struct {
    uint64_t hash;
    int n;
} calls;

static void hash_call(calls *c, const tare_node *node)
{
    ++c->n;
    c->hash = tare__fnv(c->hash, node->op->name, strlen(node->op->name) + 1);
    c->hash = tare__fnv(c->hash, node->variant->name, strlen(node->variant->name) + 1);
    for (int i = 0; i < node->n_in + node->n_out; ++i) {
        const tare_value *v = node->operand[i];
        int64_t shape[TARE_RANK + 1] = {-1};
        if (v) {
            shape[0] = v->d.rank * TARE_DTYPE_COUNT + v->d.dtype;
            for (int k = 0; k < v->d.rank; ++k)
                shape[k + 1] = v->d.dim[k];
        }
        c->hash = tare__fnv(c->hash, shape, sizeof shape);
    }
}

static void on_event(void *owner, tare_event event, const tare_node *node)
{
    if (event == TARE_EVENT_KERNEL && node->variant)
        hash_call(owner, node);
}

static int by_program(const void *a, const void *b)
{
    return tare__node_place(*(const tare_node *const *)a) - tare__node_place(*(const tare_node *const *)b);
}

static void hash_plan(calls *c, const tare_plan *plan)
{
    const tare_node *const *run;
    int n = tare_plan_calls(plan, &run);
    const tare_node **node = tare__take((size_t)n + 1, sizeof *node);
    for (int i = 0; i < n; ++i)
        node[i] = run[i];
    qsort(node, (size_t)n, sizeof *node, by_program);
    for (int i = 0; i < n; ++i)
        hash_call(c, node[i]);
    free(node);
}

tare_status tare__calls_digest(tare__arm *a, uint64_t *hash, int *n)
{
    calls c = {.hash = tare__fnv_start};
    if (tare__arm_replays(a))
        hash_plan(&c, a->plan);
    tare__arm_tell(a, (tare_trace){.event = on_event, .owner = &c});
    tare_status status = a->step(a);
    tare__arm_tell(a, (tare_trace){0});
    *hash = c.hash;
    *n = c.n;
    return status;
}

/* ---- comparing and printing ----------------------------------------------------------------------------------*/

bool tare__digest_equal(const tare__digest *a, const tare__digest *b, const char **what)
{
#define TARE__DIGEST_COMPARE(name)                                                                                     \
    if (!a->name.why && !b->name.why && a->name.hash != b->name.hash) {                                                \
        *what = #name;                                                                                                 \
        return false;                                                                                                  \
    }
    TARE__DIGESTS(TARE__DIGEST_COMPARE)
#undef TARE__DIGEST_COMPARE
    return true;
}

const char *tare__hash_text(const tare__hash *hash, char *text)
{
    if (hash->why)
        snprintf(text, 17, "-");
    else
        snprintf(text, 17, "%016llx", (unsigned long long)hash->hash);
    return text;
}

json_t *tare__digest_json(const tare__digest *d)
{
    json_t *digest = json_object();
    char text[17];
#define TARE__DIGEST_JSON(name)                                                                                        \
    if (d->name.why)                                                                                                   \
        tare__null(digest, #name, d->name.why);                                                                        \
    else                                                                                                               \
        json_object_set_new(digest, #name, json_string(tare__hash_text(&d->name, text)));
    TARE__DIGESTS(TARE__DIGEST_JSON)
#undef TARE__DIGEST_JSON
    return digest;
}
