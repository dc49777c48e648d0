/* bench.c - `tare bench`: starts the processes of a run one after the other, gathers their blocks, sums up.
 *
 * Each process is this command again with --child, under an environment padded at random: where the stack begins
 * moves with it, and with it a share of luck that would otherwise be the same in all (T. Mytkowicz et al., "Producing
 * wrong data without doing anything obviously wrong!", ASPLOS 2009). */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/random.h"
#include "clock.h"
#include "commands.h"
#include "measure.h"
#include "results.h"

enum { PADDING_BYTES = 4096 };

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__specs specs;
    tare__facts facts;
    tare__results results;
    tare__journal journal;
    json_t *run;
    int64_t order_seed, rounds, processes;
    double seconds; /* of the whole run; 0: not limited */
    int64_t begin_ns;
    bool progress;
} session;

/* ---- processes -----------------------------------------------------------------------------------------------*/

/* In the new process: the same words, --child and its share of the time; a padded environment. */
static void become_child(const session *s, int process, double share, int output)
{
    char padding[PADDING_BYTES + 1];
    float u;
    tare_random_uniform(&u, 1, (uint64_t)s->order_seed, 0x70616464 + (uint64_t)process, 0, PADDING_BYTES - 1);
    memset(padding, 'x', sizeof padding);
    padding[(int)u] = 0;
    char *share_text = tare__print("--share=%.3f", share), *child_text = tare__print("--child=%d", process);
    const tare__plugins *plugins = &s->task.plugins;
    char **argv = tare__take((size_t)(s->line->argc + plugins->n_compiled) + 3, sizeof *argv);
    argv[0] = s->line->argv[0];
    argv[1] = s->line->argv[1];
    argv[2] = child_text;
    argv[3] = share_text;
    int n = 4;
    for (int i = 0; i < plugins->n_compiled; ++i)
        argv[n++] = tare__print("--compiled=%s", plugins->compiled[i]);
    for (int i = 2; i < s->line->argc; ++i)
        argv[n++] = s->line->argv[i];
    /* OpenBLAS starts its threads when it is loaded; those idle ones would spin beside the first rounds. */
    bool alone = setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
    if (dup2(output, STDOUT_FILENO) >= 0 && alone && setenv("TARE_PADDING", padding, 1) == 0)
        execv("/proc/self/exe", argv);
    _exit(tare__failed(s->line, "this command cannot be started again"));
}

static void show_progress(const session *s, int process)
{
    if (s->progress)
        fprintf(stderr, "\rprocess %d of %lld, %d rounds, %.1f s ", process + 1, (long long)s->processes,
                s->results.n_rounds, (double)(tare__clock_ns() - s->begin_ns) * 1e-9);
}

static void take_line(session *s, int process, const char *text)
{
    json_t *line = json_loads(text, 0, NULL);
    if (line && tare__results_take(&s->results, process, line)) {
        json_t *block = json_object_get(line, "block");
        if (block) {
            int arm = (int)json_integer_value(block);
            tare__journal_put(&s->journal, tare__block_record(&s->results, arm, line, process, s->run));
        }
        show_progress(s, process);
    }
    json_decref(line);
}

