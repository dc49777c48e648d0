/* safetensors.c - named arrays in one file, read (see safetensors.h).
 *
 * Every number of the header is checked against the file's real size before anything is taken for it. */
#include <stdlib.h>
#include <string.h>

#include "json_private.h"
#include "safetensors_private.h"

/* More than any header of sense; the format's own implementation has the same limit. */
enum { HEADER_BYTES_MAX = 100000000, PREFIX_BYTES = 8 };

const tare__safetensors_dtype tare__safetensors_dtypes[TARE__SAFETENSORS_DTYPES] = {
    {"F32", TARE_F32}, {"F64", TARE_F64}, {"I32", TARE_I32}, {"I64", TARE_I64}, {"U8", TARE_U8}};

/* A text of the set's own; NULL: no memory. */
static char *keep_text(tare_memory *memory, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = tare_memory_take(memory, TARE_MEMORY_INPUT, bytes);
    return kept ? memcpy(kept, text, bytes) : NULL;
}

static void give_text(tare_memory *memory, char *text)
{
    if (text)
        tare_memory_give(memory, TARE_MEMORY_INPUT, text, strlen(text) + 1);
}

void tare_safetensors_free(tare_memory *memory, tare_tensors *set)
{
    for (int i = 0; i < set->n; ++i) {
        tare_array_fini(memory, &set->tensor[i].array);
        give_text(memory, set->tensor[i].name);
    }
    for (int i = 0; i < set->n_metadata; ++i) {
        give_text(memory, set->metadata[i].key);
        give_text(memory, set->metadata[i].text);
    }
    tare_memory_give(memory, TARE_MEMORY_INPUT, set->tensor, (size_t)set->n * sizeof *set->tensor);
    tare_memory_give(memory, TARE_MEMORY_INPUT, set->metadata, (size_t)set->n_metadata * sizeof *set->metadata);
    *set = (tare_tensors){0};
}

const tare_array *tare_tensors_find(const tare_tensors *set, const char *name)
{
    for (int i = 0; i < set->n; ++i)
        if (strcmp(set->tensor[i].name, name) == 0)
            return &set->tensor[i].array;
    return NULL;
}

const char *tare_tensors_text(const tare_tensors *set, const char *key)
{
    for (int i = 0; i < set->n_metadata; ++i)
        if (strcmp(set->metadata[i].key, key) == 0)
            return set->metadata[i].text;
    return NULL;
}

/* ---- reading -------------------------------------------------------------------------------------------------*/

/* What the header says of one array. */
typedef struct {
    const char *name; /* borrowed from the header */
    tare_dtype dtype;
    int rank;
    int64_t dims[TARE_ARRAY_RANK_MAX];
    size_t bytes;
    int64_t begin, end;
} entry;

typedef struct {
    tare__reader reader;
    json_t *header;
    int64_t header_bytes, data_bytes;
    entry *entry;
    int n;
} parse;

static tare_status reject(const parse *p, const char *name, const char *reason)
{
    char printable[64];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof printable; ++n)
        printable[n] = name[n] >= ' ' && name[n] < 127 ? name[n] : '?';
    printable[n] = 0;
    return tare__reader_reject(&p->reader, PREFIX_BYTES, "array '%s': %s", printable, reason);
}

static tare_status read_header(parse *p)
{
    unsigned char prefix[PREFIX_BYTES];
    tare_status status = tare__reader_get(&p->reader, prefix, sizeof prefix, "the length of the header");
    if (status != TARE_OK)
        return status;
    uint64_t length;
    memcpy(&length, prefix, sizeof length);
    int64_t rest = p->reader.size - PREFIX_BYTES;
    if (p->reader.size < 0)
        return tare__reader_reject(&p->reader, 0, "not a plain file: its arrays must be where the header says");
    if (length > HEADER_BYTES_MAX || (int64_t)length > rest)
        return tare__reader_reject(&p->reader, 0, "the header would have %llu bytes, and %lld follow",
                                   (unsigned long long)length, (long long)rest);
    p->header_bytes = (int64_t)length;
    p->data_bytes = rest - p->header_bytes;
    json_error_t error;
    status = tare__json_get(&p->reader, length, "the header", &p->header, &error);
    if (status == TARE_OK && !json_is_object(p->header))
        status = tare__reader_reject(&p->reader, PREFIX_BYTES + (p->header ? 0 : error.position),
                                     "the header is no JSON object");
    return status;
}

/* A whole number >= 0; false otherwise. */
static bool get_size(const json_t *value, int64_t *out)
{
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0;
}

static tare_status read_shape(const parse *p, entry *e, const json_t *shape)
{
    if (!json_is_array(shape) || json_array_size(shape) > TARE_ARRAY_RANK_MAX)
        return reject(p, e->name, "its shape is no list of at most 6 sizes");
    e->rank = (int)json_array_size(shape);
    for (int i = 0; i < e->rank; ++i)
        if (!get_size(json_array_get(shape, (size_t)i), &e->dims[i]))
            return reject(p, e->name, "its shape is no list of at most 6 sizes");
    if (tare_array_measure(e->dtype, e->rank, e->dims, &e->bytes) != TARE_OK)
        return reject(p, e->name, "its shape has more bytes than memory can address");
    return TARE_OK;
}

