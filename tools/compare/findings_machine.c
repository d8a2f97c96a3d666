/* Rules about what the machine allows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "tools/report/view.h"

static const struct machine *machine_of(const struct look *look)
{
    int m = look->of->machine;
    return m >= 0 && m < look->study->machine_count ? &look->study->machines[m] : NULL;
}

/* The same backend with the same pins on more threads. */
static int more_threads(const struct look *look)
{
    int best = -1;
    for (int c = 0; c < look->study->column_count; c++) {
        const struct column *other = &look->study->columns[c];
        if (other->threads > look->of->threads && other->machine == look->of->machine && !other->emulated && !other->gpu &&
            !strcmp(text_or(other->backend, ""), text_or(look->of->backend, "")) &&
            !strcmp(text_or(other->kernels, ""), text_or(look->of->kernels, "")) && view_cell(look->study, c, look->workload) &&
            (best < 0 || other->threads > look->study->columns[best].threads))
            best = c;
    }
    return best;
}

bool finding_threads(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    const struct machine *machine = machine_of(look);
    char ratio[FIGURE_ROOM], low[FIGURE_ROOM], high[FIGURE_ROOM];
    int other = more_threads(look);
    if (look->of->gpu || !machine || look->of->threads < 1 || machine->cores < 1)
        return false;
    *value = machine->cores - look->of->threads;
    if (!(*value >= look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM, "It uses %d thread%s of %d cores (threshold: one core unused).", look->of->threads,
             look->of->threads == 1 ? "" : "s", machine->cores);
    if (machine->cores_allowed > 0 && machine->cores_allowed < machine->cores) {
        text_add(sentence, FINDING_ROOM, " The process may use %d of them.", machine->cores_allowed);
    }
    if (other >= 0) {
        struct estimate e = view_speedup(look->study, look->column, other, look->workload);
        text_add(sentence, FINDING_ROOM, " %s, with %d, is %s as fast", text_or(look->study->columns[other].name, "?"),
                 look->study->columns[other].threads, figure(ratio, e.value, UNIT_RATIO));
        if (isfinite(e.low))
            text_add(sentence, FINDING_ROOM, " (99 %% interval %s to %s)", figure(low, e.low, UNIT_RATIO),
                     figure(high, e.high, UNIT_RATIO));
        text_add(sentence, FINDING_ROOM, ".");
    }
    return true;
}

bool finding_clock(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char threshold[FIGURE_ROOM], lost[FIGURE_ROOM], slower[FIGURE_ROOM];
    const struct cell *cell = look->cell;
    if (!(cell->clock_mhz_first > 0) || !(cell->clock_mhz_last > 0))
        return false;
    *value = 1 - cell->clock_mhz_last / cell->clock_mhz_first;
    if (!(*value > look->threshold))
        return false;
    int third = cell->total.count / 3;
    struct samples early = {cell->total.values, third, 0}, late = {cell->total.values + cell->total.count - third, third, 0};
    snprintf(sentence, FINDING_ROOM, "%s: the clock went from %.0f to %.0f MHz, %s less (threshold %s)",
             text_or(look->study->workloads[look->workload].name, "this workload"), cell->clock_mhz_first, cell->clock_mhz_last,
             figure(lost, *value, UNIT_SHARE), figure(threshold, look->threshold, UNIT_SHARE));
    if (isfinite(cell->temperature)) {
        text_add(sentence, FINDING_ROOM, ", at %.0f degrees Celsius", cell->temperature);
    }
    if (third > 0)
        text_add(sentence, FINDING_ROOM, "; the last third of the rounds took %s as long as the first.",
                 figure(slower, samples_median(&late) / samples_median(&early), UNIT_RATIO));
    else
        text_add(sentence, FINDING_ROOM, ".");
    return true;
}

/* Bytes a second of a PCIe link: 8b/10b coding up to 5 GT/s, 128b/130b from 8 GT/s on. */
static double pcie_bytes(int lanes, double rate) { return lanes * rate * 1e9 * (rate < 8 ? 0.8 : 128.0 / 130) / 8; }

bool finding_link(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char reached[FIGURE_ROOM], full[FIGURE_ROOM], threshold[FIGURE_ROOM];
    const struct column *of = look->of;
    if (!of->gpu || of->link_lanes_most < 1 || !(of->link_rate_most > 0))
        return false;
    double most = pcie_bytes(of->link_lanes_most, of->link_rate_most);
    bool measured = of->link_bytes > 0; /* a link at rest runs slower to save power: what was measured counts first */
    double now = measured ? of->link_bytes : pcie_bytes(of->link_lanes, of->link_rate);
    *value = now / most;
    if (!(*value < look->threshold) || !(now > 0))
        return false;
    snprintf(sentence, FINDING_ROOM,
             "The link to the device %s %s of the %s that %d lanes of %.0f GT/s have (threshold %s); it runs with %d lanes.",
             measured ? "was measured at" : "allows", figure(reached, now, UNIT_BANDWIDTH), figure(full, most, UNIT_BANDWIDTH),
             of->link_lanes_most, of->link_rate_most, figure(threshold, look->threshold, UNIT_SHARE), of->link_lanes);
    return true;
}
