/* lists.c - `tare nets`, `ops`: what there is, one a line, name first. */
#include <stdlib.h>

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
    tare_status status = start(&rt);
    int code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
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
