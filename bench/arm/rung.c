/* rung.c - the ladder's table and what is read from it (see rung.h). */
#include "rung.h"

#include <stdlib.h>
#include <string.h>

const tare__factor tare__factors[TARE__FACTOR_COUNT] = {
#define TARE__FACTOR_ROW(NAME, text, exact, levels, doc) [TARE__##NAME] = {text, levels, exact, doc, false},
#define TARE__SWITCH_ROW(NAME, text, exact, levels, doc) [TARE__##NAME] = {text, levels, exact, doc, true},
    TARE__FACTORS(TARE__FACTOR_ROW) TARE__AROUND(TARE__FACTOR_ROW) TARE__SWITCHES(TARE__SWITCH_ROW)
#undef TARE__FACTOR_ROW
#undef TARE__SWITCH_ROW
};

const char *const tare__peers[TARE__PEERS] = {"MXNet", "PyTorch", "JAX", "TensorFlow"};

/* ---- the table -----------------------------------------------------------------------------------------------*/

#define ALL_KERNELS "native reference openblas null winograd im2col onednn"
#define KERNELS     [TARE__KERNELS] = {"native", ALL_KERNELS, ""}, [TARE__LAYOUT] = {"plain", "plain blocked", ""}
#define BYTES       "off bytes"
#define ALL_ORDERS  "program eager-update least-peak best"
#define ALL_PACKERS "arena none shared-object pool greedy local-search exact"
#define NO_PASS     "passes rewrite a captured graph, and nothing is captured here (symbol, step and kernels have them)"
#define NO_HEAP     "its results lie in the plan's arena, taken once (functional has storage=malloc)"
#define ENGINES     "direct queue"
/* Cells of what hands calls over one by one; and of what hands a whole plan over. */
#define QUEUED [TARE__ENGINE] = {"direct", ENGINES, ""}, [TARE__BULK] = {"1", "1..64", ""}
#define QUEUED_WHOLE                                                                                                   \
    [TARE__ENGINE] = {"direct", ENGINES, ""}, [TARE__BULK] = {                                                         \
                                                  "1", "1",                                                            \
                                                  "its plan is handed over as a whole (symbol's updates are calls)"}
/* Cells that are the same wherever a plan is replayed. */
#define REPLAYED                                                                                                       \
    [TARE__SOURCE] = {"traced", "traced", "a graph file belongs to a captured net (symbolblock, hybridized)"},         \
    [TARE__CAPTURE] = {"step", "step", "it captures the whole step (hybridized captures the net)"},                    \
    [TARE__DISPATCH] = {"bound", "bound", "its calls are bound once (static_alloc dispatches them)"},                  \
    [TARE__SHAPE] = {"frozen", "frozen", "its shapes are those of the capture (functional infers them)"},              \
    [TARE__KEEP] = {"kept", "kept", "its arena is kept (hybridized takes one a call)"},                                \
    [TARE__EXECUTION] = {"replay", "replay", "it replays a plan (functional is the imperative rung)"},                 \
    [TARE__STORAGE] = {"planned", "planned", NO_HEAP}, [TARE__PLAN] = {"arena", ALL_PACKERS " FILE.csv", ""},          \
    [TARE__AUTOGRAD] = {"graph", "graph", "the work decides which gradient nodes it holds (--forward, --infer)"},      \
    KERNELS, [TARE__THREADS] = {"1", "1..64", ""}, [TARE__DEVICE] = {"cpu", "cpu", ""},                                \
    [TARE__DCE] = {"on", "on off", ""}, [TARE__CSE] = {"on", "on off", ""}, [TARE__FOLDING] = {"on", "on off", ""},    \
    [TARE__ADD_TO] = {"on", "on off", ""}, [TARE__IN_PLACE] = {"on", "on off", ""},                                    \
    [TARE__PLACEMENT] = {"on", "on off", ""}, [TARE__ORDER] = {"best", ALL_ORDERS, ""},                                \
    [TARE__FUSION] = {"off", "off on", ""}, [TARE__RECOMPUTE] = {"off", BYTES, ""}

