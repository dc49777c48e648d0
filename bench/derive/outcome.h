/* outcome.h - a case run in both modes: now and on a tape, later and from a plan; outputs and gradients as bytes. */
#ifndef TARE_BENCH_OUTCOME_H
#define TARE_BENCH_OUTCOME_H

#include "../../core/capture.h"
#include "../base/elements.h"
#include "case.h"

/* What a mode made of a case: outputs and the gradients of sum(outputs * heads). */
typedef struct {
    tare_status status;
    char text[512];
    int n_out;
    tare_desc d[TARE__CASE_OUTPUTS];
    void *out[TARE__CASE_OUTPUTS];
    void *gradient[TARE__CASE_INPUTS]; /* NULL: none arrived */
} tare__outcome;
void tare__outcome_fini(tare__outcome *);

static inline bool tare__differentiable(const tare_op *op)
{
    return op->gradient && !op->stops_gradient;
}

/* An output that a head goes to. */
static inline bool tare__headed(const tare_op *op, int o, int dtype)
{
    return tare__differentiable(op) && tare__floats(dtype) && (o >= TARE_OPERANDS || !op->ties[o]);
}
void tare__head_fill(void *at, const tare_desc *, int o);

/* How a case is run now. */
typedef struct {
    bool forward_only;
    bool by_name;                        /* the operator looked up, its attributes parsed */
    const tare_capture_options *capture; /* as a captured function; NULL: applied as it is */
    /* Bit k set: operand k (inputs, outputs, auxiliaries) of the recorded node gets bytes of 0xff between forward and
     * backward, unless a spared operand shares its storage. */
    uint64_t spoil;
} tare__now;
void tare__run_now(tare_runtime *, const tare__case *, tare__now, tare__outcome *);

/* Captured, planned, replayed. */
void tare__run_later(tare_runtime *, const tare__case *, tare__outcome *);

#endif
