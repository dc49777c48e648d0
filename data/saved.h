/* saved.h - a program in files: NAME.json has its structure, NAME.safetensors beside it the bytes that it reads.
 *
 * What is saved is the forward program of a function: nodes (operator name, attributes in string form, operands,
 * layer), placeholders, named parameters, results. Gradients are not saved: a program that was read is a function over
 * the mode seam again, which replays its nodes through mode->apply. So it runs at once in the imperative mode, is
 * captured like any other, has its gradient taken again, and is inferred anew for other sizes. A function that is not
 * the same in training and in inference (dropout, batch norm) is saved as two programs over the same parameters.
 *
 * The file is described in docs/FORMAT.md. Everything in it is checked before use; operators are found by name in the
 * runtime's catalogue. Threads: the runtime's. */
#ifndef TARE_DATA_SAVED_H
#define TARE_DATA_SAVED_H

#include "../core/mode.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TARE_SAVED_VERSION = 1,
    TARE_SAVED_OPERANDS = 32 /* the most inputs, and the most results, of a node */
};

/* Values are numbered: parameters, inputs, then the results of each node in program order, absent ones too. */
typedef struct {
    const tare_op *op;
    const void *attr; /* NULL: the operator has none */
    const char *path; /* layer; NULL */
    int32_t *in;      /* [n_in] value numbers, all below those of this node's results; -1: absent */
    tare_desc *out;   /* [n_out] what inference says of the results, for the inputs' shapes as saved */
    int16_t n_in, n_out;
    uint32_t absent; /* bit o: result o is not wanted */
    uint32_t last;   /* bit i: input i is not needed after this node (of a program that was read) */
} tare_saved_node;

typedef struct {
    tare_saved_node *node;
    int32_t *result; /* value numbers */
    int32_t n_nodes, n_results, n_values;
} tare_saved_program;

/* What makes the function a net: one input, one result, both with the batch as their first dimension. */
typedef struct {
    const char *label;                      /* of the net that was saved, for people: "mlp:hidden=300-100" */
    const char *bench_loss, *training_loss; /* names */
    const char *optimizer;                  /* what it is trained with unless told otherwise; NULL: not said */
    int64_t default_batch;
    int32_t byte_divisor;    /* of the pixels of a data set; 0: not said */
    tare_desc input, output; /* of one sample: without the batch dimension */
} tare_saved_net;

typedef struct {
    tare_runtime *runtime;
    tare_value **parameter;         /* in the order saved; of a program that was read: handles of its own, named */
    tare_desc *input;               /* placeholders */
    const char **input_name;        /* NULL entries: no name */
    tare_saved_program *program[2]; /* [training]: both the same where one serves both */
    tare_saved_net *net;            /* NULL: a program that is no net */
    int32_t n_parameters, n_inputs;
    tare_value **slot; /* room for the values of one replay */
    tare_arena arena;  /* all of the above */
} tare_saved;

/* Reads NAME.json and NAME.safetensors. On failure nothing is made: TARE_NOT_FOUND, TARE_IO, TARE_NO_MEMORY,
 * TARE_BAD_ARGUMENT for a name that does not end in .json, or TARE_BAD_FILE with file, place and reason. The parsing
 * alone uses memory that is not in the runtime's books (the JSON library's). */
TARE_API tare_status tare_saved_read(tare_runtime *, const char *path, tare_saved **out);
/* After all values and graphs that were made with it: they borrow its names. NULL is fine. */
TARE_API void tare_saved_free(tare_saved *);

/* The function: a tare_function (core/capture.h) whose owner is the tare_saved. m->training says which program; out[]
 * are handles of the current scope; an input may be given up (tare_move). */
TARE_API void tare_saved_forward(void *saved, tare_mode *m, tare_value *const *in, int n_in, tare_value **out,
                                 int n_out);

/* Writes both files: whole, or neither (writer.h). Reads everything but slot, arena and the nodes' `last`.
 * TARE_BAD_ARGUMENT: a parameter without a name of its own, a name that is no printable UTF-8, an operator that is not
 * in the catalogue, a path that does not end in .json. */
TARE_API tare_status tare_saved_write(const tare_saved *, const char *path);

#ifdef __cplusplus
}
#endif
#endif
