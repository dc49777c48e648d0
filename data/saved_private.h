/* saved_private.h - what reader and writer of saved programs agree on (see saved.h). */
#ifndef TARE_DATA_SAVED_PRIVATE_H
#define TARE_DATA_SAVED_PRIVATE_H

#include <jansson.h>

#include "saved.h"

#define TARE__SAVED_FORMAT "tare graph"

enum {
    TARE__SAVED_ATTR_TEXT = 2048, /* the longest string form of a node's attributes, with its end */
    TARE__SAVED_BATCH_MOST = 1 << 24
};

/* The most elements of any value at the sizes saved: products of two of them stay within 64 bits, so that inference
 * over a hostile file cannot overflow. */
#define TARE__SAVED_COUNT_MOST (INT64_C(1) << 31)

/* Whether a value's sizes are within that, a size of 0 taken as 1. */
bool tare__saved_fits(const tare_desc *);

/* What is wrong with a name; NULL: it is printable UTF-8. */
const char *tare__saved_name_fault(const char *name);

/* ---- reading: saved_read.c has files, parameters, inputs, the net; saved_program.c the nodes ----------------------*/
typedef struct {
    const char *path;
    char where[96]; /* what is being read: "node 3 of 'both'" */
    tare_saved *saved;
    tare_desc *declared; /* of the parameters */
    bool *wants;         /* whether they want a gradient */
    char **name;
} tare__saved_reading;

/* A member of an object: JSON_TRUE stands for both truth values. */
typedef struct {
    const char *key;
    json_type type;
    bool optional;
} tare__saved_member;

/* PATH: WHERE: the sentence, as TARE_BAD_FILE; bytes that would break the line are replaced. */
tare_status tare__saved_reject(const tare__saved_reading *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Zeroed room in the arena; NULL without memory. */
void *tare__saved_take(const tare__saved_reading *, size_t count, size_t size);
/* The members of an object, in the order of the table; there may be no other. */
tare_status tare__saved_members(const tare__saved_reading *, const json_t *object, const tare__saved_member *table,
                                int n, json_t **found);
/* A printable name, kept. */
tare_status tare__saved_name(const tare__saved_reading *, const json_t *text, const char *what, char **out);
/* {"dtype": ..., "shape": [...]} and its two values; contiguous. */
tare_status tare__saved_look(const tare__saved_reading *, const json_t *dtype, const json_t *shape, tare_desc *out);
tare_status tare__saved_look_object(const tare__saved_reading *, const json_t *object, tare_desc *out);
/* {"nodes": [...], "results": [...]}; name for messages. */
tare_status tare__saved_program(tare__saved_reading *, const char *name, const json_t *object,
                                tare_saved_program **out);

/* NAME.safetensors for NAME.json, tare__saved_path_bytes() of the memory's; NULL with *status and the text set. */
char *tare__saved_weights_path(tare_memory *, const char *path, tare_status *status);
size_t tare__saved_path_bytes(const char *path);

#endif
