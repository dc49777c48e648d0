/* gather.c - rows of a table by number (an embedding), and the gradient that scatters them back.
 *
 * The gradient is dense. A piece of it is a range of the table's rows and walks all numbers, so that no two pieces
 * touch one element and the rows of one number are added in the order of the numbers, whatever the pieces. An id
 * outside [0,V) is a data error: its row of the result is 0, and it adds to nothing. */
#include "rows.h"

enum { G_IDS = 2, G_V, G_D, G_PIECE, G_WORDS }; /* g[0], g[1]: elements of the result, dtype */
static inline int64_t piece_end(const tare_call *c, int piece, int64_t all)
{
    int64_t end = (piece + 1) * c->g[G_PIECE];
    return end < all ? end : all;
}

/* to[i] += from[i], i < n */
static inline void add_row(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + TARE_LANES <= n; i += TARE_LANES)
        tare_store(to + i, tare_load(to + i) + tare_load(from + i));
    if (i < n)
        tare_store_part(to + i, tare_load_part(to + i, n - i) + tare_load_part(from + i, n - i), n - i);
}

TARE_KERNEL_DECLARE(gather_grad);
int TARE_KERNEL(gather_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, d = g[G_D];
    const float *dy = c->ptr[0];   /* [ids,D] */
    const int32_t *id = c->ptr[1]; /* [ids] */
    float *dtable = c->ptr[3];     /* [V,D] */
    int64_t from = piece * g[G_PIECE], end = piece_end(c, piece, g[G_V]);
    int bad = 0;
    if (end > from)
        memset(dtable + from * d, 0, (size_t)((end - from) * d) * sizeof *dtable);
    for (int64_t i = 0; i < g[G_IDS]; ++i) {
        if (id[i] >= from && id[i] < end)
            add_row(dtable + id[i] * d, dy + i * d, d);
        bad |= id[i] < 0 || id[i] >= g[G_V];
    }
    return bad;
}

#ifdef TARE_PASS_RECORDS

/* y[i] = table[id[i]]: only bits move */
static int gather_rows(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    size_t row = (size_t)g[G_D] * tare_dtype_bytes((tare_dtype)g[1]);
    const int32_t *id = c->ptr[1];
    int bad = 0;
    for (int64_t i = piece * g[G_PIECE], end = piece_end(c, piece, g[G_IDS]); i < end; ++i) {
        char *to = (char *)c->ptr[2] + (size_t)i * row;
        if (id[i] >= 0 && id[i] < g[G_V]) {
            memcpy(to, (const char *)c->ptr[0] + (size_t)id[i] * row, row);
        } else {
            memset(to, 0, row);
            bad = 1;
        }
    }
    return bad;
}

static int gather_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, d = g[G_D];
    const int32_t *id = c->ptr[1];
    int bad = 0;
    for (int64_t i = piece * g[G_PIECE], end = piece_end(c, piece, g[G_IDS]); i < end; ++i) {
        bool good = id[i] >= 0 && id[i] < g[G_V];
        for (int64_t k = 0; k < d; ++k)
            tare_put(c->ptr[2], g[1], i * d + k, good ? tare_at(c->ptr[0], g[1], id[i] * d + k) : 0);
        bad |= !good;
    }
    return bad;
}

/* float64 numbers of a worker's scratch: whole cache lines */
static int64_t scratch_row(int64_t d)
{
    const int64_t line = TARE_ALIGNMENT / sizeof(double);
    return (d + line - 1) / line * line;
}

/* A row's sums in float64 stand in the worker's scratch until all ids have been seen. */
static int gather_grad_reference(const tare_call *c, int piece, int worker)
{
    const int64_t *g = c->g, d = g[G_D], from = piece * g[G_PIECE], end = piece_end(c, piece, g[G_V]);
    const int32_t *id = c->ptr[1];
    double *sum = c->ptr[5] ? (double *)c->ptr[5] + worker * scratch_row(d) : NULL;
    int bad = 0;
    for (int64_t row = from; row < end; ++row) {
        for (int64_t k = 0; k < d; ++k)
            sum[k] = 0;
        for (int64_t i = 0; i < g[G_IDS]; ++i)
            for (int64_t k = 0; id[i] == row && k < d; ++k)
                sum[k] += tare_at(c->ptr[0], g[1], i * d + k);
        for (int64_t k = 0; k < d; ++k)
            tare_put(c->ptr[3], g[1], row * d + k, sum[k]);
    }
    for (int64_t i = 0; i < g[G_IDS]; ++i)
        bad |= id[i] < 0 || id[i] >= g[G_V];
    return bad;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status check_table(const tare_args *a, const tare_desc *table, const tare_desc *ids)
{
    char text[TARE_DESC_TEXT];
    if (table->dtype != TARE_F32 && table->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the table is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)table->dtype));
    if (ids->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "the ids are %s (need int32)", tare_dtype_name((tare_dtype)ids->dtype));
    if (table->rank != 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "the table is %s (need [V,D])", tare_desc_text(table, text));
    if (ids->rank >= TARE_RANK)
        return tare_op_error(a, TARE_BAD_SHAPE, "the ids are %s (need at most %d dimensions)",
                             tare_desc_text(ids, text), TARE_RANK - 1);
    return TARE_OK;
}

static tare_desc rows_of(const tare_desc *table, const tare_desc *ids)
{
    tare_desc d = *ids;
    d.dim[d.rank++] = table->dim[1];
    d.dtype = table->dtype;
    tare_desc_pack(&d);
    return d;
}

