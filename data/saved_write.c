/* saved_write.c - a program to its two files (see saved.h, docs/FORMAT.md).
 *
 * One line a parameter, an input, a node, so that two files can be compared by eye and by diff. Both files are stored
 * before the first gets its name. What the reader would refuse is refused here. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../core/runtime.h"
#include "safetensors.h"
#include "saved.h"
#include "saved_private.h"
#include "writer.h"

typedef struct {
    const tare_saved *saved;
    const tare_saved_program *program; /* the one that is being written */
    tare_writer file[2];               /* weights, structure */
    tare_tensor *tensor;
    tare_status status; /* the first failure */
} writing;

static void put_text(writing *w, const char *text)
{
    if (w->status == TARE_OK)
        w->status = tare_writer_put(&w->file[1], text, strlen(text));
}

/* An object as one line; consumes it. NULL: names are checked before, so memory is out. */
static void put_json(writing *w, json_t *value)
{
    char *line = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    json_decref(value);
    if (line)
        put_text(w, line);
    else if (w->status == TARE_OK)
        w->status = tare_error(TARE_NO_MEMORY, "no memory for a line of JSON");
    free(line);
}

/* "KEY": [ one item a line ], */
static void put_list(writing *w, const char *indent, const char *key, json_t *(*item)(writing *, int32_t), int32_t n)
{
    put_text(w, indent);
    put_text(w, "\"");
    put_text(w, key);
    put_text(w, "\": [");
    for (int32_t i = 0; i < n && w->status == TARE_OK; ++i) {
        put_text(w, i ? ",\n " : "\n ");
        put_text(w, indent);
        json_t *each = item(w, i);
        if (w->status == TARE_OK)
            put_json(w, each);
        else
            json_decref(each);
    }
    put_text(w, "\n");
    put_text(w, indent);
    put_text(w, "]");
}

static void check_name(writing *w, const char *what, const char *name)
{
    const char *fault = name ? tare__saved_name_fault(name) : NULL;
    if (fault && w->status == TARE_OK)
        w->status = tare_error(TARE_BAD_ARGUMENT, "the name of %s %s, and cannot be saved", what, fault);
}

/* Adds dtype and shape to an object. */
static void add_look(writing *w, json_t *object, const tare_desc *d)
{
    json_t *shape = json_array();
    for (int i = 0; i < d->rank; ++i)
        (void)json_array_append_new(shape, json_integer(d->dim[i]));
    (void)json_object_set_new(object, "dtype", json_string(tare_dtype_name((tare_dtype)d->dtype)));
    (void)json_object_set_new(object, "shape", shape);
    if (w->status == TARE_OK && !tare__saved_fits(d)) {
        char text[TARE_DESC_TEXT];
        w->status = tare_error(TARE_BAD_ARGUMENT, "a value of %s is too large to be saved (need at most 2^31 elements)",
                               tare_desc_text(d, text));
    }
}

static json_t *look(writing *w, const tare_desc *d)
{
    json_t *object = json_object();
    add_look(w, object, d);
    return object;
}

static json_t *parameter_item(writing *w, int32_t i)
{
    const tare_value *v = w->saved->parameter[i];
    json_t *object = json_pack("{s:s}", "name", v->name);
    add_look(w, object, &v->d);
    (void)json_object_set_new(object, "gradient", json_boolean(v->wants_gradient));
    return object;
}

static json_t *input_item(writing *w, int32_t i)
{
    const char *name = w->saved->input_name[i];
    json_t *object = json_object();
    check_name(w, "an input", name);
    if (name)
        (void)json_object_set_new(object, "name", json_string(name));
    add_look(w, object, &w->saved->input[i]);
    return object;
}

/* The string form, which must say the same when it is read. */
static json_t *attributes(writing *w, const tare_saved_node *n)
{
    enum { BYTES = TARE__SAVED_ATTR_TEXT };
    char text[BYTES], again[BYTES];
    const tare_op *op = n->op;
    (void)tare_attr_print(op->attrs, op->n_attrs, n->attr, text, sizeof text);
    void *read = tare_memory_take_zeroed(&w->saved->runtime->memory, TARE_MEMORY_RECORD, 1, op->attr_bytes);
    tare_status status = read ? tare_attr_parse(op->name, op->attrs, op->n_attrs, text, read) : TARE_NO_MEMORY;
    if (status == TARE_OK && (strlen(text) == BYTES - 1 ||
                              strcmp(text, tare_attr_print(op->attrs, op->n_attrs, read, again, sizeof again)) != 0))
        status = tare_error(TARE_BAD_ARGUMENT, "%s: its attributes have no string form that reads the same: %.200s",
                            op->name, text);
    tare_memory_give(&w->saved->runtime->memory, TARE_MEMORY_RECORD, read, op->attr_bytes);
    if (w->status == TARE_OK)
        w->status = status;
    return json_string(text);
}

static json_t *node_item(writing *w, int32_t i)
{
    const tare_saved_node *n = &w->program->node[i];
    json_t *object = json_pack("{s:s}", "op", n->op->name), *in = json_array(), *out = json_array();
    check_name(w, "a layer", n->path);
    if (w->status == TARE_OK && tare_find(w->saved->runtime, TARE_KIND_OPERATOR, n->op->name) != n->op)
        w->status = tare_error(TARE_BAD_ARGUMENT, "%s: only operators of the catalogue can be saved", n->op->name);
    if (n->path)
        (void)json_object_set_new(object, "layer", json_string(n->path));
    if (n->op->n_attrs > 0 && w->status == TARE_OK)
        (void)json_object_set_new(object, "attributes", attributes(w, n));
    for (int k = 0; k < n->n_in; ++k)
        (void)json_array_append_new(in, n->in[k] < 0 ? json_null() : json_integer(n->in[k]));
    for (int k = 0; k < n->n_out; ++k)
        (void)json_array_append_new(out, n->absent >> k & 1 ? json_null() : look(w, &n->out[k]));
    (void)json_object_set_new(object, "in", in);
    (void)json_object_set_new(object, "out", out);
    return object;
}

