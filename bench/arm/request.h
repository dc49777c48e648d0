/* request.h - what a command line asks for: the task (net, batch, work) and the arms (rungs with flips).
 *
 * Shared by all subcommands that run a net, so that a net, a rung or a flip is refused in the same words everywhere. */
#ifndef TARE_BENCH_REQUEST_H
#define TARE_BENCH_REQUEST_H

#include "arm.h"

/* Options for the command tables. */
#define TARE__TASK_OPTIONS                                                                                             \
    {"batch", "N", NULL, "samples a step (the net's own number where not given)"}, TARE__PLUGIN_OPTION,                \
    {                                                                                                                  \
        "optimizer", "OPTIMIZER", NULL, "with the update: adam, sgd:momentum=0.9,... (tare optimizers)"                \
    }
#define TARE__ARM_OPTIONS                                                                                              \
    {"modes", "A,B,...", "all", "rungs to run"}, {"factor", "F=L,...", NULL, "flips that apply to all arms"},          \
        {"threads", "T,...", NULL, "the factor threads; with several, each rung at each of them"},                     \
        {"kernels", "K", NULL, "the factor kernels"},                                                                  \
    {                                                                                                                  \
        "device", "D", NULL, "the factor device"                                                                       \
    }
/* Of a command that runs one arm. */
#define TARE__SETTING_OPTIONS(rung)                                                                                    \
    {"mode", "RUNG", rung, "how a step runs"}, {"factor", "F=L,...", NULL, "flips"},                                   \
        {"threads", "T", NULL, "the factor threads"}, {"kernels", "K", NULL, "the factor kernels"},                    \
    {                                                                                                                  \
        "device", "D", NULL, "the factor device"                                                                       \
    }

typedef struct {
    char *name; /* unique among the arms */
    tare__setting setting;
    bool spans; /* its steps are traced, and its blocks say what its parts took (spans.h) */
} tare__spec;

typedef struct {
    tare__spec *spec;
    int n;
} tare__specs;

/* The net of the first word, batch, work, optimizer, seed. An exit code. */
int tare__task_read(const tare__line *, tare__task *);
/* Reads the task and opens an arm of the rung `step` on it, not yet prepared: what a net's plan or program is shown of.
 * An exit code; 0: the caller closes the arm. */
int tare__step_arm_open(const tare__line *, const char *name, tare__task *, tare__arm *);
/* The arms of --modes, --arm, --factor and their aliases; modes: used where --modes is not given and no --arm is. `all`
 * leaves out, with a line on stdout, what a net from a file has not got: layer objects. With
 * several --threads T,U,... all arms at T, then again at U as NAME@U. An exit code. */
int tare__specs_read(const tare__line *, const tare__task *, const char *modes, tare__specs *);
/* One more arm, of a name that is unique; its number. */
int tare__specs_add(tare__specs *, const char *name, const tare__setting *);
void tare__specs_free(tare__specs *);
/* One setting: a rung's name, with --factor and its aliases applied. An exit code. */
int tare__setting_read(const tare__line *, const tare__task *, const char *rung, tare__setting *);
/* Why a flip that the rung has does nothing for this task; NULL: it does something. */
const char *tare__setting_idle(const tare__task *, const tare__setting *);
/* Whether a setting reaches layers through their objects, and the net has none. */
bool tare__setting_needs_objects(const tare__task *, const tare__setting *);
/* That of the floor, the rung kernels, with those flips that mean something on it; of several --threads the first. */
int tare__floor_read(const tare__line *, const tare__task *, tare__setting *);

#endif
