/* update.h - what the optimizer updates share: a step's new parameter and state, written over the old (ties).
 *
 * They are bound by memory, so each is one pass over all its arrays. What changes from step to step (learning rate,
 * step count) is a 0-d value, never an attribute. A scalar that all elements share is computed once, in float64, and
 * rounded once (adam_rate); square root and division are IEEE's. */
#ifndef TARE_OPS_UPDATE_H
#define TARE_OPS_UPDATE_H

#include <math.h>

#include "record.h"

enum { G_N, G_DTYPE, G_FIRST }; /* the first two are the pointwise ones; attributes follow as float64 bits */

static inline float attribute(const tare_call *c, int k)
{
    return (float)tare_unbits(c->g[G_FIRST + k]);
}

/* Inputs 1 .. n_like - 1 that are present look like input 0, a parameter; so do the n_out outputs that are wanted.
 * Input n_like is the rate: [rate], or 0-d where rate is 0. */
tare_status tare__infer_update(const tare_args *, const tare_desc_out *out, int n_like, int rate, int n_out,
                               const char *const *name);
/* Input 0 is a count: int64 []. */
tare_status tare__check_count(const tare_args *);

#define FIELD(op, name_, low_, high_, normal_, doc_)                                                                   \
    {                                                                                                                  \
#name_, TARE_ATTR_FLOAT, offsetof(tare_##op##_attr, name_), low_, high_, normal_, doc_                         \
    }
#define BELOW_ONE 0x1.fffffffffffffp-1

#endif
