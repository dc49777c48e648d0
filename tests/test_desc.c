/* test_desc.c - shapes: strides, checks and overflow, broadcasting against a plain rule, text. */
#include "spine.h"

START_TEST(a_desc_is_contiguous_in_c_order)
{
    tare_desc d = tare_desc_of(TARE_F64, 3, (const int64_t[]){2, 3, 5});
    ck_assert(d.contiguous);
    ck_assert_int_eq(d.stride[0], 15);
    ck_assert_int_eq(d.stride[1], 5);
    ck_assert_int_eq(d.stride[2], 1);
    ck_assert_int_eq(tare_desc_count(&d), 30);
    ck_assert_uint_eq(tare_desc_bytes(&d), 240);
    must(tare_desc_check(&d));
    d = tare_desc_of(TARE_I64, 0, NULL);
    ck_assert_int_eq(tare_desc_count(&d), 1);
    ck_assert(d.contiguous);
    tare_desc matrix, like;
    memset(&matrix, 0x55, sizeof matrix);
    tare_desc_matrix(&matrix, TARE_F32, 4, 7);
    must(tare_desc_check(&matrix));
    ck_assert_int_eq(matrix.stride[0], 7);
    matrix.stride[0] = 1;
    matrix.stride[1] = 4;
    tare_desc_measure(&matrix);
    ck_assert(!matrix.contiguous);
    tare_desc_like(&like, &matrix);
    ck_assert(like.contiguous && tare_desc_same_shape(&like, &matrix));
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    const int64_t big = INT64_C(1) << 31;
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){big, big / 4});
    expect_error(tare_desc_check(&(tare_desc){.rank = -1}), TARE_BAD_SHAPE, "rank is -1 (need 0 to 6)");
    expect_error(tare_desc_check(&(tare_desc){.rank = 7}), TARE_BAD_SHAPE, "rank is 7");
    expect_error(tare_desc_check(&(tare_desc){.dtype = TARE_DTYPE_COUNT}), TARE_BAD_DTYPE, "dtype 6 is unknown");
    must(tare_desc_check(&d)); /* 2^62 bytes */
    d.dim[1] += 1;
    expect_error(tare_desc_check(&d), TARE_BAD_SHAPE, "dimension 1 makes more than 2^62 bytes");
    d.dim[1] = -1;
    expect_error(tare_desc_check(&d), TARE_BAD_SHAPE, "dimension 1 is -1");
    /* a caller makes the desc before it can be checked: strides beyond 2^63 must not trap */
    d = tare_desc_of(TARE_U8, 6, (const int64_t[]){big, big, big, big, big, big});
    expect_error(tare_desc_check(&d), TARE_BAD_SHAPE, "2^62");
    d = tare_desc_of(TARE_U8, 3, (const int64_t[]){0, big, big});
    must(tare_desc_check(&d));
    ck_assert_int_eq(tare_desc_count(&d), 0);
}
END_TEST

START_TEST(dims_of_one_may_have_any_stride)
{
    tare_desc d = tare_desc_of(TARE_F32, 3, (const int64_t[]){1, 4, 1});
    d.stride[0] = 99;
    d.stride[2] = 0;
    tare_desc_measure(&d);
    ck_assert(d.contiguous);
    d.stride[1] = 0;
    tare_desc_measure(&d);
    ck_assert(!d.contiguous);
    d.stride[1] = -1;
    tare_desc_measure(&d);
    ck_assert(!d.contiguous);
    d.dim[0] = 0;
    tare_desc_measure(&d);
    ck_assert(d.contiguous);
}
END_TEST

/* NumPy's rule, written plainly: right-aligned dims, 1 stretches. */
static bool plain_rule(const tare_desc *a, const tare_desc *b, int64_t *out, int *rank)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int k = 1; k <= *rank; ++k) {
        int64_t x = k <= a->rank ? a->dim[a->rank - k] : 1, y = k <= b->rank ? b->dim[b->rank - k] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        out[*rank - k] = x == 1 ? y : x;
    }
    return true;
}

