/* gradient_private.h - what a walk remembers of each leaf that it reached. */
#ifndef TARE_CORE_GRADIENT_PRIVATE_H
#define TARE_CORE_GRADIENT_PRIVATE_H

#include "value.h"

typedef struct tare_reached {
    tare_value *leaf;
    tare_value *before; /* the gradient that an earlier backward had left (ref and hold), or NULL */
} tare_reached;

#endif
