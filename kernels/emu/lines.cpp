/* From an instruction to a line of source. The debug information is read by addr2line, which comes with every compiler that could
 * have made the kernels; where it is missing, places are given as an offset in the module. */
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "report.h"

extern char **environ;

namespace emu
{

/* ---- The module: the program or shared object that this code, and so every kernel, is in ----- */

static int fill_in(struct dl_phdr_info *info, size_t, void *found)
{
    Module module = {info->dlpi_addr, UINTPTR_MAX, 0, info->dlpi_name};
    uintptr_t here = (uintptr_t)&fill_in;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto &header = info->dlpi_phdr[i];
        if (header.p_type != PT_LOAD)
            continue;
        module.begin = std::min<uintptr_t>(module.begin, module.bias + header.p_vaddr);
        module.end = std::max<uintptr_t>(module.end, module.bias + header.p_vaddr + header.p_memsz);
    }
    if (here < module.begin || here >= module.end)
        return 0;
    if (module.path.empty())
        module.path = "/proc/self/exe";
    *static_cast<Module *>(found) = module;
    return 1;
}

const Module &the_module()
{
    static Module module;
    if (!module.end)
        dl_iterate_phdr(fill_in, &module);
    return module;
}

/* ---- addr2line ------------------------------------------------------------------------------- */

static std::vector<std::string> transparent = {"emu/emu.h"};
static std::unordered_map<uintptr_t, Line> known;

void see_through(const char *file)
{
    if (std::find(transparent.begin(), transparent.end(), file) != transparent.end())
        return;
    transparent.push_back(file);
    known.clear();
}

static bool is_transparent(const std::string &file)
{
    if (!file.compare(0, 5, "/usr/"))
        return true;
    return std::any_of(transparent.begin(), transparent.end(),
                       [&](const std::string &end) { return ends_with(file.c_str(), end.c_str()); });
}

/* The output of addr2line: for each address itself, then file:line of the innermost function, then of those it was inlined into.
 */
static void parse(FILE *stream)
{
    char *one = nullptr;
    size_t room = 0;
    uintptr_t pc = 0;
    bool settled = false;
    while (getline(&one, &room, stream) > 0) {
        if (!strncmp(one, "0x", 2)) {
            pc = (uintptr_t)strtoull(one, nullptr, 16);
            settled = false;
            continue;
        }
        char *colon = strrchr(one, ':');
        if (!colon || settled)
            continue;
        Line line = {std::string(one, colon), atoi(colon + 1)};
        if (line.line <= 0)
            continue;
        settled = !is_transparent(line.file);
        known[pc] = line;
    }
    free(one);
}

static void ask(const std::vector<uintptr_t> &addresses)
{
    std::vector<std::string> words = {"addr2line", "-a", "-i", "-e", the_module().path};
    if (words.back() == "/proc/self/exe") { /* which would be addr2line itself */
        char path[4096];
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        words.back().assign(path, length > 0 ? (size_t)length : 0);
    }
    for (uintptr_t address : addresses)
        words.push_back(text("0x%zx", (size_t)address));
    std::vector<char *> arguments;
    for (std::string &word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int failed = posix_spawnp(&child, "addr2line", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *stream = failed ? nullptr : fdopen(ends[0], "r");
    if (stream) {
        parse(stream);
        fclose(stream);
    } else
        close(ends[0]);
    if (!failed)
        while (waitpid(child, nullptr, 0) < 0 && errno == EINTR)
            ;
}

/* A return address is that of the next instruction, which may belong to another line. */
static uintptr_t call_of(uintptr_t pc) { return pc - the_module().bias - 1; }

void lines_prepare(const std::vector<uintptr_t> &pcs)
{
    constexpr size_t AT_ONCE = 2000; /* words on a command line */
    std::vector<uintptr_t> wanted;
    for (uintptr_t pc : pcs)
        if (!known.count(call_of(pc))) {
            known[call_of(pc)] = Line{text("%s+0x%zx", base_name(the_module().path.c_str()), (size_t)call_of(pc)), 0};
            wanted.push_back(call_of(pc));
        }
    for (size_t i = 0; i < wanted.size(); i += AT_ONCE)
        ask({wanted.begin() + (long)i, wanted.begin() + (long)std::min(wanted.size(), i + AT_ONCE)});
}

Line line_of(uintptr_t pc)
{
    lines_prepare({pc});
    return known[call_of(pc)];
}

} // namespace emu
