/* imperative.h - run now: each operator runs when it is applied and, when recording, is appended to a tape.
 *
 *     tare_mode *m;
 *     tare_imperative_new(rt, &m);
 *     m->recording = true;
 *     m->scope_begin(m, NULL);
 *     tare_value *loss = net(m, x);
 *     m->backward(m, &loss, NULL, 1, false);   gradients are now on the parameters
 *     m->scope_end(m, NULL, 0);                all else is let go, the tape is empty
 *
 * Operators need an open scope: it owns what they make. The tape lives until a backward has walked it or the
 * outermost scope ends. A gradient left by an earlier backward on a leaf is added to, once and last: clear it
 * (tare_value_clear_gradient) for a fresh one. No-grad is m->recording = false; tare_detach(m, x) cuts one value.
 *
 * On a device that queues, bad data come to light later: at the end of an outermost scope, where they become the mode's
 * error, or at a read or a wait, which answer them.
 *
 * Ownership: the caller frees the mode before the runtime. Threads: the runtime's. */
#ifndef TARE_IMPERATIVE_IMPERATIVE_H
#define TARE_IMPERATIVE_IMPERATIVE_H

#include "../core/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

TARE_API tare_status tare_imperative_new(tare_runtime *, tare_mode **out);
TARE_API void tare_imperative_free(tare_mode *); /* NULL is fine; open scopes are ended */
/* Installs the functions that call runtime->trace (or the plain ones when it is empty): after changing it. */
TARE_API void tare_imperative_retrace(tare_mode *);

/* Reaches operators as a language binding's C interface does: each apply formats its attributes as text, looks the
 * operator up by name and parses the text. Gradients are emitted inside the library and are not reached so. */
TARE_API void tare_imperative_by_name(tare_mode *, bool);

#ifdef __cplusplus
}
#endif
#endif
