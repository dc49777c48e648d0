/* blas.c - a product as one CBLAS call, and the setting of OpenBLAS to one thread. */
#include "blas.h"

#include "simd.h"

#ifdef TARE_PASS_RECORDS
#include <cblas.h>
#include <stdbool.h>

/* OpenBLAS's own; weak, so that any other CBLAS will do. */
extern void openblas_set_num_threads(int) __attribute__((weak));
extern int openblas_get_parallel(void) __attribute__((weak));

tare_status tare__blas_start(void)
{
    /* The serial build of OpenBLAS gives wrong results when several threads call it at once. */
    if (openblas_get_parallel && openblas_get_parallel() == 0)
        return tare_error(TARE_IMPOSSIBLE, "this OpenBLAS is the serial build (need the pthread one)");
    if (openblas_set_num_threads)
        openblas_set_num_threads(1);
    return TARE_OK;
}

static int leading(int64_t across, int64_t least)
{
    return (int)(across > least ? across : least > 1 ? least : 1);
}

void tare__blas_product(const tare_gemm_shape *s, const float *a, const float *b, const float *bias, float *c)
{
    bool a_plain = s->a_col == 1, b_plain = s->b_col == 1;
    if (s->m > 0 && s->n > 0 && s->k > 0) {
        int lda = leading(a_plain ? s->a_row : s->a_col, a_plain ? s->k : s->m);
        int ldb = leading(b_plain ? s->b_row : s->b_col, b_plain ? s->n : s->k);
        cblas_sgemm(CblasRowMajor, a_plain ? CblasNoTrans : CblasTrans, b_plain ? CblasNoTrans : CblasTrans, (int)s->m,
                    (int)s->n, (int)s->k, 1, a, lda, b, ldb, 0, c, leading(s->c_row, s->n));
    }
    for (int64_t i = 0; i < s->m && (bias || s->k == 0); ++i)
        for (int64_t j = 0; j < s->n; ++j)
            c[i * s->c_row + j] = (s->k ? c[i * s->c_row + j] : 0) + (bias ? bias[j] : 0);
}
#endif
