/* units.c - cutting what reductions and normalisations go over into units, parts and pieces, and merging the parts. */
#include "units.h"

#ifdef TARE_PASS_RECORDS

void tare__prepare_units(const tare_args *a, const tare_desc *x, uint32_t mask, bool cut, tare_work *w)
{
    int64_t *g = w->g;
    tare__prepare_merged(x, mask, g);
    bool runs = g[TARE_R_KIND] == TARE_RUNS;
    int64_t inner = g[TARE_R_INNER], reduced = g[TARE_R_REDUCED], part = runs ? TARE_CHUNK : TARE_STRIPE_ROWS;
    int64_t width = runs || inner == 0 ? 1 : inner < TARE_STRIPE ? inner : TARE_STRIPE;
    g[TARE_U_STRIPES] = runs ? 1 : (inner + TARE_STRIPE - 1) / TARE_STRIPE;
    g[TARE_U_UNITS] = runs ? g[TARE_R_COUNT] : inner ? g[TARE_R_COUNT] / inner * g[TARE_U_STRIPES] : 0;
    if (!runs)
        part *= TARE_STRIPE / width;
    cut = cut && reduced > part;
    g[TARE_U_PART] = cut ? part : reduced;
    g[TARE_U_SPLITS] = cut ? (reduced + part - 1) / part : 1;
    int64_t unit = reduced > 0 ? reduced * width : width;
    g[TARE_U_GROUP] = cut || unit > TARE_CHUNK ? 1 : TARE_CHUNK / unit;
    g[TARE_U_SCRATCH] = a->n_in + a->op->n_out + a->op->n_aux;
    w->n_g = TARE_U_OWN;
    int64_t n = (g[TARE_U_UNITS] + g[TARE_U_GROUP] - 1) / g[TARE_U_GROUP] * g[TARE_U_SPLITS];
    w->n_pieces = n > 1 ? (int32_t)n : 1;
    if (cut)
        w->piece_bytes = runs ? TARE_ALIGNMENT : TARE_STRIPE * sizeof(tare_pair);
}

int tare__reduce_combine(const tare_call *c, tare_merge *merge, tare_finish *finish)
{
    const int64_t *g = c->g, splits = g[TARE_U_SPLITS];
    for (int64_t i = 0; splits > 1 && i < g[TARE_U_UNITS]; ++i) {
        tare_unit u = tare_unit_of(g, i);
        tare_pair *total = tare_pairs(c, i * splits);
        for (int64_t s = 1; s < splits; ++s) {
            const tare_pair *from = tare_pairs(c, i * splits + s);
            int64_t before = s * g[TARE_U_PART], n = u.end - before < g[TARE_U_PART] ? u.end - before : g[TARE_U_PART];
            for (int64_t j = 0; j < u.width; ++j)
                merge(&total[j], before, &from[j], n);
        }
        finish(c, &u, total);
    }
    return 0;
}

#endif
