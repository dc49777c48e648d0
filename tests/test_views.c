/* test_views.c - views: which elements they show and where their gradients go, kernels over them, concat and split. */
#include "views.h"

/* ---- which elements
 * ---------------------------------------------------------------------------------------------------------------*/
static tare_value *transposed(tare_mode *m, tare_value *const *x)
{
    return tare_transpose(m, x[0], (tare_transpose_attr){{0}});
}

static tare_value *permuted(tare_mode *m, tare_value *const *x)
{
    return tare_transpose(m, x[0], (tare_transpose_attr){{3, {-1, 0, 1}}});
}

static tare_value *odd_columns(tare_mode *m, tare_value *const *x)
{
    return tare_slice(m, x[0], (tare_slice_attr){1, 1, INT64_MAX, 2});
}

static tare_value *rows_down(tare_mode *m, tare_value *const *x)
{
    return tare_slice(m, x[0], (tare_slice_attr){0, -1, INT64_MIN, -2});
}

static tare_value *flipped(tare_mode *m, tare_value *const *x)
{
    return tare_flip(m, x[0], (tare_flip_attr){{1, {-1}}});
}

static tare_value *expanded(tare_mode *m, tare_value *const *x)
{
    return tare_expand(m, x[0], (tare_expand_attr){{3, {2, 3, 2}}});
}

/* Not contiguous when it is reshaped: a copy comes first. */
static tare_value *reshaped_transpose(tare_mode *m, tare_value *const *x)
{
    return tare_reshape(m, transposed(m, x), (tare_reshape_attr){{2, {2, -1}}});
}

static tare_value *flattened_slice(tare_mode *m, tare_value *const *x)
{
    return tare_flatten(m, tare_slice(m, x[0], (tare_slice_attr){2, 0, 1, 1}));
}

static tare_value *transpose_of_slice_of_reshape(tare_mode *m, tare_value *const *x)
{
    tare_value *matrix = tare_reshape(m, x[0], (tare_reshape_attr){{2, {3, 4}}});
    tare_value *some = tare_slice(m, matrix, (tare_slice_attr){1, 1, 4, 2});
    return tare_transpose(m, some, (tare_transpose_attr){{0}});
}

static tare_value *flip_of_slice_of_flip(tare_mode *m, tare_value *const *x)
{
    tare_value *some = tare_slice(m, flipped(m, x), (tare_slice_attr){1, 0, 3, 2});
    return tare_flip(m, some, (tare_flip_attr){{0}});
}

static tare_value *diagonal_parts(tare_mode *m, tare_value *const *x)
{
    tare_value *row[2], *cell[2];
    (void)tare_split(m, x[0], (tare_split_attr){0, 2}, row);
    for (int i = 0; i < 2; ++i) {
        tare_value *half[2];
        (void)tare_split(m, row[i], (tare_split_attr){-1, 2}, half);
        cell[i] = half[i];
    }
    return tare_concat(m, cell, 2, (tare_concat_attr){0});
}

/* One input contiguous, one a slice of columns that is read where it lies, one that gets a copy. */
static tare_value *joined(tare_mode *m, tare_value *const *x)
{
    tare_value *part[] = {x[0], tare_slice(m, x[0], (tare_slice_attr){1, 1, 2, 1}),
                          tare_flip(m, x[0], (tare_flip_attr){{1, {1}}})};
    return tare_concat(m, part, 3, (tare_concat_attr){1});
}

