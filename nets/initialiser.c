/* initialiser.c - the first numbers of weights, one function an initialiser. */
#include "initialiser.h"

#include <math.h>

#include "../core/random.h"

typedef struct {
    tare_memory *memory;
    int64_t n, units;
    double fan_in, fan_out, scale;
    uint64_t seed, stream;
} weight;

static tare_status uniform(const weight *w, double bound, float *out)
{
    tare_random_uniform(out, w->n, w->seed, w->stream, (float)-bound, (float)bound);
    return TARE_OK;
}

static tare_status normal(const weight *w, double deviation, float *out)
{
    tare_random_normal(out, w->n, w->seed, w->stream, 0, deviation);
    return TARE_OK;
}

static tare_status fill_xavier_uniform(const weight *w, float *out)
{
    return uniform(w, w->scale * sqrt(6 / (w->fan_in + w->fan_out)), out);
}

static tare_status fill_xavier_normal(const weight *w, float *out)
{
    return normal(w, w->scale * sqrt(2 / (w->fan_in + w->fan_out)), out);
}

static tare_status fill_he_uniform(const weight *w, float *out)
{
    return uniform(w, w->scale * sqrt(6 / w->fan_in), out);
}

static tare_status fill_he_normal(const weight *w, float *out)
{
    return normal(w, w->scale * sqrt(2 / w->fan_in), out);
}

static tare_status fill_normal(const weight *w, float *out)
{
    return normal(w, w->scale, out);
}

static tare_status fill_uniform(const weight *w, float *out)
{
    return uniform(w, w->scale, out);
}

static tare_status fill_constant(const weight *w, float *out)
{
    for (int64_t i = 0; i < w->n; ++i)
        out[i] = (float)w->scale;
    return TARE_OK;
}

static double inner(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; ++i)
        sum += x[i] * y[i];
    return sum;
}

/* Makes the n_vectors vectors orthonormal, each after those before it (Gram and Schmidt), twice over, which is enough
 * to be orthogonal to rounding (L. Giraud, J. Langou, M. Rozložník, The loss of orthogonality in the Gram-Schmidt
 * orthogonalization process, 2005). The triangular factor has a positive diagonal, so the result is the one there is.
 */
static void orthonormalise(double *vector, int64_t n_vectors, int64_t length)
{
    for (int64_t j = 0; j < n_vectors; ++j) {
        double *v = vector + j * length;
        for (int64_t i = 0; i < 2 * j; ++i) {
            const double *u = vector + i % j * length;
            double along = inner(u, v, length);
            for (int64_t k = 0; k < length; ++k)
                v[k] -= along * u[k];
        }
        double norm = sqrt(inner(v, v, length));
        for (int64_t k = 0; k < length; ++k)
            v[k] /= norm;
    }
}

/* The draws are a matrix [longer, shorter] in C order, of which the columns are made orthonormal. */
static tare_status fill_orthogonal(const weight *w, float *out)
{
    const int64_t rest = w->n / w->units, shorter = w->units < rest ? w->units : rest, longer = w->n / shorter;
    const size_t bytes = (size_t)w->n * sizeof(double);
    double *vector = tare_memory_take(w->memory, TARE_MEMORY_RECORD, bytes);
    if (!vector)
        return TARE_NO_MEMORY;
    (void)normal(w, 1, out);
    for (int64_t i = 0; i < w->n; ++i)
        vector[i % shorter * longer + i / shorter] = (double)out[i];
    orthonormalise(vector, shorter, longer);
    for (int64_t unit = 0; unit < w->units; ++unit)
        for (int64_t k = 0; k < rest; ++k)
            out[unit * rest + k] =
                (float)(w->scale * (w->units < rest ? vector[unit * longer + k] : vector[k * longer + unit]));
    tare_memory_give(w->memory, TARE_MEMORY_RECORD, vector, bytes);
    return TARE_OK;
}

#define WORD(name, scale, doc)  {#name, doc},
#define ENTRY(name, scale, doc) {fill_##name, scale},
const tare_word tare_initialisers[] = {TARE_INITIALISERS(WORD)};
const int tare_n_initialisers = sizeof tare_initialisers / sizeof *tare_initialisers;
static const struct {
    tare_status (*fill)(const weight *, float *);
    double scale;
} initialisers[] = {TARE_INITIALISERS(ENTRY)};

tare_status tare__initialise(const tare_net *net, const tare_desc *d, float *out)
{
    int64_t n = tare_desc_count(d), units = d->rank > 0 ? d->dim[0] : 1, inputs = d->rank > 1 ? d->dim[1] : 1;
    if (n == 0)
        return TARE_OK;
    const weight w = {.memory = &net->runtime->memory,
                      .n = n,
                      .units = units,
                      .fan_in = (double)n / (double)units,
                      .fan_out = (double)n / (double)inputs,
                      .scale = net->init_scale != 0 ? net->init_scale : initialisers[net->init].scale,
                      .seed = net->seed,
                      .stream = (uint64_t)net->n_parameters};
    return initialisers[net->init].fill(&w, out);
}
