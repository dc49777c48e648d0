/* test_golden.c - every operator against values of an independent implementation: consistency is not truth.
 *
 * tests/golden/ops_*.json hold cases made by the scripts beside them; an array stands there in full, or as numbers of a
 * formula, and a result as its digest (formula.h). Each runs through the imperative mode: in float32
 * with the native kernels and with the references, and in float64 with the references; gradients through the tape. */
#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../bench/base/elements.h"
#include "../core/plugin.h"
#include "../imperative/imperative.h"
#include "../ops/ops.h"
#include "formula.h"

enum { FILES = 16 };
static json_t *file_of[FILES];
static int n_files;
static char where[256]; /* the case under test */

#define EXPECT(ok, ...)                                                                                                \
    do {                                                                                                               \
        if (!(ok)) {                                                                                                   \
            char text_[600];                                                                                           \
            (void)snprintf(text_, sizeof text_, __VA_ARGS__);                                                          \
            ck_abort_msg("%s: %s", where, text_);                                                                      \
        }                                                                                                              \
    } while (0)

/* ---- a case ------------------------------------------------------------------------------------------------------*/
typedef struct {
    tare_runtime *rt;
    tare_mode *mode;
    bool wide; /* float32 arrays are taken as float64 */
    double tolerance;
} setting;

static tare_dtype dtype_named(const char *name, bool wide)
{
    for (int d = 0; d < TARE_DTYPE_COUNT; ++d)
        if (strcmp(tare_dtype_name((tare_dtype)d), name) == 0)
            return wide && d == TARE_F32 ? TARE_F64 : (tare_dtype)d;
    ck_abort_msg("%s: dtype '%s' is unknown", where, name);
}

static tare_desc desc_of(const setting *s, const json_t *array)
{
    const json_t *shape = json_object_get(array, "shape");
    int64_t dim[TARE_RANK] = {0};
    ck_assert_uint_le(json_array_size(shape), TARE_RANK);
    for (size_t i = 0; i < json_array_size(shape); ++i)
        dim[i] = json_integer_value(json_array_get(shape, i));
    tare_desc d = tare_desc_of(dtype_named(json_string_value(json_object_get(array, "dtype")), s->wide),
                               (int)json_array_size(shape), dim);
    const json_t *data = json_object_get(array, "data");
    EXPECT(!data || tare_desc_count(&d) == (int64_t)json_array_size(data), "%zu elements", json_array_size(data));
    return d;
}

/* A number, or one that JSON lacks, as a string: "nan", "inf", "-inf". Integers beyond 2^53 keep their bits. */
static void put_number(void *at, tare_dtype dtype, int64_t i, const json_t *number)
{
    if (dtype == TARE_I64 && json_is_integer(number))
        ((int64_t *)at)[i] = json_integer_value(number);
    else
        tare__element_put(at, dtype, i,
                          json_is_string(number) ? strtod(json_string_value(number), NULL) : json_number_value(number));
}

/* The formula's numbers, or so many whole numbers of which many are equal. */
static void put_formula(void *at, const tare_desc *d, const char *name, int64_t levels)
{
    const uint32_t seed = formula_seed(name);
    for (int64_t i = 0; i < tare_desc_count(d); ++i) {
        double x = formula_number(seed, i);
        tare__element_put(at, (tare_dtype)d->dtype, i, levels ? floor(x * (double)levels) : x);
    }
}

/* The array's elements in the dtype of d; the caller frees. */
static void *data_of(const json_t *array, const tare_desc *d)
{
    const json_t *data = json_object_get(array, "data");
    const char *formula = json_string_value(json_object_get(array, "formula"));
    void *at = calloc(1, tare_desc_bytes(d) + 1);
    EXPECT(data || formula, "an array has neither data nor a formula");
    if (formula)
        put_formula(at, d, formula, json_integer_value(json_object_get(array, "levels")));
    for (size_t i = 0; i < json_array_size(data); ++i)
        put_number(at, (tare_dtype)d->dtype, (int64_t)i, json_array_get(data, i));
    return at;
}

