/* view.h - what views share: axes by number, the end of a view's inference. */
#ifndef TARE_OPS_VIEW_H
#define TARE_OPS_VIEW_H

#include "record.h"

/* The dimension of x that `axis` names, counted from the end where it is negative. BAD_ARGUMENT: there is none. */
tare_status tare__view_axis(const tare_args *, const tare_desc *x, int64_t axis, int *d);

/* The last step of a view's inference: dimensions, strides and dtype of *out stand. BAD_SHAPE: more than 2^62 bytes. */
tare_status tare__view_done(const tare_args *, tare_desc *out);

/* "%s" of a shape given as an attribute, into text (TARE_DESC_TEXT bytes). */
const char *tare__view_shape_text(const tare_ints *shape, char *text);

/* The attribute that names it: the field axis of tare_<op>_attr. */
#define TARE_AXIS_ATTR(op)                                                                                             \
    {                                                                                                                  \
        "axis", TARE_ATTR_INT, offsetof(tare_##op##_attr, axis), -TARE_RANK, TARE_RANK - 1, "0", "the dimension"       \
    }

#endif
