/* training_checkpoint.c - a training's own state in a checkpoint: sums, bests, and what was asked for. */
#include <stdlib.h>
#include <string.h>

#include "training_private.h"

/* Numbers in the metadata, as text that reads back to the same bits. */
typedef struct {
    const char *key;
    size_t offset;
    bool real;
} entry;

static const entry entries[] = {
    {"training.epochs", offsetof(tare__training, epochs), false},
    {"training.patience", offsetof(tare__training, patience), false},
    {"training.loss_sum", offsetof(tare__training, loss_sum), true},
    {"training.time_ns", offsetof(tare__training, time_ns), false},
    {"training.cpu_ns", offsetof(tare__training, cpu_ns), false},
    {"training.best_loss", offsetof(tare__training, best_loss), true},
    {"training.best_epoch", offsetof(tare__training, best_epoch), false},
    {"training.worse", offsetof(tare__training, worse), false},
};
/* The first two are wishes: a resumed training may have others. */
enum { ENTRIES = sizeof entries / sizeof *entries, WISHES = 2, TEXT = 32 };

tare_status tare__training_save(const tare__training *t)
{
    char text[ENTRIES][TEXT];
    tare_metadata metadata[ENTRIES + 1];
    int n = 0;
    for (int i = 0; i < ENTRIES; ++i) {
        const char *field = (const char *)t + entries[i].offset;
        if (entries[i].real)
            snprintf(text[i], TEXT, "%.17g", *(const double *)(const void *)field);
        else
            snprintf(text[i], TEXT, "%lld", (long long)*(const int64_t *)(const void *)field);
        metadata[n++] = (tare_metadata){(char *)entries[i].key, text[i]};
    }
    if (t->validation)
        metadata[n++] = (tare_metadata){(char *)"training.validation", (char *)t->validation};
    const tare_tensors own = {t->best.tensor, t->best.n, metadata, n};
    const tare_checkpoint all = {t->arm->net, t->arm->optimizer, (tare_batches *)&t->batches};
    return tare_checkpoint_save(&all, &own, t->checkpoint);
}

static tare_status read_real(const tare_tensors *file, const char *key, const char *path, double *out)
{
    const char *text = tare_tensors_text(file, key);
    char *end = NULL;
    *out = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end)
        return tare_error(TARE_BAD_FILE, "%s: its metadata '%s' is no number", path, key);
    return TARE_OK;
}

/* The best epoch's weights through the net, which checks them; then the net's own again, from the same file. */
static tare_status read_best(tare__training *t, const tare_tensors *file, const char *path)
{
    tare_status status = tare_weights_put(t->arm->net, TARE__BEST, file, path);
    if (status == TARE_OK)
        status = tare_weights_take(t->arm->net, TARE__BEST, &t->best);
    return status == TARE_OK ? tare_weights_put(t->arm->net, "", file, path) : status;
}

tare_status tare__training_restore(tare__training *t, const tare_tensors *file, const char *path)
{
    const tare_checkpoint all = {t->arm->net, t->arm->optimizer, &t->batches};
    tare_status status = tare_checkpoint_restore(&all, file, path);
    for (int i = WISHES; i < ENTRIES && status == TARE_OK; ++i) {
        char *field = (char *)t + entries[i].offset;
        if (entries[i].real)
            status = read_real(file, entries[i].key, path, (double *)(void *)field);
        else
            status = tare_checkpoint_integer(file, entries[i].key, path, (int64_t *)(void *)field);
    }
    if (status == TARE_OK && t->best_epoch)
        status = read_best(t, file, path);
    return status;
}
