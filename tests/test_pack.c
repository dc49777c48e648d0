/* test_pack.c - packing as a pure function: valid, never below the bound, the same every time, the best where that can
 * be found by trying all; and the verifier finds what is wrong. */
#include "../pack/pack.h"
#include "spine.h"

static tare_runtime *rt;
/* All of the catalogue's, and two of them by name. */
static const tare_packer *const *packers, *exact, *portfolio;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    packers = (const tare_packer *const *)rt->record[TARE_KIND_PACKER];
    ck_assert_ptr_nonnull(exact = tare_find(rt, TARE_KIND_PACKER, "exact"));
    ck_assert_ptr_nonnull(portfolio = tare_find(rt, TARE_KIND_PACKER, "portfolio"));
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
        v[i] = (tare_interval){lower, lower + below(times / 2 + 1), below(10) ? below(bytes) : 0, -1, false};
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
    return a->lower < b->upper && b->lower < a->upper && a->lower < a->upper && b->lower < b->upper && a->bytes &&
           b->bytes && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* Packs, and looks at every pair itself. */
static tare_packing packed(const tare_packer *packer, tare_interval *v, int n, tare_pack_options o)
{
    tare_packing p;
    tare_interval before[n + 1];
    memcpy(before, v, (size_t)n * sizeof *v);
    must(tare_pack(&rt->memory, packer, &o, v, n, &p));
    must(tare_pack_verify(&rt->memory, v, n, o.alignment, p.height));
    for (int i = 0; i < n; ++i) {
        ck_assert_int_eq(v[i].offset % o.alignment, 0);
        ck_assert_int_ge(v[i].offset, 0);
        ck_assert(v[i].lower == v[i].upper || v[i].offset + v[i].bytes <= p.height);
        if (v[i].fixed)
            ck_assert_int_eq(v[i].offset, before[i].offset);
        for (int k = 0; k < i; ++k)
            ck_assert_msg(!clash(&v[i], &v[k]), "%s: %d and %d", packer->name, i, k);
    }
    ck_assert_int_ge(p.height, p.bound);
    return p;
}

/* None or one would leave the tests below without meaning. */
START_TEST(there_are_packers)
{
    ck_assert_int_ge(rt->n_records[TARE_KIND_PACKER], 2);
}
END_TEST

START_TEST(random_packings_are_valid_bounded_and_repeatable)
{
    enum { MOST = 120 };
    tare_interval v[MOST], again[MOST];
    for (int round = 0; round < 200; ++round) {
        state = (uint64_t)round;
        int n = (int)below(round % 10 ? 30 : MOST);
        int64_t times = 1 + below(40), alignment = INT64_C(1) << below(8);
        fill(v, n, times, 1 + below(5000));
        memcpy(again, v, sizeof v);
        tare_pack_options o = {.alignment = alignment, .nodes = 2000};
        int64_t bound = tare_pack_lower_bound(&rt->memory, v, n, alignment);
        ck_assert_int_eq(bound, peak(v, n, times, alignment));
        tare_packing p = packed(packers[_i], v, n, o);
        ck_assert_int_ge(p.bound, bound);
        ck_assert_int_eq(packed(packers[_i], again, n, o).height, p.height);
        for (int i = 0; i < n; ++i)
            ck_assert_int_eq(again[i].offset, v[i].offset);
    }
}
END_TEST

/* A valid packing of some, whose offsets become fixed for a part of them: there is a packing of the whole again. */
START_TEST(fixed_offsets_stay)
{
    for (int round = 0; round < 100; ++round) {
        tare_interval v[40];
        state = 900 + (uint64_t)round;
        int n = 2 + (int)below(38);
        fill(v, n, 20, 3000);
        tare_pack_options o = {.alignment = 16, .nodes = 2000};
        (void)packed(portfolio, v, n, o);
        int64_t end = 0;
        for (int i = 0; i < n; ++i) {
            v[i].fixed = below(3) == 0;
            end = v[i].fixed && v[i].bytes && v[i].lower < v[i].upper && v[i].offset + up(v[i].bytes, 16) > end
                      ? v[i].offset + up(v[i].bytes, 16)
                      : end;
        }
        int64_t bound = tare_pack_lower_bound(NULL, v, n, 16), live = peak(v, n, 20, 16);
        ck_assert_int_eq(bound, live > end ? live : end);
        (void)packed(packers[_i], v, n, o);
    }
    tare_interval two[] = {{0, 4, 100, 64, true}, {2, 6, 64, 128, true}};
    tare_packing p;
    expect_error(tare_pack(NULL, packers[_i], &(tare_pack_options){.alignment = 64}, two, 2, &p), TARE_IMPOSSIBLE,
                 "intervals 0 and 1 meet");
    two[1].offset = 192;
    must(tare_pack(NULL, packers[_i], &(tare_pack_options){.alignment = 64}, two, 2, &p));
    ck_assert_int_eq(p.height, 256);
}
END_TEST

