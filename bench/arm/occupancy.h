/* occupancy.h - who occupies memory during a step, from which kernel call to which, at which address, and what for: in
 * a plan, and in the imperative mode.
 *
 * Activations, workspaces and gradients alone, in 64-byte units. Times are numbers of kernel calls: what lives in
 * [lower, upper) is there while the calls lower to upper - 1 run. */
#ifndef TARE_BENCH_OCCUPANCY_H
#define TARE_BENCH_OCCUPANCY_H

#include "arm.h"

/* X(NAME, text, doc): what bytes are held for. */
#define TARE__USES(X)                                                                                                  \
    X(ACTIVATION, "activation", "made by the forward part, read by the forward part alone")                            \
    X(SAVED, "saved for backward", "made by the forward part, read by the backward part too")                          \
    X(GRADIENT, "gradient of an activation", "made by the backward part on its way")                                   \
    X(PARAMETER, "gradient of a parameter", "what the backward part is for")                                           \
    X(UPDATE, "update", "made by the optimizer for the time of the update")                                            \
    X(WORKSPACE, "workspace", "scratch of a kernel, for the time of its call")                                         \
    X(REPEATED, "made again", "made by a repetition of the forward part, to have been let go in between")

typedef enum {
#define TARE__USE_ENUM(NAME, text, doc) TARE__USE_##NAME,
    TARE__USES(TARE__USE_ENUM)
#undef TARE__USE_ENUM
        TARE__USE_COUNT
} tare__use;

extern const char *const tare__use_names[TARE__USE_COUNT];
extern const char *const tare__use_docs[TARE__USE_COUNT];

typedef struct {
    int64_t lower, upper, bytes, offset;
    tare__use use;
    int block;         /* of a plan: the block that it stays in; else its own number */
    char *what, *path; /* operator that made it, its layer (""): owned */
} tare__stay;

typedef struct {
    tare__stay *stay;
    int n, capacity;
    int64_t calls;                       /* of the step */
    int64_t forward_calls, derive_calls; /* when the last of the forward part has run; when all but the update has */
    int64_t height;                      /* the arena; what the pool has taken from the system */
    int64_t peak, peak_at;               /* most bytes live at once, and at which call first */
} tare__occupancy;

/* Of a prepared arm that has a plan. */
tare_status tare__occupancy_plan(const tare__arm *, tare__occupancy *);
/* The imperative mode on the same task: one step of the rung functional, its takes and releases of storage recorded as
 * they happen, with kernels that return at once (lifetimes do not depend on what is computed). The addresses are those
 * that the pool gives when it is asked for the same, step after step, in the order in which it took its blocks. `like`:
 * a prepared arm whose graph is the whole step, which says what each value is for. */
tare_status tare__occupancy_imperative(const tare__arm *like, tare__occupancy *);
void tare__occupancy_free(tare__occupancy *);

/* Appends; the texts are copied. Sets peak and peak_at of all stays. */
void tare__occupancy_add(tare__occupancy *, tare__stay);
void tare__occupancy_sum(tare__occupancy *);
/* Live bytes by call: an array of calls + 1, the caller's. */
int64_t *tare__occupancy_live(const tare__occupancy *);

/* What each value of a program is for: by id, an array that the caller frees. The program is the graph's of the arm, or
 * one of its plans' own. */
tare__use *tare__uses(const tare__arm *, const tare_program *);

#endif
