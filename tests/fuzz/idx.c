/* idx.c - fuzz target: IDX files, compressed ones too. */
#include "../../data/idx.h"

#include "array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_array(data, size, 1, tare_idx_read, tare_idx_write);
    return 0;
}
