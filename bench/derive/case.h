/* case.h - a record's sample case ("f32[3,5] i32[3]<0,5> -") as descs, attributes and numbers.
 *
 * The numbers depend on the sample alone. Floating ones are float32 numbers in every width, so that a float64 run of
 * the same sample has the same inputs. Integers lie in [low, high), others between low and high. */
#ifndef TARE_BENCH_CASE_H
#define TARE_BENCH_CASE_H

#include "../../core/runtime.h"

enum { TARE__CASE_INPUTS = TARE_VARIABLE, TARE__CASE_OUTPUTS = TARE_VARIABLE };
typedef struct {
    const tare_op *op;
    const tare_sample *of;
    tare_runtime *runtime; /* whose kernels are run by themselves; NULL until then */
    int n_in;
    bool present[TARE__CASE_INPUTS];
    tare_desc d[TARE__CASE_INPUTS];
    double low[TARE__CASE_INPUTS], high[TARE__CASE_INPUTS];
    void *data[TARE__CASE_INPUTS];
    uint32_t absent;    /* outputs tied to an absent input are absent */
    tare_status status; /* of its attributes; the text is the thread's */
    const void *attr;   /* NULL: the operator has none */
    char attr_bytes[256] __attribute__((aligned(8)));
} tare__case;

/* A dtype as a sample writes it. */
extern const char *const tare__case_dtypes[TARE_DTYPE_COUNT];

/* op NULL: the inputs alone. wide: float64 in place of float32. false: the shapes cannot be read (free it all the
 * same). */
bool tare__case_init(tare__case *, const tare_op *, const tare_sample *, bool wide);
/* The same without data. */
bool tare__case_read(tare__case *, const tare_op *, const tare_sample *, bool wide);
void tare__case_fini(tare__case *);
/* Uniform numbers between low and high from the seed, as many as d has. */
void tare__case_fill(void *at, const tare_desc *d, double low, double high, uint64_t seed);

#endif
