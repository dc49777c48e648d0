/* flips.c - the flips of a base arm (see flips.h). */
#define _GNU_SOURCE
#include "flips.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const tare__line *line;
    const tare__task *task;
    const tare__setting *base;
    tare__flips *flips;
} reading;

static tare__flip *add(const reading *r, int factor, const char *why)
{
    tare__flips *all = r->flips;
    all->flip = tare__more(all->flip, (size_t)all->n + 1, sizeof *all->flip);
    tare__flip *flip = &all->flip[all->n++];
    *flip = (tare__flip){.factor = factor, .level = -1, .why = why, .setting = *r->base};
    return flip;
}

static void add_level(const reading *r, int factor, int level)
{
    char text[32];
    tare__flip *flip = add(r, factor, NULL);
    flip->level = flip->setting.level[factor] = level;
    flip->name = tare__print("%s=%s", tare__factors[factor].name, tare__level_name(factor, level, text));
    flip->why = tare__setting_idle(r->task, &flip->setting);
    if (!flip->why)
        flip->why = tare__setting_unfit(&flip->setting, r->line->command->name, r->task->optimizer != NULL,
                                        r->task->work == TARE__TRAIN)
                        .why;
    if (!flip->why && tare__setting_needs_objects(r->task, &flip->setting))
        flip->why = "the net has no layer objects";
}

/* Each level that the table's cell has, but the base's own. */
static void add_factor(const reading *r, int f)
{
    const tare__cell *cell = tare__setting_cell(r->base, f);
    const char *flips = cell->flips ? cell->flips : tare__factors[f].levels;
    int own = r->base->level[f], before = r->flips->n;
    if (strstr(flips, "..")) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        if (processors > 0 && processors != own)
            add_level(r, f, (int)processors);
    } else {
        for (const char *word = flips; *word;) {
            size_t letters = strcspn(word, " ");
            int level = tare__level_find(f, word, letters);
            bool file = f == TARE__PLAN && level == TARE__PLAN_FILE; /* which one is for the line to name */
            if (level >= 0 && level != own && !file)
                add_level(r, f, level);
            word += letters + (word[letters] == ' ');
        }
    }
    if (r->flips->n == before)
        (void)add(r, f,
                  *cell->why            ? cell->why
                  : strchr(flips, ' ')  ? "its levels are sizes: name one (--factors)"
                  : strstr(flips, "..") ? "its level is the number of processors: name another (--factors)"
                                        : "there is one level");
}

/* "factor" or "factor=level". */
static int add_named(const reading *r, const char *item)
{
    const char *equals = strchr(item, '=');
    if (equals) {
        tare__setting flipped = *r->base;
        int code = tare__setting_flip(&flipped, r->line, item);
        for (int f = 0; f < TARE__FACTOR_COUNT && !code; ++f)
            if (flipped.level[f] != r->base->level[f])
                add_level(r, f, flipped.level[f]);
        return code;
    }
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f)
        if (strcmp(tare__factors[f].name, item) == 0) {
            add_factor(r, f);
            return TARE__RAN;
        }
    return tare__factor_unknown(r->line, item);
}

int tare__flips_read(const tare__line *line, const tare__task *task, const tare__setting *base, const char *factors,
                     tare__flips *flips)
{
    *flips = (tare__flips){0};
    reading r = {line, task, base, flips};
    int code = TARE__RAN;
    if (strcmp(factors, "all") == 0) {
        for (int f = 0; f < TARE__FIRST_SWITCH; ++f)
            add_factor(&r, f);
        flips->without_switches = true;
        return code;
    }
    char *copy = tare__copy_text(factors), *rest = copy, *item;
    while (!code && (item = strsep(&rest, ",")))
        code = add_named(&r, item);
    free(copy);
    return code;
}

void tare__flips_free(tare__flips *f)
{
    for (int i = 0; i < f->n; ++i)
        free(f->flip[i].name);
    free(f->flip);
    *f = (tare__flips){0};
}
