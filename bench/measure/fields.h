/* fields.h - the part of a run's lines that is computed from its blocks: made here for the command that writes them
 * and for the one that verifies them. New objects; a field that is null says why under "reasons". */
#ifndef TARE_BENCH_FIELDS_H
#define TARE_BENCH_FIELDS_H

#include "figures.h"

/* Of an arm's line; of a rate's without what refers to the base. */
json_t *tare__derived_arm(const tare__summary *, const tare__reference *, int arm);
/* Of a contrast of the arm with the base. */
json_t *tare__derived_contrast(const tare__summary *, const tare__reference *, int arm);
/* Of the run's line. */
json_t *tare__derived_run(const tare__summary *, const tare__reference *);

#endif
