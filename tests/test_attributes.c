/* test_attributes.c - options from their string form and back: every type, bounds, garbage, random mutations. */
#include <stddef.h>

#include "spine.h"

typedef struct {
    int64_t count;
    double rate;
    bool fast;
    tare_ints sizes;
    int64_t shape;
    tare_dtype dtype;
    uint64_t guard;
} options;

static const tare_attr attrs[] = {
    {"count", TARE_ATTR_INT, offsetof(options, count), -5, 1e6, "3", "how many"},
    {"rate", TARE_ATTR_FLOAT, offsetof(options, rate), 0, 1, "0.25", "how often"},
    {"fast", TARE_ATTR_BOOL, offsetof(options, fast), 0, 1, "false", "how"},
    {"sizes", TARE_ATTR_INTS, offsetof(options, sizes), 1, 100, "3-4", "how large"},
    {"shape", TARE_ATTR_CHOICE, offsetof(options, shape), 0, 0, "round|square|oblong|", "which form"},
    {"dtype", TARE_ATTR_DTYPE, offsetof(options, dtype), TARE_F64, TARE_U8, "int32", "of what"},
};
enum { N_ATTRS = sizeof attrs / sizeof *attrs };

static tare_status parse(const char *text, options *o)
{
    *o = (options){.guard = 0x5a5a};
    tare_status status = tare_attr_parse("thing", attrs, N_ATTRS, text, o);
    ck_assert_uint_eq(o->guard, 0x5a5a);
    return status;
}

START_TEST(defaults_and_values)
{
    options o;
    must(parse(NULL, &o));
    ck_assert(o.count == 3 && o.rate == 0.25 && !o.fast && o.sizes.n == 2 && o.sizes.at[1] == 4);
    must(parse("", &o));
    ck_assert_int_eq(o.count, 3);
    must(parse("sizes=1-2-3-4-5-6-7-100,fast=true,rate=1e-3,count=-5", &o));
    ck_assert(o.count == -5 && o.rate == 1e-3 && o.fast && o.sizes.n == 8 && o.sizes.at[7] == 100);
    ck_assert_int_eq(o.shape, 0);
    must(parse("shape=oblong", &o));
    ck_assert_int_eq(o.shape, 2);
    must(parse("shape=round", &o));
    ck_assert_int_eq(o.shape, 0);
    ck_assert_int_eq(o.dtype, TARE_I32);
    must(parse("dtype=float64", &o));
    ck_assert_int_eq(o.dtype, TARE_F64);
    must(parse("sizes=", &o));
    ck_assert_int_eq(o.sizes.n, 0);
    must(parse("count=1,count=2", &o));
    ck_assert_int_eq(o.count, 2);
}
END_TEST

START_TEST(garbage_is_refused_with_its_owner_and_name)
{
    static const char *const bad[][2] = {
        {"count", "'count' is not name=value"},
        {"=", "no option ''"},
        {"=3", "no option ''"},
        {"count=", "thing: count is '' (need a whole number)"},
        {"count=x", "count is 'x'"},
        {"count=1.5", "something follows the value"},
        {"count=-6", "count is -6 (need -5 to 1e+06)"},
        {"count=1000001", "need -5 to 1e+06"},
        {"count=99999999999999999999", "need a whole number"},
        {"count =1", "no option 'count '"},
        {"Count=1", "no option 'Count' (there are: count, rate, fast, sizes, shape, dtype)"},
        {"rate=1.0001", "rate is 1.0001 (need 0 to 1)"},
        {"rate=nan", "rate is 'nan' (need a number)"},
        {"rate=inf", "rate is inf"},
        {"rate=", "need a number"},
        {"rate=0.5.5", "something follows"},
        {"fast=1", "fast is '1' (need true or false)"},
        {"fast=TRUE", "need true or false"},
        {"sizes=3-", "need numbers joined by -"},
        {"sizes=-3", "sizes is -3 (need 1 to 100)"},
        {"sizes=3--4", "sizes is -4"},
        {"sizes=3x4", "joined by -"},
        {"sizes=0", "need 1 to 100"},
        {"sizes=1-1-1-1-1-1-1-1-1", "more than 8 numbers"},
        {"shape=", "shape is '' (need one of round, square, oblong)"},
        {"shape=squar", "need one of"},
        {"shape=round|square", "shape is 'round|square'"},
        {"dtype=float32", "dtype is 'float32' (need one of float64, int32, int64, uint8)"},
        {"dtype=", "dtype is ''"},
        {"dtype=int", "dtype is 'int'"},
        {"count=1,", "nothing follows the last comma"},
        {",", "'' is not name=value"},
        {"count=1,,fast=true", "'' is not name=value"},
    };
    options o;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        expect_error(parse(bad[i][0], &o), TARE_BAD_ARGUMENT, bad[i][1]);
        ck_assert_int_eq(strncmp(tare_error_text(), "thing: ", 7), 0);
    }
    char wide[400] = "count=";
    memset(wide + 6, '0', 300);
    expect_error(parse(wide, &o), TARE_BAD_ARGUMENT, "is not name=value");
    expect_error(tare_attr_parse("bare", NULL, 0, "a=1", NULL), TARE_BAD_ARGUMENT,
                 "bare: no option 'a' (there are: none)");
    must(tare_attr_parse("bare", NULL, 0, "", NULL));
}
END_TEST

