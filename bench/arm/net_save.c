/* net_save.c - a net captured twice, as it is in training and in inference, and saved (see net_save.h). */
#include "net_save.h"

#include "../../graph/save.h"

static tare_status capture(tare_net *net, int64_t batch, bool training, tare_graph **graph)
{
    tare_status status = tare_graph_new(net->runtime, graph);
    if (status != TARE_OK)
        return status;
    tare_mode *m = tare_graph_mode(*graph);
    tare_desc d = tare_net_input(net, batch);
    m->training = training;
    tare_value *x = tare_graph_input(*graph, &d, "x");
    tare_value *y = tare_net_forward(m, net, x);
    return m->error ? m->error : tare_graph_output(*graph, y);
}

static tare_status save(tare_net *net, tare_graph *const graph[2], const char *path)
{
    const tare_net_type *type = net->type;
    tare_saved_net about = {.label = net->label,
                            .bench_loss = tare_loss_name(type->bench_loss),
                            .training_loss = tare_loss_name(type->training_loss),
                            .optimizer = type->optimizer,
                            .byte_divisor = type->byte_divisor,
                            .default_batch = type->default_batch};
    type->input(net->options, &about.input);
    type->output(net->options, &about.output);
    tare_memory *memory = &net->runtime->memory;
    int n = net->n_parameters + net->n_states;
    size_t bytes = (size_t)n * sizeof(tare_value *);
    tare_value **value = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    if (!value)
        return TARE_NO_MEMORY;
    for (int i = 0; i < n; ++i)
        value[i] = i < net->n_parameters ? net->parameter[i].value : net->state[i - net->n_parameters].value;
    tare_save_options options = {.parameter = value, .n_parameters = n, .net = &about};
    tare_status status = tare_graph_save(graph[1], graph[0], &options, path);
    tare_memory_give(memory, TARE_MEMORY_RECORD, value, bytes);
    return status;
}

tare_status tare__net_save(tare_net *net, int64_t batch, const char *path)
{
    tare_graph *graph[2] = {NULL};
    tare_status status = capture(net, batch, false, &graph[0]);
    if (status == TARE_OK)
        status = capture(net, batch, true, &graph[1]);
    if (status == TARE_OK)
        status = save(net, graph, path);
    tare_graph_free(graph[0]);
    tare_graph_free(graph[1]);
    return status;
}
