/* How much memory a process may still take: what the kernel says is available, or what its control group leaves it. */
#include "cpu.h"

#include <stdio.h>
#include <string.h>

/* The number behind `key` in a file of "key number" lines; key "": the first number. False: the file or the key is not there, or
 * the file says "max". */
static int read_number(const char *path, const char *key, double *out)
{
    char line[256];
    int found = 0;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            found = sscanf(line + strlen(key), "%lf", out) == 1;
    if (file)
        fclose(file);
    return found;
}

/* Control groups, version 2: what the tightest of the groups from this process's up to the root leaves. File pages that have not
 * been used lately are given back before anything fails, and count as free. */
static void limit_by_group(double *available, double *total)
{
    char line[512], folder[512] = "", path[640];
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "0::/", 4) == 0)
            snprintf(folder, sizeof folder, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file)
        fclose(file);
    while (folder[0]) {
        double most, used, idle = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.stat", folder);
        read_number(path, "inactive_file ", &idle);
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", folder);
        int limited = read_number(path, "", &used);
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", folder);
        if (limited && read_number(path, "", &most)) {
            double left = most - used + idle;
            *total = most < *total ? most : *total;
            *available = left < *available ? left : *available;
        }
        *strrchr(folder, '/') = 0;
    }
}

osp_status cpu_memory_available(struct osp_device *device, size_t *free_bytes, size_t *total_bytes)
{
    double available, total;
    if (!read_number("/proc/meminfo", "MemAvailable:", &available) || !read_number("/proc/meminfo", "MemTotal:", &total))
        return osp_fail(OSP_UNAVAILABLE, "cpu: /proc/meminfo does not say how much memory is free");
    available *= 1024; /* it counts in KiB */
    total *= 1024;
    limit_by_group(&available, &total);
    *free_bytes = available > 0 ? (size_t)available : 0;
    *total_bytes = (size_t)total;
    return OSP_OK;
}