static bool same(const options *a, const options *b)
{
    bool ints = a->sizes.n == b->sizes.n;
    for (int i = 0; ints && i < a->sizes.n; ++i)
        ints = a->sizes.at[i] == b->sizes.at[i];
    return ints && a->count == b->count && a->rate == b->rate && a->fast == b->fast && a->shape == b->shape &&
           a->dtype == b->dtype;
}

static void round_trip(const options *o)
{
    char text[512];
    options back;
    must(parse(tare_attr_print(attrs, N_ATTRS, o, text, sizeof text), &back));
    ck_assert_msg(same(o, &back), "%s", text);
}

START_TEST(what_is_printed_is_read_back_and_no_room_is_overrun)
{
    options o;
    must(parse("count=-5,rate=0.1,fast=true,sizes=1-20-100", &o));
    round_trip(&o);
    char full[512], text[512];
    (void)tare_attr_print(attrs, N_ATTRS, &o, full, sizeof full);
    ck_assert_str_eq(full, "count=-5,rate=0.10000000000000001,fast=true,sizes=1-20-100,shape=round,dtype=int32");
    for (size_t room = 1; room <= strlen(full) + 1; ++room) {
        memset(text, '#', sizeof text);
        (void)tare_attr_print(attrs, N_ATTRS, &o, text, room);
        ck_assert_uint_lt(strlen(text), room);
        ck_assert_int_eq(strncmp(text, full, strlen(text)), 0);
        for (size_t i = room; i < sizeof text; ++i)
            ck_assert_int_eq(text[i], '#');
    }
}
END_TEST

START_TEST(mutations_are_read_or_refused)
{
    static const char seed_text[] = "count=17,rate=0.5,fast=true,sizes=3-4-5", letters[] = "=,-.e+019xnaif tru\t\x7f";
    uint64_t state = 1;
    int read = 0, refused = 0;
    for (int round = 0; round < 20000; ++round) {
        char text[64];
        size_t n = sizeof seed_text - 1;
        memcpy(text, seed_text, n + 1);
        for (int k = 0; k <= round % 4; ++k) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            size_t at = (size_t)(state >> 33) % n;
            if (state >> 60 < 4 && n > 2) {
                memmove(text + at, text + at + 1, n - at);
                --n;
            } else {
                text[at] = letters[(state >> 20) % (sizeof letters - 1)];
            }
        }
        options o;
        if (parse(text, &o) == TARE_OK) {
            ck_assert(o.count >= -5 && o.count <= 1000000 && o.rate >= 0 && o.rate <= 1);
            ck_assert(o.sizes.n >= 0 && o.sizes.n <= TARE_INTS);
            for (int i = 0; i < o.sizes.n; ++i)
                ck_assert(o.sizes.at[i] >= 1 && o.sizes.at[i] <= 100);
            round_trip(&o);
            ++read;
        } else {
            ck_assert_int_eq(strncmp(tare_error_text(), "thing: ", 7), 0);
            ++refused;
        }
    }
    ck_assert_int_gt(read, 200);
    ck_assert_int_gt(refused, 500);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("attributes");
    tcase_add_test(tests, defaults_and_values);
    tcase_add_test(tests, garbage_is_refused_with_its_owner_and_name);
    tcase_add_test(tests, what_is_printed_is_read_back_and_no_room_is_overrun);
    tcase_add_test(tests, mutations_are_read_or_refused);
    return spine_run("attributes", &tests, 1);
}
