/* imperative_private.h - the imperative mode from within, for those that put a body of their own in the place of apply
 * (bench/carrier.c): its list of handles, and the look-up by name.
 *
 * Every value made in a scope has its handle in one list; a scope is a mark in it. */
#ifndef TARE_IMPERATIVE_IMPERATIVE_PRIVATE_H
#define TARE_IMPERATIVE_IMPERATIVE_PRIVATE_H

#include "../core/dispatch_private.h"

typedef tare_status tare__apply_function(tare_mode *, const tare_op *, const void *, tare_value *const *, int,
                                         tare_value **, uint32_t);

typedef struct {
    int32_t mark;
    const char *path; /* of the scope around */
} tare__scope;

typedef struct {
    tare_mode mode; /* first */
    tare_program tape;
    tare_value **owned;
    int32_t n_owned, capacity_owned;
    tare__scope *scopes; /* by depth; depth d's is scopes[d - 1] */
    int32_t capacity_scopes;
    int32_t refused; /* begun without memory: their values belong to the scope around */
    uint64_t float_before;
    bool by_name;
    tare__apply_function *direct; /* reached directly, as gradients reach operators */
    tare__apply_function *found;  /* after a look-up by name, which has told of the call already */
    /* Who carries the mode: called at the end of each tare_imperative_retrace to put its own functions into mode.apply
     * and `direct`; NULL: nobody. */
    void (*carry)(tare_mode *);
    void *carrier;
} tare__imperative;

/* Room in a list; false: no memory. */
bool tare__imperative_grow(tare_mode *, void **list, int32_t *capacity, size_t item);

/* Takes the handle of a new value over for the innermost scope; false: no memory. */
static inline bool tare__imperative_own(tare_mode *m, tare_value *v)
{
    tare__imperative *im = (tare__imperative *)m;
    if (__builtin_expect(im->n_owned == im->capacity_owned, 0) &&
        !tare__imperative_grow(m, (void **)&im->owned, &im->capacity_owned, sizeof *im->owned))
        return false;
    im->owned[im->n_owned++] = v;
    return true;
}

enum { TARE__ATTRIBUTE_TEXT = 512, TARE__ATTRIBUTE_BYTES = 512 };

/* Whether the operator is one that a look-up by name can find and whose attributes there is room for. */
static inline bool tare__imperative_named(const tare_mode *m, const tare_op *op)
{
    return !m->error && !op->execute && op->attr_bytes <= TARE__ATTRIBUTE_BYTES;
}

/* What a language binding does for a call: attributes formatted as text, the operator found by its name, the text
 * parsed into `parsed`. NULL: m->error says why. */
const tare_op *tare__imperative_find(tare_mode *, const tare_op *, const void *attr, void *parsed);

#endif
