/* What is known apart from runs: of the program, of the machine, of a column; and memory, clocks and heat as the system gives
 * them. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"
#include "roofline.h"
#include "runtime/file.h"
#include "statistics.h"
#include "tools/progress.h"
#include "tools/tools.h"

enum { STARTS = 7, LINE = 4096 };

/* ---- Small files of the system -------------------------------------------------------------------- */

/* The first line without its end; false: there is none. */
static bool first_line(const char *path, char line[LINE])
{
    FILE *file = fopen(path, "re");
    bool got = file && fgets(line, LINE, file);
    if (file)
        fclose(file);
    if (got)
        line[strcspn(line, "\n")] = 0;
    return got;
}

static double number_in(const char *path)
{
    char line[LINE], *end;
    double value = first_line(path, line) ? strtod(line, &end) : NAN;
    return !isnan(value) && end == line ? NAN : value;
}

/* "key   : value" or KEY="value" of the first line that begins with the key. */
static bool find_value(const char *path, const char *key, char value[LINE])
{
    char line[LINE];
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        char *from = line + strlen(key);
        from += strspn(from, " \t:=\"");
        from[strcspn(from, "\"\n")] = 0;
        memcpy(value, from, strlen(from) + 1);
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

static osp_status set_text(char **out, const char *text)
{
    free(*out);
    *out = strdup(text);
    return *out ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory for provenance");
}

/* ---- Memory --------------------------------------------------------------------------------------- */

double resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    int got = file ? fscanf(file, "%ld %ld", &pages, &resident) : 0;
    if (file)
        fclose(file);
    return got == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : NAN;
}

void peak_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "5", 1); /* VmHWM starts anew; a kernel that cannot goes on from the last peak */
    (void)ignored;
    close(fd);
}

double peak_resident_bytes(void)
{
    char value[LINE];
    return find_value("/proc/self/status", "VmHWM:", value) ? strtod(value, NULL) * 1024 : NAN;
}

/* ---- Waiting -------------------------------------------------------------------------------------- */

double waited_for_cores(void)
{
    char path[300], line[LINE];
    double sum = NAN;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks)) != NULL;) {
        unsigned long long ran, waited;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        if (*entry->d_name != '.' && first_line(path, line) && sscanf(line, "%llu %llu", &ran, &waited) == 2)
            sum = (isnan(sum) ? 0 : sum) + (double)waited / 1e9;
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

/* ---- Clocks and heat ------------------------------------------------------------------------------ */

/* Of the cores that this process may use: as the frequency driver says, else as the kernel reckons it. */
static double cpu_mhz(void)
{
    cpu_set_t set;
    double sum = 0;
    int count = 0;
    char path[128], value[LINE];
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", i);
        double khz = CPU_ISSET(i, &set) ? number_in(path) : NAN;
        if (isnan(khz))
            continue;
        sum += khz / 1e3;
        count++;
    }
    if (count)
        return sum / count;
    return find_value("/proc/cpuinfo", "cpu MHz", value) ? strtod(value, NULL) : NAN;
}

static double cpu_celsius(void)
{
    char path[128], type[LINE];
    for (int i = 0; i < 32; i++) {
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/type", i);
        if (!first_line(path, type) || strcmp(type, "x86_pkg_temp") != 0)
            continue;
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", i);
        return number_in(path) / 1e3;
    }
    return NAN;
}

/* NVIDIA's tool knows what its driver's public calls do not tell. */
static void ask_nvidia_smi(const char *bus, double *mhz, double *celsius)
{
    char command[160];
    snprintf(command, sizeof command,
             "nvidia-smi -i %s --query-gpu=clocks.sm,temperature.gpu --format=csv,noheader,nounits 2>/dev/null", bus);
    FILE *pipe = popen(command, "re");
    double clock, heat;
    if (pipe && fscanf(pipe, "%lf , %lf", &clock, &heat) == 2) {
        *mhz = clock;
        *celsius = heat;
    }
    if (pipe)
        pclose(pipe);
}

void clock_and_heat(const struct osp_device_info *device, double *mhz, double *celsius)
{
    if (!device->gpu) {
        *mhz = cpu_mhz();
        *celsius = cpu_celsius();
    } else if (*device->bus) {
        ask_nvidia_smi(device->bus, mhz, celsius);
    }
}

/* ---- The program ---------------------------------------------------------------------------------- */

