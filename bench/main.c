/* main.c - the command `tare`: the table of its subcommands and their options. */
#include "commands.h"
#include "request.h"

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
static const tare__option modes_options[] = {
    JSON_LINES, {"markdown", NULL, NULL, "the whole ladder, as docs/MODES.md has it"}, END};
static const tare__option summary_options[] = {TARE__TASK_OPTIONS, JSON_LINES, WORK, END};
static const tare__option bench_options[] = {
    TARE__TASK_OPTIONS,
    WORK,
    TARE__ARM_OPTIONS,
    {"arm", "NAME=RUNG,F=L,...", NULL, "one more arm, with flips of its own"},
    {"rounds", "R", "60", "rounds in all processes together"},
    {"time", "SECONDS", NULL, "stop after this time instead"},
    {"quick", NULL, NULL, "--time 10"},
    {"processes", "P", "6", "processes, one after the other"},
    {"order-seed", "S", "1", "seed of the order of arms"},
    JSON_FILE,
    {"child", "K", NULL, NULL},
    {"share", "SECONDS", NULL, NULL},
    END,
};
static const tare__option agree_options[] = {
    {"batch", "N", NULL, "samples a step (the net's own number where not given)"},
    {"optimizer", "NAME", "sgd", "the update: sgd, adam, sgd:momentum=0.9,..."},
    TARE__ARM_OPTIONS,
    {"steps", "K", "3", "steps from the seed"},
    {"data", "DIR", NULL, "real batches, one a step"},
    JSON_FILE,
    END,
};
static const tare__option train_options[] = {
    {"data", "DIR", NULL, "images in MNIST's format, or x_*.npy and y_*.npy"},
    {"epochs", "E", "1", "times through the training set"},
    {"mode", "RUNG", "step", "how a step runs"},
    {"factor", "F=L,...", NULL, "flips"},
    {"threads", "T", NULL, "the factor threads"},
    {"kernels", "K", NULL, "the factor kernels"},
    {"device", "D", NULL, "the factor device"},
    {"optimizer", "NAME", "adam", "the update: sgd, adam, sgd:momentum=0.9,..."},
    {"batch", "N", NULL, "samples a step (the net's own number where not given)"},
    {"save", "FILE", NULL, "write the parameters (safetensors)"},
    {"load", "FILE", NULL, "begin with these parameters"},
    {"json", "FILE", NULL, "write a record an epoch"},
    END,
};
static const tare__option predict_options[] = {
    {"load", "FILE", NULL, "parameters (safetensors); a saved net has its own"},
    {"data", "DIR", NULL, "as for train; its test set is used"},
    {"batch", "N", NULL, "samples at a time"},
    {"out", "FILE", NULL, "write the outputs (npy)"},
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
    {"csv", "FILE", NULL, "write a net's intervals: id,lower,upper,size,offset"},
    {"out", "FILE", NULL, "write the plan of a CSV file"},
    {"capacity", "BYTES", NULL, "fail where the plan is higher"},
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
static const tare__option report_options[] = {{"out", "FILE", NULL, "the page"}, END};

static const tare__command commands[] = {
    {"nets", "", "lists the nets", 0, 0, list_options, tare__nets_run},
    {"ops", "", "lists the operators", 0, 0, list_options, tare__ops_run},
    {"modes", "", "lists the rungs and what each mirrors elsewhere", 0, 0, modes_options, tare__modes_run},
    {"factors", "", "lists the factors and their levels", 0, 0, list_options, tare__factors_run},
    {"summary", "NET", "layers, parameters, FLOPs and bytes of a net", 1, 1, summary_options, tare__summary_run},
    {"bench", "NET", "times arms against each other, interleaved", 1, 1, bench_options, tare__bench_run},
    {"agree", "NET", "runs every rung and compares all results bit for bit", 1, 1, agree_options, tare__agree_run},
    {"train", "NET", "trains on a data set", 1, 1, train_options, tare__train_run},
    {"predict", "NET", "runs a trained net on a data set", 1, 1, predict_options, tare__predict_run},
    {"data", "KIND", "writes a data set in its real format: digits, regression", 1, 1, data_options, tare__data_run},
    {"plan", "[NET | FILE.csv]", "plans memory: of a net, of intervals in a file; checks a plan", 0, 1, plan_options,
     tare__plan_run},
    {"graph", "NET", "writes a net: a picture of its captured program, or files to be loaded again", 1, 1,
     graph_options, tare__graph_run},
    {"step", "NET", "shows one step event by event, two arms side by side", 1, 1, step_options, tare__step_run},
    {"report", "FILE.jsonl...", "makes one page of records", 1, -1, report_options, tare__report_run},
    {"doctor", "", "what this machine and this build are", 0, 0, list_options, tare__doctor_run},
    {0},
};

int main(int argc, char **argv)
{
    return tare__command_main(commands, argc, argv);
}
