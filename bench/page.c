/* page.c - the page of `tare report` (see page.h). */
#include "page.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "rung.h"
#include "table.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--paper:#fff;--stripe:#f4f6f8;"
    "--arm:#2f6fb0;--base:#98a2ad;--mark:#14181d;--warn:#8a4b00}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa5b1;--line:#343c45;--paper:#14181d;"
    "--stripe:#1c2229;--arm:#5b9bd8;--base:#66717d;--mark:#f4f6f8;--warn:#f0b060}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:70rem;padding:1.5rem 1rem 4rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.25rem;margin:2.5rem 0 .25rem;overflow-wrap:anywhere}"
    "h3{font-size:1rem;margin:1.5rem 0 .5rem}p{margin:.25rem 0;max-width:54rem}details{margin:1rem "
    "0}summary{cursor:pointer;color:var(--soft)}.soft{color:var(--soft)}"
    ".warn{color:var(--warn)}\n"
    ".wide{overflow-x:auto;max-height:40rem;overflow-y:auto;border:1px solid var(--line);border-radius:6px}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.875rem}"
    "th,td{padding:.3rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "th{font-weight:600;color:var(--soft);position:sticky;top:0;background:var(--paper)}"
    "th:first-child,td:first-child{text-align:left;max-width:14rem;overflow:hidden;text-overflow:ellipsis}"
    "tbody tr:nth-child(even){background:var(--stripe)}tbody tr:last-child td{border-bottom:0}"
    "td.text{text-align:left}code{font-family:ui-monospace,monospace;font-size:.85em}\n"
    ".bar{display:grid;grid-template-columns:minmax(5rem,11rem) 1fr 6rem;gap:.75rem;align-items:center;"
    "font-size:.875rem}.bar .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".bar .value{font-variant-numeric:tabular-nums;color:var(--soft);white-space:nowrap}"
    ".bar svg{display:block;overflow:visible}.bar rect.arm{fill:var(--arm)}.bar rect.base{fill:var(--base)}"
    ".bar line{stroke:var(--mark);stroke-width:1.5}\n"
    ".bars{max-height:40rem;overflow-y:auto}\n"
    "@media(max-width:600px){th:first-child,td:first-child{max-width:9rem}.bar{grid-template-columns:1fr auto;gap:0 "
    ".75rem;margin-bottom:.4rem}"
    ".bar svg{grid-column:1/3;grid-row:2}}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.875rem;margin:.5rem 0}"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "@media(max-width:600px){dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}\n";

