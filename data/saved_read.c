/* saved_read.c - a program from its two files, neither of which is trusted (see saved.h, docs/FORMAT.md).
 *
 * The structure is checked to the end before the weights are opened: every member of every object is there, has its
 * type and is known; counts need no limit, since each counted thing has its own text in the file. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/runtime.h"
#include "json_private.h"
#include "safetensors.h"
#include "saved.h"
#include "saved_private.h"

enum { STRUCTURE_BYTES_MOST = 100000000 };

/* PATH: WHERE: the sentence; bytes that would break a line are replaced. */
tare_status tare__saved_reject(const tare__saved_reading *r, const char *format, ...)
{
    char reason[384];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    for (char *c = reason; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    return tare_error(TARE_BAD_FILE, "%s: %s%s%s", r->path, r->where, *r->where ? ": " : "", reason);
}

void *tare__saved_take(const tare__saved_reading *r, size_t count, size_t size)
{
    void *block = tare_arena_take(&r->saved->arena, count * size + 1);
    return block ? memset(block, 0, count * size + 1) : NULL;
}

/* ---- members of an object ------------------------------------------------------------------------------------*/
static const char *type_name(json_type type)
{
    static const char *const name[] = {"an object", "a list", "text", "a whole number", "a number", "true or false"};
    return name[type];
}

tare_status tare__saved_members(const tare__saved_reading *r, const json_t *object, const tare__saved_member *table,
                                int n, json_t **found)
{
    size_t known = 0;
    if (!json_is_object(object))
        return tare__saved_reject(r, "this is no object");
    for (int i = 0; i < n; ++i) {
        found[i] = json_object_get(object, table[i].key);
        if (!found[i] && !table[i].optional)
            return tare__saved_reject(r, "'%s' is missing", table[i].key);
        if (!found[i])
            continue;
        ++known;
        json_type type = json_is_false(found[i]) ? JSON_TRUE : json_typeof(found[i]);
        if (type != table[i].type)
            return tare__saved_reject(r, "'%s' is not %s", table[i].key, type_name(table[i].type));
    }
    if (known == json_object_size(object))
        return TARE_OK;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        int i = 0;
        while (i < n && strcmp(table[i].key, key) != 0)
            ++i;
        if (i == n)
            return tare__saved_reject(r, "'%.60s' means nothing here", key);
    }
    return TARE_OK;
}

tare_status tare__saved_name(const tare__saved_reading *r, const json_t *text, const char *what, char **out)
{
    const char *name = json_string_value(text), *fault = tare__saved_name_fault(name);
    if (fault)
        return tare__saved_reject(r, "its %s %s", what, fault);
    *out = tare__saved_take(r, strlen(name) + 1, 1);
    if (!*out)
        return TARE_NO_MEMORY;
    memcpy(*out, name, strlen(name));
    return TARE_OK;
}

tare_status tare__saved_look(const tare__saved_reading *r, const json_t *dtype, const json_t *shape, tare_desc *out)
{
    int64_t dim[TARE_RANK] = {0};
    int d = 0, rank = (int)json_array_size(shape);
    while (d < TARE_DTYPE_COUNT && strcmp(tare_dtype_name((tare_dtype)d), json_string_value(dtype)) != 0)
        ++d;
    if (d == TARE_DTYPE_COUNT)
        return tare__saved_reject(r, "its dtype is unknown");
    if (json_array_size(shape) > TARE_RANK)
        return tare__saved_reject(r, "its shape has more than %d sizes", TARE_RANK);
    for (int i = 0; i < rank; ++i) {
        const json_t *size = json_array_get(shape, (size_t)i);
        dim[i] = json_integer_value(size);
        if (!json_is_integer(size) || dim[i] < 0)
            return tare__saved_reject(r, "its shape is no list of sizes");
    }
    *out = tare_desc_of((tare_dtype)d, 0, NULL);
    out->rank = (int8_t)rank;
    memcpy(out->dim, dim, sizeof dim);
    if (!tare__saved_fits(out))
        return tare__saved_reject(r, "its shape has more than 2^31 elements");
    tare_desc_pack(out);
    return TARE_OK;
}

tare_status tare__saved_look_object(const tare__saved_reading *r, const json_t *object, tare_desc *out)
{
    static const tare__saved_member table[] = {{"dtype", JSON_STRING, false}, {"shape", JSON_ARRAY, false}};
    json_t *found[2];
    tare_status status = tare__saved_members(r, object, table, 2, found);
    return status == TARE_OK ? tare__saved_look(r, found[0], found[1], out) : status;
}

