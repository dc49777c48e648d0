/* save.h - a captured function to files: its forward program to NAME.json, what it reads to NAME.safetensors.
 *
 *     capture with m->training = true, mark the results (tare_graph_output); again with m->training = false
 *     tare_graph_save(training, inference, &options, "mlp.json");
 *     tare_saved_read(rt, "mlp.json", &saved);            data/saved.h
 *     tare_saved_forward(saved, mode, in, 1, out, 1);     in either mode, its gradient taken again
 *
 * The forward program is what was captured before the first backward, as far as a result or an effect depends on it.
 * Results marked later (gradients) are not saved. */
#ifndef TARE_GRAPH_SAVE_H
#define TARE_GRAPH_SAVE_H

#include "../data/saved.h"
#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    tare_value *const *parameter; /* saved first, in this order, whether read or not; what else the programs read
                                     follows */
    int n_parameters;
    const tare_saved_net *net; /* NULL: the function is no net */
} tare_save_options;

/* Saves the function that was captured in `training`, and with m->training off in `inference` (NULL: the one program
 * serves both; two that are the same are saved once). Both have the same placeholders and as many results. Every value
 * that is read needs a name of its own (tare_value.name). NULL options: none. See tare_saved_write for the errors and
 * for what a failure leaves. */
TARE_API tare_status tare_graph_save(const tare_graph *training, const tare_graph *inference,
                                     const tare_save_options *options, const char *path);

#ifdef __cplusplus
}
#endif
#endif