static tare_status gather_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_table(a, a->in[0], a->in[1]);
    if (status == TARE_OK)
        *out[0] = rows_of(a->in[0], a->in[1]);
    return status;
}

static tare_status gather_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *dy = a->in[0], *table = a->in[2];
    tare_status status = check_table(a, table, a->in[1]);
    if (status != TARE_OK)
        return status;
    tare_desc rows = rows_of(table, a->in[1]);
    if (dy->dtype != table->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s, the table %s (need one dtype)",
                             tare_dtype_name((tare_dtype)dy->dtype), tare_dtype_name((tare_dtype)table->dtype));
    if (!tare_desc_same_shape(dy, &rows))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, the gathered rows %s (need the same)",
                             tare_desc_text(dy, t0), tare_desc_text(&rows, t1));
    tare_desc_like(out[0], table);
    return TARE_OK;
}

/* `all` items (rows of a result of D) in pieces of about `most` elements */
static void prepare(const tare_desc *ids, const tare_desc *table, int64_t all, int64_t most, tare_work *w)
{
    int64_t v = table->dim[0], d = table->dim[1], piece = d < most ? most / (d ? d : 1) : 1;
    w->g[0] = all * d;
    w->g[1] = table->dtype;
    w->g[G_IDS] = tare_desc_count(ids);
    w->g[G_V] = v;
    w->g[G_D] = d;
    w->g[G_PIECE] = piece;
    w->n_g = G_WORDS;
    if (all > piece)
        w->n_pieces = (int32_t)((all + piece - 1) / piece);
}

static void prepare_gather(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare(a->in[1], a->in[0], tare_desc_count(a->in[1]), TARE_CHUNK, w);
}

/* Every piece walks all ids: it has at least as many elements to zero. */
static void prepare_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    int64_t ids = tare_desc_count(a->in[1]), most = 4 * TARE_CHUNK;
    prepare(a->in[1], a->in[2], a->in[2]->dim[0], ids > most ? ids : most, w);
}

static void prepare_grad_reference(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_grad(a, out, w);
    w->worker_bytes = (size_t)scratch_row(w->g[G_D]) * sizeof(double);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void gather_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_gather_grad(b->mode, tare_head(b, 0), tare_input(b, 1), tare_input(b, 0)));
}

const tare_op tare_op_gather = {
    .name = "gather",
    .doc = "y[...,d] = table[ids[...],d]; table [V,D], ids int32 [...], y [...,D]. An id outside [0,V) is bad data",
    .n_in = 2,
    .n_out = 1,
    .infer = gather_infer,
    .gradient = gather_gradient,
    .needs_in = 2,
    .variants = (const tare_variant[]){{.name = "rows",
                                        .dtypes = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64),
                                        .prepare = prepare_gather,
                                        .run = gather_rows},
                                       TARE_REFERENCE(gather_reference, .prepare = prepare_gather)},
    .n_variants = 2,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[7,5] i32[3]<0,7>", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[7,5] i32[]<0,7>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[9,3] i32[4,11]<0,9>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[50,33] i32[2,500]<0,50>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[3,0] i32[4]<0,3>", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[3,4] i32[0]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[10000,128] i32[32,35]<0,10000>", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[7,5] f32[3]", NULL, "the ids are float32 (need int32)"},
        {TARE_SAMPLE_REJECT, "i32[7,5] i32[3]", NULL, "the table is int32 (need float32 or float64)"},
        {TARE_SAMPLE_REJECT, "f32[7] i32[3]", NULL, "the table is [7] (need [V,D])"},
        {TARE_SAMPLE_REJECT, "f32[7,5] i32[1,1,1,1,1,1]", NULL, "need at most 5 dimensions"},
        {TARE_SAMPLE_REJECT, "f32[7,5] i32[3]<7,8>", NULL, "index out of range"},
        {TARE_SAMPLE_REJECT, "f32[7,5] i32[3]<-1,0>", NULL, "index out of range"}),
};

const tare_op tare_op_gather_grad = {
    .name = "gather_grad",
    .doc = "dtable[v,d] = sum of dy[...,d] where ids[...] = v, in the order of the ids; dy [...,D], ids int32 [...], "
           "table (only its shape counts) and dtable [V,D]. An id outside [0,V) is bad data",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 4,
    .infer = gather_grad_infer,
    .not_differentiable = true,
    .variants =
        (const tare_variant[]){TARE_NATIVE(gather_grad, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_grad),
                               TARE_REFERENCE(gather_grad_reference, .prepare = prepare_grad_reference)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5] i32[3]<0,7> f32[7,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[5] i32[]<0,7> f32[7,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,100,33] i32[2,100]<0,9> f32[9,33]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[40,33] i32[40]<0,4000> f32[4000,33]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4] i32[0] f32[3,4]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[32,35,128] i32[32,35]<0,10000> f32[10000,128]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3,4] i32[3] f32[7,5]", NULL, "dy is [3,4], the gathered rows [3,5]"},
                 {TARE_SAMPLE_REJECT, "f64[3,5] i32[3] f32[7,5]", NULL, "dy is float64, the table float32"},
                 {TARE_SAMPLE_REJECT, "f32[3,5] i32[3]<5,9> f32[5,5]", NULL, "index out of range"}),
    .tolerance = 2e-6,
};

#endif