/* ---- parameters and inputs -----------------------------------------------------------------------------------*/
static tare_status read_parameter(tare__saved_reading *r, const json_t *object, int32_t i)
{
    static const tare__saved_member table[] = {{"name", JSON_STRING, false},
                                               {"dtype", JSON_STRING, false},
                                               {"shape", JSON_ARRAY, false},
                                               {"gradient", JSON_TRUE, false}};
    json_t *found[4];
    (void)snprintf(r->where, sizeof r->where, "parameter %d", i);
    tare_status status = tare__saved_members(r, object, table, 4, found);
    if (status == TARE_OK)
        status = tare__saved_name(r, found[0], "name", &r->name[i]);
    if (status != TARE_OK)
        return status;
    r->wants[i] = json_is_true(found[3]);
    return tare__saved_look(r, found[1], found[2], &r->declared[i]);
}

static tare_status read_input(tare__saved_reading *r, const json_t *object, int32_t i)
{
    static const tare__saved_member table[] = {
        {"name", JSON_STRING, true}, {"dtype", JSON_STRING, false}, {"shape", JSON_ARRAY, false}};
    json_t *found[3];
    char *name = NULL;
    (void)snprintf(r->where, sizeof r->where, "input %d", i);
    tare_status status = tare__saved_members(r, object, table, 3, found);
    if (status == TARE_OK && found[0])
        status = tare__saved_name(r, found[0], "name", &name);
    if (status != TARE_OK)
        return status;
    r->saved->input_name[i] = name;
    return tare__saved_look(r, found[1], found[2], &r->saved->input[i]);
}

static tare_status read_declared(tare__saved_reading *r, const json_t *parameters, const json_t *inputs)
{
    tare_saved *s = r->saved;
    size_t n = json_array_size(parameters), n_inputs = json_array_size(inputs);
    r->declared = tare__saved_take(r, n, sizeof *r->declared);
    r->wants = tare__saved_take(r, n, sizeof *r->wants);
    r->name = tare__saved_take(r, n, sizeof *r->name);
    s->parameter = tare__saved_take(r, n, sizeof *s->parameter);
    s->input = tare__saved_take(r, n_inputs, sizeof *s->input);
    s->input_name = tare__saved_take(r, n_inputs, sizeof *s->input_name);
    if (!r->declared || !r->wants || !r->name || !s->parameter || !s->input || !s->input_name)
        return TARE_NO_MEMORY;
    s->n_parameters = (int32_t)n;
    s->n_inputs = (int32_t)n_inputs;
    tare_status status = TARE_OK;
    for (size_t i = 0; i < n && status == TARE_OK; ++i)
        status = read_parameter(r, json_array_get(parameters, i), (int32_t)i);
    for (size_t i = 0; i < n_inputs && status == TARE_OK; ++i)
        status = read_input(r, json_array_get(inputs, i), (int32_t)i);
    *r->where = 0;
    return status;
}

/* ---- the net -------------------------------------------------------------------------------------------------*/
/* What stands for the whole batch looks like one sample, with a dimension before. */
static bool is_batch_of(const tare_desc *all, const tare_desc *sample)
{
    bool is = all->rank == sample->rank + 1 && all->dtype == sample->dtype;
    for (int i = 0; is && i < sample->rank; ++i)
        is = all->dim[i + 1] == sample->dim[i];
    return is;
}

/* The look of a value of the program. */
static const tare_desc *look_of(const tare__saved_reading *r, const tare_saved_program *p, int32_t id)
{
    if (id < r->saved->n_parameters)
        return &r->declared[id];
    id -= r->saved->n_parameters;
    if (id < r->saved->n_inputs)
        return &r->saved->input[id];
    id -= r->saved->n_inputs;
    const tare_saved_node *n = p->node;
    for (; id >= n->n_out; ++n)
        id -= n->n_out;
    return &n->out[id];
}

static tare_status check_net(const tare__saved_reading *r, const tare_saved_net *net)
{
    const tare_saved *s = r->saved;
    if (net->default_batch < 1 || net->default_batch > TARE__SAVED_BATCH_MOST)
        return tare__saved_reject(r, "'default_batch' is %lld (need 1 to %d)", (long long)net->default_batch,
                                  TARE__SAVED_BATCH_MOST);
    if (s->n_inputs != 1 || s->program[0]->n_results != 1)
        return tare__saved_reject(r, "a net has one input and one result, not %d and %d", s->n_inputs,
                                  s->program[0]->n_results);
    if (!is_batch_of(&s->input[0], &net->input))
        return tare__saved_reject(r, "'input' is not one sample of the graph's input");
    for (int training = 0; training < 2; ++training)
        if (!is_batch_of(look_of(r, s->program[training], s->program[training]->result[0]), &net->output))
            return tare__saved_reject(r, "'output' is not one sample of the graph's result");
    return TARE_OK;
}

