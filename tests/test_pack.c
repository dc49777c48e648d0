/* test_pack.c - packing as a pure function: valid, never below the bound, the same every time, near the best where that
 * can be found; and the verifier finds what is wrong. */
#include "spine.h"

static tare_runtime *rt;
static const tare_packer *packer;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    packer = tare_find(rt, TARE_KIND_PACKER, "greedy");
    ck_assert_ptr_nonnull(packer);
}

static void teardown(void)
{
    spine_end(rt);
}

static uint64_t state;
static int64_t below(int64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)n);
}

/* Empty lifetimes and empty blocks are among them. */
static void fill(tare_interval *v, int n, int64_t times, int64_t bytes)
{
    for (int i = 0; i < n; ++i) {
        int64_t lower = below(times);
        v[i] = (tare_interval){lower, lower + below(times / 2 + 1), below(10) ? below(bytes) : 0, -1};
    }
}

static int64_t up(int64_t x, int64_t alignment)
{
    return (x + alignment - 1) / alignment * alignment;
}

/* The most bytes live at any time, by looking at every time. */
static int64_t peak(const tare_interval *v, int n, int64_t times, int64_t alignment)
{
    int64_t most = 0;
    for (int64_t t = 0; t < 2 * times; ++t) {
        int64_t live = 0;
        for (int i = 0; i < n; ++i)
            live += v[i].lower <= t && t < v[i].upper ? up(v[i].bytes, alignment) : 0;
        most = live > most ? live : most;
    }
    return most;
}

