/* memory_record.c - what a step holds as lines of kind `memory`, and read back from them (see memory_report.h). */
#include <stdlib.h>
#include <string.h>

#include "memory_report.h"

static const char *const side_names[] = {"static", "imperative"};

static json_t *side_json(const tare__memory *m, int side)
{
    const tare__occupancy *o = side ? &m->imperative : &m->plan;
    json_t *uses = json_array(), *blocks = json_array();
    for (int u = 0; u < TARE__USE_COUNT; ++u)
        json_array_append_new(uses, json_string(tare__use_names[u]));
    for (int i = 0; i < o->n; ++i) {
        const tare__stay *s = &o->stay[i];
        json_array_append_new(blocks,
                              json_pack("[I,I,I,I,i,s,s]", (json_int_t)s->lower, (json_int_t)s->upper,
                                        (json_int_t)s->bytes, (json_int_t)s->offset, (int)s->use, s->what, s->path));
    }
    return json_pack("{s:s,s:s,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "side", side_names[side], "title", m->title,
                     "plan", tare__strategies_json(&m->bytes), "calls", (json_int_t)o->calls, "forward_calls",
                     (json_int_t)o->forward_calls, "derive_calls", (json_int_t)o->derive_calls, "height_bytes",
                     (json_int_t)o->height, "live_bytes", (json_int_t)o->peak, "peak_call", (json_int_t)o->peak_at,
                     "uses", uses, "blocks", blocks);
}

json_t *tare__memory_sides(const tare__memory *m)
{
    tare__journal_watch_json();
    json_t *sides = json_array();
    for (int s = 0; s < 2; ++s)
        json_array_append_new(sides, side_json(m, s));
    return sides;
}

int tare__memory_json(const tare__line *line, const char *path, const tare__memory *m, const tare__arm *a)
{
    tare__journal journal;
    int code = tare__journal_open(&journal, line, path);
    if (code)
        return code;
    json_t *run = tare__run_record(line, a->label, a->batch, a->setting.level[TARE__THREADS], (int64_t)a->task.seed, 0);
    json_object_set_new(run, "cell", json_integer(0));
    json_t *sides = tare__memory_sides(m);
    for (size_t s = 0; s < 2; ++s) {
        json_t *record = tare__record("memory", run, NULL, NULL, NULL);
        json_object_update(record, json_array_get(sides, s));
        tare__journal_put(&journal, record);
    }
    json_decref(sides);
    json_decref(run);
    return tare__journal_close(&journal);
}

/* A block of a line; the use by its name, so that the list may grow. */
static bool read_block(tare__occupancy *o, const json_t *uses, json_t *block)
{
    json_int_t lower, upper, bytes, offset, use;
    const char *what, *path;
    if (json_unpack(block, "[I,I,I,I,I,s,s]", &lower, &upper, &bytes, &offset, &use, &what, &path) != 0)
        return false;
    const char *name = use < 0 ? NULL : json_string_value(json_array_get(uses, (size_t)use));
    int known = 0;
    while (name && known < TARE__USE_COUNT && strcmp(tare__use_names[known], name) != 0)
        ++known;
    if (!name || known == TARE__USE_COUNT || lower < 0 || lower >= upper || bytes < 0 || offset < 0 ||
        bytes > INT64_MAX / 4 || offset > INT64_MAX / 4)
        return false;
    tare__occupancy_add(o, (tare__stay){.lower = lower,
                                        .upper = upper,
                                        .bytes = bytes,
                                        .offset = offset,
                                        .use = (tare__use)known,
                                        .what = (char *)what,
                                        .path = (char *)path});
    return true;
}

enum { MOST_CALLS = 1 << 26 };

bool tare__memory_read(tare__memory *m, const json_t *record)
{
    const char *side = tare__field_text(record, "side"), *title = tare__field_text(record, "title");
    int which = side && strcmp(side, side_names[1]) == 0;
    tare__occupancy *o = which ? &m->imperative : &m->plan, read = {0};
    read.calls = tare__field(record, "calls");
    read.forward_calls = tare__field(record, "forward_calls");
    read.derive_calls = tare__field(record, "derive_calls");
    read.height = tare__field(record, "height_bytes");
    const json_t *blocks = json_object_get(record, "blocks");
    bool fine =
        side && title && read.calls >= 0 && read.calls < MOST_CALLS && read.height >= 0 && json_is_array(blocks);
    for (size_t i = 0; fine && i < json_array_size(blocks); ++i)
        fine = read_block(&read, json_object_get(record, "uses"), json_array_get(blocks, i));
    if (!fine) {
        tare__occupancy_free(&read);
        return false;
    }
    tare__occupancy_sum(&read);
    tare__occupancy_free(o);
    *o = read;
    free(m->title);
    m->title = tare__copy_text(title);
    m->bytes = tare__strategies_read(json_object_get(record, "plan"));
    return true;
}
