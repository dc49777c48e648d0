/* initialiser.h - how weights begin: what a net's option `init` chooses from, one table.
 *
 * A weight is [units, inputs, ...]: fan_in = elements a unit, fan_out = elements an input (what follows the first two
 * dimensions, a convolution's window, counts in both). Draws are a function of (seed, stream, element) alone
 * (core/random.h). */
#ifndef TARE_NETS_INITIALISER_H
#define TARE_NETS_INITIALISER_H

#include "net.h"

/* X(name, scale, doc): scale is the option init_scale where it is not given. */
#define TARE_INITIALISERS(X)                                                                                           \
    X(xavier_uniform, 1,                                                                                               \
      "uniform in scale sqrt(6 / (fan_in + fan_out)) [-1, 1] (X. Glorot, Y. Bengio, AISTATS 2010, eq. 16)")            \
    X(xavier_normal, 1, "normal, deviation scale sqrt(2 / (fan_in + fan_out)) (the same, eq. 12)")                     \
    X(he_uniform, 1, "uniform in scale sqrt(6 / fan_in) [-1, 1] (K. He and others, ICCV 2015, eq. 10)")                \
    X(he_normal, 1, "normal, deviation scale sqrt(2 / fan_in) (the same)")                                             \
    X(normal, 0.01, "normal, deviation scale")                                                                         \
    X(uniform, 0.07, "uniform in scale [-1, 1]")                                                                       \
    X(constant, 0, "scale itself")                                                                                     \
    X(orthogonal, 1,                                                                                                   \
      "scale times the orthogonal factor of a normal matrix (A. Saxe, J. McClelland, S. Ganguli, ICLR 2014); [units, " \
      "rest], its rows orthonormal, or its columns where they are fewer")

/* The options that every net takes, after its own. */
typedef struct {
    int64_t init;
    double init_scale;
} tare_net_options;

/* Fills the n elements of a weight whose desc is d. NO_MEMORY. */
tare_status tare__initialise(const tare_net *, const tare_desc *d, float *out);

#endif
