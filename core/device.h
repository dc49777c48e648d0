/* device.h - a device is a small table of functions; the CPU is one, a plug-in's GPU another.
 *
 * Addresses of a device mean something to its own kernels only: core adds offsets to them, hands them over in the
 * address array of a call, and never follows them. Work given to a device happens in the order given, on one queue:
 * calls, captured calls, copies, frees. A synchronous device has done it when the function returns; another one may
 * queue it, and nothing is known of its result until `wait`.
 *
 * A data error met on the way is kept: what was queued behind it (calls, launches, copies within the device) does not
 * happen, until the wait that answers it. Then the queue is usable again. docs/DEVICES.md tells how to write one.
 *
 * A device belongs to one runtime; its functions are called on that runtime's thread. */
#ifndef TARE_CORE_DEVICE_H
#define TARE_CORE_DEVICE_H

#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every change of this table or of what its functions get (tare_call, tare_work). */
enum { TARE_DEVICE_ABI = 2 };

typedef enum { TARE_COPY_TO_DEVICE, TARE_COPY_TO_HOST, TARE_COPY_WITHIN } tare_copy_direction;

struct tare_device {
    /* These two stand first in every version, so that a device made for another one can be refused and closed. */
    uint32_t abi; /* TARE_DEVICE_ABI as the device was compiled */
    /* Finishes what is queued, then lets everything go. No value and no storage of the runtime is left by then. */
    void (*close)(tare_device *);
    const char *name;
    bool host_visible; /* the host may read and write its addresses (after wait) */
    bool synchronous;  /* everything has happened when the function returns */
    bool direct;       /* the host may call a kernel of one piece itself, on its own thread, as worker 0 */
    /* Non-zero from the moment that a queued call met bad data until the wait that answers it; read atomically at the
     * ends of scopes and before runs, so that an error is told without waiting. NULL: only wait knows. */
    const int32_t *fault;
    /* Where the host can follow the queue: the number of the last thing queued, which only grows, and a function that
     * returns when all up to a number has happened (OK, whatever the data), whatever is queued behind it. A storage
     * then keeps the numbers of the last calls that read and that wrote it, and the host waits for no others. Both
     * NULL: it waits for all that is queued. */
    const uint64_t *queued;
    tare_status (*reach)(tare_device *, uint64_t number);
    /* Lets calls happen that the device holds back to hand them over together. NULL: it holds none back. */
    void (*flush)(tare_device *);
    /* Raw memory, aligned to TARE_ALIGNMENT, content undefined; 0 bytes give a valid block. NULL with the text set when
     * there is none. With `reach`: nothing queued uses it. */
    void *(*alloc)(tare_device *, tare_memory_category, size_t bytes);
    /* In order with the queue: work given before may still use the block, work given later may get it anew. */
    void (*free)(tare_device *, tare_memory_category, void *, size_t bytes);
    /* In order with the queue (with `reach`: at once, for the caller has reached what it needs); to or from the host it
     * returns when the bytes have moved, which they do behind a data error too. Does not answer data errors. */
    tare_status (*copy)(tare_device *, void *to, const void *from, size_t bytes, tare_copy_direction);
    /* Runs n calls in order, each as all its pieces and then combine. The calls, their addresses (n_ptr) and geometry
     * (n_g) are the caller's again when it returns. BAD_DATA only on a synchronous device: *failed = the call's index,
     * and the calls after it did not run; the caller words it. Anything else with the text set: nothing ran. */
    tare_status (*run)(tare_device *, const tare_call *, int n, int *failed);
    /* Waits for all that is queued. BAD_DATA (tare_site_error) when a call met bad data since the wait before. */
    tare_status (*wait)(tare_device *);
    /* Records the calls, as they are bound, as one launchable object; queues it, as often as wanted; lets it go, queued
     * or not. All three NULL: the device has none. */
    tare_status (*capture)(tare_device *, const tare_call *, int n, void **graph);
    tare_status (*launch)(tare_device *, void *graph);
    void (*release)(tare_device *, void *graph);
    tare_runtime *runtime;
};

/* How a runtime gets its device (tare_options.open_device): makes one for `rt`, which owns it from then on. The
 * runtime's allocator is there, its catalogue is still empty. On failure a status with the text set. */
typedef tare_status tare_device_open(tare_runtime *rt, void *owner, tare_device **out);

/* Whether a data error waits to be answered, as far as the device tells without waiting. */
static inline bool tare_device_faulted(const tare_device *d)
{
    return d->fault && __atomic_load_n(d->fault, __ATOMIC_ACQUIRE) != 0;
}

/* Lets what is held back happen. */
static inline void tare_device_flush(tare_device *d)
{
    if (d->flush)
        d->flush(d);
}

/* For a device's wait: sets the sentence that names the operator and layer of a call that met bad data (tare_call.site)
 * and returns TARE_BAD_DATA. */
TARE_API tare_status tare_site_error(const tare_runtime *, int32_t site);

#ifdef __cplusplus
}
#endif
#endif
