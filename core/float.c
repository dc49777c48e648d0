/* float.c - the floating-point environment of every run: round to nearest, denormals kept, exceptions masked. */
#include "runtime.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { NORMAL_MXCSR = 0x1f80, STICKY_FLAGS = 0x3f };

uint64_t tare_float_enter(void)
{
    uint32_t before = _mm_getcsr();
    if ((before & ~(uint32_t)STICKY_FLAGS) != NORMAL_MXCSR)
        _mm_setcsr(NORMAL_MXCSR);
    return before;
}

void tare_float_leave(uint64_t before)
{
    if ((before & ~(uint64_t)STICKY_FLAGS) != NORMAL_MXCSR)
        _mm_setcsr((uint32_t)before);
}

#elif defined(__aarch64__)

uint64_t tare_float_enter(void)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before)
        __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return before;
}

void tare_float_leave(uint64_t before)
{
    if (before)
        __asm__ volatile("msr fpcr, %0" : : "r"(before));
}

#else
#include <fenv.h>

uint64_t tare_float_enter(void)
{
    int before = fegetround();
    (void)fesetround(FE_TONEAREST);
    return (uint64_t)before;
}

void tare_float_leave(uint64_t before)
{
    (void)fesetround((int)before);
}
#endif
