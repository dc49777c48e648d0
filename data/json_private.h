/* json_private.h - JSON inside a file, parsed; and texts that may stand in JSON. */
#ifndef TARE_DATA_JSON_PRIVATE_H
#define TARE_DATA_JSON_PRIVATE_H

#include <jansson.h>

#include "reader.h"

/* The next n bytes of a file as JSON; `what` they are, for the sentence of a file that ends before. TARE_OK with *root
 * NULL: they are none, and `error` says why. The parsed value is not in the memory's books (the JSON library's). */
tare_status tare__json_get(tare__reader *, size_t n, const char *what, json_t **root, json_error_t *error);

/* Whether a text is UTF-8 as RFC 3629, section 4 has it. The JSON library refuses another, in the way in which it says
 * that memory is out: who asks before knows which it was. */
bool tare__json_is_utf8(const char *text);

#endif
