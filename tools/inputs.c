#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "runtime/file.h"
#include "signals.h"
#include "tools.h"

static const size_t longest_list = (size_t)64 << 20, longest_stream = (size_t)1 << 30; /* bytes */

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while listing the input files"); }

/* Takes over `path` (NULL: out of memory while it was made). */
static osp_status add(struct inputs *inputs, char *path, bool standard)
{
    if (path && inputs->count == inputs->room) {
        size_t room = inputs->room ? inputs->room * 2 : 64;
        struct input *items = realloc(inputs->items, room * sizeof *items);
        if (items) {
            inputs->items = items;
            inputs->room = room;
        }
    }
    if (!path || inputs->count == inputs->room) {
        free(path);
        return no_memory();
    }
    inputs->items[inputs->count++] = (struct input){path, standard};
    return OSP_OK;
}

/* ---- Folders ------------------------------------------------------------------------------------ */

struct identity {
    dev_t device;
    ino_t inode;
};

/* What is still to be looked at, the next one last; and the folders seen, so that a loop of links ends. */
struct walk {
    char **stack;
    size_t depth, stack_room;
    struct identity *seen;
    size_t seen_count;
    bool recursive;
    struct inputs *inputs;
};

static int by_name_backwards(const void *a, const void *b) { return strcmp(*(char *const *)b, *(char *const *)a); }

static osp_status push(struct walk *walk, char *path)
{
    if (path && walk->depth == walk->stack_room) {
        size_t room = walk->stack_room ? walk->stack_room * 2 : 64;
        char **stack = realloc(walk->stack, room * sizeof *stack);
        if (stack) {
            walk->stack = stack;
            walk->stack_room = room;
        }
    }
    if (!path || walk->depth == walk->stack_room) {
        free(path);
        return no_memory();
    }
    walk->stack[walk->depth++] = path;
    return OSP_OK;
}

static char *join_path(const char *folder, const char *name)
{
    char *path = NULL;
    size_t length = strlen(folder);
    return asprintf(&path, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name) < 0 ? NULL : path;
}

static osp_status seen_before(struct walk *walk, const struct stat *st, bool *out)
{
    *out = true;
    for (size_t i = 0; i < walk->seen_count; i++)
        if (walk->seen[i].device == st->st_dev && walk->seen[i].inode == st->st_ino)
            return OSP_OK;
    struct identity *seen = realloc(walk->seen, (walk->seen_count + 1) * sizeof *seen);
    if (!seen)
        return no_memory();
    walk->seen = seen;
    walk->seen[walk->seen_count++] = (struct identity){st->st_dev, st->st_ino};
    *out = false;
    return OSP_OK;
}

/* Pushes a folder's entries so that they come off by name. */
static osp_status enter_folder(struct walk *walk, const char *path)
{
    size_t before = walk->depth;
    osp_status status = OSP_OK;
    DIR *folder = opendir(path);
    if (!folder) {
        say("%s: %s", path, strerror(errno));
        walk->inputs->failed++;
        return OSP_OK;
    }
    for (struct dirent *entry; status == OSP_OK && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') /* hidden, and the side files that macOS leaves on other disks */
            status = push(walk, join_path(path, entry->d_name));
    closedir(folder);
    if (walk->depth > before)
        qsort(walk->stack + before, walk->depth - before, sizeof *walk->stack, by_name_backwards);
    return status;
}

/* Neither JPEG nor PNG? A file that cannot be read is no such: it is to be reported when its turn comes. */
static bool is_something_else(const char *path, const struct stat *st)
{
    uint8_t start[16];
    if (!S_ISREG(st->st_mode))
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t count = read(fd, start, sizeof start);
    close(fd);
    return count >= 0 && osp_image_format(start, (size_t)count) == OSP_FORMAT_OTHER;
}

/* Takes over `path`, an entry of a folder. */
static osp_status visit(struct walk *walk, char *path)
{
    struct stat st;
    osp_status status = OSP_OK;
    if (stat(path, &st) != 0)
        return add(walk->inputs, path, false);
    if (S_ISDIR(st.st_mode)) {
        bool seen = true;
        if (walk->recursive)
            status = seen_before(walk, &st, &seen);
        if (status == OSP_OK && !seen)
            status = enter_folder(walk, path);
    } else if (is_something_else(path, &st)) {
        walk->inputs->skipped++;
    } else {
        return add(walk->inputs, path, false);
    }
    free(path);
    return status;
}

static osp_status add_folder(struct inputs *inputs, const char *path, const struct stat *st, bool recursive)
{
    struct walk walk = {.recursive = recursive, .inputs = inputs};
    size_t before = inputs->count;
    int failed_before = inputs->failed;
    bool seen;
    osp_status status = seen_before(&walk, st, &seen);
    if (status == OSP_OK)
        status = enter_folder(&walk, path);
    while (status == OSP_OK && walk.depth > 0)
        status = visit(&walk, walk.stack[--walk.depth]);
    while (walk.depth > 0)
        free(walk.stack[--walk.depth]);
    free(walk.stack);
    free(walk.seen);
    if (status == OSP_OK && inputs->count == before && inputs->failed == failed_before) {
        say("%s: this folder holds no JPEG or PNG picture%s", path, recursive ? "" : "; -r looks into the folders in it too");
        inputs->failed++;
    }
    return status;
}

/* A file or a folder. What cannot be looked at is an input that will fail. */
static osp_status add_path(struct inputs *inputs, const char *path, bool recursive)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return add_folder(inputs, path, &st, recursive);
    return add(inputs, strdup(path), false);
}

