/* manual.c - `tare manual`: the page tare(1), from the table of subcommands and the text of help.c. */
#include <ctype.h>
#include <string.h>

#include "../../core/version.h"
#include "../base/help.h"
#include "commands.h"

/* Text as roff takes it literally: dashes stay dashes, nothing is a request. */
static void put(const char *text, int length)
{
    for (int i = 0; i < length && text[i]; ++i) {
        if (text[i] == '\\')
            printf("\\e");
        else if (text[i] == '-')
            printf("\\-");
        else if (i == 0 && (text[i] == '.' || text[i] == '\''))
            printf("\\&%c", text[i]);
        else
            (void)putchar(text[i]);
    }
}

static void put_all(const char *text)
{
    put(text, (int)strlen(text));
}

static void put_text(const char *text)
{
    const char *line;
    int length;
    bool example, before = false;
    while (tare__text_line(&text, &line, &length, &example)) {
        if (example && !before)
            printf(".PP\n.RS 2\n.nf\n");
        if (!example)
            printf(".PP\n");
        put(example ? line + 2 : line, example ? length - 2 : length);
        printf("\n");
        before = example;
        if (example && strncmp(text, "  ", 2) != 0) {
            printf(".fi\n.RE\n");
            before = false;
        }
    }
}

static void put_options(const tare__option *options)
{
    for (; options->name; ++options) {
        if (!options->doc)
            continue;
        printf(".TP\n\\fB\\-\\-");
        put_all(options->name);
        printf("\\fR");
        if (options->argument) {
            printf(" \\fI");
            put_all(options->argument);
            printf("\\fR");
        }
        printf("\n");
        put_all(options->doc);
        if (options->normal) {
            printf(" [");
            put_all(options->normal);
            printf("]");
        }
        printf("\n");
    }
}

static void put_command(const tare__command *c)
{
    printf(".SS tare ");
    put_all(c->name);
    printf(*c->usage ? " " : "");
    put_all(c->usage);
    printf("\n");
    put_all(c->doc);
    printf(".\n");
    put_options(c->options);
    put_text(c->more);
}

int tare__manual_run(const tare__line *line)
{
    printf(".\\\" printed by tare manual\n.TH TARE 1 \"\" \"tare %s\" \"User Commands\"\n", tare_version());
    printf(".SH NAME\ntare \\- ");
    put_all(tare__purpose);
    printf("\n.SH SYNOPSIS\n.B tare\n.I COMMAND\n.RI [ WORDS ]\n.RI [ OPTIONS ]\n.SH DESCRIPTION\n"
           "Options may stand anywhere, as \\-\\-name value or \\-\\-name=value; after \\-\\- all is words.\n");
    printf(".SH COMMANDS\n");
    for (const tare__command *c = line->commands; c->name; ++c)
        if (c->doc)
            put_command(c);
    printf(".SH COMMON OPTIONS\n");
    put_options(tare__common_options);
    for (const tare__chapter *c = tare__chapters; c->title; ++c) {
        printf(".SH ");
        for (const char *letter = c->title; *letter; ++letter)
            (void)putchar(toupper((unsigned char)*letter));
        printf("\n");
        put_text(c->text);
    }
    return TARE__RAN;
}
