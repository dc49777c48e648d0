/* statistics.c - means, medians, Student's t (see statistics.h). */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

double tare__mean(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; ++i)
        sum += x[i];
    return n > 0 ? sum / n : (double)NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tare__median(double *x, int n)
{
    if (n == 0)
        return (double)NAN;
    qsort(x, (size_t)n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

double tare__interquartile_mean(double *x, int n)
{
    if (n > 0)
        qsort(x, (size_t)n, sizeof *x, by_value);
    return tare__mean(x + n / 4, n - 2 * (n / 4));
}

double tare__minimum(const double *x, int n)
{
    double least = n > 0 ? x[0] : (double)NAN;
    for (int i = 1; i < n; ++i)
        least = x[i] < least ? x[i] : least;
    return least;
}

/* The continued fraction of the incomplete beta function by Lentz's method, which needs a number that stands for
 * zero and is not zero. Converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double fraction = d;
    for (int m = 1; m < 10000; ++m) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double before = fraction;
        for (int half = 0; half < 2; ++half) {
            double term = half ? odd : even;
            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            c = fabs(c) < tiny ? tiny : c;
            fraction *= c * d;
        }
        if (fabs(fraction - before) <= 1e-16 * fabs(fraction))
            break;
    }
    return fraction;
}

/* I_x(a, b), the regularised incomplete beta function; y = 1 - x is given apart, for it may be small. */
static double beta_regularised(double x, double y, double a, double b)
{
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(y, b, a) / b;
}

double tare__t_cdf(double t, double freedom)
{
    double square = t * t, x = freedom / (freedom + square), y = square / (freedom + square);
    double tail = 0.5 * beta_regularised(x, y, 0.5 * freedom, 0.5);
    return t < 0 ? tail : 1 - tail;
}

/* Bisection on the upper half: the distribution is symmetric and its function is monotone. */
double tare__t_quantile(double p, double freedom)
{
    if (p < 0.5)
        return -tare__t_quantile(1 - p, freedom);
    double low = 0, high = 1;
    while (tare__t_cdf(high, freedom) < p && high < 1e300)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
        double middle = 0.5 * (low + high);
        if (tare__t_cdf(middle, freedom) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

double tare__standard_error(const double *x, int n)
{
    double mean = tare__mean(x, n), squares = 0;
    for (int i = 0; i < n; ++i)
        squares += (x[i] - mean) * (x[i] - mean);
    return n < 2 ? (double)NAN : sqrt(squares / (n - 1) / n);
}

tare__interval tare__interval_of(const double *x, int n)
{
    tare__interval interval = {tare__mean(x, n), (double)NAN, (double)NAN, tare__standard_error(x, n), n};
    if (n < 2)
        return interval;
    double reach = tare__t_quantile(0.975, n - 1) * interval.se;
    interval.low = interval.mean - reach;
    interval.high = interval.mean + reach;
    return interval;
}

tare__interval tare__interval_exp(tare__interval logs)
{
    logs.mean = exp(logs.mean);
    logs.low = exp(logs.low);
    logs.high = exp(logs.high);
    return logs;
}

tare__interval tare__interval_between(tare__interval x, tare__interval y, double *freedom)
{
    tare__interval between = {x.mean - y.mean, (double)NAN, (double)NAN, (double)NAN, x.n < y.n ? x.n : y.n};
    *freedom = (double)NAN;
    if (between.n < 2)
        return between;
    double u = x.se * x.se, v = y.se * y.se, sum = u + v;
    between.se = sqrt(sum);
    *freedom = sum > 0 ? sum * sum / (u * u / (x.n - 1) + v * v / (y.n - 1)) : x.n + y.n - 2;
    double reach = tare__t_quantile(0.975, *freedom) * between.se;
    between.low = between.mean - reach;
    between.high = between.mean + reach;
    return between;
}

double tare__p_value_of(double mean, double se, double freedom)
{
    return se > 0 ? 2 * tare__t_cdf(-fabs(mean / se), freedom) : (double)NAN;
}

double tare__p_value(tare__interval logs)
{
    return logs.n < 2 ? (double)NAN : tare__p_value_of(logs.mean, logs.se, logs.n - 1);
}

void tare__holm(const double *p, double *adjusted, int m)
{
    int left = 0;
    for (int i = 0; i < m; ++i) {
        adjusted[i] = isfinite(p[i]) ? -1 : p[i];
        left += isfinite(p[i]) != 0;
    }
    for (double floor = 0; left > 0; --left) {
        int least = -1;
        for (int i = 0; i < m; ++i)
            if (adjusted[i] < 0 && (least < 0 || p[i] < p[least]))
                least = i;
        floor = fmax(floor, fmin(1, left * p[least]));
        adjusted[least] = floor;
    }
}

double tare__smallest_effect(tare__interval logs)
{
    if (logs.n < 2)
        return (double)NAN;
    double freedom = logs.n - 1;
    return exp((tare__t_quantile(0.975, freedom) + tare__t_quantile(0.8, freedom)) * logs.se) - 1;
}
