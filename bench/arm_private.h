/* arm_private.h - how an arm gets its step: by an imperative mode, or by a captured graph. */
#ifndef TARE_BENCH_ARM_PRIVATE_H
#define TARE_BENCH_ARM_PRIVATE_H

#include "../imperative/imperative.h"
#include "arm.h"

/* The step's loss of the outputs; IMPOSSIBLE where the net's loss has no such form (arm_loss.c). */
tare_value *tare__arm_loss(const tare__arm *, tare_mode *, tare_value *y, tare_value *target);
tare_status tare__arm_loss_check(const tare__arm *);

/* Each gives the arm its modes, plans and step function. */
tare_status tare__arm_imperative(tare__arm *);
tare_status tare__arm_capture(tare__arm *);

#endif
