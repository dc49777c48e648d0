/* test_storage.c - the caching pool: reuse by size, what it wastes, exact books, trim; and plain storage without it. */
#include "spine.h"

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

static int64_t up(int64_t bytes)
{
    return bytes ? (bytes + 63) / 64 * 64 : 64;
}

static tare_storage *take(int64_t bytes)
{
    tare_storage *s = tare_storage_take(rt, TARE_MEMORY_WORK, (size_t)bytes);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq((uintptr_t)s->base % TARE_ALIGNMENT, 0);
    ck_assert_int_eq(s->refs, 1);
    memset(s->base, 0xab, (size_t)bytes); /* for the address sanitizer */
    return s;
}

START_TEST(each_size_has_its_books_and_comes_back)
{
    for (int64_t base = 1; base < INT64_C(1) << 22; base *= 2) {
        for (int64_t bytes = base - 65; bytes <= base + 65; bytes += bytes < base - 1 ? 64 : 1) {
            if (bytes < 0)
                continue;
            int64_t live = rt->work_bytes_live, reserved = rt->reserved_bytes;
            tare_storage *s = take(bytes);
            void *block = s->base;
            ck_assert_int_eq(rt->work_bytes_live, live + up(bytes));
            int64_t size = rt->reserved_bytes - reserved;
            ck_assert_msg(size == 0 || (size >= up(bytes) && size - up(bytes) <= up(bytes) / 8),
                          "%lld in a block of %lld", (long long)bytes, (long long)size);
            ck_assert_msg(size == 0 || bytes > 65536 || size == up(bytes), "exact up to 64 KiB: %lld",
                          (long long)bytes);
            tare_storage_release(s);
            ck_assert_int_eq(rt->work_bytes_live, live);
            int64_t requests = rt->memory.n_requests;
            s = take(bytes); /* the same block at once */
            ck_assert_ptr_eq(s->base, block);
            ck_assert_int_eq(rt->memory.n_requests, requests);
            tare_storage_release(s);
            if (bytes >= 64 * 1024)
                break; /* the large ones once a power */
        }
        if (base >= 64 * 1024)
            tare_runtime_trim(rt);
    }
    tare_runtime_trim(rt);
    ck_assert_int_eq(rt->reserved_bytes, 0);
    ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_WORK], 0);
}
END_TEST

START_TEST(classes_above_64_kib_share_blocks_of_one_size)
{
    const int64_t unit = 64;
    for (int64_t power = 1024; power <= 16384; power *= 2) {
        for (int64_t eighth = 0; eighth < 8; ++eighth) {
            int64_t low = (power + power / 8 * eighth + 1) * unit, high = (power + power / 8 * (eighth + 1)) * unit;
            tare_storage *s = take(low);
            void *block = s->base;
            ck_assert_int_eq(rt->reserved_bytes, high);
            tare_storage_release(s);
            s = take(high); /* the class's largest */
            ck_assert_ptr_eq(s->base, block);
            ck_assert_int_eq(rt->reserved_bytes, high);
            tare_storage *next = take(high + 1); /* the next class has none yet */
            ck_assert_ptr_ne(next->base, block);
            tare_storage_release(next);
            tare_storage_release(s);
            tare_runtime_trim(rt);
            ck_assert_int_eq(rt->reserved_bytes, 0);
        }
    }
}
END_TEST

START_TEST(random_traffic_keeps_the_books)
{
    enum { SLOTS = 64 };
    tare_storage *slot[SLOTS] = {0};
    int64_t size[SLOTS] = {0}, live = 0, peak = 0;
    uint64_t state = 3;
    for (int round = 0; round < 4000; ++round) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        int at = (int)(state >> 40) % SLOTS;
        if (slot[at]) {
            for (int64_t i = 0; i < size[at]; i += 997)
                ck_assert_int_eq(((uint8_t *)slot[at]->base)[i], at);
            tare_storage_release(slot[at]);
            slot[at] = NULL;
            live -= up(size[at]);
        } else {
            size[at] = (int64_t)((state >> 20) % (state >> 63 ? 2000 : 100000));
            slot[at] = tare_storage_take(rt, TARE_MEMORY_WORK, (size_t)size[at]);
            memset(slot[at]->base, at, (size_t)size[at]);
            live += up(size[at]);
            peak = live > peak ? live : peak;
        }
        ck_assert_int_eq(rt->work_bytes_live, live);
        if (round % 1000 == 999)
            tare_runtime_trim(rt);
        ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_WORK], rt->reserved_bytes);
    }
    ck_assert_int_eq(rt->work_bytes_peak, peak);
    for (int at = 0; at < SLOTS; ++at)
        tare_storage_release(slot[at]);
}
END_TEST

START_TEST(only_work_is_pooled)
{
    for (int category = 0; category < TARE_MEMORY_CATEGORY_COUNT; ++category) {
        if (category == TARE_MEMORY_WORK || category == TARE_MEMORY_RECORD)
            continue;
        tare_storage *s = tare_storage_take(rt, (tare_memory_category)category, 1000);
        ck_assert_int_eq(s->bin, TARE_BIN_NONE);
        ck_assert_int_eq(rt->memory.bytes_live[category], 1024);
        ck_assert_int_eq(rt->work_bytes_live, 0);
        tare_storage_release(s);
        ck_assert_int_eq(rt->memory.bytes_live[category], 0);
    }
    tare_storage_release(NULL);
}
END_TEST

START_TEST(plain_storage_goes_back_at_once)
{
    tare_runtime *plain = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_MALLOC);
    for (size_t bytes = 0; bytes < 200000; bytes = bytes * 3 + 1) {
        tare_storage *s = tare_storage_take(plain, TARE_MEMORY_WORK, bytes);
        ck_assert_int_eq(plain->work_bytes_live, up((int64_t)bytes));
        tare_storage_release(s);
        ck_assert_int_eq(plain->work_bytes_live, 0);
        ck_assert_int_eq(plain->reserved_bytes, 0);
        ck_assert_int_eq(plain->memory.bytes_live[TARE_MEMORY_WORK], 0);
    }
    spine_end(plain);
}
END_TEST

START_TEST(a_failed_take_changes_no_book)
{
    tare_storage_release(take(100));
    tare_runtime_trim(rt);
    int64_t live = rt->memory.n_live;
    rt->memory.fail_at = rt->memory.n_requests + 1;
    ck_assert_ptr_null(tare_storage_take(rt, TARE_MEMORY_WORK, 100));
    ck_assert_ptr_null(tare_storage_take(rt, TARE_MEMORY_WORK, SIZE_MAX / 4));
    ck_assert_int_eq(rt->work_bytes_live, 0);
    ck_assert_int_eq(rt->reserved_bytes, 0);
    rt->memory.fail_at = 0;
    ck_assert_int_eq(rt->memory.n_live, live);
    tare_storage_release(take(100));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("storage");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_size_has_its_books_and_comes_back);
    tcase_add_test(tests, classes_above_64_kib_share_blocks_of_one_size);
    tcase_add_test(tests, random_traffic_keeps_the_books);
    tcase_add_test(tests, only_work_is_pooled);
    tcase_add_test(tests, plain_storage_goes_back_at_once);
    tcase_add_test(tests, a_failed_take_changes_no_book);
    return spine_run("storage", &tests, 1);
}
