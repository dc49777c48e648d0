/* onednn.h - what the files of this back end share: a primitive's description, its entry in the runtime's cache, its
 * call.
 *
 * An operator's file says how a call looks to oneDNN: a spec, which is words alone and the key of the cache, and a
 * table of arguments, which of the call's addresses is which of oneDNN's operands. The rest is here, once: the
 * primitive is made when `fits` first asks for its spec, kept while the runtime lives, and found again by `fits` and
 * `prepare`; the call holds its entry's address in g[0]. All that a call needs besides lies in the scratch that the
 * call was given.
 *
 * Layouts: with TARE_LAYOUT_PLAIN oneDNN is told that all operands lie as ours do (NCHW, OIHW). With
 * TARE_LAYOUT_BLOCKED convolutions and inner products choose for themselves, and each operand that they want otherwise
 * is reordered before or after, at every call; these reorders are counted. Poolings and batch norm are plain always:
 * they keep the order they are given.
 *
 * A call is one piece, on as many OpenMP threads as the runtime has. */
#ifndef TARE_ONEDNN_ONEDNN_H
#define TARE_ONEDNN_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

#include "../core/runtime.h"

typedef enum {
    TARE__ONEDNN_CONVOLUTION,
    TARE__ONEDNN_INNER_PRODUCT,
    TARE__ONEDNN_POOLING,
    TARE__ONEDNN_BATCH_NORM
} tare__onednn_kind;

/* INFERENCE: forward, and nothing is kept for a gradient. */
typedef enum {
    TARE__ONEDNN_FORWARD,
    TARE__ONEDNN_INFERENCE,
    TARE__ONEDNN_TO_DATA,
    TARE__ONEDNN_TO_WEIGHTS
} tare__onednn_direction;

/* One primitive, in oneDNN's terms; all words are compared, so begin with zeros. Dimensions of the data, the weights
 * (with groups: G K/G C/G R S) and the result, whichever of them is computed. */
typedef struct {
    int64_t kind, direction;
    int64_t any;       /* layouts are oneDNN's choice */
    int64_t bias;      /* there is one */
    int64_t algorithm; /* of a pooling */
    int64_t flags;     /* of a batch norm */
    int64_t epsilon;   /* of a batch norm: the bits of a double */
    int64_t rank, weight_rank;
    int64_t src[4], weights[5], dst[4];
    int64_t stride[2], kernel[2], dilation[2], before[2], after[2]; /* dilation: 1 is none; before, after: padding */
} tare__onednn_spec;

/* CHANNELS: one number each of dst[1]; they may be absent, and then lie in scratch. */
typedef enum {
    TARE__ONEDNN_SRC,
    TARE__ONEDNN_WEIGHTS,
    TARE__ONEDNN_BIAS,
    TARE__ONEDNN_DST,
    TARE__ONEDNN_CHANNELS
} tare__onednn_shape;

typedef struct {
    int arg; /* DNNL_ARG_... */
    int at;  /* in the call's addresses; -1: scratch alone, of the kernel around the primitive */
    tare__onednn_shape shape;
    bool out;
    bool spare; /* an input that some versions want and none reads */
} tare__onednn_arg;

enum { TARE__ONEDNN_ARGS = 9 };

typedef struct {
    const tare__onednn_arg *is;
    dnnl_memory_t plain, own; /* own: as the primitive wants it; NULL: plain is what it wants */
    dnnl_primitive_t reorder; /* between the two */
    size_t own_at, plain_at;  /* in scratch; plain_at for CHANNELS alone */
    dnnl_exec_arg_t move[4];  /* of the reorder: from, to, scratchpad */
} tare__onednn_operand;

typedef struct tare__onednn_entry tare__onednn_entry;
typedef struct tare__onednn_state tare__onednn_state;
struct tare__onednn_entry {
    tare__onednn_spec spec;
    tare__onednn_state *state;
    tare__onednn_entry *next;
    dnnl_primitive_t primitive; /* NULL: oneDNN has none for the spec */
    tare__onednn_operand operand[TARE__ONEDNN_ARGS];
    dnnl_exec_arg_t given[TARE__ONEDNN_ARGS + 1];
    int n, n_given, n_reorders; /* n_given: with the scratchpad */
    dnnl_memory_t scratchpad;
    size_t scratchpad_at, scratch_bytes;
};

enum { TARE__ONEDNN_CHAINS = 256 };
struct tare__onednn_state {
    tare_runtime *runtime;
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attr; /* scratch is ours */
    dnnl_stream_t stream;
    tare__onednn_entry *last, *chain[TARE__ONEDNN_CHAINS];
};

/* ---- creating.c: made by spec, kept by the state ------------------------------------------------------------------*/
/* The entry, made if there is none yet. NULL: no memory. `args` belongs to the kind and direction, ended by arg 0. */
tare__onednn_entry *tare__onednn_find(tare_runtime *, const tare__onednn_spec *, const tare__onednn_arg *args);
tare_status tare__onednn_open(tare_runtime *, void **own);
void tare__onednn_close(tare_runtime *, void *own);