static bool present(const json_t *array)
{
    return array && !json_is_null(array);
}

static tare_value *value_of(const setting *s, const json_t *array)
{
    if (!present(array))
        return NULL;
    tare_value *v;
    tare_desc d = desc_of(s, array);
    void *data = data_of(array, &d);
    ck_assert_int_eq(tare_value_new(s->rt, &d, TARE_MEMORY_INPUT, &v), TARE_OK);
    ck_assert_int_eq(tare_value_write(v, data, tare_desc_bytes(&d)), TARE_OK);
    free(data);
    return v;
}

static double error_of(const void *is, const tare_desc *d, const json_t *wanted)
{
    const tare_dtype dtype = (tare_dtype)d->dtype;
    const json_t *digest = json_object_get(wanted, "digest");
    if (digest)
        return formula_error(formula_digest_of(is, dtype, tare_desc_count(d)),
                             (formula_digest){json_number_value(json_array_get(digest, 0)),
                                              json_number_value(json_array_get(digest, 1))});
    void *data = data_of(wanted, d);
    double error = tare__elements_error(is, dtype, data, dtype, tare_desc_count(d));
    free(data);
    return error;
}

static void compare(const setting *s, const char *what, int i, const tare_value *v, const json_t *wanted)
{
    EXPECT(v != NULL, "%s %d was not made", what, i);
    tare_desc d = desc_of(s, wanted);
    EXPECT(tare_desc_same_shape(&d, &v->d) && d.dtype == v->d.dtype, "%s %d has another shape or dtype", what, i);
    void *is = malloc(tare_desc_bytes(&d) + 1);
    ck_assert_int_eq(tare_value_read(v, is, tare_desc_bytes(&d)), TARE_OK);
    double error = error_of(is, &d, wanted);
    EXPECT(error <= s->tolerance, "%s %d is off by %g", what, i, error);
    free(is);
}

static void run_backward(const setting *s, const json_t *c, tare_value *const *in, tare_value *const *out, int n_out)
{
    const json_t *heads = json_object_get(c, "heads"), *gradients = json_object_get(c, "gradients");
    if (!present(heads))
        return;
    tare_value *root[TARE_OPERANDS], *head[TARE_OPERANDS];
    int n = 0;
    for (int o = 0; o < n_out; ++o)
        if (present(json_array_get(heads, (size_t)o))) {
            root[n] = out[o];
            head[n++] = value_of(s, json_array_get(heads, (size_t)o));
        }
    EXPECT(s->mode->backward(s->mode, root, head, n, false) == TARE_OK, "backward: %s", tare_error_text());
    for (size_t i = 0; i < json_array_size(gradients); ++i)
        if (present(json_array_get(gradients, i)))
            compare(s, "gradient", (int)i, tare_value_gradient(in[i]), json_array_get(gradients, i));
    for (int i = 0; i < n; ++i)
        tare_value_drop(head[i]);
}

static void run_case(const setting *of, const json_t *c)
{
    setting own = *of;
    const setting *s = &own;
    own.wide = own.wide && !json_is_true(json_object_get(c, "exact"));
    const char *name = json_string_value(json_object_get(c, "op"));
    const tare_op *op = tare_find(s->rt, TARE_KIND_OPERATOR, name);
    EXPECT(op != NULL, "%s", tare_error_text());
    const json_t *inputs = json_object_get(c, "inputs"), *outputs = json_object_get(c, "outputs"),
                 *gradients = json_object_get(c, "gradients"), *text = json_object_get(c, "attr");
    char attr[256] __attribute__((aligned(8))) = {0};
    EXPECT(tare_attr_parse(name, op->attrs, op->n_attrs, json_string_value(text), attr) == TARE_OK, "%s",
           tare_error_text());
    tare_value *in[32], *out[32];
    int n_in = (int)json_array_size(inputs), n_out = (int)json_array_size(outputs);
    uint32_t absent = 0;
    for (int i = 0; i < n_in; ++i) {
        in[i] = value_of(s, json_array_get(inputs, (size_t)i));
        if (in[i])
            tare_value_want_gradient(in[i], present(json_array_get(gradients, (size_t)i)));
    }
    for (int o = 0; o < n_out; ++o)
        absent |= present(json_array_get(outputs, (size_t)o)) ? 0 : 1u << o;
    tare_mode *m = s->mode;
    m->recording = present(json_object_get(c, "heads"));
    m->scope_begin(m, NULL);
    EXPECT(m->apply(m, op, op->n_attrs ? attr : NULL, in, n_in, out, absent) == TARE_OK, "%s", tare_error_text());
    for (int o = 0; o < n_out; ++o)
        if (present(json_array_get(outputs, (size_t)o)))
            compare(s, "output", o, out[o], json_array_get(outputs, (size_t)o));
    run_backward(s, c, in, out, n_out);
    m->scope_end(m, NULL, 0);
    for (int i = 0; i < n_in; ++i)
        tare_value_drop(in[i]);
}

