/* rung.h - the ladder: one table, rung x factor -> level. `tare modes`, `tare factors`, docs/MODES.md, the refusals and
 * every arm are read from it.
 *
 * A factor is a mechanism that can be switched alone; a rung is a named setting of all factors. A cell says the level,
 * the levels to which it can be flipped there, and why the others mean nothing there. Only levels that have a
 * mechanism are listed. A new rung or level is one line here and its mechanism in arm.c. */
#ifndef TARE_BENCH_RUNG_H
#define TARE_BENCH_RUNG_H

#include "record.h"

/* X(NAME, text, exact, levels, doc): the levels, parted by blanks, in the order of the enumerations below; or 1..N, all
 * whole numbers up to N; or off bytes, where off is 0 and a number with B, KiB, MiB or GiB is so many whole KiB. */
#define TARE__FACTORS(X)                                                                                               \
    X(API, "api", true, "functional kernels block hybridblock invoke",                                                 \
      "how an operator is reached: layer functions, the bare call, layer objects, hybrid objects, by name")            \
    X(CAPTURE, "capture", true, "none child net step broken",                                                          \
      "what is captured: nothing, each layer as an operator, the net as an operator, the whole step, the net cut "     \
      "between layers")                                                                                                \
    X(SOURCE, "source", true, "traced file", "where a captured net comes from: its function, or a graph file")         \
    X(DISPATCH, "dispatch", true, "call bound", "a captured node is dispatched at each call, or its call is bound")    \
    X(KEEP, "keep", true, "retaken kept", "an arena taken at each call, or kept")                                      \
    X(EXECUTION, "execution", true, "imperative replay",                                                               \
      "each operator run as it is met, or a captured graph replayed")                                                  \
    X(STORAGE, "storage", true, "pool malloc planned", "where results live: pool, the system's heap, a plan's arena")  \
    X(JOINT, "joint", true, "none joint step split",                                                                   \
      "what is planned together: nothing, forward and backward, these and the update; split: each apart")              \
    X(AUTOGRAD, "autograd", true, "off tape graph",                                                                    \
      "no gradient, a tape walked backwards, gradient nodes in the graph")                                             \
    X(KERNELS, "kernels", false, "native reference openblas null",                                                     \
      "variants to choose from: best per shape, float64 reference, BLAS first, or none run at all")                    \
    X(THREADS, "threads", true, "1..64", "who takes the pieces of a kernel call, the caller included")                 \
    X(DEVICE, "device", false, "cpu", "where kernels run")                                                             \
    X(ENGINE, "engine", true, "direct queue",                                                                          \
      "calls run when they are met, or are queued for a thread of the runtime, in order")                              \
    X(BULK, "bulk", true, "1..64", "calls that the queue collects before it hands them over together")                 \
    X(DCE, "dce", true, "on off", "pass: nodes that nothing reads are dropped")                                        \
    X(IN_PLACE, "in-place", true, "on off", "pass: a result takes over the storage of an input")                       \
    X(PLACEMENT, "placement", true, "on off", "pass: what is joined is made in its place, nothing is copied")          \
    X(ORDER, "order", true, "program eager-update least-peak best",                                                    \
      "of a plan's calls: the program's, updates as soon as they can, what grows least first, what needs least")       \
    X(RECOMPUTE, "recompute", true, "off bytes",                                                                       \
      "values made again for the backward part where the arena would be larger: off, or a budget as 220MiB")           \
    X(UPDATE, "update", true, "parameter plan multi",                                                                  \
      "the optimizer: run parameter by parameter, part of the plan, or all parameters in one operator call")

typedef enum {
#define TARE__FACTOR_ENUM(NAME, text, exact, levels, doc) TARE__##NAME,
    TARE__FACTORS(TARE__FACTOR_ENUM)
#undef TARE__FACTOR_ENUM
        TARE__FACTOR_COUNT
} tare__factor_index;

