/* cifar.c - fuzz target: CIFAR-10's binary files, compressed ones too. What was read is, as records again, read the
 * same, and is all that a file without compression holds. */
#include "../../data/cifar.h"

#include "array.h"

/* The records of x and y, the caller's to free. */
static uint8_t *records_of(const tare_array *x, const tare_array *y, size_t *n)
{
    const size_t step = 1 + TARE_CIFAR_PIXELS;
    *n = y->bytes * step;
    uint8_t *record = malloc(*n + 1);
    FUZZ_CLAIM(record);
    for (size_t i = 0; i < y->bytes; ++i) {
        record[i * step] = ((const uint8_t *)y->data)[i];
        memcpy(record + i * step + 1, (const uint8_t *)x->data + i * TARE_CIFAR_PIXELS, TARE_CIFAR_PIXELS);
    }
    return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tare_memory memory = {0};
    tare_array x = {0}, y = {0}, x_again = {0}, y_again = {0};
    const char *path = fuzz_put("in", data, size);
    tare_status status = tare_cifar_read(&memory, &path, 1, &x, &y);
    FUZZ_CLAIM(status == TARE_OK || status == TARE_BAD_FILE);
    if (status == TARE_OK) {
        size_t n;
        uint8_t *record = records_of(&x, &y, &n);
        const bool compressed = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
        FUZZ_CLAIM(compressed || (n == size && memcmp(record, data, n) == 0));
        path = fuzz_put("out", record, n);
        FUZZ_OK(tare_cifar_read(&memory, &path, 1, &x_again, &y_again));
        fuzz_claim_same_arrays(&x, &x_again);
        fuzz_claim_same_arrays(&y, &y_again);
        free(record);
    }
    tare_array *const all[] = {&x, &y, &x_again, &y_again};
    for (int i = 0; i < 4; ++i)
        tare_array_fini(&memory, all[i]);
    fuzz_claim_nothing_lost(&memory);
    return 0;
}
