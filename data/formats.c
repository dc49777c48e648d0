/* formats.c - the file formats and the kinds of generated data (see formats.h). */
#include "formats.h"

#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "gzip.h"
#include "idx.h"
#include "npy.h"
#include "regression.h"
#include "shapes.h"

static const tare_format formats[] = {
    {"idx", "MNIST's format: a header of type and dimensions, then the elements, big-endian",
     (const char *const[]){"-ubyte", ".idx", NULL}, tare_idx_read, tare_idx_write},
    {"npy", "NumPy's format: a header that is a Python dictionary, then the elements",
     (const char *const[]){".npy", NULL}, tare_npy_read, tare_npy_write},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static const tare_data_kind kinds[] = {
    {"digits", "rendered digits in MNIST's four IDX files; count = images to train on, and a sixth more to test", 60000,
     1, tare_digits_write},
    {"cifar",
     "rendered shapes with a texture in CIFAR-10's binary files; count = images to train on, a fifth more to test",
     50000, 1, tare_shapes_write},
    {"regression", "1000 normal inputs, one linear target, in four npy files; count = rows, a tenth of them to test",
     100000, 43, tare_regression_write},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const tare_format *tare_formats(int *n)
{
    *n = N_FORMATS;
    return formats;
}

const tare_data_kind *tare_data_kinds(int *n)
{
    *n = N_KINDS;
    return kinds;
}

static void append(char *list, size_t bytes, const char *word)
{
    size_t used = strlen(list);
    (void)snprintf(list + used, bytes - used, "%s%s", used ? ", " : "", word);
}

const tare_format *tare_format_of(const char *path)
{
    char known[256] = "";
    size_t length = strlen(path) - (tare__gzip_named(path) ? strlen(".gz") : 0);
    for (int i = 0; i < N_FORMATS; ++i)
        for (const char *const *ending = formats[i].endings; *ending; ++ending) {
            size_t tail = strlen(*ending);
            if (length >= tail && memcmp(path + length - tail, *ending, tail) == 0)
                return &formats[i];
            append(known, sizeof known, *ending);
        }
    (void)tare_error(TARE_NOT_FOUND, "%s: no format by the ending of this name (known: %s)", path, known);
    return NULL;
}

const tare_data_kind *tare_data_kind_find(const char *name)
{
    char known[256] = "";
    for (int i = 0; i < N_KINDS; ++i) {
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
        append(known, sizeof known, kinds[i].name);
    }
    (void)tare_error(TARE_NOT_FOUND, "no kind of data is called '%s' (there are: %s)", name, known);
    return NULL;
}
