/* checkpoint.c - a training in a file, and back (see checkpoint.h).
 *
 * What the file says in words is made again of what is there and compared as text: a net, an optimizer, an order of
 * data are the same where they are written the same. */
#include "checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "named_private.h"

#define FORMAT "tare checkpoint"

bool tare_checkpoint_is(const tare_tensors *file)
{
    const char *format = tare_tensors_text(file, "format");
    return format && strcmp(format, FORMAT) == 0;
}

/* ---- values --------------------------------------------------------------------------------------------------*/

static void add(tare__named *list, int *n, tare_value *value, const char *name, const char *prefix)
{
    if (list && value) {
        list[*n] = (tare__named){.value = value, .name = name};
        (void)snprintf(list[*n].prefix, TARE__PREFIX, "%s", prefix);
    }
    *n += value != NULL;
}

/* All values of a checkpoint; list NULL: how many there are. */
static int values(const tare_checkpoint *c, tare__named *list)
{
    const tare_optimizer *o = c->optimizer;
    int n = tare__named_net(c->net, "", list);
    if (!o)
        return n;
    add(list, &n, o->learning_rate, "learning_rate", "optimizer.");
    add(list, &n, o->clip, "clip", "optimizer.");
    add(list, &n, o->step, "step", "optimizer.");
    for (int i = 0; i < c->net->n_parameters * o->type->n_states; ++i) {
        char prefix[TARE__PREFIX];
        (void)snprintf(prefix, sizeof prefix, "optimizer.state%d.", i % o->type->n_states);
        add(list, &n, o->state[i], c->net->parameter[i / o->type->n_states].name, prefix);
    }
    return n;
}

/* ---- words ---------------------------------------------------------------------------------------------------*/

/* What must be the same (the first SAME of them), then what is restored. */
enum {
    FILE_FORMAT,
    VERSION,
    SEED,
    OPTIMIZER,
    ROWS,
    BATCH,
    LAST,
    SHUFFLE,
    ORDER_SEED,
    SAME,
    EPOCH = SAME,
    POSITION,
    STEPS,
    NET,
    WORDS
};
enum { TEXT = 640 };

static const struct {
    const char *key;
    const char *what; /* for the sentence that refuses another */
} words[WORDS] = {
    [FILE_FORMAT] = {"format", "format"},
    [VERSION] = {"version", "version"},
    [SEED] = {"seed", "seed"},
    [OPTIMIZER] = {"optimizer", "optimizer"},
    [ROWS] = {"batches.rows", "number of training samples"},
    [BATCH] = {"batches.batch", "batch"},
    [LAST] = {"batches.last", "way with the last batch"},
    [SHUFFLE] = {"batches.shuffle", "choice to shuffle"},
    [ORDER_SEED] = {"batches.seed", "seed of the order"},
    [EPOCH] = {"batches.epoch", NULL},
    [POSITION] = {"batches.position", NULL},
    [STEPS] = {"optimizer.n_steps", NULL},
    [NET] = {"net", NULL},
};

typedef struct {
    char text[WORDS][TEXT]; /* "": does not apply */
} wording;

static void number(char *text, int64_t n)
{
    (void)snprintf(text, TEXT, "%" PRId64, n);
}

static void describe(const tare_checkpoint *c, wording *w)
{
    static const char *const last[] = {"keep", "drop", "roll over"};
    *w = (wording){{""}};
    (void)snprintf(w->text[FILE_FORMAT], TEXT, "%s", FORMAT);
    number(w->text[VERSION], TARE_CHECKPOINT_VERSION);
    (void)snprintf(w->text[NET], TEXT, "%s", c->net->label);
    (void)snprintf(w->text[SEED], TEXT, "%" PRIu64, c->net->seed);
    if (c->optimizer) {
        const tare_optimizer_type *type = c->optimizer->type;
        int used = snprintf(w->text[OPTIMIZER], TEXT, "%s:", type->name);
        (void)tare_attr_print(type->options, type->n_options, c->optimizer->options, w->text[OPTIMIZER] + used,
                              TEXT - (size_t)used);
        number(w->text[STEPS], c->optimizer->n_steps);
    }
    if (c->batches) {
        number(w->text[ROWS], c->batches->n_rows);
        number(w->text[BATCH], c->batches->batch_rows);
        (void)snprintf(w->text[LAST], TEXT, "%s", last[c->batches->last]);
        (void)snprintf(w->text[SHUFFLE], TEXT, "%s", c->batches->shuffle ? "true" : "false");
        (void)snprintf(w->text[ORDER_SEED], TEXT, "%" PRIu64, c->batches->seed);
        number(w->text[EPOCH], c->batches->epoch);
        number(w->text[POSITION], c->batches->position);
    }
}

static tare_status compare(const wording *w, const tare_tensors *file, const char *path)
{
    for (int i = 0; i < SAME; ++i) {
        const char *text = tare_tensors_text(file, words[i].key);
        if (*w->text[i] && strcmp(text ? text : "", w->text[i]) != 0)
            return tare_error(TARE_BAD_ARGUMENT, "%s: its %s is %.200s, not %.200s", path, words[i].what,
                              text ? text : "missing", w->text[i]);
    }
    return TARE_OK;
}