static tare_status read_entry(const parse *p, entry *e, const json_t *value)
{
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    int d = 0;
    while (d < TARE__SAFETENSORS_DTYPES && (!dtype || strcmp(tare__safetensors_dtypes[d].name, dtype) != 0))
        ++d;
    if (d == TARE__SAFETENSORS_DTYPES)
        return reject(p, e->name, "its dtype is none of F32, F64, I32, I64, U8");
    e->dtype = tare__safetensors_dtypes[d].dtype;
    tare_status status = read_shape(p, e, json_object_get(value, "shape"));
    if (status != TARE_OK)
        return status;
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &e->begin) ||
        !get_size(json_array_get(offsets, 1), &e->end) || e->begin > e->end || e->end > p->data_bytes)
        return reject(p, e->name, "its data_offsets do not lie in the file");
    if ((uint64_t)(e->end - e->begin) != e->bytes)
        return reject(p, e->name, "its data_offsets do not fit its shape");
    return TARE_OK;
}

static int by_offset(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* All entries, in the order of their bytes, which must follow one another without a hole to the end of the file. */
static tare_status read_entries(parse *p)
{
    const char *name;
    json_t *value;
    tare_status status = TARE_OK;
    json_object_foreach(p->header, name, value)
    {
        if (strcmp(name, TARE__METADATA) == 0 || status != TARE_OK)
            continue;
        p->entry[p->n] = (entry){.name = name};
        status = read_entry(p, &p->entry[p->n++], value);
    }
    if (status != TARE_OK)
        return status;
    qsort(p->entry, (size_t)p->n, sizeof *p->entry, by_offset);
    int64_t end = 0;
    for (int i = 0; i < p->n; ++i) {
        if (p->entry[i].begin != end)
            return reject(p, p->entry[i].name, "its bytes do not begin where those before it end");
        end = p->entry[i].end;
    }
    if (end != p->data_bytes)
        return tare__reader_reject(&p->reader, PREFIX_BYTES + p->header_bytes + end,
                                   "%lld bytes follow that belong to no array", (long long)(p->data_bytes - end));
    return TARE_OK;
}

static tare_status read_arrays(parse *p, tare_tensors *set)
{
    tare_memory *memory = p->reader.memory;
    set->tensor = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)p->n, sizeof *set->tensor);
    if (!set->tensor)
        return TARE_NO_MEMORY;
    set->n = p->n;
    tare_status status = TARE_OK;
    for (int i = 0; i < p->n && status == TARE_OK; ++i) {
        const entry *e = &p->entry[i];
        tare_tensor *t = &set->tensor[i];
        t->name = keep_text(memory, e->name);
        if (!t->name)
            return TARE_NO_MEMORY;
        status = tare_array_init(memory, e->dtype, e->rank, e->dims, &t->array);
        if (status == TARE_OK)
            status = tare__reader_get(&p->reader, t->array.data, t->array.bytes, t->name);
    }
    return status;
}

static tare_status read_metadata(const parse *p, tare_tensors *set)
{
    tare_memory *memory = p->reader.memory;
    json_t *object = json_object_get(p->header, TARE__METADATA), *value;
    const char *key;
    if (!object)
        return TARE_OK;
    if (!json_is_object(object))
        return reject(p, TARE__METADATA, "it is no object");
    size_t n = json_object_size(object);
    set->metadata = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, n, sizeof *set->metadata);
    if (!set->metadata)
        return TARE_NO_MEMORY;
    set->n_metadata = (int)n;
    tare_metadata *pair = set->metadata;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return reject(p, TARE__METADATA, "one of its values is no text");
        pair->key = keep_text(memory, key);
        pair->text = keep_text(memory, json_string_value(value));
        if (!pair->key || !pair->text)
            return TARE_NO_MEMORY;
        ++pair;
    }
    return TARE_OK;
}

static tare_status parse_file(parse *p, tare_tensors *set)
{
    tare_status status = read_header(p);
    if (status != TARE_OK)
        return status;
    size_t capacity = json_object_size(p->header) + 1;
    p->entry = tare_memory_take_zeroed(p->reader.memory, TARE_MEMORY_INPUT, capacity, sizeof *p->entry);
    status = p->entry ? read_entries(p) : TARE_NO_MEMORY;
    if (status == TARE_OK)
        status = read_metadata(p, set);
    if (status == TARE_OK)
        status = read_arrays(p, set);
    tare_memory_give(p->reader.memory, TARE_MEMORY_INPUT, p->entry, capacity * sizeof *p->entry);
    return status;
}

tare_status tare_safetensors_read(tare_memory *memory, const char *path, tare_tensors *set)
{
    parse p = {0};
    tare_tensors found = {0};
    tare_status status = tare__reader_open(&p.reader, memory, path);
    if (status != TARE_OK)
        return status;
    status = parse_file(&p, &found);
    json_decref(p.header);
    tare__reader_close(&p.reader);
    if (status == TARE_OK)
        *set = found;
    else
        tare_safetensors_free(memory, &found);
    return status;
}
