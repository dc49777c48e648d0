/* npy.c - NumPy's .npy files (see npy.h). */
#include "npy.h"

#include <stdio.h>
#include <string.h>

#include "payload.h"
#include "reader.h"

/* NumPy itself writes headers below 10 000 bytes unless it is asked for many named fields. */
enum { HEADER_BYTES_MAX = 1 << 16 };

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *code;
    tare_dtype dtype;
} types[] = {{"f4", TARE_F32}, {"f8", TARE_F64}, {"i4", TARE_I32}, {"i8", TARE_I64}, {"u1", TARE_U8}};
enum { N_TYPES = sizeof types / sizeof *types };

/* What the dictionary says, and the cursor that reads it. */
typedef struct {
    const tare__reader *reader;
    const char *at, *begin, *end;
    int64_t offset; /* of begin in the file */
    tare_array array;
    bool big_endian, fortran_order;
} header;

static tare_status reject(const header *h, const char *reason)
{
    return tare__reader_reject(h->reader, h->offset + (h->at - h->begin), "%s", reason);
}

static void skip_space(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        ++h->at;
}

/* Takes a word or sign if it stands here. */
static bool accept(header *h, const char *word)
{
    skip_space(h);
    size_t length = strlen(word);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length) != 0)
        return false;
    h->at += length;
    return true;
}

/* 'xyz' or "xyz", no escapes; the text is left in place. */
static tare_status parse_string(header *h, const char **text, size_t *length)
{
    skip_space(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"'))
        return reject(h, "a quoted string is missing here");
    const char *close = memchr(h->at + 1, *h->at, (size_t)(h->end - h->at - 1));
    if (!close)
        return reject(h, "this string does not end");
    *text = h->at + 1;
    *length = (size_t)(close - *text);
    h->at = close + 1;
    return TARE_OK;
}

/* '<f4', '>f4', '|u1'. */
static tare_status parse_descr(header *h)
{
    const char *text = "";
    size_t length = 0;
    skip_space(h);
    if (h->at < h->end && *h->at == '[')
        return reject(h, "arrays of records are not read (f4, f8, i4, i8, u1 are)");
    const char *start = h->at;
    tare_status status = parse_string(h, &text, &length);
    if (status)
        return status;
    if (length == 3 && (*text == '<' || *text == '>' || *text == '|'))
        for (int i = 0; i < N_TYPES; ++i)
            if (memcmp(text + 1, types[i].code, 2) == 0 && (*text != '|' || types[i].dtype == TARE_U8)) {
                h->array.dtype = types[i].dtype;
                h->big_endian = *text == '>';
                return TARE_OK;
            }
    h->at = start;
    return reject(h, "this element type is not read (f4, f8, i4, i8, u1 are)");
}

static tare_status parse_fortran_order(header *h)
{
    h->fortran_order = accept(h, "True");
    return h->fortran_order || accept(h, "False") ? TARE_OK : reject(h, "True or False is missing here");
}

/* Decimal digits. */
static tare_status parse_dim(header *h, int64_t *dim)
{
    skip_space(h);
    if (h->at == h->end || *h->at < '0' || *h->at > '9')
        return reject(h, "a dimension is missing here");
    for (*dim = 0; h->at < h->end && *h->at >= '0' && *h->at <= '9'; ++h->at)
        if (__builtin_mul_overflow(*dim, 10, dim) || __builtin_add_overflow(*dim, *h->at - '0', dim))
            return reject(h, "this dimension is too large");
    return TARE_OK;
}

/* (), (3,), (3, 4) or (3, 4,). */
static tare_status parse_shape(header *h)
{
    if (!accept(h, "("))
        return reject(h, "'(' is missing here");
    while (!accept(h, ")")) {
        if (h->array.rank == TARE_ARRAY_RANK_MAX)
            return reject(h, "more than 6 dimensions");
        tare_status status = parse_dim(h, &h->array.dims[h->array.rank]);
        if (status)
            return status;
        ++h->array.rank;
        if (!accept(h, ",")) {
            /* (3) is a number in Python, not a shape. */
            if (h->array.rank == 1 || !accept(h, ")"))
                return reject(h, "',' or ')' is missing here");
            break;
        }
    }
    return TARE_OK;
}

static const struct {
    const char *key;
    tare_status (*parse)(header *h);
} fields[] = {{"descr", parse_descr}, {"fortran_order", parse_fortran_order}, {"shape", parse_shape}};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/* One "key: value", of a key that has not been there yet. */
static tare_status parse_field(header *h, unsigned *seen)
{
    const char *text = "";
    size_t length = 0;
    skip_space(h);
    const char *start = h->at;
    tare_status status = parse_string(h, &text, &length);
    if (status)
        return status;
    for (int i = 0; i < N_FIELDS; ++i) {
        if (length != strlen(fields[i].key) || memcmp(text, fields[i].key, length) != 0 || *seen & 1U << i)
            continue;
        *seen |= 1U << i;
        return accept(h, ":") ? fields[i].parse(h) : reject(h, "':' is missing here");
    }
    h->at = start;
    return reject(h, "this key is unknown or here twice");
}

static tare_status parse_header(header *h)
{
    unsigned seen = 0;
    if (!accept(h, "{"))
        return reject(h, "the header is no dictionary");
    while (!accept(h, "}")) {
        tare_status status = parse_field(h, &seen);
        if (status)
            return status;
        if (!accept(h, ",")) {
            if (!accept(h, "}"))
                return reject(h, "',' or '}' is missing here");
            break;
        }
    }
    skip_space(h);
    if (h->at < h->end)
        return reject(h, "something follows the header's dictionary");
    if (seen != (1U << N_FIELDS) - 1)
        return reject(h, "the header lacks descr, fortran_order or shape");
    return TARE_OK;
}

/* The header of a file whose reader stands at its start. */
static tare_status read_header(tare__reader *reader, header *h)
{
    unsigned char start[12];
    tare_status status = tare__reader_get(reader, start, 10, "its magic number");
    if (status)
        return status;
    if (memcmp(start, magic, sizeof magic) != 0)
        return tare__reader_reject(reader, 0, "not an npy file: it does not begin with \\x93NUMPY");
    if (start[6] < 1 || start[6] > 3)
        return tare__reader_reject(reader, 6, "npy version %d is not read (1, 2, 3 are)", start[6]);
    size_t length = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        status = tare__reader_get(reader, start + 10, 2, "its header's length");
        if (status)
            return status;
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > HEADER_BYTES_MAX)
        return tare__reader_reject(reader, 8, "a header of %zu bytes is more than %d", length, HEADER_BYTES_MAX);
    char *text = tare_memory_take(reader->memory, TARE_MEMORY_INPUT, length);
    if (!text)
        return TARE_NO_MEMORY;
    *h = (header){.reader = reader, .at = text, .begin = text, .end = text + length, .offset = reader->offset};
    status = tare__reader_get(reader, text, length, "its header");
    if (status == TARE_OK)
        status = parse_header(h);
    tare_memory_give(reader->memory, TARE_MEMORY_INPUT, text, length);
    return status;
}

