/* Which columns are compared. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asked.h"
#include "runtime/file.h"
#include "tools/report/view.h"
#include "tools/tools.h"

osp_status numbers_parse(const char *option, const char *text, int most, struct numbers *out)
{
    out->count = 0;
    for (const char *at = text; at;) {
        char *end;
        errno = 0;
        long value = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
        if (value < 1 || value > most || errno || (*end && *end != ',') || out->count == MOST_LIST)
            return osp_fail(OSP_USAGE,
                            "--%s: found \"%s\", allowed are up to %d whole numbers from 1 to %d with commas between them",
                            option, text, MOST_LIST, most);
        out->value[out->count++] = (int)value;
        at = *end ? end + 1 : NULL;
    }
    return OSP_OK;
}

static bool has_column(const struct study *study, const char *name)
{
    for (int c = 0; c < study->column_count; c++)
        if (strcmp(text_or(study->columns[c].name, ""), name) == 0)
            return true;
    return false;
}

static osp_status add(struct comparison *comparison, const char *spec)
{
    int column;
    return has_column(&comparison->study, spec) ? OSP_OK : measure_add_column(comparison->measure, spec, &column);
}

/* "A,B": in that order. */
static osp_status add_listed(struct comparison *comparison)
{
    char *list = strdup(comparison->backends), *rest = list;
    osp_status status = list ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while backends are listed");
    for (char *spec; status == OSP_OK && (spec = strsep(&rest, ","));)
        status = add(comparison, spec);
    free(list);
    return status;
}

/* Can this be opened here? `gpu`: is it a real one. What cannot be is said, and is no failure: nobody asked for it by name. */
static bool is_here(const struct comparison *comparison, const struct osp_session_options *options, const char *name, bool *gpu)
{
    struct osp_session *session;
    struct osp_device_info device;
    if (osp_session_open(measure_model(comparison->measure), options, &session) != OSP_OK) {
        if (!comparison->quiet)
            say("%s is left out: %s", name, osp_message());
        return false;
    }
    osp_session_device(session, &device);
    *gpu = device.gpu && !device.emulated;
    osp_session_close(session);
    return true;
}

/* cpu with all cores and with one; then whatever else is here. Where no GPU is, what stands in for one joins the single picture.
 */
static osp_status add_default(struct comparison *comparison)
{
    bool any_gpu = false;
    osp_status status = add(comparison, "cpu");
    if (status == OSP_OK && sysconf(_SC_NPROCESSORS_ONLN) > 1)
        status = add(comparison, "cpu:threads=1");
    for (int i = 0; status == OSP_OK && osp_backend_name(i); i++) {
        const char *name = osp_backend_name(i);
        bool gpu = false;
        if (strcmp(name, "cpu") == 0 || strcmp(name, "emu") == 0 ||
            !is_here(comparison, &(struct osp_session_options){.backend = name}, name, &gpu))
            continue;
        any_gpu = any_gpu || gpu;
        status = add(comparison, name);
    }
    if (status == OSP_OK && !any_gpu)
        status = add(comparison, "emu");
    bool gpu;
    if (status == OSP_OK && !any_gpu &&
        is_here(comparison, &(struct osp_session_options){.backend = "cuda", .driver = "ptx"}, "cuda:driver=ptx", &gpu))
        status = add(comparison, "cuda:driver=ptx");
    return status;
}

osp_status columns_add(struct comparison *comparison)
{
    osp_status status = comparison->backends ? add_listed(comparison) : add_default(comparison);
    for (int i = 0; status == OSP_OK && i < comparison->threads.count; i++) {
        char spec[48];
        snprintf(spec, sizeof spec, "cpu:threads=%d", comparison->threads.value[i]);
        status = add(comparison, spec);
    }
    return status;
}

osp_status columns_add_precisions(struct comparison *comparison)
{
    struct study *study = &comparison->study;
    osp_status status = OSP_OK;
    int columns = study->column_count;
    for (int c = 0; c < columns && status == OSP_OK; c++) {
        const struct column *column = &study->columns[c];
        if (column->failure || column->emulated || strcmp(text_or(column->precision, "f32"), "f32") != 0 ||
            strstr(column->name, "threads="))
            continue;
        char *list = strdup(text_or(column->precisions, "")), *rest = list, *name = strdup(column->name);
        for (char *word; list && name && status == OSP_OK && (word = strsep(&rest, " "));) {
            char spec[256];
            snprintf(spec, sizeof spec, "%s:precision=%s", name, word);
            if (*word && strcmp(word, "f32") != 0)
                status = add(comparison, spec);
        }
        if (!list || !name)
            status = osp_fail(OSP_MEMORY, "out of memory while columns are added");
        free(list);
        free(name);
    }
    return status;
}