START_TEST(what_cannot_be_packed_is_refused)
{
    const struct {
        tare_interval v[2];
        int64_t alignment;
        const char *part;
    } bad[] = {{{{0, 1, 64, 0, false}, {3, 2, 64, 0, false}}, 64, "interval 1: it ends before it begins"},
               {{{0, 1, -1, 0, false}, {0, 1, 1, 0, false}}, 1, "interval 0: its size is negative"},
               {{{0, 1, INT64_MAX / 4, 0, false}, {5, 6, 1, 0, false}}, 1, "interval 1: the sizes up to it"},
               {{{0, 1, INT64_MAX, 0, false}, {5, 6, 1, 0, false}}, 64, "interval 0: the sizes up to it"},
               {{{0, 1, 64, 63, true}, {5, 6, 1, 0, false}}, 64, "cannot be fixed at 63"},
               {{{0, 1, 64, 0, false}, {5, 6, 1, -64, true}}, 64, "interval 1: it cannot be fixed at -64"},
               {{{0, 1, 64, 0, false}, {5, 6, 1, 0, false}}, -1, "nothing negative"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; ++k) {
        tare_interval v[2] = {bad[k].v[0], bad[k].v[1]};
        tare_packing p;
        expect_error(tare_pack(NULL, portfolio, &(tare_pack_options){.alignment = bad[k].alignment}, v, 2, &p),
                     TARE_BAD_ARGUMENT, bad[k].part);
    }
    tare_packing p;
    expect_error(tare_pack(NULL, NULL, NULL, NULL, 0, &p), TARE_BAD_ARGUMENT, "wants a packer");
    must(tare_pack(NULL, portfolio, NULL, NULL, 0, &p));
    ck_assert_int_eq(p.height, 0);
}
END_TEST

/* What planning is measured against: it need not be good. */
static bool is_measure(const tare_packer *packer)
{
    return strcmp(packer->name, "none") == 0 || strcmp(packer->name, "shared_object") == 0;
}

/* The greatest and the least times, the greatest sizes. */
START_TEST(extremes_are_packed)
{
    int64_t large = INT64_MAX / 16;
    tare_interval v[] = {{INT64_MIN, INT64_MAX, large, 0, false},
                         {INT64_MIN, INT64_MIN + 1, large, 0, false},
                         {INT64_MAX - 1, INT64_MAX, large, 0, false},
                         {-1, 1, 1, 0, false}};
    tare_packing p = packed(packers[_i], v, 4, (tare_pack_options){.alignment = 1});
    ck_assert_int_ge(p.height, 2 * large);
    if (!is_measure(packers[_i]))
        ck_assert_int_eq(p.height, 2 * large);
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

/* The answer of the search at every height: none below the best is claimed, and proof that there is none is never
 * wrong. The seeds make stacks, twins, equal lifetimes, fixed ones. */
START_TEST(small_packings_are_the_best)
{
    for (int round = 0; round < 160; ++round) {
        tare_interval v[7], trial[7];
        state = 7000 + (uint64_t)round;
        int n = 1 + (int)below(round % 4 ? 6 : 7);
        for (int i = 0; i < n; ++i) {
            int64_t lower = below(5);
            v[i] = (tare_interval){lower, lower + 1 + below(4), 64 * (1 + below(5)), 0, false};
        }
        int n_fixed = round % 3 ? 0 : 1 + (int)below(2);
        int64_t end = 0;
        for (int i = 0; i < n_fixed && i < n; ++i) {
            v[i].offset = 64 * below(6);
            v[i].fixed = true;
            for (int k = 0; k < i; ++k)
                v[i].offset = clash(&v[i], &v[k]) ? v[k].offset + v[k].bytes : v[i].offset;
            end = v[i].offset + v[i].bytes > end ? v[i].offset + v[i].bytes : end;
        }
        memcpy(trial, v, sizeof v);
        int64_t best = best_height(trial, n, n_fixed < n ? n_fixed : n, end, INT64_MAX);
        const tare_packer *const best_found[] = {exact, portfolio};
        for (int which = 0; which < 2; ++which) {
            tare_packing p = packed(best_found[which], v, n, (tare_pack_options){.alignment = 64, .nodes = 100000});
            ck_assert_msg(p.height == best && p.bound == best, "round %d, %s: height %lld, bound %lld, best %lld",
                          round, best_found[which]->name, (long long)p.height, (long long)p.bound, (long long)best);
        }
        tare_packing p = packed(exact, v, n, (tare_pack_options){.alignment = 64, .nodes = 100000, .goal = best});
        ck_assert_int_eq(p.height, best);
        p = packed(exact, v, n, (tare_pack_options){.alignment = 64, .nodes = 100000, .goal = best - 1});
        ck_assert_int_eq(p.bound, best);
    }
}
END_TEST

/* ---- the verifier
 * --------------------------------------------------------------------------------------------------*/
START_TEST(verify_finds_overlap_misalignment_and_bounds)
{
    const tare_interval good[] = {{0, 4, 100, 0, false},
                                  {2, 6, 64, 128, false},
                                  {4, 8, 128, 0, false},
                                  {6, 7, 10, 128, false},
                                  {3, 3, 999, 0, false}};
    enum { N = sizeof good / sizeof *good };
    must(tare_pack_verify(NULL, good, N - 1, 64, 192));
    must(tare_pack_verify(NULL, good, 0, 64, 0));
    const struct {
        int block;
        int64_t offset;
        const char *part;
    } bad[] = {{1, 64, "intervals 0 and 1 meet"}, {1, 0, "meet"},           {3, 64, "meet in time and space"},
               {1, 130, "does not fit"},          {1, 192, "does not fit"}, {0, -64, "interval 0 at -64 does not fit"},
               {2, 128, "does not fit"},          {2, 64, "meet"}};
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
        int64_t height = packed(portfolio, v, 20, (tare_pack_options){.alignment = 64}).height;
        int i = (int)below(20);
        v[i].offset = 64 * below(height / 64 + 1);
        bool bad = v[i].lower < v[i].upper && v[i].offset + v[i].bytes > height;
        for (int k = 0; k < 20; ++k)
            bad |= k != i && clash(&v[i], &v[k]);
        tare_status status = tare_pack_verify(NULL, v, 20, 64, height);
        ck_assert_msg((status != TARE_OK) == bad, "round %d: %s", round, tare_error_text());
        found += bad;
    }
    ck_assert_int_gt(found, 100);
}
END_TEST

/* Every allocation fails in turn, in a problem that needs a search and ends in its midst. */
START_TEST(without_memory_packers_say_so)
{
    enum { N = 60 };
    tare_interval v[N], trial[N];
    tare_memory memory = {0};
    tare_pack_options o = {.alignment = 64, .nodes = 3000};
    tare_packing p;
    state = 3;
    fill(v, N, 30, 4000);
    v[0].fixed = true;
    v[0].offset = 64;
    for (int64_t k = 1, done = 0; !done; ++k) {
        memcpy(trial, v, sizeof v);
        memory.fail_at = memory.n_requests + k;
        tare_status status = tare_pack(&memory, packers[_i], &o, trial, N, &p);
        done = memory.n_requests < memory.fail_at;
        ck_assert_int_eq(status, done ? TARE_OK : TARE_NO_MEMORY);
        ck_assert_int_eq(memory.n_live, 0);
        ck_assert(!done || k > 5);
    }
    for (int64_t k = 1; k <= 2; ++k) {
        memory.fail_at = memory.n_requests + k;
        ck_assert_int_eq(tare_pack_verify(&memory, trial, N, 64, p.height), TARE_NO_MEMORY);
    }
    memory.fail_at = memory.n_requests + 1;
    ck_assert_int_eq(tare_pack_lower_bound(&memory, v, N, 64), -1);
    ck_assert_int_eq(memory.n_live, 0);
}
END_TEST

static bool stop_at_once(void *asked)
{
    ++*(int *)asked;
    return true;
}

START_TEST(a_search_ends_when_it_is_told_to)
{
    enum { N = 100 };
    tare_interval v[N];
    int asked = 0;
    state = 11;
    fill(v, N, 30, 100000);
    tare_packing p =
        packed(packers[_i], v, N,
               (tare_pack_options){.alignment = 1, .nodes = INT64_MAX, .stop = stop_at_once, .owner = &asked});
    ck_assert(asked == 1 || p.height == p.bound || p.nodes == 0); /* who searches nothing asks nobody */
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("pack");
    int n_packers = 0;
    if (tare_runtime_new(&(tare_options){.threads = 1}, &rt) == TARE_OK && tare_pack_register(rt) == TARE_OK)
        n_packers = rt->n_records[TARE_KIND_PACKER];
    (void)tare_runtime_free(rt);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, there_are_packers);
    tcase_add_loop_test(tests, random_packings_are_valid_bounded_and_repeatable, 0, n_packers);
    tcase_add_loop_test(tests, fixed_offsets_stay, 0, n_packers);
    tcase_add_test(tests, what_cannot_be_packed_is_refused);
    tcase_add_loop_test(tests, extremes_are_packed, 0, n_packers);
    tcase_add_test(tests, small_packings_are_the_best);
    tcase_add_test(tests, verify_finds_overlap_misalignment_and_bounds);
    tcase_add_test(tests, every_packing_moved_into_a_clash_is_found);
    tcase_add_loop_test(tests, without_memory_packers_say_so, 0, n_packers);
    tcase_add_loop_test(tests, a_search_ends_when_it_is_told_to, 0, n_packers);
    return spine_run("pack", &tests, 1);
}
