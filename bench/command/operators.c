/* operators.c - `tare ops`: the operators' records, one a line, as JSON, or as the page docs/OPS.md.
 *
 * Everything is read from the records; nothing is known here of any operator. The page is the same on every machine, so
 * of kernel variants that differ by their instruction set alone it names the family. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../ops/ops.h"
#include "../base/plugins.h"
#include "commands.h"

static const char *const type_names[] = {"int", "float", "bool", "ints", "dtype", "choice"};

/* Operands that a mask or a table of input numbers can speak of. */
static int described(int n)
{
    return n < 0 || n > TARE_OPERANDS ? TARE_OPERANDS : n;
}

static const char *doc_of(const char *doc)
{
    return doc ? doc : "";
}

/* ---- JSON ------------------------------------------------------------------------------------------------------*/

/* null: any number. */
static json_t *count_json(int n)
{
    return n < 0 ? json_null() : json_integer(n);
}

static json_t *bits_json(uint32_t bits)
{
    json_t *list = json_array();
    for (int i = 0; i < 32; ++i)
        if (bits >> i & 1)
            json_array_append_new(list, json_integer(i));
    return list;
}

/* {output: input} */
static json_t *rights_json(const int8_t *of)
{
    json_t *rights = json_object();
    char text[16];
    for (int o = 0; o < TARE_OPERANDS; ++o)
        if (of[o]) {
            snprintf(text, sizeof text, "%d", o);
            json_object_set_new(rights, text, json_integer(of[o] - 1));
        }
    return rights;
}

/* A bound that is there: infinite ones, and those of types without any, are null. */
static json_t *bound_json(const tare_attr *a, double bound)
{
    bool number = a->type == TARE_ATTR_INT || a->type == TARE_ATTR_FLOAT || a->type == TARE_ATTR_INTS;
    return number && isfinite(bound) ? json_real(bound) : json_null();
}

static json_t *attributes_json(const tare_op *op)
{
    json_t *list = json_array();
    for (int i = 0; i < op->n_attrs; ++i) {
        const tare_attr *a = &op->attrs[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o,s:o,s:s}", "name", a->name, "type", type_names[a->type],
                                              "default", a->normal, "low", bound_json(a, a->low), "high",
                                              bound_json(a, a->high), "doc", doc_of(a->doc)));
    }
    return list;
}

