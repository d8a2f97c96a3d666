/* Two studies in one: a laptop and a GPU server, say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "runtime/file.h"
#include "tools/report/view.h"
#include "tools/tools.h"

/* ---- What differs, first ------------------------------------------------------------------------ */

static void print_clean(FILE *out, const char *text)
{
    char *clean = clean_text(text_or(text, "unknown"), false);
    fputs(clean ? clean : "", out);
    free(clean);
}

/* One line if the two differ. Returns how many do. */
static int differs(FILE *out, const char *what, const char *a, const char *b)
{
    if (strcmp(text_or(a, ""), text_or(b, "")) == 0)
        return 0;
    fprintf(out, "  %-12s ", what);
    print_clean(out, a);
    fprintf(out, "  |  ");
    print_clean(out, b);
    fputc('\n', out);
    return 1;
}

static int differs_by_number(FILE *out, const char *what, double a, double b)
{
    if (!(a != b) || (isnan(a) && isnan(b)))
        return 0;
    fprintf(out, "  %-12s %.6g  |  %.6g\n", what, a, b);
    return 1;
}

static int print_machines(const struct machine *a, const struct machine *b, FILE *out)
{
    int count = differs(out, "machine", a->host, b->host) + differs(out, "cpu", a->cpu, b->cpu);
    count += differs_by_number(out, "cores", a->cores_allowed, b->cores_allowed);
    count += differs_by_number(out, "MHz", a->cpu_mhz, b->cpu_mhz);
    count += differs(out, "instructions", a->isa, b->isa) + differs(out, "governor", a->governor, b->governor);
    count += differs_by_number(out, "memory", a->memory_bytes, b->memory_bytes);
    count +=
        differs(out, "gpu", a->gpu, b->gpu) + differs(out, "driver", a->driver, b->driver) + differs(out, "system", a->os, b->os);
    return count;
}

static void print_differences(const struct study *a, const struct study *b, FILE *out)
{
    fprintf(out, "what differs between the two\n");
    int count = a->machine_count && b->machine_count ? print_machines(&a->machines[0], &b->machines[0], out) : 0;
    count += differs(out, "osprey", a->version, b->version) + differs(out, "commit", a->commit, b->commit);
    count += differs(out, "date", a->date, b->date) + differs(out, "pictures", a->images, b->images);
    count += differs(out, "model file", a->model_path, b->model_path) + differs(out, "command", a->command, b->command);
    if (count == 0)
        fprintf(out, "  nothing that is recorded\n");
    fputc('\n', out);
}

/* ---- Joining ------------------------------------------------------------------------------------ */

static bool same_work(const struct workload *a, const struct workload *b)
{
    return strcmp(text_or(a->name, ""), text_or(b->name, "")) == 0 && strcmp(text_or(a->sweep, ""), text_or(b->sweep, "")) == 0 &&
           a->pictures == b->pictures && a->batch == b->batch && a->chunks == b->chunks && a->height == b->height &&
           a->width == b->width;
}

/* map[i]: the workload of `into` that is from's i-th, added if it is not there. */
static osp_status join_workloads(struct study *into, const struct study *from, int *map)
{
    osp_status status = OSP_OK;
    for (int i = 0; i < from->workload_count && status == OSP_OK; i++) {
        const struct workload *w = &from->workloads[i];
        int k = 0;
        while (k < into->workload_count && !same_work(&into->workloads[k], w))
            k++;
        map[i] = k;
        if (k < into->workload_count)
            continue;
        struct workload *added;
        status = study_add_workload(into, text_or(w->name, ""), text_or(w->sweep, ""), &added);
        if (status != OSP_OK)
            return status;
        char *name = added->name, *sweep = added->sweep;
        *added = *w;
        added->name = name;
        added->sweep = sweep;
    }
    return status;
}

