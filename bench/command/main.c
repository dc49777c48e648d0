/* main.c - the command `tare`: the table of its subcommands and their options. */
#include "../arm/request.h"
#include "../measure/measure.h"
#include "../measure/micro.h"
#include "commands.h"

#define JSON_LINES                                                                                                     \
    {                                                                                                                  \
        "json", NULL, NULL, "a JSON object a line"                                                                     \
    }
#define JSON_FILE                                                                                                      \
    {                                                                                                                  \
        "json", "FILE", NULL, "write the records, a JSON object a line"                                                \
    }
#define WORK                                                                                                           \
    {"train", NULL, NULL, "forward and backward (the normal)"}, {"forward", NULL, NULL, "forward, in training mode"},  \
    {                                                                                                                  \
        "infer", NULL, NULL, "forward, no tape, statistics frozen"                                                     \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        0                                                                                                              \
    }

static const tare__option list_options[] = {JSON_LINES, END};
static const tare__option record_list_options[] = {JSON_LINES, TARE__PLUGIN_OPTION, END};
static const tare__option ops_options[] = {
    JSON_LINES,
    {"markdown", NULL, NULL, "all that the records say, as docs/OPS.md has it"},
    TARE__PLUGIN_OPTION,
    END,
};
static const tare__option modes_options[] = {
    JSON_LINES, {"markdown", NULL, NULL, "the whole ladder, as docs/MODES.md has it"}, END};
static const tare__option summary_options[] = {
    TARE__TASK_OPTIONS,
    JSON_LINES,
    WORK,
    {"measure", NULL, NULL, "the time that each layer takes, beside what sgemm's rate and the memory would allow"},
    {"time", "SECONDS", NULL, "measure so long [5]"},
    {"threads", "T", NULL, "the factor threads"},
    {"kernels", "K", NULL, "the factor kernels"},
    {"device", "D", NULL, "the factor device"},
    END,
};
/* What a run of the protocol takes, whatever is made of it. */
#define RUN(rounds, seconds)                                                                                           \
    {"rounds", "R", NULL, "rounds in all processes together" rounds},                                                  \
        {"time", "SECONDS", NULL, "stop after this time instead (each cell of a grid)" seconds},                       \
        {"quick", NULL, NULL, "--time 10"},                                                                            \
        {"processes", "P", "10", "processes, one after the other; fewer by themselves where the time is short"},       \
        {"trust", "PERCENT", "1", "how far the same arm, measured twice, may differ from itself"},                     \
        {"order-seed", "S", "1", "seed of the order of arms"},                                                         \
        {"fraction", "N", "1", "of a grid, the regular fraction of one in N cells"},                                   \
    {                                                                                                                  \
        "shard", "I/N", NULL, "of a grid, the I-th of N shards; their files are merged by concatenation"               \
    }
static const tare__option bench_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    TARE__ARM_OPTIONS,
    {"arm", "NAME=RUNG,F=L,...", NULL, "one more arm, with flips of its own"},
    RUN(" [60]", ""),
    JSON_FILE,
    {"csv", "DIR", NULL, "write the records of --json as tables too, one a kind"},
    END,
};
#define FLIPS_OF_ALL                                                                                                   \
    {"factor", "F=L,...", NULL, "flips that apply to all arms"}, {"threads", "T", NULL, "the factor threads"},         \
        {"kernels", "K", NULL, "the factor kernels"},                                                                  \
    {                                                                                                                  \
        "device", "D", NULL, "the factor device"                                                                       \
    }
