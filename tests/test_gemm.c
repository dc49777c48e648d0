/* test_gemm.c - the matrix product against a float64 triple loop, and what gemm.h promises about bits.
 *
 * Operands lie in blocks of exactly their size, so that a sanitizer sees any access outside them. All that is random
 * comes from a fixed seed. */
#include "../ops/gemm.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../core/runtime_private.h"

typedef void gemm_function(const tare_gemm_shape *shape, const float *a, const float *b, const float *bias, float *c,
                           int piece, int n_pieces, void *worker_scratch);

enum { CHOSEN = 4, N_FUNCTIONS = 5 };

/* By tare_isa. */
static gemm_function *const FUNCTIONS[][N_FUNCTIONS] = {
    {tare__gemm_dot_portable, tare__gemm_row_portable, tare__gemm_direct_portable, tare__gemm_packed_portable,
     tare__gemm_portable},
#if defined(__x86_64__)
    {tare__gemm_dot_avx2, tare__gemm_row_avx2, tare__gemm_direct_avx2, tare__gemm_packed_avx2, tare__gemm_avx2},
    {tare__gemm_dot_avx512, tare__gemm_row_avx512, tare__gemm_direct_avx512, tare__gemm_packed_avx512,
     tare__gemm_avx512},
#endif
};
enum { N_ISAS = sizeof FUNCTIONS / sizeof *FUNCTIONS };

static bool have_isa(int isa)
{
    return isa <= (int)tare__cpu_isa();
}

static uint64_t seed;

