/* command.c - command lines parsed, helped and refused from the subcommands' tables (see command.h). */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/version.h"
#include "help.h"
#include "plugins.h"

const tare__option tare__common_options[] = {
    {"seed", "S", "1", "seed of weights, inputs and labels"},
    {"quiet", NULL, NULL, "no progress"},
    {"anonymous", NULL, NULL, "records without the name of the host, and files without their folders"},
    {"help", NULL, NULL, "this text"},
    {"version", NULL, NULL, "release and commit"},
    {0},
};

static void no_memory(void)
{
    fprintf(stderr, "tare: out of memory\n");
    exit(TARE__FAILED);
}

void *tare__more(void *block, size_t count, size_t bytes)
{
    size_t total;
    void *more = __builtin_mul_overflow(count, bytes, &total) ? NULL : realloc(block, total ? total : 1);
    if (!more)
        no_memory();
    return more;
}

void *tare__take(size_t count, size_t bytes)
{
    void *block = tare__more(NULL, count, bytes);
    memset(block, 0, count * bytes);
    return block;
}

char *tare__copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(tare__take(bytes, 1), text, bytes);
}

char *tare__print(const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    char *text = tare__take((size_t)n + 1, 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(list);
    return text;
}

FILE *tare__text_begin(char **text, size_t *bytes)
{
    FILE *to = open_memstream(text, bytes);
    if (!to)
        no_memory();
    return to;
}

void tare__text_end(FILE *to)
{
    bool whole = !ferror(to);
    if (fclose(to) != 0 || !whole)
        no_memory();
}

struct tare__kept {
    void **block;
    int n;
};

void *tare__keep(const tare__line *line, void *block)
{
    struct tare__kept *k = line->kept;
    k->block = tare__more(k->block, (size_t)k->n + 1, sizeof *k->block);
    return k->block[k->n++] = block;
}

/* ---- errors --------------------------------------------------------------------------------------------------*/

static void complain(const tare__line *line, const char *format, va_list list)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, list);
    for (char *c = text; *c; ++c) /* one line, whatever a name held */
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    if (line && line->command)
        fprintf(stderr, "tare %s: %s\n", line->command->name, text);
    else
        fprintf(stderr, "tare: %s\n", text);
}

int tare__usage(const tare__line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    complain(line, format, list);
    va_end(list);
    return TARE__USAGE;
}

int tare__failed(const tare__line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    complain(line, format, list);
    va_end(list);
    return TARE__FAILED;
}

int tare__status_failed(const tare__line *line, tare_status status)
{
    const char *text = tare_error_text();
    return tare__failed(line, "%s", *text ? text : tare_status_name(status));
}

int tare__status_usage(const tare__line *line, tare_status status)
{
    int code = tare__status_failed(line, status);
    return status == TARE_NOT_FOUND || status == TARE_BAD_ARGUMENT ? TARE__USAGE : code;
}

/* Edits (insert, remove, replace) between two words, cut at 32 letters. */
static int distance(const char *a, const char *b)
{
    enum { LETTERS = 32 };
    int row[LETTERS + 1], m = (int)strnlen(a, LETTERS), n = (int)strnlen(b, LETTERS);
    for (int j = 0; j <= n; ++j)
        row[j] = j;
    for (int i = 1; i <= m; ++i) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= n; ++j) {
            int replaced = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            int edited = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
            row[j] = replaced < edited ? replaced : edited;
        }
    }
    return row[n];
}

const char *tare__nearest(const char *word, const char *const *name, int n, char *text)
{
    int best = -1, least = 3;
    for (int i = 0; i < n; ++i) {
        int edits = distance(word, name[i]);
        if (edits < least || (edits < (int)strlen(name[i]) && best < 0 && strlen(word) > 2 && strstr(name[i], word))) {
            least = edits < least ? edits : least;
            best = i;
        }
    }
    if (best >= 0) {
        snprintf(text, TARE__NEAREST, ", did you mean '%s'?", name[best]);
        return text;
    }
    int used = snprintf(text, TARE__NEAREST, "; there are:");
    for (int i = 0; i < n && used < TARE__NEAREST; ++i)
        used += snprintf(text + used, TARE__NEAREST - (size_t)used, "%s %s", i ? "," : "", name[i]);
    return text;
}

/* ---- parsing -------------------------------------------------------------------------------------------------*/

static int print_version(void)
{
    const char *added = tare__added_library();
    printf("tare %s (%s)\n%s%s", tare_version(), tare_commit(), added ? added : "", added ? "\n" : "");
    return TARE__RAN;
}

static const tare__option *find_option(const tare__command *command, const char *name, size_t length)
{
    const tare__option *const tables[] = {command->options, tare__common_options};
    for (int t = 0; t < 2; ++t)
        for (const tare__option *option = tables[t]; option->name; ++option)
            if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
                return option;
    return NULL;
}

static int unknown_option(const tare__line *line, const char *name)
{
    const char *names[64];
    int n = 0;
    const tare__option *const tables[] = {line->command->options, tare__common_options};
    for (int t = 0; t < 2; ++t)
        for (const tare__option *option = tables[t]; option->name && n < 64; ++option)
            if (option->doc)
                names[n++] = option->name;
    char text[TARE__NEAREST], word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "="), name);
    return tare__usage(line, "unknown option '--%s'%s", word, tare__nearest(word, names, n, text));
}

