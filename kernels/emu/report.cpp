/* What went wrong: the same thing at the same place is one error, counted. Texts are made when somebody asks. */
#include <stdarg.h>
#include <stdio.h>

#include <deque>
#include <map>
#include <string>

#include "internal.h"
#include "report.h"

namespace emu
{

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

std::string text(const char *format, ...)
{
    char buffer[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

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
    char sentence[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
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
    error.text = sentence;
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
    if (error.pc) {
        Line line = line_of(error.pc);
        error.file = line.file;
        error.line = line.line;
    }
    std::string whole = error.kind + ": ";
    if (*error.kernel)
        whole += text("kernel %s, ", error.kernel);
    if (!error.file.empty())
        whole += text("%s:%d, ", base_name(error.file.c_str()), error.line);
    if (error.in_kernel)
        whole += text("block (%u,%u,%u), thread (%u,%u,%u): ", error.block.x, error.block.y, error.block.z, error.thread.x,
                      error.thread.y, error.thread.z);
    whole += error.text;
    if (error.other_pc) {
        Line line = line_of(error.other_pc);
        whole += text("; the other access: %s:%d", base_name(line.file.c_str()), line.line);
    }
    error.text = whole;
}

int report_get(int i, struct emu_error *out)
{
    std::lock_guard<std::mutex> lock(mutex);
    if (i < 0 || (size_t)i >= errors.size())
        return 0;
    std::vector<uintptr_t> pcs;
    for (const Error &error : errors)
        for (uintptr_t pc : {error.pc, error.other_pc})
            if (pc && !error.finished)
                pcs.push_back(pc);
    lines_prepare(pcs);
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
