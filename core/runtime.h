/* runtime.h - everything hangs on an explicit runtime: device, catalogue, kernel tables, pool, counters, trace.
 *
 * No other mutable global exists but a thread's error text; two runtimes live in one process without meeting. A
 * runtime, its modes and values belong to one thread at a time. */
#ifndef TARE_CORE_RUNTIME_H
#define TARE_CORE_RUNTIME_H

#include <pthread.h>

#include "device.h"
#include "mode.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- counters: exact, per runtime; read and reset freely -----------------------------------------------------*/
/* X(name, doc) */
#define TARE_COUNTS(X)                                                                                                 \
    X(lookups, "operators looked up by name")                                                                          \
    X(parses, "attribute strings parsed")                                                                              \
    X(infers, "shape and dtype inferences")                                                                            \
    X(guards, "input signatures compared with a captured one")                                                         \
    X(hits, "signatures met before, whose captured function was called")                                               \
    X(misses, "signatures not met before, or evicted since")                                                           \
    X(evictions, "captured signatures and backwards let go for others")                                                \
    X(storage_takes, "storages taken for results and scratch")                                                         \
    X(allocations, "blocks taken from the system")                                                                     \
    X(tape_nodes, "nodes recorded on a tape")                                                                          \
    X(patches, "addresses patched into a bound plan")                                                                  \
    X(locks, "locks taken by the owner's thread")                                                                      \
    X(pushes, "times that calls were handed to a queue")                                                               \
    X(waits, "times that the host asked for the end of queued work")                                                   \
    X(kernel_calls, "kernels called")                                                                                  \
    X(primitives, "look-ups of what an added kernel set keeps for a shape")                                            \
    X(reorders, "operands brought into a layout of their own, or back, within a call")                                 \
    X(captures, "graphs captured")                                                                                     \
    X(plans, "memory plans made")                                                                                      \
    X(file_reads, "graph files read")

typedef struct {
#define TARE_COUNT_FIELD(name, doc) int64_t name;
    TARE_COUNTS(TARE_COUNT_FIELD)
#undef TARE_COUNT_FIELD
} tare_counts;

/* ---- trace: a hook that sees each node's events; NULL costs nothing (other functions are installed) ----------*/
/* X(NAME, text) */
#define TARE_EVENTS(X)                                                                                                 \
    X(CALL, "call")                                                                                                    \
    X(LOOKUP, "look-up")                                                                                               \
    X(PARSE, "parse")                                                                                                  \
    X(INFER, "infer")                                                                                                  \
    X(ALLOCATE, "allocate")                                                                                            \
    X(BIND, "bind")                                                                                                    \
    X(KERNEL, "kernel")                                                                                                \
    X(APPEND, "append")                                                                                                \
    X(FREE, "free")                                                                                                    \
    X(CHECK, "check")                                                                                                  \
    X(CHOOSE, "choose")                                                                                                \
    X(PREPARE, "prepare")                                                                                              \
    X(SCHEDULE, "schedule")                                                                                            \
    X(HAND, "hand over")                                                                                               \
    X(FEED, "feed")                                                                                                    \
    X(READ, "read")                                                                                                    \
    X(WAIT, "wait")
typedef enum {
#define TARE_EVENT_ENUM(name, text) TARE_EVENT_##name,
    TARE_EVENTS(TARE_EVENT_ENUM)
#undef TARE_EVENT_ENUM
        TARE_EVENT_COUNT
} tare_event;

typedef struct {
    /* Called at the end of each phase of a node with the node as far as it is known (op, variant, operands). The
     * phases: call: what came before the operator was reached (layer, scope, walk); look-up, parse: by name; infer:
     * records and inference; allocate: variant and storage; bind: of a captured function, its instance and addresses;
     * kernel: geometry and the kernel; append: to the tape; free: a scope's end, or a node that backward has walked (op
     * and path alone, op NULL for a scope). Finer ones, told where `fine`, split what the next of those above would
     * hold: check: operands looked at, records taken; choose: the variant; prepare: geometry and scratch; schedule: the
     * way from one call of a plan to the next; hand over: of results to their scope, of what was given up. Told by
     * whoever has something around a step, with a node without operator: feed: the step's batch waited for and put in
     * its place; wait: for what is queued; read: of results, and what is made of them. */
    void (*event)(void *owner, tare_event, const tare_node *);
    void *owner;
    bool fine;
    int again; /* each event is told so many times more, so that what telling costs can be found; 0 */
} tare_trace;

/* Tells an event of a runtime that is traced. */
static inline void tare_trace_tell(const tare_trace *trace, tare_event event, const tare_node *n)
{
    for (int k = 0; k <= trace->again; ++k)
        trace->event(trace->owner, event, n);
}

/* ---- catalogue: named const records of each kind ----------------------------------------------------------------
 * Every record begins with its name. Operators register under TARE_KIND_OPERATOR; other layers register theirs. */
typedef enum {
    TARE_KIND_OPERATOR,
    TARE_KIND_NET,
    TARE_KIND_OPTIMIZER,
    TARE_KIND_PACKER,
    TARE_KIND_PASS,
    TARE_KIND_SERVICE,
    TARE_KIND_KERNELS, /* tare_added_kernels */
    TARE_KIND_COUNT
} tare_kind;