static int run_process(session *s, int process)
{
    int ends[2];
    double spent = (double)(tare__clock_ns() - s->begin_ns) * 1e-9;
    double share = s->seconds > 0 ? (s->seconds - spent) / (double)(s->processes - process) : 0;
    if (s->seconds > 0 && share < 0.05)
        share = 0.05;
    if (pipe(ends) != 0)
        return tare__failed(s->line, "no pipe to a process of the run");
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        become_child(s, process, share, ends[1]);
    }
    (void)close(ends[1]);
    FILE *in = child > 0 ? fdopen(ends[0], "r") : NULL;
    char *text = NULL;
    size_t capacity = 0;
    while (in && getline(&text, &capacity, in) > 0)
        take_line(s, process, text);
    free(text);
    if (in)
        (void)fclose(in);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return tare__failed(s->line, "process %d of the run could not be started", process);
    if (WIFSIGNALED(status))
        return tare__failed(s->line, "process %d of the run was ended by signal %d", process, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* ---- the run -------------------------------------------------------------------------------------------------*/

/* The floor is an arm of every run, named kernels: added where it was not asked for. -1: a usage error, printed. */
static int base_arm(session *s)
{
    tare__setting floor;
    if (tare__floor_read(s->line, &s->task, &floor))
        return -1;
    for (int i = 0; i < s->specs.n; ++i) {
        const tare__spec *spec = &s->specs.spec[i];
        if (strcmp(spec->name, "kernels") != 0)
            continue;
        if (spec->setting.rung == floor.rung && memcmp(spec->setting.level, floor.level, sizeof floor.level) == 0)
            return i;
        (void)tare__usage(s->line, "the name kernels is that of the floor: give the arm another");
        return -1;
    }
    s->specs.spec = tare__more(s->specs.spec, (size_t)s->specs.n + 1, sizeof *s->specs.spec);
    s->specs.spec[s->specs.n] = (tare__spec){tare__copy_text("kernels"), floor};
    return s->specs.n++;
}

static const json_t *digest_of(const session *s, int arm, const char *field)
{
    return json_object_get(json_object_get(s->results.arm[arm].opened, "digest"), field);
}

/* Arms of the same kernels must agree bit for bit; a comparison of others says so. */
static int check_digests(const session *s)
{
    int code = TARE__RAN, base = s->results.base;
    static const char *const field[] = {"loss", "outputs", "gradients", "parameters", "state"};
    for (int i = 0; i < s->specs.n; ++i) {
        const tare__result *arm = &s->results.arm[i];
        bool same_kernels =
            s->specs.spec[i].setting.level[TARE__KERNELS] == s->specs.spec[base].setting.level[TARE__KERNELS];
        const char *suspect = json_string_value(json_object_get(arm->opened, "suspect"));
        if (suspect && *suspect)
            printf("  %s: %s.\n", arm->name, suspect);
        for (size_t f = 0; f < sizeof field / sizeof *field && same_kernels; ++f) {
            const json_t *a = digest_of(s, i, field[f]), *b = digest_of(s, base, field[f]);
            if (json_is_string(a) && json_is_string(b) && !json_equal(a, b))
                code = tare__failed(s->line, "the arms %s and %s differ in %s", arm->name, s->results.arm[base].name,
                                    field[f]);
        }
        if (!json_equal(json_object_get(arm->opened, "calls_digest"),
                        json_object_get(s->results.arm[base].opened, "calls_digest")))
            printf("  %s: other kernel calls than %s%s.\n", arm->name, s->results.arm[base].name,
                   same_kernels ? "" : ", whose results may differ from its own (the factor kernels is inexact)");
    }
    return code;
}

static int finish(session *s)
{
    tare__results_summarise(&s->results, &s->facts);
    for (int i = 0; i < s->results.n_arms; ++i)
        tare__journal_put(&s->journal, tare__arm_record(&s->results, i, &s->facts, &s->task, s->run));
    for (int i = 0; i < s->specs.n; ++i)
        if (i != s->results.base)
            tare__journal_put(&s->journal, tare__contrast_record(&s->results, i, s->run));
    if (s->progress)
        fprintf(stderr, "\r%60s\r", "");
    tare__results_print(&s->results, &s->facts, &s->task);
    int differs = check_digests(s);
    int code = tare__journal_close(&s->journal);
    return code ? code : differs;
}

static int run_all(session *s)
{
    int base = base_arm(s);
    if (base < 0)
        return TARE__USAGE;
    tare_status status = tare__facts_take(&s->task, &s->facts);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    tare__results_init(&s->results, &s->specs, base);
    s->run = tare__run_record(s->line, s->facts.label, s->facts.batch, s->specs.spec[base].setting.level[TARE__THREADS],
                              (int64_t)s->task.seed, s->order_seed);
    int code = tare__journal_open(&s->journal, s->line, tare__text(s->line, "json"));
    for (int p = 0; p < s->processes && !code; ++p)
        code = run_process(s, p);
    if (!code)
        code = finish(s);
    tare__journal_leave(&s->journal);
    return code;
}

static int read_numbers(session *s)
{
    const tare__line *line = s->line;
    s->order_seed = 1;
    s->seconds = tare__given(line, "quick") ? 10 : 0;
    int code = tare__integer(line, "order-seed", 0, INT64_MAX, &s->order_seed);
    if (!code)
        code = tare__integer(line, "rounds", 1, 1000000, &s->rounds);
    if (!code)
        code = tare__integer(line, "processes", 1, 1000, &s->processes);
    if (!code)
        code = tare__number(line, "time", 0.1, 1e6, &s->seconds);
    if (s->rounds < s->processes)
        s->processes = s->rounds;
    return code;
}

static int run_child(session *s, int process)
{
    int base = base_arm(s);
    if (base < 0)
        return TARE__USAGE;
    tare__schedule schedule = {.process = process,
                               .gemm_threads = s->specs.spec[base].setting.level[TARE__THREADS],
                               .rounds = (int)((s->rounds + s->processes - 1) / s->processes),
                               .order_seed = s->order_seed};
    int code = tare__number(s->line, "share", 0, 1e6, &schedule.seconds);
    if (s->seconds > 0)
        schedule.rounds = tare__given(s->line, "rounds") ? schedule.rounds : 1000000;
    return code ? code : tare__measure(s->line, &s->task, &s->specs, &schedule);
}

int tare__bench_run(const tare__line *line)
{
    session s = {.line = line, .begin_ns = tare__clock_ns()};
    s.progress = isatty(STDERR_FILENO) && !tare__given(line, "quiet");
    int64_t process = -1;
    int code = read_numbers(&s);
    if (!code)
        code = tare__task_read(line, &s.task);
    if (!code)
        code = tare__specs_read(line, &s.task, "all", &s.specs);
    if (!code)
        code = tare__integer(line, "child", 0, 1000, &process);
    if (!code)
        code = process >= 0 ? run_child(&s, (int)process) : run_all(&s);
    tare__results_free(&s.results);
    tare__facts_free(&s.facts);
    tare__specs_free(&s.specs);
    json_decref(s.run);
    return code;
}
