/* pack.h - packing as a pure function: when each buffer lives and how large it is in, where it lies out.
 *
 * The problem is dynamic storage allocation (Garey and Johnson, Computers and Intractability, 1979, problem SR2): give
 * each interval an offset so that no two that live at one time meet, within as little memory as can be. Picture time
 * across and addresses up: rectangles whose place across is fixed are to be slid down into a strip of least height. It
 * is NP-hard in the strong sense. The most bytes that live at once are a lower bound, which most nets reach.
 *
 * Ways to pack, each a record in the catalogue (kind packer), so that a plug-in's stand beside them:
 *
 *     none           each its own bytes, nothing is used twice: what planning is measured against
 *     shared_object  objects that are handed on and grow, as MXNet's graph allocator does (pack/shared_object.c)
 *     pool           whole blocks of one size class are handed on, as the imperative mode's caching pool does
 *     greedy         orders x valleys and gaps, the best kept (pack/greedy.c, pack/skyline.c)
 *     local_search   greedy, then what stands highest is taken earlier (pack/local_search.c)
 *     exact          branch and bound over skylines (pack/exact.c)
 *     portfolio      rules, a few descents of the search, the search proper: the default (pack/portfolio.c)
 *
 * No packer looks at a clock: its offsets are a function of its arguments. Effort is counted in nodes, one a block
 * placed on trial. Thread rule: none is needed but that of the tare_memory. */
#ifndef TARE_PACK_PACK_H
#define TARE_PACK_PACK_H

#include <stdbool.h>

#include "../core/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t lower, upper; /* lives in [lower, upper); an empty lifetime meets nothing */
    int64_t bytes;        /* 0: takes no place */
    int64_t offset;       /* out; in where it is fixed */
    bool fixed;           /* the offset is given: a multiple of the alignment */
} tare_interval;

typedef struct {
    int64_t alignment; /* of offsets; sizes are rounded up to it; 0: 1 */
    int64_t goal;      /* a height that is good enough, 0: the lower bound */
    int64_t nodes;     /* most nodes for searching; 0: sixteen an interval, fewer from some hundreds on */
    /* Asked once in about a thousand nodes; true ends the search with the best so far. NULL: never. With it the offsets
     * are no function of the intervals any more. */
    bool (*stop)(void *owner);
    void *owner;
} tare_pack_options;

typedef struct {
    int64_t height; /* of this packing */
    int64_t bound;  /* no packing is below: the most live bytes, or more where a search has proved it */
    int64_t nodes;  /* that were looked at */
} tare_packing;

typedef struct tare_packer {
    const char *name, *doc;
    /* Fills the offsets of all intervals that are not fixed. Called by tare_pack alone, with intervals that it has
     * checked, options without zeros, and *out zeroed but for the bound. OK or NO_MEMORY. */
    tare_status (*pack)(tare_memory *, const tare_pack_options *, tare_interval *, int n, tare_packing *out);
} tare_packer;

/* Packs with one packer. options NULL: all zeros. On failure offsets are undefined. BAD_ARGUMENT: a negative size, a
 * reversed interval, sizes that add up to more than 2^61, an offset that is fixed where it cannot be. IMPOSSIBLE: two
 * fixed ones meet. NO_MEMORY. A height above the goal is no error. */
TARE_API tare_status tare_pack(tare_memory *, const tare_packer *, const tare_pack_options *, tare_interval *, int n,
                               tare_packing *out);
/* The most bytes that live at once, sizes rounded up to the alignment, and no less than the end of any fixed one. -1
 * when there is no memory. */
TARE_API int64_t tare_pack_lower_bound(tare_memory *, const tare_interval *, int n, int64_t alignment);
/* OK, or IMPOSSIBLE naming two intervals that meet in time and space, or one out of bounds. Shares no code with a
 * packer. */
TARE_API tare_status tare_pack_verify(tare_memory *, const tare_interval *, int n, int64_t alignment, int64_t height);

/* Registers the packers above. tare_graph_register does so too. */
TARE_API tare_status tare_pack_register(tare_runtime *);

#ifdef __cplusplus
}
#endif
#endif
