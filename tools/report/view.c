#include "view.h"

#include <math.h>
#include <string.h>

const char *text_or(const char *text, const char *otherwise) { return text && text[0] ? text : otherwise; }

const struct cell *view_cell(const struct study *study, int column, int workload)
{
    if (column < 0 || column >= study->column_count || workload < 0 || workload >= study->columns[column].cell_count)
        return NULL;
    const struct cell *cell = &study->columns[column].cells[workload];
    return cell->measured && cell->total.count > 0 ? cell : NULL;
}

bool view_real(const struct study *study, int column, int workload)
{
    return view_cell(study, column, workload) && !study->columns[column].emulated;
}

double view_per_picture(const struct study *study, int column, int workload)
{
    const struct cell *cell = view_cell(study, column, workload);
    int pictures = cell ? study->workloads[workload].pictures : 0;
    return pictures > 0 ? samples_median(&cell->total) / pictures : NAN;
}

const struct stage *view_stage(const struct cell *cell, const char *name)
{
    for (int i = 0; cell && i < cell->stage_count; i++)
        if (!strcmp(text_or(cell->stages[i].name, ""), name))
            return &cell->stages[i];
    return NULL;
}

double view_stage_seconds(const struct cell *cell, const char *name)
{
    const struct stage *stage = view_stage(cell, name);
    return stage && stage->seconds.count > 0 ? samples_median(&stage->seconds) : 0;
}

/* In the order in which a picture passes through; "network" stands for a captured graph. */
static const char *const running_order[] = {"decode",     "upload",   "preprocess",  "network",   "body",
                                            "fpn",        "rpn",      "proposals",   "roi_align", "box_head",
                                            "detections", "download", "postprocess", "host"};
enum { KNOWN = sizeof running_order / sizeof *running_order };
const char view_drawing[] = "drawing";

