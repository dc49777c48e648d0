/* checkpoint.c - fuzz target: checkpoints. One that is refused changes nothing; one that is restored is saved again the
 * same. */
#include "../../nets/checkpoint.h"

#include "fuzz.h"

static void restore(const tare_checkpoint *all, tare_memory *memory, const char *in)
{
    const char *before = fuzz_path("before"), *after = fuzz_path("after"), *second = fuzz_path("second");
    tare_tensors file = {0}, again = {0};
    if (tare_safetensors_read(memory, in, &file) != TARE_OK)
        return;
    FUZZ_OK(tare_checkpoint_save(all, NULL, before));
    tare_status status = tare_checkpoint_restore(all, &file, in);
    FUZZ_CLAIM(status == TARE_OK || status == TARE_BAD_FILE || status == TARE_BAD_ARGUMENT);
    FUZZ_OK(tare_checkpoint_save(all, NULL, after));
    if (status == TARE_OK) {
        FUZZ_OK(tare_safetensors_read(memory, after, &again));
        FUZZ_OK(tare_checkpoint_restore(all, &again, after));
        FUZZ_OK(tare_checkpoint_save(all, NULL, second));
        FUZZ_CLAIM(fuzz_same(after, second));
    } else {
        FUZZ_CLAIM(fuzz_same(before, after));
    }
    tare_safetensors_free(memory, &file);
    tare_safetensors_free(memory, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tare_runtime *rt;
    tare_net *net;
    tare_optimizer *optimizer;
    tare_batches batches;
    FUZZ_OK(tare_start(NULL, &rt));
    FUZZ_OK(tare_nets_register(rt));
    FUZZ_OK(tare_net_new(rt, "chain:depth=1,width=2", 1, &net));
    FUZZ_OK(tare_optimizer_new(net, "adam:clip=2", &optimizer));
    FUZZ_OK(tare_batches_init(&batches, &rt->memory, 50, 4, TARE_LAST_DROP, true, 5));
    restore(&(tare_checkpoint){net, optimizer, &batches}, &rt->memory, fuzz_put("in", data, size));
    tare_batches_fini(&batches);
    tare_optimizer_free(optimizer);
    tare_net_free(net);
    FUZZ_CLAIM(tare_runtime_free(rt) == 0);
    return 0;
}
