/* The tuning file: {"osprey_tuning": 1, "version": ..., "machine": {...}, "layers": {CALL: {"rung": ..., "seconds": {RUNG: s}}}}.
 */
#include "tune.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "file.h"

enum { FORMAT = 1, LONGEST = 16 << 20, MOST_LAYERS = 100000 };

struct osp_tune {
    char *path;
    json_t *root, *layers; /* layers is in root */
};

static osp_status no_memory(const char *path) { return osp_fail(OSP_MEMORY, "%s: out of memory for tuning", path); }

/* ---- Paths ---------------------------------------------------------------------------------------- */

/* Small letters and digits; what is between them becomes one '-'. */
static void slug(const char *text, char *out, size_t size)
{
    size_t at = 0;
    for (; *text && at + 2 < size; text++) {
        if (isalnum((unsigned char)*text))
            out[at++] = (char)tolower((unsigned char)*text);
        else if (at && out[at - 1] != '-')
            out[at++] = '-';
    }
    while (at && out[at - 1] == '-')
        at--;
    out[at] = 0;
}

osp_status osp_tune_own_path(const struct osp_tune_machine *machine, char path[OSP_TUNE_PATH])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char words[512], name[160];
    bool named = cache && *cache == '/'; /* what is not absolute does not count, says the XDG specification */
    if (!named && (!home || !*home))
        return osp_fail(OSP_USAGE, "neither XDG_CACHE_HOME nor HOME is set: name the tuning file, --tune=F or --tuned=F");
    snprintf(words, sizeof words, "%s %s %s %d %s", machine->backend, machine->isa, machine->precision, machine->threads,
             machine->device);
    slug(words, name, sizeof name);
    int length = snprintf(path, OSP_TUNE_PATH, "%s%s/osprey/tune-%s.json", named ? cache : home, named ? "" : "/.cache", name);
    return length < OSP_TUNE_PATH ? OSP_OK : osp_fail(OSP_USAGE, "the cache folder's name has more than %d bytes", OSP_TUNE_PATH);
}

/* The folder of a path in the cache, and the cache itself. */
static osp_status make_folders(const char *path)
{
    char folder[OSP_TUNE_PATH];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0; /* .../osprey */
    char *slash = strrchr(folder, '/');
    *slash = 0;
    int made = *folder ? mkdir(folder, 0700) : 0;
    *slash = '/';
    made = made == 0 || errno == EEXIST ? mkdir(folder, 0700) : made;
    return made == 0 || errno == EEXIST ? OSP_OK
                                        : osp_fail(OSP_UNWRITTEN, "%s: this folder cannot be made: %s", folder, strerror(errno));
}

/* ---- Reading -------------------------------------------------------------------------------------- */

static osp_status refuse(const char *path, const char *field, const char *found, const char *allowed)
{
    char shown[128];
    return osp_fail(OSP_REFUSED, "%s: %s: found %s, allowed is %s (tools/measure/tuning.schema.json)", path, field,
                    found ? osp_quote(shown, sizeof shown, found, strlen(found)) : "something else or nothing", allowed);
}

static osp_status check_layer(const char *path, const char *call, const json_t *layer)
{
    const json_t *seconds = json_object_get(layer, "seconds"), *value;
    const char *rung;
    if (strlen(call) >= OSP_TUNE_CALL)
        return refuse(path, "layers", call, "a call of fewer than 512 bytes");
    if (!json_is_string(json_object_get(layer, "rung")))
        return refuse(path, call, NULL, "an object with the name of a rung");
    if (!json_is_object(seconds) || !json_object_get(seconds, json_string_value(json_object_get(layer, "rung"))))
        return refuse(path, call, NULL, "the seconds of every rung that was measured, the chosen one's among them");
    json_object_foreach((json_t *)(uintptr_t)seconds, rung, value)
    {
        if (!json_is_number(value) || !(json_number_value(value) >= 0 && json_number_value(value) < 1e9))
            return refuse(path, call, rung, "a rung with its seconds, 0 or more");
    }
    return OSP_OK;
}