/* plugin: of the kernel set that the options name; NULL: none. */
static void run_with(const tare_options *options, const char *plugin, bool wide, double tolerance)
{
    setting s = {.wide = wide, .tolerance = tolerance};
    ck_assert_int_eq(tare_start(options, &s.rt), TARE_OK);
    if (plugin)
        ck_assert_int_eq(tare_plugin_load(s.rt, plugin, NULL), TARE_OK);
    ck_assert_int_eq(tare_imperative_new(s.rt, &s.mode), TARE_OK);
    for (int f = 0; f < n_files; ++f)
        for (size_t i = 0; i < json_array_size(file_of[f]); ++i) {
            const json_t *c = json_array_get(file_of[f], i);
            const char *attr = json_string_value(json_object_get(c, "attr"));
            (void)snprintf(where, sizeof where, "file %d, case %zu: %s %s", f, i,
                           json_string_value(json_object_get(c, "op")), attr ? attr : "");
            run_case(&s, c);
        }
    tare_imperative_free(s.mode);
    ck_assert_int_eq(tare_runtime_free(s.rt), 0);
}

static void run_all(tare_kernel_choice kernels, bool wide, double tolerance)
{
    run_with(&(tare_options){.kernels = kernels, .isa_limit = TARE_ISA_COUNT}, NULL, wide, tolerance);
}

#ifdef TARE_ONEDNN_PLUGIN
/* oneDNN's kernels before ours, in both layouts on one thread and on two. */
START_TEST(onednn_agrees)
{
    run_with(&(tare_options){.threads = 1 + _i % 2,
                             .kernels = TARE_KERNELS_ADDED,
                             .added = "onednn",
                             .layout = _i / 2 ? TARE_LAYOUT_BLOCKED : TARE_LAYOUT_PLAIN,
                             .isa_limit = TARE_ISA_COUNT},
             TARE_ONEDNN_PLUGIN, false, 2e-5);
}
END_TEST
#endif

START_TEST(native_kernels_agree)
{
    run_all(TARE_KERNELS_NATIVE, false, 2e-5);
}
END_TEST

/* F(4x4,3x3): its bound, on operands that are no larger than a few. */
START_TEST(minimal_filtering_agrees)
{
    run_all(TARE_KERNELS_WINOGRAD, false, 1e-4);
}
END_TEST

START_TEST(explicit_columns_agree)
{
    run_all(TARE_KERNELS_IM2COL, false, 2e-5);
}
END_TEST

START_TEST(references_agree)
{
    run_all(TARE_KERNELS_REFERENCE, false, 2e-5);
}
END_TEST

START_TEST(references_agree_in_float64)
{
    run_all(TARE_KERNELS_REFERENCE, true, 1e-12);
}
END_TEST

/* ---- coverage ------------------------------------------------------------------------------------------------------
 * Gradient operators (NAME_grad) are covered through the gradients of their operator. */
