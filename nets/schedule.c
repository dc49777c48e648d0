/* schedule.c - the factors of the learning rate, each a formula of schedule.h. */
#include "schedule.h"

#include <math.h>

#define FACTOR(name, factor, needs, doc)                                                                               \
    static double name##_factor(const tare_schedule *s, double k, double f)                                            \
    {                                                                                                                  \
        (void)s, (void)k, (void)f;                                                                                     \
        return factor;                                                                                                 \
    }
TARE_SCHEDULES(FACTOR)

#define WORD(name, factor, needs, doc)  {#name, doc},
#define ENTRY(name, factor, needs, doc) {name##_factor, needs},
const tare_word tare_schedules[] = {TARE_SCHEDULES(WORD)};
const int tare_n_schedules = sizeof tare_schedules / sizeof *tare_schedules;
static const struct {
    double (*factor)(const tare_schedule *, double k, double f);
    bool needs_steps;
} kinds[] = {TARE_SCHEDULES(ENTRY)};

tare_status tare__schedule_check(const tare_schedule *s, const char *owner)
{
    if (kinds[s->kind].needs_steps && s->steps <= s->warmup)
        return tare_error(TARE_BAD_ARGUMENT,
                          "%s: schedule=%s needs steps, and more of them than warmup (%lld and %lld)", owner,
                          tare_schedules[s->kind].name, (long long)s->steps, (long long)s->warmup);
    return TARE_OK;
}

bool tare__schedule_moves(const tare_schedule *s)
{
    return s->kind != 0 || s->warmup > 0;
}

double tare__schedule_factor(const tare_schedule *s, int64_t t)
{
    if (t < s->warmup)
        return (double)(t + 1) / (double)s->warmup;
    double k = (double)(t - s->warmup), f = s->steps > s->warmup ? k / (double)(s->steps - s->warmup) : 1;
    return kinds[s->kind].factor(s, k, f < 1 ? f : 1);
}
