/* protocol.c - processes started, told and listened to (see protocol.h). */
#include "protocol.h"

#include <signal.h>
#include <stdlib.h>

/* ---- interrupts ----------------------------------------------------------------------------------------------*/

/* Without restarting, so that a read from the process at work comes back. */
void tare__interrupts_catch(void)
{
    tare__interrupt_catch(false);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* ---- a process -----------------------------------------------------------------------------------------------*/

/* `tare measure` and the common options of this line that have a value: those that say what there is to run. */
static char **measure_words(const tare__line *line)
{
    char **argv = tare__take((size_t)line->n_given + 3, sizeof *argv);
    int n = 0;
    argv[n++] = tare__copy_text("tare");
    argv[n++] = tare__copy_text("measure");
    for (int i = 0; i < line->n_given; ++i)
        for (const tare__option *option = tare__common_options; option->name; ++option)
            if (line->given[i].option == option && line->given[i].value)
                argv[n++] = tare__print("--%s=%s", option->name, line->given[i].value);
    return argv;
}

static int run_process(const tare__protocol *p, const tare__schedule *schedule, int padding_bytes,
                       tare__take_line *take, void *owner)
{
    char **argv = measure_words(p->line);
    int code =
        tare__process_run(p->line, argv, tare__wire_write(p->task, p->specs, schedule), padding_bytes, take, owner);
    for (int i = 0; argv[i]; ++i)
        free(argv[i]);
    free(argv);
    return code;
}

int tare__protocol_open(const tare__protocol *p, int arm, tare__take_line *take, void *owner)
{
    tare__schedule schedule = {.open = arm, .order_seed = p->order_seed, .rate_threads = p->rate_threads};
    return run_process(p, &schedule, tare__process_padding(p->order_seed, -1 - arm), take, owner);
}

int tare__protocol_time(const tare__protocol *p, int process, double spent, tare__take_line *take, void *owner)
{
    tare__schedule schedule = {.open = -1,
                               .process = process,
                               .rounds = tare__process_rounds(p->rounds, p->processes),
                               .order_seed = p->order_seed,
                               .rate_threads = p->rate_threads};
    if (p->seconds > 0)
        schedule.seconds = tare__process_seconds(p->seconds, spent, p->processes - process);
    return run_process(p, &schedule, tare__process_padding(p->order_seed, process), take, owner);
}
