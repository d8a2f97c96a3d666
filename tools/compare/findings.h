/* "Why is it not faster?" Rules over a study: each looks at one column and says, with figures, what holds it back. */
#ifndef OSPREY_TOOLS_COMPARE_FINDINGS_H
#define OSPREY_TOOLS_COMPARE_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/measure/study.h"

enum { FINDING_ROOM = 900 };

/* What a rule sees: one column at one workload that it was measured at. */
struct look {
    const struct study *study;
    int column, workload;
    const struct column *of;
    const struct cell *cell;
    double total;   /* median seconds of a run */
    double network; /* of that, the stages of the network */
    double threshold;
};

/* Fills value and sentence, and returns true, if the rule's threshold is passed. */
typedef bool finding_function(const struct look *look, double *value, char sentence[FINDING_ROOM]);

struct finding_rule {
    const char *name;
    double threshold;
    const char *asks; /* what is compared with the threshold */
    finding_function *look;
    bool on_cells; /* asked of every workload, and the worst one is told; else only of the first that was measured */
    const char *advice;
};

extern const struct finding_rule finding_rules[];
extern const int finding_rule_count;

/* Replaces the study's findings by those that the rules make now: by column, then in the order of the table. Columns that are
 * emulated or failed have none, for their times say nothing of what they emulate. OSP_MEMORY. */
osp_status findings_find(struct study *study);

/* For people: each finding with its advice, or that none was made. */
void findings_print(const struct study *study, FILE *out);

/* The rules, by file. findings_time.c: where a run's time goes. */
finding_function finding_decode, finding_preprocess, finding_transfer, finding_launch, finding_first_run, finding_few_pictures,
    finding_serial, finding_copies;
/* findings_kernels.c: what the kernels reach. */
finding_function finding_small_maps, finding_occupancy, finding_memory, finding_far_from_roofline, finding_near_roofline,
    finding_pins, finding_precision;
/* findings_machine.c: what the machine allows. */
finding_function finding_threads, finding_clock, finding_link;

#endif
