/* broadcast.c - merging the dimensions of operands that broadcast. */
#include "broadcast.h"

#ifdef TARE_PASS_RECORDS

/* The stride of x along the output's dimension d: 0 where x is broadcast. */
static int64_t stride_at(const tare_desc *x, int rank, int d)
{
    int own = d - (rank - x->rank);
    return own < 0 || x->dim[own] == 1 ? 0 : x->stride[own];
}

void tare__prepare_walk(const tare_desc *out, const tare_desc_ref *operand, int n, tare_work *w)
{
    tare__prepare_pointwise(NULL, &out, w);
    int64_t *dim = w->g + TARE_WALK_DIM, *stride = w->g + TARE_WALK_STRIDE;
    for (int d = 0; d < TARE_RANK; ++d) {
        dim[d] = 1;
        stride[d] = stride[TARE_RANK + d] = 0;
    }
    int at = -1; /* the merged dimension being grown */
    for (int d = out->rank - 1; d >= 0; --d) {
        if (out->dim[d] == 1)
            continue;
        bool merges = at >= 0;
        for (int k = 0; k < n && merges; ++k)
            merges = stride_at(operand[k], out->rank, d) == stride[k * TARE_RANK + at] * dim[at];
        if (merges) {
            dim[at] *= out->dim[d];
            continue;
        }
        dim[++at] = out->dim[d];
        for (int k = 0; k < n; ++k)
            stride[k * TARE_RANK + at] = stride_at(operand[k], out->rank, d);
    }
    w->n_g = TARE_WALK_WORDS;
}

#endif