/* Cells that are the same wherever operators run as they are met. */
#define IMPERATIVE                                                                                                     \
    [TARE__SOURCE] = {"traced", "traced", "a graph file belongs to a captured net (symbolblock, hybridized)"},         \
    [TARE__DISPATCH] = {"call", "call", "bound calls need a captured graph (static_shape, symbol)"},                   \
    [TARE__SHAPE] = {"inferred", "inferred", "frozen shapes need a captured graph (symbol, carrier)"},                 \
    [TARE__KEEP] = {"retaken", "retaken", "an arena to keep needs a captured graph (static_alloc)"},                   \
    [TARE__EXECUTION] = {"imperative", "imperative", "replaying needs a captured graph (symbol, step)"},               \
    [TARE__STORAGE] = {"pool", "pool malloc", "a plan needs a captured graph (symbol, step, kernels)"},                \
    [TARE__PLAN] = {"none", "none", "nothing is planned in the imperative mode (symbol, step)"},                       \
    [TARE__JOINT] = {"none", "none", "nothing is planned in the imperative mode (symbol, step)"},                      \
    [TARE__AUTOGRAD] = {"tape", "tape off", "gradient nodes need a graph (symbol, step)"},                             \
    KERNELS, [TARE__THREADS] = {"1", "1..64", ""}, [TARE__DEVICE] = {"cpu", "cpu", ""},                                \
    QUEUED, [TARE__DCE] = {"off", "off", NO_PASS}, [TARE__CSE] = {"off", "off", NO_PASS},                              \
    [TARE__FOLDING] = {"off", "off", NO_PASS}, [TARE__ADD_TO] = {"off", "off", NO_PASS},                               \
    [TARE__IN_PLACE] = {"off", "off", NO_PASS}, [TARE__PLACEMENT] = {"off", "off", NO_PASS},                           \
    [TARE__ORDER] = {"program", "program", "operators run as the program meets them (symbol, step and kernels)"},      \
    [TARE__GUARDS] = {"off", "off", "only a plan knows what is dead (symbol, step)"},                                  \
    [TARE__FUSION] = {"off", "off", NO_PASS}, [TARE__RECOMPUTE] = {"off", "off", NO_PASS},                             \
    [TARE__UPDATE] = {"parameter", "parameter multi", "an update in the plan needs a plan (the rung step)"}
#define UNCAPTURED                                                                                                     \
    [TARE__CAPTURE] = {"none", "none", "capturing each layer belongs to hybridblock, the net to hybridized"}
#define APIS    "functional block hybridblock invoke"
#define NO_BARE "bare calls need bound addresses (the rung kernels)"

#define WHOLE_NET                                                                                                      \
    [TARE__CAPTURE] = {"net", "net broken child", "without capture it is functional, with the whole step symbol"}
/* Cells of a net captured as one operator of an imperative step. */
#define CAPTURED                                                                                                       \
    [TARE__API] = {"functional", "functional", "inside the captured operator no layer is called"},                     \
    [TARE__SHAPE] = {"guarded", "guarded",                                                                             \
                     "its guard compares the inputs' signature (functional infers, symbol not)"},                      \
    [TARE__EXECUTION] = {"replay", "replay", "running each operator as it is met is functional"},                      \
    [TARE__STORAGE] = {"planned", "planned", "the captured operator's values lie in its plan's arena"},                \
    [TARE__PLAN] = {"arena", ALL_PACKERS, "there is a plan for each signature and each backward (symbol, step)"},      \
    [TARE__JOINT] = {"split", "split", "the backward is planned when its heads arrive (symbol plans both)"},           \
    [TARE__AUTOGRAD] = {"tape", "tape", "the captured operator is a node of the tape"},                                \
    KERNELS, [TARE__THREADS] = {"1", "1..64", ""}, [TARE__DEVICE] = {"cpu", "cpu", ""},                                \
    QUEUED, [TARE__DCE] = {"on", "on", "a captured operator has all its passes"},                                      \
    [TARE__CSE] = {"on", "on", "a captured operator has all its passes"},                                              \
    [TARE__FOLDING] = {"on", "on", "a captured operator has all its passes"},                                          \
    [TARE__ADD_TO] = {"on", "on", "a captured operator has all its passes"},                                           \
    [TARE__IN_PLACE] = {"on", "on", "a captured operator has all its passes"},                                         \
    [TARE__PLACEMENT] = {"on", "on", "a captured operator has all its passes"},                                        \
    [TARE__ORDER] = {"program", "program", "a captured operator runs in the order of its program"},                    \
    [TARE__GUARDS] = {"off", "off", "its arenas come and go with its calls (symbol, step)"},                           \
    [TARE__FUSION] = {"off", "off on", ""},                                                                            \
    [TARE__RECOMPUTE] = {"off", "off", "its backward is planned apart and reads what the forward kept (symbol)"},      \
    [TARE__UPDATE] = {"parameter", "parameter multi", "an update in the plan needs a plan (the rung step)"}

