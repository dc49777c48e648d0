/* lists.c - `tare nets`, `ops`, `doctor`: what there is, one a line, name first. */
#include <stdlib.h>

#include "../ops/ops.h"
#include "arm.h"
#include "commands.h"

static const char *const loss_names[] = {"ones", "L2", "softmax cross-entropy"};

static void print_row(bool json, json_t *row, const char *name, const char *rest)
{
    if (json) {
        json_dumpf(row, stdout, JSON_COMPACT);
        printf("\n");
    } else {
        printf("%-28s %s\n", name, rest);
    }
    json_decref(row);
}

static void print_net(const tare_net_type *type, bool json)
{
    char options[512] = "", rest[1024];
    size_t used = 0;
    for (int i = 0; i < type->n_options && used < sizeof options; ++i)
        used += (size_t)snprintf(options + used, sizeof options - used, "%s%s=%s", i ? "," : ":", type->options[i].name,
                                 type->options[i].normal);
    snprintf(rest, sizeof rest, "batch %-4lld bench %s, training %s: %s", (long long)type->default_batch,
             loss_names[type->bench_loss], loss_names[type->training_loss], type->doc);
    char name[640];
    snprintf(name, sizeof name, "%s%s", type->name, options);
    json_t *row = json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "name", type->name, "options", options, "batch",
                            (json_int_t)type->default_batch, "bench_loss", loss_names[type->bench_loss],
                            "training_loss", loss_names[type->training_loss], "doc", type->doc);
    print_row(json, row, name, rest);
}

static void print_op(const tare_op *op, bool json)
{
    json_t *row = json_pack("{s:s,s:i,s:i,s:i,s:s}", "name", op->name, "inputs", op->n_in, "outputs", op->n_out,
                            "variants", op->n_variants, "doc", op->doc);
    print_row(json, row, op->name, op->doc);
}

static int list(const tare__line *line, tare_kind kind)
{
    bool json = tare__given(line, "json");
    tare_runtime *rt = NULL;
    tare__plugins plugins;
    int code = tare__plugins_read(line, &plugins);
    tare_status status = code ? TARE_OK : tare__start(NULL, &plugins, &rt);
    if (status != TARE_OK)
        code = tare__status_usage(line, status);
    for (int i = 0; !code && i < rt->n_records[kind]; ++i) {
        if (kind == TARE_KIND_NET)
            print_net((const tare_net_type *)rt->record[kind][i], json);
        else
            print_op((const tare_op *)rt->record[kind][i], json);
    }
    (void)tare_runtime_free(rt);
    return code;
}

int tare__nets_run(const tare__line *line)
{
    return list(line, TARE_KIND_NET);
}

int tare__ops_run(const tare__line *line)
{
    return list(line, TARE_KIND_OPERATOR);
}

/* The machine, build and library records that would go with every result. */
int tare__doctor_run(const tare__line *line)
{
    json_t *all =
        json_pack("{s:o,s:o,s:o}", "machine", tare__machine(), "build", tare__build(), "libraries", tare__libraries());
    if (tare__given(line, "json")) {
        json_dumpf(all, stdout, JSON_COMPACT);
        printf("\n");
    }
    const char *group, *key;
    json_t *fields, *value;
    if (!tare__given(line, "json")) {
        json_object_foreach(all, group, fields) json_object_foreach(fields, key, value)
        {
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            printf("%-10s %-13s %s\n", group, key, json_is_string(value) ? json_string_value(value) : text);
            free(text);
        }
    }
    json_decref(all);
    return TARE__RAN;
}
