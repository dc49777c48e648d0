/* saved.c - a program that was read: replayed over the mode seam, let go (see saved.h). */
#include "saved.h"

#include <stdio.h>
#include <string.h>

#include "../core/runtime.h"
#include "json_private.h"
#include "saved_private.h"

static const char json_end[] = ".json", weights_end[] = ".safetensors";

const char *tare__saved_name_fault(const char *name)
{
    for (const char *c = name; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 127)
            return "has a control character in it";
    return tare__json_is_utf8(name) ? NULL : "is no UTF-8";
}

bool tare__saved_fits(const tare_desc *d)
{
    int64_t count = 1;
    for (int i = 0; i < d->rank; ++i) {
        if (d->dim[i] > TARE__SAVED_COUNT_MOST)
            return false;
        count *= d->dim[i] > 0 ? d->dim[i] : 1;
        if (count > TARE__SAVED_COUNT_MOST)
            return false;
    }
    return true;
}

size_t tare__saved_path_bytes(const char *path)
{
    return strlen(path) + sizeof weights_end;
}

char *tare__saved_weights_path(tare_memory *memory, const char *path, tare_status *status)
{
    size_t length = strlen(path), end = sizeof json_end - 1;
    if (length <= end || strcmp(path + length - end, json_end) != 0) {
        *status = tare_error(TARE_BAD_ARGUMENT, "%s: the name of a saved graph ends in %s", path, json_end);
        return NULL;
    }
    char *weights = tare_memory_take(memory, TARE_MEMORY_INPUT, tare__saved_path_bytes(path));
    *status = weights ? TARE_OK : TARE_NO_MEMORY;
    if (weights)
        (void)snprintf(weights, tare__saved_path_bytes(path), "%.*s%s", (int)(length - end), path, weights_end);
    return weights;
}

void tare_saved_free(tare_saved *s)
{
    if (!s)
        return;
    for (int32_t i = 0; i < s->n_parameters; ++i)
        tare_value_drop(s->parameter[i]);
    tare_arena_fini(&s->arena);
    tare_memory_give(&s->runtime->memory, TARE_MEMORY_RECORD, s, sizeof *s);
}

static tare_status check_call(const tare_saved *s, const tare_saved_program *p, tare_value *const *in, int n_in,
                              int n_out)
{
    if (n_in != s->n_inputs || n_out != p->n_results)
        return tare_error(TARE_BAD_ARGUMENT, "a saved graph with %d inputs and %d results was called with %d and %d",
                          s->n_inputs, p->n_results, n_in, n_out);
    for (int i = 0; i < n_in; ++i) {
        if (!in[i])
            return tare_error(TARE_BAD_ARGUMENT, "input %d of a saved graph is missing", i);
        if (!in[i]->poison && (in[i]->d.dtype != s->input[i].dtype || in[i]->d.rank != s->input[i].rank))
            return tare_error(TARE_BAD_SHAPE, "input %d of a saved graph is %s of rank %d (need %s of rank %d)", i,
                              tare_dtype_name((tare_dtype)in[i]->d.dtype), in[i]->d.rank,
                              tare_dtype_name((tare_dtype)s->input[i].dtype), s->input[i].rank);
    }
    return TARE_OK;
}

/* One node; its results go to slot[first...]. What is read for the last time is given up. */
static void replay(tare_mode *m, const tare_saved_node *n, tare_value **slot, int32_t first)
{
    tare_value *in[TARE_SAVED_OPERANDS], *out[TARE_SAVED_OPERANDS];
    for (int i = 0; i < n->n_in; ++i) {
        in[i] = n->in[i] < 0 ? NULL : slot[n->in[i]];
        if (n->last >> i & 1)
            (void)tare_move(in[i]);
    }
    bool applied = m->apply(m, n->op, n->attr, in, n->n_in, out, n->absent) == TARE_OK;
    for (int o = 0; o < n->n_out; ++o)
        slot[first + o] = applied ? out[o] : &m->poison;
}

void tare_saved_forward(void *saved, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    tare_saved *s = saved;
    const tare_saved_program *p = s->program[m->training];
    const char *path = m->path;
    tare_status status = m->error ? m->error : check_call(s, p, in, n_in, n_out);
    if (status != TARE_OK) {
        m->error = status;
        for (int o = 0; o < n_out; ++o)
            out[o] = &m->poison;
        return;
    }
    m->scope_begin(m, NULL);
    m->adopt(m, in, n_in);
    int32_t next = s->n_parameters + s->n_inputs;
    for (int32_t i = 0; i < s->n_parameters; ++i)
        s->slot[i] = s->parameter[i];
    for (int i = 0; i < n_in; ++i)
        s->slot[s->n_parameters + i] = in[i];
    for (int32_t i = 0; i < p->n_nodes; ++i) {
        m->path = p->node[i].path ? p->node[i].path : path;
        replay(m, &p->node[i], s->slot, next);
        next += p->node[i].n_out;
    }
    for (int o = 0; o < n_out; ++o)
        out[o] = s->slot[p->result[o]];
    m->scope_end(m, out, n_out);
}
