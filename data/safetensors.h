/* safetensors.h - named arrays in one file, written and read.
 *
 * The format (Hugging Face, "safetensors", README, section Format): the header's length as 8 bytes, little-endian; the
 * header, a JSON object {"NAME": {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ...}, which may hold
 * "__metadata__", {"KEY": "TEXT", ...}, and be followed by blanks; then the arrays' bytes, little-endian, without
 * holes. Dtypes read and written: F32, F64, I32, I64, U8. */
#ifndef TARE_DATA_SAFETENSORS_H
#define TARE_DATA_SAFETENSORS_H

#include "array.h"
#include "writer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char *name; /* of a read one: owned by the set */
    tare_array array;
} tare_tensor;

/* An entry of the metadata; of a read one both are owned by the set. */
typedef struct {
    char *key, *text;
} tare_metadata;

typedef struct {
    tare_tensor *tensor; /* in the order of their bytes */
    int n;
    tare_metadata *metadata;
    int n_metadata;
} tare_tensors;

/* Reads a file. On failure the set is untouched: TARE_NOT_FOUND, TARE_IO, TARE_NO_MEMORY, or TARE_BAD_FILE with file,
 * offset and reason. No more memory is taken than a few times the bytes that the file really has. The header's parsing
 * alone uses memory that is not in `memory`'s books (the JSON library's). */
TARE_API tare_status tare_safetensors_read(tare_memory *memory, const char *path, tare_tensors *set);
/* Lets go of a set that was read; fine on a zeroed one. */
TARE_API void tare_safetensors_free(tare_memory *memory, tare_tensors *set);

/* The array of that name, the text of that key; NULL: there is none. */
TARE_API const tare_array *tare_tensors_find(const tare_tensors *set, const char *name);
TARE_API const char *tare_tensors_text(const tare_tensors *set, const char *key);

/* Writes arrays under distinct names and metadata under distinct keys (TARE_BAD_ARGUMENT); see writer.h for what a
 * failure leaves. */
TARE_API tare_status tare_safetensors_write(tare_memory *memory, const char *path, const tare_tensors *set);
/* The same to an open writer, for files that must appear together. */
TARE_API tare_status tare_safetensors_put(tare_writer *writer, const tare_tensors *set);

#ifdef __cplusplus
}
#endif
#endif