static const struct {
    chain *f;
    int rank;
    int64_t dim[3];
    int n;
    int64_t from[32];
} elements[] = {
    {transposed, 2, {2, 3}, 6, {0, 3, 1, 4, 2, 5}},
    {permuted, 3, {2, 3, 2}, 12, {0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}},
    {odd_columns, 2, {2, 5}, 4, {1, 3, 6, 8}},
    {rows_down, 2, {5, 2}, 6, {8, 9, 4, 5, 0, 1}},
    {flipped, 2, {2, 3}, 6, {2, 1, 0, 5, 4, 3}},
    {expanded, 2, {1, 2}, 12, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}},
    {reshaped_transpose, 2, {2, 3}, 6, {0, 3, 1, 4, 2, 5}},
    {flattened_slice, 3, {2, 2, 3}, 4, {0, 3, 6, 9}},
    {transpose_of_slice_of_reshape, 1, {12}, 6, {1, 5, 9, 3, 7, 11}},
    {flip_of_slice_of_flip, 2, {2, 4}, 4, {5, 7, 1, 3}},
    {diagonal_parts, 2, {2, 4}, 4, {0, 1, 6, 7}},
    {joined, 2, {2, 2}, 10, {0, 1, 1, 1, 0, 2, 3, 3, 3, 2}},
};

START_TEST(views_show_the_elements_they_should)
{
    const int64_t *from = elements[_i].from;
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x = counted(rt, TARE_F32, elements[_i].rank, elements[_i].dim);
    float dx[MOST] = {0};
    seen s;
    tare_value_want_gradient(x, true);
    both(rt, elements[_i].f, &x, 1, &s);
    ck_assert_int_eq(s.n_y, elements[_i].n);
    for (int i = 0; i < elements[_i].n; ++i) {
        ck_assert_float_eq(s.y[i], (float)from[i]);
        dx[from[i]] += (float)head_at(i);
    }
    ck_assert_mem_eq(s.dx[0], dx, sizeof dx);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

/* No elements anywhere, through a kernel and back. */
static tare_value *nothing(tare_mode *m, tare_value *const *x)
{
    tare_value *none = tare_slice(m, x[0], (tare_slice_attr){1, 3, 1, 1});
    return tare_relu(m, tare_transpose(m, none, (tare_transpose_attr){{0}}));
}

START_TEST(a_slice_may_be_empty)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 4});
    float zeros[8] = {0};
    seen s;
    tare_value_want_gradient(x, true);
    both(rt, nothing, &x, 1, &s);
    ck_assert_int_eq(s.n_y, 0);
    ck_assert_int_eq(s.d.dim[0], 0);
    ck_assert_int_eq(s.d.dim[1], 2);
    ck_assert_mem_eq(s.dx[0], zeros, sizeof zeros);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

/* ---- kernels over views
 * --------------------------------------------------------------------------------------------------------------*/
static tare_value *product_at(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_transpose(m, x[0], (tare_transpose_attr){{0}}); /* [3,4] */
    tare_value *b = tare_slice(m, x[1], (tare_slice_attr){0, 0, 10, 2}); /* [5,4] */
    return tare_dense(m, a, b, NULL);
}

static tare_value *product_of_copies(tare_mode *m, tare_value *const *x)
{
    tare_value *a = tare_transpose(m, x[0], (tare_transpose_attr){{0}});
    tare_value *b = tare_slice(m, x[1], (tare_slice_attr){0, 0, 10, 2});
    return tare_dense(m, tare_copy(m, a), tare_copy(m, b), NULL);
}

static tare_value *product_of_repeated(tare_mode *m, tare_value *const *x)
{
    tare_value *row = tare_slice(m, x[0], (tare_slice_attr){1, 0, 1, 1});            /* [4,1] */
    tare_value *a = tare_expand(m, row, (tare_expand_attr){{2, {4, 4}}});            /* strides 3, 0 */
    tare_value *b = tare_flip(m, tare_slice(m, x[1], (tare_slice_attr){0, 0, 4, 1}), /* one copy */
                              (tare_flip_attr){{1, {1}}});
    return tare_matmul(m, a, b, (tare_matmul_attr){true, false});
}