/* ---- Lists -------------------------------------------------------------------------------------- */

static osp_status add_lines(struct inputs *inputs, const struct osp_file *file, bool recursive)
{
    const char *at = (const char *)file->data, *end = at + file->size;
    osp_status status = OSP_OK;
    while (status == OSP_OK && at && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        if (stop > at && stop[-1] == '\r')
            stop--;
        if (stop > at && *at != '#') {
            char *line = strndup(at, (size_t)(stop - at));
            status = line ? add_path(inputs, line, recursive) : no_memory();
            free(line);
        }
        at = next;
    }
    return status;
}

static osp_status read_list(struct inputs *inputs, const struct osp_file *file, bool recursive, bool *fault)
{
    *fault = file->size > longest_list || (file->size && memchr(file->data, 0, file->size));
    if (*fault)
        return osp_fail(OSP_UNREADABLE, "%s: %zu bytes%s; a list is text of at most %zu bytes, one file name a line", file->path,
                        file->size, file->size > longest_list ? "" : " with a NUL among them", longest_list);
    return add_lines(inputs, file, recursive);
}

static osp_status add_list(struct inputs *inputs, const char *path, bool recursive)
{
    struct osp_file file;
    bool fault = true;
    osp_status status = osp_file_map(path, &file);
    if (status == OSP_OK) {
        status = read_list(inputs, &file, recursive, &fault);
        osp_file_unmap(&file);
    }
    if (!fault || status == OSP_MEMORY)
        return status;
    say("%s", osp_message());
    inputs->failed++;
    return OSP_OK;
}

/* ---- All together ------------------------------------------------------------------------------- */

osp_status inputs_collect(char **arguments, int count, bool recursive, struct inputs *out)
{
    osp_status status = OSP_OK;
    bool standard = false;
    *out = (struct inputs){0};
    for (int i = 0; status == OSP_OK && i < count; i++) {
        if (strcmp(arguments[i], "-") == 0) {
            status = standard ? osp_fail(OSP_USAGE, "\"-\", standard input, can be given once") : add(out, strdup("-"), true);
            standard = true;
        } else if (arguments[i][0] == '@') {
            status = add_list(out, arguments[i] + 1, recursive);
        } else {
            status = add_path(out, arguments[i], recursive);
        }
    }
    if (status != OSP_OK)
        inputs_free(out);
    return status;
}

void inputs_free(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        free(inputs->items[i].path);
    free(inputs->items);
    *inputs = (struct inputs){0};
}

bool inputs_include(const struct inputs *inputs, const char *path)
{
    struct stat wanted, st;
    if (stat(path, &wanted) != 0)
        return false;
    for (size_t i = 0; i < inputs->count; i++)
        if (!inputs->items[i].standard && stat(inputs->items[i].path, &st) == 0 && st.st_dev == wanted.st_dev &&
            st.st_ino == wanted.st_ino)
            return true;
    return false;
}

osp_status read_standard_input(uint8_t **data, size_t *size)
{
    uint8_t *bytes = NULL;
    size_t count = 0, room = 0;
    for (;;) {
        if (count == room) {
            room = room ? room * 2 : 1 << 16;
            uint8_t *larger = room <= longest_stream ? realloc(bytes, room) : NULL;
            if (!larger) {
                free(bytes);
                return room > longest_stream ? osp_fail(OSP_UNREADABLE, "standard input: more than %zu bytes", longest_stream)
                                             : osp_fail(OSP_MEMORY, "standard input: out of memory, %zu bytes", room);
            }
            bytes = larger;
        }
        struct pollfd wait = {STDIN_FILENO, POLLIN, 0}; /* unlike read, poll returns when a signal comes */
        ssize_t got = -1;
        if (poll(&wait, 1, -1) >= 0)
            got = read(STDIN_FILENO, bytes + count, room - count);
        if (got == 0)
            break;
        if (got < 0 && (errno != EINTR || signal_caught())) {
            free(bytes);
            return osp_fail(OSP_UNREADABLE, "standard input: %s", strerror(errno));
        }
        count += got > 0 ? (size_t)got : 0;
    }
    *data = bytes;
    *size = count;
    return OSP_OK;
}
