/* lists.c - `tare nets`, `ops`, `optimizers`, `schedules`, `initialisers`, `doctor`: what there is, one a line, name
 * first. */
#include <stdlib.h>
#include <string.h>

#include "../ops/ops.h"
#include "arm.h"
#include "commands.h"

static const char *const loss_names[] = {"ones", "L2", "softmax cross-entropy"};

static tare_status start(tare_runtime **rt)
{
    tare_status status = tare_start(NULL, rt);
    if (status == TARE_OK)
        status = tare_nets_register(*rt);
    return status == TARE_OK ? tare_graph_register(*rt) : status;
}

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

/* ":lr=0.01,momentum=0.9": options with their defaults; of a choice the first word is it. */
static void print_options(const tare_attr *options, int n, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < n && used < bytes; ++i)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s=%.*s", i ? "," : ":", options[i].name,
                                 (int)strcspn(options[i].normal, "|"), options[i].normal);
}

static void print_net(const tare_net_type *type, bool json)
{
    char options[512], rest[1024];
    print_options(type->options, type->n_options, options, sizeof options);
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

static void print_optimizer(const tare_optimizer_type *type, bool json)
{
    char options[512], rest[1024];
    print_options(type->options, type->n_options, options, sizeof options);
    snprintf(rest, sizeof rest, "%s; %s", type->doc, options);
    json_t *list = json_array();
    for (int i = 0; i < type->n_options; ++i)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", type->options[i].name, "default",
                                              type->options[i].normal, "doc", type->options[i].doc));
    json_t *row = json_pack("{s:s,s:s,s:o}", "name", type->name, "doc", type->doc, "options", list);
    print_row(json, row, type->name, rest);
}

static int list(const tare__line *line, tare_kind kind)
{
    bool json = tare__given(line, "json");
    tare_runtime *rt = NULL;
    tare_status status = start(&rt);
    int code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    for (int i = 0; !code && i < rt->n_records[kind]; ++i) {
        if (kind == TARE_KIND_NET)
            print_net((const tare_net_type *)rt->record[kind][i], json);
        else if (kind == TARE_KIND_OPTIMIZER)
            print_optimizer((const tare_optimizer_type *)rt->record[kind][i], json);
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

int tare__optimizers_run(const tare__line *line)
{
    return list(line, TARE_KIND_OPTIMIZER);
}

/* A table of names and sentences. */
static int list_words(const tare__line *line, const tare_word *word, int n)
{
    for (int i = 0; i < n; ++i)
        print_row(tare__given(line, "json"), json_pack("{s:s,s:s}", "name", word[i].name, "doc", word[i].doc),
                  word[i].name, word[i].doc);
    return TARE__RAN;
}

int tare__schedules_run(const tare__line *line)
{
    return list_words(line, tare_schedules, tare_n_schedules);
}

int tare__initialisers_run(const tare__line *line)
{
    return list_words(line, tare_initialisers, tare_n_initialisers);
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
