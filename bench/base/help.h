/* help.h - what a user can read about the command: --help, the manual page, what a shell completes. All three are
 * printed from the table of subcommands and from the text here; nothing is said twice.
 *
 * Text is one line a paragraph; a line that begins with two blanks is an example and stays as it is. */
#ifndef TARE_BENCH_HELP_H
#define TARE_BENCH_HELP_H

#include "command.h"

/* What is true of all subcommands: the forms of NET, exit codes, the environment. Ended by a NULL title. */
typedef struct {
    const char *title, *text;
} tare__chapter;
extern const tare__chapter tare__chapters[];
/* The command in a sentence. */
extern const char tare__purpose[];

/* The next line of a text: its length, and where the one after it begins; false: there is none. */
bool tare__text_line(const char **text, const char **line, int *length, bool *example);

/* --help of one subcommand, and of the command. */
int tare__help_command(const tare__command *);
int tare__help_all(const tare__command *commands);

#endif