static bool covered(const char *name)
{
    for (int f = 0; f < n_files; ++f)
        for (size_t i = 0; i < json_array_size(file_of[f]); ++i) {
            const json_t *c = json_array_get(file_of[f], i);
            const char *op = json_string_value(json_object_get(c, "op"));
            size_t n = strlen(op);
            if (strcmp(op, name) == 0 || (strncmp(op, name, n) == 0 && strcmp(name + n, "_grad") == 0 &&
                                          present(json_object_get(c, "gradients"))))
                return true;
        }
    return false;
}

/* What no golden value can stand for: the draws of dropout are this project's own. test_state.c checks them against
 * known Philox bits, and their mean, variance and share. */
static bool exempt(const char *name)
{
    return strcmp(name, "dropout") == 0 || strcmp(name, "dropout_grad") == 0;
}

START_TEST(every_operator_has_a_case)
{
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    char missing[1000] = "";
    for (int i = 0; i < rt->n_records[TARE_KIND_OPERATOR]; ++i) {
        const char *name = rt->record[TARE_KIND_OPERATOR][i]->name;
        if (!covered(name) && !exempt(name) && strlen(missing) + strlen(name) + 2 < sizeof missing) {
            strcat(missing, " ");
            strcat(missing, name);
        }
    }
    ck_assert_msg(!missing[0], "no golden case:%s", missing);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* The comparison can fail: one value of one case, changed a little. */
START_TEST(a_wrong_value_is_seen)
{
    float is[2] = {1, 2};
    double wanted[2] = {1, 2.0001}, broken[2] = {1, NAN};
    ck_assert_double_gt(tare__elements_error(is, TARE_F32, wanted, TARE_F64, 2), 2e-5);
    ck_assert_double_eq(tare__elements_error(is, TARE_F32, broken, TARE_F64, 2), INFINITY);
    const float turned[2] = {2, 1};
    const formula_digest right = formula_digest_of(is, TARE_F32, 2);
    ck_assert_double_eq(formula_error(right, right), 0);
    ck_assert_double_gt(formula_error(formula_digest_of(turned, TARE_F32, 2), right), 0.1);
    ck_assert_double_gt(formula_error(formula_digest_of(wanted, TARE_F64, 2), right), 2e-5);
    ck_assert_double_eq(formula_error(formula_digest_of(broken, TARE_F64, 2), right), INFINITY);
}
END_TEST

static void load(void)
{
    glob_t found;
    ck_assert_int_eq(glob("tests/golden/ops_*.json", 0, NULL, &found), 0);
    ck_assert_uint_le(found.gl_pathc, FILES);
    for (size_t i = 0; i < found.gl_pathc; ++i) {
        json_error_t error;
        file_of[n_files] = json_load_file(found.gl_pathv[i], 0, &error);
        ck_assert_msg(file_of[n_files] && json_is_array(file_of[n_files]), "%s: %s", found.gl_pathv[i], error.text);
        ++n_files;
    }
    globfree(&found);
}

static void unload(void)
{
    while (n_files)
        json_decref(file_of[--n_files]);
}

int main(void)
{
    Suite *suite = suite_create("golden");
    TCase *tests = tcase_create("golden");
    tcase_add_unchecked_fixture(tests, load, unload);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, native_kernels_agree);
    tcase_add_test(tests, minimal_filtering_agrees);
    tcase_add_test(tests, explicit_columns_agree);
#ifdef TARE_ONEDNN_PLUGIN
#ifdef __SANITIZE_ADDRESS__ /* the leak checker cannot stop the threads of oneDNN's OpenMP: one thread */
    tcase_add_loop_test(tests, onednn_agrees, 0, 1);
    tcase_add_loop_test(tests, onednn_agrees, 2, 3);
#else
    tcase_add_loop_test(tests, onednn_agrees, 0, 4);
#endif
#endif
    tcase_add_test(tests, references_agree);
    tcase_add_test(tests, references_agree_in_float64);
    tcase_add_test(tests, every_operator_has_a_case);
    tcase_add_test(tests, a_wrong_value_is_seen);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
