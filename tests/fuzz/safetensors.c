/* safetensors.c - fuzz target: named arrays and metadata. */
#include "../../data/safetensors.h"

#include "array.h"

static void claim_same(const tare_tensors *a, const tare_tensors *b)
{
    FUZZ_CLAIM(a->n == b->n && a->n_metadata == b->n_metadata);
    for (int i = 0; i < a->n; ++i) {
        const tare_array *other = tare_tensors_find(b, a->tensor[i].name);
        FUZZ_CLAIM(other);
        fuzz_claim_same_arrays(&a->tensor[i].array, other);
    }
    for (int i = 0; i < a->n_metadata; ++i) {
        const char *other = tare_tensors_text(b, a->metadata[i].key);
        FUZZ_CLAIM(other && strcmp(a->metadata[i].text, other) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tare_memory memory = {0};
    tare_tensors set = {0}, again = {0};
    tare_status status = tare_safetensors_read(&memory, fuzz_put("in", data, size), &set);
    FUZZ_CLAIM(status == TARE_OK || status == TARE_BAD_FILE);
    if (status == TARE_OK) {
        FUZZ_OK(tare_safetensors_write(&memory, fuzz_path("out"), &set));
        FUZZ_OK(tare_safetensors_read(&memory, fuzz_path("out"), &again));
        claim_same(&set, &again);
    }
    tare_safetensors_free(&memory, &set);
    tare_safetensors_free(&memory, &again);
    fuzz_claim_nothing_lost(&memory);
    return 0;
}
