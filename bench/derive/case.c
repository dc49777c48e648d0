/* case.c - sample cases read and filled (see case.h). */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"
#include "../base/elements.h"

/* Uniform in [0, 1): splitmix64 (Steele, Lea and Flood, OOPSLA 2014), the top 53 bits. */
static double random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

void tare__case_fill(void *at, const tare_desc *d, double low, double high, uint64_t seed)
{
    int64_t n = tare_desc_count(d);
    for (int64_t i = 0; i < n; ++i) {
        double x = low + (high - low) * random_next(&seed);
        tare__element_put(at, (tare_dtype)d->dtype, i, tare__floats(d->dtype) ? (double)(float)x : floor(x));
    }
}

const char *const tare__case_dtypes[TARE_DTYPE_COUNT] = {"f32", "f64", "i32", "i64", "u8", "bytes"};

/* One token: dtype[dims]<low,high>. false: it is not one. */
static bool read_token(const char *text, bool wide, tare_desc *d, double *low, double *high)
{
    char *end;
    int64_t dim[TARE_RANK];
    int dtype = 0, rank = 0;
    size_t length = strcspn(text, "[");
    while (dtype < TARE_DTYPE_COUNT &&
           (strlen(tare__case_dtypes[dtype]) != length || strncmp(text, tare__case_dtypes[dtype], length) != 0))
        ++dtype;
    if (dtype == TARE_DTYPE_COUNT || text[length] != '[')
        return false;
    for (text += length + 1; *text != ']'; text = end + (*end == ',')) {
        if (rank == TARE_RANK)
            return false;
        dim[rank++] = strtoll(text, &end, 10);
        if (end == text || (*end != ',' && *end != ']') || dim[rank - 1] < 0)
            return false;
    }
    *d = tare_desc_of(wide && dtype == TARE_F32 ? TARE_F64 : (tare_dtype)dtype, rank, dim);
    *low = dtype == TARE_U8 ? 0 : -1;
    *high = dtype == TARE_U8 ? 256 : 1;
    return !text[1] || (sscanf(text + 1, "<%lf,%lf>", low, high) == 2 && text[strlen(text) - 1] == '>');
}

void tare__case_fini(tare__case *s)
{
    for (int i = 0; i < s->n_in; ++i)
        free(s->data[i]);
}

bool tare__case_read(tare__case *s, const tare_op *op, const tare_sample *of, bool wide)
{
    char text[512], *rest = text, *token;
    *s = (tare__case){.op = op, .of = of};
    (void)snprintf(text, sizeof text, "%s", of->shapes);
    while ((token = strtok_r(rest, " ", &rest))) {
        int i = s->n_in++;
        if (i == TARE__CASE_INPUTS)
            return --s->n_in, false;
        if (strcmp(token, "-") == 0)
            continue;
        if (!read_token(token, wide, &s->d[i], &s->low[i], &s->high[i]))
            return false;
        s->present[i] = true;
    }
    if (!op)
        return true;
    for (int o = 0; o < TARE_OPERANDS; ++o)
        if (op->ties[o] && !s->present[op->ties[o] - 1])
            s->absent |= 1u << o;
    s->attr = op->n_attrs ? s->attr_bytes : NULL;
    s->status = op->attr_bytes > sizeof s->attr_bytes
                    ? TARE_NO_MEMORY
                    : tare_attr_parse(op->name, op->attrs, op->n_attrs, of->attr, s->attr_bytes);
    return true;
}

bool tare__case_init(tare__case *s, const tare_op *op, const tare_sample *of, bool wide)
{
    if (!tare__case_read(s, op, of, wide))
        return false;
    for (int i = 0; i < s->n_in; ++i)
        if (s->present[i]) {
            s->data[i] = tare__take(tare_desc_bytes(&s->d[i]) + 1, 1);
            tare__case_fill(s->data[i], &s->d[i], s->low[i], s->high[i], (uint64_t)i + 1);
        }
    return true;
}
