/* commands.h - the subcommands' functions, one file each; main.c has the table. Each answers an exit code. */
#ifndef TARE_BENCH_COMMANDS_H
#define TARE_BENCH_COMMANDS_H

#include "../base/command.h"

int tare__nets_run(const tare__line *);
int tare__ops_run(const tare__line *);
int tare__optimizers_run(const tare__line *);
int tare__schedules_run(const tare__line *);
int tare__initialisers_run(const tare__line *);
int tare__modes_run(const tare__line *);
int tare__factors_run(const tare__line *);
int tare__summary_run(const tare__line *);
int tare__bench_command(const tare__line *);
int tare__agree_run(const tare__line *);
int tare__train_run(const tare__line *);
int tare__predict_run(const tare__line *);
int tare__data_run(const tare__line *);
int tare__plan_run(const tare__line *);
int tare__graph_run(const tare__line *);
int tare__ablate_run(const tare__line *);
int tare__micro_run(const tare__line *);
int tare__explain_run(const tare__line *);
int tare__step_run(const tare__line *);
int tare__serve_run(const tare__line *);
int tare__count_run(const tare__line *);
int tare__trace_run(const tare__line *);
int tare__check_run(const tare__line *);
int tare__report_run(const tare__line *);
int tare__verify_run(const tare__line *);
int tare__compare_run(const tare__line *);
int tare__doctor_run(const tare__line *);
int tare__completion_run(const tare__line *);
int tare__manual_run(const tare__line *);

#endif
