/* modes.c - `tare modes` and `tare factors`: the ladder's table, printed. docs/MODES.md is `tare modes --markdown`. */
#include <string.h>

#include "../arm/rung.h"

static void print_cells(const tare__rung *rung, int f)
{
    const tare__cell *cell = tare__rung_cell(rung, f);
    printf(" %s", cell->level);
    for (const char *word = cell->flips; *word;) {
        int n = (int)strcspn(word, " ");
        if (n != (int)strlen(cell->level) || strncmp(word, cell->level, (size_t)n) != 0)
            printf(", %.*s", n, word);
        word += n + (word[n] == ' ');
    }
    printf(" |");
}

static void markdown_rungs(void)
{
    printf(
        "# Modes, rungs and factors\n\n"
        "Written by `tare modes --markdown` from the ladder's table in `bench/arm/rung.c`; a test keeps it fresh.\n\n"
        "A *mode* is imperative or graph. A *rung* is a named setting of all *factors*; a factor is a mechanism that\n"
        "can be switched alone. All rungs give bitwise the same loss, outputs, gradients, parameters and state.\n\n"
        "## What each rung mirrors\n\n| rung |");
    for (int p = 0; p < TARE__PEERS; ++p)
        printf(" %s |", tare__peers[p]);
    printf(" a step pays |\n|---|");
    for (int p = 0; p < TARE__PEERS; ++p)
        printf("---|");
    printf("---|\n");
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        printf("| `%s`%s%s%s |", rung->name, rung->alias ? " (`" : "", rung->alias ? rung->alias : "",
               rung->alias ? "`)" : "");
        for (int p = 0; p < TARE__PEERS; ++p)
            printf(" %s |", rung->mirrors[p]);
        printf(" %s |\n", rung->pays);
    }
    printf("\n");
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        if (rung->with_update)
            printf("With an optimizer `%s` takes the plan of `%s`.\n", rung->name, rung->with_update);
        if (rung->without_update)
            printf("Without an optimizer `%s` is equal to `%s`: same plan, same calls.\n", rung->name,
                   rung->without_update);
    }
}

static void markdown_factors(void)
{
    printf("\n## Factors\n\n| factor | levels | results | what |\n|---|---|---|---|\n");
    for (int f = 0; f < TARE__FIRST_SWITCH; ++f)
        printf("| `%s` | %s | %s | %s |\n", tare__factors[f].name, tare__factors[f].levels,
               tare__factors[f].exact ? "bitwise the same" : "may differ", tare__factors[f].doc);
    printf(
        "\n## Switches that change the work\n\nTwo arms that differ in one of these are different benchmarks: their "
        "results may differ, and every output\nsays so. The first level is what is done where nobody asks. All rungs "
        "have all of them.\n\n| switch | levels | what |\n|---|---|---|\n");
    for (int f = TARE__FIRST_SWITCH; f < TARE__FACTOR_COUNT; ++f)
        printf("| `%s` | %s | %s |\n", tare__factors[f].name, tare__factors[f].levels, tare__factors[f].doc);
    printf("\n## Rung x factor\n\nThe rung's level first, then the levels to which it can be flipped there.\n\n| "
           "factor |");
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
        printf(" `%s` |", rung->name);
    printf("\n|---|");
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
        printf("---|");
    printf("\n");
    for (int f = 0; f < TARE__LADDER_COUNT; ++f) {
        printf("| `%s` |", tare__factors[f].name);
        for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
            print_cells(rung, f);
        printf("\n");
    }
    printf("\nAny other flip is refused, with the reason:\n\n");
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
        for (int f = 0; f < TARE__LADDER_COUNT; ++f)
            if (*rung->cell[f].why)
                printf("- `%s` on `%s`: %s\n", tare__factors[f].name, rung->name, rung->cell[f].why);
    printf(
        "\nWhat is around a step, and the switches, may need another level or a command; else they are refused:\n\n");
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        if (f >= TARE__LADDER_COUNT && *tare__rung_cell(tare__rungs, f)->why)
            printf("- `%s`: %s\n", tare__factors[f].name, tare__rung_cell(tare__rungs, f)->why);
        for (int i = 0; tare__condition(f, i); ++i)
            printf("- `%s`: %s\n", tare__factors[f].name, tare__condition(f, i));
    }
}

int tare__modes_run(const tare__line *line)
{
    if (tare__given(line, "markdown")) {
        markdown_rungs();
        markdown_factors();
        return TARE__RAN;
    }
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        if (tare__given(line, "json")) {
            tare__setting setting = tare__setting_of(rung, false);
            json_t *mirrors = json_object();
            for (int p = 0; p < TARE__PEERS; ++p)
                json_object_set_new(mirrors, tare__peers[p], json_string(rung->mirrors[p]));
            json_t *row = json_pack("{s:s,s:s?,s:o,s:s,s:o}", "name", rung->name, "alias", rung->alias, "mirrors",
                                    mirrors, "pays", rung->pays, "factors", tare__setting_json(&setting));
            json_dumpf(row, stdout, JSON_COMPACT);
            printf("\n");
            json_decref(row);
            continue;
        }
        printf("%-11s %s%s%s", rung->name, rung->pays, rung->alias ? "; also " : "", rung->alias ? rung->alias : "");
        for (int p = 0; p < TARE__PEERS; ++p)
            printf("%s%s: %s", p ? ", " : "; mirrors ", tare__peers[p], rung->mirrors[p]);
        printf("\n");
    }
    return TARE__RAN;
}

int tare__factors_run(const tare__line *line)
{
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        const tare__factor *factor = &tare__factors[f];
        if (tare__given(line, "json")) {
            json_t *rungs = json_object();
            for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
                json_object_set_new(rungs, rung->name, json_string(tare__rung_cell(rung, f)->level));
            json_t *row =
                json_pack("{s:s,s:s,s:b,s:b,s:s,s:o}", "name", factor->name, "levels", factor->levels, "exact",
                          (int)factor->exact, "work", (int)factor->work, "doc", factor->doc, "rungs", rungs);
            json_dumpf(row, stdout, JSON_COMPACT);
            printf("\n");
            json_decref(row);
        } else {
            printf("%-14s %-40s %-7s %s\n", factor->name, factor->levels,
                   factor->work    ? "work"
                   : factor->exact ? "exact"
                                   : "inexact",
                   factor->doc);
        }
    }
    return TARE__RAN;
}
