#include "findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "tools/report/view.h"

const struct finding_rule finding_rules[] = {
    {"decode-bound", 0.25, "share of a run that decoding pictures takes", finding_decode, true,
     "No backend can win this back. Decode the next pictures on other cores while this one is detected, or store them smaller: "
     "the network looks at far fewer pixels than most cameras deliver."},
    {"preprocess-bound", 0.25, "share of a run that resizing and normalising takes", finding_preprocess, true,
     "Store the pictures nearer to the network's input size, or let the device resize: it then receives bytes instead of "
     "floats."},
    {"transfer-bound", 0.15, "share of a run that copies to and from the device take", finding_transfer, true,
     "Send the pictures as bytes from pinned memory, overlap the copy of the next batch with this one's run, or keep what "
     "follows on "
     "the device."},
    {"launch-bound", 0.20, "share of the network's time in which the device waits for its next kernel", finding_launch, true,
     "Capture the network as a graph, which is launched once, or run more pictures at a time, so that each kernel has more to "
     "do."},
    {"first-run-cost", 10, "pictures that could be done in the time that start-up takes", finding_first_run, false,
     "Keep the process and its session alive for many pictures. A process that is started for each picture pays this every "
     "time."},
    {"too-few-pictures", 1, "pictures needed to win back the start-up, over pictures there are", finding_few_pictures, false,
     "With so few pictures use the column that starts faster; with more of them, or with a process that stays, use this one."},
    {"serial-stages", 0.10,
     "share of a run in stages that gain less than 20 % from at least twice the threads, or that leave a device idle",
     finding_serial, false,
     "More threads or a faster device cannot help here: give these stages work of several pictures at once, or a kernel that "
     "divides it."},
    {"placed-copies", 0.05, "share of a run in the copies that --place makes", finding_copies, true,
     "Leave the op where its operands are, or place its neighbours beside it, so that fewer values cross."},
    {"small-maps", 0.25, "share of the network's time in layers that leave half of the device idle in their last wave of blocks",
     finding_small_maps, false,
     "Run more pictures at a time or larger ones; or give these layers kernels with smaller tiles, or that divide the sum too."},
    {"low-occupancy", 0.25, "share of the network's time in kernels that fill less than a quarter of a multiprocessor",
     finding_occupancy, false,
     "Look at registers and shared memory of these kernels (make ptxas): one of them limits how many blocks fit. A kernel with "
     "much work "
     "for each thread may well be fast all the same: compare its share of the roofline."},
    {"memory-bound", 0.25,
     "share of the network's time in layers that use over half of the memory's bandwidth and are bound by it", finding_memory,
     false,
     "More arithmetic power cannot help these layers: fuse them with their neighbours, use a narrower type, or keep the values "
     "in cache "
     "by running fewer pictures at a time."},
    {"far-from-roofline", 0.30, "share of the roofline that convolutions and matrix products reach, at most",
     finding_far_from_roofline, false,
     "The machine can do much more than these kernels ask of it. Let the plan choose the kernels, or climb the ladder (osprey "
     "info --plan "
     "shows which kernel runs where and what was refused)."},
    {"near-roofline", 0.60, "share of the measured peak that a CPU's convolutions and matrix products reach, at least",
     finding_near_roofline, false,
     "This CPU has little left to give, so it is an honest baseline: what remains are fewer operations (Winograd, a smaller "
     "network), a "
     "narrower type, more cores, or other hardware."},
    {"pinned-kernels", 1.05, "times as long as the same backend takes with its own choice of kernels", finding_pins, false,
     "Drop the pin unless this kernel is what you want to study."},
    {"precision-unused", 1, "narrower types that the device has and no column uses", finding_precision, false,
     "Add a column with a narrower type, and look at the agreement: detections often stay the same."},
    {"threads-unused", 1, "cores that are there and not used", finding_threads, false,
     "Compare a GPU with all cores, else it is made to look better than it is. Lift the limit (--threads, OMP_NUM_THREADS, "
     "taskset, a "
     "container's quota) unless it is what you want to measure."},
    {"clock-throttled", 0.10, "part of its clock that what computes lost during the run, at least", finding_clock, true,
     "Cool it, lift its power limit, or fix its clock for measuring; then measure again. Early and late rounds are not alike "
     "here."},
    {"narrow-link", 0.60, "share of the bandwidth of the slot's full width that the link reaches, at most", finding_link, false,
     "Put the device into a slot with all its lanes, look for a riser or a shared slot, and use pinned memory."},
};
const int finding_rule_count = sizeof finding_rules / sizeof *finding_rules;

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory: findings"); }

