/* shapley.c - shares of a difference (see shapley.h). */
#include "shapley.h"

#include "../base/command.h"

#include <stdlib.h>

void tare__shapley(const double *value, int n, double *share)
{
    /* an order that switches i after a given set of s others: s! (n - 1 - s)! of n! */
    double weight[TARE__PLAYERS] = {1.0 / n};
    for (int s = 1; s < n; ++s)
        weight[s] = weight[s - 1] * s / (n - s);
    for (int i = 0; i < n; ++i) {
        share[i] = 0;
        for (unsigned set = 0; set < 1u << n; ++set)
            if (!(set >> i & 1))
                share[i] += weight[__builtin_popcount(set)] * (value[set | 1u << i] - value[set]);
    }
}

void tare__marginals(const double *value, int n, bool reverse, double *share)
{
    unsigned set = 0;
    for (int k = 0; k < n; ++k) {
        int i = reverse ? n - 1 - k : k;
        share[i] = value[set | 1u << i] - value[set];
        set |= 1u << i;
    }
}

void tare__shapley_intervals(const double *value, int n_samples, int n, tare__interval *share)
{
    double of_sample[TARE__PLAYERS], *each = tare__take((size_t)n_samples * TARE__PLAYERS + 1, sizeof *each);
    for (int k = 0; k < n_samples; ++k) {
        tare__shapley(value + ((size_t)k << n), n, of_sample);
        for (int i = 0; i < n; ++i)
            each[i * n_samples + k] = of_sample[i];
    }
    for (int i = 0; i < n; ++i)
        share[i] = tare__interval_of(each + (size_t)i * (size_t)n_samples, n_samples);
    free(each);
}
