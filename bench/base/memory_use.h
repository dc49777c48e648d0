/* memory_use.h - resident memory of this process, as the system counts it. */
#ifndef TARE_BENCH_MEMORY_USE_H
#define TARE_BENCH_MEMORY_USE_H

#include <stdint.h>

/* Sets the system's mark of the highest resident bytes down to those of now, and answers them; -1: it cannot be. */
int64_t tare__resident_mark(void);
/* Highest resident bytes since the mark, less those at it; -1: unknown. */
int64_t tare__resident_growth(int64_t mark);

#endif
