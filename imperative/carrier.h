/* carrier.h - the six mechanisms that lie between imperative and static, each switched alone: one body of apply,
 * compiled for all 64 combinations.
 *
 * What carries a step is always the same: the net's function calls apply, operator by operator, and a cursor goes along
 * in the program that was captured of that step. Each mechanism is then either at work for every operator or replaced
 * by what the captured program holds; a mechanism that is off is not in the machine code of that combination. So a
 * difference between two combinations is the mechanism's cost in that company, which is what a Shapley value averages.
 *
 *     bit        off                                      on
 *     NAMED      operator reached directly                found by name, attributes formatted and parsed
 *     CHOSEN     variant and geometry are the captured    chosen and prepared at each call
 *     INFERRED   shapes and dtypes are the captured       inferred at each call
 *     POOLED     results lie where the plan has them      storage taken from the pool and given back
 *     TAPED      captured gradient nodes are run          a tape is written and walked backwards
 *     QUEUED     the kernel is called                     the call is handed to the device (an engine's queue)
 *
 * All combinations compute the same bits. The captured program is run in its own order and whole: no pass but in-place
 * results. Shapes must stay as they were captured; a net that applies other operators than when it was captured gets an
 * error. */
#ifndef TARE_IMPERATIVE_CARRIER_H
#define TARE_IMPERATIVE_CARRIER_H

#include "../core/program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TARE_CARRY_NAMED = 1,
    TARE_CARRY_CHOSEN = 2,
    TARE_CARRY_INFERRED = 4,
    TARE_CARRY_POOLED = 8,
    TARE_CARRY_TAPED = 16,
    TARE_CARRY_QUEUED = 32,
    TARE_CARRY_COMBINATIONS = 64
};

/* A step that was captured and planned: whoever captures fills it in. */
typedef struct {
    const tare_program *program; /* forward and gradient nodes */
    int n_calls;
    const tare_node *const *node; /* by call, in the program's order: with variant and work */
    const tare_call *call;        /* their addresses are bound */
    tare_storage *storage;        /* that the plan lays values in */
    tare_value *const *outside;   /* by value id: what stands for a value that the program does not make; else NULL */
    const int32_t *result;        /* value ids: there to the end of the step */
    int n_results;
    tare_value *const *leaf; /* whose gradients the program makes */
    const int32_t *gradient; /* their value ids */
    int n_leaves;
} tare_carried;

typedef struct tare_carrier tare_carrier;

/* Carries an imperative mode along a captured step; all that `carried` points to is borrowed and outlives the
 * carrier, which is freed before the mode. NO_MEMORY; IMPOSSIBLE: the plan has left
 * nodes out or changed their order. */
TARE_API tare_status tare_carrier_new(tare_mode *, const tare_carried *, int combination, tare_carrier **out);
TARE_API void tare_carrier_free(tare_carrier *); /* NULL is fine */

/* Around each step, within the mode's outermost scope. `begin` puts the cursor at the program's start. `rest` runs what
 * the program has beyond the cursor, its gradient nodes, and leaves the gradients on the leaves; where a tape is
 * walked, backward does both. After `end` the mode applies as it would uncarried (an update outside the program). */
TARE_API void tare_carrier_begin(tare_carrier *);
TARE_API tare_status tare_carrier_rest(tare_carrier *);
TARE_API void tare_carrier_end(tare_carrier *);

#ifdef __cplusplus
}
#endif
#endif