static bool listed(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

int view_stages(const struct study *study, int workload, const char *names[VIEW_STAGES])
{
    int count = 0;
    for (int k = 0; k < KNOWN; k++) {
        bool used = false;
        for (int c = 0; c < study->column_count; c++)
            used |= view_stage(view_cell(study, c, workload), running_order[k]) != NULL;
        if (used)
            names[count++] = running_order[k];
    }
    for (int c = 0; c < study->column_count; c++) {
        const struct cell *cell = view_cell(study, c, workload);
        for (int i = 0; cell && i < cell->stage_count; i++)
            if (count < VIEW_STAGES && cell->stages[i].name && strcmp(cell->stages[i].name, view_drawing) != 0 &&
                !listed(names, count, cell->stages[i].name))
                names[count++] = cell->stages[i].name;
    }
    return count;
}

int view_stages_that_matter(const struct view *view, const char *names[VIEW_STAGES])
{
    const char *all[VIEW_STAGES];
    int stages = view_stages(view->study, view->main, all), count = 0;
    for (int s = 0; s < stages; s++) {
        bool matters = false;
        for (int c = 0; c < view->study->column_count; c++) {
            const struct cell *cell = view_cell(view->study, c, view->main);
            matters |= cell && !view->study->columns[c].emulated &&
                       view_stage_seconds(cell, all[s]) >= 0.01 * samples_median(&cell->total);
        }
        if (matters)
            names[count++] = all[s];
    }
    return count;
}

struct estimate view_speedup(const struct study *study, int a, int b, int workload)
{
    const struct cell *slow = view_cell(study, a, workload), *fast = view_cell(study, b, workload);
    return slow && fast ? samples_ratio(&slow->total, &fast->total) : (struct estimate){NAN, NAN, NAN};
}

double view_start(const struct column *column)
{
    const struct once *o = &column->once;
    const double parts[] = {o->program_start, o->open_model, o->open_device, o->load_modules, o->plan, o->pack, o->first_run};
    double sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum += parts[i] > 0 ? parts[i] : 0;
    return sum;
}

const struct break_even *view_break_even(const struct study *study, int a, int b)
{
    for (int i = 0; i < study->break_even_count; i++)
        if (study->break_evens[i].a == a && study->break_evens[i].b == b)
            return &study->break_evens[i];
    return NULL;
}

const struct fit *view_fit(const struct study *study, int column, const char *sweep)
{
    for (int i = 0; i < study->fit_count; i++)
        if (study->fits[i].column == column && !strcmp(text_or(study->fits[i].sweep, ""), sweep))
            return &study->fits[i];
    return NULL;
}

double view_fit_error(const struct study *study, int a, int b)
{
    const struct fit *of_a = view_fit(study, a, "batch"), *of_b = view_fit(study, b, "batch");
    return fmax(of_a ? of_a->error : 0, of_b ? of_b->error : 0);
}

double layer_flops(const struct layer *layer)
{
    double seconds = samples_median(&layer->seconds);
    return seconds > 0 && layer->macs_done > 0 ? 2 * layer->macs_done / seconds : NAN;
}

double layer_intensity(const struct layer *layer)
{
    return layer->bytes > 0 && layer->macs_done > 0 ? 2 * layer->macs_done / layer->bytes : NAN;
}

double layer_bound(const struct layer *layer, const struct column *column)
{
    double compute = layer->macs_done > 0 ? 2 * layer->macs_done / column->peak_flops : 0,
           memory = layer->bytes / column->peak_bytes;
    return column->peak_flops > 0 && column->peak_bytes > 0 ? fmax(compute, memory) : NAN;
}

/* ---- Which workload, which columns -------------------------------------------------------------- */

static int measured_columns(const struct study *study, int workload)
{
    int count = 0;
    for (int c = 0; c < study->column_count; c++)
        count += view_cell(study, c, workload) != NULL;
    return count;
}

static int main_workload(const struct study *study)
{
    static const char *const wanted[] = {"single", "article-1", NULL};
    for (int k = 0; k < 3; k++)
        for (int w = 0; w < study->workload_count; w++)
            if (measured_columns(study, w) > 0 && (!wanted[k] || !strcmp(text_or(study->workloads[w].sweep, ""), wanted[k])))
                return w;
    return -1;
}

/* Another program's figures on this machine are a yardstick, not a side of the question. */
static bool other_program(const struct view *view, int column)
{
    const struct column *of = &view->study->columns[column];
    return of->foreign && view->reference >= 0 && of->machine == view->study->columns[view->reference].machine &&
           !view->study->columns[view->reference].foreign;
}

/* The fastest real column that is, or is not, a GPU (kind 1, 0; -1: any), other than `but`. */
static int fastest(const struct view *view, int kind, int but)
{
    int best = -1;
    for (int c = 0; c < view->study->column_count; c++) {
        if (c == but || !view_real(view->study, c, view->main) || other_program(view, c) ||
            (kind >= 0 && view->study->columns[c].gpu != (kind == 1)))
            continue;
        if (best < 0 || view_per_picture(view->study, c, view->main) < view_per_picture(view->study, best, view->main))
            best = c;
    }
    return best;
}

static int reference(const struct view *view)
{
    for (int wanted = 2; wanted >= 0; wanted--)
        for (int c = 0; c < view->study->column_count; c++) {
            const struct column *column = &view->study->columns[c];
            int worth = column->emulated ? 0 : column->foreign ? 1 : 2;
            if (worth == wanted && view_cell(view->study, c, view->main))
                return c;
        }
    return -1;
}

struct view view_of(const struct study *study)
{
    struct view view = {.study = study, .main = main_workload(study), .before = -1, .after = -1};
    view.reference = reference(&view);
    for (int c = 0; c < study->column_count; c++)
        view.has_emulated |= study->columns[c].emulated;
    for (int w = 0; w < study->workload_count; w++)
        view.has_article |= !strncmp(text_or(study->workloads[w].sweep, ""), "article", 7);
    int cpu = fastest(&view, 0, -1), gpu = fastest(&view, 1, -1), best = fastest(&view, -1, -1);
    view.gpu = cpu >= 0 && gpu >= 0;
    if (view.gpu) {
        view.before = cpu;
        view.after = gpu;
    } else if (best >= 0) {
        int other = view.reference >= 0 && view.reference != best ? view.reference : fastest(&view, -1, best);
        if (other >= 0) {
            view.before = other;
            view.after = best;
        }
    }
    return view;
}