const tare__rung tare__rungs[] = {
    {
        .name = "invoke",
        .mirrors = {"MXImperativeInvoke from a language binding: name and strings", "torch._C ops found by schema name",
                    "primitive bound by name", "TFE_Py_Execute with an op name and attributes"},
        .pays = "operator look-up by name, formatting and parsing of string attributes, then as functional",
        .cell = {[TARE__API] = {"invoke", APIS, NO_BARE}, UNCAPTURED, IMPERATIVE},
    },
    {
        .name = "hybridblock",
        .mirrors = {"HybridBlock, not hybridized", "nn.Module with checks per call", "flax Module, not jitted",
                    "keras.Layer.__call__, run eagerly"},
        .pays = "as block, and a call: is it captured, parameters collected by name, operators through a table",
        .cell =
            {IMPERATIVE, [TARE__CAPTURE] = {"none", "none child", "capturing the net as one operator is hybridized"},
             [TARE__API] = {"hybridblock", APIS, NO_BARE}},
    },
    {
        .name = "block",
        .alias = "eager",
        .mirrors = {"Gluon Block", "nn.Module, eager", "flax Module.apply, op by op", "keras.Model, run eagerly"},
        .pays = "as functional, behind objects: children, virtual call, parameter access with its checks",
        .cell = {[TARE__API] = {"block", APIS, NO_BARE}, UNCAPTURED, IMPERATIVE},
    },
    {
        .name = "functional",
        .mirrors = {"low-level imperative interface (MXImperativeInvoke) with autograd",
                    "eager with autograd, seen from C++", "op by op, without jit", "eager with GradientTape"},
        .pays = "per operator: inference, variant choice, storage, run, tape node",
        .cell = {[TARE__API] = {"functional", APIS, NO_BARE}, UNCAPTURED, IMPERATIVE},
    },
    {
        .name = "symbolblock",
        .mirrors = {"SymbolBlock.imports()", "torch.export program, loaded", "jax.export, loaded",
                    "SavedModel, loaded"},
        .pays = "as hybridized, the graph read from a file",
        .cell = {[TARE__DISPATCH] = {"call", "call", "bound calls need a kept arena (static_shape)"},
                 [TARE__KEEP] = {"retaken", "retaken kept", ""},
                 [TARE__SOURCE] = {"file", "file traced", ""},
                 [TARE__CAPTURE] = {"net", "net broken", "layers of a graph file cannot be captured one by one"},
                 CAPTURED},
    },
    {
        .name = "hybridized",
        .mirrors = {"hybridize()", "torch.compile, default mode", "jit of the forward with vjp",
                    "tf.function of the model"},
        .pays = "one guard and one tape node; each node dispatched, its storage taken as planned at each call",
        .cell = {[TARE__DISPATCH] = {"call", "call", "bound calls need a kept arena (static_shape)"},
                 [TARE__KEEP] = {"retaken", "retaken kept", ""},
                 [TARE__SOURCE] = {"traced", "traced file", ""},
                 WHOLE_NET,
                 CAPTURED},
    },
    {
        .name = "static_alloc",
        .mirrors = {"hybridize(static_alloc=True)", "no counterpart by default", "jit with donated buffers",
                    "no counterpart by default"},
        .pays = "as hybridized, but the storage is planned once and kept",
        .cell = {[TARE__DISPATCH] = {"call", "call bound", ""},
                 [TARE__KEEP] = {"kept", "kept retaken", ""},
                 [TARE__SOURCE] = {"traced", "traced file", ""},
                 WHOLE_NET,
                 CAPTURED},
    },
    {
        .name = "static_shape",
        .alias = "compiled",
        .mirrors = {"hybridize(static_alloc=True, static_shape=True)", "torch.compile, mode reduce-overhead",
                    "AOT-compiled jit (lower().compile())", "XLA-compiled tf.function"},
        .pays = "one guard and one tape node; arguments bound, instructions replayed",
        .cell = {[TARE__DISPATCH] = {"bound", "bound call", ""},
                 [TARE__KEEP] = {"kept", "kept", "bound calls need a kept arena"},
                 [TARE__SOURCE] = {"traced", "traced file", ""},
                 WHOLE_NET,
                 CAPTURED},
    },
    {
        .name = "symbol",
        .mirrors = {"Module: simple_bind, forward, backward; updater outside", "AOTAutograd's joint graph, replayed",
                    "jit of value_and_grad; optimizer outside", "tf.function of the gradient; optimizer outside"},
        .pays = "a replay of forward and backward from one plan; per parameter an imperative update",
        .cell =
            {
                [TARE__API] = {"functional", "functional", "its calls as a bare list are the rung kernels"},
                [TARE__JOINT] = {"joint", "joint", "the update in the same plan is the rung step"},
                [TARE__GUARDS] = {"off", "off on", ""},
                QUEUED,
                REPLAYED,
                [TARE__UPDATE] = {"parameter", "parameter multi", "the update in the plan is the rung step"},
            },
    },
    {
        .name = "step",
        .alias = "jit",
        .mirrors = {"nothing (its executor ends at the gradients)", "torch.compile with the optimizer inside",
                    "jit of the whole train_step", "tf.function of the whole train_step"},
        .pays = "one replay of forward, backward and update; without an optimizer gradients are its outputs",
        .without_update = "symbol",
        .cell =
            {
                [TARE__API] = {"functional", "functional", "its calls as a bare list are the rung kernels"},
                [TARE__JOINT] = {"step", "step", "a plan without the update is the rung symbol"},
                [TARE__GUARDS] = {"off", "off on", ""},
                QUEUED_WHOLE,
                REPLAYED,
                [TARE__UPDATE] = {"plan", "plan", "an update outside the plan is the rung symbol"},
            },
    },
    {
        .name = "kernels",
        .mirrors = {"nothing", "nothing", "nothing", "nothing"},
        .pays = "a bare loop over the bound calls of symbol's plan (of step's with an optimizer): the floor",
        .with_update = "step",
        .cell =
            {
                [TARE__API] = {"kernels", "kernels", "with anything around the calls it would be symbol or step"},
                [TARE__JOINT] = {"joint", "joint", "it has the plan of symbol, or of step with an optimizer"},
                [TARE__GUARDS] = {"off", "off", "nothing is around its calls (symbol, step)"},
                [TARE__ENGINE] = {"direct", "direct", "handed to a queue its calls are what symbol and step hand over"},
                [TARE__BULK] = {"1", "1", "nothing is handed over"},
                REPLAYED,
                [TARE__UPDATE] = {"parameter", "parameter", "it has the plan of symbol, or of step with an optimizer"},
            },
    },
    {
        .name = "carrier",
        .mirrors = {"nothing", "nothing", "nothing", "nothing"},
        .pays = "the net's calls and a cursor in its captured program; each mechanism between imperative and static is "
                "switched by itself",
        .cell =
            {
                [TARE__API] = {"functional", "functional invoke", "layer objects are not carried (block)"},
                [TARE__CAPTURE] = {"step", "step", "it goes along the captured step"},
                [TARE__SOURCE] = {"traced", "traced", "a graph file belongs to a captured net (symbolblock)"},
                [TARE__DISPATCH] = {"bound", "bound call", ""},
                [TARE__SHAPE] = {"frozen", "frozen inferred", "nothing is guarded: it was captured for these shapes"},
                [TARE__KEEP] = {"kept", "kept", "its arena is kept (hybridized takes one a call)"},
                [TARE__EXECUTION] = {"carried", "carried", "replaying is symbol, running as it is met functional"},
                [TARE__STORAGE] = {"planned", "planned pool", "a plan or a pool (functional has storage=malloc)"},
                [TARE__PLAN] = {"arena", ALL_PACKERS, "a file of offsets is for a plan that is replayed (symbol)"},
                [TARE__JOINT] = {"joint", "joint", "it has the plan of symbol"},
                [TARE__AUTOGRAD] = {"graph", "graph tape", "the work decides whether there is a gradient (--forward)"},
                KERNELS,
                [TARE__THREADS] = {"1", "1..64", ""},
                [TARE__DEVICE] = {"cpu", "cpu", ""},
                QUEUED,
                [TARE__DCE] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__CSE] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__FOLDING] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__ADD_TO] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__GUARDS] = {"off", "off", "its calls are made one by one (symbol, step)"},
                [TARE__IN_PLACE] = {"on", "on off", ""},
                [TARE__PLACEMENT] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__ORDER] = {"program", "program", "the net applies them in the program's order"},
                [TARE__FUSION] = {"off", "off", "the net applies all of the program's nodes"},
                [TARE__RECOMPUTE] = {"off", "off", "the net applies each of the program's nodes once"},
                [TARE__UPDATE] = {"parameter", "parameter multi", "an update in the plan needs a plan (the rung step)"},
            },
    },
    {0},
};

