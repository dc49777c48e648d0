/* completion.c - `tare completion`: what a shell may put where the cursor is, from the table of subcommands and the
 * catalogue.
 *
 * The script for a shell is a few lines: it hands the words up to the cursor back to `tare completion words`, which
 * answers with candidates for the last one, a line each; ":files" or ":folders" leaves that to the shell. So what is
 * completed is never older than the command. What an argument is, its name in the help says. */
#include <stdlib.h>
#include <string.h>

#include "../../data/formats.h"
#include "../../nets/net.h"
#include "../arm/rung.h"
#include "../base/plugins.h"
#include "commands.h"

/* ---- candidates ----------------------------------------------------------------------------------------------*/

/* The word to complete, where the argument in it begins (after "--option="), and the tail that is wanted: what is
 * before it stays. */
typedef struct {
    const char *word, *argument, *tail;
} cursor;

/* The word with first and second in place of its tail, where they begin with it. */
static void offer(const cursor *c, const char *first, const char *second)
{
    char *text = tare__print("%s%s", first, second);
    if (strncmp(text, c->tail, strlen(c->tail)) == 0)
        printf("%.*s%s\n", (int)(c->tail - c->word), c->word, text);
    free(text);
}

/* A list parted by commas goes on after the last of them. */
static void after_comma(cursor *c)
{
    const char *comma = strrchr(c->argument, ',');
    c->tail = comma ? comma + 1 : c->argument;
}

static tare_runtime *start(void)
{
    tare_runtime *rt;
    return tare__start(NULL, &(tare__plugins){0}, &rt) == TARE_OK ? rt : NULL;
}

static void offer_records(const cursor *c, tare_kind kind)
{
    tare_runtime *rt = start();
    for (int i = 0; rt && i < rt->n_records[kind]; ++i)
        offer(c, rt->record[kind][i]->name, "");
    (void)tare_runtime_free(rt);
}

/* Nets, and after a colon the options of one; or files. */
static void offer_nets(cursor *c)
{
    const char *colon = strchr(c->argument, ':');
    if (!colon) {
        offer_records(c, TARE_KIND_NET);
        printf(":files\n");
        return;
    }
    tare_runtime *rt = start();
    c->tail = strrchr(colon, ',') ? strrchr(colon, ',') + 1 : colon + 1;
    for (int i = 0; rt && i < rt->n_records[TARE_KIND_NET]; ++i) {
        const tare_net_type *type = (const tare_net_type *)rt->record[TARE_KIND_NET][i];
        size_t length = (size_t)(colon - c->argument);
        if (strlen(type->name) == length && strncmp(type->name, c->argument, length) == 0)
            for (int k = 0; k < type->n_options; ++k)
                offer(c, type->options[k].name, "=");
    }
    (void)tare_runtime_free(rt);
}

static void offer_operators(cursor *c)
{
    offer_records(c, TARE_KIND_OPERATOR);
    printf(":files\n");
}

static void offer_optimizers(cursor *c)
{
    offer_records(c, TARE_KIND_OPTIMIZER);
}

static void offer_rungs(cursor *c)
{
    after_comma(c);
    for (const tare__rung *r = tare__rungs; r->name; ++r)
        offer(c, r->name, "");
}

/* factor=, and then its levels. */
static void offer_flips(cursor *c)
{
    after_comma(c);
    const char *equals = strchr(c->tail, '=');
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        const tare__factor *factor = &tare__factors[f];
        size_t length = strlen(factor->name);
        if (!equals) {
            offer(c, factor->name, "=");
            continue;
        }
        if ((size_t)(equals - c->tail) != length || strncmp(c->tail, factor->name, length) != 0)
            continue;
        cursor level = {c->word, c->argument, equals + 1};
        char *levels = tare__copy_text(factor->levels), *rest = levels, *each;
        while ((each = strsep(&rest, " ")))
            offer(&level, each, "");
        free(levels);
    }
}

/* NAME=RUNG, and flips after it. */
static void offer_arm(cursor *c)
{
    const char *equals = strchr(c->argument, '=');
    if (equals && strchr(equals, ',')) {
        offer_flips(c);
    } else if (equals) {
        c->tail = equals + 1;
        for (const tare__rung *r = tare__rungs; r->name; ++r)
            offer(c, r->name, "");
    }
}

static void offer_kinds(cursor *c)
{
    int n;
    const tare_data_kind *kind = tare_data_kinds(&n);
    for (int i = 0; i < n; ++i)
        offer(c, kind[i].name, "");
}