static double time_one_start(const char *program)
{
    char *argv[] = {(char *)program, "--version", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return NAN;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    double start = now();
    bool good = posix_spawn(&child, program, &actions, NULL, argv, environ) == 0 && waitpid(child, &status, 0) == child;
    double end = now();
    posix_spawn_file_actions_destroy(&actions);
    return good && status == 0 ? end - start : NAN;
}

double time_program_start(const char *program)
{
    double values[STARTS];
    struct samples samples = {values, 0, STARTS};
    for (int i = 0; i < STARTS; i++) {
        double seconds = time_one_start(program);
        if (!isnan(seconds))
            values[samples.count++] = seconds;
    }
    return samples_median(&samples);
}

/* ---- Provenance ----------------------------------------------------------------------------------- */

static const char *widest_isa(void)
{
    char flags[LINE];
    if (!find_value("/proc/cpuinfo", "flags", flags))
        return "unknown";
    return strstr(flags, " avx512f") ? "avx512" : strstr(flags, " avx2") ? "avx2" : "portable";
}

static osp_status describe_machine(struct machine *machine)
{
    struct utsname name;
    cpu_set_t set;
    char cpu[LINE] = "unknown", governor[LINE] = "unknown", os[LINE + 512], release[LINE] = "";
    if (uname(&name) != 0)
        memset(&name, 0, sizeof name);
    find_value("/proc/cpuinfo", "model name", cpu);
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor);
    find_value("/etc/os-release", "PRETTY_NAME", release);
    snprintf(os, sizeof os, "%s%s%s %s", release, *release ? ", " : "", name.sysname, name.release);
    machine->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    machine->cores_allowed = sched_getaffinity(0, sizeof set, &set) ? machine->cores : CPU_COUNT(&set);
    machine->cpu_mhz = cpu_mhz();
    machine->memory_bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    osp_status status = set_text(&machine->host, name.nodename);
    if (!status)
        status = set_text(&machine->cpu, cpu);
    if (!status)
        status = set_text(&machine->isa, widest_isa());
    if (!status)
        status = set_text(&machine->governor, governor);
    return status ? status : set_text(&machine->os, os);
}

osp_status study_describe(struct measure *m)
{
    struct study *study = m->study;
    struct osp_model_info model;
    struct machine *machine;
    char date[32];
    time_t seconds = time(NULL);
    struct tm utc;
    const char *sha256 = NULL;
    osp_model_describe(m->model, &model);
    osp_status status = osp_model_sha256(m->model, &sha256);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    const struct {
        char **out;
        const char *text;
    } texts[] = {{&study->version, OSP_VERSION},   {&study->commit, commit_name()}, {&study->date, date},
                 {&study->model_path, model.path}, {&study->model_sha256, sha256},  {&study->architecture, model.architecture},
                 {&study->resize, model.resize}};
    for (size_t i = 0; !status && i < sizeof texts / sizeof *texts; i++)
        status = set_text(texts[i].out, texts[i].text);
    if (!status)
        status = study_add_machine(study, &machine);
    return status ? status : describe_machine(machine);
}

/* PCIe as the system lists it: "16", "16.0 GT/s PCIe". */
static void describe_link(const char *bus, struct column *column)
{
    char path[128];
    const struct {
        const char *file;
        int *lanes;
        double *rate;
    } files[] = {{"current_link_width", &column->link_lanes, NULL},
                 {"max_link_width", &column->link_lanes_most, NULL},
                 {"current_link_speed", NULL, &column->link_rate},
                 {"max_link_speed", NULL, &column->link_rate_most}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", bus, files[i].file);
        double value = number_in(path);
        if (files[i].lanes)
            *files[i].lanes = value >= 1 && value <= 64 ? (int)value : 0;
        else
            *files[i].rate = value;
    }
}

static osp_status name_device(const struct osp_session *session, const struct osp_device_info *device, struct study *study,
                              struct column *column)
{
    char text[LINE];
    struct machine *machine = &study->machines[0];
    if (!*device->name) {
        snprintf(text, sizeof text, "%s, %d thread%s, %s", machine->cpu, osp_session_threads(session),
                 osp_session_threads(session) == 1 ? "" : "s", osp_session_isa(session));
        return set_text(&column->device, text);
    }
    osp_status status = set_text(&column->device, device->name);
    if (!status && device->gpu && !device->emulated)
        status = set_text(&machine->gpu, device->name);
    return status;
}

osp_status column_describe(struct measure *m, int c)
{
    struct column *column = &m->study->columns[c];
    const struct osp_session *session = m->subjects[c].session;
    struct osp_device_info device;
    char precisions[128] = "";
    osp_session_device(session, &device);
    column->gpu = device.gpu;
    column->emulated = device.emulated;
    column->threads = osp_session_threads(session);
    for (int i = 0; osp_backend_precision(column->backend, i); i++) {
        size_t at = strlen(precisions);
        snprintf(precisions + at, sizeof precisions - at, "%s%s", at ? " " : "", osp_backend_precision(column->backend, i));
    }
    if (*device.bus)
        describe_link(device.bus, column);
    osp_status status = name_device(session, &device, m->study, column);
    if (!status)
        status = set_text(&column->precision, osp_session_precision(session));
    return status ? status : set_text(&column->precisions, precisions);
}

/* What it can do at most. After its runs, because the first of them must find the program as it starts. */
void column_measure_peaks(struct measure *m, int c)
{
    struct column *column = &m->study->columns[c];
    struct osp_session *session = m->subjects[c].session;
    if (session && !column->gpu && isnan(column->peak_flops))
        roofline_measure(osp_session_threads(session), osp_session_isa(session), &column->peak_flops, &column->peak_bytes);
    if (session && column->gpu && isnan(column->link_bytes) && osp_session_link(session, &column->link_bytes))
        column->link_bytes = NAN; /* too little memory for that */
}