static double number(const json_t *record, const char *field)
{
    const json_t *value = json_object_get(record, field);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static double within(const json_t *record, const char *group, const char *field)
{
    return number(json_object_get(record, group), field);
}

/* An end of an interval [low, high]. */
static double end_of(const json_t *record, const char *group, int which)
{
    const json_t *range = json_object_get(json_object_get(record, group), "ci95");
    const json_t *value = json_array_get(range, (size_t)which);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *text_of(const json_t *record, const char *field)
{
    const char *text = json_string_value(json_object_get(record, field));
    return text ? text : "";
}

static void cell(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void cell(FILE *out, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fputs("<td>", out);
    tare__page_text(out, text);
    fputs("</td>", out);
}

static void head(FILE *out, const char *const *name, int n)
{
    fputs("<div class=\"wide\"><table><thead><tr>", out);
    for (int i = 0; i < n; ++i) {
        fputs("<th>", out);
        tare__page_text(out, name[i]);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
}

static void foot(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

/* The arm's name, and below it what was flipped against its rung. */
static void arm_cell(FILE *out, const json_t *record)
{
    const char *name = text_of(record, "arm"), *mode = text_of(record, "mode");
    fputs("<td title=\"", out);
    tare__page_text(out, name);
    fputs("\">", out);
    tare__page_text(out, name);
    const tare__rung *rung = tare__rung_find(mode);
    const json_t *factors = json_object_get(record, "factors");
    bool any = false;
    for (int f = 0; rung && f < TARE__FACTOR_COUNT; ++f) {
        const char *level = text_of(factors, tare__factors[f].name);
        if (f == TARE__JOINT || f == TARE__UPDATE || !*level || strcmp(level, tare__rung_cell(rung, f)->level) == 0)
            continue;
        if (!any)
            fprintf(out, "<br><span class=\"soft\">%s, ", rung->name);
        else
            fputs(", ", out);
        tare__page_text(out, tare__factors[f].name);
        fputs("=", out);
        tare__page_text(out, level);
        any = true;
    }
    fprintf(out, "%s</td>", any ? "</span>" : "");
}

/* ---- a benchmark's arms --------------------------------------------------------------------------------------*/

static bool is_sgemm(const json_t *record)
{
    return json_is_null(json_object_get(record, "mode"));
}

static void times_table(FILE *out, const json_t *arms)
{
    static const char *const names[] = {
        "arm",        "step min", "median", "mean, 95 % interval", "× kernels, 95 % interval", "overhead / node",
        "efficiency", "peak"};
    size_t i;
    json_t *arm;
    head(out, names, 8);
    json_array_foreach(arms, i, arm)
    {
        if (is_sgemm(arm))
            continue;
        char text[4][TARE__FIGURE];
        fputs("<tr>", out);
        arm_cell(out, arm);
        cell(out, "%s", tare__figure_ns(within(arm, "step_ns", "min"), text[0]));
        cell(out, "%s", tare__figure_ns(within(arm, "step_ns", "median"), text[0]));
        cell(out, "%s  [%s, %s]", tare__figure_ns(within(arm, "step_ns", "mean"), text[0]),
             tare__figure_ns(end_of(arm, "step_ns", 0), text[1]), tare__figure_ns(end_of(arm, "step_ns", 1), text[2]));
        cell(out, "%s  [%s, %s]", tare__figure_plain(within(arm, "ratio_to_kernels", "value"), 3, text[0]),
             tare__figure_plain(end_of(arm, "ratio_to_kernels", 0), 3, text[1]),
             tare__figure_plain(end_of(arm, "ratio_to_kernels", 1), 3, text[2]));
        cell(out, "%s", tare__figure_ns(number(arm, "overhead_ns_per_node"), text[0]));
        cell(out, "%s", tare__figure_plain(number(arm, "efficiency"), 3, text[0]));
        cell(out, "%s", tare__figure_bytes(number(arm, "peak_bytes"), text[0]));
        fputs("</tr>\n", out);
    }
    foot(out);
}

static bool is_base(const json_t *arm)
{
    return strcmp(text_of(arm, "arm"), "kernels") == 0;
}

static void step_bars(FILE *out, const json_t *arms)
{
    double full = 0;
    size_t i;
    json_t *arm;
    json_array_foreach(arms, i, arm) if (!is_sgemm(arm)) full =
        fmax(full, fmax(within(arm, "step_ns", "mean"), end_of(arm, "step_ns", 1)));
    fputs("<h3>Time of a step: mean and its 95 % interval</h3>\n<div class=\"bars\">\n", out);
    json_array_foreach(arms, i, arm)
    {
        if (is_sgemm(arm))
            continue;
        char text[TARE__FIGURE];
        tare__page_bar(out, text_of(arm, "arm"), tare__figure_ns(within(arm, "step_ns", "mean"), text),
                       within(arm, "step_ns", "mean"), end_of(arm, "step_ns", 0), end_of(arm, "step_ns", 1), full,
                       is_base(arm));
    }
    fputs("</div>\n", out);
}

static void overhead_bars(FILE *out, const json_t *arms)
{
    double full = 0;
    int n = 0;
    size_t i;
    json_t *arm;
    json_array_foreach(arms, i, arm) full = fmax(full, number(arm, "overhead_ns_per_node"));
    json_array_foreach(arms, i, arm)
    {
        char text[TARE__FIGURE];
        double overhead = number(arm, "overhead_ns_per_node");
        if (is_sgemm(arm) || is_base(arm))
            continue;
        if (n++ == 0)
            fputs("<h3>Overhead a node, above the bare kernel calls</h3>\n<div class=\"bars\">\n", out);
        tare__page_bar(out, text_of(arm, "arm"), tare__figure_ns(overhead, text), overhead, (double)NAN, (double)NAN,
                       full, 0);
    }
    if (n)
        fputs("</div>\n", out);
}

static void counts_table(FILE *out, const json_t *arms)
{
    static const char *const names[] = {"a step of", "calls", "look-ups",    "parses",     "inferences",
                                        "guards",    "takes", "allocations", "tape nodes", "patches",
                                        "locks",     "plans", "captures"};
    static const char *const field[] = {"kernel_calls",  "lookups",     "parses",     "infers",  "guards",
                                        "storage_takes", "allocations", "tape_nodes", "patches", "locks"};
    size_t i;
    json_t *arm;
    fputs("<h3>Counts a step, exact</h3>\n", out);
    head(out, names, 13);
    json_array_foreach(arms, i, arm)
    {
        if (is_sgemm(arm))
            continue;
        fputs("<tr>", out);
        arm_cell(out, arm);
        for (int f = 0; f < 10; ++f)
            cell(out, "%.0f", within(arm, "counts", field[f]));
        cell(out, "%.0f", within(arm, "setup", "plans"));
        cell(out, "%.0f", within(arm, "setup", "captures"));
        fputs("</tr>\n", out);
    }
    foot(out);
}

static void arms_section(FILE *out, const json_t *arms)
{
    const json_t *first = json_array_get(arms, 0);
    const char *optimizer = text_of(first, "optimizer");
    char flops[TARE__FIGURE];
    fprintf(out,
            "<p>%s%s%s, %.0f nodes, %s FLOPs a step; %.0f rounds in %.0f processes, %.0f dropped as disturbed; "
            "this machine's sgemm: %.1f GFLOP/s.</p>\n",
            text_of(first, "work"), *optimizer ? " with " : "", optimizer, number(first, "nodes"),
            tare__figure_count(number(first, "flops"), flops), number(first, "rounds"), number(first, "processes"),
            number(first, "dropped_rounds"), number(first, "gemm_gflops"));
    if (json_is_false(json_object_get(first, "trusted"))) {
        fputs("<p class=\"warn\">Not to be trusted: ", out);
        tare__page_text(out, text_of(json_object_get(first, "reasons"), "trusted"));
        fputs(".</p>\n", out);
    }
    times_table(out, arms);
    step_bars(out, arms);
    overhead_bars(out, arms);
    counts_table(out, arms);
}

/* ---- the other kinds -----------------------------------------------------------------------------------------*/

static void agree_section(FILE *out, const json_t *agrees)
{
    static const char *const names[] = {"rung",      "verdict",    "loss",  "outputs",
                                        "gradients", "parameters", "state", "kernel calls"};
    static const char *const field[] = {"loss", "outputs", "gradients", "parameters", "state"};
    size_t i;
    json_t *record;
    fputs("<h3>Agreement: hashes of results, equal where the bits are equal</h3>\n", out);
    head(out, names, 8);
    json_array_foreach(agrees, i, record)
    {
        fputs("<tr>", out);
        arm_cell(out, record);
        cell(out, "%s %s", text_of(record, "verdict"), text_of(record, "what"));
        for (int f = 0; f < 5; ++f)
            cell(out, "%s", text_of(json_object_get(record, "digest"), field[f]));
        cell(out, "%s", text_of(record, "calls_digest"));
        fputs("</tr>\n", out);
    }
    foot(out);
}

static void epoch_section(FILE *out, const json_t *epochs)
{
    static const char *const names[] = {"mode", "epoch", "loss", "score", "time", "CPU time", "a step", "peak memory"};
    size_t i;
    json_t *record;
    fputs("<h3>Training</h3>\n", out);
    head(out, names, 8);
    json_array_foreach(epochs, i, record)
    {
        char text[TARE__FIGURE];
        const json_t *score = json_object_get(record, "score");
        bool labels = json_is_number(json_object_get(score, "accuracy"));
        fputs("<tr>", out);
        arm_cell(out, record);
        cell(out, "%.0f", number(record, "epoch"));
        cell(out, "%.9g", number(record, "loss"));
        cell(out, "%s %s %.6g", text_of(score, "set"), labels ? "accuracy" : "MSE",
             number(score, labels ? "accuracy" : "mse"));
        cell(out, "%s", tare__figure_ns(number(record, "time_ns"), text));
        cell(out, "%s", tare__figure_ns(number(record, "cpu_ns"), text));
        cell(out, "%s", tare__figure_ns(number(record, "time_ns") / number(record, "steps"), text));
        cell(out, "%s", tare__figure_bytes(number(record, "rss_peak_bytes"), text));
        fputs("</tr>\n", out);
    }
    foot(out);
}

/* ---- the whole -----------------------------------------------------------------------------------------------*/

static void environment(FILE *out, const json_t *record)
{
    static const char *const group[] = {"machine", "build", "libraries"};
    fputs("<details><summary>Where and how it was measured</summary>\n<dl>\n", out);
    for (int g = 0; g < 3; ++g) {
        const char *key;
        json_t *value;
        json_object_foreach(json_object_get(record, group[g]), key, value)
        {
            if (json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
                continue;
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            fputs("<dt>", out);
            tare__page_text(out, key);
            fputs("</dt><dd>", out);
            tare__page_text(out, json_is_string(value) ? json_string_value(value) : text);
            fputs("</dd>\n", out);
            free(text);
        }
    }
    fprintf(out, "<dt>tare</dt><dd>%s (", text_of(record, "version"));
    tare__page_text(out, text_of(record, "commit"));
    fputs(")</dd>\n<dt>command</dt><dd><code>", out);
    size_t i;
    json_t *word;
    json_array_foreach(json_object_get(record, "command"), i, word)
    {
        fputs(i ? " " : "", out);
        tare__page_text(out, json_is_string(word) ? json_string_value(word) : "");
    }
    fputs("</code></dd>\n</dl></details>\n", out);
}

static void definitions(FILE *out)
{
    static const char *const term[][2] = {
        {"step", "what was asked for, once: forward and backward, and the update where an optimizer was asked for."},
        {"kernels", "the arm that everything is compared with: the bound kernel calls of the plan in a bare loop."},
        {"× kernels",
         "ratio of step times in the same round; the interval is Student's t over process means of its logarithm."},
        {"overhead / node",
         "(step min − step min of kernels) / nodes; nodes are operators that have a kernel, before passes."},
        {"efficiency",
         "FLOPs of the matrix products / step time / rate of this machine's sgemm 1024³, median over rounds."},
        {"peak", "highest bytes of activations, workspaces and gradients at any time of a step, in units of 64 bytes."},
        {"counts", "how often a step did each of these; they are exact and need no quiet machine."},
    };
    fputs("<h2>Words</h2>\n<dl>\n", out);
    for (size_t i = 0; i < sizeof term / sizeof *term; ++i)
        fprintf(out, "<dt>%s</dt><dd>%s</dd>\n", term[i][0], term[i][1]);
    fputs("</dl>\n", out);
}

static const json_t *any_record(const tare__run *run)
{
    const json_t *all[] = {run->arms, run->agrees, run->epochs};
    for (int i = 0; i < 3; ++i)
        if (json_array_size(all[i]))
            return json_array_get(all[i], 0);
    return NULL;
}

static void run_section(FILE *out, const tare__run *run)
{
    const json_t *record = any_record(run);
    fputs("<h2 id=\"", out);
    tare__page_text(out, run->run_id);
    fputs("\">", out);
    tare__page_text(out, text_of(record, "net"));
    fprintf(out, ", batch %.0f, %.0f thread%s</h2>\n", number(record, "batch"), number(record, "threads"),
            number(record, "threads") == 1 ? "" : "s");
    if (json_array_size(run->arms))
        arms_section(out, run->arms);
    if (json_array_size(run->agrees))
        agree_section(out, run->agrees);
    if (json_array_size(run->epochs))
        epoch_section(out, run->epochs);
    environment(out, record);
}

/* Where the machine is another one than before. */
static void machine_heading(FILE *out, const json_t *before, const json_t *record)
{
    const json_t *machine = json_object_get(record, "machine");
    if (before && json_equal(json_object_get(before, "machine"), machine))
        return;
    fputs("<p class=\"machine\"><b>On ", out);
    tare__page_text(out, text_of(machine, "host"));
    fputs("</b>: ", out);
    tare__page_text(out, text_of(machine, "cpu"));
    fprintf(out, ", %.0f processors</p>\n", number(machine, "processors"));
}

void tare__page_write(FILE *out, const tare__run *runs, int n_runs, bool by_machine)
{
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>tare: report</title>\n"
            "<style>\n%s</style></head><body>\n<h1>tare: report</h1>\n"
            "<p class=\"soft\">The same net on the same kernels, run in several ways: what differs is wrapping.</p>\n",
            style);
    if (!n_runs)
        fputs("<p>There are no records here.</p>\n", out);
    for (int i = 0; i < n_runs; ++i) {
        if (by_machine)
            machine_heading(out, i ? any_record(&runs[i - 1]) : NULL, any_record(&runs[i]));
        run_section(out, &runs[i]);
    }
    if (n_runs)
        definitions(out);
    fputs("</body></html>\n", out);
}