/* "cpu", or where there is one already "cpu @ host", or with a number behind it. */
static char *free_name(const struct study *study, const char *wanted, const char *host)
{
    char *name = strdup(wanted);
    for (int k = 1, taken = 1; name && taken; k++) {
        taken = 0;
        for (int c = 0; c < study->column_count; c++)
            taken = taken || strcmp(text_or(study->columns[c].name, ""), name) == 0;
        if (!taken)
            break;
        free(name);
        if ((k == 1 ? asprintf(&name, "%s @ %s", wanted, text_or(host, "other"))
                    : asprintf(&name, "%s @ %s %d", wanted, text_or(host, "other"), k)) < 0)
            name = NULL;
    }
    return name;
}

/* Takes a column over, with its cells at the places of its new study. */
static osp_status move_column(struct study *into, struct study *from, int index, const int *map, int first_machine,
                              bool elsewhere)
{
    struct column *source = &from->columns[index], *column;
    const char *host = source->machine < from->machine_count ? from->machines[source->machine].host : NULL;
    char *name = free_name(into, text_or(source->name, "?"), host);
    osp_status status =
        name ? study_add_column(into, name, &column) : osp_fail(OSP_MEMORY, "out of memory while studies are merged");
    if (status != OSP_OK) {
        free(name);
        return status;
    }
    free(column->name);
    struct cell *cells = column->cells;
    int cell_count = column->cell_count;
    for (int i = 0; i < source->cell_count && i < from->workload_count; i++) {
        cells[map[i]] = source->cells[i];
        source->cells[i] = (struct cell){0};
    }
    free(source->name);
    *column = *source;
    column->name = name;
    column->cells = cells;
    column->cell_count = cell_count;
    column->machine += first_machine;
    column->foreign = column->foreign || elsewhere;
    struct cell *emptied = source->cells;
    int emptied_count = source->cell_count;
    *source = (struct column){.cells = emptied, .cell_count = emptied_count};
    return OSP_OK;
}

static osp_status join_machines(struct study *into, struct study *from)
{
    osp_status status = OSP_OK;
    for (int i = 0; i < from->machine_count && status == OSP_OK; i++) {
        struct machine *machine;
        status = study_add_machine(into, &machine);
        if (status == OSP_OK) {
            *machine = from->machines[i];
            from->machines[i] = (struct machine){0};
        }
    }
    return status;
}

/* What followed from one study alone is to be concluded again. */
static void forget_conclusions(struct study *study)
{
    for (int i = 0; i < study->agreement_count; i++)
        free(study->agreements[i].first_node);
    for (int i = 0; i < study->fit_count; i++)
        free(study->fits[i].sweep);
    study->agreement_count = study->fit_count = study->break_even_count = 0;
}

osp_status merge_studies(struct study *into, struct study *from, FILE *out)
{
    if (strcmp(text_or(into->model_sha256, ""), text_or(from->model_sha256, "")) != 0)
        return osp_fail(
            OSP_USAGE,
            "--merge: the two are of different models, sha256 %.12s... and %.12s...; only the same work can be compared",
            text_or(into->model_sha256, "unknown"), text_or(from->model_sha256, "unknown"));
    if (strcmp(text_or(into->images, ""), text_or(from->images, "")) != 0)
        say("--merge: the two ran on different pictures (\"%s\" and \"%s\"); times can be compared, detections may differ",
            text_or(into->images, ""), text_or(from->images, ""));
    print_differences(into, from, out);
    bool elsewhere = into->machine_count && from->machine_count &&
                     strcmp(text_or(into->machines[0].host, ""), text_or(from->machines[0].host, "")) != 0;
    int first_machine = into->machine_count;
    int *map = calloc(from->workload_count ? (size_t)from->workload_count : 1, sizeof *map);
    osp_status status = map ? join_workloads(into, from, map) : osp_fail(OSP_MEMORY, "out of memory while studies are merged");
    for (int i = 0; i < from->column_count && status == OSP_OK; i++)
        status = move_column(into, from, i, map, first_machine, elsewhere);
    if (status == OSP_OK)
        status = join_machines(into, from);
    into->partial = into->partial || from->partial;
    forget_conclusions(into);
    free(map);
    return status;
}
