/* formats.h - the file formats and the kinds of generated data, each declared once.
 *
 * The command line lists and calls what stands here and has no list of its own. */
#ifndef TARE_DATA_FORMATS_H
#define TARE_DATA_FORMATS_H

#include <stdint.h>

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A file format of one array. */
typedef struct {
    const char *name;
    const char *doc;            /* one line */
    const char *const *endings; /* of the names of its files, without .gz; NULL-terminated */
    tare_status (*read)(tare_memory *memory, const char *path, tare_array *array);
    tare_status (*write)(tare_memory *memory, const char *path, const tare_array *array);
} tare_format;

/* A data set that can be made. */
typedef struct {
    const char *name;
    const char *doc;       /* one line */
    int64_t count_default; /* what the count means is in doc */
    uint64_t seed_default;
    tare_status (*write)(tare_memory *memory, const char *folder, uint64_t seed, int64_t count);
} tare_data_kind;

/* The built-in ones; n may not be NULL. */
TARE_API const tare_format *tare_formats(int *n);
TARE_API const tare_data_kind *tare_data_kinds(int *n);

/* The format of a file, by the ending of its name (.gz ignored). NULL: none, with the known endings as text. */
TARE_API const tare_format *tare_format_of(const char *path);

/* NULL: there is none of this name, with the known names as text. */
TARE_API const tare_data_kind *tare_data_kind_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
