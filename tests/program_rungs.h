/* program_rungs.h - a random program in every rung of the ladder, flipped and on several threads: the same bits.
 *
 * Rungs and flips are read from the ladder's table, so a new one is tested without a line here. A failure names the
 * program; TARE_PROGRAM=<number> runs it alone. */
#ifndef TARE_TESTS_PROGRAM_RUNGS_H
#define TARE_TESTS_PROGRAM_RUNGS_H

#include "../bench/arm/digest.h"
#include "program_net.h"

enum { PROGRAM_STEPS = 2 };

/* The work of a program: mostly training, in turns with each optimizer and loss; all kernels of a choice. */
static inline tare__task program_task(uint64_t number, const tare_net_type *type, char text[64])
{
    static const char *const optimizer[] = {NULL, "sgd:momentum=0.5,lr=0.05", "adam:lr=0.01", "sgd:lr=0.1,clip=1"};
    (void)snprintf(text, 64, "program:number=%llu", (unsigned long long)number);
    tare__task task = {.net = text, .net_type = type, .seed = number + 1};
    task.work = number % 16 == 3 ? TARE__INFER : number % 16 == 11 ? TARE__FORWARD : TARE__TRAIN;
    task.optimizer = task.work == TARE__TRAIN ? optimizer[number / 5 % 4] : NULL;
    task.training_loss = task.optimizer || number % 2;
    return task;
}

static inline int program_kernels(uint64_t number)
{
    return number % 8 == 5 ? TARE_KERNELS_BLAS : number % 8 == 6 ? TARE_KERNELS_REFERENCE : TARE_KERNELS_NATIVE;
}

typedef struct {
    uint64_t number;
    tare__task task;
    tare__digest first; /* of the table's first rung */
    bool has_first;
} program_session;

/* One arm, compared with the first. `how` says what was flipped. */
static inline void program_arm(program_session *s, const tare__setting *setting, const char *how)
{
    tare__digest found;
    const char *what = NULL, *rung = setting->rung->name;
    unsigned long long number = s->number;
    int threads = setting->level[TARE__THREADS];
    tare_status status = tare__digest_run(&s->task, setting, PROGRAM_STEPS, NULL, NULL, &found);
    ck_assert_msg(status == TARE_OK, "program %llu, %s%s, %d threads: %s (again: TARE_PROGRAM=%llu)", number, rung, how,
                  threads, tare_error_text(), number);
    if (!s->has_first) {
        s->first = found;
        s->has_first = true;
    }
    ck_assert_msg(tare__digest_equal(&found, &s->first, &what),
                  "program %llu, %s%s, %d threads: other %s than %s's (again: TARE_PROGRAM=%llu)", number, rung, how,
                  threads, what, tare__rungs[0].name, number);
}

/* One of the factors' other levels that the rung allows, that means something by itself and that changes no bit; false:
 * it has none. */
static inline bool program_flip(program_builder *random, bool update, tare__setting *setting, char how[96])
{
    int f[64], level[64], n = 0;
    for (int k = 0; k < TARE__FACTOR_COUNT; ++k) {
        bool of_work = k == TARE__AUTOGRAD; /* off computes less */
        if (!tare__factors[k].exact || of_work || k == TARE__THREADS)
            continue;
        const char *flips = tare__setting_cell(setting, k)->flips;
        for (const char *word = flips ? flips : tare__factors[k].levels; *word && n < 64; word += *word == ' ') {
            size_t length = strcspn(word, " ");
            f[n] = k;
            level[n] = tare__level_find(k, word, length);
            bool other = level[n] >= 0 && level[n] != setting->level[k]; /* numbers have no words */
            bool file = k == TARE__PLAN && level[n] == TARE__PLAN_FILE;
            tare__setting flipped = *setting;
            flipped.level[k] = level[n];
            n += other && !file && !tare__setting_unfit(&flipped, "agree", update, true).why;
            word += length;
        }
    }
    if (n == 0)
        return false;
    char text[32];
    int i = (int)program_below(random, n);
    setting->level[f[i]] = level[i];
    if (f[i] == TARE__ENGINE && strcmp(tare__setting_cell(setting, TARE__BULK)->flips, "1") != 0)
        setting->level[TARE__BULK] = 1 + (int)program_below(random, 64);
    (void)snprintf(how, 96, " with %s=%s", tare__factors[f[i]].name, tare__level_name(f[i], level[i], text));
    return true;
}

static inline void program_in_every_rung(uint64_t number, bool *suspect)
{
    const tare_net_type type = program_net_type(number);
    program_builder random = {.state = number};
    program_session s = {.number = number};
    char text[64], how[96];
    s.task = program_task(number, &type, text);
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        tare__setting setting = tare__setting_of(rung, s.task.optimizer != NULL);
        setting.level[TARE__KERNELS] = program_kernels(number);
        program_arm(&s, &setting, "");
        setting.level[TARE__THREADS] = 3;
        program_arm(&s, &setting, "");
        setting.level[TARE__THREADS] = number % 2 ? 3 : 1;
        if (program_flip(&random, s.task.optimizer != NULL, &setting, how))
            program_arm(&s, &setting, how);
    }
    *suspect = s.first.suspect[0];
}

/* Programs [from, to); or the one that the environment asks for. */
static inline void programs_in_every_rung(uint64_t from, uint64_t to)
{
    const char *alone = getenv("TARE_PROGRAM");
    uint64_t n_suspect = 0;
    bool suspect;
    if (alone) {
        program_in_every_rung(strtoull(alone, NULL, 10), &suspect);
        return;
    }
    for (uint64_t number = from; number < to; ++number) {
        program_in_every_rung(number, &suspect);
        n_suspect += suspect;
    }
    /* what is not finite or the same everywhere proves little */
    ck_assert_msg(2 * n_suspect <= to - from, "%llu of %llu programs compute nothing to compare",
                  (unsigned long long)n_suspect, (unsigned long long)(to - from));
}

#endif
