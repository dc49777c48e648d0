/* capture.h - capturing a function as one operator, as a service: what nets and the imperative mode may know of it.
 *
 * graph/ registers the service "capture" in the catalogue (TARE_KIND_SERVICE); nobody else needs to include graph/. A
 * captured function is traced once for each signature of its inputs and planned; from then on applying it is one
 * operator made at run time: one node on the tape, whose auxiliary output is the plan's instance, busy until the node
 * is freed, and whose gradient emits the backward operator. Applied while another graph is captured, it is traced into
 * that graph. The bits are those of the plain function.
 *
 * At a break (an operator whose record says `breaks`) the function is cut: its parts are captured each for itself, and
 * control returns in between. A break that nothing crosses, or more than 7 values, is not made. */
#ifndef TARE_CORE_CAPTURE_H
#define TARE_CORE_CAPTURE_H

#include "mode.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A function over the seam: n_in values to n_out results. Sets nothing on error: the mode has it. */
typedef void tare_function(void *owner, tare_mode *, tare_value *const *in, int n_in, tare_value **out, int n_out);

typedef struct {
    bool keep;           /* arenas stay with the function between calls, for any signature (static_alloc) */
    bool bound;          /* calls are replayed as bound, not dispatched one by one (static_shape); needs keep */
    bool broken;         /* cut between layers too, not at breaks alone */
    const char *packer;  /* registered packer of its plans (pack/pack.h); NULL: the default */
    bool fuse;           /* plans run rows of nodes as one call (graph.h) */
    int most_signatures; /* kept plans, least recently used goes first; 0 = 16 */
    int most_backwards;  /* kept of one signature, one a set of gradients that arrive, in the same way; 0 = 16 */
    int most_instances;  /* busy at once for one signature, then TARE_BUSY; 0 = 64 */
} tare_capture_options;

typedef struct tare_captured tare_captured;

typedef struct tare_capture_service {
    const char *name; /* "capture" */
    tare_status (*make)(tare_runtime *, tare_function *, void *owner, int n_out, const tare_capture_options *,
                        tare_captured **out);
    /* As calling the function with this mode: out[] are handles of the current scope. */
    tare_status (*apply)(tare_captured *, tare_mode *, tare_value *const *in, int n_in, tare_value **out);
    /* Where storage is kept: at least one idle arena of so many bytes, ahead of the first call; and all idle ones back
     * to the pool. */
    tare_status (*reserve)(tare_captured *, size_t bytes);
    void (*shrink)(tare_captured *);
    /* After all values that it made, and before its runtime. */
    void (*free)(tare_captured *);
} tare_capture_service;

#ifdef __cplusplus
}
#endif
#endif
