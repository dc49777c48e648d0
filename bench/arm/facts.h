/* facts.h - what is true of a task whatever runs it: nodes, FLOPs, bytes. Taken from one capture of the whole step. */
#ifndef TARE_BENCH_FACTS_H
#define TARE_BENCH_FACTS_H

#include "arm.h"
#include "memory_report.h"

/* Nodes that are alike. */
typedef struct {
    double flops, bytes;
    int64_t n;
} tare__node_work;

typedef struct {
    char *label; /* the net with all its options, owned */
    int64_t batch;
    int nodes;    /* operators with a kernel in the program before passes */
    double flops; /* 2 x multiply-adds of the products: forward and wanted gradients */
    int64_t parameter_bytes, optimizer_bytes, input_bytes;
    tare__node_work *work; /* of the nodes with a kernel, alike ones together; owned */
    int n_work;
    tare__strategies plan; /* of forward and backward, gradients kept to the end: what an imperative step holds */
    json_t *memory;        /* tare__memory_sides of the whole step; owned */
} tare__facts;

tare_status tare__facts_take(const tare__task *, tare__facts *);
void tare__facts_free(tare__facts *);

/* Its place in its program; of a node that has been appended to one. */
int32_t tare__node_place(const tare_node *);
/* FLOPs of a program's nodes. */
double tare__program_flops(const tare_program *);
/* Of one node: FLOPs, and the bytes that it reads and writes. */
double tare__node_flops(const tare_node *);
double tare__node_bytes(const tare_node *);

/* Counts of one step of a prepared arm, after two that warm it up. */
tare_status tare__arm_count(tare__arm *, tare_counts *step);
/* Counts as a new object, a field each. */
json_t *tare__counts_json(const tare_counts *);
/* Highest bytes of results during one step: what the runtime handed out, and the plan's arena. */
tare_status tare__arm_peak(tare__arm *, int64_t *bytes);

#endif