/* Elements that lie first dimension fastest, put last dimension fastest. `array` comes with the dims of the
 * result and the order of the file. */
static tare_status reorder(tare_memory *memory, tare_array *array)
{
    tare_array made;
    tare_status status = tare_array_init(memory, array->dtype, array->rank, array->dims, &made);
    if (status)
        return status;
    size_t item = tare_dtype_bytes(array->dtype), n = array->bytes / item;
    int64_t index[TARE_ARRAY_RANK_MAX] = {0};
    for (size_t i = 0; i < n; ++i) {
        size_t to = 0;
        for (int d = 0; d < made.rank; ++d)
            to = to * (size_t)made.dims[d] + (size_t)index[d];
        memcpy((char *)made.data + to * item, (char *)array->data + i * item, item);
        for (int d = 0; d < made.rank && ++index[d] == made.dims[d]; ++d)
            index[d] = 0;
    }
    tare_array_fini(memory, array);
    *array = made;
    return TARE_OK;
}

tare_status tare_npy_read(tare_memory *memory, const char *path, tare_array *array)
{
    tare__reader reader;
    header h;
    tare_status status = tare__reader_open(&reader, memory, path);
    if (status)
        return status;
    status = read_header(&reader, &h);
    if (status == TARE_OK) {
        tare__item item = {.bytes = tare_dtype_bytes(h.array.dtype), .big_endian = h.big_endian};
        status = tare__payload_read(&reader, item, &h.array);
    }
    tare__reader_close(&reader);
    if (status == TARE_OK && h.fortran_order && h.array.rank > 1) {
        status = reorder(memory, &h.array);
        if (status)
            tare_array_fini(memory, &h.array);
    }
    if (status == TARE_OK)
        *array = h.array;
    return status;
}

tare_status tare__npy_put_header(tare_writer *writer, tare_dtype dtype, int rank, const int64_t *dims)
{
    int type = 0;
    while (type < N_TYPES && types[type].dtype != dtype)
        ++type;
    if (type == N_TYPES)
        return tare_error(TARE_BAD_DTYPE, "%s: npy is written of f32, f64, i32, i64 and u8 only", writer->path);
    if (rank < 0 || rank > TARE_ARRAY_RANK_MAX)
        return tare_error(TARE_BAD_SHAPE, "%s: rank %d is not in 0..%d", writer->path, rank, TARE_ARRAY_RANK_MAX);
    /* As NumPy does, spaces make room for the first dimension to grow to 21 digits in place. */
    char shape[TARE_ARRAY_RANK_MAX * 22 + 1] = "", text[256];
    size_t used = 0;
    int room = 0;
    for (int i = 0; i < rank; ++i) {
        int length = snprintf(shape + used, sizeof shape - used, "%s%lld", i ? ", " : "", (long long)dims[i]);
        used += (size_t)length;
        room = i ? room : 21 - length;
    }
    int length = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s%s), }%*s",
                          dtype == TARE_U8 ? '|' : '<', types[type].code, shape, rank == 1 ? "," : "", room, "");
    /* Further ones, then a line feed, bring the elements to a multiple of 64 bytes: at least one. */
    enum { START_BYTES = 10 };
    int padding = 64 - (START_BYTES + length + 1) % 64;
    unsigned header_bytes = (unsigned)(length + padding + 1);
    unsigned char start[START_BYTES + sizeof text + 64 + 1];
    memcpy(start, magic, sizeof magic);
    start[6] = 1;
    start[7] = 0;
    start[8] = (unsigned char)header_bytes;
    start[9] = (unsigned char)(header_bytes >> 8);
    memset(start + START_BYTES, ' ', header_bytes);
    memcpy(start + START_BYTES, text, (size_t)length);
    start[START_BYTES + header_bytes - 1] = '\n';
    return tare_writer_put(writer, start, START_BYTES + header_bytes);
}

tare_status tare_npy_write(tare_memory *memory, const char *path, const tare_array *array)
{
    tare_writer writer;
    tare_status status = tare_writer_open(&writer, memory, path);
    if (status)
        return status;
    status = tare__npy_put_header(&writer, array->dtype, array->rank, array->dims);
    if (status == TARE_OK)
        status = tare__payload_write(&writer, false, array);
    if (status == TARE_OK)
        return tare_writer_close(&writer);
    tare_writer_abandon(&writer);
    return status;
}
