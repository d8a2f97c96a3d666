/* Names of results, and what each means in our words. */
#include "driver.h"

static const struct {
    int code;
    const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "an argument is not valid"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "not enough memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "cuInit has not been called"},
    {4, "CUDA_ERROR_DEINITIALIZED", "the driver is shutting down"},
    {5, "CUDA_ERROR_PROFILER_DISABLED", "the profiler is disabled"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "the library is a stub"},
    {36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "the call needs a newer driver"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "the device is busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "there is no device"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "there is no device of that number"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "the image is not one that can be loaded"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "no context, or not a valid one"},
    {205, "CUDA_ERROR_MAP_FAILED", "mapping failed"},
    {206, "CUDA_ERROR_UNMAP_FAILED", "unmapping failed"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "the image holds nothing for this device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "a memory error that could not be corrected"},
    {215, "CUDA_ERROR_UNSUPPORTED_LIMIT", "the device has no such limit"},
    {216, "CUDA_ERROR_CONTEXT_ALREADY_IN_USE", "another thread uses the context"},
    {217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "the devices cannot reach each other"},
    {218, "CUDA_ERROR_INVALID_PTX", "the PTX text does not compile"},
    {221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "the PTX compiler is missing"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX text is of a version that this driver does not know"},
    {223, "CUDA_ERROR_JIT_COMPILATION_DISABLED", "compilation of PTX is switched off"},
    {300, "CUDA_ERROR_INVALID_SOURCE", "the source is not valid"},
    {301, "CUDA_ERROR_FILE_NOT_FOUND", "the file cannot be read"},
    {302, "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", "a shared object lacks a symbol"},
    {303, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "a shared object did not start"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "a call of the operating system failed"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "the handle is not valid, or what it stood for is gone"},
    {401, "CUDA_ERROR_ILLEGAL_STATE", "what the call needs is not in a state that allows it"},
    {500, "CUDA_ERROR_NOT_FOUND", "there is nothing of that name"},
    {600, "CUDA_ERROR_NOT_READY", "work is still pending"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel or a copy reached memory that it may not reach"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "the launch asks for more threads, registers or shared memory than there are"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "a kernel ran for too long"},
    {704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is on already"},
    {705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "peer access is not on"},
    {708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "the primary context is in use"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "the context has been destroyed"},
    {710, "CUDA_ERROR_ASSERT", "an assertion in a kernel failed"},
    {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "that host memory is registered already"},
    {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "that host memory is not registered"},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "a kernel's stack is damaged"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "a kernel executed an illegal instruction"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "a kernel used an address that is not a multiple of the access's size"},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "an address of the wrong space"},
    {718, "CUDA_ERROR_INVALID_PC", "a kernel jumped to a wrong address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "a kernel failed"},
    {720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "the grid of a cooperative launch is too large"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "not permitted here"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "not supported by this device or driver"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "the system is not ready"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "driver and system do not match"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "the device does not support forward compatibility"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "not allowed while a stream is captured"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "an earlier error has made the capture invalid"},
    {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "two captures would become one"},
    {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture did not begin in this stream"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "a stream that joined the capture was not joined back"},
    {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "a dependency would leave the capture"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "the NULL stream would wait for a stream that is being captured"},
    {907, "CUDA_ERROR_CAPTURED_EVENT", "the event was recorded in a capture"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "the capture began in another thread"},
    {909, "CUDA_ERROR_TIMEOUT", "a wait took too long"},
    {910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph differs too much for an update"},
    {999, "CUDA_ERROR_UNKNOWN", "an unknown error"},
};

static CUresult find(CUresult code, bool name, const char **out)
{
    if (!out)
        return CUDA_ERROR_INVALID_VALUE;
    *out = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == (int)code)
            *out = name ? errors[i].name : errors[i].text;
    return *out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult code, const char **name)
{
    ENTER(NEEDS_NOTHING);
    return drv_leave(find(code, true, name));
}

CUresult cuGetErrorString(CUresult code, const char **text)
{
    ENTER(NEEDS_NOTHING);
    return drv_leave(find(code, false, text));
}
