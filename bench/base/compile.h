/* compile.h - a C source of the user's to a shared object, with the compiler that made this command or $CC. */
#ifndef TARE_BENCH_COMPILE_H
#define TARE_BENCH_COMPILE_H

#include "command.h"

/* Compiles against the headers that belong to this command: beside it in a build folder, else where they were
 * installed with it. *path, kept by the line, names an open file that is in no folder any more; processes started from
 * this one inherit it. An exit code; what the compiler says goes to stderr. */
int tare__compile(const tare__line *, const char *source, const char **path);

#endif
