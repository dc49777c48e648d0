/* bundle.h - many applications of one operator as a single operator call: what a multi-tensor update is.
 *
 * A bundle is an operator made at run time. Its inputs are those of its base operator for each of n groups, one group
 * after the other; its call's pieces are the pieces of all groups, each run by the kernel that the group alone would
 * have, with the same geometry. So it gives, bit for bit, what n calls give, and needs no kernel of its own: one
 * dispatch, one kernel call, and pieces of several groups can run side by side.
 *
 * Inference, variant and geometry are each group's own, at every call, as for any operator. It takes operators that
 * write all their outputs in place (ties) and whose kernels need neither scratch nor a further sweep (`combine`):
 * updates. Where a graph is captured, the groups are applied one by one. Threads: the runtime's. */
#ifndef TARE_CORE_BUNDLE_H
#define TARE_CORE_BUNDLE_H

#include "mode.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tare_bundle tare_bundle;

/* `name` is copied. IMPOSSIBLE: the operator has an output that is not tied, auxiliaries, or variable arity. */
TARE_API tare_status tare_bundle_new(tare_runtime *, const tare_op *, const char *name, tare_bundle **out);
/* NULL is fine. */
TARE_API void tare_bundle_free(tare_bundle *);
/* Applies the operator to n >= 1 groups with the same attributes: in[n][op->n_in]. No value may be written by two
 * groups, or be written by one and read by another. On failure the mode's error is set, and nothing was written. */
TARE_API tare_status tare_bundle_apply(tare_bundle *, tare_mode *, const void *attr, tare_value *const *in, int n,
                                       uint32_t absent);

#ifdef __cplusplus
}
#endif
#endif
