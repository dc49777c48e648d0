/* trust.c - the verdict on a run (see trust.h). */
#include "trust.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "../base/command.h"

static void distrust(tare__summary *s, const char *cause, const char *help, ...) __attribute__((format(printf, 3, 4)));

static void distrust(tare__summary *s, const char *cause, const char *help, ...)
{
    va_list list;
    va_start(list, help);
    snprintf(s->cause, sizeof s->cause, "%s", cause);
    vsnprintf(s->help, sizeof s->help, help, list);
    va_end(list);
    s->trusted = false;
}

/* The fewest processes whose interval would lie within the limit if they spread as these do; 0: more than a thousand.
 */
static int processes_wanted(tare__interval logs, double limit)
{
    double spread = logs.se * sqrt(logs.n);
    for (int n = logs.n + 1; n <= 1000; ++n)
        if (tare__t_quantile(0.975, n - 1) * spread / sqrt(n) <= limit)
            return n;
    return 0;
}

/* The A/A interval is too wide, or off: by what? */
static void judge_again(tare__summary *s, const tare__figures *again, double limit)
{
    tare__interval ratio = tare__interval_exp(again->logs);
    char cause[sizeof s->cause];
    int n = snprintf(cause, sizeof cause, "the same arm measured twice gives %.4f-%.4f, not within 1 +- %g %%",
                     ratio.low, ratio.high, 100 * limit);
    size_t left = sizeof cause - (size_t)n;
    char *end = cause + n;
    bool off = again->logs.low > 0 || again->logs.high < 0;
    int wanted = processes_wanted(again->logs, limit);
    if (4 * s->n_dropped > s->n_rounds) {
        snprintf(end, left, ": others took the processor in %d of %d rounds", s->n_dropped, s->n_rounds);
        distrust(s, cause, "a machine with less other work on it");
    } else if (off && fabs(again->logs.mean) > limit) {
        snprintf(end, left, ": where it lies in memory makes a difference in all processes");
        distrust(s, cause, "more processes (--processes), each of which lies elsewhere");
    } else if (again->within > 0.7 * again->logs.se) {
        snprintf(end, left, ": rounds within a process scatter");
        distrust(s, cause, "%.0f times as many rounds (--rounds, --time), or a machine with less other work on it",
                 ceil(pow((again->logs.high - again->logs.low) / 2 / limit, 2)) + 1);
    } else if (wanted) {
        snprintf(end, left, ": processes differ from each other");
        distrust(s, cause, "about %d processes (--processes %d), with as many rounds in each", wanted, wanted);
    } else {
        snprintf(end, left, ": processes differ from each other");
        distrust(s, cause, "a machine whose speed is steady: a fixed frequency, nothing else running");
    }
}

void tare__trust_judge(tare__summary *s, const tare__reference *r)
{
    s->trusted = true;
    s->cause[0] = s->help[0] = 0;
    if (s->n_processes < 2) {
        distrust(s, "one process says nothing about the spread between processes", "more rounds or more time");
        return;
    }
    if (s->kept_all) {
        distrust(s, "more than half of the rounds were disturbed (steal time, involuntary switches), so all were kept",
                 "a machine with less other work on it");
        return;
    }
    if (r->again < 0) {
        distrust(s, "no arm was measured against itself", "a run with an A/A arm");
        return;
    }
    const tare__figures *again = &s->arm[r->again];
    double lowest = log(1 - r->limit), highest = log(1 + r->limit);
    if (!(again->logs.low >= lowest && again->logs.high <= highest))
        judge_again(s, again, r->limit);
}
