/* calls.c - calls timed one by one (see calls.h). */
#include "calls.h"

#include <stdlib.h>

#include "../base/clock.h"
#include "../base/statistics.h"
#include "rates.h"

enum { ROUNDS_LEAST = 3, ROUNDS_MOST = 2000 };

/* Samples of all rounds: of each call, then of the step, then of the rates. */
typedef struct {
    double *x; /* [ROUNDS_MOST] each */
    int n, rounds;
} samples;

static double *sample_of(const samples *s, int i)
{
    return s->x + (int64_t)i * ROUNDS_MOST + s->rounds;
}

/* The least time between two readings. */
static double reading_ns(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 1000; ++i) {
        int64_t begin = tare__clock_ns(), ns = tare__clock_ns() - begin;
        least = ns < least ? ns : least;
    }
    return (double)least;
}

static double timed_rate(const tare__rates *rates, tare__rate rate)
{
    int64_t begin = tare__clock_ns();
    tare__rates_run(rates, rate);
    return (double)(tare__clock_ns() - begin);
}

static tare_status round_of(const tare__arm *a, const tare__rates *rates, const tare_call *call, double reading,
                            const samples *s)
{
    int n = s->n - 1 - TARE__RATE_COUNT;
    int64_t begin = tare__clock_ns();
    tare_status status = tare_instance_run(a->instance);
    *sample_of(s, n) = (double)(tare__clock_ns() - begin);
    for (int i = 0; i < n && status == TARE_OK; ++i) {
        begin = tare__clock_ns();
        status = tare__calls_run(a->rt, &call[i], 1);
        double ns = (double)(tare__clock_ns() - begin) - reading;
        *sample_of(s, i) = ns > 0 ? ns : 0;
    }
    *sample_of(s, n + 1) = TARE__SGEMM_FLOPS / timed_rate(rates, TARE__SGEMM);
    *sample_of(s, n + 2) = TARE__TRIAD_BYTES / timed_rate(rates, TARE__TRIAD);
    return status;
}

static double median_of(const samples *s, int i)
{
    return tare__median(s->x + (int64_t)i * ROUNDS_MOST, s->rounds);
}

tare_status tare__call_times_take(const tare__arm *a, double seconds, tare__call_times *t)
{
    const tare_call *call;
    int n = tare_instance_calls(a->instance, &call);
    *t = (tare__call_times){.n = n};
    if (!a->rt->device->direct)
        return tare_error(TARE_IMPOSSIBLE, "calls of this device cannot be timed one by one");
    samples s = {.n = n + 1 + TARE__RATE_COUNT};
    s.x = tare__take((size_t)s.n * ROUNDS_MOST, sizeof *s.x);
    tare__rates rates;
    tare__rates_init(&rates, a->rt->options.threads);
    double reading = reading_ns();
    int64_t begin = tare__clock_ns();
    tare_status status = round_of(a, &rates, call, reading, &s); /* warms up: its samples are written over */
    while (status == TARE_OK && s.rounds < ROUNDS_MOST &&
           (s.rounds < ROUNDS_LEAST || (double)(tare__clock_ns() - begin) * 1e-9 < seconds)) {
        status = round_of(a, &rates, call, reading, &s);
        ++s.rounds;
    }
    tare__rates_fini(&rates);
    if (status == TARE_OK) {
        t->ns = tare__take((size_t)n + 1, sizeof *t->ns);
        for (int i = 0; i < n; ++i)
            t->ns[i] = median_of(&s, i);
        t->step_ns = median_of(&s, n);
        t->gemm_gflops = median_of(&s, n + 1);
        t->bandwidth_gbs = median_of(&s, n + 2);
        t->rounds = s.rounds;
    }
    free(s.x);
    return status;
}

void tare__call_times_free(tare__call_times *t)
{
    free(t->ns);
    *t = (tare__call_times){0};
}
