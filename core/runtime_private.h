/* runtime_private.h - what the files of core/ share beyond the public headers. */
#ifndef TARE_CORE_RUNTIME_PRIVATE_H
#define TARE_CORE_RUNTIME_PRIVATE_H

#include "runtime.h"

/* The CPU device with its workers, and the CPU behind a queue (engine.c). NO_MEMORY: no memory, or no threads. */
tare_status tare__cpu_open(tare_runtime *, tare_device **out);
tare_status tare__engine_open(tare_runtime *, tare_device **out);
/* The CPU's copy: at once. */
tare_status tare__cpu_copy(tare_device *, void *to, const void *from, size_t bytes, tare_copy_direction);
/* The best instruction set of this processor. */
tare_isa tare__cpu_isa(void);

/* What a kernel that met bad data is told as. */
tare_status tare__data_error(const char *op, const char *path);
/* The number of an operator and a layer (NULL: none), for tare_call.site. NO_MEMORY. */
tare_status tare__site_of(tare_runtime *, const char *op, const char *path, int32_t *out);
void tare__sites_fini(tare_runtime *);

/* The catalogue's and the kernel tables' memory. */
void tare__catalogue_fini(tare_runtime *);
/* Ends the kernel set in use, if there is one. */
void tare__added_close(tare_runtime *);
tare_status tare__catalogue_init(tare_runtime *);

/* Unloads all plug-ins: when nothing of the runtime is left that could point into one. */
void tare__plugins_fini(tare_runtime *);

/* A storage record: a free list over slabs. NULL: out of memory. */
tare_storage *tare__storage_record(tare_runtime *);
/* Lets handles go that other threads dropped; and all slabs, at the end. */
void tare__records_drain(tare_runtime *);
void tare__records_fini(tare_runtime *);

#endif
