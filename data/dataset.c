/* dataset.c - a folder of files as something to train on (see dataset.h). */
#include "dataset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cifar.h"
#include "formats.h"

enum { N_FILES = 4, SPELLINGS = 2, PATH_BYTES = 4096, FILE_BYTES = PATH_BYTES + 64 };

/* The files of a data set: training x and y, test x and y; NULL: there is none of this kind, or of this spelling. */
static const struct layout {
    const char *name;
    int64_t n_classes;
    const char *files[SPELLINGS][N_FILES];
    bool records; /* x and y in one file (cifar.h); those of the training part follow the first by number */
} layouts[] = {
    {.name = "mnist",
     .n_classes = 10,
     .files = {{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte"},
               {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte",
                "t10k-labels.idx1-ubyte"}}},
    {.name = "cifar",
     .n_classes = TARE_CIFAR_CLASSES,
     .files = {{"data_batch_1.bin", NULL, "test_batch.bin", NULL}},
     .records = true},
    {.name = "npy", .files = {{"X_train.npy", "Y_train.npy", "X_test.npy", "Y_test.npy"}}},
};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

/* Where a data set was looked for. */
typedef struct {
    char folder[PATH_BYTES];
    const char *file;               /* the last part of what was named, where that is a file; else NULL */
    char path[N_FILES][FILE_BYTES]; /* of the files that were found, "" of others */
} place;

static bool is_wanted(unsigned parts, int file)
{
    return parts & (file < 2 ? TARE_DATASET_TRAIN : TARE_DATASET_TEST);
}

static bool is_needed(const struct layout *layout, unsigned parts, int file)
{
    return layout->files[0][file] && is_wanted(parts, file) && !(file % 2 && parts & TARE_DATASET_UNLABELLED);
}

static tare_status place_set(place *at, const char *path)
{
    struct stat found;
    if (stat(path, &found))
        return tare_error(errno == ENOENT ? TARE_NOT_FOUND : TARE_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (strlen(path) >= PATH_BYTES)
        return tare_error(TARE_BAD_ARGUMENT, "the name of the data set is longer than %d bytes", PATH_BYTES - 1);
    at->file = NULL;
    strcpy(at->folder, path);
    if (S_ISDIR(found.st_mode))
        return TARE_OK;
    char *slash = strrchr(at->folder, '/');
    at->file = path + (slash ? slash + 1 - at->folder : 0);
    strcpy(slash ? slash + 1 : at->folder, ".");
    return TARE_OK;
}

/* Whether the file that was named, if one was, is of this layout. */
static bool is_named(const char *name, const struct layout *layout)
{
    if (!name)
        return true;
    for (int i = 0; i < SPELLINGS * N_FILES; ++i) {
        const char *file = layout->files[i / N_FILES][i % N_FILES];
        size_t length = file ? strlen(file) : 0;
        const char *rest = name + length;
        if (file && strncmp(name, file, length) == 0 && (*rest == 0 || strcmp(rest, ".gz") == 0))
            return true;
    }
    return false;
}

bool tare_dataset_names(const char *path)
{
    struct stat found;
    const char *slash = strrchr(path, '/');
    bool named = stat(path, &found) == 0 && S_ISDIR(found.st_mode);
    for (int i = 0; i < N_LAYOUTS; ++i)
        named |= is_named(slash ? slash + 1 : path, &layouts[i]);
    return named;
}

/* Finds one file of a folder, in any spelling, plain or compressed; path: FILE_BYTES, "" where there is none. */
static bool look_for_one(const char *folder, const struct layout *layout, int file, char *path)
{
    *path = 0;
    for (int i = 0; i < 2 * SPELLINGS && !*path; ++i) {
        char tried[FILE_BYTES];
        struct stat found;
        const char *name = layout->files[i / 2][file];
        if (!name)
            continue;
        (void)snprintf(tried, sizeof tried, "%s/%s%s", folder, name, i % 2 ? ".gz" : "");
        if (stat(tried, &found) == 0)
            strcpy(path, tried);
    }
    return *path;
}

/* How many of the files that a layout needs are there; the paths of all that are wanted are in `at`. */
static int look_for(place *at, const struct layout *layout, unsigned parts)
{
    int n_found = 0;
    for (int i = 0; i < N_FILES; ++i) {
        at->path[i][0] = 0;
        if (is_wanted(parts, i) && look_for_one(at->folder, layout, i, at->path[i]))
            n_found += is_needed(layout, parts, i);
    }
    return n_found;
}

static tare_status tell_missing(place *at, const struct layout *layout, unsigned parts, int n_found)
{
    if (at->file && !layout)
        return tare_error(TARE_NOT_FOUND, "%s/%s: not the name of a file of a data set (%s, %s, %s, ...)", at->folder,
                          at->file, layouts[0].files[0][0], layouts[1].files[0][0], layouts[2].files[0][0]);
    if (!layout)
        return tare_error(TARE_NOT_FOUND, "%s: no data set here: neither %s nor %s nor %s (or .gz)", at->folder,
                          layouts[0].files[0][0], layouts[1].files[0][0], layouts[2].files[0][0]);
    const char *there = "", *missing = "";
    look_for(at, layout, parts);
    for (int i = N_FILES - 1; i >= 0; --i)
        if (is_needed(layout, parts, i))
            *(at->path[i][0] ? &there : &missing) = layout->files[0][i];
    return tare_error(TARE_NOT_FOUND,
                      "%s: an incomplete data set: %s is here (%d of its files are), %s (or .gz) is not", at->folder,
                      there, n_found, missing);
}

/* The one layout whose wanted files are all there, their paths in `at`. */
static tare_status recognise(place *at, unsigned parts, const struct layout **layout)
{
    const struct layout *partial = NULL;
    int n_partial = 0;
    *layout = NULL;
    for (const struct layout *l = layouts; l < layouts + N_LAYOUTS; ++l) {
        int n_needed = 0;
        for (int i = 0; i < N_FILES; ++i)
            n_needed += is_needed(l, parts, i);
        int n_found = is_named(at->file, l) ? look_for(at, l, parts) : 0;
        if (n_found == n_needed && *layout)
            return tare_error(TARE_BAD_ARGUMENT, "%s: two data sets are here: name %s or %s", at->folder,
                              (*layout)->files[0][0], l->files[0][0]);
        if (n_found == n_needed)
            *layout = l;
        if (n_found > n_partial) {
            partial = l;
            n_partial = n_found;
        }
    }
    if (!*layout)
        return tell_missing(at, partial, parts, n_partial);
    look_for(at, *layout, parts);
    return TARE_OK;
}

static tare_status check_labels(const tare_array *y, const char *path, int64_t n_classes)
{
    if (y->rank != 1 || (y->dtype != TARE_U8 && y->dtype != TARE_I32))
        return tare_error(TARE_BAD_DATA, "%s: labels must be whole numbers of rank 1", path);
    for (int64_t i = 0; i < y->dims[0]; ++i) {
        int64_t label = y->dtype == TARE_U8 ? ((const unsigned char *)y->data)[i] : ((const int32_t *)y->data)[i];
        if (label < 0 || label >= n_classes)
            return tare_error(TARE_BAD_DATA, "%s: label %lld of row %lld is not in 0..%lld", path, (long long)label,
                              (long long)i, (long long)n_classes - 1);
    }
    return TARE_OK;
}

static tare_status check_part(const tare_dataset_part *part, char (*path)[FILE_BYTES], int64_t n_classes)
{
    for (int i = 0; i < 2 && path[i][0]; ++i) {
        const tare_array *array = i ? &part->y : &part->x;
        if (array->rank < 1 || array->bytes == 0)
            return tare_error(TARE_BAD_DATA, "%s: there are no rows in it", path[i]);
    }
    if (!path[1][0])
        return TARE_OK;
    if (part->x.dims[0] != part->y.dims[0])
        return tare_error(TARE_BAD_DATA, "%s has %lld rows, but %s has %lld", path[0], (long long)part->x.dims[0],
                          path[1], (long long)part->y.dims[0]);
    return n_classes ? check_labels(&part->y, path[1], n_classes) : TARE_OK;
}

static bool are_alike(const tare_array *a, const tare_array *b)
{
    bool alike = a->dtype == b->dtype && a->rank == b->rank;
    for (int i = 1; i < a->rank; ++i)
        alike &= a->dims[i] == b->dims[i];
    return alike;
}

static tare_status read_arrays(tare_memory *memory, const place *at, tare_array *const *arrays)
{
    for (int i = 0; i < N_FILES; ++i) {
        if (!at->path[i][0])
            continue;
        const tare_format *format = tare_format_of(at->path[i]);
        tare_status status = format ? format->read(memory, at->path[i], arrays[i]) : TARE_NOT_FOUND;
        if (status)
            return status;
    }
    return TARE_OK;
}

/* The paths of all training batches, `first` being that of number 1, in one block; NULL: no memory. */
static char (*name_batches(tare_memory *memory, const char *first, const char **path))[FILE_BYTES]
{
    char(*text)[FILE_BYTES] = tare_memory_take(memory, TARE_MEMORY_INPUT, TARE_CIFAR_BATCHES * sizeof *text);
    const char *number = strrchr(first, '_') + 1;
    for (int i = 0; text && i < TARE_CIFAR_BATCHES; ++i) {
        strcpy(text[i], first);
        text[i][number - first] = (char)('1' + i);
        path[i] = text[i];
    }
    return text;
}

static tare_status read_records(tare_memory *memory, const place *at, tare_dataset *made)
{
    const char *path[TARE_CIFAR_BATCHES] = {at->path[2]};
    tare_status status = TARE_OK;
    if (at->path[2][0])
        status = tare_cifar_read(memory, path, 1, &made->test.x, &made->test.y);
    if (status || !at->path[0][0])
        return status;
    char(*text)[FILE_BYTES] = name_batches(memory, at->path[0], path);
    if (!text)
        return TARE_NO_MEMORY;
    status = tare_cifar_read(memory, path, TARE_CIFAR_BATCHES, &made->train.x, &made->train.y);
    tare_memory_give(memory, TARE_MEMORY_INPUT, text, TARE_CIFAR_BATCHES * sizeof *text);
    return status;
}

static tare_status read_all(tare_memory *memory, place *at, const struct layout *layout, tare_dataset *made)
{
    tare_array *arrays[N_FILES] = {&made->train.x, &made->train.y, &made->test.x, &made->test.y};
    tare_status read = layout->records ? read_records(memory, at, made) : read_arrays(memory, at, arrays);
    if (read)
        return read;
    for (int i = 0; i < N_FILES; i += 2) {
        tare_status status = TARE_OK;
        if (at->path[i][0])
            status = check_part(i ? &made->test : &made->train, &at->path[i], made->n_classes);
        if (status)
            return status;
    }
    for (int i = 0; i < 2; ++i)
        if (at->path[i][0] && at->path[i + 2][0] && !are_alike(arrays[i], arrays[i + 2]))
            return tare_error(TARE_BAD_DATA, "%s and %s: their rows differ in shape or type", at->path[i],
                              at->path[i + 2]);
    return TARE_OK;
}

tare_status tare_dataset_open(tare_memory *memory, const char *path, unsigned parts, tare_dataset *dataset)
{
    const unsigned both = TARE_DATASET_TRAIN | TARE_DATASET_TEST;
    if ((parts & both) == 0 || parts & ~(both | TARE_DATASET_UNLABELLED))
        return tare_error(TARE_BAD_ARGUMENT, "%s: neither training nor test part was asked for", path);
    place *at = tare_memory_take(memory, TARE_MEMORY_INPUT, sizeof *at);
    if (!at)
        return TARE_NO_MEMORY;
    const struct layout *layout;
    tare_dataset made = {0};
    tare_status status = place_set(at, path);
    if (status == TARE_OK)
        status = recognise(at, parts, &layout);
    if (status == TARE_OK) {
        made.layout = layout->name;
        made.n_classes = layout->n_classes;
        status = read_all(memory, at, layout, &made);
    }
    tare_memory_give(memory, TARE_MEMORY_INPUT, at, sizeof *at);
    if (status)
        tare_dataset_fini(memory, &made);
    else
        *dataset = made;
    return status;
}

void tare_dataset_fini(tare_memory *memory, tare_dataset *dataset)
{
    tare_array_fini(memory, &dataset->train.x);
    tare_array_fini(memory, &dataset->train.y);
    tare_array_fini(memory, &dataset->test.x);
    tare_array_fini(memory, &dataset->test.y);
    *dataset = (tare_dataset){0};
}
