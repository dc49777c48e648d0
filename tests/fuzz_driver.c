/* fuzz_driver.c - runs a fuzz target without libFuzzer: over its kept inputs, then over mutations of them.
 *
 *   fuzz_NAME FOLDER    every file of FOLDER, then mutations from a fixed seed: the same ones on every machine
 * How many is bounded by number and by bytes, which are what takes the time, and so the same everywhere too.
 * What fails ends the process; the input that did is then in FOLDER, or is printed as the number of a mutation. */
#include <dirent.h>
#include <signal.h>

#include "fuzz/fuzz.h"

enum { INPUTS = 256, BYTES = 1 << 16, MUTATIONS = 4000, MUTATED_BYTES = 3 << 20 };

typedef struct {
    uint8_t *data;
    size_t size;
} input;

static volatile sig_atomic_t number; /* of the mutation that runs; 0: an input as it is */
static const char *name;

static uint64_t draw(uint64_t *seed, uint64_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % n;
}

static void say_which(int signal)
{
    (void)signal;
    (void)fprintf(stderr, "fuzz_driver: at %s, mutation %d\n", name, (int)number);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The inputs in the order of their names, each run as it is. */
static int run_kept(const char *folder, input *in)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, is_input, by_name);
    FUZZ_CLAIM(n > 0 && n <= INPUTS);
    for (int i = 0; i < n; ++i) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        FILE *file = fopen(path, "rb");
        in[i].data = malloc(BYTES);
        FUZZ_CLAIM(file && in[i].data);
        in[i].size = fread(in[i].data, 1, BYTES, file);
        (void)fclose(file);
        name = path;
        LLVMFuzzerTestOneInput(in[i].data, in[i].size);
        free(entry[i]);
    }
    free(entry);
    return n;
}

/* One change: a byte, a bit, bytes taken out, a piece of another input put in, the end cut off. */
static size_t mutate(uint8_t *data, size_t size, const input *other, uint64_t *seed)
{
    static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff, '"', ',', '-', '0', '9', '[', '{', '}', '\n'};
    size_t at = size ? draw(seed, size) : 0, left = size - at, from, n;
    uint64_t change = draw(seed, 5);
    if (change < 3 && !left)
        return size;
    switch (change) {
    case 0:
        data[at] = bytes[draw(seed, sizeof bytes)];
        return size;
    case 1:
        data[at] = (uint8_t)(data[at] ^ 1u << draw(seed, 8));
        return size;
    case 2:
        n = 1 + draw(seed, left < 16 ? left : 16);
        memmove(data + at, data + at + n, left - n);
        return size - n;
    case 3:
        from = other->size ? draw(seed, other->size) : 0;
        n = other->size ? 1 + draw(seed, other->size - from < 64 ? other->size - from : 64) : 0;
        if (size + n > BYTES)
            return size;
        memmove(data + at + n, data + at, left);
        memcpy(data + at, other->data + from, n);
        return size + n;
    default:
        return draw(seed, 8) ? size : at;
    }
}

int main(int argc, char **argv)
{
    static input in[INPUTS];
    uint64_t seed = 1;
    if (argc != 2)
        return 2;
    (void)signal(SIGABRT, say_which);
    int n = run_kept(argv[1], in);
    size_t bytes = 0;
    name = argv[1];
    for (number = 1; number <= MUTATIONS && bytes < MUTATED_BYTES; ++number) {
        const input *of = &in[draw(&seed, (uint64_t)n)];
        uint8_t *data = malloc(BYTES);
        FUZZ_CLAIM(data);
        memcpy(data, of->data, of->size);
        size_t size = of->size;
        for (uint64_t changes = 1 + draw(&seed, 3); changes > 0; --changes)
            size = mutate(data, size, &in[draw(&seed, (uint64_t)n)], &seed);
        /* A block of just that size, so that a sanitizer sees a read behind it. */
        uint8_t *exact = malloc(size ? size : 1);
        FUZZ_CLAIM(exact);
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
        bytes += size;
        free(exact);
        free(data);
    }
    for (int i = 0; i < n; ++i)
        free(in[i].data);
    return 0;
}
