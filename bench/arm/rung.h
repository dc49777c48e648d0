/* rung.h - the ladder: one table, rung x factor -> level. `tare modes`, `tare factors`, docs/MODES.md, the refusals and
 * every arm are read from it.
 *
 * A factor is a mechanism that can be switched alone; a rung is a named setting of all factors. A cell says the level,
 * the levels to which it can be flipped there, and why the others mean nothing there. Only levels that have a
 * mechanism are listed. A new rung or level is one line here and its mechanism in arm.c. */
#ifndef TARE_BENCH_RUNG_H
#define TARE_BENCH_RUNG_H

#include "../base/record.h"
#include "offsets.h"

/* X(NAME, text, exact, levels, doc): the levels, parted by blanks, in the order of the enumerations below; or M..N, all
 * whole numbers from M (0 or 1) to N; FILE.csv, any name that ends so; or off bytes, where off is 0 and a number with
 * B, KiB, MiB or GiB is so many whole KiB. */
#define TARE__FACTORS(X)                                                                                               \
    X(API, "api", true, "functional kernels block hybridblock invoke",                                                 \
      "how an operator is reached: layer functions, the bare call, layer objects, hybrid objects, by name")            \
    X(CAPTURE, "capture", true, "none child net step broken",                                                          \
      "what is captured: nothing, each layer as an operator, the net as an operator, the whole step, the net cut "     \
      "between layers")                                                                                                \
    X(SOURCE, "source", true, "traced file", "where a captured net comes from: its function, or a graph file")         \
    X(DISPATCH, "dispatch", true, "call bound", "a captured node is dispatched at each call, or its call is bound")    \
    X(SHAPE, "shape", true, "inferred guarded frozen",                                                                 \
      "shapes and dtypes inferred at each call, compared with the captured ones, or taken as they were captured")      \
    X(KEEP, "keep", true, "retaken kept", "an arena taken at each call, or kept")                                      \
    X(EXECUTION, "execution", true, "imperative replay carried",                                                       \
      "each operator run as it is met, a captured graph replayed, or the net called along its captured graph")         \
    X(STORAGE, "storage", true, "pool malloc planned", "where results live: pool, the system's heap, a plan's arena")  \
    X(PLAN, "plan", true, "arena none shared-object pool greedy local-search exact FILE.csv",                          \
      "how blocks are packed: the default search; nothing twice; MXNet's growing objects; size classes as in the "     \
      "imperative pool; other packers; or the offsets of a plan made elsewhere, verified")                             \
    X(JOINT, "joint", true, "none joint step split",                                                                   \
      "what is planned together: nothing, forward and backward, these and the update; split: each apart")              \
    X(AUTOGRAD, "autograd", true, "off tape graph",                                                                    \
      "no gradient, a tape walked backwards, gradient nodes in the graph")                                             \
    X(KERNELS, "kernels", false, "native reference openblas null winograd im2col onednn",                              \
      "variants to choose from: best per shape, float64 reference, BLAS first, none run at all, minimal filtering of " \
      "3x3 kernels first, convolution by explicit columns first, or oneDNN's first (a plug-in, where it was built)")   \
    X(LAYOUT, "layout", false, "plain blocked",                                                                        \
      "what oneDNN's convolutions and inner products work on: operands as they lie, or its own choice, reordered "     \
      "into it and back within each call")                                                                             \
    X(THREADS, "threads", true, "1..64", "who takes the pieces of a kernel call, the caller included")                 \
    X(DEVICE, "device", false, "cpu", "where kernels run")                                                             \
    X(ENGINE, "engine", true, "direct queue",                                                                          \
      "calls run when they are met, or are queued for a thread of the runtime, in order")                              \
    X(BULK, "bulk", true, "1..64", "calls that the queue collects before it hands them over together")                 \
    X(DCE, "dce", true, "on off", "pass: nodes that nothing reads are dropped")                                        \
    X(CSE, "cse", true, "on off", "pass: what an earlier node has made is not made again")                             \
    X(FOLDING, "folding", true, "on off", "pass: what is the same at every run is computed once, with the plan")       \
    X(ADD_TO, "add-to", true, "on off",                                                                                \
      "pass: what is only added to a sum is added as it is made, where that gives the same bits")                      \
    X(IN_PLACE, "in-place", true, "on off", "pass: a result takes over the storage of an input")                       \
    X(PLACEMENT, "placement", true, "on off", "pass: what is joined is made in its place, nothing is copied")          \
    X(ORDER, "order", true, "program eager-update least-peak best",                                                    \
      "of a plan's calls: the program's, updates as soon as they can, what grows least first, what needs least")       \
    X(GUARDS, "guards", true, "off on",                                                                                \
      "each call run twice over poisoned dead bytes, a guard behind each block: finds writes outside, reads of the "   \
      "dead")                                                                                                          \
    X(FUSION, "fusion", true, "off on",                                                                                \
      "pass: nodes that hand one value on run as one call: a product and what follows it, elementwise operators")      \
    X(RECOMPUTE, "recompute", true, "off bytes",                                                                       \
      "values made again for the backward part where the arena would be larger: off, or a budget as 220MiB")           \
    X(UPDATE, "update", true, "parameter plan multi",                                                                  \
      "the optimizer: run parameter by parameter, part of the plan, or all parameters in one operator call")

