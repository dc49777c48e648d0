/* saved.c - fuzz target: a saved program. The input is the structure, a zero byte, the arrays' file. */
#include "../../data/saved.h"
#include "../../nets/net.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    const char *in = fuzz_put("in.json", data, length);
    (void)fuzz_put("in.safetensors", data + length + (zero != NULL), size - length - (zero != NULL));
    tare_runtime *rt;
    tare_saved *saved = NULL, *again = NULL;
    FUZZ_OK(tare_start(NULL, &rt));
    FUZZ_OK(tare_nets_register(rt));
    tare_status status = tare_saved_read(rt, in, &saved);
    FUZZ_CLAIM(status == TARE_OK || status == TARE_BAD_FILE);
    if (status == TARE_OK) {
        const char *first = fuzz_path("first.json"), *second = fuzz_path("second.json");
        FUZZ_OK(tare_saved_write(saved, first));
        FUZZ_OK(tare_saved_read(rt, first, &again));
        FUZZ_OK(tare_saved_write(again, second));
        FUZZ_CLAIM(fuzz_same(first, second));
        FUZZ_CLAIM(fuzz_same(fuzz_path("first.safetensors"), fuzz_path("second.safetensors")));
    }
    tare_saved_free(saved);
    tare_saved_free(again);
    FUZZ_CLAIM(tare_runtime_free(rt) == 0);
    return 0;
}
