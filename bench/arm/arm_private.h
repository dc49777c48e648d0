/* arm_private.h - how an arm gets its step: by an imperative mode, or by a captured graph. */
#ifndef TARE_BENCH_ARM_PRIVATE_H
#define TARE_BENCH_ARM_PRIVATE_H

#include "../../imperative/imperative.h"
#include "arm.h"

/* The step's loss of the outputs; IMPOSSIBLE where the net's loss has no such form (arm_loss.c). */
tare_value *tare__arm_loss(const tare__arm *, tare_mode *, tare_value *y, tare_value *target);
tare_status tare__arm_loss_check(const tare__arm *);

/* Each gives the arm its modes, plans and step function. */
tare_status tare__arm_imperative(tare__arm *);
tare_status tare__arm_capture(tare__arm *);
/* arm_graph.c: the registered packer that the factor plan says. */
const char *tare__arm_packer(const tare__setting *);
tare_status tare__arm_carry(tare__arm *);
void tare__arm_uncarry(tare__arm *); /* of an arm that is not carried: nothing */

/* arm_graph.c: captures the whole step, plans it with the passes that the setting switches, binds the batch. */
tare_status tare__arm_bind(tare__arm *);
/* The placeholders' values in order: x, target, head; those that there are. */
void tare__arm_bound(const tare__arm *, tare_value *value[3], int *n);
/* arm_imperative.c: a mode that records as the work asks for. */
tare_status tare__arm_mode(tare__arm *);

#endif
