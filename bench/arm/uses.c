/* uses.c - what each value of a step is for, read from its program (see occupancy.h). */
#include <stdlib.h>

#include "occupancy.h"

#define TARE__USE_TEXT(NAME, text, doc) text,
const char *const tare__use_names[TARE__USE_COUNT] = {TARE__USES(TARE__USE_TEXT)};
#undef TARE__USE_TEXT
#define TARE__USE_DOC(NAME, text, doc) doc,
const char *const tare__use_docs[TARE__USE_COUNT] = {TARE__USES(TARE__USE_DOC)};
#undef TARE__USE_DOC

static int32_t root_id(const tare_value *v)
{
    return tare_value_root(v)->id;
}

/* By the part of the program that makes it. */
static void by_part(const tare__arm *a, const tare_program *p, tare__use *use)
{
    int n_graph = tare_graph_program(a->graph)->n;
    for (int i = 0; i < p->n; ++i) {
        const tare_node *n = &p->node[i];
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k])
                use[n->operand[k]->id] = i >= n_graph        ? TARE__USE_REPEATED
                                         : i >= a->n_forward ? TARE__USE_GRADIENT
                                                             : TARE__USE_ACTIVATION;
    }
}

static bool reads(const tare_node *n, int k)
{
    return n->operand[k] && !(k < 32 && n->op->shape_only >> k & 1);
}

/* What the forward part leaves to all that comes after it. */
static void find_saved(const tare__arm *a, const tare_program *p, tare__use *use)
{
    for (int i = a->n_forward; i < p->n; ++i)
        for (int k = 0; k < p->node[i].n_in; ++k) {
            const tare_node *n = &p->node[i];
            if (reads(n, k) && use[root_id(n->operand[k])] == TARE__USE_ACTIVATION)
                use[root_id(n->operand[k])] = TARE__USE_SAVED;
        }
}

/* The gradients of parameters, and, from the last to the first, the partial sums that they are made of. */
static void find_gradients(const tare__arm *a, const tare_program *p, tare__use *use)
{
    tare_mode *m = tare_graph_mode(a->graph);
    for (int i = 0; i < a->net->n_parameters; ++i) {
        const tare_value *g = m->gradient(m, a->net->parameter[i].value);
        if (g && use[root_id(g)] == TARE__USE_GRADIENT)
            use[root_id(g)] = TARE__USE_PARAMETER;
    }
    for (int i = tare_graph_program(a->graph)->n - 1; i >= a->n_forward; --i) {
        const tare_node *n = &p->node[i];
        if (n->op != a->rt->accumulate || use[root_id(n->operand[n->n_in])] != TARE__USE_PARAMETER)
            continue;
        for (int k = 0; k < n->n_in; ++k)
            if (use[root_id(n->operand[k])] == TARE__USE_GRADIENT)
                use[root_id(n->operand[k])] = TARE__USE_PARAMETER;
    }
}

/* What is made of gradients of parameters, other than such. */
static void find_update(const tare__arm *a, const tare_program *p, tare__use *use)
{
    for (int i = a->n_forward; a->optimizer && i < tare_graph_program(a->graph)->n; ++i) {
        const tare_node *n = &p->node[i];
        bool updates = false;
        for (int k = 0; k < n->n_in; ++k)
            updates |= n->operand[k] && use[root_id(n->operand[k])] == TARE__USE_UPDATE;
        for (int k = 0; k < n->n_in && n->op != a->rt->accumulate; ++k)
            updates |= n->operand[k] && use[root_id(n->operand[k])] == TARE__USE_PARAMETER;
        for (int k = n->n_in; updates && k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k] && use[root_id(n->operand[k])] == TARE__USE_GRADIENT)
                use[root_id(n->operand[k])] = TARE__USE_UPDATE;
    }
}

tare__use *tare__uses(const tare__arm *a, const tare_program *p)
{
    tare__use *use = tare__take((size_t)p->n_values + 1, sizeof *use);
    by_part(a, p, use);
    find_saved(a, p, use);
    find_gradients(a, p, use);
    find_update(a, p, use);
    return use;
}
