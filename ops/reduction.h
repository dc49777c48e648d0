/* reduction.h - which axes a reduction goes over, and the kernel that sums; for the sums and their gradients. */
#ifndef TARE_OPS_REDUCTION_H
#define TARE_OPS_REDUCTION_H

#include "record.h"

/* The attributes of sum, mean and their gradients all look like this. */
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

/* The kernel of all sums: over the dimensions in `mask` of input 0, then divided. Its pieces may leave partial sums. */
TARE_KERNEL_DECLARE(sum);
void tare__prepare_sum(const tare_args *, uint32_t mask, double divisor, const tare_desc_ref *out, tare_work *);
int tare__sum_combine(const tare_call *, int piece, int worker);
int tare__sum_reference(const tare_call *, int piece, int worker);

#endif
