/* derived_private.h - the derived tests one by one; derived.c says in which order. */
#ifndef TARE_BENCH_DERIVED_PRIVATE_H
#define TARE_BENCH_DERIVED_PRIVATE_H

#include "derived.h"
#include "outcome.h"

/* All variants of the record that the runtime's processor has, of whatever set of kernels, and those that a back end
 * adds in this runtime, on one case; wide: the same case in float64. */
void tare__check_kernels(tare__findings *, tare_runtime *, const tare__case *, const tare__case *wide);

/* Operands of the node, of which bit k is set where the gradient reads the data. */
uint64_t tare__needed(const tare__case *, int n_out, int *total);
/* Garbage in what is not needed changes nothing; *used gets the needed operands whose garbage changed something. */
void tare__check_needs(tare__findings *, tare_runtime *, const tare__case *, const tare__outcome *clean,
                       uint64_t *used);
/* Every other way of running it gives the bits of run now; threaded: a runtime of several threads, or NULL. */
void tare__check_modes(tare__findings *, tare_runtime *, tare_runtime *threaded, const tare__case *,
                       const tare__outcome *now);
/* Central differences in float64; briefly: along one direction an input. */
void tare__check_gradient(tare__findings *, tare_runtime *, tare__case *wide, bool briefly);
/* Both modes answer a reject with one status and the promised text, which names operator and layer. */
void tare__check_reject(tare__findings *, tare_runtime *, const tare__case *);
/* Every allocation fails in turn: a status, nothing lost, and a second try gives the bits of the first. */
void tare__check_no_memory(tare__findings *, const tare__maker *, const tare__case *, bool graph);

#endif
