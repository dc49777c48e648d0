/* help.c - --help, and the text that it shares with the manual page (see help.h). */
#include "help.h"

#include <string.h>

const char tare__purpose[] = "the same net on the same kernels, imperatively and as a static graph; and what lies "
                             "between";

const tare__chapter tare__chapters[] = {
    {"NET", "What a subcommand calls NET is one of these:\n"
            "  mlp                    a net's name (tare nets)\n"
            "  chain:depth=5,width=8  a name with options\n"
            "  FILE.json              a saved net (tare graph NET --save FILE.json)\n"
            "  FILE.so                the net of a plug-in; FILE.so:width=8 with options\n"
            "  FILE.c                 the source of one, compiled against the headers that belong to this command\n"
            "Further nets and operators come from --plugin FILE.so, as often as wanted."},
    {"Exit status", "0: it ran. 1: it failed, differed, or was impossible. 2: usage: an unknown net, rung, factor or "
                    "option. 3: not trusted (what was measured is still written). An error is one line on standard "
                    "error."},
    {"Environment", "CC: the compiler of FILE.c, instead of the one that made this command. TMPDIR: where it is "
                    "compiled; nothing is left there."},
    {0},
};

bool tare__text_line(const char **text, const char **line, int *length, bool *example)
{
    if (!*text || !**text)
        return false;
    *example = strncmp(*text, "  ", 2) == 0;
    *line = *text;
    *length = (int)strcspn(*text, "\n");
    *text += *length + ((*text)[*length] == '\n');
    return true;
}

/* ---- --help --------------------------------------------------------------------------------------------------*/
enum { COLUMNS = 100 };

/* A paragraph, broken between words. */
static void print_paragraph(const char *line, int length)
{
    while (length > 0) {
        int n = length;
        if (n > COLUMNS)
            for (n = COLUMNS; n > 1 && line[n] != ' ';)
                --n;
        printf("%.*s\n", n, line);
        for (; n < length && line[n] == ' '; ++n)
            ;
        line += n;
        length -= n;
    }
}

static void print_text(const char *text)
{
    const char *line;
    int length;
    bool example;
    while (tare__text_line(&text, &line, &length, &example)) {
        if (example)
            printf("%.*s\n", length, line);
        else
            print_paragraph(line, length);
    }
}

static void print_options(const tare__option *options)
{
    for (; options->name; ++options) {
        if (!options->doc) /* hidden */
            continue;
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options->name, options->argument ? " " : "",
                 options->argument ? options->argument : "");
        printf("  %-24s %s", left, options->doc);
        if (options->normal)
            printf(" [%s]", options->normal);
        printf("\n");
    }
}

int tare__help_command(const tare__command *command)
{
    printf("tare %s %s\n%s\n\n", command->name, command->usage, command->doc);
    print_options(command->options);
    print_options(tare__common_options);
    if (command->more) {
        printf("\n");
        print_text(command->more);
    }
    return TARE__RAN;
}

int tare__help_all(const tare__command *commands)
{
    printf("tare: %s.\n\n", tare__purpose);
    for (const tare__command *each = commands; each->name; ++each)
        if (each->doc)
            printf("  %-10s %s\n", each->name, each->doc);
    printf("\ntare COMMAND --help says more, and so does man tare.\n\n");
    print_options(tare__common_options);
    for (const tare__chapter *c = tare__chapters; c->title; ++c) {
        printf("\n%s\n", c->title);
        print_text(c->text);
    }
    return TARE__RAN;
}
