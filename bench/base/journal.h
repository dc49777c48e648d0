/* journal.h - the file that results are written to, line by line.
 *
 * Lines go to FILE.part, which gets its name when all is there: an interrupted run keeps what it measured, and a reader
 * never meets half a file. A part can be gone on with; while it is written to it is locked, so that two runs never
 * share one. */
#ifndef TARE_BENCH_JOURNAL_H
#define TARE_BENCH_JOURNAL_H

#include <jansson.h>
#include <stdio.h>

#include "command.h"

typedef struct {
    FILE *file;
    char *path, *part; /* part NULL: path is no regular file and written as it is */
    int reason;        /* errno of the first failure */
    const tare__line *line;
} tare__journal;

/* Opens FILE.part; an exit code, 0 for good. path NULL: a journal that keeps nothing. */
int tare__journal_open(tare__journal *, const tare__line *, const char *path);
/* The same, but goes on with a part that is there: *lines is an array of its records up to the last one of the kinds in
 * `ends` (ended by NULL), each the end of something whole; what follows is cut off. The array is empty where there is
 * no part. */
int tare__journal_resume(tare__journal *, const tare__line *, const char *path, const char *const *ends,
                         json_t **lines);
/* From here on the JSON library's want of memory is noticed: no record that lacks something is written. */
void tare__journal_watch_json(void);
/* From here on it ends the command, which says so: for what is read and made of JSON all the way. */
void tare__journal_need_json(void);
/* Writes the record as one line and takes it over. */
void tare__journal_put(tare__journal *, json_t *record);
/* Gives up and leaves FILE.part as it is; fine on a closed journal. */
void tare__journal_leave(tare__journal *);
/* Stores and renames; an exit code. */
int tare__journal_close(tare__journal *);

#endif
