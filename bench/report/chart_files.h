/* chart_files.h - the charts of a report as files, for papers and slides. */
#ifndef TARE_BENCH_CHART_FILES_H
#define TARE_BENCH_CHART_FILES_H

#include "chart.h"

/* Writes, into a folder that is made where it is missing, for each chart that has anything to show: RUN-CHART.svg and
 * .pdf, 84 mm wide; .csv, the rows that it is made of; .tex (booktabs) and .md, its table. RUN is net, batch and
 * threads; all-CHART where a chart is of several runs. Of each run RUN-contrasts.txt, a sentence a contrast. Answers an
 * exit code. */
int tare__chart_files_write(const tare__line *, const tare__runs *, const char *folder);

#endif
