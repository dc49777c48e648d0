/* parts.h - what a step's time goes to: one table, from which the spans, the terminal, the records and docs/METHOD.md
 * have names, definitions and switches.
 *
 * Every part but the last three is what the time-stamp spans of some phase and event sum up to (spans.c). A part that
 * no arm of this build can have is not listed. */
#ifndef TARE_BENCH_PARTS_H
#define TARE_BENCH_PARTS_H

/* X(NAME, name, definition, switch that removes it) */
#define TARE__PARTS(X)                                                                                                 \
    X(KERNEL, "kernel", "what the arm's kernel calls take as a bare list, in the arm kernels, nothing around them",    \
      "kernels=null")                                                                                                  \
    X(DISPATCH, "dispatch",                                                                                            \
      "operands looked at, a variant chosen, its geometry computed; a captured function's guard and addresses",        \
      "dispatch=bound (static_shape)")                                                                                 \
    X(SHAPE, "shape", "shapes and dtypes of results inferred", "capture=net (hybridized)")                             \
    X(ALLOCATION, "allocation", "storage taken, results handed to their scope, what is not needed any more let go",    \
      "keep=kept (static_alloc), capture=step (symbol)")                                                               \
    X(TAPE, "tape", "nodes appended to the tape, and the walk back over them up to each gradient's operators",         \
      "autograd=off (--infer), autograd=graph (symbol)")                                                               \
    X(SCHEDULING, "scheduling", "the way from one call of a plan to the next", "api=kernels (kernels)")                \
    X(WRAPPER, "wrapper", "net, layers and scopes, look-up by name and parsing: what comes before an operator",        \
      "api=functional (functional), capture=net (hybridized)")                                                         \
    X(OPTIMIZER, "optimizer glue", "the way through the parameters to the operators that update them",                 \
      "update=plan (step), update=multi")                                                                              \
    X(INPUT, "input wait", "the next batch waited for and fed; 0 where one batch stays resident",                      \
      "input=resident, feed=bound")                                                                                    \
    X(READBACK, "readback", "results read by the host, and the loop's metric made of them; 0 where nothing is read",   \
      "readback=end, loop=bare")                                                                                       \
    X(CACHE, "cache effect",                                                                                           \
      "what the kernels take longer here than in the arm kernels: what runs between them has "                         \
      "taken their place in the caches; below 0 where it is less",                                                     \
      "the rung kernels")                                                                                              \
    X(UNATTRIBUTED, "unattributed", "the untraced step less all parts above", "-")

typedef enum {
#define TARE__PART_ENUM(NAME, name, definition, removed_by) TARE__PART_##NAME,
    TARE__PARTS(TARE__PART_ENUM)
#undef TARE__PART_ENUM
        TARE__PART_COUNT
} tare__part;

typedef struct {
    const char *name, *definition, *removed_by;
} tare__part_text;
extern const tare__part_text tare__part_texts[TARE__PART_COUNT];

enum { TARE__PROBINGS = 3 }; /* spans are taken with each probe once, twice, and three times */

/* What the spans of some steps sum up to. At UNATTRIBUTED: from the last event of a step to its end. */
typedef struct {
    double ns[TARE__PART_COUNT];
    double probes[TARE__PART_COUNT]; /* events, each once */
} tare__span_sums;

#endif