/* What a step is fed with, and what is read of it: factors like those above, but mechanisms around the step, so every
 * rung has all levels. X as above. */
#define TARE__AROUND(X)                                                                                                \
    X(INPUT, "input", true, "resident slices loader",                                                                  \
      "where a step's batch comes from: the same bytes stay, a view of a resident set, samples fetched one by one; "   \
      "the set is the batch several times over")                                                                       \
    X(WORKERS, "workers", true, "0..16", "threads that make the loader's batches; 0: the step makes its own")          \
    X(PREFETCH, "prefetch", true, "1..16", "batches that each worker makes ahead")                                     \
    X(READBACK, "readback", true, "end step epoch",                                                                    \
      "the loss is read at the end alone, after every step, or after an epoch's last step; training reads every step")

/* Switches that change the work: what differs in one of them is another benchmark, and every output says so. X as
 * above; none is exact. */
#define TARE__SWITCHES(X)                                                                                              \
    X(FEED, "feed", false, "bound copied", "a step's batch is bound already, or copied into its place first")          \
    X(INPUT_GRADIENT, "input-gradient", false, "off on", "the gradient of the input is made too")                      \
    X(WARM_UP, "warm-up", false, "on off", "what is timed begins when all is steady, or with the very first step")     \
    X(SEQUENCE, "sequence", false, "usual fixed shuffled",                                                             \
      "of the samples: fixed where steps are timed and shuffled in training; or one of these")                         \
    X(SYNC, "sync", false, "end step none",                                                                            \
      "when what is queued is waited for: at a block's end, after each step, or not within the time")                  \
    X(CLOCK, "clock", false, "wall cpu", "time that passes, or processor time of all threads together")                \
    X(INIT, "init", false, "net ones xavier_uniform xavier_normal he_uniform he_normal normal uniform",                \
      "how weights begin: as the net's option says, or one of these")                                                  \
    X(LOOP, "loop", false, "bare metric fit",                                                                          \
      "around a step: nothing, a metric of its outputs, or what fit does (a shuffled gather, metric, callbacks)")      \
    X(RESCALE, "rescale", false, "mean sum", "the loss whose gradient is taken: the batch's mean, or its sum")         \
    X(VALIDATION, "validation", false, "outside inside", "whether an epoch's time has its evaluation in it")           \
    X(ITERATOR, "iterator", false, "fresh shared", "arms have an order of samples each, or go on in one")              \
    X(LOSS, "loss", false, "net mse mae composed",                                                                     \
      "the net's own; squares not halved; absolute errors; softmax and cross entropy of single operators")             \
    X(EPSILON, "epsilon", false, "usual 1e-8 1e-7 1e-5 1e-3", "the optimizer's, as it is asked for, or one of these")

