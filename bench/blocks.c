/* blocks.c - rounds of blocks, gathered as they come (see blocks.h). */
#include "blocks.h"

#include <stdlib.h>

#include "command.h"

void tare__blocks_init(tare__blocks *b, int n_arms)
{
    *b = (tare__blocks){.n_arms = n_arms};
    b->block = tare__take((size_t)n_arms, sizeof *b->block);
}

void tare__blocks_fini(tare__blocks *b)
{
    for (int i = 0; i < b->n_arms; ++i)
        free(b->block[i]);
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
    tare__block block = {number(line, "steps"), number(line, "ns"), number(line, "cpu_ns")};
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
    b->block[arm][b->n_rounds - 1] = block;
    r->dropped |= json_is_true(json_object_get(line, "dropped"));
    ++r->n_blocks;
    return true;
}

void tare__blocks_trim(tare__blocks *b)
{
    int kept = 0;
    for (int k = 0; k < b->n_rounds; ++k) {
        if (b->round[k].n_blocks != b->n_arms)
            continue;
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