static void print_json(const tare_op *op)
{
    json_t *names = json_array();
    for (int i = 0; i < op->n_variants; ++i)
        json_array_append_new(names, json_string(op->variants[i].name));
    json_t *row =
        json_pack("{s:s,s:o,s:o,s:i,s:o,s:o,s:b,s:b,s:o,s:o,s:o,s:o,s:i,s:o,s:s}", "name", op->name, "inputs",
                  count_json(op->n_in), "outputs", count_json(op->n_out), "auxiliaries", op->n_aux, "optional_inputs",
                  bits_json(op->optional), "attributes", attributes_json(op), "differentiable", !op->not_differentiable,
                  "view", op->view != NULL, "needs_inputs", bits_json(op->needs_in), "needs_outputs",
                  bits_json(op->needs_out), "overwrites", rights_json(op->overwrites), "ties", rights_json(op->ties),
                  "variants", op->n_variants, "variant_names", names, "doc", doc_of(op->doc));
    json_dumpf(row, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(row);
}

/* ---- the page --------------------------------------------------------------------------------------------------*/

static void print_count(int n, const char *what)
{
    if (n < 0)
        printf("any number of %ss", what);
    else
        printf("%d %s%s", n, what, n == 1 ? "" : "s");
}

/* "input 0, input 2" */
static void print_inputs(uint32_t bits)
{
    bool any = false;
    if (bits == UINT32_MAX) {
        printf("every input");
        return;
    }
    for (int i = 0; i < 32; ++i)
        if (bits >> i & 1) {
            printf("%sinput %d", any ? ", " : "", i);
            any = true;
        }
}

/* Auxiliaries come after the outputs, whose number is known where there are any. */
static void print_output(const tare_op *op, int o)
{
    if (op->n_out >= 0 && o >= op->n_out)
        printf("auxiliary %d", o - op->n_out);
    else
        printf("output %d", o);
}

static void print_operands(const tare_op *op)
{
    printf("- ");
    print_count(op->n_in, "input");
    if (op->optional) {
        printf(" (may be absent: ");
        print_inputs(op->optional);
        printf(")");
    }
    printf(", ");
    print_count(op->n_out, "output");
    if (op->n_aux) {
        printf(", ");
        print_count(op->n_aux, "auxiliary output");
        printf(" for the gradient");
    }
    if (op->shape_only) {
        printf("; of the shape alone are read: ");
        print_inputs(op->shape_only);
    }
    printf("\n");
}

static void print_gradient(const tare_op *op)
{
    if (op->not_differentiable) {
        printf("- not differentiable\n");
        return;
    }
    printf("- its gradient reads ");
    print_inputs(op->needs_in);
    bool any = op->needs_in != 0;
    for (int o = 0; o < 32; ++o)
        if (op->needs_out >> o & 1) {
            printf("%s", any ? ", " : "");
            print_output(op, o);
            any = true;
        }
    printf("%s\n", any ? "" : "shapes alone");
}

static void print_rights(const tare_op *op)
{
    for (int o = 0; o < described(op->n_out < 0 ? -1 : op->n_out + op->n_aux); ++o) {
        int of = op->ties[o] ? op->ties[o] : op->overwrites[o];
        if (!of)
            continue;
        printf("- ");
        print_output(op, o);
        printf(op->ties[o] ? " is input %d, written in place\n" : " may take over the storage of input %d\n", of - 1);
    }
    if (op->effects & TARE_EFFECT_RANDOM)
        printf("- random: kept in order, never dropped\n");
    if (op->effects & TARE_EFFECT_STATE)
        printf("- writes state: kept in order, never dropped\n");
}

/* Letters of a variant's name without its instruction set. */
static int family_letters(const char *name)
{
    static const char *const isa[] = {"portable", "avx2", "avx512"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof isa / sizeof *isa; ++i) {
        size_t n = strlen(isa[i]);
        if (length >= n && strcmp(name + length - n, isa[i]) == 0)
            return (int)(length - n - (length > n));
    }
    return (int)length;
}

static void print_variants(const tare_op *op)
{
    if (op->view) {
        printf("- a view: nothing runs\n");
        return;
    }
    printf("- kernels, best first: ");
    for (int i = 0; i < op->n_variants; ++i) {
        int letters = family_letters(op->variants[i].name);
        bool known = false;
        for (int k = 0; k < i && !known; ++k)
            known = family_letters(op->variants[k].name) == letters &&
                    strncmp(op->variants[k].name, op->variants[i].name, (size_t)letters) == 0;
        if (!known)
            printf("%s%.*s", i ? ", " : "", letters ? letters : (int)strlen("native"),
                   letters ? op->variants[i].name : "native");
    }
    printf("\n");
}

static void print_attributes(const tare_op *op)
{
    for (int i = 0; i < op->n_attrs; ++i) {
        const tare_attr *a = &op->attrs[i];
        printf("- `%s`: %s", a->name, type_names[a->type]);
        if (a->type == TARE_ATTR_DTYPE)
            printf(" from %s to %s", tare_dtype_name((tare_dtype)(int)a->low),
                   tare_dtype_name((tare_dtype)(int)a->high));
        else if (a->type == TARE_ATTR_CHOICE)
            printf(" of %s", a->normal);
        else if (a->type != TARE_ATTR_BOOL)
            printf(" from %.9g to %.9g", a->low, a->high);
        if (*a->normal)
            printf(", `%.*s`", (int)strcspn(a->normal, "|"), a->normal);
        else
            printf(", empty");
        printf("%s%s\n", a->doc ? ": " : "", doc_of(a->doc));
    }
}

static void print_markdown(const tare_op *op)
{
    printf("\n## %s\n\n    %s\n\n", op->name, doc_of(op->doc));
    print_operands(op);
    print_attributes(op);
    print_gradient(op);
    print_rights(op);
    print_variants(op);
}

static void print_head(void)
{
    printf("# Operators\n\n"
           "Written by `tare ops --markdown` from the operators' records (`core/op.h` says what each field means); a\n"
           "test keeps it fresh. Attributes: type, bounds (inclusive), `default`, meaning. Of kernels that differ by\n"
           "their instruction set alone the family is named. `tare ops --json` has the same for scripts; there a\n"
           "number of inputs or outputs that may be any is `null`.\n");
}

int tare__ops_run(const tare__line *line)
{
    bool json = tare__given(line, "json"), markdown = tare__given(line, "markdown");
    tare_runtime *rt = NULL;
    tare__plugins plugins;
    if (json && markdown)
        return tare__usage(line, "--json or --markdown, not both");
    int code = tare__plugins_read(line, &plugins);
    tare_status status = code ? TARE_OK : tare__start(NULL, &plugins, &rt);
    if (status != TARE_OK)
        code = tare__status_usage(line, status);
    if (!code && markdown)
        print_head();
    for (int i = 0; !code && i < rt->n_records[TARE_KIND_OPERATOR]; ++i) {
        const tare_op *op = (const tare_op *)rt->record[TARE_KIND_OPERATOR][i];
        if (json)
            print_json(op);
        else if (markdown)
            print_markdown(op);
        else
            printf("%-28s %s\n", op->name, doc_of(op->doc));
    }
    (void)tare_runtime_free(rt);
    return code;
}
