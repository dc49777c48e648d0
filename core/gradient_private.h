/* gradient_private.h - what a walk remembers of the leaves that it reached. */
#ifndef TARE_CORE_GRADIENT_PRIVATE_H
#define TARE_CORE_GRADIENT_PRIVATE_H

#include "value.h"

typedef struct tare_reached {
    tare_value *leaf;         /* a ref of the walk's; NULL: a group */
    tare_value *before;       /* the gradient that an earlier backward had left (ref and hold), or NULL */
    tare_value *const *group; /* leaves that had none and that their captured function keeps */
    int32_t n_group;
    bool stamped; /* their `walk` is this one's */
} tare_reached;

#endif