/* Options may stand anywhere; "--name value" or "--name=value"; after "--" all is positional. */
static int parse(tare__line *line, int argc, char **argv)
{
    bool only_words = false;
    for (int i = 0; i < argc; ++i) {
        const char *word = argv[i];
        if (only_words || word[0] != '-' || !word[1]) {
            line->word[line->n_words++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (word[1] != '-')
            return tare__usage(line, "options begin with two dashes: '%s'", word);
        const char *name = word + 2, *equals = strchr(name, '=');
        const tare__option *option = find_option(line->command, name, equals ? (size_t)(equals - name) : strlen(name));
        if (!option)
            return unknown_option(line, name);
        const char *value = equals ? equals + 1 : NULL;
        if (!option->argument && value)
            return tare__usage(line, "--%s takes no value", option->name);
        if (option->argument && !value && ++i >= argc)
            return tare__usage(line, "--%s needs a value: %s", option->name, option->argument);
        if (option->argument && !value)
            value = argv[i];
        if (value && !*value)
            return tare__usage(line, "--%s needs a value: %s", option->name, option->argument);
        line->given[line->n_given++] = (struct tare__given){option, value};
    }
    return TARE__RAN;
}

static int check_words(const tare__line *line)
{
    const tare__command *command = line->command;
    if (line->n_words < command->n_min)
        return tare__usage(line, "too few words: tare %s %s", command->name, command->usage);
    if (command->n_max >= 0 && line->n_words > command->n_max)
        return tare__usage(line, "'%s' is a word too many: tare %s %s", line->word[command->n_max], command->name,
                           command->usage);
    return TARE__RAN;
}

static int run(tare__line *line, int argc, char **argv)
{
    int code = parse(line, argc - 2, argv + 2);
    if (code)
        return code;
    if (tare__given(line, "help"))
        return tare__help_command(line->command);
    if (tare__given(line, "version"))
        return print_version();
    code = check_words(line);
    return code ? code : line->command->run(line);
}

/* What was printed has to arrive: a full disk behind stdout is a failure, if there was no other. */
static int printed(const tare__line *line, int code)
{
    if ((fflush(stdout) || ferror(stdout)) && code != TARE__USAGE)
        return tare__failed(line, "standard output cannot be written: %s", strerror(errno));
    return code;
}

static int unknown_command(const tare__command *commands, const char *name)
{
    const char *names[64];
    int n = 0;
    for (const tare__command *each = commands; each->name && n < 64; ++each)
        if (each->doc)
            names[n++] = each->name;
    char text[TARE__NEAREST];
    return tare__usage(NULL, "unknown command '%s'%s", name, tare__nearest(name, names, n, text));
}

/* Where a standard stream is closed, the first file that is opened would be in its place, and get what is printed. */
static void hold_places(void)
{
    for (int fd = 0; fd < 3; ++fd)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd ? O_RDONLY : O_WRONLY); /* so that its use is still an error */
}

int tare__command_main(const tare__command *commands, int argc, char **argv)
{
    hold_places();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file beyond its limit is a failed write, and is told as one */
    if (argc < 2)
        return tare__usage(NULL, "a command is wanted: tare --help lists them");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return printed(NULL, tare__help_all(commands));
    if (strcmp(argv[1], "--version") == 0)
        return printed(NULL, print_version());
    const tare__command *command = commands;
    while (command->name && strcmp(command->name, argv[1]) != 0)
        ++command;
    if (!command->name)
        return unknown_command(commands, argv[1]);
    struct tare__kept kept = {0};
    tare__line line = {.command = command, .commands = commands, .argc = argc, .argv = argv, .kept = &kept};
    line.word = tare__take((size_t)argc, sizeof *line.word);
    line.given = tare__take((size_t)argc, sizeof *line.given);
    int code = printed(&line, run(&line, argc, argv));
    free(line.word);
    free(line.given);
    while (kept.n > 0)
        free(kept.block[--kept.n]);
    free(kept.block);
    return code;
}

/* ---- what was given ------------------------------------------------------------------------------------------*/

const char *tare__each(const tare__line *line, const char *option, int *at)
{
    while (*at < line->n_given) {
        const struct tare__given *given = &line->given[(*at)++];
        if (strcmp(given->option->name, option) == 0)
            return given->value;
    }
    return NULL;
}

bool tare__given(const tare__line *line, const char *option)
{
    bool given = false;
    for (int i = 0; i < line->n_given; ++i)
        given |= strcmp(line->given[i].option->name, option) == 0;
    return given;
}

const char *tare__text(const tare__line *line, const char *option)
{
    const char *text = NULL;
    for (int at = 0; at < line->n_given; ++at)
        if (strcmp(line->given[at].option->name, option) == 0)
            text = line->given[at].value;
    if (text)
        return text;
    const tare__option *declared = find_option(line->command, option, strlen(option));
    return declared ? declared->normal : NULL;
}

int tare__integer(const tare__line *line, const char *option, int64_t low, int64_t high, int64_t *out)
{
    const char *text = tare__text(line, option);
    if (!text)
        return TARE__RAN;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high)
        return tare__usage(line, "--%s needs a whole number from %lld to %lld, not '%s'", option, (long long)low,
                           (long long)high, text);
    *out = value;
    return TARE__RAN;
}

int tare__number(const tare__line *line, const char *option, double low, double high, double *out)
{
    const char *text = tare__text(line, option);
    if (!text)
        return TARE__RAN;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high))
        return tare__usage(line, "--%s needs a number from %g to %g, not '%s'", option, low, high, text);
    *out = value;
    return TARE__RAN;
}