/* What is around a step, and the switches: the same on every rung; `flips` NULL: all levels. */
static const tare__cell everywhere[TARE__FACTOR_COUNT] = {
    [TARE__INPUT] = {"resident", NULL, ""}, [TARE__WORKERS] = {"0", NULL, ""},
    [TARE__PREFETCH] = {"2", NULL, ""},     [TARE__READBACK] = {"end", NULL, ""},
    [TARE__FEED] = {"bound", NULL, ""},     [TARE__INPUT_GRADIENT] = {"off", NULL, ""},
    [TARE__WARM_UP] = {"on", NULL, ""},     [TARE__SEQUENCE] = {"usual", NULL, ""},
    [TARE__SYNC] = {"end", NULL, ""},       [TARE__CLOCK] = {"wall", NULL, ""},
    [TARE__INIT] = {"net", NULL, ""},       [TARE__LOOP] = {"bare", NULL, ""},
    [TARE__RESCALE] = {"mean", NULL, ""},   [TARE__VALIDATION] = {"outside", NULL, ""},
    [TARE__ITERATOR] = {"fresh", NULL, ""}, [TARE__LOSS] = {"net", NULL, ""},
    [TARE__EPSILON] = {"usual", NULL, ""},
};

const tare__cell *tare__rung_cell(const tare__rung *rung, int f)
{
    return f < TARE__LADDER_COUNT ? &rung->cell[f] : &everywhere[f];
}

