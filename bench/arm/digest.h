/* digest.h - what a setting computed, and which kernels it called, as 64-bit numbers to be compared.
 *
 * FNV-1a, 64 bits (G. Fowler, L. Noll, K. Vo; draft-eastlake-fnv) over the values' bytes as they lie in memory. Results
 * come from a run of their own, some steps from the seed: loss, outputs and gradients of every step, parameters and
 * state (the net's and the optimizer's) after the last. */
#ifndef TARE_BENCH_DIGEST_H
#define TARE_BENCH_DIGEST_H

#include "arm.h"

uint64_t tare__fnv(uint64_t hash, const void *bytes, size_t n);
extern const uint64_t tare__fnv_start;

/* X(name): what is hashed. */
#define TARE__DIGESTS(X) X(loss) X(outputs) X(gradients) X(parameters) X(state)

typedef struct {
    uint64_t hash;
    const char *why; /* why there is none; NULL: there is one */
} tare__hash;

typedef struct {
#define TARE__DIGEST_FIELD(name) tare__hash name;
    TARE__DIGESTS(TARE__DIGEST_FIELD)
#undef TARE__DIGEST_FIELD
    char suspect[160]; /* a non-finite value, a constant tensor: the first one, in words; "": none */
} tare__digest;

/* Fills the resident batch for a step; NULL stands for the batch of the seed in every step. */
typedef tare_status tare__feed(void *owner, tare__arm *, int step);

/* Runs `steps` steps of the setting from the seed. */
tare_status tare__digest_run(const tare__task *, const tare__setting *, int steps, tare__feed *, void *owner,
                             tare__digest *out);

/* Hash over the sequence (operator, variant, shapes) of a step's kernel calls; runs one step of a prepared arm. *n: how
 * many calls. The calls of a plan are taken as its program has them, in whichever order it runs them (the factor
 * order). */
tare_status tare__calls_digest(tare__arm *, uint64_t *hash, int *n);

/* True where both have the same hashes; else *what names the first that differs. What one cannot show is no
 * difference. */
bool tare__digest_equal(const tare__digest *a, const tare__digest *b, const char **what);

/* {"loss": "0123456789abcdef", ...}, null where there is none, with reasons; a new object. */
json_t *tare__digest_json(const tare__digest *);
/* 16 digits into text (17 bytes), returned; "-" where there is none. */
const char *tare__hash_text(const tare__hash *, char *text);

#endif