typedef enum {
#define TARE__FACTOR_ENUM(NAME, text, exact, levels, doc) TARE__##NAME,
    TARE__FACTORS(TARE__FACTOR_ENUM) TARE__LADDER_COUNT, /* how many have a cell for each rung */
    TARE__BEFORE_AROUND = TARE__LADDER_COUNT - 1,
    TARE__AROUND(TARE__FACTOR_ENUM) TARE__FIRST_SWITCH,
    TARE__BEFORE_SWITCHES = TARE__FIRST_SWITCH - 1,
    TARE__SWITCHES(TARE__FACTOR_ENUM)
#undef TARE__FACTOR_ENUM
        TARE__FACTOR_COUNT
} tare__factor_index;

enum { TARE__API_FUNCTIONAL, TARE__API_KERNELS, TARE__API_BLOCK, TARE__API_HYBRIDBLOCK, TARE__API_INVOKE };
enum { TARE__CAPTURE_NONE, TARE__CAPTURE_CHILD, TARE__CAPTURE_NET, TARE__CAPTURE_STEP, TARE__CAPTURE_BROKEN };
enum { TARE__SOURCE_TRACED, TARE__SOURCE_FILE };
enum { TARE__DISPATCH_CALL, TARE__DISPATCH_BOUND };
enum { TARE__SHAPE_INFERRED, TARE__SHAPE_GUARDED, TARE__SHAPE_FROZEN };
enum { TARE__KEEP_RETAKEN, TARE__KEEP_KEPT };
enum { TARE__EXECUTION_IMPERATIVE, TARE__EXECUTION_REPLAY, TARE__EXECUTION_CARRIED };
enum { TARE__STORAGE_POOL, TARE__STORAGE_MALLOC, TARE__STORAGE_PLANNED };
enum {
    TARE__PLAN_ARENA,
    TARE__PLAN_NONE,
    TARE__PLAN_SHARED_OBJECT,
    TARE__PLAN_POOL,
    TARE__PLAN_GREEDY,
    TARE__PLAN_LOCAL_SEARCH,
    TARE__PLAN_EXACT,
    TARE__PLAN_FILE
};
enum { TARE__JOINT_NONE, TARE__JOINT_JOINT, TARE__JOINT_STEP, TARE__JOINT_SPLIT };
enum { TARE__AUTOGRAD_OFF, TARE__AUTOGRAD_TAPE, TARE__AUTOGRAD_GRAPH };
enum { TARE__LAYOUT_PLAIN, TARE__LAYOUT_BLOCKED };
enum { TARE__ENGINE_DIRECT, TARE__ENGINE_QUEUE };
enum { TARE__ON, TARE__OFF };
enum { TARE__INPUT_RESIDENT, TARE__INPUT_SLICES, TARE__INPUT_LOADER };
enum { TARE__READBACK_END, TARE__READBACK_STEP, TARE__READBACK_EPOCH };
enum { TARE__SYNC_END, TARE__SYNC_STEP, TARE__SYNC_NONE };
enum { TARE__FEED_BOUND, TARE__FEED_COPIED };
enum { TARE__SEQUENCE_USUAL, TARE__SEQUENCE_FIXED, TARE__SEQUENCE_SHUFFLED };
enum { TARE__CLOCK_WALL, TARE__CLOCK_CPU };
enum { TARE__INIT_NET, TARE__INIT_ONES };
enum { TARE__LOOP_BARE, TARE__LOOP_METRIC, TARE__LOOP_FIT };
enum { TARE__RESCALE_MEAN, TARE__RESCALE_SUM };
enum { TARE__VALIDATION_OUTSIDE, TARE__VALIDATION_INSIDE };
enum { TARE__ITERATOR_FRESH, TARE__ITERATOR_SHARED };
enum { TARE__LOSS_NET, TARE__LOSS_MSE, TARE__LOSS_MAE, TARE__LOSS_COMPOSED };
enum { TARE__GUARDS_OFF, TARE__GUARDS_ON };
enum { TARE__FUSION_OFF, TARE__FUSION_ON };
enum { TARE__UPDATE_PARAMETER, TARE__UPDATE_PLAN, TARE__UPDATE_MULTI };
enum { TARE__ORDER_PROGRAM, TARE__ORDER_EAGER_UPDATE, TARE__ORDER_LEAST_PEAK, TARE__ORDER_BEST };

