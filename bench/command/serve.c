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

static void say(json_t *object)
{
    (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(object);
}

static tare_status take_steps(tare__arm *a, double seconds)
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
        json_array_append_new(ms, json_real((double)(now - before) * 1e-6));
    }
    say(json_pack("{s:o}", "ms", ms));
    return status;
}

/* 0: the line asks for none. */
static double seconds_asked(const char *text)
{
    double seconds = 0;
    json_t *asked = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json_object_size(asked) == 1)
        seconds = json_number_value(json_object_get(asked, "seconds"));
    json_decref(asked);
    return seconds > 0 && seconds <= LONGEST ? seconds : 0;
}

static int serve(const tare__line *line, tare__arm *a)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length = 0;
    int code = TARE__RAN;
    say(json_pack("{s:b,s:o,s:s,s:I}", "ready", 1, "version", json_sprintf("tare %s %s", tare_version(), a->name),
                  "net", a->label, "batch", (json_int_t)a->batch));
    while (!code && (length = tare__next_line(stdin, &text, &room)) > 0) {
        double seconds = seconds_asked(text);
        if (seconds == 0)
            code = tare__usage(line, "standard input: a line is {\"seconds\": S}, S above 0 and at most %d", LONGEST);
        tare_status status = code ? TARE_OK : take_steps(a, seconds);
        if (status != TARE_OK)
            code = tare__status_failed(line, status);
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
