/* agree.c - `tare agree`: every rung from the same seed, the same bytes; a line a rung; exit 1 on a bit that differs.
 */
#include <stdlib.h>
#include <string.h>

#include "../arm/digest.h"
#include "../arm/facts.h"
#include "../arm/input.h"
#include "../arm/request.h"
#include "../arm/samples.h"
#include "../base/table.h"
#include "commands.h"

typedef struct {
    tare__digest digest;
    uint64_t calls;
    int n_calls;
    tare_counts counts;
    char *label;
    int64_t batch;
} finding;

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__specs specs;
    tare__samples data;
    bool has_data;
    int64_t steps;
    finding *found; /* [specs.n] */
} session;

/* Step s takes batch s of the training set in its own order, from the start again after the end. */
static tare_status feed(void *owner, tare__arm *arm, int step)
{
    session *s = owner;
    const tare_dataset_part *train = &s->data.train;
    int64_t n = train->x.dims[0], n_batches = n / arm->batch;
    if (n_batches < 1)
        return tare_error(TARE_BAD_ARGUMENT, "a batch of %lld is more than the %lld training samples",
                          (long long)arm->batch, (long long)n);
    tare_status status = step == 0 ? tare__samples_fit(&s->data, arm->net, arm->loss_kind) : TARE_OK;
    tare_batch batch = {.count = arm->batch, .first = step % n_batches * arm->batch};
    return status == TARE_OK ? tare__samples_feed(&s->data, train, &batch, arm) : status;
}

static tare_status look(session *s, const tare__setting *setting, finding *f)
{
    tare_status status = tare__digest_run(&s->task, setting, (int)s->steps, s->has_data ? feed : NULL, s, &f->digest);
    tare__arm arm;
    if (status == TARE_OK)
        status = tare__arm_open(&arm, &s->task, setting, setting->rung->name);
    if (status != TARE_OK)
        return status;
    f->label = tare__copy_text(arm.net->label);
    f->batch = arm.batch;
    status = tare__arm_prepare(&arm);
    if (status == TARE_OK)
        status = tare__arm_count(&arm, &f->counts);
    if (status == TARE_OK)
        status = tare__calls_digest(&arm, &f->calls, &f->n_calls);
    tare__arm_close(&arm);
    return status;
}

/* The first arm that must have the bits of arm i. */
static const finding *first_of(const session *s, int i)
{
    int k = 0;
    while (s->specs.spec[0].setting.level[TARE__KERNELS] == TARE_KERNELS_ADDED && k < i &&
           !tare__setting_same_bits(&s->specs.spec[k].setting, &s->specs.spec[i].setting))
        ++k;
    return &s->found[k];
}

static const char *verdict(const session *s, int i, const char **what)
{
    const finding *f = &s->found[i], *first = first_of(s, i);
    *what = NULL;
    if (*f->digest.suspect)
        return "suspect";
    if (!tare__digest_equal(&f->digest, &first->digest, what))
        return "differs";
    if (f->calls != first->calls)
        *what = "other kernel calls";
    return "agrees";
}