static json_t *result_item(writing *w, int32_t i)
{
    return json_integer(w->program->result[i]);
}

static void put_program(writing *w, const char *name, const tare_saved_program *p)
{
    w->program = p;
    put_text(w, "\n  \"");
    put_text(w, name);
    put_text(w, "\": {\n");
    put_list(w, "   ", "nodes", node_item, p->n_nodes);
    put_text(w, ",\n");
    put_list(w, "   ", "results", result_item, p->n_results);
    put_text(w, "\n  }");
}

static json_t *net_object(writing *w, const tare_saved_net *net)
{
    check_name(w, "the net", net->label);
    check_name(w, "the optimizer", net->optimizer);
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:I,s:o,s:o}", "label", w->status == TARE_OK ? net->label : "", "bench_loss",
                  net->bench_loss, "training_loss", net->training_loss, "default_batch", (json_int_t)net->default_batch,
                  "input", look(w, &net->input), "output", look(w, &net->output));
    if (net->optimizer)
        (void)json_object_set_new(object, "optimizer", json_string(net->optimizer));
    if (net->byte_divisor)
        (void)json_object_set_new(object, "byte_divisor", json_integer(net->byte_divisor));
    return object;
}

static void put_structure(writing *w)
{
    const tare_saved *s = w->saved;
    put_text(w, "{\n \"format\": \"" TARE__SAVED_FORMAT "\",\n \"version\": ");
    put_json(w, json_integer(TARE_SAVED_VERSION));
    put_text(w, ",\n");
    if (s->net) {
        put_text(w, " \"net\": ");
        put_json(w, net_object(w, s->net));
        put_text(w, ",\n");
    }
    put_list(w, " ", "parameters", parameter_item, s->n_parameters);
    put_text(w, ",\n");
    put_list(w, " ", "inputs", input_item, s->n_inputs);
    put_text(w, ",\n \"programs\": {");
    if (s->program[0] == s->program[1]) {
        put_program(w, "both", s->program[0]);
    } else {
        put_program(w, "training", s->program[1]);
        put_text(w, ",");
        put_program(w, "inference", s->program[0]);
    }
    put_text(w, "\n }\n}\n");
}

/* The parameters' bytes as they are now, on the host. */
static tare_status copy_parameters(writing *w)
{
    const tare_saved *s = w->saved;
    tare_memory *memory = &s->runtime->memory;
    for (int32_t i = 0; i < s->n_parameters; ++i) {
        const tare_value *v = s->parameter[i];
        char text[TARE_DESC_TEXT];
        if (!v->name || !*v->name)
            return tare_error(TARE_BAD_ARGUMENT, "a %s%s that the graph reads has no name to be saved under",
                              tare_dtype_name((tare_dtype)v->d.dtype), tare_desc_text(&v->d, text));
        check_name(w, "a parameter", v->name);
        if (w->status != TARE_OK)
            return w->status;
        w->tensor[i].name = (char *)v->name; /* of a set that is written: only read */
        tare_status status = tare_array_init(memory, (tare_dtype)v->d.dtype, v->d.rank, v->d.dim, &w->tensor[i].array);
        if (status == TARE_OK)
            status = tare_value_read(v, w->tensor[i].array.data, w->tensor[i].array.bytes);
        if (status != TARE_OK)
            return status;
    }
    return TARE_OK;
}

static tare_status write_files(writing *w, const char *path, const char *weights)
{
    tare_memory *memory = &w->saved->runtime->memory;
    tare_status status = tare_writer_open(&w->file[0], memory, weights);
    if (status == TARE_OK)
        status = tare_writer_open(&w->file[1], memory, path);
    if (status == TARE_OK)
        status = tare_safetensors_put(&w->file[0], &(tare_tensors){.tensor = w->tensor, .n = w->saved->n_parameters});
    if (status == TARE_OK) {
        put_structure(w);
        status = w->status;
    }
    if (status == TARE_OK)
        return tare_writer_close_all(w->file, 2);
    tare_writer_abandon_all(w->file, 2);
    return status;
}

tare_status tare_saved_write(const tare_saved *s, const char *path)
{
    tare_memory *memory = &s->runtime->memory;
    writing w = {.saved = s};
    tare_status status;
    char *weights = tare__saved_weights_path(memory, path, &status);
    if (!weights)
        return status;
    size_t bytes = (size_t)s->n_parameters * sizeof *w.tensor;
    w.tensor = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, 1, bytes);
    status = w.tensor ? copy_parameters(&w) : TARE_NO_MEMORY;
    if (status == TARE_OK)
        status = write_files(&w, path, weights);
    for (int32_t i = 0; w.tensor && i < s->n_parameters; ++i)
        tare_array_fini(memory, &w.tensor[i].array);
    tare_memory_give(memory, TARE_MEMORY_RECORD, w.tensor, bytes);
    tare_memory_give(memory, TARE_MEMORY_INPUT, weights, tare__saved_path_bytes(path));
    return status;
}
