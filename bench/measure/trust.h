/* trust.h - whether a run is to be trusted, why not, and what would help. */
#ifndef TARE_BENCH_TRUST_H
#define TARE_BENCH_TRUST_H

#include "figures.h"

/* Fills trusted, cause and help of a summary whose figures stand. Not trusted, by a rule fixed beforehand: fewer than
 * two processes; more than half of the rounds disturbed; no A/A arm; its 95 % interval not within 1 +- limit. */
void tare__trust_judge(tare__summary *, const tare__reference *);

#endif
