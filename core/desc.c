/* desc.c - shapes: checks, broadcasting, text. */
#include "desc.h"

#include <stdio.h>

const char *tare_dtype_name(tare_dtype dtype)
{
    static const char *const name[] = {
#define TARE_DTYPE_TEXT(name, size, text) text,
        TARE_DTYPES(TARE_DTYPE_TEXT)
#undef TARE_DTYPE_TEXT
    };
    return (unsigned)dtype < TARE_DTYPE_COUNT ? name[dtype] : "unknown dtype";
}

tare_desc tare_desc_of(tare_dtype dtype, int rank, const int64_t *dim)
{
    tare_desc d = {.rank = (int8_t)rank, .dtype = (uint8_t)dtype};
    for (int i = 0; i < rank && i < TARE_RANK; ++i)
        d.dim[i] = dim[i];
    if (rank >= 0 && rank <= TARE_RANK)
        tare_desc_pack(&d);
    return d;
}

tare_status tare_desc_check(const tare_desc *d)
{
    if (d->dtype >= TARE_DTYPE_COUNT)
        return tare_error(TARE_BAD_DTYPE, "dtype %d is unknown", d->dtype);
    if (d->rank < 0 || d->rank > TARE_RANK)
        return tare_error(TARE_BAD_SHAPE, "rank is %d (need 0 to %d)", d->rank, TARE_RANK);
    int64_t bytes = (int64_t)tare_dtype_bytes((tare_dtype)d->dtype);
    for (int i = 0; i < d->rank; ++i) {
        if (d->dim[i] < 0)
            return tare_error(TARE_BAD_SHAPE, "dimension %d is %lld (need >= 0)", i, (long long)d->dim[i]);
        if (d->dim[i] > 0 && (__builtin_mul_overflow(bytes, d->dim[i], &bytes) || bytes > INT64_C(1) << 62))
            return tare_error(TARE_BAD_SHAPE, "dimension %d makes more than 2^62 bytes", i);
    }
    return TARE_OK;
}

void tare_desc_measure(tare_desc *d)
{
    int64_t stride = 1;
    d->contiguous = true;
    for (int i = d->rank - 1; i >= 0; --i) {
        if (d->dim[i] == 1)
            d->stride[i] = i + 1 < d->rank ? d->dim[i + 1] * d->stride[i + 1] : 1;
        d->contiguous = d->contiguous && d->stride[i] == stride;
        stride *= d->dim[i];
    }
    if (stride == 0)
        tare_desc_pack(d); /* no elements, no gaps */
}

bool tare_desc_broadcast(const tare_desc *a, const tare_desc *b, tare_desc *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    out->rank = (int8_t)rank;
    out->dtype = a->dtype;
    for (int i = 0; i < rank; ++i) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        out->dim[i] = da == 1 ? db : da;
    }
    tare_desc_pack(out);
    return true;
}

const char *tare_desc_text(const tare_desc *d, char *text)
{
    int at = snprintf(text, TARE_DESC_TEXT, "[");
    for (int i = 0; i < d->rank && at < TARE_DESC_TEXT; ++i)
        at += snprintf(text + at, (size_t)(TARE_DESC_TEXT - at), i ? ",%lld" : "%lld", (long long)d->dim[i]);
    if (at < TARE_DESC_TEXT)
        (void)snprintf(text + at, (size_t)(TARE_DESC_TEXT - at), "]");
    return text;
}

bool tare_desc_outer(const tare_desc *d)
{
    int64_t row = 1;
    for (int i = d->rank - 1; i > 0; --i) {
        if (d->dim[i] != 1 && d->stride[i] != row)
            return false;
        row *= d->dim[i];
    }
    return d->rank > 0 && (d->dim[0] <= 1 || d->stride[0] >= row);
}