tare_status tare_checkpoint_integer(const tare_tensors *file, const char *key, const char *path, int64_t *out)
{
    const char *text = tare_tensors_text(file, key);
    char *end = NULL;
    errno = 0;
    long long value = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return tare_error(TARE_BAD_FILE, "%s: its metadata '%s' is %s, and no whole number", path, key,
                          text ? "something else" : "missing");
    *out = value;
    return TARE_OK;
}

/* ---- a file --------------------------------------------------------------------------------------------------*/

/* Both sets and the words as one set that owns nothing but its two lists. */
typedef struct {
    tare_tensors set;
    tare_memory *memory;
} joined;

static void join_fini(joined *j)
{
    tare_memory_give(j->memory, TARE_MEMORY_INPUT, j->set.tensor, (size_t)j->set.n * sizeof *j->set.tensor);
    tare_memory_give(j->memory, TARE_MEMORY_INPUT, j->set.metadata,
                     (size_t)j->set.n_metadata * sizeof *j->set.metadata);
}

static tare_status join(joined *j, const tare_tensors *taken, wording *w, const tare_tensors *own)
{
    tare_tensors *set = &j->set;
    int n = taken->n + own->n, n_words = 0;
    for (int i = 0; i < WORDS; ++i)
        n_words += *w->text[i] != 0;
    set->tensor = tare_memory_take_zeroed(j->memory, TARE_MEMORY_INPUT, (size_t)n, sizeof *set->tensor);
    set->n = set->tensor ? n : 0;
    n = n_words + own->n_metadata;
    set->metadata = tare_memory_take_zeroed(j->memory, TARE_MEMORY_INPUT, (size_t)n, sizeof *set->metadata);
    set->n_metadata = set->metadata ? n : 0;
    if (!set->tensor || !set->metadata)
        return TARE_NO_MEMORY;
    for (int i = 0; i < set->n; ++i)
        set->tensor[i] = i < taken->n ? taken->tensor[i] : own->tensor[i - taken->n];
    tare_metadata *pair = set->metadata;
    for (int i = 0; i < WORDS; ++i)
        if (*w->text[i])
            *pair++ = (tare_metadata){(char *)words[i].key, w->text[i]};
    for (int i = 0; i < own->n_metadata; ++i)
        *pair++ = own->metadata[i];
    return TARE_OK;
}

static tare_status take(const tare_checkpoint *c, tare_tensors *out)
{
    tare_memory *memory = &c->net->runtime->memory;
    size_t n = (size_t)values(c, NULL);
    tare__named *list = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, n, sizeof *list);
    if (!list)
        return TARE_NO_MEMORY;
    (void)values(c, list);
    tare_status status = tare__named_take(memory, list, (int)n, out);
    tare_memory_give(memory, TARE_MEMORY_RECORD, list, n * sizeof *list);
    return status;
}

tare_status tare_checkpoint_save(const tare_checkpoint *c, const tare_tensors *own, const char *path)
{
    static const tare_tensors none;
    joined j = {.memory = &c->net->runtime->memory};
    tare_tensors taken;
    wording w;
    tare_status status = take(c, &taken);
    if (status != TARE_OK)
        return status;
    describe(c, &w);
    status = join(&j, &taken, &w, own ? own : &none);
    if (status == TARE_OK)
        status = tare_safetensors_write(j.memory, path, &j.set);
    join_fini(&j);
    tare_safetensors_free(j.memory, &taken);
    return status;
}

/* The place in the order of the data: checked by going there; on failure it is as it was. */
static tare_status seek(const tare_checkpoint *c, const tare_tensors *file, const char *path)
{
    int64_t epoch = 0, position = 0;
    tare_status status = tare_checkpoint_integer(file, words[EPOCH].key, path, &epoch);
    if (status == TARE_OK)
        status = tare_checkpoint_integer(file, words[POSITION].key, path, &position);
    if (status == TARE_OK && tare_batches_seek(c->batches, epoch, position) != TARE_OK)
        status = tare_error(TARE_BAD_FILE, "%s: it has no batch %" PRId64 " of epoch %" PRId64, path, position, epoch);
    return status;
}

tare_status tare_checkpoint_restore(const tare_checkpoint *c, const tare_tensors *file, const char *path)
{
    tare_memory *memory = &c->net->runtime->memory;
    wording w;
    if (!tare_checkpoint_is(file))
        return tare_error(TARE_BAD_FILE, "%s: this is no checkpoint (its metadata have no format \"%s\")", path,
                          FORMAT);
    describe(c, &w);
    tare_status status = compare(&w, file, path);
    if (status != TARE_OK)
        return status;
    size_t n = (size_t)values(c, NULL);
    tare__named *list = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, n, sizeof *list);
    if (!list)
        return TARE_NO_MEMORY;
    (void)values(c, list);
    int64_t n_steps = 0;
    status = tare__named_check(list, (int)n, file, path);
    if (status == TARE_OK && c->optimizer)
        status = tare_checkpoint_integer(file, words[STEPS].key, path, &n_steps);
    if (status == TARE_OK && n_steps < 0)
        status = tare_error(TARE_BAD_FILE, "%s: a step count of %" PRId64, path, n_steps);
    if (status == TARE_OK && c->batches)
        status = seek(c, file, path);
    if (status == TARE_OK && c->optimizer)
        c->optimizer->n_steps = n_steps;
    if (status == TARE_OK)
        status = tare__named_put(list, (int)n, file);
    tare_memory_give(memory, TARE_MEMORY_RECORD, list, n * sizeof *list);
    return status;
}