START_TEST(products_take_views)
{
    static const tare_kernel_choice kernels[] = {TARE_KERNELS_NATIVE, TARE_KERNELS_BLAS, TARE_KERNELS_REFERENCE};
    tare_runtime *rt = spine_start(kernels[_i], TARE_STORAGE_POOL);
    tare_value *x[] = {counted(rt, TARE_F32, 2, (const int64_t[]){4, 3}),
                       counted(rt, TARE_F32, 2, (const int64_t[]){10, 4})};
    seen s, copied;
    for (int i = 0; i < 2; ++i)
        tare_value_want_gradient(x[i], true);
    both(rt, product_at, x, 2, &s);
    both(rt, product_of_copies, x, 2, &copied);
    ck_assert_mem_eq(s.y, copied.y, sizeof s.y); /* small whole numbers: exact on any path */
    ck_assert_mem_eq(s.dx, copied.dx, sizeof s.dx);
    for (int i = 0; i < 15; ++i) {
        float sum = 0;
        for (int k = 0; k < 4; ++k)
            sum += (float)(k * 3 + i / 5) * (float)(i % 5 * 8 + k);
        ck_assert_float_eq(s.y[i], sum);
    }
    both(rt, product_of_repeated, x, 2, &s);
    for (int i = 0; i < 16; ++i) {
        float sum = 0;
        for (int k = 0; k < 4; ++k)
            sum += (float)(k * 3) * (float)(k * 4 + 3 - i % 4);
        ck_assert_float_eq(s.y[i], sum);
    }
    for (int i = 0; i < 2; ++i)
        tare_value_drop(x[i]);
    spine_end(rt);
}
END_TEST

/* Kernel calls that f makes of x, without a gradient. */
static int calls_of(tare_runtime *rt, chain *f, tare_value *const *x)
{
    tare_mode *m = spine_mode(rt, false);
    m->scope_begin(m, NULL);
    int64_t before = tare_runtime_counts(rt).kernel_calls;
    (void)f(m, x);
    must(m->error);
    int64_t after = tare_runtime_counts(rt).kernel_calls;
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    return (int)(after - before);
}

static tare_value *relu_of_transpose(tare_mode *m, tare_value *const *x)
{
    return tare_relu(m, transposed(m, x));
}

static tare_value *sum_of_transpose(tare_mode *m, tare_value *const *x)
{
    tare_value *y = transposed(m, x);
    return tare_accumulate(m, y, y);
}

/* Given up while it gets two copies. */
static tare_value *moved_twice(tare_mode *m, tare_value *const *x)
{
    tare_value *y = tare_flip(m, x[0], (tare_flip_attr){{0}});
    return tare_matmul(m, tare_move(y), y, (tare_matmul_attr){false, true});
}

START_TEST(copies_are_made_only_where_they_must)
{
    static const struct {
        chain *f;
        int calls;
    } expected[] = {
        {transposed, 0},        {reshaped_transpose, 1}, {product_at, 2}, {product_of_repeated, 2},
        {relu_of_transpose, 2}, {sum_of_transpose, 1},   {joined, 2},     {transpose_of_slice_of_reshape, 0},
        {moved_twice, 3}};
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x[] = {counted(rt, TARE_F32, 2, (const int64_t[]){4, 3}),
                       counted(rt, TARE_F32, 2, (const int64_t[]){10, 4})};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; ++i) {
        int calls = calls_of(rt, expected[i].f, x);
        ck_assert_msg(calls == expected[i].calls, "chain %zu made %d calls", i, calls);
    }
    for (int i = 0; i < 2; ++i)
        tare_value_drop(x[i]);
    spine_end(rt);
}
END_TEST

/* ---- products
 * ------------------------------------------------------------------------------------------------------------*/
/* What strides allow must not choose how a sum is formed: views and their copies give the same bits. */
static void expect_bits_of_copies(tare_mode *m, tare_value *const view[2], tare_matmul_attr attr, int number)
{
    tare_value *const copy[2] = {tare_copy(m, view[0]), tare_copy(m, view[1])};
    tare_value *of_copies = tare_matmul(m, copy[0], copy[1], attr);
    for (int which = 0; which < 3; ++which) {
        tare_value *y = tare_matmul(m, which & 1 ? copy[0] : view[0], which & 2 ? copy[1] : view[1], attr);
        char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
        must(m->error);
        ck_assert_msg(spine_same(y, of_copies), "case %d: %s by %s", number, tare_desc_text(&view[0]->d, tx),
                      tare_desc_text(&view[1]->d, ty));
    }
}