/* Of any version and machine. */
static osp_status check_form(const char *path, const json_t *root)
{
    const char *call;
    json_t *layer, *layers = json_object_get(root, "layers");
    if (!json_is_integer(json_object_get(root, "osprey_tuning")) || !json_is_string(json_object_get(root, "version")) ||
        !json_is_object(json_object_get(root, "machine")))
        return osp_fail(OSP_REFUSED, "%s: this is no tuning file; osprey bench --tune writes one", path);
    if (json_integer_value(json_object_get(root, "osprey_tuning")) != FORMAT)
        return osp_fail(OSP_REFUSED, "%s: osprey_tuning: found %lld, allowed is %d; osprey bench --tune makes it anew", path,
                        (long long)json_integer_value(json_object_get(root, "osprey_tuning")), FORMAT);
    if (!json_is_object(layers) || json_object_size(layers) > MOST_LAYERS)
        return refuse(path, "layers", NULL, "an object of at most 100000 calls");
    osp_status status = OSP_OK;
    json_object_foreach(layers, call, layer)
    {
        if (!status)
            status = check_layer(path, call, layer);
    }
    return status;
}

static osp_status parse(const struct osp_file *file, const char *path, json_t **out)
{
    json_error_t error;
    if (file->size > LONGEST)
        return osp_fail(OSP_REFUSED, "%s: %zu bytes; a tuning file has at most %d", path, file->size, LONGEST);
    json_t *root = json_loadb((const char *)file->data, file->size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return osp_fail(OSP_REFUSED, "%s: line %d: no JSON: %s", path, error.line, error.text);
    osp_status status = check_form(path, root);
    if (status)
        json_decref(root);
    else
        *out = root;
    return status;
}

static osp_status load(const char *path, json_t **out)
{
    struct osp_file file;
    osp_status status = osp_file_map(path, &file);
    if (status)
        return status;
    status = parse(&file, path, out);
    osp_file_unmap(&file);
    return status;
}

/* ---- The machine ---------------------------------------------------------------------------------- */

static json_t *machine_json(const struct osp_tune_machine *m)
{
    return json_pack("{ss ss ss ss si}", "backend", m->backend, "device", m->device, "isa", m->isa, "precision", m->precision,
                     "threads", m->threads);
}

/* Is the file of this version, and for this machine? Else *why says what it is. */
static osp_status fits(const char *path, const json_t *root, const struct osp_tune_machine *machine, char *why, size_t size)
{
    const char *version = json_string_value(json_object_get(root, "version"));
    json_t *here = machine_json(machine);
    if (!here)
        return no_memory(path);
    *why = 0;
    char *there = json_dumps(json_object_get(root, "machine"), JSON_SORT_KEYS | JSON_COMPACT),
         *ours = json_dumps(here, JSON_SORT_KEYS | JSON_COMPACT);
    if (there && ours && strcmp(version, OSP_VERSION) != 0)
        snprintf(why, size, "it is by osprey %.32s, and this is %s", version, OSP_VERSION);
    else if (there && ours && !json_equal(here, json_object_get(root, "machine")))
        snprintf(why, size, "it is for %.300s, and this is %.400s", there, ours);
    osp_status status = there && ours ? OSP_OK : no_memory(path);
    free(there);
    free(ours);
    json_decref(here);
    return status;
}

/* ---- Opening -------------------------------------------------------------------------------------- */

static osp_status find(const char *asked, const struct osp_tune_machine *machine, char path[OSP_TUNE_PATH])
{
    if (!*asked)
        return osp_tune_own_path(machine, path);
    return snprintf(path, OSP_TUNE_PATH, "%s", asked) < OSP_TUNE_PATH
               ? OSP_OK
               : osp_fail(OSP_USAGE, "a tuning file's name has fewer than %d bytes", OSP_TUNE_PATH);
}

osp_status osp_tune_open(const char *asked, const struct osp_tune_machine *machine, struct osp_tune **out)
{
    char path[OSP_TUNE_PATH], why[900];
    json_t *root = NULL;
    osp_status status = find(asked, machine, path);
    if (!status)
        status = load(path, &root);
    if (status == OSP_UNREADABLE)
        return osp_fail(OSP_USAGE, "%s; osprey bench --tune%s%s makes it", osp_message(), *asked ? "=" : "", asked);
    if (!status)
        status = fits(path, root, machine, why, sizeof why);
    if (!status && *why)
        status = osp_fail(OSP_USAGE, "%s: %s; osprey bench --tune%s%s makes it anew", path, why, *asked ? "=" : "", asked);
    struct osp_tune *tune = status ? NULL : calloc(1, sizeof *tune);
    char *copy = status ? NULL : strdup(path);
    if (!status && (!tune || !copy))
        status = no_memory(path);
    if (status) {
        free(tune);
        free(copy);
        json_decref(root);
        return status;
    }
    *tune = (struct osp_tune){copy, root, json_object_get(root, "layers")};
    *out = tune;
    return OSP_OK;
}

void osp_tune_close(struct osp_tune *tune)
{
    if (!tune)
        return;
    json_decref(tune->root);
    free(tune->path);
    free(tune);
}

const char *osp_tune_path(const struct osp_tune *tune) { return tune->path; }

const char *osp_tune_rung(const struct osp_tune *tune, const char *call)
{
    return json_string_value(json_object_get(json_object_get(tune->layers, call), "rung"));
}

/* ---- Writing -------------------------------------------------------------------------------------- */

/* What stands there already, if it is for the same; an empty root if not. */
static osp_status begin(const char *path, int own, const struct osp_tune_machine *machine, json_t **out)
{
    char why[900] = "?";
    json_t *root = NULL;
    osp_status status = load(path, &root);
    if (!own && (status == OSP_REFUSED || (status == OSP_UNREADABLE && access(path, F_OK) == 0)))
        return status;
    if (!status)
        status = fits(path, root, machine, why, sizeof why);
    if (!status && !*why) {
        *out = root;
        return OSP_OK;
    }
    json_decref(root);
    if (status == OSP_MEMORY)
        return status;
    *out =
        json_pack("{si ss so s{}}", "osprey_tuning", FORMAT, "version", OSP_VERSION, "machine", machine_json(machine), "layers");
    return *out ? OSP_OK : no_memory(path);
}

static osp_status add_layer(const char *path, json_t *layers, const struct osp_tune_layer *layer)
{
    json_t *seconds = json_object(), *object = json_pack("{ss so}", "rung", layer->rung, "seconds", seconds);
    bool good = object != NULL;
    for (int i = 0; good && i < layer->rungs; i++)
        good = json_object_set_new(seconds, layer->time[i].name, json_real(layer->time[i].seconds)) == 0;
    if (!good)
        json_decref(object);
    return good && json_object_set_new(layers, layer->call, object) == 0 ? OSP_OK : no_memory(path);
}

/* What is to be written over, and where. */
static osp_status open_both(const char *path, int own, const struct osp_tune_machine *machine, json_t **root,
                            struct osp_writer *writer)
{
    osp_status status = own ? make_folders(path) : OSP_OK;
    if (!status)
        status = begin(path, own, machine, root);
    if (!status && (status = osp_writer_open(path, writer)) != OSP_OK)
        json_decref(*root);
    return status;
}

osp_status osp_tune_check(const char *path, int own, const struct osp_tune_machine *machine)
{
    struct osp_writer writer;
    json_t *root;
    osp_status status = open_both(path, own, machine, &root, &writer);
    if (status)
        return status;
    osp_writer_abandon(&writer);
    json_decref(root);
    return OSP_OK;
}

osp_status osp_tune_save(const char *path, int own, const struct osp_tune_machine *machine, const struct osp_tune_layer *layers,
                         int count)
{
    struct osp_writer writer;
    json_t *root;
    osp_status status = open_both(path, own, machine, &root, &writer);
    if (status)
        return status;
    for (int i = 0; !status && i < count; i++)
        status = add_layer(path, json_object_get(root, "layers"), &layers[i]);
    if (status) {
        osp_writer_abandon(&writer);
    } else {
        json_dumpf(root, writer.stream, JSON_INDENT(1)); /* a failure shows at commit */
        fputc('\n', writer.stream);
        status = osp_writer_commit(&writer);
    }
    json_decref(root);
    return status;
}
