/* order.c - blocks in the orders that packers take them in. */
#include <stdlib.h>

#include "pack_private.h"

/* The most that lives in a section of each block: the greatest of a range from those of two runs of a power of two. */
tare_status tare__order_prepare(tare__problem *p)
{
    int levels = 1;
    while (1 << levels <= p->n_sections)
        ++levels;
    size_t wide = (size_t)p->n_sections, bytes = (size_t)levels * wide * sizeof(int64_t);
    int64_t *most = tare_memory_take(p->memory, TARE_MEMORY_RECORD, bytes);
    if (!most)
        return TARE_NO_MEMORY;
    for (size_t s = 0; s < wide; ++s)
        most[s] = p->live[s];
    for (int k = 1; k < levels; ++k) {
        int64_t *to = most + (size_t)k * wide;
        const int64_t *from = to - wide, *second = from + ((size_t)1 << (k - 1));
        for (size_t s = 0; s + ((size_t)1 << k) <= wide; ++s)
            to[s] = from[s] > second[s] ? from[s] : second[s];
    }
    for (int32_t i = 0; i < p->n; ++i) {
        tare__block *b = &p->block[i];
        int k = 31 - __builtin_clz((unsigned)(b->last - b->first));
        int64_t left = most[(size_t)k * wide + (size_t)b->first];
        int64_t right = most[(size_t)k * wide + (size_t)b->last - ((size_t)1 << k)];
        b->most = left > right ? left : right;
    }
    tare_memory_give(p->memory, TARE_MEMORY_RECORD, most, bytes);
    return TARE_OK;
}

static double key_of(const tare__problem *p, int32_t i, char letter)
{
    const tare__block *b = &p->block[i];
    switch (letter) {
    case 'L':
        return b->length;
    case 'W':
        return (double)(b->last - b->first);
    case 'A':
        return b->length * (double)b->size;
    case 'T':
        return (double)b->most;
    case 'S':
        return (double)b->size;
    case 'D':
        return (double)b->last;
    case '<':
        return -(double)b->begin;
    case '>':
        return -(double)b->end;
    case 'O':
        return -(double)p->best[i];
    default:
        return -(double)b->first;
    }
}

static int greatest_first(const void *a, const void *b)
{
    const tare__keyed *x = a, *y = b;
    for (int k = 0; k < 3; ++k)
        if (x->key[k] != y->key[k])
            return x->key[k] > y->key[k] ? -1 : 1;
    return x->block - y->block;
}

void tare__order(tare__problem *p, const char *letters, const double *weight, int32_t *order)
{
    for (int32_t i = 0; i < p->n; ++i) {
        tare__keyed *to = &p->keyed[i];
        *to = (tare__keyed){.block = i};
        for (int k = 0; k < 3 && letters[k]; ++k)
            to->key[k] = key_of(p, i, letters[k]) * (weight ? weight[i] : 1);
    }
    qsort(p->keyed, (size_t)p->n, sizeof *p->keyed, greatest_first);
    for (int32_t i = 0; i < p->n; ++i)
        order[i] = p->keyed[i].block;
}
