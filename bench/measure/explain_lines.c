/* explain_lines.c - parts and closures as fields of lines, for the command that writes them and the one that verifies
 * (see explain.h). */
#include <string.h>

#include "explain.h"

static const char *method_of(const tare__decomposition *d)
{
    return d->by_spans ? "spans" : "ladder";
}

json_t *tare__part_fields(const tare__decomposition *d, tare__part p)
{
    const tare__interval *part = &d->part[p];
    return json_pack(
        "{s:s,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:o}", "name", tare__part_texts[p].name, "ns", tare__real(part->mean),
        "share", tare__real(part->mean / d->step.mean), "ci95", tare__range(part->low, part->high), "method",
        method_of(d), "ladder_ns", tare__real(d->ladder[p].mean), "up_ns", tare__real(d->order[TARE__UP][p].mean),
        "down_ns", tare__real(d->order[TARE__DOWN][p].mean), "shapley_ns", tare__real(d->order[TARE__SHAPLEY][p].mean));
}

json_t *tare__closure_fields(const tare__decomposition *d)
{
    const struct {
        const char *name;
        double value;
    } figure[] = {{"residual", d->residual},
                  {"unattributed", d->unattributed},
                  {"limit", d->limit},
                  {"step_ns", d->step.mean},
                  {"floor_ns", d->floor.mean},
                  {"null_ns", d->null.mean},
                  {"probe_ns", d->probe_ns},
                  {"probes", d->probes},
                  {"bend", d->bend}};
    json_t *fields = json_pack("{s:b,s:o,s:s}", "pass", (int)d->closed, "cause",
                               d->closed ? json_null() : json_string(d->cause), "method", method_of(d));
    for (size_t i = 0; i < sizeof figure / sizeof *figure; ++i)
        json_object_set_new(fields, figure[i].name, tare__real(figure[i].value));
    return fields;
}

json_t *tare__explained_arms(const tare__explained *e, const char *(*name)(const void *, int), const void *owner)
{
    json_t *rungs = json_array(), *corners = json_array();
    for (int k = 0; k < e->n_steps; ++k)
        json_array_append_new(rungs,
                              json_pack("[s,s]", name(owner, e->rung[k]), tare__part_texts[e->step[k].part].name));
    for (int set = 0; e->carried && set < 1 << TARE__MECHANISMS_INSIDE; ++set)
        json_array_append_new(corners, json_string(name(owner, e->corner[set])));
    return json_pack("{s:o,s:s,s:o,s:o}", "null", e->null < 0 ? json_null() : json_string(name(owner, e->null)),
                     "traced", name(owner, e->traced), "rungs", rungs, "corners", corners);
}

/* -1: there is none of that name. */
static int part_named(const char *name)
{
    for (int p = 0; name && p < TARE__PART_COUNT; ++p)
        if (strcmp(tare__part_texts[p].name, name) == 0)
            return p;
    return -1;
}

bool tare__explained_of(const json_t *arms, int (*find)(const void *, const char *), const void *owner,
                        tare__explained *e)
{
    const char *null = json_string_value(json_object_get(arms, "null"));
    const json_t *rungs = json_object_get(arms, "rungs"), *corners = json_object_get(arms, "corners");
    e->null = null ? find(owner, null) : -1;
    e->traced = find(owner, json_string_value(json_object_get(arms, "traced")));
    e->n_steps = (int)json_array_size(rungs);
    e->carried = json_array_size(corners) == 1u << TARE__MECHANISMS_INSIDE;
    bool found = e->traced >= 0 && (!null || e->null >= 0) && e->n_steps <= TARE__LADDER_MOST;
    for (int k = 0; k < e->n_steps && found; ++k) {
        const json_t *step = json_array_get(rungs, (size_t)k);
        int part = part_named(json_string_value(json_array_get(step, 1)));
        e->rung[k] = find(owner, json_string_value(json_array_get(step, 0)));
        e->step[k].part = (tare__part)part;
        found = e->rung[k] >= 0 && part >= 0;
    }
    for (int set = 0; e->carried && found && set < 1 << TARE__MECHANISMS_INSIDE; ++set) {
        e->corner[set] = find(owner, json_string_value(json_array_get(corners, (size_t)set)));
        found = e->corner[set] >= 0;
    }
    return found;
}
