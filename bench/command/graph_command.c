/* graph_command.c - `tare graph`: a net's captured program as a Graphviz file; the net saved to files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/net_save.h"
#include "../arm/request.h"
#include "commands.h"

/* The picture goes through memory, so that the file appears whole or not at all. */
static int write_dot(const tare__line *line, const tare_graph *graph, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return tare__failed(line, "%s", strerror(errno));
    tare_status status = tare_graph_dot(graph, stream);
    if (fclose(stream) != 0 && status == TARE_OK)
        status = tare_error(TARE_NO_MEMORY, "no memory for the picture");
    return tare__file_put(line, path, text, bytes, status);
}

int tare__graph_run(const tare__line *line)
{
    tare__task task;
    const char *dot = tare__text(line, "dot"), *save = tare__text(line, "save");
    if (!dot && !save)
        return tare__usage(line, "--dot FILE or --save FILE.json is wanted");
    tare__arm arm;
    int code = tare__step_arm_open(line, "graph", &task, &arm);
    if (code)
        return code;
    tare_status status = TARE_OK;
    if (save)
        status = tare__net_save(arm.net, arm.batch, save);
    code = status == TARE_OK ? TARE__RAN : tare__status_usage(line, status);
    if (!code && save)
        printf("%s: %s, %d parameters in %.*s.safetensors\n", save, arm.net->label, arm.net->n_parameters,
               (int)(strrchr(save, '.') - save), save);
    if (!code && dot) {
        status = tare__arm_prepare(&arm);
        code = status == TARE_OK ? write_dot(line, arm.graph, dot) : tare__status_failed(line, status);
        if (!code)
            printf("%s: %s, %d nodes\n", dot, arm.net->label, tare_graph_nodes(arm.graph));
    }
    tare__arm_close(&arm);
    return code;
}
