/* fail_allocation.c - preloaded into the command: the allocations of tare and of its JSON library fail from one on.
 *
 * FAIL_ALLOCATION=K fails request K and all after it, 0 none; FAIL_ALLOCATION_COUNT=FILE gets how many there were. Only
 * requests that come from the program, libtare and libjansson are counted: what the C library does for itself goes on.
 * For glibc alone, whose own functions are called beneath. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { RANGES = 16 };
static struct {
    uintptr_t begin, end;
} ranges[RANGES];
static int n_ranges;
static long n_requests, fail_at;

static int take_object(struct dl_phdr_info *object, size_t bytes, void *owner)
{
    (void)bytes;
    (void)owner;
    const char *name = object->dlpi_name;
    if (*name && !strstr(name, "libtare") && !strstr(name, "libjansson"))
        return 0;
    for (int i = 0; i < object->dlpi_phnum && n_ranges < RANGES; ++i) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
            ranges[n_ranges].begin = object->dlpi_addr + part->p_vaddr;
            ranges[n_ranges++].end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_ALLOCATION");
    fail_at = at ? atol(at) : 0;
    (void)dl_iterate_phdr(take_object, NULL);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_ALLOCATION_COUNT");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (file >= 0) {
        (void)dprintf(file, "%ld\n", n_requests);
        (void)close(file);
    }
}

static bool fails(const void *caller)
{
    for (int i = 0; i < n_ranges; ++i) {
        if ((uintptr_t)caller < ranges[i].begin || (uintptr_t)caller >= ranges[i].end)
            continue;
        if (++n_requests < fail_at || !fail_at)
            return false;
        errno = ENOMEM;
        return true;
    }
    return false;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t bytes)
{
    return fails(CALLER) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(CALLER) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    return fails(CALLER) ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(CALLER) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    if (fails(CALLER))
        return ENOMEM;
    *out = __libc_memalign(alignment, bytes);
    return *out ? 0 : ENOMEM;
}
