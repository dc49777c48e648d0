/* program_net.h - a random program as a net, so that every rung of the ladder can take it.
 *
 * The net is called "program:number=17"; its type is made for one number, whose rows are the batch. Beside the
 * generator's parameters it has layers (batch norm, dropout, dense, embedding, pooling) as children, an LSTM cell, and
 * functions that are programs themselves, with three inputs and two results; some of the children and functions are
 * captured wherever the capture service is there, inside an imperative program and inside a captured one. */
#ifndef TARE_TESTS_PROGRAM_NET_H
#define TARE_TESTS_PROGRAM_NET_H

#include "../core/random.h"
#include "../nets/layer_image.h"
#include "../nets/layer_sequence.h"
#include "../nets/layer_state.h"
#include "programs.h"

enum { ENTRIES = 5, FUNCTIONS = 2, RESULTS = 2 };
/* Children: one batch norm and one dense layer a width, and one of each other kind. */
enum { NORM, DENSE = NORM + WIDTHS, DROP = DENSE + WIDTHS, POOL, EMBED, CHILDREN };
/* Further layers, not children. */
enum { CELL = CHILDREN, FUNCTION, LAYERS };

typedef struct {
    int64_t number;
} program_options;

typedef struct program_function {
    struct program_net *net;
    uint64_t state;
    int to[RESULTS]; /* widths of its results */
    tare_captured *captured;
    const tare_capture_service *service;
} program_function;

typedef struct program_net {
    tare_net net; /* first */
    program_builder shapes;
    tare_value *parameter[PARAMETERS];
    tare_batch_norm_layer norm[WIDTHS];
    tare_dense_layer dense[WIDTHS];
    tare_dropout_layer drop;
    tare_pool_layer pool;
    tare_embedding_layer embed;
    tare_lstm_cell cell;
    tare_value *ids; /* int32 [rows] */
    tare_block block[CHILDREN];
    bool alone[CHILDREN]; /* an operator of its own, whatever reaches the others */
    program_function function[FUNCTIONS];
} program_net;

/* ---- applying
 * ------------------------------------------------------------------------------------------------------*/
static inline tare_value *program_child(program_builder *b, int child, tare_value *x)
{
    static tare_value *(*const direct[])(tare_mode *, tare_block *, tare_value *) = {
        [NORM] = tare_batch_norm_layer_direct, [DENSE] = tare_dense_layer_direct,
        [DROP] = tare_dropout_layer_direct,    [POOL] = tare_pool_layer_direct,
        [EMBED] = tare_embedding_layer_direct,
    };
    tare_block *block = &b->net->block[child];
    int kind = child < DENSE ? NORM : child < DROP ? DENSE : child;
    if (b->net->alone[child])
        return tare_block_hybrid(b->m, block, x);
    return tare_block_call(b->m, block, direct[kind], x, b->api);
}

/* A dropout that drops nothing returns its input; the next operator makes it a value of its own in every rung. */
static inline tare_value *program_dropped(program_builder *b, program_term *t)
{
    tare_value *y = program_child(b, DROP, program_last(t));
    return tare_scale(b->m, y, (tare_scale_attr){1.25});
}

static inline tare_value *program_pooled(program_builder *b, program_term *t)
{
    int64_t w = b->width[t->of];
    tare_value *x = tare_reshape(b->m, program_last(t), (tare_reshape_attr){.shape = {4, {1, 1, -1, w}}});
    return tare_reshape(b->m, program_child(b, POOL, x), (tare_reshape_attr){.shape = {2, {-1, w}}});
}

/* A step of the cell from width 0 to width 1; its other result is one more value within reach, or not read. */
static inline tare_value *program_cell(program_builder *b, program_term *t)
{
    bool first = program_below(b, 3) == 0, keeps = program_below(b, 2);
    tare_value *x = program_pick(b, 0), *h = first ? NULL : program_pick(b, 1), *c = first ? NULL : program_pick(b, 1);
    tare_lstm_cell_forward(b->m, &b->net->cell, x, &h, &c);
    if (keeps)
        program_push(b, c, 1);
    t->of = 1;
    t->gives_up = false;
    return h;
}

/* A function's body: a program over its inputs, in which no further function is called. */
static inline tare_value *program_layer(program_builder *, program_term *);
static inline void program_function_run(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out,
                                        int n_out)
{
    program_function *f = owner;
    program_builder b = f->net->shapes;
    b.in_function = true;
    tare_value *input[INPUTS];
    for (int i = 0; i < n_in; ++i)
        input[i] = in[i];
    m->scope_begin(m, "function");
    program_begin(&b, f->state, m, input, f->net->parameter);
    program_block(&b, 3);
    for (int k = 0; k < n_out; ++k) /* each a value of its own */
        out[k] = tare_scale(m, program_pick(&b, f->to[k]), (tare_scale_attr){0.5});
    m->scope_end(m, out, n_out);
}

