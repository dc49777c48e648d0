/* broadcast.h - operands of any strides beside a contiguous output: the geometry, and the walk over its rows.
 *
 * The output's dimensions are merged where every operand's strides allow it, innermost first, so that most
 * cases come down to one or two dimensions: same shape [n], scalar [n] with stride 0, row [m,n] with strides
 * (0,1), column [m,n] with strides (1,0). A piece is a flat range of the output; it is walked row by row, a row
 * being the innermost merged dimension. Invariant: at every moment offset[k] is the position in operand k of the
 * output element that stands next. */
#ifndef TARE_OPS_BROADCAST_H
#define TARE_OPS_BROADCAST_H

#include "record.h"

/* Words of the geometry. g[0] and g[1] are as tare__prepare_pointwise leaves them. */
enum {
    TARE_WALK_DIM = 2,                                 /* merged dimensions, innermost first; 1 beyond the last */
    TARE_WALK_STRIDE = TARE_WALK_DIM + TARE_RANK,      /* strides of operand 0, in the same order */
    TARE_WALK_STRIDE_1 = TARE_WALK_STRIDE + TARE_RANK, /* strides of operand 1 */
    TARE_WALK_WORDS = TARE_WALK_STRIDE_1 + TARE_RANK
};

/* The geometry for n <= 2 operands that broadcast to out; pieces of TARE_CHUNK elements. */
void tare__prepare_walk(const tare_desc *out, const tare_desc_ref *operand, int n, tare_work *);

typedef struct {
    int64_t index[TARE_RANK];
    int64_t offset[2];
} tare_walk;

/* To the output's element i, which exists, or to 0. */
static inline tare_walk tare_walk_to(const int64_t *g, int64_t i)
{
    tare_walk w = {0};
    for (int d = 0; i > 0; ++d) {
        int64_t dim = g[TARE_WALK_DIM + d];
        w.index[d] = i % dim;
        i /= dim;
        w.offset[0] += w.index[d] * g[TARE_WALK_STRIDE + d];
        w.offset[1] += w.index[d] * g[TARE_WALK_STRIDE_1 + d];
    }
    return w;
}

/* How many of the next `left` elements stand in the current row. */
static inline int64_t tare_walk_row(const tare_walk *w, const int64_t *g, int64_t left)
{
    int64_t row = g[TARE_WALK_DIM] - w->index[0];
    return row < left ? row : left;
}

/* n elements on in the current row, or, at its end, to the next one. */
static inline void tare_walk_on(tare_walk *w, const int64_t *g, int64_t n)
{
    for (int d = 0; d < TARE_RANK; ++d, n = 1) {
        int64_t dim = g[TARE_WALK_DIM + d];
        w->index[d] += n;
        w->offset[0] += n * g[TARE_WALK_STRIDE + d];
        w->offset[1] += n * g[TARE_WALK_STRIDE_1 + d];
        if (w->index[d] < dim)
            return;
        w->index[d] = 0;
        w->offset[0] -= dim * g[TARE_WALK_STRIDE + d];
        w->offset[1] -= dim * g[TARE_WALK_STRIDE_1 + d];
    }
}

#endif