/* ---- reading it ----------------------------------------------------------------------------------------------*/

const tare__rung *tare__rung_find(const char *name)
{
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
        if (strcmp(rung->name, name) == 0 || (rung->alias && strcmp(rung->alias, name) == 0))
            return rung;
    return NULL;
}

int tare__rung_unknown(const tare__line *line, const char *name)
{
    const char *names[32];
    int n = 0;
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung)
        names[n++] = rung->name;
    char text[TARE__NEAREST];
    return tare__usage(line, "unknown rung '%s'%s", name, tare__nearest(name, names, n, text));
}

/* The index of a word of `length` letters among words parted by blanks; -1: none. */
static int word_index(const char *words, const char *word, size_t length)
{
    for (int i = 0; *words; ++i) {
        size_t n = strcspn(words, " ");
        if (n == length && memcmp(words, word, n) == 0)
            return i;
        words += n + (words[n] == ' ');
    }
    return -1;
}

/* N of the levels M..N; 0: they are words. */
static int most_of(const char *levels)
{
    return strncmp(levels + 1, "..", 2) == 0 ? atoi(levels + 3) : 0;
}

/* What `length` letters say where levels are whole numbers from `least` to `most`; -1: none of them. */
static int number_index(int least, int most, const char *level, size_t length)
{
    int n = 0;
    for (size_t i = 0; i < length; ++i) {
        if (level[i] < '0' || level[i] > '9' || n > most)
            return -1;
        n = 10 * n + level[i] - '0';
    }
    return length == 0 || n < least || n > most || (*level == '0' && length > 1) ? -1 : n;
}

/* Units of a number of bytes, as shifts of a KiB. */
static const struct {
    const char *name;
    int shift;
} unit[] = {{"GiB", 20}, {"MiB", 10}, {"KiB", 0}, {"B", -10}};
enum { UNITS = sizeof unit / sizeof *unit };

/* Whole KiB that a number of bytes makes, at least one; 0: off; -1: none of them. */
static int bytes_index(const char *level, size_t length)
{
    size_t digits = 0;
    int64_t n = 0;
    if (length == 3 && memcmp(level, "off", 3) == 0)
        return 0;
    for (; digits < length && level[digits] >= '0' && level[digits] <= '9' && n < INT64_C(1) << 40; ++digits)
        n = 10 * n + level[digits] - '0';
    for (int u = 0; u < UNITS && digits > 0; ++u) {
        bool named =
            length - digits == strlen(unit[u].name) && memcmp(level + digits, unit[u].name, length - digits) == 0;
        if (!named && !(digits == length && unit[u].shift < 0))
            continue;
        int64_t kib = unit[u].shift < 0 ? n >> 10 : n << unit[u].shift;
        bool whole = unit[u].shift >= 0 || n % 1024 == 0;
        return whole && kib > 0 && kib <= INT32_MAX ? (int)kib : -1;
    }
    return -1;
}

#define CSV_FILE "FILE.csv"

