/* bench.c - `tare bench`: measures the cells of a grid one after the other, each a run of its own. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/grid.h"
#include "../measure/bench_run.h"
#include "../measure/records_csv.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    const tare__bench_kind *kind;
    tare__grid grid;
    tare__bench_run *run; /* the cells of this shard */
    int n_runs;
    tare__journal journal;
} session;

/* All cells are read, and their nets built once, before the first is measured: what is impossible is refused at once.
 */
static int read_cells(session *s)
{
    int code = TARE__RAN, n;
    int64_t *cell = tare__grid_cells(&s->grid, &n);
    s->run = tare__take((size_t)n + 1, sizeof *s->run);
    for (int i = 0; i < n && !code; ++i) {
        tare__bench_run *run = &s->run[s->n_runs++];
        run->cell = cell[i];
        run->kind = s->kind;
        tare__grid_line(&s->grid, cell[i], &run->line);
        code = tare__bench_run_read(run);
    }
    free(cell);
    if (!code && !s->n_runs)
        code = tare__usage(s->line, "no cell of the grid is left: %lld cells", (long long)s->grid.n_cells);
    return code;
}

/* ---- resuming ------------------------------------------------------------------------------------------------*/

/* A part goes on only under the command, build and machine that began it. */
static int check_origin(const session *s, json_t *record)
{
    static const char *const field[] = {"command", "commit", "build", "libraries", "machine"};
    json_t *run = s->run[0].run;
    for (size_t f = 0; f < sizeof field / sizeof *field; ++f)
        if (!json_equal(json_object_get(record, field[f]), json_object_get(run, field[f])))
            return tare__failed(s->line, "%s holds an interrupted run of another %s: run that one again, or remove it",
                                s->journal.part, field[f]);
    return TARE__RAN;
}

static tare__bench_run *run_of(session *s, json_t *record)
{
    json_t *cell = json_object_get(record, "cell");
    for (int i = 0; i < s->n_runs && json_is_integer(cell); ++i)
        if (s->run[i].cell == json_integer_value(cell))
            return &s->run[i];
    return NULL;
}

static int take_part(session *s, json_t *lines)
{
    size_t i;
    json_t *record;
    int code = TARE__RAN;
    json_array_foreach(lines, i, record)
    {
        tare__bench_run *run = run_of(s, record);
        code = check_origin(s, record);
        if (!code && !run)
            code = tare__failed(s->line, "%s: line %zu is no line of this run", s->journal.part, i + 1);
        if (code)
            return code;
        tare__bench_run_restore(run, record);
    }
    if (json_array_size(lines) && !tare__given(s->line, "quiet"))
        printf("going on with %s: %zu lines are there\n", s->journal.part, json_array_size(lines));
    return code;
}

/* ---- the command ---------------------------------------------------------------------------------------------*/

static int measure_cells(session *s)
{
    int worst = TARE__RAN;
    for (int i = 0; i < s->n_runs; ++i) {
        if (s->run[i].complete)
            continue;
        if (i)
            printf("\n");
        int code = tare__bench_run_measure(&s->run[i], &s->journal);
        if (code && code != TARE__UNTRUSTED)
            return code;
        worst = code ? code : worst;
    }
    return worst;
}

static int measure(session *s, const char *path)
{
    static const char *const ends[] = {"opening", "process", "run", NULL};
    json_t *lines;
    int code = tare__journal_resume(&s->journal, s->line, path, ends, &lines);
    if (!code)
        code = take_part(s, lines);
    json_decref(lines);
    if (!code)
        code = measure_cells(s);
    if (code && code != TARE__UNTRUSTED) {
        tare__journal_leave(&s->journal);
        return code;
    }
    int closed = tare__journal_close(&s->journal);
    return closed ? closed : code;
}

int tare__bench_grid(const tare__line *line, const tare__bench_kind *kind)
{
    session s = {.line = line, .kind = kind};
    const char *path = tare__text(line, "json"), *folder = tare__text(line, "csv");
    if (folder && !path)
        return tare__usage(line, "--csv is made from the file of --json, which is not given");
    int code = tare__grid_read(line, &s.grid);
    if (code)
        return code;
    code = read_cells(&s);
    tare__interrupts_catch();
    if (!code)
        code = measure(&s, path);
    if (folder && (!code || code == TARE__UNTRUSTED)) {
        int written = tare__csv_write(line, &path, 1, false, folder);
        code = written ? written : code;
    }
    for (int i = 0; i < s.n_runs; ++i)
        tare__bench_run_free(&s.run[i]);
    free(s.run);
    tare__grid_free(&s.grid);
    return code;
}

int tare__bench_command(const tare__line *line)
{
    return tare__bench_grid(line, &tare__bench_plain);
}