typedef struct {
    const char *name;
} tare_record;

/* A record with its kind, as a plug-in lists its own (plugin.h). */
typedef struct {
    tare_kind kind;
    const void *record;
} tare_registration;

/* A back end: a set of kernels for operators that others declared, which a plug-in registers. A runtime uses it if its
 * options name it: then these variants, all of TARE_SET_ADDED, stand before the record's own, which run what they do
 * not fit. What the set keeps for shapes (primitives, handles of its library) hangs on the runtime: `open` makes it
 * when the set is registered, `close` ends it when nothing can run any more; fits, prepare and kernels find it as
 * args->runtime->added_own, which may be NULL. */
typedef struct {
    const char *op; /* registered before the set */
    const tare_variant *variants;
    int n_variants;
} tare_added_variants;
typedef struct {
    const char *name;
    const tare_added_variants *to;
    int n_to;
    tare_status (*open)(tare_runtime *, void **own);
    void (*close)(tare_runtime *, void *own);
    const char *(*library)(void); /* what it stands on, with its version: static text */
    bool by_threads;              /* its bits depend on the number of threads */
    double tolerance;             /* its error against float64: so many times what the operators' records allow */
} tare_added_kernels;

typedef struct {
    const tare_op *op;
    tare_variant *variant; /* copies of those usable here, best first */
    int n, room;           /* room: how many can be there */
    bool plain;            /* one output, nothing that asks for more than the shortest path through dispatch */
} tare_kernels;

/* ---- sites: operator and layer of queued calls, by number (site.c) --------------------------------------------*/
typedef struct {
    const char *op, *path; /* path NULL: in no layer */
    int32_t next;          /* with the same head; -1 */
} tare_site;
enum { TARE_SITE_HEADS = 64, TARE_SITE_RECENT = 1024 };

/* ---- options: what a runtime is made with ---------------------------------------------------------------------*/
typedef enum {
    TARE_KERNELS_NATIVE,
    TARE_KERNELS_REFERENCE,
    TARE_KERNELS_BLAS, /* those first, then as native */
    TARE_KERNELS_NULL,
    TARE_KERNELS_WINOGRAD, /* likewise */
    TARE_KERNELS_IM2COL,   /* convolution by explicit columns, all else as native */
    TARE_KERNELS_ADDED /* those of `added` first, then as native */
} tare_kernel_choice;
/* Of what the kernels of an added set work on within a call: operands as they are, or a layout of the set's own choice,
 * reordered into it and back at each call. */
typedef enum { TARE_LAYOUT_PLAIN, TARE_LAYOUT_BLOCKED } tare_layout_choice;
typedef enum { TARE_STORAGE_POOL, TARE_STORAGE_MALLOC } tare_storage_choice;
typedef enum { TARE_ENGINE_DIRECT, TARE_ENGINE_QUEUE } tare_engine_choice;
enum { TARE_BULK_MOST = 64 };
typedef struct {
    int threads; /* 1..64, this one included: who takes the pieces of a call; 0 = 1. Started with the runtime */
    tare_kernel_choice kernels;
    const char *added; /* with KERNELS_ADDED: the set, by its name; borrowed while the runtime lives */
    tare_layout_choice layout;
    tare_storage_choice storage;   /* of what the imperative mode takes */
    tare_engine_choice engine;     /* of the CPU: calls run when they are met, or queued for a thread (engine.c) */
    int bulk;                      /* 1..64, calls that a queue collects before it hands them over; 0 = 1 */
    tare_isa isa_limit;            /* best instruction set to use; TARE_ISA_COUNT: what the processor has */
    tare_device_open *open_device; /* makes the runtime's device; NULL: the CPU */
    void *device_owner;            /* for open_device, borrowed until it returns */
} tare_options;

enum { TARE_EXACT_BINS = 1024, TARE_BINS = TARE_EXACT_BINS + 512, TARE_BIN_NONE = 0xffff };

