/* both_modes.c - a net defined once, run operator by operator and as a planned graph; the losses are the same bits. */
#include <stdio.h>
#include <tare/tare.h>

/* loss = mean of tanh(x w)² : written over the mode, so it cannot know how it is run */
static tare_value *net(tare_mode *m, tare_value *x, tare_value *w)
{
    tare_value *y = tare_tanh(m, tare_matmul(m, x, w, (tare_matmul_attr){false, false}));
    return tare_mean(m, tare_mul(m, y, y), (tare_mean_attr){.keep_dims = false});
}

int main(void)
{
    tare_runtime *rt;
    tare_value *x, *w;
    float loss[2], data[12] = {0.1f, -0.2f, 0.3f, 0.4f, 0.5f, -0.6f, 0.7f, 0.8f, -0.9f, 1.0f, 1.1f, 1.2f};
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){2, 3}),
              e = tare_desc_of(TARE_F32, 2, (const int64_t[]){3, 2});
    if (tare_start(NULL, &rt) || tare_graph_register(rt) || tare_value_new(rt, &d, TARE_MEMORY_INPUT, &x) ||
        tare_value_new(rt, &e, TARE_MEMORY_PARAMETER, &w) || tare_value_write(x, data, 24) ||
        tare_value_write(w, data + 6, 24))
        return fprintf(stderr, "%s\n", tare_error_text()), 1;
    tare_value_want_gradient(w, true);

    tare_mode *m;
    tare_imperative_new(rt, &m); /* run now, with a tape */
    m->recording = true;
    m->scope_begin(m, NULL);
    tare_value *now = net(m, x, w);
    m->backward(m, &now, NULL, 1, false);
    tare_status status = m->error ? m->error : tare_value_read(now, &loss[0], 4);
    m->scope_end(m, NULL, 0);

    tare_graph *g;
    tare_plan *plan = NULL;
    tare_instance *run = NULL;
    tare_graph_new(rt, &g); /* run later: the same function, captured, planned, replayed */
    tare_value *later = net(tare_graph_mode(g), x, w);
    if (status || tare_graph_output(g, later) || tare_plan_new(g, NULL, &plan) || tare_instance_new(plan, &run) ||
        tare_instance_run(run) || tare_value_read(tare_instance_output(run, 0), &loss[1], 4))
        return fprintf(stderr, "%s\n", tare_error_text()), 1;
    printf("imperative %.9g, graph %.9g: %s\n", (double)loss[0], (double)loss[1],
           loss[0] == loss[1] ? "equal" : "DIFFERENT");

    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(g);
    tare_imperative_free(m);
    tare_value_clear_gradient(w);
    tare_value_drop(x);
    tare_value_drop(w);
    return tare_runtime_free(rt) != 0 || loss[0] != loss[1];
}
