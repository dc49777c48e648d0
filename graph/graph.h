/* graph.h - run later: capture once, take the gradient, plan the memory, bind, check, replay.
 *
 *     tare_graph_new(rt, &g);
 *     tare_mode *m = tare_graph_mode(g);
 *     m->recording = true;
 *     tare_value *x = tare_graph_input(g, &desc, "x");
 *     tare_value *loss = net(m, x);              the same function as in the imperative mode
 *     m->backward(m, &loss, NULL, 1, false);     appends the gradient's nodes
 *     tare_graph_output(g, loss);
 *     tare_plan_new(g, NULL, &plan);             passes, order, liveness, packing, check
 *     tare_instance_new(plan, &run);             one arena, all addresses resolved
 *     tare_instance_bind(run, 0, batch);
 *     tare_instance_run(run);
 *
 * A plan is of the graph as it was: capture may go on, and further plans be made.
 * A concrete value (a parameter) met in capture becomes an external operand, bound to its storage from then on.
 * Ownership: instance before plan before graph before runtime. Threads: the runtime's. */
#ifndef TARE_GRAPH_GRAPH_H
#define TARE_GRAPH_GRAPH_H

#include "../core/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tare_graph tare_graph;
typedef struct tare_plan tare_plan;
typedef struct tare_instance tare_instance;

/* ---- capture --------------------------------------------------------------------------------------------------*/
TARE_API tare_status tare_graph_new(tare_runtime *, tare_graph **out);
TARE_API void tare_graph_free(tare_graph *);
TARE_API tare_mode *tare_graph_mode(tare_graph *);
/* A placeholder, number 0, 1, ... in order of the calls. name is borrowed. Poison on error (mode's error set). */
TARE_API tare_value *tare_graph_input(tare_graph *, const tare_desc *, const char *name);
/* Marks a value of this graph as a result: number 0, 1, ... in order; it lives to the end of a run. */
TARE_API tare_status tare_graph_output(tare_graph *, tare_value *);
/* Operators with a kernel in the program so far (views are not counted). */
TARE_API int tare_graph_nodes(const tare_graph *);
TARE_API const tare_program *tare_graph_program(const tare_graph *);
/* The concrete value that a symbol of the graph stands for, borrowed; NULL: a placeholder, or made by the program. */
TARE_API tare_value *tare_graph_concrete(const tare_graph *, const tare_value *symbol);
/* The results' value ids, in order; how many there are. NULL: only counts. */
TARE_API int tare_graph_results(const tare_graph *, int32_t *id);

/* ---- plan -----------------------------------------------------------------------------------------------------*/
/* In which order a plan runs its nodes: that of the program; updates as soon as their gradients are ready; what makes
 * the live bytes grow least comes next; whichever of these has the smallest peak of live bytes, the first where two
 * have. In any but the program's a placeholder cannot be bound to bytes that another operand's update writes. */
typedef enum { TARE_ORDER_PROGRAM, TARE_ORDER_EAGER_UPDATE, TARE_ORDER_LEAST_PEAK, TARE_ORDER_BEST } tare_plan_order;

typedef struct {
    bool no_dce, no_in_place, no_placement, no_cse, no_folding, no_add_to; /* switch a pass off */
    /* Rows of nodes that hand one value on are run as one call: a product with the activation or the update behind it,
     * elementwise nodes. A plan that makes values again for the backward part is not fused. */
    bool fuse;
    tare_plan_order order;
    /* A budget of bytes for the arena; 0: off. Where it would be larger, values are made again for the backward part:
     * of the plans within the budget the one that repeats least is taken, else the smallest, which is the plain one
     * where repeating does not help. Some thirty plans are made. */
    int64_t recompute;
    const char *packer; /* registered packer (pack/pack.h); NULL: portfolio */
    bool guards;        /* a line of bytes behind each block that is nobody's: for tare_instance_run_guarded */
} tare_plan_options;

/* Bytes of everything that is placed (activations, workspaces, gradients), 64-byte units. The first two are of the
 * program as it is, nothing merged, placed in a whole or repeated; the others of the plan. */
typedef struct {
    int64_t naive;       /* each its own */
    int64_t refcount;    /* peak when each lives from definition to last use, program order, nothing in place */
    int64_t arena;       /* what the plan takes */
    int64_t lower_bound; /* peak of live bytes with the plan's in-place writes: no packing can be below */
    int64_t lower_bound_no_inplace; /* the same without them */
} tare_plan_bytes;

typedef struct {
    int64_t trace_ns, gradient_ns, passes_ns, pack_ns, check_ns; /* wall clock */
} tare_capture_times;

/* A pass: a record of the catalogue (TARE_KIND_PASS), so that a plug-in's stand beside cse, dce, folding and add_to.
 * All are run in the order in which they were registered. */
typedef struct tare_pass {
    const char *name, *doc;
    /* The byte in tare_plan_options that switches it off, and one; 0: there is none. */
    size_t off;
    /* Takes nodes out of what is run: live[i] is of node from + i of tare_plan_program (tare_plan_range). What it takes
     * out nobody may read, and it may not be put back; the checker proves the plan, which is refused else. A status
     * other than OK refuses it too. */
    tare_status (*run)(tare_plan *, bool *live);
} tare_pass;
/* The nodes of its program that a plan is of: [from, to). */
TARE_API void tare_plan_range(const tare_plan *, int32_t *from, int32_t *to);

