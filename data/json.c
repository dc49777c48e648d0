/* json.c - JSON inside a file, parsed; texts that may stand in JSON (see json_private.h). */
#include <errno.h>

#include "json_private.h"

tare_status tare__json_get(tare__reader *reader, size_t n, const char *what, json_t **root, json_error_t *error)
{
    *root = NULL;
    *error = (json_error_t){0};
    char *text = tare_memory_take(reader->memory, TARE_MEMORY_INPUT, n);
    if (!text)
        return TARE_NO_MEMORY;
    tare_status status = tare__reader_get(reader, text, n, what);
    if (status == TARE_OK) {
        errno = 0;
        *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, error);
        /* the library's own words for want of memory are those for a broken text */
        if (!*root && errno == ENOMEM)
            status = tare_error(TARE_NO_MEMORY, "%s: no memory to parse %s", reader->path, what);
    }
    tare_memory_give(reader->memory, TARE_MEMORY_INPUT, text, n);
    return status;
}

/* Bytes of the character that begins here; 0: none does. Second bytes are limited so that there is one form of each
 * character, no surrogate, and nothing above U+10FFFF. */
static int character(const unsigned char *c)
{
    unsigned char low = 0x80, high = 0xbf;
    int n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    if (c[0] == 0xe0)
        low = 0xa0;
    if (c[0] == 0xed)
        high = 0x9f;
    if (c[0] == 0xf0)
        low = 0x90;
    if (c[0] == 0xf4)
        high = 0x8f;
    for (int i = 1; i < n; ++i) {
        if (c[i] < low || c[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

bool tare__json_is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        int n = character(c);
        if (n == 0)
            return false;
        c += n;
    }
    return true;
}
