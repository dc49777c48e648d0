/* command.h - a subcommand is a record: name, positionals, options. Parsing, --help and usage errors derive from it.
 *
 * Exit codes: 0 ran; 1 failed, differed or impossible; 2 usage. An error is one line on stderr, printed where it is
 * found by one of the functions below, which answer the code to return. */
#ifndef TARE_BENCH_COMMAND_H
#define TARE_BENCH_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../core/status.h"

enum { TARE__RAN = 0, TARE__FAILED = 1, TARE__USAGE = 2, TARE__UNTRUSTED = 3 };

typedef struct {
    const char *name;     /* without the dashes */
    const char *argument; /* its name in the help, which says what it is (completion.c); NULL: a switch */
    const char *normal;   /* the value when it is not given; NULL: none */
    const char *doc;
} tare__option;

typedef struct tare__line tare__line;
typedef struct {
    const char *name;
    const char *usage;           /* the positionals, "NET" */
    const char *doc;             /* a sentence; NULL: hidden */
    int n_min, n_max;            /* positionals; n_max -1: any number */
    const tare__option *options; /* ended by a NULL name */
    int (*run)(const tare__line *);
    const char *more; /* for --help and the manual (help.h): what it prints, examples */
} tare__command;

/* A command line, parsed. Words are borrowed from argv. */
struct tare__line {
    const tare__command *command;
    const tare__command *commands; /* the table that it is in */
    int argc;                      /* the whole line, for records and for starting it again */
    char **argv;
    const char **word; /* positionals */
    int n_words;
    struct tare__given {
        const tare__option *option;
        const char *value; /* NULL of a switch */
    } * given;
    int n_given;
    struct tare__kept *kept; /* tare__keep */
};

/* Options that every subcommand takes. */
extern const tare__option tare__common_options[];

/* Parses argv and runs the subcommand, one of a table that a NULL name ends; answers the exit code. */
int tare__command_main(const tare__command *commands, int argc, char **argv);

/* The last value given, else the default, else NULL. */
const char *tare__text(const tare__line *, const char *option);
bool tare__given(const tare__line *, const char *option);
/* Each value of an option given several times: *at from 0 on; NULL at the end. */
const char *tare__each(const tare__line *, const char *option, int *at);
/* A number within [low, high]; usage errors are printed and answered as TARE__USAGE. Untouched where the option has
 * neither value nor default. */
int tare__integer(const tare__line *, const char *option, int64_t low, int64_t high, int64_t *out);
int tare__number(const tare__line *, const char *option, double low, double high, double *out);

/* Hands a block over to the line, which frees it after the subcommand's end; returns it. */
void *tare__keep(const tare__line *, void *block);

/* "tare bench: ..." as one line on stderr; answers TARE__USAGE, TARE__FAILED. */
int tare__usage(const tare__line *, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tare__failed(const tare__line *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The library's own sentence; the code that a status means where the user named something: TARE__USAGE for a name that
 * does not exist or a bad option, else TARE__FAILED. */
int tare__status_usage(const tare__line *, tare_status);
int tare__status_failed(const tare__line *, tare_status);

/* ", did you mean 'symbol'?" where a name is near the word, else "; there are: a, b, c". Into text, returned. */
enum { TARE__NEAREST = 400 };
const char *tare__nearest(const char *word, const char *const *name, int n, char *text);

/* Zeroed memory that is always there: without memory a command says so and ends with TARE__FAILED. */
void *tare__take(size_t count, size_t bytes);
void *tare__more(void *block, size_t count, size_t bytes);
char *tare__copy_text(const char *text);
/* A stream into a text, which the caller frees, whole when it has ended. */
FILE *tare__text_begin(char **text, size_t *bytes);
void tare__text_end(FILE *);
/* printf into a text of its own. */
char *tare__print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
