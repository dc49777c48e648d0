/* serve.c - `tare serve`: steps of one arm, whenever a line on standard input asks for some, for a harness that
 * interleaves tare with others (peers/beside.py). */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/version.h"
#include "../arm/request.h"
#include "../base/clock.h"
#include "../base/next_line.h"
#include "commands.h"

enum {
    STEPS = 2, /* the shortest answer: a first step alone says little */
    LONGEST = 3600
};

/* A line. Takes the object over, NULL where there was no memory for it. A standard output that takes nothing is told
 * where the command ends. */
static int say(const tare__line *line, json_t *object)
{
    bool said = object && json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(object);
    if (ferror(stdout))
        return TARE__FAILED;
    return said ? TARE__RAN : tare__failed(line, "no memory for an answer");
}

static int take_steps(const tare__line *line, tare__arm *a, double seconds)
{
    json_t *ms = json_array();
    tare_status status = TARE_OK;
    int64_t begin = tare__clock_ns(), now = begin;
    for (int n = 0; status == TARE_OK && (n < STEPS || (double)(now - begin) < seconds * 1e9); ++n) {
        int64_t before = tare__clock_ns();
        status = a->step(a);
        if (status == TARE_OK)
            status = tare_runtime_wait(a->rt);
        now = tare__clock_ns();
        if (json_array_append_new(ms, json_real((double)(now - before) * 1e-6)) != 0)
            status = status == TARE_OK ? tare_error(TARE_NO_MEMORY, "no memory for an answer") : status;
    }
    if (status == TARE_OK)
        return say(line, json_pack("{s:o}", "ms", ms));
    json_decref(ms);
    return tare__status_failed(line, status);
}

/* An exit code. */
static int read_seconds(const tare__line *line, const char *text, double *seconds)
{
    errno = 0;
    json_t *asked = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!asked && errno == ENOMEM)
        return tare__failed(line, "no memory for a line of standard input");
    *seconds = json_object_size(asked) == 1 ? json_number_value(json_object_get(asked, "seconds")) : 0;
    json_decref(asked);
    if (*seconds > 0 && *seconds <= LONGEST)
        return TARE__RAN;
    return tare__usage(line, "standard input: a line is {\"seconds\": S}, S above 0 and at most %d", LONGEST);
}

static int serve(const tare__line *line, tare__arm *a)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length = 0;
    json_t *version = json_sprintf("tare %s %s", tare_version(), a->name);
    int code = say(line, json_pack("{s:b,s:o,s:s,s:I}", "ready", 1, "version", version, "net", a->label, "batch",
                                   (json_int_t)a->batch));
    while (!code && (length = tare__next_line(stdin, &text, &room)) > 0) {
        double seconds = 0;
        code = read_seconds(line, text, &seconds);
        if (!code)
            code = take_steps(line, a, seconds);
    }
    if (length < 0)
        code = tare__failed(line, "standard input: %s", strerror(errno));
    free(text);
    return code;
}

int tare__serve_run(const tare__line *line)
{
    tare__task task;
    tare__setting setting;
    tare__arm arm = {0};
    int code = tare__task_read(line, &task);
    if (!code)
        code = tare__setting_read(line, &task, tare__text(line, "mode"), &setting);
    if (code)
        return code;
    tare_status status = tare__arm_open(&arm, &task, &setting, setting.rung->name);
    if (status == TARE_OK)
        status = tare__arm_prepare(&arm);
    code = status == TARE_OK ? serve(line, &arm) : tare__status_usage(line, status);
    tare__arm_close(&arm);
    return code;
}
