/* What the stand-ins share: counting and failing calls, what went wrong, device memory. */
#include "nvidia.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 1 << 16 };

static const char *names[NAMES];
static uint64_t calls, failing;
static int failing_code, alive;
static char misuse[512], told[512];

static int (*stream_synchronize)(void *);
static int (*copy_to_host)(void *, unsigned long long, size_t);
static int (*copy_to_device)(unsigned long long, const void *, size_t);

size_t fake_versions[2];

void fake_nvidia_versions(size_t cudnn, size_t cublas)
{
    fake_versions[0] = cudnn;
    fake_versions[1] = cublas;
}

bool fake_nvidia_driver(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    if (!library)
        return false;
    *(void **)&stream_synchronize = dlsym(library, "cuStreamSynchronize");
    *(void **)&copy_to_host = dlsym(library, "cuMemcpyDtoH_v2");
    *(void **)&copy_to_device = dlsym(library, "cuMemcpyHtoD_v2");
    return stream_synchronize && copy_to_host && copy_to_device;
}

void fake_nvidia_fail_at(uint64_t n, int code)
{
    failing = n;
    failing_code = code;
    calls = 0;
}

uint64_t fake_nvidia_calls(void) { return calls; }
const char *fake_nvidia_call_name(uint64_t n) { return n && n <= calls && n <= NAMES ? names[n - 1] : NULL; }
int fake_nvidia_alive(void) { return alive; }
void fake_made(int difference) { alive += difference; }

const char *fake_nvidia_misuse(void)
{
    memcpy(told, misuse, sizeof told);
    misuse[0] = 0;
    return told;
}

int fake_call(const char *name)
{
    if (calls < NAMES)
        names[calls] = name;
    return ++calls == failing ? failing_code : 0;
}

void fake_wrong(const char *format, ...)
{
    va_list args;
    if (*misuse)
        return;
    va_start(args, format);
    vsnprintf(misuse, sizeof misuse, format, args);
    va_end(args);
}

bool fake_download(void *stream, float *to, const void *from, size_t floats)
{
    if (!stream_synchronize(stream) && !copy_to_host(to, (uintptr_t)from, floats * sizeof *to))
        return true;
    fake_wrong("%zu floats at %p cannot be read", floats, from);
    return false;
}

bool fake_upload(void *stream, void *to, const float *from, size_t floats)
{
    if (!stream_synchronize(stream) && !copy_to_device((uintptr_t)to, from, floats * sizeof *from))
        return true;
    fake_wrong("%zu floats at %p cannot be written", floats, to);
    return false;
}

float fake_tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7f800000u) != 0x7f800000u)
        bits = (bits + 0x1000u) & ~0x1fffu;
    memcpy(&x, &bits, sizeof x);
    return x;
}