static inline tare_value *program_called(program_builder *b, program_term *t)
{
    program_function *f = &b->net->function[program_below(b, FUNCTIONS)];
    tare_value *in[INPUTS], *out[RESULTS];
    for (int i = 0; i < INPUTS; ++i)
        in[i] = program_pick(b, i);
    t->gives_up = false;
    if (f->captured)
        (void)f->service->apply(f->captured, b->m, in, INPUTS, out);
    else
        program_function_run(f, b->m, in, INPUTS, out, RESULTS);
    program_push(b, out[1], f->to[1]);
    t->of = f->to[0];
    return out[0];
}

static inline tare_value *program_layer(program_builder *b, program_term *t)
{
    int which = (int)program_below(b, b->in_function ? FUNCTION : LAYERS);
    if (which < DENSE && b->rows > 1) /* one value a channel is refused */
        return program_child(b, NORM + t->of, program_last(t));
    if (which < DROP) {
        int of = t->of;
        t->of = (of + 1) % WIDTHS;
        return program_child(b, DENSE + of, program_last(t));
    }
    if (which == EMBED) {
        t->of = 0;
        t->gives_up = false;
        return program_child(b, EMBED, b->net->ids);
    }
    return which == DROP   ? program_dropped(b, t)
           : which == POOL ? program_pooled(b, t)
           : which == CELL ? program_cell(b, t)
                           : program_called(b, t);
}

static inline __attribute__((always_inline)) tare_value *program_body(tare_mode *m, tare_net *n, tare_value *x,
                                                                      const tare_api api)
{
    program_net *p = (program_net *)n;
    program_builder b = p->shapes;
    tare_value *input[INPUTS];
    int64_t from = 0;
    b.api = api;
    m->scope_begin(m, NULL);
    for (int i = 0; i < INPUTS; from += b.width[i++])
        input[i] = tare_slice(m, x, (tare_slice_attr){.axis = 1, .begin = from, .end = from + b.width[i], .step = 1});
    program_begin(&b, (uint64_t)((const program_options *)n->options)->number, m, input, p->parameter);
    program_blocks(&b);
    tare_value *y = tare_add(m, b.list[0], program_bias(&b, 0)); /* a loss always has a gradient */
    for (int i = b.n - 1; i > 0; i -= 1 + (int)program_below(&b, 3)) {
        tare_value *part = b.list[i];
        if (b.of[i] != 0)
            part = tare_mean(m, part, (tare_mean_attr){.axes = {1, {1}}, .keep_dims = true});
        y = tare_add(m, y, part);
    }
    m->scope_end(m, &y, 1);
    return y;
}

TARE_NET_FORWARDS(program_body)

/* ---- making
 * --------------------------------------------------------------------------------------------------------*/
static inline tare_status program_fill(const tare_net *n, tare_value *v, uint64_t stream)
{
    int64_t count = tare_desc_count(&v->d);
    float *host = malloc((size_t)count * sizeof *host);
    tare_random_uniform(host, count, n->seed, stream, -0.5, 0.5);
    tare_status status = tare_value_write(v, host, (size_t)count * sizeof *host);
    free(host);
    return status;
}

static inline tare_status program_parameters(tare_net *n, program_net *p)
{
    tare_status status = TARE_OK;
    for (int i = 0; i < PARAMETERS && status == TARE_OK; ++i) {
        int64_t dim[2];
        char name[16];
        int rank = program_parameter_shape(&p->shapes, i, dim);
        (void)snprintf(name, sizeof name, "p%d", i);
        status = program_parameter_trains(i)
                     ? tare_net_parameter(n, NULL, name, TARE_INIT_ZERO, rank, dim, &p->parameter[i])
                     : tare_net_state(n, NULL, name, TARE_INIT_ZERO, rank, dim, &p->parameter[i]);
        if (status == TARE_OK)
            status = program_fill(n, p->parameter[i], 1000 + (uint64_t)i);
    }
    return status;
}

static inline tare_status program_layers(tare_net *n, program_net *p)
{
    static const char *const norm[WIDTHS] = {"norm0", "norm1", "norm2"}, *const dense[WIDTHS] = {"d0", "d1", "d2"};
    const int64_t *w = p->shapes.width, rows = p->shapes.rows;
    int32_t *id = malloc((size_t)rows * sizeof *id);
    for (int64_t i = 0; i < rows; ++i)
        id[i] = (int32_t)(i * 3 % ENTRIES);
    tare_status status = tare_net_numbers(n, "embed", "ids", rows, id, &p->ids);
    free(id);
    for (int i = 0; i < WIDTHS && status == TARE_OK; ++i) {
        status = tare_batch_norm_layer_build(n, &p->norm[i], norm[i], w[i], (tare_batch_norm_attr){1e-5, 0.1},
                                             TARE_ACTIVATION_NONE);
        if (status == TARE_OK)
            status = tare_dense_layer_build(n, &p->dense[i], dense[i], w[i], w[(i + 1) % WIDTHS],
                                            i % 2 ? TARE_ACTIVATION_NONE : TARE_ACTIVATION_RELU);
    }
    p->pool = tare_pool_layer_square("pool", TARE_POOL_MAX, 3, 1);
    p->pool.attr.pad_h = p->pool.attr.pad_w = 1;
    if (status == TARE_OK)
        status = tare_dropout_layer_build(n, &p->drop, "drop", 0.25);
    if (status == TARE_OK)
        status = tare_embedding_layer_build(n, &p->embed, "embed", ENTRIES, w[0]);
    return status == TARE_OK ? tare_lstm_cell_build(n, &p->cell, "cell", w[0], w[1]) : status;
}

