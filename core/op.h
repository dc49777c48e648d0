/* op.h - one operator, declared once: the record that both modes, the planner, the tests and the manual read.
 *
 * A record says what an operator is (arity, attributes, inference, gradient, what its gradient needs, what it
 * may overwrite) and lists its kernel variants, best first, the reference last. Records are const and shared
 * by all runtimes. An operator is one of three kinds: `variants` list its kernels; or it is a view, and `view` gives a
 * new look at input 0's storage while nothing runs; or it was made at run time (a captured graph), and `execute` runs
 * it.
 *
 * Adding an operator is one line in ops/catalogue.h and one block in one file. */
#ifndef TARE_CORE_OP_H
#define TARE_CORE_OP_H

#include "desc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tare_runtime tare_runtime;
typedef struct tare_mode tare_mode;
typedef struct tare_value tare_value;
typedef struct tare_node tare_node;
typedef struct tare_builder tare_builder;
typedef struct tare_op tare_op;
typedef struct tare_call tare_call;

enum {
    TARE_OPERANDS = 8,  /* the most inputs, outputs and auxiliaries that fixed-arity fields describe */
    TARE_VARIABLE = 32, /* the most inputs or outputs of an operator whose number of them varies */
    TARE_GEOMETRY = 72, /* words that prepare() may leave for a kernel */
    /* Bytes that a kernel leaves unused behind the scratch of each worker: what a processor fetches ahead of the rows
     * that it reads (twenty lines, within a page) would else be the next worker's lines, taken from it again and again.
     * (A small convolution on two threads took 1.35 times as long.) */
    TARE_WORKERS_APART = 2048
};

/* ---- kernel call -------------------------------------------------------------------------------------------
 * What a kernel gets. All addresses stand in one array, in this order: inputs, outputs, auxiliaries, then the
 * scratch of all pieces and the scratch of all workers (NULL when prepare() asked for none). An absent input or
 * output is NULL. Everything else is position independent and shared by all instances of a plan: binding,
 * patching, a foreign address space and device capture touch the addresses alone.
 *
 * A kernel works on `piece` of c->n_pieces as `worker`; pieces are cut by shape and attributes alone and
 * may run in any order. Where there are several, combine (or NULL) runs once after all, e.g. to add partial
 * sums in a fixed tree.
 * Returns 0, or a data error (1 = an index out of range), after writing a defined result. */
typedef int tare_kernel(const tare_call *c, int piece, int worker);
struct tare_call {
    tare_kernel *run;
    tare_kernel *combine;
    void *const *ptr;
    const int64_t *g; /* what prepare() left */
    int32_t n_pieces;
    int16_t n_ptr, n_g; /* entries of ptr and g, for a device that queues copies */
    int32_t site;       /* operator and layer, for the message of a queued call (tare_site_error); -1: none */
};

/* What prepare() leaves: geometry, pieces, scratch. Before the call n_pieces is 1, n_g and the scratch sizes are 0,
 * and g is not set: prepare writes the words it counts. */
typedef struct {
    int32_t n_g;         /* words used */
    int32_t n_pieces;    /* >= 1; 0: no memory for what an added variant keeps */
    size_t piece_bytes;  /* scratch a piece: ptr[n] + piece * piece_bytes, 64-byte aligned */
    size_t worker_bytes; /* scratch a worker: ptr[n + 1] + worker * worker_bytes, 64-byte aligned, and apart */
    int64_t
        g[TARE_GEOMETRY]; /* M N K, strides, scalars' bits ... as the variant's kernels read them; kept: n_g words */
} tare_work;

/* Workers that a call has on so many threads: `worker` is below it. */
static inline int tare_work_workers(const tare_work *w, int threads)
{
    return w->n_pieces < threads ? w->n_pieces : threads;
}
/* Bytes of the pieces' scratch, and of the workers', which follows it. */
static inline size_t tare_work_piece_scratch(const tare_work *w)
{
    return w->piece_bytes * (size_t)w->n_pieces;
}
static inline size_t tare_work_worker_scratch(const tare_work *w, int threads)
{
    return w->worker_bytes * (size_t)tare_work_workers(w, threads);
}

