/* npy.c - fuzz target: .npy files, compressed ones too. */
#include "../../data/npy.h"

#include "array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_array(data, size, 0, tare_npy_read, tare_npy_write);
    return 0;
}
