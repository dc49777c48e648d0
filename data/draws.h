/* draws.h - a sequence of random numbers for one rendered image.
 *
 * A sequence is Philox with the data set's seed as key and a stream an image, so an image depends on no other. Only
 * + - * / are used, so that the numbers are the same on every machine. Internal to data/. */
#ifndef TARE_DATA_DRAWS_H
#define TARE_DATA_DRAWS_H

#include "../core/random.h"

typedef struct {
    uint64_t seed, stream, counter;
    uint32_t word[4];
    int n_left;
} draws;

static inline uint32_t draw_word(draws *d)
{
    if (d->n_left == 0) {
        tare_philox(d->seed, d->stream, d->counter++, d->word);
        d->n_left = 4;
    }
    return d->word[--d->n_left];
}

static inline double draw_between(draws *d, double low, double high)
{
    return low + (high - low) * (draw_word(d) / 4294967296.0);
}

/* About normal, standard deviation 1: the sum of four uniform bytes. */
static inline double draw_bell(draws *d)
{
    uint32_t word = draw_word(d);
    int sum = (int)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24));
    return (sum - 510) * (1 / 147.8);
}

#endif
