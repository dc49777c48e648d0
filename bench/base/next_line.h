/* next_line.h - a text file line by line, none of them without end: what is read may be no text at all. */
#ifndef TARE_BENCH_NEXT_LINE_H
#define TARE_BENCH_NEXT_LINE_H

#include <stdio.h>
#include <sys/types.h>

/* Bytes of the next line with its end, in *text, which ends in a further zero, grows, and is the caller's to free.
 * 0: there are no more. -1: errno says why; EFBIG: the line is longer than 64 MiB. */
ssize_t tare__next_line(FILE *, char **text, size_t *capacity);

#endif
