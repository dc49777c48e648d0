/* block.c - what the object interface does at each call (see block.h). */
#include "block.h"

#include <string.h>

const tare_op *const tare_operator_table[TARE_F_COUNT] = {
#define TARE_OPERATOR_ROW(op, n)              &tare_op_##op,
#define TARE_OPERATOR_ROW_ATTR(op, n, fields) &tare_op_##op,
    TARE_OPERATORS(TARE_OPERATOR_ROW, TARE_OPERATOR_ROW_ATTR)
#undef TARE_OPERATOR_ROW
#undef TARE_OPERATOR_ROW_ATTR
};

static tare_value *fail(tare_mode *m, const tare_block *b, const char *parameter, const char *what)
{
    if (m->error == TARE_OK)
        m->error = tare_error(TARE_BAD_ARGUMENT, "%s '%s': parameter %s %s", b->class_->name, b->name, parameter, what);
    return &m->poison;
}

static tare_value *checked(tare_mode *m, const tare_block *b, const tare_block_parameter *p)
{
    tare_value *v = p->value;
    if (!v)
        return fail(m, b, p->name, "is not initialised");
    if (v->runtime != m->runtime)
        return fail(m, b, p->name, "belongs to another runtime");
    return v;
}

tare_value *tare_block_data(tare_mode *m, const tare_block *b, int parameter)
{
    return checked(m, b, &b->parameter[parameter]);
}

/* Deferred initialisation: a shape with an unknown dimension would be inferred here. */
static bool shape_known(const tare_value *v)
{
    bool known = true;
    for (int i = 0; i < v->d.rank; ++i)
        known &= v->d.dim[i] >= 0;
    return known;
}

static tare_value *by_name(tare_mode *m, const tare_block *b, const char *name)
{
    for (int i = 0; i < b->n_parameters; ++i) {
        const tare_block_parameter *p = &b->parameter[i];
        if (strcmp(p->name, name) != 0)
            continue;
        tare_value *v = checked(m, b, p);
        return v->poison || shape_known(v) ? v : fail(m, b, name, "has an unknown shape");
    }
    return fail(m, b, name, "is not one of the layer's");
}

tare_value *tare_block_hybrid(tare_mode *m, tare_block *b, tare_value *x)
{
    tare_value *out;
    if (b->captured) {
        (void)b->service->apply(b->captured, m, &x, 1, &out);
        return out;
    }
    tare_value *parameters[TARE_BLOCK_PARAMETERS];
    for (int i = 0; i < TARE_BLOCK_PARAMETERS && b->class_->parameter[i]; ++i)
        parameters[i] = by_name(m, b, b->class_->parameter[i]);
    return b->class_->hybrid_forward(m, b, tare_operator_table, x, parameters);
}

/* ---- capture of the children
 * -----------------------------------------------------------------------------------------*/
static void forward_child(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)n_in;
    (void)n_out;
    tare_block *b = owner;
    out[0] = b->class_->forward(m, b, in[0]);
}

static void let_go(tare_block *b)
{
    if (b->captured)
        b->service->free(b->captured);
    b->captured = NULL;
}

tare_status tare_block_hybridize(tare_runtime *rt, tare_block *root, const tare_capture_options *options)
{
    const tare_capture_service *service = options ? tare_find(rt, TARE_KIND_SERVICE, "capture") : NULL;
    if (options && !service)
        return TARE_NOT_FOUND;
    for (int i = 0; i < root->n_children; ++i) {
        tare_block *b = &root->child[i];
        let_go(b);
        b->service = service;
        tare_status status = options ? service->make(rt, forward_child, b, 1, options, &b->captured) : TARE_OK;
        if (status != TARE_OK)
            return status;
    }
    return TARE_OK;
}