/* ---- calling.c ----------------------------------------------------------------------------------------------------*/
/* Where operand i of a call lies. */
float *tare__onednn_address(const tare_call *, const tare__onednn_entry *, int i);
/* The primitive with its reorders. Where oneDNN fails in the middle of it, the results are NaN: false. */
bool tare__onednn_execute(const tare_call *, tare__onednn_entry *);
/* The kernel that is the primitive and nothing else. */
int tare__onednn_run(const tare_call *, int piece, int worker);
static inline tare__onednn_entry *tare__onednn_of(const tare_call *c)
{
    return (tare__onednn_entry *)(uintptr_t)c->g[0];
}
/* On the runtime's number of threads from here on; what was set before. */
int tare__onednn_threads(int threads);

/* Of a variant: which layout it is for. */
typedef enum {
    TARE__ONEDNN_PLAIN = TARE_LAYOUT_PLAIN,
    TARE__ONEDNN_BLOCKED = TARE_LAYOUT_BLOCKED,
    TARE__ONEDNN_EITHER /* its operands are plain in both */
} tare__onednn_for;
/* How an operator looks to oneDNN; false: oneDNN is not asked. */
typedef bool tare__onednn_describe(const tare_args *, tare__onednn_spec *);
bool tare__onednn_fits(const tare_args *, tare__onednn_describe *, const tare__onednn_arg *, tare__onednn_for);
void tare__onednn_prepare(const tare_args *, tare__onednn_describe *, const tare__onednn_arg *, tare__onednn_for,
                          tare_work *);
/* Dimensions of a desc that has elements, all within 31 bits. */
bool tare__onednn_dims(const tare_desc *, int64_t *dims);

/* ---- api_v2.c, api_v3.c: what oneDNN's versions name differently
 * ----------------------------------------------------*/
typedef __typeof__(dnnl_primitive_desc_query_md(NULL, dnnl_query_undef, 0)) tare__onednn_layout;
/* What oneDNN has for a spec, best first. */
dnnl_status_t tare__onednn_best(const tare__onednn_spec *, dnnl_engine_t, dnnl_primitive_attr_t,
                                dnnl_primitive_desc_t *out);
/* An operand as ours lie, without an address. */
dnnl_status_t tare__onednn_plain(dnnl_engine_t, int rank, const int64_t *dims, dnnl_memory_t *out);

/* A spec's windows in oneDNN's own types; there a dilation of 0 is none. */
typedef struct {
    dnnl_dims_t stride, kernel, dilates, before, after;
} tare__onednn_windows;
static inline tare__onednn_windows tare__onednn_windows_of(const tare__onednn_spec *s)
{
    tare__onednn_windows w = {{0}, {0}, {0}, {0}, {0}};
    for (int i = 0; i < 2; ++i) {
        w.stride[i] = s->stride[i];
        w.kernel[i] = s->kernel[i];
        w.dilates[i] = s->dilation[i] - 1;
        w.before[i] = s->before[i];
        w.after[i] = s->after[i];
    }
    return w;
}

/* The tags of plain layouts, by rank. */
static inline dnnl_format_tag_t tare__onednn_tag(int rank)
{
    static const dnnl_format_tag_t tag[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    return tag[rank];
}

/* ---- variants -----------------------------------------------------------------------------------------------------*/
/* What dispatch asks of one, by name: fits and prepare. */
#define TARE__ONEDNN_ASKED(name_, describe, args, layout)                                                              \
    static bool name_##_fits(const tare_args *a)                                                                       \
    {                                                                                                                  \
        return tare__onednn_fits(a, describe, args, layout);                                                           \
    }                                                                                                                  \
    static void name_##_prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)                            \
    {                                                                                                                  \
        (void)out;                                                                                                     \
        tare__onednn_prepare(a, describe, args, layout, w);                                                            \
    }
#define TARE__ONEDNN_ROW(name_, text, run_)                                                                            \
    {                                                                                                                  \
        .name = text, .set = TARE_SET_ADDED, .dtypes = TARE_BIT(TARE_F32), .fits = name_##_fits,                       \
        .prepare = name_##_prepare, .run = run_                                                                        \
    }
/* One for each layout. */
#define TARE__ONEDNN_BOTH(name_, describe, args)                                                                       \
    TARE__ONEDNN_ASKED(name_##_plain, describe, args, TARE__ONEDNN_PLAIN)                                              \
    TARE__ONEDNN_ASKED(name_##_blocked, describe, args, TARE__ONEDNN_BLOCKED)
#define TARE__ONEDNN_ROWS(name_, text)                                                                                 \
    TARE__ONEDNN_ROW(name_##_plain, text, tare__onednn_run),                                                           \
        TARE__ONEDNN_ROW(name_##_blocked, text "_blocked", tare__onednn_run)

/* One list a family; set.c has them all. */
extern const tare_variant tare__onednn_conv2d[2], tare__onednn_conv2d_grad_data[2], tare__onednn_conv2d_grad_weight[2];
extern const tare_variant tare__onednn_dense[2], tare__onednn_matmul[6];
extern const tare_variant tare__onednn_avg_pool2d[1], tare__onednn_avg_pool2d_grad[1];
extern const tare_variant tare__onednn_batch_norm[1], tare__onednn_batch_norm_inference[1];
extern const tare_variant tare__onednn_batch_norm_grad[1];

#endif
