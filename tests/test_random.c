/* test_random.c - Philox against its published vectors; what is made of it against what it promises. */
#include <math.h>

#include "../core/random.h"
#include "scratch.h"

/* The known-answer vectors of the authors' Random123 distribution (kat_vectors, philox4x32 10). */
START_TEST(philox_gives_the_published_words)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const uint32_t *c = cases[i].counter, *k = cases[i].key;
        uint32_t out[4];
        tare_philox((uint64_t)k[1] << 32 | k[0], (uint64_t)c[3] << 32 | c[2], (uint64_t)c[1] << 32 | c[0], out);
        for (int j = 0; j < 4; ++j)
            ck_assert_uint_eq(out[j], cases[i].out[j]);
    }
}
END_TEST

START_TEST(an_element_depends_on_its_index_alone)
{
    static float all[1001], some[1001];
    for (int64_t n = 1; n < 1001; n += 37) {
        tare_random_normal(all, 1001, 5, 6, 0, 1);
        tare_random_normal(some, n, 5, 6, 0, 1);
        ck_assert_mem_eq(all, some, (size_t)n * sizeof *all);
        tare_random_uniform(all, 1001, 5, 6, -1, 1);
        tare_random_uniform(some, n, 5, 6, -1, 1);
        ck_assert_mem_eq(all, some, (size_t)n * sizeof *all);
    }
    tare_random_normal(all, 1001, 5, 6, 0, 1);
    tare_random_normal(some, 1001, 5, 7, 0, 1);
    ck_assert_mem_ne(all, some, sizeof all);
    tare_random_normal(some, 1001, 4, 6, 0, 1);
    ck_assert_mem_ne(all, some, sizeof all);
}
END_TEST

/* The same words through the C library's log, cos and sin, which are right to an ulp. */
START_TEST(normals_are_box_mullers)
{
    static float z[200000];
    enum { N = sizeof z / sizeof *z };
    tare_random_normal(z, N, 1, 2, 3, 0.5);
    for (int64_t k = 0; k < N / 2; ++k) {
        uint32_t word[4];
        tare_philox(1, 2, (uint64_t)k, word);
        double u = (double)((((uint64_t)word[1] << 32 | word[0]) >> 11) + 1) * 0x1p-53;
        double v = (double)(((uint64_t)word[3] << 32 | word[2]) >> 11) * 0x1p-53;
        double radius = sqrt(-2 * log(u)), angle = 2 * 3.14159265358979323846 * v;
        ck_assert_double_eq_tol(z[2 * k], 3 + 0.5 * radius * cos(angle), 3e-7);
        ck_assert_double_eq_tol(z[2 * k + 1], 3 + 0.5 * radius * sin(angle), 3e-7);
    }
}
END_TEST

/* Mean, variance, fourth moment and tails within five standard errors. */
START_TEST(moments_are_right)
{
    static float x[400000];
    enum { N = sizeof x / sizeof *x };
    double sum = 0, square = 0, fourth = 0, beyond_2 = 0;
    tare_random_normal(x, N, 11, 0, 0, 1);
    for (int i = 0; i < N; ++i) {
        double z = x[i];
        sum += z;
        square += z * z;
        fourth += z * z * z * z;
        beyond_2 += fabs(z) > 2;
    }
    double root_n = sqrt((double)N);
    ck_assert_double_eq_tol(sum / N, 0, 5 / root_n);
    ck_assert_double_eq_tol(square / N, 1, 5 * sqrt(2) / root_n);
    ck_assert_double_eq_tol(fourth / N, 3, 5 * sqrt(96) / root_n);
    ck_assert_double_eq_tol(beyond_2 / N, 0.0455003, 5 * 0.2084 / root_n);
    sum = square = 0;
    tare_random_uniform(x, N, 11, 0, -1, 3);
    for (int i = 0; i < N; ++i) {
        ck_assert(x[i] >= -1 && x[i] < 3);
        sum += x[i];
        square += (double)x[i] * x[i];
    }
    ck_assert_double_eq_tol(sum / N, 1, 5 * 1.155 / root_n);
    ck_assert_double_eq_tol(square / N, 28.0 / 12, 5 * 2.5 / root_n);
}
END_TEST

START_TEST(a_permutation_has_each_once_and_every_order_alike)
{
    static int64_t order[1000];
    static unsigned char seen[1000];
    tare_random_permutation(order, 1000, 3, 4);
    int64_t at_home = 0;
    for (int i = 0; i < 1000; ++i) {
        ck_assert(order[i] >= 0 && order[i] < 1000 && !seen[order[i]]++);
        at_home += order[i] == i;
    }
    ck_assert_int_lt(at_home, 10);
    /* The 6 orders of 3 in 6000 draws: 1000 each, standard deviation 29. */
    int times[27] = {0};
    for (uint64_t stream = 0; stream < 6000; ++stream) {
        tare_random_permutation(order, 3, 3, stream);
        ++times[order[0] * 9 + order[1] * 3 + order[2]];
    }
    static const int orders[6] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; ++i)
        ck_assert_int_lt(abs(times[orders[i]] - 1000), 145);
}
END_TEST

SCRATCH_MAIN("random", philox_gives_the_published_words, an_element_depends_on_its_index_alone, normals_are_box_mullers,
             moments_are_right, a_permutation_has_each_once_and_every_order_alike)
