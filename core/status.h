/* status.h - what a call of this library answers, and the sentence that goes with it.
 *
 * A caller's mistake, a missing device or an exhausted memory is a status and one line of text; the
 * library never prints, exits or aborts for them. The text belongs to the calling thread and stays
 * until that thread's next failing call. It is the only mutable global of the library. */
#ifndef TARE_CORE_STATUS_H
#define TARE_CORE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Symbols leave the shared library only where marked so; the rest is hidden. */
#define TARE_API __attribute__((visibility("default")))

/* X(NAME, text): the statuses, and the words that tare_status_name() gives. */
#define TARE_STATUSES(X)                                                                                               \
    X(OK, "ok")                                                                                                        \
    X(BAD_ARGUMENT, "bad argument")                                                                                    \
    X(BAD_SHAPE, "bad shape")                                                                                          \
    X(BAD_DTYPE, "bad dtype")                                                                                          \
    X(BAD_DATA, "bad data")                                                                                            \
    X(NOT_FOUND, "not found")                                                                                          \
    X(NOT_DIFFERENTIABLE, "not differentiable")                                                                        \
    X(NO_MEMORY, "out of memory")                                                                                      \
    X(STALE, "changed since it was saved")                                                                             \
    X(BUSY, "busy")                                                                                                    \
    X(IMPOSSIBLE, "impossible")                                                                                        \
    X(BAD_FILE, "bad file")                                                                                            \
    X(IO, "input or output failed")                                                                                    \
    X(WRONG_THREAD, "used on a thread that does not own it")

typedef enum {
#define TARE_STATUS_ENUM(name, text) TARE_##name,
    TARE_STATUSES(TARE_STATUS_ENUM)
#undef TARE_STATUS_ENUM
} tare_status;

/* The status in words ("out of memory"). Never NULL. */
TARE_API const char *tare_status_name(tare_status status);

/* The sentence of this thread's last failure; "" if there was none. Valid until the next failure. */
TARE_API const char *tare_error_text(void);

/* Sets this thread's error text (printf form, cut at 511 bytes, a control character as '?') and returns `status`,
 * so that a failure is one line: return tare_error(TARE_BAD_SHAPE, "...", ...). Also for plug-ins. */
TARE_API tare_status tare_error(tare_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
