/* schedule.h - learning rates as a function of the step: what an optimizer's option `schedule` chooses from.
 *
 * A schedule gives a factor of the option lr for step t = 0, 1, ... It is a number that changes between steps, so it is
 * computed outside the plan and written to the optimizer's 0-d learning rate (tare_optimizer_advance). The first
 * `warmup` steps go up in a straight line instead, (t + 1) / warmup; what follows counts k = t - warmup from 0. */
#ifndef TARE_NETS_SCHEDULE_H
#define TARE_NETS_SCHEDULE_H

#include "net.h"

/* X(name, factor, needs `steps`, doc): `factor` in k, s (a tare_schedule) and f = k / (steps - warmup), at most 1. */
#define TARE_SCHEDULES(X)                                                                                              \
    X(constant, 1, false, "lr")                                                                                        \
    X(step, pow(s->gamma, floor(k / (double)s->period)), false,                                                        \
      "lr gamma^floor(k / period) (torch.optim.lr_scheduler.StepLR)")                                                  \
    X(exponential, pow(s->gamma, k / (double)s->period), false,                                                        \
      "lr gamma^(k / period) (with period 1 torch.optim.lr_scheduler.ExponentialLR)")                                  \
    X(inverse, 1 / (1 + s->gamma * k / (double)s->period), false,                                                      \
      "lr / (1 + gamma k / period) (with period 1 the lr_decay of torch.optim.Adagrad and the decay of Keras)")        \
    X(cosine, s->end + (1 - s->end) * (1 + cos(M_PI * f)) / 2, true,                                                   \
      "half a cosine from lr to end lr (I. Loshchilov, F. Hutter, SGDR, ICLR 2017, eq. 5, without restarts)")          \
    X(linear, 1 + (s->end - 1) * f, true, "a straight line from lr to end lr (torch.optim.lr_scheduler.LinearLR)")

typedef struct {
    int64_t kind;   /* in the order above */
    int64_t warmup; /* steps */
    int64_t period; /* steps, >= 1 */
    int64_t steps;  /* in all, the warm-up's with them; 0: not said */
    double gamma, end;
} tare_schedule;

#define TARE_SCHEDULE_WORD(name, factor, needs, doc) #name "|"
#define TARE_SCHEDULE_WORDS                          TARE_SCHEDULES(TARE_SCHEDULE_WORD)

/* BAD_ARGUMENT with a sentence where the options do not go together; `owner` names the optimizer. */
tare_status tare__schedule_check(const tare_schedule *, const char *owner);
/* Whether the rate ever changes. */
bool tare__schedule_moves(const tare_schedule *);
/* The factor at step t >= 0. */
double tare__schedule_factor(const tare_schedule *, int64_t t);

#endif
