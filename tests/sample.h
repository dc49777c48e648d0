/* sample.h - a record's sample case ("f32[3,5] i32[3]<0,5> -") as descs, attributes and numbers.
 *
 * The numbers depend on the sample alone. Floating ones are float32 numbers in every width, so that a float64 run of
 * the same sample has the same inputs. Integers lie in [low, high), others between low and high. */
#ifndef TARE_TESTS_SAMPLE_H
#define TARE_TESTS_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "values.h"

enum { SAMPLE_INPUTS = 32 };
typedef struct {
    const tare_op *op;
    const tare_sample *of;
    int n_in;
    bool present[SAMPLE_INPUTS];
    tare_desc d[SAMPLE_INPUTS];
    void *data[SAMPLE_INPUTS];
    uint32_t absent;    /* outputs tied to an absent input are absent */
    tare_status status; /* of its attributes; the text is the thread's */
    const void *attr;   /* NULL: the operator has none */
    char attr_bytes[256] __attribute__((aligned(8)));
} sample;

/* Uniform in [0, 1): splitmix64 (Steele, Lea and Flood, OOPSLA 2014), the top 53 bits. */
static inline double sample_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static inline void sample_fill(void *at, const tare_desc *d, double low, double high, uint64_t seed)
{
    int64_t n = tare_desc_count(d);
    for (int64_t i = 0; i < n; ++i) {
        double x = low + (high - low) * sample_random(&seed);
        array_put(at, (tare_dtype)d->dtype, i, dtype_floats(d->dtype) ? (double)(float)x : floor(x));
    }
}

/* One token: dtype[dims]<low,high>. false: it is not one. */
static inline bool sample_token(const char *text, bool wide, tare_desc *d, double *low, double *high)
{
    static const char *const short_name[TARE_DTYPE_COUNT] = {"f32", "f64", "i32", "i64", "u8", "bytes"};
    char *end;
    int64_t dim[TARE_RANK];
    int dtype = 0, rank = 0;
    size_t length = strcspn(text, "[");
    while (dtype < TARE_DTYPE_COUNT &&
           (strlen(short_name[dtype]) != length || strncmp(text, short_name[dtype], length) != 0))
        ++dtype;
    if (dtype == TARE_DTYPE_COUNT || text[length] != '[')
        return false;
    for (text += length + 1; *text != ']'; text = end + (*end == ',')) {
        if (rank == TARE_RANK)
            return false;
        dim[rank++] = strtoll(text, &end, 10);
        if (end == text || (*end != ',' && *end != ']'))
            return false;
    }
    *d = tare_desc_of(wide && dtype == TARE_F32 ? TARE_F64 : (tare_dtype)dtype, rank, dim);
    *low = dtype == TARE_U8 ? 0 : -1;
    *high = dtype == TARE_U8 ? 256 : 1;
    return !text[1] || (sscanf(text + 1, "<%lf,%lf>", low, high) == 2 && text[strlen(text) - 1] == '>');
}

static inline void sample_fini(sample *s)
{
    for (int i = 0; i < s->n_in; ++i)
        free(s->data[i]);
}

/* wide: float64 in place of float32. false: the shapes cannot be read (free it all the same). */
static inline bool sample_init(sample *s, const tare_op *op, const tare_sample *of, bool wide)
{
    char text[512], *rest = text, *token;
    *s = (sample){.op = op, .of = of};
    (void)snprintf(text, sizeof text, "%s", of->shapes);
    while ((token = strtok_r(rest, " ", &rest))) {
        double low, high;
        int i = s->n_in++;
        if (i == SAMPLE_INPUTS)
            return --s->n_in, false;
        if (strcmp(token, "-") == 0)
            continue;
        if (!sample_token(token, wide, &s->d[i], &low, &high))
            return false;
        s->present[i] = true;
        s->data[i] = calloc(1, tare_desc_bytes(&s->d[i]) + 1);
        sample_fill(s->data[i], &s->d[i], low, high, (uint64_t)i + 1);
    }
    for (int o = 0; o < TARE_OPERANDS; ++o)
        if (op->ties[o] && !s->present[op->ties[o] - 1])
            s->absent |= 1u << o;
    s->attr = op->n_attrs ? s->attr_bytes : NULL;
    s->status = op->attr_bytes > sizeof s->attr_bytes
                    ? TARE_NO_MEMORY
                    : tare_attr_parse(op->name, op->attrs, op->n_attrs, of->attr, s->attr_bytes);
    return true;
}

#endif
