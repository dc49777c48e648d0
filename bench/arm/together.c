/* together.c - which levels go together, in which command they mean something, and which are different work.
 *
 * A cell of the ladder's table says to what a factor can be flipped on a rung; what is around a step, and the switches
 * that change the work, are the same on every rung but may need another level, or a command that times or trains. */
#include <string.h>

#include "rung.h"

/* What a level may need. */
enum {
    LOADER,
    WORKERS,
    FEEDS_OR_TRAINS,
    EPOCHS,
    ORDERED,
    SAME_BATCH,
    LAYERS,
    UPDATE,
    GRADIENT,
    QUEUE,
    LAYOUTS,
    N_NEEDS
};

static const struct {
    int factor, needs;
    const char *why;
} rule[] = {
    {TARE__LAYOUT, LAYOUTS, "our own kernels have one layout (kernels=onednn)"},
    {TARE__WORKERS, LOADER, "only input=loader has workers"},
    {TARE__PREFETCH, WORKERS, "only workers make batches ahead (input=loader,workers=1)"},
    {TARE__SEQUENCE, FEEDS_OR_TRAINS, "the same batch stays (input=slices, input=loader, or tare train)"},
    {TARE__READBACK, EPOCHS, "the same batch stays (input=slices, input=loader), or fit reads every loss"},
    {TARE__ITERATOR, ORDERED, "there is no order to share (input=slices or loader, sequence=shuffled)"},
    {TARE__FEED, SAME_BATCH, "every step has another batch anyway (input=resident)"},
    {TARE__CAPTURE, LAYERS, "a net from a graph file has no layers to capture (source=traced)"},
    {TARE__UPDATE, UPDATE, "there is no update (--optimizer)"},
    {TARE__EPSILON, UPDATE, "there is no update (--optimizer)"},
    {TARE__INPUT_GRADIENT, GRADIENT, "no gradients are made"},
    {TARE__RESCALE, GRADIENT, "no gradients are made"},
    {TARE__SYNC, QUEUE, "kernels have run when a step returns: nothing is left to be waited for (engine=queue)"},
};

/* Commands in which a level means nothing, between blanks; behind a '!' the only ones in which it does. */
#define TIMED    "! bench ablate explain "
#define STEPS    "! bench ablate explain step trace count "
#define TRAINING " train "
static const struct {
    int factor;
    const char *commands, *why;
} elsewhere[] = {
    {TARE__WARM_UP, TIMED, "it times no blocks of steps (tare bench)"},
    {TARE__CLOCK, TIMED, "it times no blocks of steps (tare bench)"},
    {TARE__SYNC, STEPS, "what it makes of a step waits for it (tare bench)"},
    {TARE__VALIDATION, "!" TRAINING, "nothing is evaluated between steps (tare train)"},
    {TARE__FEED, TRAINING, "a batch is copied into its place, or bound where the input is loader or slices"},
    {TARE__ITERATOR, TRAINING, "one arm is trained, and has its own order"},
};

enum { RULES = sizeof rule / sizeof *rule, ELSEWHERE = sizeof elsewhere / sizeof *elsewhere };

const char *tare__condition(int f, int i)
{
    for (int k = 0; k < RULES; ++k)
        if (rule[k].factor == f && i-- == 0)
            return rule[k].why;
    for (int k = 0; k < ELSEWHERE; ++k)
        if (elsewhere[k].factor == f && i-- == 0)
            return elsewhere[k].why;
    return NULL;
}

static bool means_nothing(const char *commands, const char *command)
{
    bool only = *commands == '!';
    char word[32];
    (void)snprintf(word, sizeof word, " %s ", command);
    return (strstr(commands + only, word) != NULL) != only;
}

/* The level's name if it is not the one that the factor has of itself; NULL. */
static const char *flipped(const tare__setting *setting, int f, char *text)
{
    const char *level = tare__setting_cell(setting, f)->level;
    bool own = setting->level[f] == tare__level_find(f, level, strlen(level));
    return own ? NULL : tare__level_name(f, setting->level[f], text);
}

tare__unfit tare__setting_unfit(const tare__setting *setting, const char *command, bool update, bool gradient)
{
    const int *level = setting->level;
    const bool loads = level[TARE__INPUT] == TARE__INPUT_LOADER, fits = level[TARE__LOOP] == TARE__LOOP_FIT;
    const bool feeds = level[TARE__INPUT] != TARE__INPUT_RESIDENT || fits;
    const bool trains = strcmp(command, "train") == 0;
    const bool shuffled =
        level[TARE__SEQUENCE] == TARE__SEQUENCE_SHUFFLED || (fits && level[TARE__SEQUENCE] == TARE__SEQUENCE_USUAL);
    const bool has[N_NEEDS] = {[LOADER] = loads,
                               [WORKERS] = loads && level[TARE__WORKERS] > 0,
                               [FEEDS_OR_TRAINS] = feeds || trains,
                               [EPOCHS] = level[TARE__READBACK] != TARE__READBACK_EPOCH || ((feeds || trains) && !fits),
                               [ORDERED] = feeds && shuffled,
                               [SAME_BATCH] = !feeds,
                               [LAYERS] = level[TARE__CAPTURE] != TARE__CAPTURE_CHILD ||
                                          level[TARE__SOURCE] != TARE__SOURCE_FILE,
                               [LAYOUTS] = level[TARE__KERNELS] == TARE_KERNELS_ADDED,
                               [UPDATE] = update,
                               [GRADIENT] = gradient,
                               [QUEUE] = level[TARE__ENGINE] == TARE__ENGINE_QUEUE};
    char text[32];
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        if (!flipped(setting, f, text))
            continue;
        for (int k = 0; k < RULES; ++k)
            if (rule[k].factor == f && !has[rule[k].needs])
                return (tare__unfit){f, false, rule[k].why};
        for (int k = 0; k < ELSEWHERE; ++k)
            if (elsewhere[k].factor == f && means_nothing(elsewhere[k].commands, command))
                return (tare__unfit){f, true, elsewhere[k].why};
    }
    return (tare__unfit){0};
}

int tare__setting_check(const tare__setting *setting, const tare__line *line, bool update, bool gradient)
{
    const char *command = line->command->name;
    const tare__unfit unfit = tare__setting_unfit(setting, command, update, gradient);
    char text[32];
    return unfit.why ? tare__usage(line, "%s=%s means nothing %s%s: %s", tare__factors[unfit.factor].name,
                                   tare__level_name(unfit.factor, setting->level[unfit.factor], text),
                                   unfit.of_command ? "in tare " : "here", unfit.of_command ? command : "", unfit.why)
                     : TARE__RAN;
}

bool tare__setting_same_bits(const tare__setting *a, const tare__setting *b)
{
    for (int f = 0; f < TARE__FIRST_SWITCH; ++f)
        if (!tare__factors[f].exact && a->level[f] != b->level[f])
            return false;
    return a->level[TARE__KERNELS] != TARE_KERNELS_ADDED || a->level[TARE__THREADS] == b->level[TARE__THREADS];
}

const char *tare__setting_work(const tare__setting *a, const tare__setting *b, char text[TARE__WORK_TEXT])
{
    char level[32];
    size_t at = 0;
    text[0] = 0;
    for (int f = TARE__FIRST_SWITCH; f < TARE__FACTOR_COUNT && at < TARE__WORK_TEXT; ++f)
        if (a->level[f] != b->level[f])
            at += (size_t)snprintf(text + at, TARE__WORK_TEXT - at, "%s%s=%s", at ? ", " : "", tare__factors[f].name,
                                   tare__level_name(f, a->level[f], level));
    return text;
}
