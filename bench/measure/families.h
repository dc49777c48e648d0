/* families.h - families of points: one question, several sizes, several spellings that compute the same.
 *
 * Six of them are those of "Tensorflow-VS-MXNet-Benchmark" with its published sizes, of which the least and the
 * greatest are known; two more it planned and never ran (attention, the layers of its VGG). A family is a record in one
 * table. */
#ifndef TARE_BENCH_FAMILIES_H
#define TARE_BENCH_FAMILIES_H

#include "point.h"

/* NAME's operands with n for the size: "f32[n,n] f32[n,n]". */
typedef struct {
    const char *name, *operands;
    tare__spell *spell;
    const char *attributes; /* of the operator `name`, where spell is NULL */
} tare__spelling;

typedef struct {
    const char *name, *doc;
    const char *axis;               /* what the size is */
    int64_t from, to, step;         /* sizes, as published */
    const tare__spelling *spelling; /* ended by a NULL name; they are given the same bytes and compute the same */
    bool apart;                     /* but these compute different things: layers, functions */
} tare__family;
extern const tare__family tare__families[]; /* ended by a NULL name */

/* Its points, size by size, each in all spellings. sizes: n of them; NULL: the published ones. */
void tare__family_add(tare__points *, tare_runtime *, const tare__family *, const int64_t *sizes, int n);
/* `text` with each n that is a dimension as the size; the caller's. */
char *tare__operands_sized(const char *text, int64_t size);

#endif
