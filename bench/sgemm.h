/* sgemm.h - the machine's own limit: OpenBLAS's (or another CBLAS's) single-precision product 1024^3, operands
 * resident.
 */
#ifndef TARE_BENCH_SGEMM_H
#define TARE_BENCH_SGEMM_H

#define TARE__SGEMM_FLOPS (2.0 * 1024 * 1024 * 1024)

/* Three matrices of 1024 x 1024. */
typedef struct {
    float *a, *b, *c;
} tare__sgemm;

void tare__sgemm_init(tare__sgemm *);
void tare__sgemm_run(const tare__sgemm *);
void tare__sgemm_fini(tare__sgemm *);

#endif