/* Doubles travel in a geometry word by their bits. */
static inline int64_t tare_bits(double x)
{
    int64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline double tare_unbits(int64_t bits)
{
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- attributes --------------------------------------------------------------------------------------------
 * A struct of the operator's own; the table gives each field a name, a type, a default and bounds, from which
 * come the string form ("axis=1,keep=true"), the checks and the manual. Nets use the same table for options. */
typedef enum {
    TARE_ATTR_INT,
    TARE_ATTR_FLOAT,
    TARE_ATTR_BOOL,
    TARE_ATTR_INTS,
    TARE_ATTR_DTYPE,
    TARE_ATTR_CHOICE
} tare_attr_type;

enum { TARE_INTS = 8 };
typedef struct {
    int32_t n;
    int64_t at[TARE_INTS];
} tare_ints; /* string form 300-100 */

typedef struct {
    const char *name;
    /* int64_t, double, bool, tare_ints, tare_dtype by its name; CHOICE: int64_t, the number of a word of `normal` */
    tare_attr_type type;
    uint16_t offset;    /* in the struct */
    double low, high;   /* inclusive; for INTS of each entry; for DTYPE in the order of tare_dtype */
    const char *normal; /* default, in string form; CHOICE: all words, "step|cosine", of which the first is it */
    const char *doc;
} tare_attr;

/* ---- what functions of a record read ----------------------------------------------------------------------
 * A value begins with its desc, so an array of values serves as an array of descs. */
typedef const tare_desc *tare_desc_ref __attribute__((may_alias));
typedef tare_desc *tare_desc_out __attribute__((may_alias));

typedef struct {
    const tare_op *op;
    const void *attr;        /* NULL where the operator has none */
    const tare_desc_ref *in; /* NULL entries: absent optional inputs */
    int n_in;
    uint32_t absent;       /* bit o: output or auxiliary o is not wanted */
    const char *path;      /* layer, for messages; NULL */
    tare_runtime *runtime; /* for whose kernels it is asked; NULL: for none, only what the record itself says */
} tare_args;

/* ---- kernel variant ---------------------------------------------------------------------------------------*/
typedef enum { TARE_ISA_PORTABLE, TARE_ISA_AVX2, TARE_ISA_AVX512, TARE_ISA_COUNT } tare_isa;
/* Sets that the factor `kernels` chooses from; a variant belongs to one. WINOGRAD is there only where it is chosen.
 * ADDED: no record's own, a back end's (runtime.h). */
typedef enum { TARE_SET_NATIVE, TARE_SET_BLAS, TARE_SET_REFERENCE, TARE_SET_WINOGRAD, TARE_SET_ADDED } tare_kernel_set;
/* OUTER: rows of dimension 0 without gaps in them, at any distance that keeps them apart. FORWARD: any but negative
 * ones. */
typedef enum { TARE_STRIDES_CONTIGUOUS, TARE_STRIDES_OUTER, TARE_STRIDES_FORWARD, TARE_STRIDES_ANY } tare_strides;

#define TARE_BIT(dtype) (1u << (dtype))

/* The rectangle that a piece writes of output 0, seen as a matrix: its first dimension is the rows. */
typedef struct {
    int64_t row, rows, column, columns;
} tare_tile;

typedef struct {
    const char *name; /* unique in its operator */
    tare_isa isa;
    tare_kernel_set set;
    double tolerance; /* 0: the operator's */
    uint32_t dtypes;  /* TARE_BIT of input 0's dtypes (output 0's where there is no input) */
    /* tare_strides, the last entry for all further inputs; 0 = contiguous; a declared copy is put before others */
    uint8_t in_strides[TARE_OPERANDS];
    /* CONTIGUOUS or OUTER, by output: where it may be placed in a value that it is joined to */
    uint8_t out_strides[TARE_OPERANDS];
    /* NULL: always. Reads descs and attributes, nothing else; of ADDED ones also what their set keeps in the runtime */
    bool (*fits)(const tare_args *);
    /* Asked beside `fits` where an input is not contiguous. A variant may run on strides only if it gives the bits that
     * it gives on copies: capturing a function, or another layout, must change none. NULL: always */
    bool (*fits_strides)(const tare_args *);
    void (*prepare)(const tare_args *, const tare_desc_ref *out, tare_work *);
    /* Bit i: input i, where it has as many elements as the outputs, is read element by element, as all outputs are
     * written: on contiguous operands the kernel, called with one piece, g[0] = n and addresses moved by the same
     * number of elements, makes those n alone. What has one element, or no bit, is read whole. 0: it is no such kernel
     */
    uint32_t elementwise;
    /* Of a kernel whose pieces write, and read of output 0, rectangles of it: which; NULL: it says nothing */
    void (*tile)(const tare_call *, int piece, tare_tile *);
    /* sizes opaque auxiliaries (dtype BYTES) that infer left with dim -1; NULL: none */
    void (*opaque)(const tare_args *, const tare_desc_out *aux);
    tare_kernel *run, *combine;
} tare_variant;

/* ---- sample cases: what the derived tests and the micro-benchmarks run -------------------------------------*/
typedef enum { TARE_SAMPLE_CHECK, TARE_SAMPLE_BENCH, TARE_SAMPLE_REJECT } tare_sample_use;
typedef struct {
    tare_sample_use use;
    const char
        *shapes; /* inputs: "f32[3,5] i32[3]<0,5> f32[]" ; <low,high> the range of values, default <-1,1>; "-" absent */
    const char *attr;   /* string form, or NULL */
    const char *reject; /* REJECT: a part of the error text that must come */
} tare_sample;

/* ---- the record -------------------------------------------------------------------------------------------*/
typedef enum { TARE_EFFECT_NONE = 0, TARE_EFFECT_RANDOM = 1, TARE_EFFECT_STATE = 2 } tare_effect;

struct tare_op {
    const char *name;
    const char *doc;     /* first line of the manual: the formula, with shapes */
    int16_t n_in;        /* -1: variable, at most TARE_VARIABLE unless made at run time */
    int16_t n_out;       /* -1: as many as `outputs` says, at most TARE_VARIABLE */
    int16_t n_aux;       /* made after the outputs, only when a gradient is wanted */
    uint32_t optional;   /* bit i: input i may be NULL */
    uint32_t shape_only; /* bit i: kernels read only the desc of input i; its address is NULL */
    const tare_attr *attrs;
    uint16_t n_attrs, attr_bytes;
    int (*outputs)(const tare_args *); /* reads attributes alone: known whatever the inputs are; 0: bad attributes */
    /* Fills out[0 .. n_out + n_aux): contiguous unless a view; returns a status with the text set. */
    tare_status (*infer)(const tare_args *, const tare_desc_out *out);
    /* Emits the gradient through the builder (gradient.h). NULL needs not_differentiable: then a gradient that
     * arrives is an error, never a silent zero. */
    void (*gradient)(tare_builder *);
    bool not_differentiable;
    bool stops_gradient; /* detach: outputs never want one */
    /* Add-to: the operator of the same attributes and one input more, the last, whose only result is this one's and
     * that input's sum: computed as here, then added once, in the bits that `accumulate` of the two gives. Its variants
     * fit the shapes for which that is so. NULL: none */
    const tare_op *adds;
    bool breaks;                      /* hands its input on; a captured function is cut here */
    uint32_t needs_in, needs_out;     /* bit i: gradient reads the DATA of input i / output or auxiliary i.
                                         Shapes are always there. */
    int8_t overwrites[TARE_OPERANDS]; /* output o may take the storage of input overwrites[o] - 1; 0: none */
    int8_t ties[TARE_OPERANDS];       /* output o must take the storage of input ties[o] - 1; 0: none */
    uint32_t effects;                 /* tare_effect bits: kept in order, never merged, never dropped */
    /* Joins its inputs into output 0 by moving alone. Where input i lies in it: sets the strides that such a part of
     * `out` has (*part has the input's shape) and returns the elements from out's element 0. A plan that has every
     * input made in its part runs nothing; kernels leave a part alone where its input lies there already, and write no
     * other's, so that a plan may have some inputs made there and the others copied. NULL: no such operator. */
    int64_t (*join)(const tare_args *, const tare_desc *out, int i, tare_desc *part);
    /* A view: where output o's element 0 lies, in elements from input 0's element 0. */
    int64_t (*view)(const tare_args *, int o);
    uint32_t contiguous_only; /* bit i: input i of a view must be contiguous; a declared copy is put before it */
    /* An operator made at run time: runs it on the host over its operands' addresses, and gives its auxiliaries their
     * storage. It takes any number of inputs and is not registered; `own` is its maker's. */
    tare_status (*execute)(tare_mode *, const tare_node *);
    const void *own;
    bool wants; /* made at run time: it reaches leaves that want a gradient without being its inputs */
    double (*flops)(const tare_args *, const tare_desc_ref *out); /* 2 x multiply-adds; NULL: 0 */
    const tare_variant *variants;
    int n_variants;
    const tare_sample *samples;
    int n_samples;
    double tolerance; /* relative error against the float64 reference that check samples allow */
};

/* How many outputs an application has. */
static inline int tare_op_outputs(const tare_op *op, const void *attr)
{
    tare_args a = {op, attr, NULL, 0, 0, NULL, NULL};
    return op->n_out >= 0 ? op->n_out : op->outputs(&a);
}

/* One line: the message names the operator and, where there is one, the layer: matmul 'fc1': ... */
TARE_API tare_status tare_op_error(const tare_args *a, tare_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parses "k=v,k=v" into the struct (defaults first); "" or NULL: the defaults. `owner` names whose attributes these
 * are. */
TARE_API tare_status tare_attr_parse(const char *owner, const tare_attr *attrs, int n, const char *text, void *out);
/* Writes the string form of all attributes, at most `bytes` with the end, and returns text. */
TARE_API const char *tare_attr_print(const tare_attr *attrs, int n, const void *from, char *text, size_t bytes);
/* The values of all attributes as words, by their bits: equal words, equal attributes. Returns how many there are, at
 * most (TARE_INTS + 1) * n. */
TARE_API int tare_attr_words(const tare_attr *attrs, int n, const void *from, int64_t *words);

#ifdef __cplusplus
}
#endif
#endif
