/* saved_program.c - the nodes of a saved program, checked (see saved_private.h).
 *
 * A node reads only values that were made before it, so that there can be no cycle; and inference is run over the whole
 * program, which must find the shapes that the file claims. */
#include <stdio.h>
#include <string.h>

#include "../core/runtime.h"
#include "saved_private.h"

/* A program under way. */
typedef struct {
    tare__saved_reading *r;
    tare_saved_program *program;
    const tare_desc **value; /* by number; NULL: an absent result */
    int32_t made;
} building;

/* The sentence that is in the error text now, as this file's. */
static tare_status reject_as_said(const building *b)
{
    char said[384];
    (void)snprintf(said, sizeof said, "%s", tare_error_text());
    return tare__saved_reject(b->r, "%s", said);
}

static tare_status read_operands(const building *b, const json_t *in, tare_saved_node *n)
{
    const tare_op *op = n->op;
    size_t n_in = json_array_size(in);
    if (op->n_in >= 0 && n_in != (size_t)op->n_in)
        return tare__saved_reject(b->r, "%s reads %zu values (need %d)", op->name, n_in, op->n_in);
    if (n_in == 0 || n_in > TARE_SAVED_OPERANDS)
        return tare__saved_reject(b->r, "%s reads %zu values (need 1 to %d)", op->name, n_in, TARE_SAVED_OPERANDS);
    n->n_in = (int16_t)n_in;
    n->in = tare__saved_take(b->r, n_in, sizeof *n->in);
    if (!n->in)
        return TARE_NO_MEMORY;
    for (size_t i = 0; i < n_in; ++i) {
        const json_t *number = json_array_get(in, i);
        json_int_t id = json_integer_value(number);
        n->in[i] = -1;
        if (json_is_null(number) && op->optional >> i & 1)
            continue;
        if (!json_is_integer(number) || id < 0 || id >= b->made)
            return tare__saved_reject(b->r, "%s: input %zu is no value made before (need 0 to %d)", op->name, i,
                                      b->made - 1);
        if (!b->value[id])
            return tare__saved_reject(b->r, "%s: input %zu is a result that is marked as absent", op->name, i);
        n->in[i] = (int32_t)id;
    }
    return TARE_OK;
}

static tare_status read_attributes(const building *b, const json_t *text, tare_saved_node *n)
{
    const tare_op *op = n->op;
    if (op->n_attrs == 0)
        return text ? tare__saved_reject(b->r, "%s has no attributes", op->name) : TARE_OK;
    if (!text)
        return tare__saved_reject(b->r, "%s has attributes, and 'attributes' is missing", op->name);
    void *attr = tare__saved_take(b->r, 1, op->attr_bytes);
    n->attr = attr;
    if (!attr)
        return TARE_NO_MEMORY;
    if (tare_attr_parse(op->name, op->attrs, op->n_attrs, json_string_value(text), attr) != TARE_OK)
        return reject_as_said(b);
    return TARE_OK;
}

/* How many results, and which are absent. */
static tare_status read_absent(const building *b, const json_t *out, tare_saved_node *n)
{
    size_t n_out = json_array_size(out);
    bool any = false;
    if (n_out == 0 || n_out > TARE_SAVED_OPERANDS)
        return tare__saved_reject(b->r, "%s has %zu results (need 1 to %d)", n->op->name, n_out, TARE_SAVED_OPERANDS);
    n->n_out = (int16_t)n_out;
    for (size_t o = 0; o < n_out; ++o) {
        bool absent = json_is_null(json_array_get(out, o));
        n->absent |= (uint32_t)absent << o;
        any |= !absent;
    }
    if (!any)
        return tare__saved_reject(b->r, "%s: all results are marked as absent", n->op->name);
    n->out = tare__saved_take(b->r, n_out, sizeof *n->out);
    return n->out ? TARE_OK : TARE_NO_MEMORY;
}

static tare_status compare(const building *b, const tare_saved_node *n, int o, const json_t *claim)
{
    tare_desc claimed;
    char is[TARE_DESC_TEXT], text[TARE_DESC_TEXT];
    tare_status status = tare__saved_look_object(b->r, claim, &claimed);
    if (status != TARE_OK)
        return status;
    if (claimed.dtype == n->out[o].dtype && tare_desc_same_shape(&claimed, &n->out[o]))
        return TARE_OK;
    return tare__saved_reject(b->r, "%s: result %d would be %s%s, and the file has %s%s", n->op->name, o,
                              tare_dtype_name((tare_dtype)n->out[o].dtype), tare_desc_text(&n->out[o], is),
                              tare_dtype_name((tare_dtype)claimed.dtype), tare_desc_text(&claimed, text));
}

/* What inference says, against what the file says. */
static tare_status infer(const building *b, tare_saved_node *n, const json_t *out)
{
    enum { MOST = TARE_SAVED_OPERANDS + TARE_OPERANDS };
    const tare_op *op = n->op;
    const tare_desc *in[TARE_SAVED_OPERANDS];
    tare_desc made[MOST] = {{0}}, *to[MOST];
    for (int i = 0; i < n->n_in; ++i)
        in[i] = n->in[i] < 0 ? NULL : b->value[n->in[i]];
    tare_args a = {op, n->attr, (const tare_desc_ref *)in, n->n_in, n->absent, n->path, NULL};
    int n_out = op->n_out >= 0 ? op->n_out : op->outputs(&a);
    if (n_out != n->n_out)
        return tare__saved_reject(b->r, "%s makes %d results, and the file has %d", op->name, n_out, n->n_out);
    a.absent |= (uint32_t)(((UINT64_C(1) << op->n_aux) - 1) << n_out); /* made for a gradient alone */
    for (int o = 0; o < MOST; ++o)
        to[o] = &made[o];
    if (op->infer(&a, (const tare_desc_out *)to) != TARE_OK)
        return reject_as_said(b);
    tare_status status = TARE_OK;
    for (int o = 0; o < n_out && status == TARE_OK; ++o) {
        n->out[o] = made[o];
        if (!(n->absent >> o & 1))
            status = compare(b, n, o, json_array_get(out, (size_t)o));
    }
    return status;
}