struct tare_runtime {
    tare_memory memory; /* host heap, all categories */
    tare_counts counts;
    tare_trace trace;
    tare_options options;
    tare_device *device;
    tare_isa isa; /* in use */
    pthread_t owner;
    /* accelerates dispatch: open addressing by the record's address */
    tare_kernels *kernels;
    uint32_t kernels_mask, n_kernels;
    const tare_record **record[TARE_KIND_COUNT]; /* sorted by name */
    int n_records[TARE_KIND_COUNT], capacity_records[TARE_KIND_COUNT];
    tare_registration *registered; /* all of them, in the order in which they came */
    int n_registered, capacity_registered;
    struct tare__loaded *plugins;            /* plug-ins in use, newest first (plugin.c) */
    const tare_added_kernels *added;         /* the set in use; NULL: none */
    void *added_own;                         /* what it keeps */
    const tare_op *accumulate, *fill, *copy; /* named once by ops/ (tare_runtime_name_operators) */
    tare_storage *bin[TARE_BINS];            /* free storages with their blocks */
    tare_value *free_values;
    tare_storage *free_storages;              /* records without a block */
    struct tare_slab *slabs;                  /* where records come from */
    int64_t work_bytes_live, work_bytes_peak; /* of TARE_MEMORY_WORK storages handed out, 64-byte units */
    int64_t reserved_bytes;                   /* blocks held by the pool, handed out or not */
    uint32_t n_walks;                         /* reverse walks so far, of all modes: a leaf belongs to none of them */
    uint32_t n_wants;                         /* calls of tare_value_want_gradient: what was captured may be stale */
    uint64_t n_writes;                        /* writes that raised a storage's version: the same, none since */
    uint64_t n_slots;                         /* changes of a leaf's gradient slot */
    pthread_mutex_t dropped_lock;
    tare_value *dropped; /* handles let go on other threads, drained at the next apply or value call */
    bool has_dropped;    /* read without the lock */
    tare_site *site;
    int32_t n_sites, capacity_sites, site_head[TARE_SITE_HEADS]; /* heads: site + 1; 0: empty */
    int32_t site_recent[TARE_SITE_RECENT]; /* those asked for last, by the pointers: site + 1; 0: empty */
    tare_arena site_text;
};

/* The counters now (allocations = requests to the one allocator so far). */
TARE_API tare_counts tare_runtime_counts(const tare_runtime *);
/* Hands the runtime to the calling thread. */
TARE_API void tare_runtime_adopt(tare_runtime *);

/* A runtime without operators (see tare_start in ops/ops.h for one with the built-in ones). NULL options: defaults.
 * IMPOSSIBLE: the device is of another ABI; BAD_ARGUMENT: a slot of its table is missing. It is closed then. */
TARE_API tare_status tare_runtime_new(const tare_options *, tare_runtime **out);
/* Ends it; values still held stay readable only until now. NULL is fine. The count of blocks still out is a bug's
 * measure in the tests: it is returned. */
TARE_API int64_t tare_runtime_free(tare_runtime *);

/* Waits for all that the device has queued. BAD_DATA, once, when a call met bad data since the wait before; reading a
 * value waits too. */
TARE_API tare_status tare_runtime_wait(tare_runtime *);

/* Registers a record, which must outlive the runtime. BAD_ARGUMENT: the name is taken, or an operator record is
 * inconsistent (no gradient and not marked so, no kernel, no reference). */
TARE_API tare_status tare_register(tare_runtime *, tare_kind, const void *record);
/* How many records are registered. */
TARE_API int tare_registered(const tare_runtime *);
/* Takes back the newest records until `kept` are left, before anything has used them: what a registration of several
 * does when one of them fails, so that the catalogue is as it was. */
TARE_API void tare_unregister(tare_runtime *, int kept);
/* The record of that name or NULL with the text set (the nearest names are in it). Counts a look-up for operators. */
TARE_API const void *tare_find(tare_runtime *, tare_kind, const char *name);
/* The operators that serve the reverse walk and variant choice: sum = accumulate(a, b);
 * fill(like; value), whose attributes are one double; copy(x). */
TARE_API void tare_runtime_name_operators(tare_runtime *, const tare_op *accumulate, const tare_op *fill,
                                          const tare_op *copy);

/* Those of an operator that is executed, not run by a kernel. */
TARE_API extern const tare_kernels tare_kernels_none;

/* Where an operator's kernels are looked for first. Records are more than 128 bytes apart, so those of one object,
 * which lie within 256 KiB, never meet in a table of 2048: a look-up takes as long wherever the linker put them. */
static inline uint32_t tare_kernels_home(const tare_runtime *rt, const tare_op *op)
{
    return (uint32_t)((uintptr_t)op >> 7) & rt->kernels_mask;
}

/* The kernels usable for an operator in this runtime; n = 0 when it is not registered. An operator made at run time is
 * in no catalogue, and what is looked at for it must not depend on where it happened to be allocated. */
static inline const tare_kernels *tare_runtime_kernels(const tare_runtime *rt, const tare_op *op)
{
    uint32_t at = tare_kernels_home(rt, op);
    if (__builtin_expect(rt->kernels[at].op == op, 1))
        return &rt->kernels[at];
    if (op->execute)
        return &tare_kernels_none;
    while (rt->kernels[at].op != op && rt->kernels[at].op)
        at = (at + 1) & rt->kernels_mask;
    return &rt->kernels[at];
}

/* ---- storage ------------------------------------------------------------------------------------------------------*/
TARE_API tare_storage *tare_storage_take(tare_runtime *, tare_memory_category, size_t bytes);
TARE_API void tare_storage_release(tare_storage *);
/* Bytes of the block that the pool has for a storage of so many. */
TARE_API int64_t tare_storage_block_bytes(int64_t bytes);
/* Gives the pool's free blocks back to the system. */
TARE_API void tare_runtime_trim(tare_runtime *);

/* Floating-point environment: round to nearest, denormals kept; set on entry of every outermost scope, run and
 * worker, restored on exit. */
TARE_API uint64_t tare_float_enter(void);
TARE_API void tare_float_leave(uint64_t before);

#ifdef __cplusplus
}
#endif
#endif
