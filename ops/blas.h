/* blas.h - the one place that calls BLAS: a product as one CBLAS call on one thread. */
#ifndef TARE_OPS_BLAS_H
#define TARE_OPS_BLAS_H

#include "../core/status.h"
#include "gemm.h"

/* Sets BLAS threading to one. IMPOSSIBLE for a BLAS that is known to be wrong when several threads call it. */
tare_status tare__blas_start(void);

/* C = A B (+ bias, added once after the product), as tare_gemm_shape says; A and B each have a stride of 1. */
void tare__blas_product(const tare_gemm_shape *s, const float *a, const float *b, const float *bias, float *c);

#endif
