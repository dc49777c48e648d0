/* statistics.h - from samples to a figure with an interval: pure functions of their arguments.
 *
 * Blocks of one process share its address layout and its share of luck, so they are not independent; means of
 * processes are. Intervals are therefore Student's t over process means (W. S. Gosset, "The probable error of a
 * mean", Biometrika 6, 1908), and ratios are taken as means of logarithms. Where a figure cannot be had from so few
 * samples it is NaN. Safe from any thread. */
#ifndef TARE_BENCH_STATISTICS_H
#define TARE_BENCH_STATISTICS_H

typedef struct {
    double mean, low, high; /* the 95 % interval of the mean; NaN ends below two samples */
    double se;              /* standard error of the mean; NaN below two samples */
    int n;
} tare__interval;

/* NaN when n = 0. The median and the interquartile mean sort x in place. */
double tare__mean(const double *x, int n);
double tare__median(double *x, int n);
/* The mean without the n / 4 (rounded down) least and greatest (J. W. Tukey, D. H. McLaughlin, "Less vulnerable
 * confidence and significance procedures for location based on a single sample", Sankhya A 25, 1963): as good as the
 * mean where noise is normal, and not moved by single disturbed rounds. */
double tare__interquartile_mean(double *x, int n);
double tare__minimum(const double *x, int n);

/* P(T <= t) for Student's t with `freedom` > 0 degrees, through the regularised incomplete beta function
 * (Abramowitz and Stegun, 26.7.1; continued fraction 26.5.8). Good to 1e-12. */
double tare__t_cdf(double t, double freedom);
/* Its inverse, 0 < p < 1. */
double tare__t_quantile(double p, double freedom);

/* Of the mean of n samples; NaN below two. */
double tare__standard_error(const double *x, int n);
/* Mean and 95 % t interval of n samples. */
tare__interval tare__interval_of(const double *x, int n);
/* The same of logarithms, back as a ratio; se stays on the logarithm's scale. */
tare__interval tare__interval_exp(tare__interval logs);

/* Of the mean of x less that of y, two independent sets of samples whose spread may differ (B. L. Welch, "The
 * generalization of Student's problem when several different population variances are involved", Biometrika 34, 1947).
 * NaN ends where either has fewer than two. *freedom: its degrees, for tare__p_value_of. */
tare__interval tare__interval_between(tare__interval x, tare__interval y, double *freedom);

/* Two-sided p of "the mean is 0" for an interval on the logarithm's scale, se > 0; NaN below two samples. */
double tare__p_value(tare__interval logs);
double tare__p_value_of(double mean, double se, double freedom);
/* The p of m tests, in their order, so adjusted that the chance of any false alarm among them stays at the level at
 * which one is judged (S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979).
 * NaN stands for no test and stays. */
void tare__holm(const double *p, double *adjusted, int m);
/* The smallest relative difference that such a run finds in four of five cases: exp((t.975 + t.8) se) - 1. */
double tare__smallest_effect(tare__interval logs);

#endif
