/* slowed.c - mlp's layers twice: reached directly as they are, as objects with `ns` nanoseconds more in a step. What
 * the instrument must find, for `make bench-check`:
 *
 *     tare ablate ./slowed.c:ns=40000 --base functional --factors api=block */
#include <stddef.h>
#include <tare/tare.h>
#include <time.h>

enum { INPUTS = 1000, LAYERS = 3 };

typedef struct {
    int64_t ns;
} slowed_options;

typedef struct {
    tare_net net; /* first */
    tare_dense_layer layer[LAYERS];
    tare_block block[LAYERS];
    int64_t ns;
} slowed;

static void input(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){INPUTS});
}

static void output(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){1});
}

static tare_status build(tare_net *n, const void *options)
{
    static const char *const path[LAYERS] = {"dense0", "dense1", "dense2"};
    static const int64_t units[LAYERS + 1] = {INPUTS, 300, 100, 1};
    slowed *s = (slowed *)n;
    s->ns = ((const slowed_options *)options)->ns;
    n->root = (tare_block){.name = n->type->name, .child = s->block};
    for (int i = 0; i < LAYERS; ++i) {
        tare_activation active = i + 1 < LAYERS ? TARE_ACTIVATION_RELU : TARE_ACTIVATION_NONE;
        tare_status status = tare_dense_layer_build(n, &s->layer[i], path[i], units[i], units[i + 1], active);
        if (status != TARE_OK)
            return status;
        tare_dense_layer_block(&s->layer[i], &s->block[i]);
        n->root.n_children = i + 1;
    }
    return TARE_OK;
}

static int64_t now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline tare_value *body(tare_mode *m, tare_net *n, tare_value *x, const tare_api api)
{
    slowed *s = (slowed *)n;
    if (api == TARE_API_BLOCK)
        for (int64_t end = now() + s->ns; now() < end;)
            ;
    m->scope_begin(m, NULL);
    m->adopt(m, &x, 1);
    for (int i = 0; i < LAYERS; ++i)
        x = tare_block_call(m, &s->block[i], tare_dense_layer_direct, tare_move(x), api);
    m->scope_end(m, &x, 1);
    return x;
}
TARE_NET_FORWARDS(body)

static const tare_attr options[] = {
    {"ns", TARE_ATTR_INT, offsetof(slowed_options, ns), 0, 1e9, "0", "nanoseconds more as objects"},
};

static const tare_net_type type = {
    .name = "slowed",
    .doc = "mlp, as objects by a known time slower",
    .options = options,
    .n_options = 1,
    .option_bytes = sizeof(slowed_options),
    .default_batch = 256,
    .bench_loss = TARE_LOSS_L2,
    .training_loss = TARE_LOSS_L2,
    .input = input,
    .output = output,
    .net_bytes = sizeof(slowed),
    .build = build,
    .forward = TARE_NET_FORWARD(body),
};

TARE_PLUGIN("slowed", {TARE_KIND_NET, &type})