TARE_API tare_status tare_plan_new(tare_graph *, const tare_plan_options *, tare_plan **out);
/* What the passes did: nodes (views not counted) that are not run because nothing reads them, because an earlier one
 * makes the same, because they were computed when the plan was made, because what they join is made in its place,
 * because the one before adds its result to the sum by itself; and nodes that are run once more for the backward part.
 * partly: joining nodes of whose inputs some are made in their places, and how many others they copy. constant_bytes:
 * what the plan keeps of what it has computed, beside the arena, in 64-byte units. */
typedef struct {
    int dead, merged, folded, joined, partly, copied, added, repeated;
    int64_t constant_bytes;
} tare_plan_passes;
TARE_API void tare_plan_free(tare_plan *);
TARE_API tare_plan_passes tare_plan_passes_of(const tare_plan *);
TARE_API tare_plan_bytes tare_plan_size(const tare_plan *);
/* Bytes that no order of the plan's nodes can do without, whatever the packing (graph/floor.c): at most the arena. -1
 * beyond 4096 nodes. Takes time that grows with their square: on request, not part of planning. NO_MEMORY. */
TARE_API tare_status tare_plan_floor(const tare_plan *, int64_t *bytes);
/* The order that was taken: never BEST. */
TARE_API tare_plan_order tare_plan_order_of(const tare_plan *);
/* What the capture cost so far; bind_ns is the instance's (tare_instance_bind_ns). */
TARE_API tare_capture_times tare_plan_times(const tare_plan *);

/* One block of the plan, for tables and pictures. Lives in [lower, upper) of the call numbers. */
typedef struct {
    int64_t lower, upper, bytes, offset;
    const char *what; /* operator that made it; borrowed from the plan */
    const char *path; /* its layer, or NULL */
} tare_plan_block;
TARE_API int tare_plan_blocks(const tare_plan *, const tare_plan_block **out);
/* A value in its block, from the call that makes it up to the one where another takes the block over (in place), else
 * to the block's end. Views and ties stay with what they are of; the parts of what is joined with the whole. */
typedef struct {
    int64_t lower, upper;
    int32_t block; /* in tare_plan_blocks */
    int32_t value; /* id in the plan's program; -1: scratch of call `lower` */
} tare_plan_stay;
/* All of them, in the order of the calls; *out is given back by tare_plan_stays_free with the same n. NO_MEMORY. */
TARE_API tare_status tare_plan_stays(const tare_plan *, tare_plan_stay **out, int *n);
TARE_API void tare_plan_stays_free(const tare_plan *, tare_plan_stay *, int n);
/* The program that the plan is of: the graph's, or one with nodes appended that repeat others (recompute). */
TARE_API const tare_program *tare_plan_program(const tare_plan *);
/* Gives the blocks other offsets, made elsewhere: n of them, in the order of tare_plan_blocks, multiples of
 * TARE_ALIGNMENT. Before the plan has an instance. IMPOSSIBLE where two would meet, or the checker says so: the plan is
 * as it was. BAD_ARGUMENT: another number than there are blocks. NO_MEMORY. */
TARE_API tare_status tare_plan_place(tare_plan *, const int64_t *offset, int n);
/* The calls in execution order, as nodes (op, variant, operands): for digests, traces, pictures. */
TARE_API int tare_plan_calls(const tare_plan *, const tare_node *const **out);

/* ---- instance: a plan with its memory -------------------------------------------------------------------------*/
TARE_API tare_status tare_instance_new(const tare_plan *, tare_instance **out);
TARE_API void tare_instance_free(tare_instance *);
/* Wall clock that making the instance took. */
TARE_API int64_t tare_instance_bind_ns(const tare_instance *);
/* Binds placeholder number i to a value's storage (same shape and dtype, contiguous); the instance holds it. */
TARE_API tare_status tare_instance_bind(tare_instance *, int input, tare_value *);
/* Replays. BAD_ARGUMENT when a placeholder is not bound; BAD_DATA with operator and layer when a kernel met bad data:
 * the calls after it did not run. A device that queues answers it at the next read or wait, or here: an error of an
 * earlier run that has come to light, and then nothing ran. */
TARE_API tare_status tare_instance_run(tare_instance *);
/* Replays as tare_instance_run does, each call twice, to find mistakes in kernels and plans: dead bytes of the arena
 * hold signalling NaN, then a number. IMPOSSIBLE, with the call: it wrote outside of what lives (behind a block's end:
 * where the plan was made with `guards`), or what it made depends on bytes that are dead; or the device's memory cannot
 * be seen, or its kernels are null. After a failure the content of results and of what updates write is undefined. */
TARE_API tare_status tare_instance_run_guarded(tare_instance *);
/* Result i, a handle of the instance's own over its arena: valid as long as the instance, overwritten by the next run.
 */
TARE_API tare_value *tare_instance_output(tare_instance *, int i);
/* The bound calls as a flat array: the floor that `kernels` measures, and what a device captures. Valid as long as the
 * instance and its binding. */
TARE_API int tare_instance_calls(const tare_instance *, const tare_call **out);
/* The storage that it lays values in, borrowed. */
TARE_API tare_storage *tare_instance_storage(const tare_instance *);

/* Graphviz dot of the graph's program, to an open stream. */
TARE_API tare_status tare_graph_dot(const tare_graph *, void *file);

/* Registers the built-in packers (pack/pack.h), the passes and the capture service (core/capture.h). */
TARE_API tare_status tare_graph_register(tare_runtime *);

#ifdef __cplusplus
}
#endif
#endif
