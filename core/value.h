/* value.h - a value is a record (what it looks like, who made it) over a storage (its bytes).
 *
 * The two are counted apart: `refs` keep the record, `holds` keep the storage. A handle in a user's hand is a
 * ref and a hold; a tape node takes a ref of every operand and a hold only of those that its gradient needs.
 * When the last hold goes the storage goes, while the record may live on with storage NULL. A graph's symbolic
 * value is the same record that never had storage. Values and storages belong to their runtime's thread; a
 * handle may be dropped anywhere (tare_value_drop). */
#ifndef TARE_CORE_VALUE_H
#define TARE_CORE_VALUE_H

#include "memory.h"
#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tare_device tare_device;
typedef struct tare_program tare_program;

typedef struct tare_storage tare_storage;
struct tare_storage {
    void *base;   /* an address of `device`; the host may follow it only if device->host_visible */
    size_t bytes; /* asked for; the block may be larger */
    int32_t refs;
    uint32_t version;      /* + 1 a write after the first: a tie, an explicit write */
    const tare_op *writer; /* of the last such write, for the message of TARE_STALE */
    tare_runtime *runtime;
    uint16_t bin;                    /* pool bin; TARE_BIN_NONE: not pooled */
    uint8_t category;                /* tare_memory_category */
    void (*release)(tare_storage *); /* foreign memory: called once when the last ref goes; NULL: ours */
    void *owner;                     /* for release */
    tare_storage *next;              /* in a pool bin */
    /* On a device whose queue can be followed (device.h): the numbers of the last queued calls that read and that write
     * these bytes. They stay with the block: a storage taken anew has what was queued for the one before. */
    uint64_t read_by, written_by;
};

struct tare_value {
    tare_desc d; /* first: an array of values is an array of descs */
    /* what changes all day, together */
    int32_t refs, holds;
    int32_t depth; /* scope that owns the handle; 0: the caller's; -1: given up */
    int32_t node;  /* producer's index in `program`; -1: external */
    int32_t id;    /* dense in a graph's program; -1 elsewhere */
    uint32_t walk; /* number of the reverse walk that last reached this leaf */
    bool wants_gradient, moved, poison;
    bool view;         /* of another value's storage, made by a view operator: never written in place by a tie */
    int32_t n_dropped; /* handles let go on other threads; the record is listed once for all */
    tare_runtime *runtime;
    void *address; /* of element 0; NULL: symbolic, or given up */
    tare_storage *storage;
    tare_value *gradient; /* the partial sum that has arrived (ref and hold), or NULL */
    /* and what does not */
    tare_value *base;    /* graph: the value that this one is tied to or a view of, else NULL */
    int64_t view_offset; /* graph: elements from base's element 0 */
    tare_program *program;
    const char *name; /* borrowed: parameter or input name for messages; NULL */
    tare_value *next; /* free list, dropped list */
};

/* A new value owned by the caller, with storage of its own, content undefined. */
TARE_API tare_status tare_value_new(tare_runtime *, const tare_desc *, tare_memory_category, tare_value **out);

/* A value over foreign memory (mapped file, DLPack): `base` needs no alignment beyond its dtype's;
 * release(storage) is called once when the last holder lets go. On failure release is not called. It is memory of the
 * runtime's device: the host's only where the device is host_visible. */
TARE_API tare_status tare_value_foreign(tare_runtime *, const tare_desc *, void *base, void (*release)(tare_storage *),
                                        void *owner, tare_value **out);

/* A further handle; and the end of one. Drop may be called on any thread; NULL is fine. */
TARE_API tare_value *tare_value_share(tare_value *);
TARE_API void tare_value_drop(tare_value *);

/* Copies the elements between the value (any strides) and a contiguous host buffer of `bytes`, in order with what the
 * device has queued. BAD_ARGUMENT when bytes differ from the value's or it has no data; a read also answers the data
 * error of work queued before (BAD_DATA, once). A write counts as one (version). */
TARE_API tare_status tare_value_read(const tare_value *, void *to, size_t bytes);
TARE_API tare_status tare_value_write(tare_value *, const void *from, size_t bytes);

/* Marks a leaf (parameter, input) as wanting a gradient. */
TARE_API void tare_value_want_gradient(tare_value *, bool);
/* The gradient that the last backward left on a leaf: borrowed, NULL if none. clear lets it go. */
TARE_API tare_value *tare_value_gradient(const tare_value *);
TARE_API void tare_value_clear_gradient(tare_value *);

/* The value that a graph's chain of ties and views ends at; itself, if it is neither. The checker walks by itself. */
static inline const tare_value *tare_value_root(const tare_value *v)
{
    while (v->base)
        v = v->base;
    return v;
}

/* "Give this value's bytes up at the next operator or layer call that takes it": effective only for values
 * that the current scope owns, so a layer may always write it at its last use of an argument. Returns v. */
static inline tare_value *tare_move(tare_value *v)
{
    v->moved = true;
    return v;
}

#ifdef __cplusplus
}
#endif
#endif
