/* What went wrong: the same thing at the same place is one error, counted. Texts are made when somebody asks. */
#include <stdarg.h>
#include <stdio.h>

#include <deque>
#include <map>
#include <string>

#include "internal.h"
#include "report.h"

namespace emu {

struct Error {
    std::string kind, text, file;
    const char *kernel;
    int line;
    uint3 block, thread;
    bool in_kernel;
    uintptr_t pc, other_pc;
    const void *address;
    long count;
    bool finished; /* the text is whole */
};
typedef std::tuple<std::string, uintptr_t, uintptr_t, const char *, int> Key;

static std::mutex mutex;
static std::deque<Error> errors;
static std::map<Key, size_t> index_of;
static std::atomic<long> total{0};

bool reported() { return total.load(std::memory_order_relaxed) != 0; }
long report_total() { return total; }

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool ends_with(const char *path, const char *end)
{
    size_t have = strlen(path), want = strlen(end);
    return have >= want && !strcmp(path + have - want, end);
}

void report(const char *kind, const Where &where, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    std::lock_guard<std::mutex> lock(mutex);
    total++;
    auto [found, is_new] = index_of.try_emplace(Key(kind, where.pc, where.other_pc, where.file, where.line), errors.size());
    if (!is_new) {
        errors[found->second].count++;
        return;
    }
    Error error = {};
    error.kind = kind;
    error.text = text;
    error.file = where.file ? where.file : "";
    error.line = where.line;
    error.pc = where.pc;
    error.other_pc = where.other_pc;
    error.address = where.address;
    error.count = 1;
    error.kernel = worker ? worker->launch->kernel->name : "";
    if (self) {
        error.in_kernel = true;
        error.block = self->block->index;
        error.thread = self->index;
    }
    errors.push_back(error);
}

/* "race-shared: kernel conv, conv.cu:31, block (0,1,0), thread (3,0,0): write after ..., other access at conv.cu:40" */
static void finish(Error &error)
{
    error.finished = true;
    std::string other;
    if (error.pc) {
        Line line = line_of(error.pc);
        error.file = line.file;
        error.line = line.line;
    }
    if (error.other_pc) {
        Line line = line_of(error.other_pc);
        other = "; the other access: " + std::string(base_name(line.file.c_str())) + ":" + std::to_string(line.line);
    }
    std::string text = error.kind + ": ";
    if (*error.kernel)
        text += std::string("kernel ") + error.kernel + ", ";
    if (!error.file.empty())
        text += std::string(base_name(error.file.c_str())) + ":" + std::to_string(error.line) + ", ";
    if (error.in_kernel) {
        char place[160];
        snprintf(place, sizeof place, "block (%u,%u,%u), thread (%u,%u,%u): ", error.block.x, error.block.y, error.block.z,
                 error.thread.x, error.thread.y, error.thread.z);
        text += place;
    }
    error.text = text + error.text + other;
}

int report_get(int i, struct emu_error *out)
{
    std::lock_guard<std::mutex> lock(mutex);
    if (i < 0 || (size_t)i >= errors.size())
        return 0;
    Error &error = errors[(size_t)i];
    if (!error.finished)
        finish(error);
    *out = {error.kind.c_str(),
            error.text.c_str(),
            error.kernel,
            error.file.c_str(),
            error.line,
            {error.block.x, error.block.y, error.block.z},
            {error.thread.x, error.thread.y, error.thread.z},
            error.address,
            error.count};
    return 1;
}

void report_clear()
{
    std::lock_guard<std::mutex> lock(mutex);
    errors.clear();
    index_of.clear();
    total = 0;
}

} // namespace emu
