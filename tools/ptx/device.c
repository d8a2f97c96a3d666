/* The device: one, which poses as sm_75, sm_80 or sm_90, so that clients choose the kernels that they would choose on a T4, an
 * A100 or an H100: its sizes and rates are those cards'. What an interpreter does not have (textures, clusters, managed
 * memory...) is 0. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSES = 3 };
static const int poses[POSES] = {75, 80, 90};

static const struct {
    int attribute, value[POSES];
} table[] = {
#define SAME(attribute, value)                                                                                                   \
    {                                                                                                                            \
        attribute, { value, value, value }                                                                                       \
    }
    SAME(1, 1024), /* MAX_THREADS_PER_BLOCK */
    SAME(2, 1024), /* MAX_BLOCK_DIM_X, Y, Z */
    SAME(3, 1024),
    SAME(4, 64),
    SAME(5, 2147483647), /* MAX_GRID_DIM_X, Y, Z */
    SAME(6, 65535),
    SAME(7, 65535),
    SAME(8, 49152),                      /* MAX_SHARED_MEMORY_PER_BLOCK */
    SAME(9, 65536),                      /* TOTAL_CONSTANT_MEMORY */
    SAME(10, 32),                        /* WARP_SIZE */
    SAME(11, 2147483647),                /* MAX_PITCH */
    SAME(12, 65536),                     /* MAX_REGISTERS_PER_BLOCK */
    {13, {1590000, 1410000, 1980000}},   /* CLOCK_RATE, kHz */
    SAME(15, 1),                         /* GPU_OVERLAP */
    {16, {40, 108, 132}},                /* MULTIPROCESSOR_COUNT */
    SAME(17, 0),                         /* KERNEL_EXEC_TIMEOUT */
    SAME(18, 0),                         /* INTEGRATED */
    SAME(19, 0),                         /* CAN_MAP_HOST_MEMORY */
    SAME(20, 0),                         /* COMPUTE_MODE: default */
    SAME(31, 1),                         /* CONCURRENT_KERNELS */
    SAME(32, 0),                         /* ECC_ENABLED */
    SAME(33, 0),                         /* PCI_BUS_ID */
    SAME(34, 0),                         /* PCI_DEVICE_ID */
    SAME(35, 0),                         /* TCC_DRIVER */
    {36, {5001000, 1215000, 2619000}},   /* MEMORY_CLOCK_RATE, kHz */
    {37, {256, 5120, 5120}},             /* GLOBAL_MEMORY_BUS_WIDTH */
    {38, {4 << 20, 40 << 20, 50 << 20}}, /* L2_CACHE_SIZE */
    {39, {1024, 2048, 2048}},            /* MAX_THREADS_PER_MULTIPROCESSOR */
    SAME(40, 3),                         /* ASYNC_ENGINE_COUNT */
    SAME(41, 1),                         /* UNIFIED_ADDRESSING */
    SAME(50, 0),                         /* PCI_DOMAIN_ID */
    {75, {7, 8, 9}},                     /* COMPUTE_CAPABILITY_MAJOR, MINOR */
    {76, {5, 0, 0}},
    SAME(78, 1),                   /* STREAM_PRIORITIES_SUPPORTED */
    SAME(79, 1),                   /* GLOBAL_L1_CACHE_SUPPORTED */
    SAME(80, 1),                   /* LOCAL_L1_CACHE_SUPPORTED */
    {81, {65536, 167936, 233472}}, /* MAX_SHARED_MEMORY_PER_MULTIPROCESSOR */
    SAME(82, 65536),               /* MAX_REGISTERS_PER_MULTIPROCESSOR */
    {87, {32, 2, 2}},              /* SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO */
    {97, {65536, 166912, 232448}}, /* MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
    SAME(99, 1),                   /* HOST_REGISTER_SUPPORTED */
    {106, {16, 32, 32}},           /* MAX_BLOCKS_PER_MULTIPROCESSOR */
    {111, {0, 1024, 1024}},        /* RESERVED_SHARED_MEMORY_PER_BLOCK */
#undef SAME
};

/* Abilities that clients ask for and that are not there: MANAGED_MEMORY to COMPUTE_PREEMPTION and so on. */
static const int absent[] = {83,  84,  85,  86,  88,  89,  90,  91,  92,  93,  94,  95,  96,  98,  100,
                             101, 102, 103, 104, 105, 107, 108, 109, 110, 112, 113, 114, 115, 116, 117,
                             118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 132};

