/* check_command.c - `tare check`: the derived tests on operators, built in or a plug-in's, a line a test.
 *
 * Each operator is checked in a process of its own, so that one whose kernel crashes is a failure like any other. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/plugins.h"
#include "../derive/derived.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    tare__plugins plugins;
    tare_runtime *rt; /* where names are looked up; it keeps the plug-ins loaded */
    const tare_op **op;
    int n;
    int n_tests, n_failed; /* tests; operators with a fault */
    bool added;            /* with the kernel set TARE__ADDED before the others */
    tare_layout_choice layout;
} session;

/* ---- which operators -----------------------------------------------------------------------------------------*/

static void add(session *s, const tare_op *op)
{
    s->op = tare__more(s->op, (size_t)s->n + 1, sizeof *s->op);
    s->op[s->n++] = op;
}

/* Those of the plug-in that was the i-th to be loaded. */
static int add_file(session *s, int i, const char *word)
{
    const tare_plugin *p;
    tare_status status = tare_plugin_load(s->rt, s->plugins.path[i], &p);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    int before = s->n;
    for (int k = 0; k < p->n_entries; ++k)
        if (p->entry[k].kind == TARE_KIND_OPERATOR)
            add(s, p->entry[k].record);
    return s->n > before ? TARE__RAN : tare__usage(s->line, "%s has no operator to check (a net: tare agree)", word);
}

/* --kernels and --layout. */
static int read_kernels(session *s)
{
    const char *kernels = tare__text(s->line, "kernels"), *layout = tare__text(s->line, "layout");
    s->added = kernels && strcmp(kernels, TARE__ADDED) == 0;
    s->layout = layout && strcmp(layout, "blocked") == 0 ? TARE_LAYOUT_BLOCKED : TARE_LAYOUT_PLAIN;
    if (kernels && !s->added && strcmp(kernels, "native") != 0)
        return tare__usage(s->line, "--kernels %s: need native or " TARE__ADDED, kernels);
    if (layout && s->layout == TARE_LAYOUT_PLAIN && strcmp(layout, "plain") != 0)
        return tare__usage(s->line, "--layout %s: need plain or blocked", layout);
    if (s->layout != TARE_LAYOUT_PLAIN && !s->added)
        return tare__usage(
            s->line,
            "--layout blocked means nothing here: our own kernels have one layout (--kernels " TARE__ADDED ")");
    return TARE__RAN;
}

static tare_status start(const void *owner, const tare_options *options, tare_runtime **out)
{
    const session *s = owner;
    tare_options with = *options;
    if (s->added && with.kernels == TARE_KERNELS_NATIVE) {
        with.kernels = TARE_KERNELS_ADDED;
        with.added = TARE__ADDED;
        with.layout = s->layout;
    }
    return tare__start(&with, &s->plugins, out);
}

static int gather(session *s)
{
    const tare__line *line = s->line;
    int code = read_kernels(s), first;
    code = code ? code : tare__plugins_read(line, &s->plugins);
    first = s->plugins.n;
    for (int i = 0; i < line->n_words && !code; ++i)
        if (tare__plugin_letters(line->word[i]))
            code = tare__plugins_add(line, line->word[i], strlen(line->word[i]), &s->plugins);
    if (code)
        return code;
    tare_status status = start(s, &(tare_options){.isa_limit = TARE_ISA_COUNT}, &s->rt);
    if (status != TARE_OK)
        return tare__status_usage(line, status);
    for (int i = 0; i < line->n_words && !code; ++i) {
        const char *word = line->word[i];
        const tare_op *op = NULL;
        if (tare__plugin_letters(word))
            code = add_file(s, first++, word);
        else if (!(op = tare_find(s->rt, TARE_KIND_OPERATOR, word)))
            code = tare__status_usage(line, TARE_NOT_FOUND);
        else
            add(s, op);
    }
    for (int i = 0; !line->n_words && i < s->rt->n_records[TARE_KIND_OPERATOR]; ++i)
        add(s, (const tare_op *)s->rt->record[TARE_KIND_OPERATOR][i]);
    return code;
}

/* ---- one operator --------------------------------------------------------------------------------------------*/

static void hear(void *owner, const tare__findings *f, const char *test, const char *faults)
{
    const session *s = owner;
    bool good = !*faults;
    if (good && tare__given(s->line, "quiet"))
        return;
    const char *shapes = f->of ? f->of->shapes : "", *attr = f->of && f->of->attr ? f->of->attr : "";
    printf("%-6s %s  %s%s%s%s%s\n%s", good ? "ok" : "FAILED", f->op->name, shapes, *shapes ? "  " : "", attr,
           *attr ? "  " : "", test, faults);
    (void)fflush(stdout);
}

/* How that process ends where its output did not arrive, whatever the tests said. */
enum { UNWRITTEN = 4 };

/* In the new process. */
static void derive(session *s, const tare_op *op, int answer)
{
    tare__findings f = {.op = op, .hear = hear, .owner = s};
    tare__derive(&(tare__maker){.start = start, .owner = s}, &f);
    bool said = write(answer, &f.n_tests, sizeof f.n_tests) == sizeof f.n_tests;
    _exit(ferror(stdout) ? UNWRITTEN : said && f.n == 0 ? TARE__RAN : TARE__FAILED);
}

static int check(session *s, const tare_op *op)
{
    int ends[2], status = 0, n_tests = 0;
    if (pipe(ends) != 0)
        return tare__failed(s->line, "no pipe to the process that checks %s", op->name);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        derive(s, op, ends[1]);
    (void)close(ends[1]);
    if (read(ends[0], &n_tests, sizeof n_tests) == sizeof n_tests)
        s->n_tests += n_tests;
    (void)close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return tare__failed(s->line, "no process to check %s in", op->name);
    if ((WIFEXITED(status) && WEXITSTATUS(status) == UNWRITTEN) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE))
        return tare__failed(s->line, "standard output cannot be written");
    if (WIFSIGNALED(status))
        printf("FAILED %s  ended by signal %d (%s)\n", op->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    s->n_failed += !WIFEXITED(status) || WEXITSTATUS(status) != TARE__RAN;
    return TARE__RAN;
}

int tare__check_run(const tare__line *line)
{
    session s = {.line = line};
    int code = gather(&s);
    for (int i = 0; i < s.n && !code; ++i)
        code = check(&s, s.op[i]);
    if (!code && s.n_failed)
        code = tare__failed(line, "%d of %d operators failed", s.n_failed, s.n);
    else if (!code)
        printf("%d operator%s, %d tests, no fault\n", s.n, s.n == 1 ? "" : "s", s.n_tests);
    free(s.op);
    (void)tare_runtime_free(s.rt);
    return code;
}
