/* findings.h - what the derived tests of an operator found: sentences, gathered by test. */
#ifndef TARE_BENCH_FINDINGS_H
#define TARE_BENCH_FINDINGS_H

#include "../../core/op.h"

typedef struct tare__findings tare__findings;
struct tare__findings {
    const tare_op *op;
    const tare_sample *of; /* NULL: about the operator as a whole */
    int n_tests;
    int n;           /* faults in all */
    char text[4096]; /* of each a line, as far as there is room */
    /* Hears of the end of each test: what was tested, and the lines of its faults ("": it passed). NULL: nobody does.
     */
    void (*hear)(void *owner, const tare__findings *, const char *test, const char *faults);
    void *owner;
    size_t told; /* of the text */
};

/* One fault of the test under way. */
void tare__fault(tare__findings *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The test under way has ended: it was this one. */
void tare__tested(tare__findings *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