/* A matrix [rows, columns] that is a view of one kind of a random one. */
static tare_value *view_of(tare_mode *m, int kind, int64_t rows, int64_t columns, tare_value **base)
{
    const int64_t dim[][2] = {{columns, rows}, {rows, columns + 3}, {rows, 2 * columns}, {2 * rows, columns}};
    *base = spine_random(m->runtime, 2, dim[kind], (uint64_t)(rows * 100 + columns));
    if (kind == 0)
        return tare_transpose(m, *base, (tare_transpose_attr){0});
    if (kind == 1)
        return tare_slice(m, *base, (tare_slice_attr){.axis = 1, .begin = 3, .end = INT64_MAX, .step = 1});
    return tare_slice(m, *base, (tare_slice_attr){.axis = kind == 2, .begin = 1, .end = INT64_MAX, .step = 2});
}

START_TEST(a_product_of_views_has_the_bits_of_their_copies)
{
    static const int64_t size[] = {1, 3, 8, 17, 40}, inner[] = {1, 2, 7, 33, 600};
    tare_runtime *rt = spine_start(_i ? TARE_KERNELS_BLAS : TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false);
    for (int i = 0; i < 5 * 5 * 5 * 4 * 4 * 4; i += 3) {
        int64_t rows = size[i % 5], columns = size[i / 5 % 5], k = inner[i / 25 % 5];
        tare_matmul_attr attr = {i / 125 % 2, i / 250 % 2};
        tare_value *base[2], *view[2];
        m->scope_begin(m, NULL);
        view[0] =
            attr.transpose_a ? view_of(m, i / 500 % 4, k, rows, &base[0]) : view_of(m, i / 500 % 4, rows, k, &base[0]);
        view[1] = attr.transpose_b ? view_of(m, i / 2000 % 4, columns, k, &base[1])
                                   : view_of(m, i / 2000 % 4, k, columns, &base[1]);
        expect_bits_of_copies(m, view, attr, i);
        m->scope_end(m, NULL, 0);
        for (int x = 0; x < 2; ++x)
            tare_value_drop(base[x]);
    }
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* Five matrices [rows, columns] that are a view of one kind of random ones; 4: one matrix, not a batch. */
static tare_value *batch_of(tare_mode *m, int kind, int64_t rows, int64_t columns, tare_value **base)
{
    enum { MATRICES = 5 };
    const int64_t dim[][3] = {
        {MATRICES, columns, rows}, {rows, MATRICES, columns}, {1, rows, columns}, {2 * MATRICES, rows, columns}};
    if (kind == 4)
        return *base = spine_random(m->runtime, 2, (const int64_t[]){rows, columns}, 7);
    *base = spine_random(m->runtime, 3, dim[kind], (uint64_t)(rows * 100 + columns));
    switch (kind) {
    case 0:
        return tare_transpose(m, *base, (tare_transpose_attr){{3, {0, 2, 1}}});
    case 1:
        return tare_transpose(m, *base, (tare_transpose_attr){{3, {1, 0, 2}}});
    case 2:
        return tare_expand(m, *base, (tare_expand_attr){{3, {MATRICES, rows, columns}}});
    default:
        return tare_slice(m, *base, (tare_slice_attr){.axis = 0, .begin = 1, .end = INT64_MAX, .step = 2});
    }
}

START_TEST(a_product_of_batches_of_views_has_the_bits_of_their_copies)
{
    static const int64_t size[] = {1, 6, 40}, inner[] = {1, 7, 300};
    tare_runtime *rt = spine_start(_i ? TARE_KERNELS_BLAS : TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false);
    for (int i = 0; i < 3 * 3 * 3 * 5 * 5; ++i) {
        int64_t rows = size[i % 3], columns = size[i / 3 % 3], k = inner[i / 9 % 3];
        tare_value *base[2], *view[2];
        m->scope_begin(m, NULL);
        view[0] = batch_of(m, i / 27 % 5, rows, k, &base[0]);
        view[1] = batch_of(m, i / 135, k, columns, &base[1]);
        expect_bits_of_copies(m, view, (tare_matmul_attr){0}, i);
        m->scope_end(m, NULL, 0);
        for (int x = 0; x < 2; ++x)
            tare_value_drop(base[x]);
    }
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* ---- split
 * ---------------------------------------------------------------------------------------------------------------------*/
static tare_value *middle_third(tare_mode *m, tare_value *const *x)
{
    tare_value *part[3];
    (void)tare_split(m, x[0], (tare_split_attr){1, 3}, part);
    return tare_scale(m, part[1], (tare_scale_attr){2});
}

/* The other two were not even wanted. */
static tare_value *last_third(tare_mode *m, tare_value *const *x)
{
    tare_value *part[3];
    const tare_split_attr attr = {1, 3};
    (void)m->apply(m, &tare_op_split, &attr, x, 1, part, 3);
    ck_assert(!part[0] && !part[1]);
    return tare_scale(m, part[2], (tare_scale_attr){2});
}

START_TEST(absent_heads_of_split_are_zeros)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 6});
    tare_value_want_gradient(x, true);
    for (int third = 1; third < 3; ++third) {
        seen s;
        float dx[12] = {0};
        both(rt, third == 1 ? middle_third : last_third, &x, 1, &s);
        for (int i = 0; i < 4; ++i) {
            int from = i / 2 * 6 + third * 2 + i % 2;
            ck_assert_float_eq(s.y[i], 2.0f * (float)from);
            dx[from] = 2 * (float)head_at(i);
        }
        ck_assert_mem_eq(s.dx[0], dx, sizeof dx);
    }
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