static const tare__option ablate_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"base", "RUNG", "block", "the arm that is flipped"},
    {"factors", "A,B,C=L|all", "all", "what to flip: all levels of a factor, or one"},
    {"shapley", NULL, NULL, "the shares of the rung carrier's six mechanisms, from all 64 sets of them"},
    FLIPS_OF_ALL,
    RUN("", " [60]"),
    JSON_FILE,
    END,
};
static const tare__option explain_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"arms", "A,B", "block,static_shape", "rungs: two, side by side, or one"},
    FLIPS_OF_ALL,
    {"methods", NULL, NULL, "the carrier's 16 sets of mechanisms too, whatever the nodes' length: up, down, Shapley"},
    {"vs", "FILE", NULL, "steps that others measured, a JSON object a line: name, net, batch, threads, ms"},
    {"markdown", NULL, NULL, "the parts' definitions, as docs/METHOD.md has them"},
    RUN("", " [45]"),
    JSON_FILE,
    END,
};
static const tare__option micro_options[] = {
    {"net", "NET", NULL, "the nodes of this net, each with its own operands, alike ones once"},
    {"family", "F,...|all", NULL, "families of the published benchmarks, with their sizes and several spellings"},
    {"sizes", "N,...", NULL, "of a family; or of an operator, in place of its operands' first dimension"},
    {"operands", "TEXT", NULL, "of one operator: \"f32[n,64] f32[64]<0,1> -\", where n is a size"},
    {"attributes", "A=V,...", NULL, "of that operator"},
    {"variants", NULL, NULL, "each kernel variant of an operator that can run here, in place of the three ways"},
    TARE__TASK_OPTIONS,
    WORK,
    {"threads", "T", NULL, "the factor threads"},
    {"kernels", "K", NULL, "the factor kernels"},
    {"device", "D", NULL, "the factor device"},
    {"time", "SECONDS", NULL, "stop after this time [60]"},
    {"quick", NULL, NULL, "--time 10"},
    {"rounds", "R", NULL, "rounds in all processes together, whatever the time"},
    {"processes", "P", NULL, "processes, one after the other [as many as the time allows, 3 to 10]"},
    {"order-seed", "S", "1", "seed of the order of points"},
    JSON_FILE,
    {"csv", "DIR", NULL, "write the records of --json as a table too"},
    {"svg", "DIR", NULL, "draw time against size, a picture a family"},
    END,
};
static const tare__option measure_options[] = {END};
static const tare__option verify_options[] = {END};
static const tare__option compare_options[] = {
    {"trust", "PERCENT", "1", "how far the machine's sgemm may differ between the files"},
    {"by", "machine", NULL, "compare runs of the same machine only, machine by machine"},
    {"across", NULL, NULL, "compare different machines all the same"},
    {"partial", NULL, NULL, "use what is valid in a file that was cut short"},
    END,
};
static const tare__option doctor_options[] = {JSON_LINES, {"time", "SECONDS", "5", "for the measured part"}, END};
static const tare__option agree_options[] = {
    {"batch", "N", NULL, "samples a step (the net's own number where not given)"},
    TARE__PLUGIN_OPTION,
    {"optimizer", "OPTIMIZER", "sgd", "the update: adam, sgd:momentum=0.9,... (tare optimizers)"},
    TARE__ARM_OPTIONS,
    {"steps", "K", "3", "steps from the seed"},
    {"data", "DIR", NULL, "real batches, one a step"},
    JSON_FILE,
    END,
};
static const tare__option train_options[] = {
    {"data", "DIR|FILE", NULL,
     "MNIST's four files, CIFAR-10's binary ones (.gz too), or X_train.npy, Y_train.npy, X_test.npy, Y_test.npy"},
    {"epochs", "E", NULL, "times through the training data [1]"},
    TARE__SETTING_OPTIONS("step"),
    {"optimizer", "OPTIMIZER", NULL, "the update: adam, sgd:momentum=0.9,... (the net's own; tare optimizers)"},
    {"batch", "N", NULL, "samples a step (the net's own number); those that fill no batch are left out of the epoch"},
    TARE__PLUGIN_OPTION,
    {"validation", "SHARE|DIR", NULL, "hold out this share of the training data, or take DIR's test set"},
    {"early-stop", "P", NULL, "stop after P epochs without a lower validation loss; take the best epoch's weights"},
    {"no-shuffle", NULL, NULL, "the samples in the order of their file, in every epoch"},
    {"order-seed", "S", NULL, "seed of the order of samples (the seed where not given)"},
    {"checkpoint", "FILE", NULL, "write all that going on takes, after each epoch and when interrupted"},
    {"checkpoint-every", "N", NULL, "besides, after every N steps"},
    {"resume", "FILE", NULL, "go on from a checkpoint; what is not given here is as it was there"},
    {"save", "FILE", NULL, "write the weights in the end (safetensors)"},
    {"load", "FILE", NULL, "begin with these weights"},
    {"json", "FILE", NULL, "write a record an epoch; with --resume they are added"},
    END,
};
static const tare__option predict_options[] = {
    {"load", "FILE", NULL, "weights (safetensors) or a checkpoint; a saved net has its own"},
    {"data", "DIR|FILE", NULL, "a data set as for train, whose test set is used; or an array of inputs"},
    TARE__SETTING_OPTIONS("functional"),
    {"batch", "N", NULL, "samples at a time (the net's own number where not given)"},
    TARE__PLUGIN_OPTION,
    {"out", "FILE", NULL, "write the outputs, a row a sample: FILE.npy, FILE.csv"},
    {"json", "FILE", NULL, "write the score as a record"},
    END,
};
static const tare__option data_options[] = {
    {"out", "DIR", NULL, "folder, made if it is missing"},
    {"count", "N", NULL, "training samples (the data set's own number where not given)"},
    END,
};
static const tare__option plan_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"factor", "F=L,...", NULL, "flips of the rung step"},
    {"csv", "FILE", NULL, "write a net's blocks: id,lower,upper,size,offset,layer,use"},
    {"svg", "FILE", NULL, "draw what a net holds, the plan above the imperative mode, in one scale"},
    {"json", "FILE", NULL, "write the same as records, for tare report"},
    {"out", "FILE", NULL, "write the plan of a CSV file"},
    {"capacity", "BYTES", NULL, "of a CSV file: a plan within so many bytes, or none"},
    {"budget", "SECONDS", NULL, "search so long at most (else a number of steps, the same everywhere)"},
    {"packers", "A,B|all", NULL, "packers to compare, the lowest plan kept [portfolio]"},
    {"verify", "FILE", NULL, "check a plan: id,lower,upper,size,offset"},
    END,
};
static const tare__option graph_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"dot", "FILE", NULL, "write the program for Graphviz"},
    {"save", "FILE.json", NULL, "write the net to FILE.json and FILE.safetensors, which are a NET again"},
    END,
};
static const tare__option step_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"arms", "A,B", "block,static_shape", "rungs: two, side by side, or one"},
    {"factor", "F=L,...", NULL, "flips that apply to both"},
    {"layer", "NAME", NULL, "only what happens in this layer"},
    JSON_FILE,
    END,
};
static const tare__option serve_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    TARE__SETTING_OPTIONS("symbol"),
    END,
};
static const tare__option trace_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    {"arms", "A,B,...", "block,static_shape", "rungs, side by side"},
    {"factor", "F=L,...", NULL, "flips that apply to all"},
    {"threads", "T,...", NULL, "the factor threads; with several, each rung at each of them"},
    {"kernels", "K", NULL, "the factor kernels"},
    {"steps", "K", "1", "steps, one after the other"},
    {"out", "FILE", NULL, "the timeline, in the Trace Event Format"},
    END,
};
static const tare__option count_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    TARE__ARM_OPTIONS,
    {"arm", "NAME=RUNG,F=L,...", NULL, "one more arm, with flips of its own"},
    {"steps", "K", "5", "warm steps for a profiler to count: K, then three times as many"},
    JSON_FILE,
    END,
};
static const tare__option check_options[] = {
    TARE__PLUGIN_OPTION,
    {"kernels", "K", "native", "native, or onednn: those of oneDNN before them"},
    {"layout", "L", "plain", "what oneDNN's convolutions and inner products work on: plain or blocked"},
    END,
};
static const tare__option no_options[] = {END};
static const tare__option report_options[] = {
    {"out", "FILE", NULL, "the page"},
    {"figures", "DIR", NULL,
     "each chart as SVG and PDF, 84 mm wide, with its data and its table (CSV, LaTeX, Markdown)"},
    {"csv", "DIR", NULL, "tables, one a kind of record"},
    {"by", "machine", NULL, "runs of a machine together, under its name"},
    {"markdown", NULL, NULL, "the charts there are, as docs/METHOD.md has them"},
    {"partial", NULL, NULL, "use what is valid in a file that was cut short"},
    END,
};