static tare_status read_net(tare__saved_reading *r, const json_t *object)
{
    static const tare__saved_member table[] = {
        {"label", JSON_STRING, false},         {"bench_loss", JSON_STRING, false},
        {"training_loss", JSON_STRING, false}, {"default_batch", JSON_INTEGER, false},
        {"input", JSON_OBJECT, false},         {"output", JSON_OBJECT, false},
        {"optimizer", JSON_STRING, true},      {"byte_divisor", JSON_INTEGER, true}};
    json_t *found[8];
    char *text[3] = {NULL}, *optimizer = NULL;
    tare_saved_net *net = r->saved->net = tare__saved_take(r, 1, sizeof *net);
    if (!net)
        return TARE_NO_MEMORY;
    (void)snprintf(r->where, sizeof r->where, "net");
    tare_status status = tare__saved_members(r, object, table, 8, found);
    for (int i = 0; i < 3 && status == TARE_OK; ++i)
        status = tare__saved_name(r, found[i], table[i].key, &text[i]);
    if (status == TARE_OK && found[6])
        status = tare__saved_name(r, found[6], table[6].key, &optimizer);
    if (status == TARE_OK)
        status = tare__saved_look_object(r, found[4], &net->input);
    if (status == TARE_OK)
        status = tare__saved_look_object(r, found[5], &net->output);
    if (status != TARE_OK)
        return status;
    net->label = text[0];
    net->bench_loss = text[1];
    net->training_loss = text[2];
    net->optimizer = optimizer;
    int64_t divisor = found[7] ? json_integer_value(found[7]) : 1;
    if (divisor < 1 || divisor > INT32_MAX)
        return tare__saved_reject(r, "'byte_divisor' is %lld (need 1 to %d)", (long long)divisor, INT32_MAX);
    net->byte_divisor = found[7] ? (int32_t)divisor : 0;
    net->default_batch = json_integer_value(found[3]);
    status = check_net(r, net);
    *r->where = 0;
    return status;
}

/* ---- the structure -------------------------------------------------------------------------------------------*/
static tare_status read_programs(tare__saved_reading *r, const json_t *programs)
{
    static const tare__saved_member table[] = {
        {"both", JSON_OBJECT, true}, {"training", JSON_OBJECT, true}, {"inference", JSON_OBJECT, true}};
    json_t *found[3];
    tare_saved *s = r->saved;
    (void)snprintf(r->where, sizeof r->where, "programs");
    tare_status status = tare__saved_members(r, programs, table, 3, found);
    if (status != TARE_OK)
        return status;
    if (found[0] ? found[1] || found[2] : !found[1] || !found[2])
        return tare__saved_reject(r, "need 'both', or 'training' and 'inference'");
    status = tare__saved_program(r, found[0] ? "both" : "training", found[0] ? found[0] : found[1], &s->program[1]);
    s->program[0] = s->program[1];
    if (status == TARE_OK && !found[0])
        status = tare__saved_program(r, "inference", found[2], &s->program[0]);
    if (status == TARE_OK && s->program[0]->n_results != s->program[1]->n_results)
        return tare__saved_reject(r, "training has %d results, and inference %d", s->program[1]->n_results,
                                  s->program[0]->n_results);
    return status;
}

static tare_status read_structure(tare__saved_reading *r, const json_t *root)
{
    static const tare__saved_member table[] = {{"format", JSON_STRING, false}, {"version", JSON_INTEGER, false},
                                               {"net", JSON_OBJECT, true},     {"parameters", JSON_ARRAY, false},
                                               {"inputs", JSON_ARRAY, false},  {"programs", JSON_OBJECT, false}};
    json_t *found[6];
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, TARE__SAVED_FORMAT) != 0)
        return tare__saved_reject(r, "this is no saved graph: 'format' is not \"%s\"", TARE__SAVED_FORMAT);
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) != TARE_SAVED_VERSION)
        return tare__saved_reject(r, "its version is not %d, the one that this release reads", TARE_SAVED_VERSION);
    tare_status status = tare__saved_members(r, root, table, 6, found);
    if (status == TARE_OK)
        status = read_declared(r, found[3], found[4]);
    if (status == TARE_OK)
        status = read_programs(r, found[5]);
    if (status == TARE_OK && found[2])
        status = read_net(r, found[2]);
    if (status != TARE_OK)
        return status;
    tare_saved *s = r->saved;
    int32_t most =
        s->program[0]->n_values > s->program[1]->n_values ? s->program[0]->n_values : s->program[1]->n_values;
    s->slot = tare__saved_take(r, (size_t)most, sizeof(tare_value *));
    return s->slot ? TARE_OK : TARE_NO_MEMORY;
}

