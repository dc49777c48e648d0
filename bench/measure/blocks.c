/* blocks.c - rounds of blocks, gathered as they come (see blocks.h). */
#include "blocks.h"

#include <stdlib.h>

#include "../base/command.h"

/* ---- spans in a line -----------------------------------------------------------------------------------------*/

static json_t *list_of(const double *x)
{
    json_t *list = json_array();
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        json_array_append_new(list, json_real(x[p]));
    return list;
}

void tare__spans_put(json_t *line, const tare__span_sums *span, double plain_ns)
{
    json_t *ns = json_array();
    for (int k = 0; k < TARE__PROBINGS; ++k)
        json_array_append_new(ns, list_of(span[k].ns));
    json_object_set_new(line, "span_ns", ns);
    json_object_set_new(line, "plain_ns", json_real(plain_ns));
    json_object_set_new(line, "probes", list_of(span[0].probes));
}

/* And back; NULL where there are none. */
static tare__span_sums *spans_of(const json_t *line)
{
    const json_t *ns = json_object_get(line, "span_ns"), *probes = json_object_get(line, "probes");
    if (json_array_size(ns) != TARE__PROBINGS || json_array_size(probes) != TARE__PART_COUNT)
        return NULL;
    tare__span_sums *span = tare__take(TARE__PROBINGS, sizeof *span);
    for (size_t k = 0; k < TARE__PROBINGS; ++k)
        for (size_t p = 0; p < TARE__PART_COUNT; ++p) {
            span[k].ns[p] = json_number_value(json_array_get(json_array_get(ns, k), p));
            span[k].probes[p] = json_number_value(json_array_get(probes, p));
        }
    return span;
}

/* ---- rounds --------------------------------------------------------------------------------------------------*/

void tare__blocks_init(tare__blocks *b, int n_arms)
{
    *b = (tare__blocks){.n_arms = n_arms};
    b->block = tare__take((size_t)n_arms, sizeof *b->block);
}

void tare__blocks_fini(tare__blocks *b)
{
    for (int i = 0; i < b->n_arms; ++i) {
        for (int k = 0; k < b->n_rounds; ++k)
            free(b->block[i][k].span);
        free(b->block[i]);
    }
    free(b->block);
    free(b->round);
    *b = (tare__blocks){0};
}

static int64_t number(const json_t *line, const char *field)
{
    return json_integer_value(json_object_get(line, field));
}

static void begin_round(tare__blocks *b, int process, int round)
{
    if (b->n_rounds == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        b->round = tare__more(b->round, (size_t)b->capacity, sizeof *b->round);
        for (int i = 0; i < b->n_arms; ++i)
            b->block[i] = tare__more(b->block[i], (size_t)b->capacity, sizeof *b->block[i]);
    }
    b->round[b->n_rounds] = (tare__round){.process = process, .round = round};
    for (int i = 0; i < b->n_arms; ++i)
        b->block[i][b->n_rounds] = (tare__block){0};
    ++b->n_rounds;
}

bool tare__blocks_take(tare__blocks *b, int arm, const json_t *line)
{
    tare__block block = {number(line, "steps"), number(line, "ns"), number(line, "cpu_ns"), NULL, 0};
    int64_t process = number(line, "process"), round = number(line, "round");
    if (arm < 0 || arm >= b->n_arms || block.steps < 1 || block.ns < 1 || process < 0 || process > 1000000 ||
        round < 0 || round > INT32_MAX)
        return false;
    const tare__round *last = b->n_rounds ? &b->round[b->n_rounds - 1] : NULL;
    if (!last || last->process != process || last->round != round)
        begin_round(b, (int)process, (int)round);
    tare__round *r = &b->round[b->n_rounds - 1];
    if (b->block[arm][b->n_rounds - 1].steps)
        return false;
    block.span = spans_of(line);
    block.plain_ns = json_number_value(json_object_get(line, "plain_ns"));
    b->block[arm][b->n_rounds - 1] = block;
    r->dropped |= json_is_true(json_object_get(line, "dropped"));
    ++r->n_blocks;
    return true;
}

void tare__blocks_trim(tare__blocks *b)
{
    int kept = 0;
    for (int k = 0; k < b->n_rounds; ++k) {
        if (b->round[k].n_blocks != b->n_arms) {
            for (int i = 0; i < b->n_arms; ++i)
                free(b->block[i][k].span);
            continue;
        }
        b->round[kept] = b->round[k];
        for (int i = 0; i < b->n_arms; ++i)
            b->block[i][kept] = b->block[i][k];
        ++kept;
    }
    b->n_rounds = kept;
}

int tare__blocks_processes(const tare__blocks *b)
{
    int n = 0;
    for (int k = 0; k < b->n_rounds; ++k)
        n = b->round[k].process >= n ? b->round[k].process + 1 : n;
    return n;
}

double tare__block_step(const tare__blocks *b, int arm, int round)
{
    return (double)b->block[arm][round].ns / (double)b->block[arm][round].steps;
}