static void offer_files(cursor *c)
{
    (void)c;
    printf(":files\n");
}

static void offer_folders(cursor *c)
{
    (void)c;
    printf(":folders\n");
}

/* What an argument is, by how its name in the help begins; the longest first. */
static const struct {
    const char *argument;
    void (*offer)(cursor *);
} arguments[] = {
    {"NAME=RUNG", offer_arm}, {"NET", offer_nets},   {"OPTIMIZER", offer_optimizers},
    {"OP", offer_operators},  {"RUNG", offer_rungs}, {"A,B", offer_rungs},
    {"F=L", offer_flips},     {"KIND", offer_kinds}, {"FILE", offer_files},
    {"DIR", offer_folders},
};

static void offer_argument(cursor *c, const char *argument)
{
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; ++i)
        if (strncmp(argument, arguments[i].argument, strlen(arguments[i].argument)) == 0) {
            arguments[i].offer(c);
            return;
        }
}

/* ---- what stands where the cursor is -------------------------------------------------------------------------*/

static void offer_options(const cursor *c, const tare__option *options)
{
    for (; options->name; ++options)
        if (options->doc)
            offer(c, "--", options->name);
}

/* The option whose value `word` is, when it stands after `before`, or has it in itself; NULL. */
static const tare__option *option_of(const tare__command *command, const char *before, cursor *c)
{
    const tare__option *const tables[] = {command->options, tare__common_options};
    const char *equals = strncmp(c->word, "--", 2) == 0 ? strchr(c->word, '=') : NULL;
    for (int t = 0; t < 2; ++t)
        for (const tare__option *o = tables[t]; o->name; ++o) {
            size_t length = strlen(o->name);
            if (!o->argument || !o->doc)
                continue;
            if (equals && strncmp(c->word + 2, o->name, length) == 0 && c->word + 2 + length == equals)
                return o;
            if (!equals && before && strncmp(before, "--", 2) == 0 && strcmp(before + 2, o->name) == 0)
                return o;
        }
    return NULL;
}

static void offer_words(const tare__line *line, const char *const *word, int n)
{
    cursor c = {word[n - 1], word[n - 1], word[n - 1]};
    const tare__command *command = line->commands;
    if (n == 1) {
        for (; command->name; ++command)
            if (command->doc)
                offer(&c, command->name, "");
        offer(&c, "--help", "");
        offer(&c, "--version", "");
        return;
    }
    while (command->name && strcmp(command->name, word[0]) != 0)
        ++command;
    if (!command->name)
        return;
    const tare__option *option = option_of(command, n > 2 ? word[n - 2] : NULL, &c);
    if (option && strncmp(c.word, "--", 2) == 0)
        c.argument = c.tail = strchr(c.word, '=') + 1;
    if (option) {
        offer_argument(&c, option->argument);
    } else if (*c.word == '-') {
        offer_options(&c, command->options);
        offer_options(&c, tare__common_options);
    } else {
        char *usage = tare__copy_text(command->usage), *rest = usage, *each;
        while ((each = strsep(&rest, " []|")))
            offer_argument(&c, each);
        free(usage);
    }
}

/* ---- the script ----------------------------------------------------------------------------------------------*/

static const char bash_script[] =
    "# tare for bash: source <(tare completion bash)\n"
    "_tare() {\n"
    "    local words current typed line\n"
    "    # parted by blanks alone: bash would part at ':' and '=' too\n"
    "    read -ra words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
    "    [[ ${COMP_LINE:COMP_POINT-1:1} == ' ' ]] && words+=('')\n"
    "    current=${words[${#words[@]} - 1]}\n"
    "    # what bash takes for words of their own is there already\n"
    "    typed=${current%\"${current##*[:=]}\"}\n"
    "    [[ $current == --*=* ]] && current=${current#*=}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
    "        :folders) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "        *) COMPREPLY+=(\"${line#\"$typed\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]}\" completion words -- \"${words[@]:1}\" 2>/dev/null)\n"
    "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
    "    return 0\n"
    "}\n"
    "complete -o filenames -F _tare tare\n";

int tare__completion_run(const tare__line *line)
{
    const char *what = line->word[0];
    if (strcmp(what, "words") == 0) {
        if (line->n_words > 1)
            offer_words(line, line->word + 1, line->n_words - 1);
        return TARE__RAN;
    }
    if (strcmp(what, "bash") != 0 || line->n_words > 1)
        return tare__usage(line, "there is a completion for bash, not for '%s'", line->word[line->n_words > 1]);
    printf("%s", bash_script);
    return TARE__RAN;
}