/* Every third child and every second function is captured, in one of three ways. */
static inline tare_status program_captures(tare_net *n, program_net *p, uint64_t number)
{
    const tare_capture_service *service = tare_find(n->runtime, TARE_KIND_SERVICE, "capture");
    tare_status status = service ? TARE_OK : TARE_NOT_FOUND;
    for (int i = 0; i < CHILDREN + FUNCTIONS && status == TARE_OK; ++i) {
        uint64_t chance = number * 7 + (uint64_t)i * 5;
        tare_capture_options options = {.keep = chance % 4 > 1, .bound = chance % 4 == 3};
        if (i < CHILDREN) {
            p->alone[i] = chance % 3 == 0;
            if (p->alone[i])
                status = tare_block_capture(n->runtime, &p->block[i], &options);
            continue;
        }
        program_function *f = &p->function[i - CHILDREN];
        *f = (program_function){.net = p, .state = chance + 1, .service = service};
        f->to[0] = (int)(chance % WIDTHS);
        f->to[1] = (int)(chance / WIDTHS % WIDTHS);
        if (chance % 2)
            status = service->make(n->runtime, program_function_run, f, RESULTS, &options, &f->captured);
    }
    return status;
}

static inline tare_status program_build_net(tare_net *n, const void *options)
{
    program_net *p = (program_net *)n;
    uint64_t number = (uint64_t)((const program_options *)options)->number;
    program_shapes(&p->shapes, number);
    p->shapes.net = p;
    p->shapes.layer = program_layer;
    tare_status status = program_parameters(n, p);
    if (status == TARE_OK)
        status = program_layers(n, p);
    if (status != TARE_OK)
        return status;
    for (int i = 0; i < WIDTHS; ++i) {
        tare_batch_norm_layer_block(&p->norm[i], &p->block[NORM + i]);
        tare_dense_layer_block(&p->dense[i], &p->block[DENSE + i]);
    }
    tare_dropout_layer_block(&p->drop, &p->block[DROP]);
    tare_pool_layer_block(&p->pool, &p->block[POOL]);
    tare_embedding_layer_block(&p->embed, &p->block[EMBED]);
    n->root = (tare_block){.name = n->type->name, .child = p->block, .n_children = CHILDREN};
    return program_captures(n, p, number);
}

static inline void program_close(tare_net *n)
{
    program_net *p = (program_net *)n;
    for (int i = 0; i < FUNCTIONS; ++i)
        if (p->function[i].captured)
            p->function[i].service->free(p->function[i].captured);
}

/* ---- the type
 * ------------------------------------------------------------------------------------------------------*/
static inline void program_input(const void *options, tare_desc *sample)
{
    program_builder b;
    program_shapes(&b, (uint64_t)((const program_options *)options)->number);
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){b.width[0] + b.width[1] + b.width[2]});
}

static inline void program_output(const void *options, tare_desc *sample)
{
    program_builder b;
    program_shapes(&b, (uint64_t)((const program_options *)options)->number);
    *sample = tare_desc_of(TARE_F32, 1, &b.width[0]);
}

static inline tare_net_type program_net_type(uint64_t number)
{
    static const tare_attr options[] = {
        {"number", TARE_ATTR_INT, offsetof(program_options, number), 0, 0x1p53, "0", "which program"}};
    static const tare_loss loss[] = {TARE_LOSS_SOFTMAX_CE, TARE_LOSS_L2};
    program_builder b;
    program_shapes(&b, number);
    return (tare_net_type){.name = "program",
                           .doc = "a random program",
                           .options = options,
                           .n_options = 1,
                           .option_bytes = sizeof(program_options),
                           .default_batch = b.rows,
                           .bench_loss = TARE_LOSS_ONES,
                           .training_loss = loss[number / 3 % 2],
                           .input = program_input,
                           .output = program_output,
                           .net_bytes = sizeof(program_net),
                           .build = program_build_net,
                           .forward = TARE_NET_FORWARD(program_body),
                           .close = program_close};
}

#endif
