/* dataset.c - folders of samples (see dataset.h). */
#include "dataset.h"

#include <stdlib.h>
#include <unistd.h>

#include "../data/formats.h"

/* File names of the kinds of folder: training inputs and targets, test inputs and targets. */
static const struct {
    const char *file[4];
    float scale;
} kinds[] = {
    {{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
     1.0f / 255},
    {{"X_train.npy", "Y_train.npy", "X_test.npy", "Y_test.npy"}, 1},
};
enum { KINDS = (int)(sizeof kinds / sizeof *kinds) };

/* folder/file or folder/file.gz; NULL where neither is there. */
static char *find_file(const char *folder, const char *file)
{
    char *path = tare__print("%s/%s", folder, file);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    path = tare__print("%s/%s.gz", folder, file);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static tare_status read_array(tare__dataset *data, const char *folder, const char *file, tare_array *array)
{
    char *path = find_file(folder, file);
    if (!path)
        return tare_error(TARE_NOT_FOUND, "%s: %s is missing", folder, file);
    const tare_format *format = tare_format_of(path);
    tare_status status = format ? format->read(&data->memory, path, array) : TARE_NOT_FOUND;
    free(path);
    return status;
}

static tare_status read_samples(tare__dataset *data, const char *folder, int kind, int part, tare__samples *s)
{
    tare_status status = read_array(data, folder, kinds[kind].file[2 * part], &s->x);
    if (status == TARE_OK)
        status = read_array(data, folder, kinds[kind].file[2 * part + 1], &s->target);
    if (status != TARE_OK)
        return status;
    s->scale = kinds[kind].scale;
    s->n = s->x.rank ? s->x.dims[0] : 0;
    if (s->n < 1 || !s->target.rank || s->target.dims[0] != s->n)
        return tare_error(TARE_BAD_FILE, "%s: %s and %s differ in length, or are empty", folder,
                          kinds[kind].file[2 * part], kinds[kind].file[2 * part + 1]);
    return TARE_OK;
}

static int find_kind(const char *folder)
{
    for (int k = 0; k < KINDS; ++k) {
        char *path = find_file(folder, kinds[k].file[0]);
        free(path);
        if (path)
            return k;
    }
    return -1;
}

int tare__dataset_open(const tare__line *line, const char *folder, tare__dataset *data)
{
    *data = (tare__dataset){0};
    if (access(folder, F_OK) != 0)
        return tare__failed(line, "%s: there is no such folder", folder);
    int kind = find_kind(folder);
    if (kind < 0)
        return tare__failed(line, "%s: no data set here: neither %s nor %s", folder, kinds[0].file[0],
                            kinds[1].file[0]);
    tare_status status = read_samples(data, folder, kind, 0, &data->train);
    if (status == TARE_OK)
        status = read_samples(data, folder, kind, 1, &data->test);
    if (status == TARE_OK)
        return TARE__RAN;
    tare__dataset_close(data);
    return tare__status_failed(line, status);
}

void tare__dataset_close(tare__dataset *data)
{
    tare_array *const all[] = {&data->train.x, &data->train.target, &data->test.x, &data->test.target};
    for (int i = 0; i < 4; ++i)
        tare_array_fini(&data->memory, all[i]);
}

static tare_status samples_fit(const tare__samples *s, const tare_net *net, tare_loss loss)
{
    tare_desc x = tare_net_input(net, 1), target = tare_net_target(net, loss, 1);
    int64_t has = tare_array_row_count(&s->x), wants = tare_desc_count(&x);
    if (has != wants)
        return tare_error(TARE_BAD_SHAPE, "a sample has %lld numbers, and %s takes %lld", (long long)has,
                          net->type->name, (long long)wants);
    has = tare_array_row_count(&s->target);
    wants = tare_desc_count(&target);
    if (has != wants)
        return tare_error(TARE_BAD_SHAPE, "a target has %lld numbers, and the loss of %s takes %lld", (long long)has,
                          net->type->name, (long long)wants);
    bool labels = s->target.dtype != TARE_F32 && s->target.dtype != TARE_F64;
    if (labels != (target.dtype == TARE_I32))
        return tare_error(TARE_BAD_DTYPE, "the targets are %s, and the loss of %s takes %s",
                          tare_dtype_name(s->target.dtype), net->type->name, tare_dtype_name((tare_dtype)target.dtype));
    return TARE_OK;
}

tare_status tare__dataset_fits(const tare__dataset *data, const tare_net *net, tare_loss loss)
{
    tare_status status = samples_fit(&data->train, net, loss);
    return status == TARE_OK ? samples_fit(&data->test, net, loss) : status;
}

tare_status tare__samples_gather(const tare__samples *s, const tare_batch *batch, tare_loss loss, float *x,
                                 void *target)
{
    tare_status status = tare_gather_f32(&s->x, batch, s->scale, x);
    if (status != TARE_OK)
        return status;
    return loss == TARE_LOSS_SOFTMAX_CE ? tare_gather_i32(&s->target, batch, target)
                                        : tare_gather_f32(&s->target, batch, 1, target);
}

tare_status tare__samples_feed(const tare__samples *s, const tare_batch *batch, tare__arm *arm)
{
    float *x = tare__take((size_t)tare_desc_count(&arm->x->d), sizeof *x);
    void *target = tare__take(tare_desc_bytes(&arm->target->d), 1);
    tare_status status = tare__samples_gather(s, batch, arm->loss_kind, x, target);
    if (status == TARE_OK)
        status = tare__arm_feed(arm, x, target);
    free(x);
    free(target);
    return status;
}
