/* dot.c - a program as a picture: Graphviz dot, operators as boxes, externals as ellipses, edges with shapes. */
#include <stdio.h>

#include "graph_private.h"

static void quote(FILE *f, const char *text)
{
    for (; text && *text; ++text) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', f);
        (void)fputc(*text, f);
    }
}

static void external_node(FILE *f, const tare_value *v)
{
    char shape[TARE_DESC_TEXT];
    (void)fprintf(f, "  v%d [shape=ellipse, label=\"", v->id);
    quote(f, v->name ? v->name : "value");
    (void)fprintf(f, "\\n%s\"];\n", tare_desc_text(&v->d, shape));
}

static void operator_node(FILE *f, const tare_node *n, int32_t i)
{
    (void)fprintf(f, "  n%d [shape=box, label=\"%s", i, n->op->name);
    if (n->path) {
        (void)fprintf(f, "\\n");
        quote(f, n->path);
    }
    (void)fprintf(f, "\"];\n");
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value *v = n->operand[k];
        char shape[TARE_DESC_TEXT];
        if (v)
            (void)fprintf(f, "  %c%d -> n%d [label=\"%s\"%s];\n", v->node < 0 ? 'v' : 'n',
                          v->node < 0 ? v->id : v->node, i, tare_desc_text(&v->d, shape),
                          n->op->shape_only >> (k & 31) & 1 ? ", style=dotted" : "");
    }
}

tare_status tare_graph_dot(const tare_graph *g, void *file)
{
    FILE *f = file;
    (void)fprintf(
        f, "digraph tare {\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (int32_t k = 0; k < g->n_external; ++k)
        external_node(f, g->external[k].symbol);
    for (int32_t i = 0; i < g->program.n; ++i)
        operator_node(f, &g->program.node[i], i);
    for (int32_t k = 0; k < g->n_output; ++k) {
        const tare_value *v = g->program.value[g->output[k]];
        (void)fprintf(f, "  r%d [shape=doubleoctagon, label=\"result %d\"];\n  %c%d -> r%d;\n", k, k,
                      v->node < 0 ? 'v' : 'n', v->node < 0 ? v->id : v->node, k);
    }
    (void)fprintf(f, "}\n");
    return ferror(f) ? tare_error(TARE_IO, "the picture could not be written") : TARE_OK;
}
