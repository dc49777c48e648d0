/* mode.h - the mode seam: all that a net, a layer, a gradient or an optimizer can see of how it is run.
 *
 * A mode applies operators. The imperative mode runs each at once and, when recording, appends it to its tape;
 * the graph mode only appends. The code above the seam is the same and cannot tell.
 *
 * Errors: the first one stays in `error` (its text in tare_error_text()); everything applied after it gives the
 * mode's poison value, so that a net needs no check a line. tare_mode_clear starts afresh.
 * Threads: a mode belongs to its runtime's thread. */
#ifndef TARE_CORE_MODE_H
#define TARE_CORE_MODE_H

#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tare_mode {
    /* Applies `op` to n_in inputs (NULL: an absent optional input); writes its results (tare_op_outputs) to out, each a
     * handle owned by the current scope (or, in a graph, by the program). Bit o of `absent`: result o is not wanted and
     * out[o] = NULL. */
    tare_status (*apply)(tare_mode *, const tare_op *, const void *attr, tare_value *const *in, int n_in,
                         tare_value **out, uint32_t absent);
    /* A scope owns the handles of the values made in it. path: the layer for messages, borrowed (NULL: as outside). */
    void (*scope_begin)(tare_mode *, const char *path);
    /* Lets all go but keep[0..n), which belong to the scope around it; outermost, each is a handle of the caller's, to
     * be dropped with tare_value_drop. An entry that was given up before becomes poison and sets the
     * error; a NULL entry is skipped. */
    void (*scope_end)(tare_mode *, tare_value **keep, int n);
    /* Gradients of the roots with respect to every leaf that wants one: they are left on the leaves
     * (tare_value_gradient). head NULL or head[i] NULL: ones. keep: the tape stays for another backward. */
    tare_status (*backward)(tare_mode *, tare_value *const *root, tare_value *const *head, int n, bool keep);
    /* The gradient that the last backward left on a leaf, borrowed; NULL if none. */
    tare_value *(*gradient)(tare_mode *, tare_value *leaf);
    /* Hands inputs over to the scope just begun where the caller moved them (tare_move). */
    void (*adopt)(tare_mode *, tare_value *const *in, int n);

    tare_runtime *runtime;
    tare_program *program; /* the tape, or the graph being built */
    const char *path;
    int32_t depth;                /* open scopes */
    bool capturing;               /* a graph's: nothing runs */
    bool training;                /* dropout drops, batch norm uses the batch */
    bool recording;               /* operators are recorded for a gradient */
    bool overwrite;               /* a backward replaces what an earlier one left on a leaf, and may do so in the same
                                     bytes (MXNet's grad_req "write"); false: it adds to it */
    uint32_t walk;                /* number of the reverse walk under way or last done */
    struct tare_reached *reached; /* leaves of the walk, see gradient.c */
    int32_t n_reached, capacity_reached, n_unstamped;
    tare_status error;
    tare_value poison;
};

/* For makers of modes: sets runtime and poison, the rest zero; and lets go what the walk took. */
TARE_API void tare_mode_init(tare_mode *, tare_runtime *);
TARE_API void tare_mode_fini(tare_mode *);

/* Forgets the error. */
TARE_API void tare_mode_clear(tare_mode *);

/* One result; the form that the typed operator functions of ops/ops.h use. Poison on error. */
static inline tare_value *tare_apply1(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in,
                                      int n_in)
{
    tare_value *out[TARE_OPERANDS];
    return m->apply(m, op, attr, in, n_in, out, 0) == TARE_OK ? out[0] : &m->poison;
}

#ifdef __cplusplus
}
#endif
#endif
