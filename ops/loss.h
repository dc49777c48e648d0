/* loss.h - what the losses share: one number a sample, and gradients that begin with one head a sample. */
#ifndef TARE_OPS_LOSS_H
#define TARE_OPS_LOSS_H

#include "rows.h"

/* BAD_DTYPE unless d is floating, of input 0's dtype; `what` names it. */
tare_status tare__loss_floating(const tare_args *, const tare_desc *d, const char *what);
/* Input 0 holds the heads: [N], one a row of `like`. */
tare_status tare__loss_heads(const tare_args *, const tare_desc *like);
/* The first dimensions of `like`, contiguous. */
tare_desc tare__loss_packed(const tare_desc *like, int rank);

/* Rows of input 0, of the output. */
void tare__prepare_loss(const tare_args *, const tare_desc_ref *out, tare_work *);
void tare__prepare_loss_grad(const tare_args *, const tare_desc_ref *out, tare_work *);

#endif
