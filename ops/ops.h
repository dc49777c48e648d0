/* ops.h - the built-in operators as typed C functions over the mode seam, derived from the catalogue.
 *
 * tare_relu(m, x), tare_sum(m, x, (tare_sum_attr){...}): each applies its operator through the mode and returns the
 * first result, owned by the current scope; on error the mode's poison value, with m->error and tare_error_text() set.
 * Shapes, dtypes and formulas: docs/OPS.md, printed from the records. */
#ifndef TARE_OPS_OPS_H
#define TARE_OPS_OPS_H

#include "../core/runtime.h"
#include "catalogue.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TARE_PARAMETERS_1 tare_value *a
#define TARE_PARAMETERS_2 TARE_PARAMETERS_1, tare_value *b
#define TARE_PARAMETERS_3 TARE_PARAMETERS_2, tare_value *c
#define TARE_PARAMETERS_4 TARE_PARAMETERS_3, tare_value *d
#define TARE_PARAMETERS_5 TARE_PARAMETERS_4, tare_value *e
#define TARE_ARGUMENTS_1  a
#define TARE_ARGUMENTS_2  a, b
#define TARE_ARGUMENTS_3  a, b, c
#define TARE_ARGUMENTS_4  a, b, c, d
#define TARE_ARGUMENTS_5  a, b, c, d, e

#define TARE_DECLARE(op, n)                                                                                            \
    extern TARE_API const tare_op tare_op_##op;                                                                        \
    static inline tare_value *tare_##op(tare_mode *m, TARE_PARAMETERS_##n)                                             \
    {                                                                                                                  \
        tare_value *const in[] = {TARE_ARGUMENTS_##n};                                                                 \
        return tare_apply1(m, &tare_op_##op, NULL, in, n);                                                             \
    }
#define TARE_DECLARE_ATTR(op, n, fields)                                                                               \
    typedef struct {                                                                                                   \
        fields                                                                                                         \
    } tare_##op##_attr;                                                                                                \
    extern TARE_API const tare_op tare_op_##op;                                                                        \
    TARE_FUNCTION_##n(op, n)
#define TARE_FUNCTION_FIXED(op, n)                                                                                     \
    static inline tare_value *tare_##op(tare_mode *m, TARE_PARAMETERS_##n, tare_##op##_attr attr)                      \
    {                                                                                                                  \
        tare_value *const in[] = {TARE_ARGUMENTS_##n};                                                                 \
        return tare_apply1(m, &tare_op_##op, &attr, in, n);                                                            \
    }
#define TARE_FUNCTION_1 TARE_FUNCTION_FIXED
#define TARE_FUNCTION_2 TARE_FUNCTION_FIXED
#define TARE_FUNCTION_3 TARE_FUNCTION_FIXED
#define TARE_FUNCTION_4 TARE_FUNCTION_FIXED
#define TARE_FUNCTION_5 TARE_FUNCTION_FIXED
#define TARE_FUNCTION_MANY(op, n)                                                                                      \
    static inline tare_value *tare_##op(tare_mode *m, tare_value *const *in, int n_in, tare_##op##_attr attr)          \
    {                                                                                                                  \
        return tare_apply1(m, &tare_op_##op, &attr, in, n_in);                                                         \
    }
/* All results to out, which has room for as many as the attributes say. */
#define TARE_FUNCTION_TO_MANY(op, n)                                                                                   \
    static inline tare_status tare_##op(tare_mode *m, tare_value *a, tare_##op##_attr attr, tare_value **out)          \
    {                                                                                                                  \
        return m->apply(m, &tare_op_##op, &attr, &a, 1, out, 0);                                                       \
    }
TARE_OPERATORS(TARE_DECLARE, TARE_DECLARE_ATTR)
#undef TARE_DECLARE
#undef TARE_DECLARE_ATTR

/* A runtime with all built-in operators registered and accumulate, fill, copy named. */
TARE_API tare_status tare_start(const tare_options *, tare_runtime **out);

#ifdef __cplusplus
}
#endif
#endif