static tare_status read_node(const building *b, const json_t *object, tare_saved_node *n)
{
    static const tare__saved_member table[] = {{"op", JSON_STRING, false},
                                               {"layer", JSON_STRING, true},
                                               {"attributes", JSON_STRING, true},
                                               {"in", JSON_ARRAY, false},
                                               {"out", JSON_ARRAY, false}};
    json_t *found[5];
    char *path = NULL;
    tare_status status = tare__saved_members(b->r, object, table, 5, found);
    if (status == TARE_OK && found[1])
        status = tare__saved_name(b->r, found[1], "layer", &path);
    if (status != TARE_OK)
        return status;
    n->path = path;
    n->op = tare_find(b->r->saved->runtime, TARE_KIND_OPERATOR, json_string_value(found[0]));
    if (!n->op)
        return reject_as_said(b);
    status = read_absent(b, found[4], n);
    if (status == TARE_OK)
        status = read_operands(b, found[3], n);
    if (status == TARE_OK)
        status = read_attributes(b, found[2], n);
    return status == TARE_OK ? infer(b, n, found[4]) : status;
}

static tare_status read_results(const building *b, const json_t *results)
{
    tare_saved_program *p = b->program;
    p->n_results = (int32_t)json_array_size(results);
    p->result = tare__saved_take(b->r, (size_t)p->n_results, sizeof *p->result);
    if (!p->result)
        return TARE_NO_MEMORY;
    if (p->n_results == 0)
        return tare__saved_reject(b->r, "it has no results");
    for (int32_t i = 0; i < p->n_results; ++i) {
        const json_t *number = json_array_get(results, (size_t)i);
        json_int_t id = json_integer_value(number);
        if (!json_is_integer(number) || id < 0 || id >= b->made || !b->value[id])
            return tare__saved_reject(b->r, "result %d is no value that is made", i);
        p->result[i] = (int32_t)id;
    }
    return TARE_OK;
}

/* Marks the last reader of every value that no one needs at the end; parameters stay. */
static tare_status find_last(const building *b)
{
    const tare_saved_program *p = b->program;
    int32_t first = b->r->saved->n_parameters;
    bool *needed = tare__saved_take(b->r, (size_t)b->made, sizeof *needed);
    if (!needed)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; i < p->n_results; ++i)
        needed[p->result[i]] = true;
    for (int32_t i = p->n_nodes - 1; i >= 0; --i) {
        tare_saved_node *n = &p->node[i];
        for (int k = 0; k < n->n_in; ++k) {
            if (n->in[k] < first || needed[n->in[k]])
                continue;
            n->last |= 1u << k;
            needed[n->in[k]] = true;
        }
    }
    return TARE_OK;
}

/* Room for the program, and the looks of what is there before its nodes. */
static tare_status begin(building *b, const json_t *list)
{
    const tare_saved *s = b->r->saved;
    tare_saved_program *p = b->program;
    size_t i, total = (size_t)(s->n_parameters + s->n_inputs);
    const json_t *node;
    json_array_foreach(list, i, node) total += json_array_size(json_object_get(node, "out"));
    p->n_nodes = (int32_t)json_array_size(list);
    p->node = tare__saved_take(b->r, (size_t)p->n_nodes, sizeof *p->node);
    b->value = tare__saved_take(b->r, total, sizeof *b->value);
    if (!p->node || !b->value)
        return TARE_NO_MEMORY;
    for (int32_t k = 0; k < s->n_parameters; ++k)
        b->value[b->made++] = &b->r->declared[k];
    for (int32_t k = 0; k < s->n_inputs; ++k)
        b->value[b->made++] = &s->input[k];
    return TARE_OK;
}

static tare_status read_nodes(building *b, const char *name, const json_t *list)
{
    tare_status status = begin(b, list);
    for (int32_t i = 0; status == TARE_OK && i < b->program->n_nodes; ++i) {
        tare_saved_node *n = &b->program->node[i];
        (void)snprintf(b->r->where, sizeof b->r->where, "node %d of '%s'", i, name);
        status = read_node(b, json_array_get(list, (size_t)i), n);
        for (int o = 0; status == TARE_OK && o < n->n_out; ++o)
            b->value[b->made++] = n->absent >> o & 1 ? NULL : &n->out[o];
    }
    b->program->n_values = b->made;
    return status;
}

tare_status tare__saved_program(tare__saved_reading *r, const char *name, const json_t *object,
                                tare_saved_program **out)
{
    static const tare__saved_member table[] = {{"nodes", JSON_ARRAY, false}, {"results", JSON_ARRAY, false}};
    json_t *found[2];
    building b = {.r = r, .program = tare__saved_take(r, 1, sizeof **out)};
    *out = b.program;
    if (!b.program)
        return TARE_NO_MEMORY;
    (void)snprintf(r->where, sizeof r->where, "program '%s'", name);
    tare_status status = tare__saved_members(r, object, table, 2, found);
    if (status == TARE_OK)
        status = read_nodes(&b, name, found[0]);
    if (status != TARE_OK)
        return status;
    (void)snprintf(r->where, sizeof r->where, "program '%s'", name);
    status = read_results(&b, found[1]);
    *r->where = 0;
    return status == TARE_OK ? find_last(&b) : status;
}
