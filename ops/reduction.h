/* reduction.h - which axes a reduction goes over, where its elements lie, and the kernel that sums; for the sums, the
 * other reductions (units.h) and their gradients. */
#ifndef TARE_OPS_REDUCTION_H
#define TARE_OPS_REDUCTION_H

#include "record.h"

/* The attributes of sum, mean and their gradients all look like this; those of other reductions begin with as much of
 * it as they have. */
typedef struct {
    tare_ints axes;
    bool keep_dims;
} __attribute__((may_alias)) tare_axes_attr;
_Static_assert(sizeof(tare_axes_attr) == sizeof(tare_sum_attr) && sizeof(tare_axes_attr) == sizeof(tare_mean_attr) &&
                   sizeof(tare_axes_attr) == sizeof(tare_sum_grad_attr) &&
                   sizeof(tare_axes_attr) == sizeof(tare_mean_grad_attr),
               "one view of four structs");

extern const tare_attr tare__axes_attrs[2];

/* The axes as a bit mask of x's dimensions; none given: all. BAD_ARGUMENT: an axis is out of range or named twice. */
tare_status tare__axes_mask(const tare_args *, const tare_desc *x, uint32_t *mask);

/* The same for one axis: a bit. */
tare_status tare__axis_bit(const tare_args *, const tare_desc *x, int64_t axis, uint32_t *bit);

/* What remains of x: dimensions in the mask are left out, or 1 where keep_dims. */
void tare__axes_reduce(const tare_desc *x, uint32_t mask, bool keep_dims, tare_desc *out);

/* Elements of x that one element of the result stands for. */
static inline int64_t tare_axes_count(const tare_desc *x, uint32_t mask)
{
    int64_t n = 1;
    for (int i = 0; i < x->rank; ++i)
        n *= mask >> i & 1 ? x->dim[i] : 1;
    return n;
}

/* Inference of what goes over axes: floating x, and the result without them (or with 1 in their place). */
tare_status tare__infer_axes(const tare_args *, const tare_desc_out *out);

/* The same for a result and an auxiliary, either of which may be absent: the latter has 1 in place of the axes. */
tare_status tare__infer_axes_kept(const tare_args *, const tare_desc_out *out);
/* For gradients: dy, whose axes are gone or 1, with 1 in their place as in `kept`. */
tare_value *tare__axes_restore(const tare_builder *, tare_value *dy, const tare_desc *kept);

/* ---- where the elements lie --------------------------------------------------------------------------------------
 * The dimensions of a contiguous x are merged until kept and reduced ones alternate. Where the innermost is reduced, a
 * result is made of runs that lie together; where it is kept, of rows that are gone over column by column. */
enum {
    TARE_R_COUNT,   /* results */
    TARE_R_DTYPE,   /* of x */
    TARE_R_KIND,    /* TARE_COLUMNS or TARE_RUNS; a kernel may have further ones */
    TARE_R_INNER,   /* the innermost dimension */
    TARE_R_REDUCED, /* elements (of columns: rows) that make one result */
    TARE_R_KEPT,    /* outer kept dimensions, innermost first, then their strides */
    TARE_R_SUMMED = TARE_R_KEPT + 6,
    TARE_R_WORDS = TARE_R_SUMMED + 6
};
enum { TARE_COLUMNS, TARE_RUNS };
enum { TARE_OUTER = 3 }; /* outer dimensions of either sort that there can be */

void tare__prepare_merged(const tare_desc *x, uint32_t mask, int64_t *g);

/* Element offset of index i into outer dimensions (g + TARE_R_KEPT or g + TARE_R_SUMMED). */
static inline int64_t tare_outer_offset(const int64_t *outer, int64_t i)
{
    if (i < outer[0])
        return i * outer[TARE_OUTER];
    int64_t offset = 0;
    for (int d = 0; d < TARE_OUTER && i > 0; ++d) {
        offset += i % outer[d] * outer[TARE_OUTER + d];
        i /= outer[d];
    }
    return offset;
}

/* Element offset of the r-th of those that make result o: the references' way. */
static inline int64_t tare_reduced_offset(const int64_t *g, int64_t o, int64_t r)
{
    int64_t inner = g[TARE_R_INNER];
    const int64_t *kept = g + TARE_R_KEPT, *summed = g + TARE_R_SUMMED;
    return g[TARE_R_KIND] == TARE_RUNS ? tare_outer_offset(kept, o) + tare_outer_offset(summed, r / inner) + r % inner
                                       : tare_outer_offset(kept, o / inner) + tare_outer_offset(summed, r) + o % inner;
}

/* The kernel of all sums: over the dimensions in `mask` of input 0, then divided. Its pieces may leave partial sums. */
TARE_KERNEL_DECLARE(sum);
void tare__prepare_sum(const tare_args *, uint32_t mask, double divisor, const tare_desc_ref *out, tare_work *);
int tare__sum_combine(const tare_call *, int piece, int worker);
int tare__sum_reference(const tare_call *, int piece, int worker);

#endif