static const tare__command commands[] = {
    {"nets", "", "lists the nets", 0, 0, record_list_options, tare__nets_run,
     "A line a net: its name with its options and what they are unless given, the batch, and the losses."},
    {"ops", "", "lists the operators", 0, 0, ops_options, tare__ops_run,
     "With --json a number of inputs or outputs that may be any is null.\n"
     "  tare ops --json --plugin ./mine.c"},
    {"optimizers", "", "lists the optimizers", 0, 0, record_list_options, tare__optimizers_run,
     "A line an optimizer, with its options: --optimizer sgd:momentum=0.9,lr=0.01"},
    {"schedules", "", "lists what an optimizer's option schedule can be", 0, 0, list_options, tare__schedules_run,
     "  tare train mlp_mnist --data digits --optimizer adam:schedule=cosine,steps=1000,warmup=100"},
    {"initialisers", "", "lists what a net's option init can be", 0, 0, list_options, tare__initialisers_run,
     "  tare train mlp_mnist:init=he_normal --data digits"},
    {"modes", "", "lists the rungs and what each mirrors elsewhere", 0, 0, modes_options, tare__modes_run,
     "A rung is a way of running a net, from looking operators up by name to replaying a bare list of kernel calls: a "
     "named setting of the factors (tare factors)."},
    {"factors", "", "lists the factors and their levels", 0, 0, list_options, tare__factors_run,
     "A factor is one mechanism that can be flipped alone: --factor storage=malloc. A flip that means nothing on a "
     "rung is refused. Exact: the results are bitwise the same at all levels."},
    {"summary", "NET", "layers, parameters, FLOPs and bytes of a net", 1, 1, summary_options, tare__summary_run,
     "  tare summary mlp --batch 64 --optimizer adam\n"
     "  tare summary lenet --forward --measure"},
    {"bench", "NET", "times arms against each other, interleaved", 1, 1, bench_options, tare__bench_command,
     "Arms run in turn, in shuffled rounds, in several processes. Printed are the least and the median time of a step, "
     "the ratio to the bare kernel calls with its 95 % interval, exact counts of what a step does beside its kernels, "
     "and the digest of its kernel calls.\n"
     "  tare bench chain --modes all\n"
     "  tare bench mlp --modes block,step --optimizer adam --threads 2 --json mlp.jsonl\n"
     "  tare bench chain --arm pool=functional --arm heap=functional,storage=malloc"},
    {"agree", "NET", "runs every rung and compares all results bit for bit", 1, 1, agree_options, tare__agree_run,
     "A line a rung with digests of loss, outputs, gradients, parameters, state and kernel calls. A bit that differs, "
     "a "
     "value that is not finite, or results that are constant are a failure.\n"
     "  tare agree mlp --threads 1,2,3\n"
     "  tare agree ./mine.c --modes all"},
    {"train", "NET", "trains on a data set", 1, 1, train_options, tare__train_run,
     "  tare data digits --out digits\n"
     "  tare train mlp_mnist --data digits --epochs 3 --mode step --save digits.safetensors"},
    {"predict", "NET", "runs a trained net on a data set", 1, 1, predict_options, tare__predict_run,
     "  tare predict mlp_mnist --data digits --load digits.safetensors --out scores.npy"},
    {"data", "KIND", "writes a data set in its real format: digits, regression", 1, 1, data_options, tare__data_run,
     NULL},
    {"plan", "[NET | FILE.csv]", "plans memory: of a net, of intervals in a file; checks a plan", 0, 1, plan_options,
     tare__plan_run,
     "A file has rows id,lower,upper,size: a block lives in [lower, upper). A plan has an offset in each row besides.\n"
     "  tare plan mlp --optimizer adam --csv mlp.csv\n"
     "  tare plan blocks.csv --capacity 1048576 --out planned.csv\n"
     "  tare plan blocks.csv --plugin ./mine.c --packers portfolio,mine\n"
     "  tare plan --verify planned.csv"},
    {"graph", "NET", "writes a net: a picture of its captured program, or files to be loaded again", 1, 1,
     graph_options, tare__graph_run,
     "  tare graph mlp --dot mlp.dot\n"
     "  tare graph mlp --save mlp.json"},
    {"explain", "NET", "says where a step's time goes, two arms side by side, and whether it adds up", 0, 1,
     explain_options, tare__explain_run,
     "Kernel, dispatch, shape, allocation, tape and so on, in ns a step with intervals, by time-stamps whose own cost "
     "is "
     "found and taken off, and by the differences of rungs. Where the parts do not add up to the untraced step, they "
     "are "
     "not shown, and the command ends with 3.\n"
     "  tare explain lenet\n"
     "  tare explain mlp --arms functional,step --optimizer adam --vs others.jsonl"},
    {"micro", "[OP...]", "times operators alone, beside what this machine could do", 0, -1, micro_options,
     tare__micro_run,
     "A line a point: an operator on its operands, timed as the bare kernel call, as an imperative call and as a "
     "replayed "
     "plan, in shuffled rounds in several processes; +- is half of the 95 % interval of the kernel's mean. The "
     "roofline is "
     "the time that sgemm's rate and the memory's bandwidth, measured in the same run, would allow. Operands that stay "
     "in "
     "a cache may be faster than memory.\n"
     "  tare micro relu conv2d --quick\n"
     "  tare micro --net googlenet --batch 4\n"
     "  tare micro --family dot,matmul --svg pictures\n"
     "  tare micro matmul --operands \"f32[n,n] f32[n,n]\" --sizes 32,64,128 --variants"},
    {"ablate", "NET", "flips one mechanism at a time and says what each does", 1, 1, ablate_options, tare__ablate_run,
     "A row a flip: nanoseconds a step with their 95 % interval, counts, bytes, and whether results stay the same bit "
     "for "
     "bit; then what cannot be flipped, and why. Verdicts are adjusted for the number of flips (Holm).\n"
     "  tare ablate mlp --optimizer adam\n"
     "  tare ablate lenet --base step --factors order,in-place,threads=2"},
    {"step", "NET", "shows one step event by event, two arms side by side", 1, 1, step_options, tare__step_run,
     "  tare step mlp --arms functional,step --layer dense0"},
    {"serve", "NET", "takes steps when it is asked to, for another harness", 1, 1, serve_options, tare__serve_run,
     "A line {\"ready\": true, ...} when the net is captured and bound. Then, for each line {\"seconds\": S} on "
     "standard "
     "input, steps for so long, two at least, and {\"ms\": [...]}, what each of them took. It ends with its input.\n"
     "  echo '{\"seconds\": 1}' | tare serve lenet --mode static_shape"},
    {"trace", "NET", "writes a timeline of steps, arms side by side, for a trace viewer", 1, 1, trace_options,
     tare__trace_run,
     "Warm steps as nested spans: step, forward, backward and update, layer, operator, what dispatch does and the "
     "kernel; "
     "pieces on the thread that ran them; the live bytes. ui.perfetto.dev and chrome://tracing open the file. A span "
     "ends "
     "with a reading of the clock; what recording itself takes lies between the spans.\n"
     "  tare trace mlp --threads 2 --optimizer adam --out mlp.json"},
    {"count", "NET", "counts what a step does beside its kernels: exact, no clock", 1, 1, count_options,
     tare__count_run,
     "A line an arm, a column a counter. Instructions and system calls are counted under callgrind by "
     "scripts/gate.py.\n"
     "  tare count mlp --optimizer adam --modes functional,step"},
    {"check", "[OP | FILE.so]...", "runs all tests that follow from an operator's record", 0, -1, check_options,
     tare__check_run,
     "A line a test: each kernel against the float64 reference, in place and in other orders; gradients against "
     "differences; what a gradient needs; both modes, captured, with threads, bit for bit; what must be refused; every "
     "allocation failing. Without words: all operators. --quiet prints failures alone.\n"
     "  tare check relu tanh\n"
     "  tare check ./mine.c"},
    {"report", "FILE.jsonl...", "makes one page of records, or charts for a paper", 0, -1, report_options,
     tare__report_run,
     "The page fetches nothing and stays below a megabyte. Records of tare plan --json add the picture of memory.\n"
     "  tare report mlp.jsonl --out mlp.html\n"
     "  tare report lenetp-grid.jsonl --figures charts"},
    {"compare", "A.jsonl B.jsonl", "contrasts between the runs of two files", 2, 2, compare_options, tare__compare_run,
     "  tare compare before.jsonl after.jsonl"},
    {"verify", "FILE.jsonl...", "computes every figure again from the raw blocks", 1, -1, verify_options,
     tare__verify_run, NULL},
    {"doctor", "", "what this machine can measure, and what would help", 0, 0, doctor_options, tare__doctor_run, NULL},
    {"measure-points", "", NULL, 0, -1, micro_options, tare__micro_process_run, NULL},
    {"measure", "", NULL, 0, 0, measure_options, tare__measure_run, NULL},
    {"completion", "bash", "prints what a shell completes the command with", 1, -1, no_options, tare__completion_run,
     "  source <(tare completion bash)"},
    {"manual", "", "prints the manual page", 0, 0, no_options, tare__manual_run,
     "  tare manual >tare.1; man -l tare.1"},
    {0},
};

int main(int argc, char **argv)
{
    return tare__command_main(commands, argc, argv);
}