static uint32_t random_bits(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static int64_t random_below(int64_t n)
{
    return (int64_t)random_bits() % n;
}

static float random_value(void)
{
    return (float)random_bits() * 0x1p-30f - 1.0f;
}

static int64_t pick(const int64_t *from, size_t n)
{
    return from[random_below((int64_t)n)];
}

/* A product with its operands. The forms: bit 0 set: A is [K,M] in memory; bit 1 set: B is [N,K]; form 4: no stride
 * of either is 1. `pad` is what a leading dimension has more than it needs. */
typedef struct {
    tare_gemm_shape shape;
    float *block[4]; /* what a, b, bias, c lie in: `offset` floats further */
    float *a, *b, *bias, *c;
    size_t c_count;
} product;

enum { N_FORMS = 5 };

static size_t count_of(int64_t n_outer, int64_t outer, int64_t n_inner, int64_t inner)
{
    return n_outer && n_inner ? (size_t)((n_outer - 1) * outer + (n_inner - 1) * inner + 1) : 0;
}

static float *operand(float **block, size_t count, size_t offset)
{
    *block = malloc((count + offset) * sizeof **block + (count + offset == 0));
    ck_assert_ptr_nonnull(*block);
    for (size_t i = 0; i < count + offset; i++) {
        (*block)[i] = random_value();
    }
    return *block + offset;
}

static product product_new(int64_t m, int64_t n, int64_t k, int form, int64_t pad, size_t offset)
{
    product p = {.shape = {.m = m, .n = n, .k = k, .c_row = n + pad}};
    tare_gemm_shape *s = &p.shape;
    int64_t step = form == 4 ? 2 : 1;
    s->a_row = form & 1 ? step : (k + pad) * step;
    s->a_col = form & 1 ? (m + pad) * step : step;
    s->b_row = form & 2 ? step : (n + pad) * step;
    s->b_col = form & 2 ? (k + pad) * step : step;
    p.a = operand(&p.block[0], count_of(m, s->a_row, k, s->a_col), offset);
    p.b = operand(&p.block[1], count_of(k, s->b_row, n, s->b_col), offset);
    p.bias = operand(&p.block[2], (size_t)n, offset);
    p.c_count = count_of(m, s->c_row, n, 1);
    p.c = operand(&p.block[3], p.c_count, offset);
    return p;
}

static void product_free(product *p)
{
    for (int i = 0; i < 4; i++) {
        free(p->block[i]);
    }
}

/* Runs every piece, the last first; the scratch is as large as promised and full of NaNs. */
static void compute(gemm_function *f, const tare_gemm_shape *s, const float *a, const float *b, const float *bias,
                    float *c, int n_pieces, size_t scratch_bytes)
{
    void *scratch = scratch_bytes ? aligned_alloc(64, (scratch_bytes + 63) / 64 * 64) : NULL;
    if (scratch) {
        memset(scratch, 0xff, scratch_bytes);
    }
    for (int piece = n_pieces - 1; piece >= 0; piece--) {
        f(s, a, b, bias, c, piece, n_pieces, scratch);
    }
    free(scratch);
}

static void run(int isa, int function, const product *p, const float *bias, float *c, int n_pieces)
{
    compute(FUNCTIONS[isa][function], &p->shape, p->a, p->b, bias, c, n_pieces, tare__gemm_worker_bytes(&p->shape));
}

static void check_against_float64(const product *p, const float *bias, const float *c)
{
    const tare_gemm_shape *s = &p->shape;
    for (int64_t m = 0; m < s->m; m++) {
        for (int64_t n = 0; n < s->n; n++) {
            double sum = bias ? (double)bias[n] : 0.0, size = fabs(sum);
            for (int64_t k = 0; k < s->k; k++) {
                double term = (double)p->a[m * s->a_row + k * s->a_col] * (double)p->b[k * s->b_row + n * s->b_col];
                sum += term;
                size += fabs(term);
            }
            double bound = 4.0 * (double)(s->k + 1) * 0x1p-24 * size, error = fabs((double)c[m * s->c_row + n] - sum);
            ck_assert_msg(error <= bound, "C[%ld,%ld] of %ldx%ldx%ld is %g, not %g", (long)m, (long)n, (long)s->m,
                          (long)s->n, (long)s->k, (double)c[m * s->c_row + n], sum);
        }
    }
}

static const int64_t SIZES[] = {0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 16, 17, 23, 31, 32, 33, 47, 48, 50, 64, 97, 100};
static const int64_t LONG_SIZES[] = {1, 3, 6, 16, 45, 300, 511, 512, 513, 700, 1000, 1025};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Number `i` of the shapes tried: mostly small in all three, every eighth long in one or two. */
static product product_number(int i)
{
    int64_t size[3];
    for (int d = 0; d < 3; d++) {
        size[d] = pick(SIZES, COUNT(SIZES));
    }
    if (i % 8 == 0) {
        size[1 + i / 8 % 2] = pick(LONG_SIZES, COUNT(LONG_SIZES));
    }
    if (i % 64 == 0) {
        size[2] = pick(LONG_SIZES, COUNT(LONG_SIZES));
    }
    return product_new(size[0], size[1], size[2], i % N_FORMS, random_below(2) * random_below(9),
                       (size_t)random_below(4));
}

START_TEST(test_values)
{
    if (!have_isa(_i)) {
        return;
    }
    seed = 1;
    for (int i = 0; i < 500; i++) {
        product p = product_number(i);
        const float *bias = random_below(2) ? p.bias : NULL;
        float *before = malloc(p.c_count * sizeof *before + 1);
        memcpy(before, p.c, p.c_count * sizeof *before);
        run(_i, CHOSEN, &p, bias, p.c, 1 + (int)random_below(4));
        check_against_float64(&p, bias, p.c);
        for (size_t j = 0; j < p.c_count; j++) { /* the padding between rows of C is not C's */
            if ((int64_t)j % p.shape.c_row >= p.shape.n) {
                ck_assert_mem_eq(&p.c[j], &before[j], sizeof *before);
            }
        }
        free(before);
        product_free(&p);
    }
}
END_TEST

/* Any cutting gives the bits of one piece. */
START_TEST(test_pieces)
{
    if (!have_isa(_i)) {
        return;
    }
    seed = 2;
    for (int i = 0; i < 150; i++) {
        product p = product_number(i);
        float *other = malloc(p.c_count * sizeof *other + 1);
        run(_i, CHOSEN, &p, p.bias, p.c, 1);
        for (int n_pieces = 2; n_pieces <= 16; n_pieces += 1 + n_pieces / 4) {
            memcpy(other, p.c, p.c_count * sizeof *other);
            for (int64_t m = 0; m < p.shape.m; m++) {
                memset(other + m * p.shape.c_row, 0xff, (size_t)p.shape.n * sizeof *other);
            }
            run(_i, CHOSEN, &p, p.bias, other, n_pieces);
            ck_assert_msg(memcmp(other, p.c, p.c_count * sizeof *other) == 0, "%ldx%ldx%ld differs in %d pieces",
                          (long)p.shape.m, (long)p.shape.n, (long)p.shape.k, n_pieces);
        }
        free(other);
        product_free(&p);
    }
}
END_TEST

/* A part of C computed as a product of its own, on the path of the whole, from operands copied elsewhere with other
 * leading dimensions, has the bits of the whole. */
START_TEST(test_place)
{
    if (!have_isa(_i)) {
        return;
    }
    seed = 3;
    for (int i = 0; i < 400; i++) {
        product p = product_number(i);
        const tare_gemm_shape *s = &p.shape;
        tare_gemm_path path = tare__gemm_path(s);
        run(_i, CHOSEN, &p, p.bias, p.c, 1);
        int64_t m0 = random_below(s->m + 1), n0 = random_below(s->n + 1);
        int64_t rows = random_below(s->m - m0 + 1), columns = random_below(s->n - n0 + 1);
        int form = path == TARE_GEMM_DOT ? 2 : path == TARE_GEMM_PACKED ? i % N_FORMS : i % 2;
        product q = product_new(rows, columns, s->k, form, random_below(5), (size_t)random_below(16));
        const tare_gemm_shape *t = &q.shape;
        for (int64_t k = 0; k < s->k; k++) {
            for (int64_t m = 0; m < rows; m++) {
                q.a[m * t->a_row + k * t->a_col] = p.a[(m0 + m) * s->a_row + k * s->a_col];
            }
            for (int64_t n = 0; n < columns; n++) {
                q.b[k * t->b_row + n * t->b_col] = p.b[k * s->b_row + (n0 + n) * s->b_col];
            }
        }
        size_t bytes = path == TARE_GEMM_PACKED ? tare__gemm_worker_bytes(s) : 0;
        compute(FUNCTIONS[_i][path], t, q.a, q.b, p.bias + n0, q.c, 1, bytes);
        for (int64_t m = 0; m < rows; m++) {
            ck_assert_msg(memcmp(q.c + m * t->c_row, p.c + (m0 + m) * s->c_row + n0, (size_t)columns * sizeof *q.c) ==
                              0,
                          "row %ld + %ld of %ldx%ldx%ld, path %d, differs in a part", (long)m0, (long)m, (long)s->m,
                          (long)s->n, (long)s->k, (int)path);
        }
        product_free(&q);
        product_free(&p);
    }
}
END_TEST

/* A NaN or an infinity reaches all of its row or column of C, and nothing else. */
START_TEST(test_not_finite)
{
    if (!have_isa(_i)) {
        return;
    }
    seed = 4;
    for (int i = 0; i < 300; i++) {
        product p = product_number(i);
        const tare_gemm_shape *s = &p.shape;
        if (s->m && s->n && s->k) {
            int64_t m0 = random_below(s->m), n0 = random_below(s->n), k0 = random_below(s->k), k1 = random_below(s->k);
            p.a[m0 * s->a_row + k0 * s->a_col] = NAN;
            p.b[k1 * s->b_row + n0 * s->b_col] = INFINITY;
            run(_i, CHOSEN, &p, p.bias, p.c, 1 + (int)random_below(3));
            for (int64_t m = 0; m < s->m; m++) {
                for (int64_t n = 0; n < s->n; n++) {
                    float x = p.c[m * s->c_row + n];
                    if (m == m0) {
                        ck_assert(isnan(x));
                    } else if (n == n0) {
                        float factor = p.a[m * s->a_row + k1 * s->a_col];
                        ck_assert(factor > 0.0f ? x == INFINITY : factor < 0.0f ? x == -INFINITY : isnan(x));
                    } else {
                        ck_assert(isfinite(x));
                    }
                }
            }
        }
        product_free(&p);
    }
}
END_TEST

/* The paths are taken where gemm.h says, and whoever cuts stays within what it says. */
START_TEST(test_choice)
{
    static const struct {
        int64_t m, n, k;
        int form;
        tare_gemm_path path;
    } EXPECTED[] = {
        {1, 16, 16, 2, TARE_GEMM_DOT},         {256, 1, 100, 2, TARE_GEMM_DOT},
        {1, 16, 16, 0, TARE_GEMM_ROW},         {1, 100, 256, 1, TARE_GEMM_ROW},
        {16, 16, 1, 1, TARE_GEMM_DIRECT},      {256, 100, 1, 0, TARE_GEMM_DIRECT},
        {256, 300, 1000, 2, TARE_GEMM_PACKED}, {300, 1000, 256, 1, TARE_GEMM_PACKED},
        {9, 9, 9, 4, TARE_GEMM_PACKED},
    };
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        product p = product_new(EXPECTED[i].m, EXPECTED[i].n, EXPECTED[i].k, EXPECTED[i].form, 0, 0);
        ck_assert_int_eq(tare__gemm_path(&p.shape), EXPECTED[i].path);
        ck_assert(tare__gemm_worker_bytes(&p.shape) > 0);
        product_free(&p);
    }
    tare_gemm_shape s = {.m = 64, .n = 64, .k = 64, .a_row = 64, .a_col = 1, .b_row = 64, .b_col = 1, .c_row = 64};
    ck_assert_int_eq(tare__gemm_pieces(&s), 1);
    s.m = s.n = s.k = 256;
    ck_assert_int_eq(tare__gemm_pieces(&s), 2);
    s.m = 512;
    ck_assert_int_eq(tare__gemm_pieces(&s), 4);
    s.m = s.n = s.k = 4096;
    ck_assert_int_eq(tare__gemm_pieces(&s), 16);
    s.m = s.n = 1; /* nothing to cut */
    s.k = 1 << 24;
    ck_assert_int_eq(tare__gemm_pieces(&s), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *tests = tcase_create("gemm");
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, test_values, 0, N_ISAS);
    tcase_add_loop_test(tests, test_pieces, 0, N_ISAS);
    tcase_add_loop_test(tests, test_place, 0, N_ISAS);
    tcase_add_loop_test(tests, test_not_finite, 0, N_ISAS);
    tcase_add_test(tests, test_choice);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
