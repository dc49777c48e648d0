/* arm_private.h - how an arm gets its step: by an imperative mode, or by a captured graph. */
#ifndef TARE_BENCH_ARM_PRIVATE_H
#define TARE_BENCH_ARM_PRIVATE_H

#include "../imperative/imperative.h"
#include "arm.h"

/* Each gives the arm its modes, plans and step function. */
tare_status tare__arm_imperative(tare__arm *);
tare_status tare__arm_capture(tare__arm *);
/* arm_graph.c: the registered packer that the factor plan says. */
const char *tare__arm_packer(const tare__setting *);

#endif
