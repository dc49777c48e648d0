/* cpu.c - the CPU as a device: synchronous, host visible, memory from the one allocator, pieces to the runtime's
 * workers where it has any. */
#include <string.h>
#include <sys/mman.h>

#include "runtime.h"
#include "runtime_private.h"
#include "threads.h"

typedef struct {
    tare_device device;    /* first */
    tare_threads *threads; /* NULL: the calling thread alone */
} cpu;

enum { HUGE = 2 << 20, LARGE = 2 * HUGE };

/* A block of LARGE bytes or more may lie in huge pages: big nets go through hundreds of MiB a step, and misses of the
 * translation buffer were 2 to 6 % of alexnet's. Advice alone: where the system gives none, nothing is lost. */
static void advise(void *block, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const size_t before = (HUGE - (uintptr_t)block % HUGE) % HUGE;
    (void)madvise((char *)block + before, (bytes - before) / HUGE * HUGE, MADV_HUGEPAGE);
#else
    (void)block;
    (void)bytes;
#endif
}

static void *cpu_alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    void *block = tare_memory_take(&d->runtime->memory, category, bytes);
    if (block && bytes >= LARGE)
        advise(block, bytes);
    return block;
}

static void cpu_free(tare_device *d, tare_memory_category category, void *block, size_t bytes)
{
    tare_memory_give(&d->runtime->memory, category, block, bytes);
}

tare_status tare__cpu_copy(tare_device *d, void *to, const void *from, size_t bytes, tare_copy_direction direction)
{
    (void)d;
    (void)direction;
    if (bytes)
        memmove(to, from, bytes);
    return TARE_OK;
}

static tare_status cpu_run(tare_device *d, const tare_call *calls, int n, int *failed)
{
    d->runtime->counts.kernel_calls += n;
    for (const tare_call *c = calls, *end = calls + n; c < end; ++c) {
        int error = c->n_pieces == 1 ? c->run(c, 0, 0) : tare__threads_run(((const cpu *)d)->threads, c);
        if (__builtin_expect(error, 0)) {
            *failed = (int)(c - calls);
            return TARE_BAD_DATA;
        }
    }
    return TARE_OK;
}

static tare_status cpu_wait(tare_device *d)
{
    (void)d;
    return TARE_OK;
}

static void cpu_close(tare_device *d)
{
    tare__threads_free(((cpu *)d)->threads);
    tare_memory_give(&d->runtime->memory, TARE_MEMORY_RECORD, d, sizeof(cpu));
}

tare_status tare__cpu_open(tare_runtime *rt, tare_device **out)
{
    cpu *d = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, sizeof *d);
    if (!d)
        return TARE_NO_MEMORY;
    *d = (cpu){.device = {.abi = TARE_DEVICE_ABI,
                          .close = cpu_close,
                          .name = "cpu",
                          .host_visible = true,
                          .synchronous = true,
                          .direct = true,
                          .alloc = cpu_alloc,
                          .free = cpu_free,
                          .copy = tare__cpu_copy,
                          .run = cpu_run,
                          .wait = cpu_wait,
                          .runtime = rt}};
    tare_status status = TARE_OK;
    if (rt->options.threads > 1)
        status = tare__threads_new(rt, rt->options.threads, &rt->counts.locks, &d->threads);
    if (status == TARE_OK)
        *out = &d->device;
    else
        cpu_close(&d->device);
    return status;
}

tare_isa tare__cpu_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return TARE_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return TARE_ISA_AVX2;
#endif
    return TARE_ISA_PORTABLE;
}
