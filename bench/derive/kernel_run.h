/* kernel_run.h - one kernel variant run on a case outside any mode, between guards. */
#ifndef TARE_BENCH_KERNEL_RUN_H
#define TARE_BENCH_KERNEL_RUN_H

#include "case.h"
#include "findings.h"

/* How a kernel is called. */
typedef struct {
    bool reversed;   /* pieces in descending order */
    size_t offset;   /* elements from an aligned address at which each array begins */
    uint32_t shared; /* bit o: output o lies on the input that it may overwrite or is tied to */
    uint32_t absent; /* beyond the case's */
    uint64_t apart;  /* bit k: the rows of operand k (inputs, then outputs) lie apart; between them is 0xff */
} tare__manner;

typedef struct {
    tare_status status; /* of inference */
    int error;          /* of the kernel */
    int n;              /* outputs and auxiliaries */
    tare_desc d[TARE__CASE_OUTPUTS];
    void *data[TARE__CASE_OUTPUTS]; /* NULL: absent */
} tare__kernel_out;

/* The input that output o may lie on, from 1; 0: none. */
static inline int tare__input_under(const tare_op *op, int o)
{
    return o >= TARE_OPERANDS ? 0 : op->ties[o] ? op->ties[o] : op->overwrites[o];
}

/* The rows of dimension 0 put apart. */
void tare__rows_apart(tare_desc *);

/* Infers, prepares and runs one variant. A write to an input, outside the arrays or between rows is a fault. The caller
 * ends *out. */
void tare__kernel_run(tare__findings *, const tare__case *, const tare_variant *, tare__manner, tare__kernel_out *out);
void tare__kernel_out_fini(tare__kernel_out *);
/* Faults where a run of the variant, done in the way that `how` says, has other bits. */
void tare__same_bits(tare__findings *, const tare__kernel_out *is, const tare__kernel_out *wanted, const char *variant,
                     const char *how);

#endif