typedef struct {
    const char *name, *levels;
    bool exact; /* bitwise the same results at all its levels */
    const char *doc;
    bool work; /* a switch: its levels are different work */
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
    tare__cell cell[TARE__LADDER_COUNT];
} tare__rung;
extern const tare__rung tare__rungs[]; /* ended by a NULL name */

/* NULL where there is none of that name. */
const tare__rung *tare__rung_find(const char *name);

/* An arm's setting: a rung, flips applied. */
typedef struct {
    const tare__rung *rung;
    const tare__rung *updated;     /* whose joint and update it takes: `rung`, or that rung's with_update */
    int level[TARE__FACTOR_COUNT]; /* index into the factor's levels; the level itself where it is a number */
    const tare__offsets *given;    /* where the level of plan is FILE.csv: its offsets, the line's */
} tare__setting;

/* The level's name, into text (32 bytes), returned. */
const char *tare__level_name(int factor, int level, char *text);
/* Index of a level, or the number that it is; -1: none of that name. */
int tare__level_find(int factor, const char *level, size_t length);
/* Whether a list of levels, as a factor or a cell has it, holds a level. */
bool tare__level_in(const char *levels, const char *level);

/* The cell of factor f on a rung: its own, or one that is the same everywhere. */
const tare__cell *tare__rung_cell(const tare__rung *, int f);
/* The setting of a rung. with_update: an optimizer is asked for. */
tare__setting tare__setting_of(const tare__rung *, bool with_update);
/* The cell of the table that says to what factor f can be flipped here. */
const tare__cell *tare__setting_cell(const tare__setting *, int f);
/* Applies "factor=level"; an exit code, the refusal printed. */
int tare__setting_flip(tare__setting *, const tare__line *, const char *flip);
/* The same, but a flip that means nothing on the rung is left out. */
int tare__setting_flip_if(tare__setting *, const tare__line *, const char *flip);
/* The first factor whose level needs another, or means nothing in a command or for the work, and why; why NULL: none.
 * Arguments as below. */
typedef struct {
    int factor;
    bool of_command;
    const char *why;
} tare__unfit;
tare__unfit tare__setting_unfit(const tare__setting *, const char *command, bool update, bool gradient);
/* Whether levels go together and mean something in this command and for this work; an exit code, the refusal printed.
 * After all flips. update: an optimizer is asked for; gradient: gradients are made. */
int tare__setting_check(const tare__setting *, const tare__line *, bool update, bool gradient);
/* What a flip of factor f may need, or why it means nothing in some command: sentence i; NULL: there are no more. */
const char *tare__condition(int f, int i);
/* Whether two settings of the same work must give the same bits: the same levels of the inexact factors, and of
 * oneDNN's kernels, which cut their sums by threads, as many threads. */
bool tare__setting_same_bits(const tare__setting *a, const tare__setting *b);
/* In which switches two settings are different work, "feed=copied, init=ones" of a, into text; "" where in none. */
enum { TARE__WORK_TEXT = 160 };
const char *tare__setting_work(const tare__setting *a, const tare__setting *b, char text[TARE__WORK_TEXT]);
/* Sets a factor to a level by its name, FILE.csv read, whatever the rung; an exit code: the level unknown, the file
 * wrong. */
int tare__setting_put(tare__setting *, const tare__line *, int factor, const char *level);
/* {factor: level} of all, a new object. */
json_t *tare__setting_json(const tare__setting *);

/* Prints that the rung or factor is unknown, with the nearest; the exit code. */
int tare__rung_unknown(const tare__line *, const char *name);
int tare__factor_unknown(const tare__line *, const char *name);

int tare__modes_run(const tare__line *);
int tare__factors_run(const tare__line *);

#endif
