/* terms.c - what the words and numbers of a report mean: hover texts and footnotes of the page (see sheet.h). */
#include <string.h>

#include "sheet.h"

const tare__term tare__terms[] = {
    {"arm", "arm",
     "one way of running the net: a rung of the ladder, with flips of factors below its name if it has any."},
    {"min", "step, min",
     "the smallest mean time of a step over a block of at least 20 ms. A step is what was asked for, once: forward and "
     "backward, and the update where an optimizer was asked for."},
    {"median", "step, median", "the median over all blocks that were kept of the mean time of a step."},
    {"mean", "step, mean", "the mean over processes; its 95 % interval is Student's t over process means."},
    {"ratio", "× kernels",
     "ratio of step times in the same round to the arm kernels, which is the bound kernel calls of the plan in a bare "
     "loop: interquartile mean of the logarithms in each process, Student's t over processes."},
    {"overhead", "overhead", "step min less the step min of kernels."},
    {"node_overhead", "overhead / node",
     "overhead divided by the number of nodes; nodes are operators that have a kernel, before passes."},
    {"efficiency", "efficiency",
     "FLOPs of the matrix products / step time / rate of this machine's sgemm 1024³, median over rounds."},
    {"peak", "peak",
     "highest bytes of activations, workspaces and gradients at any time of a step, in units of 64 bytes."},
    {"counts", "counts a step", "how often a step did each of these; they are exact and need no quiet machine."},
    {"setup", "set-up", "how often it happened before the steps that are timed: plans made, graphs captured."},
    {"holm", "p",
     "of no difference to kernels, t test over processes, adjusted for all arms (Holm); a verdict is given below "
     "0.05."},
    {"mde", "smallest effect", "the smallest ratio, less 1, that a run of this noise would find (power 80 %)."},
    {"ns", "ns a step", "time of a part of the step, from means over processes."},
    {"share", "share", "of the time of the step of this arm."},
    {"method", "method", "how a part was found: ladder, Shapley values, null kernels, or time-stamp spans."},
    {"shapley", "share",
     "what switching a mechanism on adds to a step, averaged over all orders in which they can be switched (Shapley)."},
    {"order", "up, down", "what it adds in one order alone: that of the rows, and the other."},
    {"bytes", "bytes", "of activations, workspaces and all gradients; parameters, optimizer state and inputs apart."},
    {"relative", "overhead / kernels", "overhead of an arm divided by the step min of kernels."},
    {"work", "kernel time / node", "step min of kernels divided by the number of nodes."},
    {"crossover", "crossover",
     "the batch at which the overhead is a tenth of the kernels' time, between the two batches "
     "around it on logarithmic scales."},
    {"intensity", "intensity", "FLOPs of the products of a step / bytes that its nodes read and write."},
    {"verdict", "verdict", "whether the bits of all results are those of the first arm."},
    {"digest", "digest", "a hash of the bits: equal where these are."},
    {0},
};

int tare__term_find(const char *key)
{
    for (int i = 0; key && tare__terms[i].key; ++i)
        if (strcmp(tare__terms[i].key, key) == 0)
            return i;
    return -1;
}
