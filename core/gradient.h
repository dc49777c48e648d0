/* gradient.h - the reverse walk, one for tapes and graphs, and the builder that an operator's gradient writes to.
 *
 * Nodes are visited in descending order; contributions to a value are added in the order in which they come, so
 * the sum of a value with several readers is the same, bit for bit, whoever walks. No pass runs before the walk.
 * (Reverse accumulation: Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2.)
 *
 * An operator's gradient() calls the functions below with the builder it is handed. An output's head is NULL when
 * no gradient arrived there: it is left out, never replaced by zeros. */
#ifndef TARE_CORE_GRADIENT_H
#define TARE_CORE_GRADIENT_H

#include "mode.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tare_builder {
    tare_mode *mode;       /* apply operators through it */
    const tare_node *node; /* the node whose gradient is being built: a copy that stays put */
};

/* Gradient that arrived at output o, or NULL. Borrowed. */
TARE_API tare_value *tare_head(const tare_builder *, int o);
/* Whether input i wants a gradient: an unwanted one need not be computed. */
TARE_API bool tare_wanted(const tare_builder *, int i);
/* The node's input i, and output or auxiliary o (auxiliaries follow the outputs). Only what `needs` lists has data. */
static inline tare_value *tare_input(const tare_builder *b, int i)
{
    return b->node->operand[i];
}
static inline tare_value *tare_output(const tare_builder *b, int o)
{
    return b->node->operand[b->node->n_in + o];
}
/* Adds g to the gradient of input i, if it is wanted. */
TARE_API void tare_contribute(const tare_builder *, int i, tare_value *g);
/* For a captured sub-graph: the partial sum that has arrived at input i (NULL: none), and its replacement after
 * the sub-graph has continued the canonical order from there. */
TARE_API tare_value *tare_partial(const tare_builder *, int i);
TARE_API void tare_continue(const tare_builder *, int i, tare_value *sum);
/* The same for a leaf that the sub-graph reaches without its being an input. */
TARE_API tare_value *tare_leaf_partial(const tare_builder *, const tare_value *leaf);
TARE_API void tare_leaf_continue(const tare_builder *, tare_value *leaf, tare_value *sum);
/* Hands n sums to n different leaves, none of which has a gradient, of whatever walk. The leaves and the list outlive
 * the walk. */
TARE_API void tare_leaves_begin(const tare_builder *, tare_value *const *leaf, tare_value *const *sum, int n);
/* The same where the sums stand on the leaves already, their bytes written anew (m->overwrite): nothing is done a leaf.
 */
TARE_API void tare_leaves_rewritten(const tare_builder *, tare_value *const *leaf, int n);
/* Status and text for a value that was saved for backward and has been written since; i: its number among the node's
 * inputs (or outputs). */
TARE_API tare_status tare_saved_error(const tare_node *, bool input, int i, const tare_value *);

/* The walk over m->program from the roots (head NULL or head[i] NULL: ones). Leaves the sums on the leaves, added to
 * what was there, or in its place (m->overwrite; then a failure leaves nothing on the leaves that it reached). Unless
 * `keep`, each node is freed as soon as it has been walked; nodes that no gradient reached stay. */
TARE_API tare_status tare_reverse(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep);

#ifdef __cplusplus
}
#endif
#endif
