/* isa.h - the instruction set that this machine's kernels may use. */
#ifndef TARE_TESTS_ISA_H
#define TARE_TESTS_ISA_H

#include <check.h>

#include "../core/runtime.h"

static inline tare_isa best_isa(void)
{
    tare_runtime *rt;
    ck_assert_int_eq(tare_runtime_new(NULL, &rt), TARE_OK);
    tare_isa isa = rt->isa;
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    return isa;
}

#endif
