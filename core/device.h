/* device.h - a device is a small table of functions; the CPU is one, a plug-in's GPU another.
 *
 * Addresses of a device mean something to its own kernels only. Work given to `run` may be queued: it happens in
 * the order given, and nothing is known of its result until `wait`. A data error met on the way is kept (sticky) and
 * answered by the next wait. A device belongs to one runtime and its thread. */
#ifndef TARE_CORE_DEVICE_H
#define TARE_CORE_DEVICE_H

#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TARE_COPY_TO_DEVICE, TARE_COPY_TO_HOST, TARE_COPY_WITHIN } tare_copy_direction;

struct tare_device {
    const char *name;
    bool host_visible; /* the host may read and write its addresses (after wait) */
    bool synchronous;  /* run has finished when it returns */
    bool direct;       /* the host may call a kernel of one piece itself, on its own thread, as worker 0 */
    /* Raw memory, aligned to TARE_ALIGNMENT; NULL with the text set when there is none. */
    void *(*alloc)(tare_device *, tare_memory_category, size_t bytes);
    void (*free)(tare_device *, tare_memory_category, void *, size_t bytes);
    /* In order with the queue; to or from the host it returns when the bytes have moved. */
    tare_status (*copy)(tare_device *, void *to, const void *from, size_t bytes, tare_copy_direction);
    /* Runs n calls in order. Answers 0, or on a synchronous device the data error: *failed = the call's index, and the
     * calls after it did not run. */
    int (*run)(tare_device *, const tare_call *, int n, int *failed);
    tare_status (*wait)(tare_device *);
    /* Records the calls as one launchable object, and launches it; NULL: the device has none. */
    tare_status (*capture)(tare_device *, const tare_call *, int n, void **graph);
    tare_status (*launch)(tare_device *, void *graph);
    void (*release)(tare_device *, void *graph);
    void (*close)(tare_device *);
    tare_runtime *runtime;
};

#ifdef __cplusplus
}
#endif
#endif