static double network_seconds(const struct cell *cell)
{
    static const char *const outside[] = {"decode", "upload", "download", "postprocess", "host"};
    double sum = 0;
    for (int i = 0; i < cell->stage_count; i++) {
        bool inside = true;
        for (size_t k = 0; k < sizeof outside / sizeof *outside; k++)
            inside &= strcmp(text_or(cell->stages[i].name, ""), outside[k]) != 0;
        if (inside && cell->stages[i].seconds.count > 0)
            sum += samples_median(&cell->stages[i].seconds);
    }
    return sum;
}

/* Asks one rule of one column: of its workloads the one that is furthest beyond. */
static osp_status ask(struct study *study, const struct view *view, int column, const struct finding_rule *rule)
{
    char best[FINDING_ROOM] = "", sentence[FINDING_ROOM];
    double most = 0, value;
    for (int w = 0; w < study->workload_count; w++) {
        const struct cell *cell = view_cell(study, column, w);
        if (!cell || (!rule->on_cells && w != view->main))
            continue;
        struct look look = {
            study,          column, w, &study->columns[column], cell, samples_median(&cell->total), network_seconds(cell),
            rule->threshold};
        value = 0;
        sentence[0] = 0;
        if (look.total > 0 && rule->look(&look, &value, sentence) && (!best[0] || value > most)) {
            most = value;
            memcpy(best, sentence, sizeof best);
        }
    }
    if (!best[0])
        return OSP_OK;
    struct finding *finding;
    osp_status status = study_add_finding(study, &finding);
    if (status)
        return status;
    finding->column = column;
    finding->value = most;
    finding->threshold = rule->threshold;
    finding->rule = strdup(rule->name);
    finding->sentence = strdup(best);
    finding->advice = strdup(rule->advice);
    return finding->rule && finding->sentence && finding->advice ? OSP_OK : no_memory();
}

static void forget(struct study *study)
{
    for (int i = 0; i < study->finding_count; i++) {
        free(study->findings[i].rule);
        free(study->findings[i].sentence);
        free(study->findings[i].advice);
    }
    free(study->findings);
    study->findings = NULL;
    study->finding_count = 0;
}

osp_status findings_find(struct study *study)
{
    struct view view = view_of(study);
    osp_status status = OSP_OK;
    forget(study);
    for (int c = 0; c < study->column_count; c++)
        for (int r = 0; r < finding_rule_count && status == OSP_OK; r++)
            if (!study->columns[c].emulated && !study->columns[c].failure)
                status = ask(study, &view, c, &finding_rules[r]);
    return status;
}

void findings_print(const struct study *study, FILE *out)
{
    fprintf(out, "why is it not faster?\n");
    for (int i = 0; i < study->finding_count; i++) {
        const struct finding *f = &study->findings[i];
        if (f->column < 0 || f->column >= study->column_count)
            continue;
        fprintf(out, "  %s: %s\n    %s\n    -> %s\n", text_or(study->columns[f->column].name, "?"), f->rule, f->sentence,
                f->advice);
    }
    if (study->finding_count == 0)
        fprintf(out, "  nothing found: none of %d rules passed its threshold\n", finding_rule_count);
}
