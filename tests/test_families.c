/* test_families.c - the spellings of a family compute the same: each, in both modes and as bare kernel calls. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/measure/families.h"
#include "../ops/ops.h"

/* What the bare calls, then the replay, and an imperative call leave. The caller frees. */
static float *result_of(tare_runtime *rt, const tare__point *p, int64_t *count)
{
    tare__open_point o;
    ck_assert_msg(tare__point_open(&o, rt, p, NULL) == TARE_OK, "%s: %s", p->name, tare_error_text());
    for (int way = 0; way < TARE__WAY_COUNT; ++way)
        ck_assert_msg(tare__point_run(&o, (tare__way)way) == TARE_OK, "%s: %s", p->name, tare_error_text());
    const tare_value *y = tare__point_result(&o, 0);
    *count = tare_desc_count(&y->d);
    float *is = tare__take((size_t)*count + 1, sizeof *is);
    ck_assert_int_eq(y->d.dtype, TARE_F32);
    tare_desc packed = y->d;
    tare_desc_pack(&packed);
    ck_assert_int_eq(tare_value_read(y, is, tare_desc_bytes(&packed)), TARE_OK);
    tare__point_close(&o);
    return is;
}

START_TEST(spellings_agree)
{
    const tare__family *f = &tare__families[_i];
    tare_runtime *rt;
    tare__points points = {0};
    const int64_t size[] = {6, 33};
    ck_assert_int_eq(tare__start(NULL, &(tare__plugins){0}, &rt), TARE_OK);
    tare__family_add(&points, rt, f, size, 2);
    ck_assert_int_gt(points.n, 0);
    float *first = NULL;
    int64_t wanted = 0, count;
    for (int i = 0; i < points.n; ++i) {
        const tare__point *p = &points.point[i];
        ck_assert_msg(p->spell || p->op, "%s of %s is no operator", p->name, f->name);
        float *is = result_of(rt, p, &count);
        if (f->apart || i == 0 || p->size > points.point[i - 1].size) {
            free(first);
            first = is;
            wanted = count;
            continue;
        }
        ck_assert_int_eq(count, wanted);
        double error = 0, norm = 0;
        for (int64_t k = 0; k < count; ++k) {
            error += ((double)is[k] - (double)first[k]) * ((double)is[k] - (double)first[k]);
            norm += (double)first[k] * (double)first[k];
        }
        ck_assert_msg(norm > 0 && error <= 1e-10 * norm, "%s of %s: %g of %g", p->name, f->name, error, norm);
        free(is);
    }
    free(first);
    tare__points_free(&points);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* The published sizes, least to greatest, and operands with the size in the place of n. */
START_TEST(sizes_are_published)
{
    const tare__family *f = &tare__families[_i];
    tare_runtime *rt;
    tare__points points = {0};
    ck_assert_int_eq(tare__start(NULL, &(tare__plugins){0}, &rt), TARE_OK);
    tare__family_add(&points, rt, f, NULL, 0);
    ck_assert_double_eq(points.point[0].size, (double)f->from);
    ck_assert_double_eq(points.point[points.n - 1].size, (double)f->to);
    for (int i = 0; i < points.n; ++i)
        ck_assert_ptr_null(strchr(points.point[i].operands, 'n'));
    tare__points_free(&points);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

START_TEST(operands_sized)
{
    char *text = tare__operands_sized("f32[n,2,n] i32[n]<0,n> -", 70);
    ck_assert_str_eq(text, "f32[70,2,70] i32[70]<0,n> -");
    free(text);
}
END_TEST

int main(void)
{
    int n = 0;
    while (tare__families[n].name)
        ++n;
    Suite *s = suite_create("families");
    TCase *t = tcase_create("families");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, spellings_agree, 0, n);
    tcase_add_loop_test(t, sizes_are_published, 0, n);
    tcase_add_test(t, operands_sized);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
