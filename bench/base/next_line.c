/* next_line.c - see next_line.h. */
#include "next_line.h"

#include <errno.h>

#include "command.h"

static const size_t LONGEST = (size_t)64 << 20;

ssize_t tare__next_line(FILE *file, char **text, size_t *capacity)
{
    size_t n = 0;
    int c = 0;
    errno = 0;
    while (c != '\n' && (c = getc_unlocked(file)) != EOF) {
        if (n == LONGEST) {
            errno = EFBIG;
            return -1;
        }
        if (n + 2 > *capacity) {
            *capacity = *capacity ? 2 * *capacity : 256;
            *text = tare__more(*text, *capacity, 1);
        }
        (*text)[n++] = (char)c;
    }
    if (ferror(file))
        return -1;
    if (n)
        (*text)[n] = 0;
    return (ssize_t)n;
}
