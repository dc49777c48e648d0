/* shadow.h - the shadow device: a GPU's manners on the CPU's kernels, so that the device seam stays honest.
 *
 * Its memory is one file mapped twice. The addresses that it hands out lie in a mapping without any right: whoever
 * follows one on the host falls. The other mapping is known to its worker thread alone, and a call's address array is
 * the only thing that is carried over, so a kernel that got an address in any other way falls too. Everything is
 * queued, in order, on the worker. New blocks and freed ones are filled with 0xff (NaN, -1) in that order: what reads
 * before it was written, or after it was freed, cannot go unseen.
 *
 * See docs/DEVICES.md. */
#ifndef TARE_TESTS_SHADOW_H
#define TARE_TESTS_SHADOW_H

#include "../core/queue.h"

/* A lazy worker does nothing before the host waits: all that can be queued behind each other is. FOLLOWED: the same,
 * and the host may follow the queue (device.h: reach), so that what is forgotten in a storage is not there when it is
 * read.
 */
typedef enum { SHADOW_EAGER, SHADOW_LAZY, SHADOW_FOLLOWED } shadow_pace;

enum { SHADOW_BYTES = 256 << 20 };

/* tare_options.open_device; device_owner: a const shadow_pace, or NULL for eager. */
tare_device_open shadow_open;

/* Calls that have run so far on the worker; waits for all that is queued, answers nothing. */
int64_t shadow_calls_run(tare_device *);

#endif