static tare_status parse(tare__saved_reading *r, tare__reader *file, json_t **root)
{
    if (file->size < 0)
        return tare__saved_reject(r, "this is no plain file");
    if (file->size > STRUCTURE_BYTES_MOST)
        return tare__saved_reject(r, "%lld bytes are more than any graph has (need at most %d)", (long long)file->size,
                                  STRUCTURE_BYTES_MOST);
    json_error_t error;
    tare_status status = tare__json_get(file, (size_t)file->size, "the structure", root, &error);
    if (status == TARE_OK && !*root)
        status = tare__saved_reject(r, "line %d: no JSON: %s", error.line, error.text);
    return status;
}

/* ---- the weights ---------------------------------------------------------------------------------------------*/
static int by_name(const void *a, const void *b)
{
    return strcmp(((const tare_tensor *)a)->name, ((const tare_tensor *)b)->name);
}

static tare_status take_parameter(const tare__saved_reading *r, tare_tensors *set, int32_t i)
{
    tare_saved *s = r->saved;
    const tare_desc *d = &r->declared[i];
    const tare_tensor key = {.name = r->name[i]};
    tare_tensor *t = set->n ? bsearch(&key, set->tensor, (size_t)set->n, sizeof key, by_name) : NULL;
    if (!t)
        return tare__saved_reject(r, "the parameter '%s' is not there", key.name);
    if (!t->array.data)
        return tare__saved_reject(r, "two parameters of the graph are named '%s'", key.name);
    tare_desc is = tare_desc_of(t->array.dtype, t->array.rank, t->array.dims);
    char has[TARE_DESC_TEXT], wants[TARE_DESC_TEXT];
    if (is.dtype != d->dtype || !tare_desc_same_shape(&is, d))
        return tare__saved_reject(r, "'%s' is %s%s, and the graph has %s%s", key.name, tare_dtype_name(t->array.dtype),
                                  tare_desc_text(&is, has), tare_dtype_name((tare_dtype)d->dtype),
                                  tare_desc_text(d, wants));
    tare_value *v;
    tare_status status = tare_value_new(s->runtime, d, TARE_MEMORY_PARAMETER, &v);
    if (status != TARE_OK)
        return status;
    v->name = r->name[i];
    tare_value_want_gradient(v, r->wants[i]);
    s->parameter[i] = v;
    status = tare_value_write(v, t->array.data, t->array.bytes);
    tare_array_fini(&s->runtime->memory, &t->array); /* taken */
    return status;
}

/* r->path is the weights' from here on. */
static tare_status take_weights(tare__saved_reading *r, const char *path)
{
    tare_memory *memory = &r->saved->runtime->memory;
    tare_tensors set = {0};
    tare_status status = tare_safetensors_read(memory, path, &set);
    if (status != TARE_OK)
        return status;
    r->path = path;
    *r->where = 0;
    if (set.n)
        qsort(set.tensor, (size_t)set.n, sizeof *set.tensor, by_name);
    if (set.n != r->saved->n_parameters)
        status =
            tare__saved_reject(r, "it has %d arrays, and the graph has %d parameters", set.n, r->saved->n_parameters);
    for (int32_t i = 0; i < r->saved->n_parameters && status == TARE_OK; ++i)
        status = take_parameter(r, &set, i);
    tare_safetensors_free(memory, &set);
    return status;
}

static tare_status read_files(tare__saved_reading *r, const char *weights)
{
    tare__reader file;
    json_t *root = NULL;
    tare_status status = tare__reader_open(&file, &r->saved->runtime->memory, r->path);
    if (status != TARE_OK)
        return status;
    status = parse(r, &file, &root);
    tare__reader_close(&file);
    if (status == TARE_OK)
        status = read_structure(r, root);
    json_decref(root);
    return status == TARE_OK ? take_weights(r, weights) : status;
}

tare_status tare_saved_read(tare_runtime *rt, const char *path, tare_saved **out)
{
    tare_status status;
    char *weights = tare__saved_weights_path(&rt->memory, path, &status);
    if (!weights)
        return status;
    tare_saved *s = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *s);
    status = s ? TARE_OK : TARE_NO_MEMORY;
    if (s) {
        s->runtime = rt;
        s->arena.memory = &rt->memory;
        tare__saved_reading r = {.path = path, .saved = s};
        status = read_files(&r, weights);
    }
    tare_memory_give(&rt->memory, TARE_MEMORY_INPUT, weights, tare__saved_path_bytes(path));
    if (status == TARE_OK)
        *out = s;
    else
        tare_saved_free(s);
    return status;
}