static bool clash(const tare_interval *a, const tare_interval *b)
{
    return a->lower < b->upper && b->lower < a->upper && a->lower < a->upper && b->lower < b->upper &&
           a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

START_TEST(random_packings_are_valid_bounded_and_repeatable)
{
    enum { MOST = 120 };
    tare_interval v[MOST], again[MOST];
    for (int round = 0; round < 600; ++round) {
        state = (uint64_t)round;
        int n = (int)below(round % 10 ? 30 : MOST);
        int64_t times = 1 + below(40), alignment = INT64_C(1) << below(8);
        fill(v, n, times, 1 + below(5000));
        memcpy(again, v, sizeof v);
        int64_t height = packer->pack(&rt->memory, v, n, alignment);
        int64_t bound = tare_pack_lower_bound(&rt->memory, v, n, alignment);
        ck_assert_int_eq(bound, peak(v, n, times, alignment));
        ck_assert_int_ge(height, bound);
        must(tare_pack_verify(&rt->memory, v, n, alignment, height));
        for (int i = 0; i < n; ++i) {
            ck_assert_int_eq(v[i].offset % alignment, 0);
            ck_assert_int_ge(v[i].offset, 0);
            ck_assert_int_le(v[i].offset + v[i].bytes, height);
            for (int k = 0; k < i; ++k)
                ck_assert_msg(!clash(&v[i], &v[k]), "round %d: %d and %d", round, i, k);
        }
        ck_assert_int_eq(packer->pack(&rt->memory, again, n, alignment), height);
        for (int i = 0; i < n; ++i)
            ck_assert_int_eq(again[i].offset, v[i].offset);
    }
}
END_TEST

/* ---- small ones against the best
 * -----------------------------------------------------------------------------------*/
/* Some best packing puts each block, in the order of offsets, on 0 or on the top of one placed before: try all. */
static int64_t best_height(tare_interval *v, int n, int placed, int64_t height, int64_t best)
{
    if (height >= best)
        return best;
    if (placed == n)
        return height;
    for (int i = placed; i < n; ++i) {
        tare_interval chosen = v[i];
        v[i] = v[placed];
        for (int on = -1; on < placed; ++on) {
            chosen.offset = on < 0 ? 0 : v[on].offset + v[on].bytes;
            bool fits = true;
            for (int k = 0; k < placed && fits; ++k)
                fits = !clash(&chosen, &v[k]);
            v[placed] = chosen;
            int64_t top = chosen.lower < chosen.upper && chosen.offset + chosen.bytes > height
                              ? chosen.offset + chosen.bytes
                              : height;
            tare_interval kept = v[placed];
            if (fits)
                best = best_height(v, n, placed + 1, top, best);
            v[placed] = kept;
        }
        v[placed] = v[i];
        v[i] = chosen;
    }
    return best;
}

START_TEST(small_packings_are_near_the_best)
{
    int optimal = 0, all = 0;
    for (int round = 0; round < 60; ++round) {
        tare_interval v[6], trial[6];
        state = 7000 + (uint64_t)round;
        int n = 1 + (int)below(6);
        for (int i = 0; i < n; ++i) {
            int64_t lower = below(6);
            v[i] = (tare_interval){lower, lower + 1 + below(4), 64 * (1 + below(6)), 0};
        }
        memcpy(trial, v, sizeof v);
        int64_t height = packer->pack(&rt->memory, v, n, 64), best = best_height(trial, n, 0, 0, INT64_MAX);
        int64_t bound = tare_pack_lower_bound(&rt->memory, v, n, 64);
        ck_assert_int_ge(best, bound);
        ck_assert_int_ge(height, best);
        ck_assert_int_le(height * 2, best * 3);
        optimal += height == best;
        ++all;
    }
    ck_assert_int_ge(optimal * 100, all * 95);
}
END_TEST

/* ---- the verifier
 * --------------------------------------------------------------------------------------------------*/
START_TEST(verify_finds_overlap_misalignment_and_bounds)
{
    const tare_interval good[] = {{0, 4, 100, 0}, {2, 6, 64, 128}, {4, 8, 128, 0}, {6, 7, 10, 128}, {3, 3, 999, 0}};
    enum { N = sizeof good / sizeof *good };
    must(tare_pack_verify(NULL, good, N - 1, 64, 192));
    must(tare_pack_verify(NULL, good, 0, 64, 0));
    const struct {
        int block;
        int64_t offset;
        const char *part;
    } bad[] = {{1, 64, "intervals 0 and 1 meet"},
               {1, 0, "meet"},
               {3, 64, "meet in time and space"},
               {1, 130, "does not fit"},
               {1, 192, "does not fit"},
               {0, -64, "interval 0 at -64 does not fit"},
               {2, 128, "meet"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        tare_interval v[N];
        memcpy(v, good, sizeof v);
        v[bad[i].block].offset = bad[i].offset;
        expect_error(tare_pack_verify(NULL, v, N - 1, 64, 192), TARE_IMPOSSIBLE, bad[i].part);
    }
    expect_error(tare_pack_verify(NULL, good, N - 1, 64, 191), TARE_IMPOSSIBLE, "does not fit");
}
END_TEST

START_TEST(every_packing_moved_into_a_clash_is_found)
{
    int found = 0;
    for (int round = 0; round < 500; ++round) {
        tare_interval v[20];
        state = (uint64_t)round;
        fill(v, 20, 10, 600);
        int64_t height = packer->pack(NULL, v, 20, 64);
        int i = (int)below(20);
        v[i].offset = 64 * below(height / 64 + 1);
        bool bad = v[i].offset + v[i].bytes > height;
        for (int k = 0; k < 20; ++k)
            bad |= k != i && clash(&v[i], &v[k]);
        tare_status status = tare_pack_verify(NULL, v, 20, 64, height);
        ck_assert_msg((status != TARE_OK) == bad, "round %d: %s", round, tare_error_text());
        found += bad;
    }
    ck_assert_int_gt(found, 100);
}
END_TEST

START_TEST(without_memory_packers_say_so)
{
    tare_interval v[3] = {{0, 1, 64, 0}, {0, 2, 64, 0}, {1, 2, 64, 0}};
    tare_memory memory = {0};
    for (int64_t k = 1; k <= 3; ++k) {
        memory.fail_at = memory.n_requests + k;
        ck_assert_int_eq(packer->pack(&memory, v, 3, 64), -1);
        ck_assert_int_eq(memory.n_live, 0);
    }
    memory.fail_at = memory.n_requests + 1;
    ck_assert_int_eq(tare_pack_lower_bound(&memory, v, 3, 64), -1);
    ck_assert_int_eq(tare_pack_verify(&memory, v, 3, 64, 192), TARE_NO_MEMORY);
    memory.fail_at = 0;
    ck_assert_int_eq(packer->pack(&memory, v, 3, 64), 128);
    ck_assert_int_eq(memory.n_live, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("pack");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, random_packings_are_valid_bounded_and_repeatable);
    tcase_add_test(tests, small_packings_are_near_the_best);
    tcase_add_test(tests, verify_finds_overlap_misalignment_and_bounds);
    tcase_add_test(tests, every_packing_moved_into_a_clash_is_found);
    tcase_add_test(tests, without_memory_packers_say_so);
    return spine_run("pack", &tests, 1);
}