START_TEST(a_failed_split_gives_poison_everywhere)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 5}), *part[4] = {NULL}, *many[33];
    m->scope_begin(m, NULL);
    expect_error(tare_split(m, x, (tare_split_attr){1, 4}, part), TARE_BAD_SHAPE,
                 "split: axis 1 of [2,5] is not made of 4 equal parts");
    for (int i = 0; i < 4; ++i)
        ck_assert(part[i] && part[i]->poison);
    tare_mode_clear(m);
    expect_error(tare_split(m, x, (tare_split_attr){0, -1}, part), TARE_BAD_ARGUMENT, "parts is -1 (need 1 to 32)");
    tare_mode_clear(m);
    for (int i = 0; i < 33; ++i)
        many[i] = x;
    (void)tare_concat(m, many, 33, (tare_concat_attr){0});
    expect_error(m->error, TARE_BAD_ARGUMENT, "concat: 33 inputs were given (need 1 to 32)");
    tare_mode_clear(m);
    tare_value *all = tare_concat(m, many, 32, (tare_concat_attr){0});
    must(m->error);
    ck_assert_int_eq(all->d.dim[0], 64);
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("views");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, views_show_the_elements_they_should, 0, (int)(sizeof elements / sizeof *elements));
    tcase_add_test(tests, a_slice_may_be_empty);
    tcase_add_loop_test(tests, products_take_views, 0, 3);
    tcase_add_test(tests, copies_are_made_only_where_they_must);
    tcase_add_loop_test(tests, a_product_of_views_has_the_bits_of_their_copies, 0, 2);
    tcase_add_loop_test(tests, a_product_of_batches_of_views_has_the_bits_of_their_copies, 0, 2);
    tcase_add_test(tests, absent_heads_of_split_are_zeros);
    tcase_add_test(tests, a_failed_split_gives_poison_everywhere);
    return spine_run("views", &tests, 1);
}