enum { TARE__API_FUNCTIONAL, TARE__API_KERNELS, TARE__API_BLOCK, TARE__API_HYBRIDBLOCK, TARE__API_INVOKE };
enum { TARE__CAPTURE_NONE, TARE__CAPTURE_CHILD, TARE__CAPTURE_NET, TARE__CAPTURE_STEP, TARE__CAPTURE_BROKEN };
enum { TARE__SOURCE_TRACED, TARE__SOURCE_FILE };
enum { TARE__DISPATCH_CALL, TARE__DISPATCH_BOUND };
enum { TARE__KEEP_RETAKEN, TARE__KEEP_KEPT };
enum { TARE__EXECUTION_IMPERATIVE, TARE__EXECUTION_REPLAY };
enum { TARE__STORAGE_POOL, TARE__STORAGE_MALLOC, TARE__STORAGE_PLANNED };
enum { TARE__JOINT_NONE, TARE__JOINT_JOINT, TARE__JOINT_STEP, TARE__JOINT_SPLIT };
enum { TARE__AUTOGRAD_OFF, TARE__AUTOGRAD_TAPE, TARE__AUTOGRAD_GRAPH };
enum { TARE__ENGINE_DIRECT, TARE__ENGINE_QUEUE };
enum { TARE__ON, TARE__OFF };
enum { TARE__UPDATE_PARAMETER, TARE__UPDATE_PLAN, TARE__UPDATE_MULTI };
enum { TARE__ORDER_PROGRAM, TARE__ORDER_EAGER_UPDATE, TARE__ORDER_LEAST_PEAK, TARE__ORDER_BEST };

typedef struct {
    const char *name, *levels;
    bool exact; /* bitwise the same results at all its levels */
    const char *doc;
} tare__factor;
extern const tare__factor tare__factors[TARE__FACTOR_COUNT];

typedef struct {
    const char *level;
    const char *flips; /* levels to which it can be flipped here, parted by blanks */
    const char *why;   /* why no other: the end of the sentence "storage=malloc means nothing on symbol: ..." */
} tare__cell;

enum { TARE__PEERS = 4 };
extern const char *const tare__peers[TARE__PEERS]; /* MXNet, PyTorch, JAX, TensorFlow */

typedef struct {
    const char *name, *alias; /* alias NULL: none */
    const char *mirrors[TARE__PEERS];
    const char *pays;           /* what a step pays */
    const char *with_update;    /* the rung whose levels it takes when an optimizer is asked for; NULL: its own */
    const char *without_update; /* the rung that it equals when no optimizer is asked for; NULL: none */
    tare__cell cell[TARE__FACTOR_COUNT];
} tare__rung;
extern const tare__rung tare__rungs[]; /* ended by a NULL name */

/* NULL where there is none of that name. */
const tare__rung *tare__rung_find(const char *name);

/* An arm's setting: a rung, flips applied. */
typedef struct {
    const tare__rung *rung;
    const tare__rung *updated;     /* whose joint and update it takes: `rung`, or that rung's with_update */
    int level[TARE__FACTOR_COUNT]; /* index into the factor's levels; the level itself where it is a number */
} tare__setting;

/* The level's name, into text (32 bytes), returned. */
const char *tare__level_name(int factor, int level, char *text);
/* Index of a level, or the number that it is; -1: none of that name. */
int tare__level_find(int factor, const char *level, size_t length);

/* The setting of a rung. with_update: an optimizer is asked for. */
tare__setting tare__setting_of(const tare__rung *, bool with_update);
/* The cell of the table that says to what factor f can be flipped here. */
const tare__cell *tare__setting_cell(const tare__setting *, int f);
/* Applies "factor=level"; an exit code, the refusal printed. */
int tare__setting_flip(tare__setting *, const tare__line *, const char *flip);
/* The same, but a flip that means nothing on the rung is left out. */
int tare__setting_flip_if(tare__setting *, const tare__line *, const char *flip);
/* {factor: level} of all, a new object. */
json_t *tare__setting_json(const tare__setting *);

/* Prints that the rung is unknown, with the nearest; the exit code. */
int tare__rung_unknown(const tare__line *, const char *name);

int tare__modes_run(const tare__line *);
int tare__factors_run(const tare__line *);

#endif
