/* doctor.h - what the system says about itself that bears on timings. */
#ifndef TARE_BENCH_DOCTOR_H
#define TARE_BENCH_DOCTOR_H

#include <jansson.h>

/* A new object: smt, turbo, hypervisor, frequency range, load, huge pages, performance counters, the clock's resolution
 * and cost. What the system does not tell is null. */
json_t *tare__probes(void);

#endif
