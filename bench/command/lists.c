/* lists.c - `tare nets`, `optimizers`, `schedules`, `initialisers`: what there is, one a line, name first. */
#include <stdlib.h>
#include <string.h>

#include "../../ops/ops.h"
#include "../arm/arm.h"
#include "commands.h"

static const char *const loss_names[] = {"ones", "L2", "softmax cross-entropy"};

/* A plug-in's record may have no doc. */
static const char *doc_of(const char *doc)
{
    return doc ? doc : "";
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

/* "name:key=normal,..." into text, of a choice the first word; what follows the name is returned. */
static const char *with_options(char *text, size_t bytes, const char *name, const tare_attr *attr, int n)
{
    size_t used = (size_t)snprintf(text, bytes, "%s", name), begin = used < bytes ? used : 0;
    for (int i = 0; i < n && used < bytes; ++i)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s=%.*s", i ? "," : ":", attr[i].name,
                                 (int)strcspn(attr[i].normal, "|"), attr[i].normal);
    return text + begin;
}

static void print_net(const tare_net_type *type, bool json)
{
    char name[640], rest[1024];
    const char *options = with_options(name, sizeof name, type->name, type->options, type->n_options);
    snprintf(rest, sizeof rest, "batch %-4lld bench %s, training %s: %s", (long long)type->default_batch,
             loss_names[type->bench_loss], loss_names[type->training_loss], doc_of(type->doc));
    json_t *row = json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "name", type->name, "options", options, "batch",
                            (json_int_t)type->default_batch, "bench_loss", loss_names[type->bench_loss],
                            "training_loss", loss_names[type->training_loss], "doc", doc_of(type->doc));
    print_row(json, row, name, rest);
}

static void print_optimizer(const tare_optimizer_type *type, bool json)
{
    char name[640], rest[1024];
    const char *options = with_options(name, sizeof name, type->name, type->options, type->n_options);
    snprintf(rest, sizeof rest, "%s; %s", doc_of(type->doc), options);
    json_t *all = json_array();
    for (int i = 0; i < type->n_options; ++i)
        json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "name", type->options[i].name, "default",
                                             type->options[i].normal, "doc", type->options[i].doc));
    json_t *row = json_pack("{s:s,s:s,s:o}", "name", type->name, "doc", doc_of(type->doc), "options", all);
    print_row(json, row, type->name, rest);
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
            print_optimizer((const tare_optimizer_type *)rt->record[kind][i], json);
    }
    (void)tare_runtime_free(rt);
    return code;
}

int tare__nets_run(const tare__line *line)
{
    return list(line, TARE_KIND_NET);
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