static void print_table(const session *s)
{
    static const char *head[] = {"<rung",         "<loss", "<outputs", "<gradients", "<parameters", "<state",
                                 "<kernel calls", "calls", "infers",   "takes",      "tape",        "<verdict"};
    tare__table t;
    tare__table_init(&t, head, 12);
    for (int i = 0; i < s->specs.n; ++i) {
        const finding *f = &s->found[i];
        const tare__hash calls = {.hash = f->calls},
                         *hash[] = {&f->digest.loss,       &f->digest.outputs, &f->digest.gradients,
                                    &f->digest.parameters, &f->digest.state,   &calls};
        char text[17];
        const char *what;
        tare__table_put(&t, "%s", s->specs.spec[i].name);
        for (int h = 0; h < 6; ++h)
            tare__table_put(&t, "%s", tare__hash_text(hash[h], text));
        tare__table_put(&t, "%lld", (long long)f->counts.kernel_calls);
        tare__table_put(&t, "%lld", (long long)f->counts.infers);
        tare__table_put(&t, "%lld", (long long)f->counts.storage_takes);
        tare__table_put(&t, "%lld", (long long)f->counts.tape_nodes);
        const char *word = verdict(s, i, &what);
        tare__table_put(&t, "%s%s%s", word, what ? ": " : "", what ? what : "");
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

static int write_records(const session *s)
{
    tare__journal journal;
    int code = tare__journal_open(&journal, s->line, tare__text(s->line, "json"));
    if (code)
        return code;
    json_t *run = tare__run_record(s->line, s->found[0].label, s->found[0].batch,
                                   s->specs.spec[0].setting.level[TARE__THREADS], (int64_t)s->task.seed, 0);
    for (int i = 0; i < s->specs.n; ++i) {
        const finding *f = &s->found[i];
        json_t *factors = tare__setting_json(&s->specs.spec[i].setting);
        json_t *record =
            tare__record("agree", run, s->specs.spec[i].name, s->specs.spec[i].setting.rung->name, factors);
        json_decref(factors);
        char text[17];
        const char *what, *word = verdict(s, i, &what);
        json_object_set_new(record, "optimizer", json_string(s->task.optimizer));
        json_object_set_new(record, "steps", json_integer(s->steps));
        json_object_set_new(record, "digest", tare__digest_json(&f->digest));
        json_object_set_new(record, "calls_digest",
                            json_string(tare__hash_text(&(tare__hash){.hash = f->calls}, text)));
        json_object_set_new(record, "kernel_calls", json_integer(f->counts.kernel_calls));
        json_object_set_new(record, "verdict", json_string(word));
        json_object_set_new(record, "what",
                            *f->digest.suspect ? json_string(f->digest.suspect)
                            : what             ? json_string(what)
                                               : json_null());
        tare__journal_put(&journal, record);
    }
    json_decref(run);
    return tare__journal_close(&journal);
}

/* The first arm that is not as it should be, as the command's error. */
static int judge(const session *s)
{
    for (int i = 0; i < s->specs.n; ++i) {
        const char *what, *word = verdict(s, i, &what), *name = s->specs.spec[i].name;
        const char *first = s->specs.spec[first_of(s, i) - s->found].name;
        if (*s->found[i].digest.suspect)
            return tare__failed(s->line, "%s: %s", name, s->found[i].digest.suspect);
        if (strcmp(word, "agrees") != 0)
            return tare__failed(s->line, "%s differs from %s in %s", name, first, what);
    }
    if (s->specs.n == 1)
        printf("one rung: there is nothing to compare it with.\n");
    else if (tare__setting_same_bits(&s->specs.spec[0].setting, &s->specs.spec[s->specs.n - 1].setting))
        printf("%d rungs agree bit for bit.\n", s->specs.n);
    else
        printf("%d rungs agree bit for bit, those of each number of threads (of which oneDNN's bits depend).\n",
               s->specs.n);
    return TARE__RAN;
}

static int run(session *s)
{
    s->found = tare__take((size_t)s->specs.n, sizeof *s->found);
    for (int i = 0; i < s->specs.n; ++i) {
        tare_status status = look(s, &s->specs.spec[i].setting, &s->found[i]);
        if (status != TARE_OK)
            return i ? tare__status_failed(s->line, status) : tare__status_usage(s->line, status);
    }
    printf("%s, batch %lld, %lld steps of training with %s from seed %llu%s\n\n", s->found[0].label,
           (long long)s->found[0].batch, (long long)s->steps, s->task.optimizer, (unsigned long long)s->task.seed,
           s->has_data ? ", on real batches" : "");
    print_table(s);
    printf("\n");
    int code = write_records(s);
    int verdicts = judge(s);
    return code ? code : verdicts;
}

int tare__agree_run(const tare__line *line)
{
    session s = {.line = line, .steps = 3};
    int code = tare__task_read(line, &s.task);
    s.task.training_loss = true;
    if (!code)
        code = tare__integer(line, "steps", 1, 1000000, &s.steps);
    if (!code)
        code = tare__specs_read(line, &s.task, "all", &s.specs);
    if (!code && s.specs.spec[0].setting.level[TARE__KERNELS] == TARE_KERNELS_NULL)
        code = tare__usage(line, "kernels=null computes nothing that could agree");
    tare__shared_order shared = {0};
    s.task.shared = &shared;
    for (int i = 0; i < s.specs.n && !code && tare__given(line, "data"); ++i)
        if (s.specs.spec[i].setting.level[TARE__INPUT] != TARE__INPUT_RESIDENT ||
            s.specs.spec[i].setting.level[TARE__LOOP] == TARE__LOOP_FIT)
            code = tare__usage(line, "--data feeds the arms itself: it takes input=resident and no loop=fit");
    if (!code && tare__given(line, "data")) {
        code = tare__samples_open(line, tare__text(line, "data"), TARE_DATASET_TRAIN, &s.data);
        s.has_data = !code;
    }
    if (!code)
        code = run(&s);
    for (int i = 0; s.found && i < s.specs.n; ++i)
        free(s.found[i].label);
    free(s.found);
    if (s.has_data)
        tare__samples_close(&s.data);
    tare__shared_order_fini(&shared);
    tare__specs_free(&s.specs);
    return code;
}
