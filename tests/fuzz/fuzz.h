/* fuzz.h - what the fuzz targets share: a claim that ends the process, files in a folder of their own.
 *
 * A target is a file of this folder with LLVMFuzzerTestOneInput. It hands the bytes to a reader, as a file where the
 * reader takes a path, and claims more than that nothing crashes: what was read is written and read again the same, no
 * block is lost. It is linked to libFuzzer (preset `fuzz`), or to tests/fuzz_driver.c (all others). */
#ifndef TARE_TESTS_FUZZ_H
#define TARE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/memory.h"
#include "../../core/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CLAIM(claim)                                                                                              \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            (void)fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #claim, tare_error_text());          \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
#define FUZZ_OK(call) FUZZ_CLAIM((call) == TARE_OK)

enum { FUZZ_PATH = 64, FUZZ_NAMES = 8 };
static char fuzz_folder[FUZZ_PATH / 2], fuzz_names[FUZZ_NAMES][FUZZ_PATH];

static void fuzz_clear(void)
{
    for (int i = 0; i < FUZZ_NAMES && *fuzz_names[i]; ++i)
        (void)unlink(fuzz_names[i]);
    (void)rmdir(fuzz_folder);
}

/* The file of that name in the folder, which is in memory where the system has such a place and goes at the end. */
static inline const char *fuzz_path(const char *name)
{
    char path[FUZZ_PATH];
    int i = 0;
    if (!*fuzz_folder) {
        (void)snprintf(fuzz_folder, sizeof fuzz_folder, "%s/tare_fuzz_XXXXXX",
                       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        FUZZ_CLAIM(mkdtemp(fuzz_folder));
        (void)atexit(fuzz_clear);
    }
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    while (*fuzz_names[i] && strcmp(fuzz_names[i], path) != 0)
        FUZZ_CLAIM(++i < FUZZ_NAMES);
    return strcpy(fuzz_names[i], path);
}

static inline const char *fuzz_put(const char *name, const uint8_t *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    FUZZ_CLAIM(file && (!size || fwrite(data, 1, size, file) == size) && fclose(file) == 0);
    return path;
}

/* Whether two files are the same, byte for byte. */
static inline int fuzz_same(const char *a, const char *b)
{
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    int p = EOF, q = EOF;
    FUZZ_CLAIM(x && y);
    do {
        p = getc(x);
        q = getc(y);
    } while (p == q && p != EOF);
    (void)fclose(x);
    (void)fclose(y);
    return p == q;
}

static inline void fuzz_claim_nothing_lost(const tare_memory *memory)
{
    FUZZ_CLAIM(memory->n_live == 0);
    for (int i = 0; i < TARE_MEMORY_CATEGORY_COUNT; ++i)
        FUZZ_CLAIM(memory->bytes_live[i] == 0);
}

#endif
