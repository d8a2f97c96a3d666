/* What the tests of the PTX driver share: a client of the driver API, with a module of small kernels. */
#ifndef PTX_CLIENT_H
#define PTX_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/ptx/api.h"

#define OK(call)          assert_int_equal((int)(call), CUDA_SUCCESS)
#define FAILS(call, code) assert_int_equal((int)(call), code)

/* add_one(p, n): p[i] += 1; times(p, n, f): p[i] *= f; both of unsigned. store(p, v): *p = v by one thread. reverse(p): 64
 * unsigneds through dynamic shared memory. */
static const char PTX[] = ".version 7.0\n"
                          ".target sm_75\n"
                          ".address_size 64\n"
                          ".visible .global .align 4 .u32 answer = 42;\n"
                          ".extern .shared .align 16 .b8 room[];\n"
                          ".visible .entry add_one(.param .u64 p, .param .u32 n)\n"
                          "{\n"
                          "    .reg .pred %q; .reg .b32 %r<6>; .reg .b64 %d<4>;\n"
                          "    ld.param.u64 %d1, [p];\n"
                          "    ld.param.u32 %r1, [n];\n"
                          "    mov.u32 %r2, %ctaid.x;\n"
                          "    mov.u32 %r3, %ntid.x;\n"
                          "    mov.u32 %r4, %tid.x;\n"
                          "    mad.lo.s32 %r5, %r2, %r3, %r4;\n"
                          "    setp.ge.u32 %q, %r5, %r1;\n"
                          "    @%q bra done;\n"
                          "    cvta.to.global.u64 %d2, %d1;\n"
                          "    mul.wide.u32 %d3, %r5, 4;\n"
                          "    add.s64 %d3, %d2, %d3;\n"
                          "    ld.global.u32 %r1, [%d3];\n"
                          "    add.u32 %r1, %r1, 1;\n"
                          "    st.global.u32 [%d3], %r1;\n"
                          "done:\n"
                          "    ret;\n"
                          "}\n"
                          ".visible .entry times(.param .u64 p, .param .u32 n, .param .u32 f)\n"
                          "{\n"
                          "    .reg .pred %q; .reg .b32 %r<7>; .reg .b64 %d<4>;\n"
                          "    ld.param.u64 %d1, [p];\n"
                          "    ld.param.u32 %r1, [n];\n"
                          "    ld.param.u32 %r6, [f];\n"
                          "    mov.u32 %r2, %ctaid.x;\n"
                          "    mov.u32 %r3, %ntid.x;\n"
                          "    mov.u32 %r4, %tid.x;\n"
                          "    mad.lo.s32 %r5, %r2, %r3, %r4;\n"
                          "    setp.ge.u32 %q, %r5, %r1;\n"
                          "    @%q bra done;\n"
                          "    mul.wide.u32 %d3, %r5, 4;\n"
                          "    add.s64 %d3, %d1, %d3;\n"
                          "    ld.u32 %r1, [%d3];\n"
                          "    mul.lo.u32 %r1, %r1, %r6;\n"
                          "    st.u32 [%d3], %r1;\n"
                          "done:\n"
                          "    ret;\n"
                          "}\n"
                          ".visible .entry store(.param .u64 p, .param .u32 v)\n"
                          "{\n"
                          "    .reg .b32 %r<2>; .reg .b64 %d<2>;\n"
                          "    ld.param.u64 %d1, [p];\n"
                          "    ld.param.u32 %r1, [v];\n"
                          "    st.global.u32 [%d1], %r1;\n"
                          "    ret;\n"
                          "}\n"
                          ".visible .entry reverse(.param .u64 p)\n"
                          ".maxntid 64, 1, 1\n"
                          "{\n"
                          "    .reg .b32 %r<6>; .reg .b64 %d<4>;\n"
                          "    ld.param.u64 %d1, [p];\n"
                          "    mov.u32 %r1, %tid.x;\n"
                          "    mul.wide.u32 %d2, %r1, 4;\n"
                          "    add.s64 %d2, %d1, %d2;\n"
                          "    ld.global.u32 %r2, [%d2];\n"
                          "    shl.b32 %r3, %r1, 2;\n"
                          "    mov.u32 %r4, room;\n"
                          "    add.u32 %r5, %r4, %r3;\n"
                          "    st.shared.u32 [%r5], %r2;\n"
                          "    bar.sync 0;\n"
                          "    sub.u32 %r3, 252, %r3;\n"
                          "    add.u32 %r5, %r4, %r3;\n"
                          "    ld.shared.u32 %r2, [%r5];\n"
                          "    st.global.u32 [%d2], %r2;\n"
                          "    ret;\n"
                          "}\n"
                          ".visible .entry stop()\n"
                          "{\n"
                          "    trap;\n"
                          "}\n";

struct client {
    CUcontext context;
    CUmodule module;
    CUfunction add_one, times, store, reverse, stop;
};

/* The driver as the environment says, with the given seed, its primary context and the module. */
__attribute__((unused)) static void client_open(struct client *c, const char *seed)
{
    setenv("PTX_DRIVER_QUIET", "1", 1);
    setenv("PTX_DRIVER_SEED", seed, 1);
    setenv("PTX_DRIVER_WORKERS", "2", 1);
    ptx_driver_fail_at(0, 0);
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&c->context, 0));
    OK(cuCtxSetCurrent(c->context));
    OK(cuModuleLoadData(&c->module, PTX));
    OK(cuModuleGetFunction(&c->add_one, c->module, "add_one"));
    OK(cuModuleGetFunction(&c->times, c->module, "times"));
    OK(cuModuleGetFunction(&c->store, c->module, "store"));
    OK(cuModuleGetFunction(&c->reverse, c->module, "reverse"));
    OK(cuModuleGetFunction(&c->stop, c->module, "stop"));
}

__attribute__((unused)) static void expect_nothing_left(void)
{
    struct ptx_driver_alive alive, nothing;
    memset(&nothing, 0, sizeof nothing);
    ptx_driver_allocated(&alive);
    assert_memory_equal(&alive, &nothing, sizeof nothing);
}

__attribute__((unused)) static void client_close(struct client *c)
{
    OK(cuModuleUnload(c->module));
    OK(cuCtxSetCurrent(NULL));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    expect_nothing_left();
}

__attribute__((unused)) static CUresult add_one(struct client *c, CUdeviceptr p, unsigned n, CUstream stream)
{
    void *arguments[] = {&p, &n};
    return cuLaunchKernel(c->add_one, (n + 63) / 64, 1, 1, 64, 1, 1, 0, stream, arguments, NULL);
}

__attribute__((unused)) static CUresult times(struct client *c, CUdeviceptr p, unsigned n, unsigned factor, CUstream stream)
{
    void *arguments[] = {&p, &n, &factor};
    return cuLaunchKernel(c->times, (n + 63) / 64, 1, 1, 64, 1, 1, 0, stream, arguments, NULL);
}

__attribute__((unused)) static CUresult store(struct client *c, CUdeviceptr p, unsigned value)
{
    void *arguments[] = {&p, &value};
    return cuLaunchKernel(c->store, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL);
}

__attribute__((unused)) static unsigned first_of(CUdeviceptr p)
{
    unsigned value = 0;
    OK(cuMemcpyDtoH_v2(&value, p, sizeof value));
    return value;
}

#endif
