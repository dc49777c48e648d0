/* fields.c - figures as fields of lines (see fields.h). */
#include "fields.h"

#include <math.h>

#include "../base/record.h"

static json_t *integer_or_null(double x)
{
    return isfinite(x) ? json_integer((json_int_t)llround(x)) : json_null();
}

static json_t *ratio_json(tare__interval logs)
{
    tare__interval ratio = tare__interval_exp(logs);
    return json_pack("{s:o,s:o}", "value", tare__real(ratio.mean), "ci95", tare__range(ratio.low, ratio.high));
}

/* The number, or null and why. */
static void put_real(json_t *record, const char *field, double x, const char *why)
{
    if (isfinite(x))
        json_object_set_new(record, field, json_real(x));
    else
        tare__null(record, field, why);
}

static void put_trust(json_t *record, const tare__summary *s)
{
    json_object_set_new(record, "rounds", json_integer(s->n_rounds));
    json_object_set_new(record, "processes", json_integer(s->n_processes));
    json_object_set_new(record, "dropped_rounds", json_integer(s->kept_all ? 0 : s->n_dropped));
    tare__null(record, "trusted", s->cause);
    json_object_set_new(record, "trusted", json_boolean(s->trusted));
    if (s->trusted)
        json_object_del(record, "reasons");
}

static void put_overhead(json_t *record, const tare__summary *s, const tare__reference *r, const tare__figures *arm)
{
    double overhead = arm->min - s->arm[r->base].min;
    json_object_set_new(record, "ratio_to_kernels", ratio_json(arm->logs));
    json_object_set_new(record, "overhead_ns", tare__real(overhead));
    json_object_set_new(record, "overhead_ns_per_node", tare__real(overhead / r->nodes));
    put_real(record, "null_ns", arm->null_min, "needs an arm with kernels=null beside it");
    put_real(record, "efficiency", arm->efficiency,
             "no FLOPs, null kernels, or another number of threads than the machine's rates");
    put_real(record, "roofline", arm->roofline, "null kernels, or another number of threads than the machine's rates");
}

json_t *tare__derived_arm(const tare__summary *s, const tare__reference *r, int i)
{
    const tare__figures *arm = &s->arm[i];
    json_t *record = json_object();
    put_trust(record, s);
    put_real(record, "mde", tare__smallest_effect(arm->logs), "needs two processes");
    json_object_set_new(record, "step_ns",
                        json_pack("{s:o,s:o,s:o,s:o}", "min", tare__real(arm->min), "median", tare__real(arm->median),
                                  "mean", tare__real(arm->step.mean), "ci95",
                                  tare__range(arm->step.low, arm->step.high)));
    json_object_set_new(record, "cpu_ns", integer_or_null(arm->cpu));
    json_object_set_new(record, "gemm_gflops", tare__real(s->gemm_gflops));
    if (i != r->sgemm && i != r->triad)
        put_overhead(record, s, r, arm);
    return record;
}

json_t *tare__derived_contrast(const tare__summary *s, const tare__reference *r, int i)
{
    const tare__figures *arm = &s->arm[i];
    tare__interval ratio = tare__interval_exp(arm->logs);
    json_t *record = json_object();
    json_object_set_new(record, "ratio", tare__real(ratio.mean));
    json_object_set_new(record, "ci95", tare__range(ratio.low, ratio.high));
    json_object_set_new(record, "range", tare__range(arm->least, arm->greatest));
    put_real(record, "p", tare__p_value(arm->logs), "needs two processes that differ");
    put_real(record, "p_holm", arm->p_holm,
             i == r->again ? "the A/A arm is no question" : "needs two processes that differ");
    put_real(record, "mde", tare__smallest_effect(arm->logs), "needs two processes");
    const char *verdict = tare__verdict(s, r, i);
    if (verdict)
        json_object_set_new(record, "verdict", json_string(verdict));
    else
        tare__null(record, "verdict",
                   i == r->again ? "the A/A arm is no question"
                   : s->trusted  ? "needs two processes that differ"
                                 : "the run is not trusted");
    return record;
}

json_t *tare__derived_run(const tare__summary *s, const tare__reference *r)
{
    json_t *record = json_object();
    put_trust(record, s);
    json_object_set_new(record, "disturbed_rounds", json_integer(s->n_dropped));
    json_object_set_new(record, "help", s->trusted ? json_null() : json_string(s->help));
    if (r->again >= 0)
        json_object_set_new(record, "again", ratio_json(s->arm[r->again].logs));
    else
        tare__null(record, "again", "no arm was measured against itself");
    json_object_set_new(record, "gemm_gflops", tare__real(s->gemm_gflops));
    json_object_set_new(record, "bandwidth_gbs", tare__real(s->bandwidth));
    return record;
}