static int level_index(const char *levels, const char *level, size_t length)
{
    size_t ending = strlen(".csv");
    if (length > ending && memcmp(level + length - ending, ".csv", ending) == 0) {
        level = CSV_FILE;
        length = strlen(CSV_FILE);
    }
    if (strcmp(levels, BYTES) == 0)
        return bytes_index(level, length);
    int most = most_of(levels);
    return most ? number_index(*levels - '0', most, level, length) : word_index(levels, level, length);
}

bool tare__level_in(const char *levels, const char *level)
{
    return level_index(levels, level, strlen(level)) >= 0;
}

int tare__level_find(int factor, const char *level, size_t length)
{
    return level_index(tare__factors[factor].levels, level, length);
}

const char *tare__level_name(int factor, int level, char *text)
{
    const char *words = tare__factors[factor].levels;
    if (strcmp(words, BYTES) == 0 && level > 0) {
        int u = 0;
        while (level % (1 << unit[u].shift))
            ++u;
        snprintf(text, 32, "%d%s", level >> unit[u].shift, unit[u].name);
        return text;
    }
    if (most_of(words)) {
        snprintf(text, 32, "%d", level);
        return text;
    }
    for (int i = 0; i < level; ++i)
        words += strcspn(words, " ") + 1;
    snprintf(text, 32, "%.*s", (int)strcspn(words, " "), words);
    return text;
}

tare__setting tare__setting_of(const tare__rung *rung, bool with_update)
{
    tare__setting setting = {.rung = rung, .updated = rung};
    if (with_update && rung->with_update)
        setting.updated = tare__rung_find(rung->with_update);
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        const char *level = tare__setting_cell(&setting, f)->level;
        setting.level[f] = tare__level_find(f, level, strlen(level));
    }
    return setting;
}

const tare__cell *tare__setting_cell(const tare__setting *setting, int f)
{
    return tare__rung_cell(f == TARE__JOINT || f == TARE__UPDATE ? setting->updated : setting->rung, f);
}

int tare__factor_unknown(const tare__line *line, const char *name)
{
    const char *names[TARE__FACTOR_COUNT];
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f)
        names[f] = tare__factors[f].name;
    char text[TARE__NEAREST];
    return tare__usage(line, "unknown factor '%s'%s", name, tare__nearest(name, names, TARE__FACTOR_COUNT, text));
}

int tare__setting_put(tare__setting *setting, const tare__line *line, int f, const char *level)
{
    int index = tare__level_find(f, level, strlen(level));
    if (index < 0)
        return tare__usage(line, "the factor %s has no level '%s'; there are: %s", tare__factors[f].name, level,
                           tare__factors[f].levels);
    setting->level[f] = index;
    setting->given = f == TARE__PLAN ? NULL : setting->given;
    return f == TARE__PLAN && index == TARE__PLAN_FILE ? tare__offsets_read(line, level, &setting->given) : TARE__RAN;
}

/* lenient: a flip that means nothing on the rung is left out. */
static int apply_flip(tare__setting *setting, const tare__line *line, const char *flip, bool lenient)
{
    const char *equals = strchr(flip, '=');
    if (!equals)
        return tare__usage(line, "a flip is factor=level, not '%s'", flip);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals - flip), flip);
    int f = 0;
    while (f < TARE__FACTOR_COUNT && strcmp(tare__factors[f].name, name) != 0)
        ++f;
    if (f == TARE__FACTOR_COUNT)
        return tare__factor_unknown(line, name);
    const char *level = equals + 1;
    int index = tare__level_find(f, level, strlen(level));
    const tare__cell *cell = tare__setting_cell(setting, f);
    if (index < 0 || index == setting->level[f] || !cell->flips || level_index(cell->flips, level, strlen(level)) >= 0)
        return tare__setting_put(setting, line, f, level);
    return lenient ? TARE__RAN
                   : tare__usage(line, "%s=%s means nothing on %s: %s", name, level, setting->rung->name, cell->why);
}

int tare__setting_flip(tare__setting *setting, const tare__line *line, const char *flip)
{
    return apply_flip(setting, line, flip, false);
}

int tare__setting_flip_if(tare__setting *setting, const tare__line *line, const char *flip)
{
    return apply_flip(setting, line, flip, true);
}

json_t *tare__setting_json(const tare__setting *setting)
{
    json_t *factors = json_object();
    char text[32];
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f)
        json_object_set_new(factors, tare__factors[f].name,
                            json_string(f == TARE__PLAN && setting->given
                                            ? tare__offsets_path(setting->given)
                                            : tare__level_name(f, setting->level[f], text)));
    return factors;
}