static bool find_attribute(int attribute, int *value)
{
    int pose = 0;
    while (pose < POSES - 1 && poses[pose] != drv.sm)
        pose++;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].attribute == attribute) {
            *value = table[i].value[pose];
            return true;
        }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (absent[i] == attribute) {
            *value = 0;
            return true;
        }
    return false;
}

int drv_attribute(int attribute)
{
    int value = 0;
    find_attribute(attribute, &value);
    return value;
}

/* ---- The environment ------------------------------------------------------------------------------------------ */
static bool number(const char *name, unsigned long long most, unsigned long long *value)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return true;
    unsigned long long n = strtoull(text, &end, 10);
    if (*end || *text == '-' || n > most) {
        drv_fault(CUDA_ERROR_INVALID_VALUE, "%s=%s: a number from 0 to %llu is expected", name, text, most);
        return false;
    }
    *value = n;
    return true;
}

void drv_configure(void)
{
    unsigned long long sm = 90, memory = 16ull << 30, workers = 0, seed = 0, quiet = 0;
    drv.sm = 0;
    if (!number("PTX_DRIVER_QUIET", 1, &quiet))
        return;
    drv.quiet = quiet;
    if (!number("PTX_DRIVER_SM", 999, &sm) || !number("PTX_DRIVER_MEMORY", 1ull << 40, &memory) ||
        !number("PTX_DRIVER_WORKERS", 1024, &workers) || !number("PTX_DRIVER_SEED", UINT64_MAX, &seed))
        return;
    if (memory == 0) {
        drv_fault(CUDA_ERROR_INVALID_VALUE, "PTX_DRIVER_MEMORY=0: a device has some memory");
        return;
    }
    for (int i = 0; i < POSES; i++)
        if (poses[i] == (int)sm)
            drv.sm = poses[i];
    if (!drv.sm)
        drv_fault(CUDA_ERROR_INVALID_VALUE, "PTX_DRIVER_SM=%llu: the device can pose as 75, 80 or 90", sm);
    drv.memory_bytes = memory;
    drv.workers = (int)workers;
    drv.seed = drv.random = seed;
}

/* ---- The calls ------------------------------------------------------------------------------------------------ */
CUresult drv_device_check(CUdevice device) { return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE; }

CUresult cuDeviceGetCount(int *count)
{
    ENTER(NEEDS_INIT);
    if (!count)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *count = 1;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    ENTER(NEEDS_INIT);
    if (!device)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    if (ordinal != 0)
        return drv_leave(CUDA_ERROR_INVALID_DEVICE);
    *device = 0;
    return drv_leave(CUDA_SUCCESS);
}

/* A text into a client's buffer, cut where that ends. */
static CUresult give_text(char *out, int room, const char *text)
{
    if (!out || room <= 0)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(out, (size_t)room, "%s", text);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int room, CUdevice device)
{
    char text[64];
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    snprintf(text, sizeof text, "PTX interpreter posing as sm_%d", drv.sm);
    return drv_leave(code ? code : give_text(name, room, text));
}

CUresult cuDeviceGetPCIBusId(char *id, int room, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    return drv_leave(code ? code : give_text(id, room, "0000:00:00.0"));
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *id)
{
    unsigned domain = 0, bus, slot, function = 0;
    ENTER(NEEDS_INIT);
    if (!device || !id)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    bool read = sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4 ||
                (domain = 0, sscanf(id, "%x:%x.%x", &bus, &slot, &function) >= 2);
    if (!read)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    if (domain || bus || slot || function)
        return drv_leave(CUDA_ERROR_INVALID_DEVICE);
    *device = 0;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && !uuid)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code) {
        memcpy(uuid->bytes, "ptx-interpreter", sizeof uuid->bytes);
        uuid->bytes[15] = (char)drv.sm;
    }
    return drv_leave(code);
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && !bytes)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *bytes = drv.memory_bytes;
    return drv_leave(code);
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && (!value || !find_attribute(attribute, value)))
        code = CUDA_ERROR_INVALID_VALUE;
    return drv_leave(code);
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && (!major || !minor))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code) {
        *major = drv.sm / 10;
        *minor = drv.sm % 10;
    }
    return drv_leave(code);
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
    ENTER(NEEDS_INIT);
    CUresult code = device || peer ? CUDA_ERROR_INVALID_DEVICE : can ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *can = 0; /* a device is not its own peer */
    return drv_leave(code);
}
