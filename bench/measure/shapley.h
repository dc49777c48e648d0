/* shapley.h - a difference between all mechanisms on and all off, shared out among them.
 *
 * A mechanism's share is what switching it adds, averaged over all orders in which they can be switched (L. S. Shapley,
 * "A value for n-person games", Contributions to the Theory of Games II, 1953). The shares add up to the whole
 * difference, whatever the mechanisms do to each other; in two orders alone, the ladder's up and down, they need not
 * agree. A pure function of its arguments. */
#ifndef TARE_BENCH_SHAPLEY_H
#define TARE_BENCH_SHAPLEY_H

#include <stdbool.h>

#include "../base/statistics.h"

enum { TARE__PLAYERS = 8 };

/* value[set]: with the mechanisms of `set` on, bit i mechanism i; 2^n of them. share[n]. */
void tare__shapley(const double *value, int n, double *share);
/* What each adds in the order 0, 1, .. n - 1, from none on; reverse: in the order n - 1, .. 0. */
void tare__marginals(const double *value, int n, bool reverse, double *share);

/* The same over independent samples of all values, value[sample][set] in one row after another: means and 95 %
 * intervals of the shares. */
void tare__shapley_intervals(const double *value, int n_samples, int n, tare__interval *share);

#endif