START_TEST(broadcasting_follows_the_rule)
{
    static const int64_t sizes[] = {0, 1, 2, 3};
    for (int code = 0; code < 4096 * 9; ++code) {
        int64_t da[3], db[3], wanted[TARE_RANK];
        for (int k = 0; k < 3; ++k) {
            da[k] = sizes[code >> 2 * k & 3];
            db[k] = sizes[code >> (6 + 2 * k) & 3];
        }
        int ranks = code / 4096, rank;
        tare_desc a = tare_desc_of(TARE_F32, ranks % 3 + 1, da), b = tare_desc_of(TARE_F64, ranks / 3, db), out;
        bool fits = plain_rule(&a, &b, wanted, &rank);
        ck_assert_int_eq(tare_desc_broadcast(&a, &b, &out), fits);
        if (!fits)
            continue;
        ck_assert_int_eq(out.rank, rank);
        ck_assert_int_eq(out.dtype, TARE_F32);
        ck_assert_mem_eq(out.dim, wanted, (size_t)rank * sizeof *wanted);
        ck_assert(out.contiguous);
    }
}
END_TEST

/* Two placeholders that need no memory, whose sum would need more than there can be. */
START_TEST(a_result_too_large_is_refused_where_it_is_made)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_desc column = tare_desc_of(TARE_F32, 2, (const int64_t[]){INT64_C(1) << 32, 1});
    tare_desc row = tare_desc_of(TARE_F32, 2, (const int64_t[]){1, INT64_C(1) << 32});
    tare_value *a = tare_graph_input(g, &column, "a"), *b = tare_graph_input(g, &row, "b");
    ck_assert_ptr_eq(tare_add(m, a, b), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "2^62 bytes"));
    tare_mode_clear(m);
    ck_assert_ptr_eq(tare_matmul(m, a, b, (tare_matmul_attr){0}), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    tare_mode_clear(m);
    must(tare_graph_output(g, tare_relu(m, b)));
    tare_graph_free(g);
    spine_end(rt);
}
END_TEST

static void keep_it(tare_storage *s)
{
    (void)s;
}

/* The same run at once: one element each, seen 2^32 times over. */
START_TEST(a_result_too_large_is_refused_when_it_is_run)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m;
    tare_value *a, *b;
    float one = 1;
    tare_desc column = tare_desc_of(TARE_F32, 2, (const int64_t[]){INT64_C(1) << 32, 1}), row = column;
    column.stride[0] = column.stride[1] = 0;
    tare_desc_measure(&column);
    row = column;
    row.dim[0] = 1;
    row.dim[1] = INT64_C(1) << 32;
    tare_desc_measure(&row);
    must(tare_imperative_new(rt, &m));
    must(tare_value_foreign(rt, &column, &one, keep_it, NULL, &a));
    must(tare_value_foreign(rt, &row, &one, keep_it, NULL, &b));
    m->scope_begin(m, NULL);
    ck_assert_ptr_eq(tare_add(m, a, b), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "2^62 bytes"));
    tare_value *none = NULL;
    m->scope_end(m, &none, 1);
    tare_imperative_free(m);
    tare_value_drop(a);
    tare_value_drop(b);
    spine_end(rt);
}
END_TEST

START_TEST(shapes_have_a_text)
{
    char text[TARE_DESC_TEXT];
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){32, 784});
    ck_assert_str_eq(tare_desc_text(&d, text), "[32,784]");
    d.rank = 0;
    ck_assert_str_eq(tare_desc_text(&d, text), "[]");
    d.rank = TARE_RANK;
    for (int i = 0; i < TARE_RANK; ++i)
        d.dim[i] = INT64_MIN;
    ck_assert_uint_eq(strlen(tare_desc_text(&d, text)), 2 + 6 * 20 + 5);
    ck_assert_str_eq(tare_dtype_name(TARE_U8), "uint8");
    ck_assert_str_eq(tare_dtype_name((tare_dtype)99), "unknown dtype");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("desc");
    tcase_add_test(tests, a_desc_is_contiguous_in_c_order);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, dims_of_one_may_have_any_stride);
    tcase_add_test(tests, broadcasting_follows_the_rule);
    tcase_add_test(tests, a_result_too_large_is_refused_where_it_is_made);
    tcase_add_test(tests, a_result_too_large_is_refused_when_it_is_run);
    tcase_add_test(tests, shapes_have_a_text);
    return spine_run("desc", &tests, 1);
}
