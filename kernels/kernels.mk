# Every kernels/<op>/NN_idea.cu, compiled twice: by the C++ compiler for the emulator, with its launcher and row, into libosprey.a; and by
# nvcc into a fat binary that image.c embeds. Without nvcc the fat binaries are left out, and the cuda backend says so.
# RELEASE=1: machine code for all seven architectures, where the everyday build makes it for two. FATBINS=build: takes the fat binaries
# of that build, since neither the C++ compiler nor a sanitizer changes them; and, under SAN=1 with gcc, its checked emulator.

NVCC       ?= $(firstword $(wildcard $(shell command -v nvcc 2>/dev/null) /usr/local/cuda/bin/nvcc))
CXX        := $(subst clang,clang++,$(subst gcc,g++,$(notdir $(CC))))
FATBINS    ?= $(BUILD)
KERNEL_SRC := $(wildcard kernels/*/*.cu)
EMU_SRC    := $(wildcard kernels/emu/*.cpp)

# Kernels on the emulator use AVX2 and FMA: an fmaf that is a call would cost tens of times more. backend.c looks whether the processor
# has them. Until then nothing of those objects runs, and what runs before main is made for any processor.
VECTORS    := -mavx2 -mfma -mf16c
# Loops are marked for nvcc to unroll; clang would say of each that it has not.
CXXFLAGS   ?= -O3 -g
CXXFLAGS   += -std=c++20 -Wall -Wextra -Werror -Wvla -Wno-unused-parameter -Wno-unknown-pragmas -Wno-missing-field-initializers $(if $(findstring clang,$(CC)),-Wno-pass-failed,-Wno-restrict) \
              -ffp-contract=off -fno-math-errno -fno-exceptions -fno-rtti -fPIC -MMD -MP
ifeq ($(SAN),1)
CXXFLAGS   += $(SANITIZE)
endif

# g++ -O3 unrolls the inner loops of a register tile before it could make vectors of them: twice the time for a whole network.
ifeq ($(SAN)$(findstring clang,$(CC)),)
KERNEL_OPT := -O2 -ftree-vectorize -fvect-cost-model=dynamic -fpeel-loops -fpredictive-commoning -fsplit-paths -fgcse-after-reload
endif

# The overlay cudnn, where cuDNN 9 and cuBLASLt have their headers here; it opens the libraries at run time.
CUDA_HEADERS := $(if $(NVCC),-isystem $(dir $(realpath $(NVCC)))../include)
CUDNN      := $(shell printf '\043include <cudnn_graph.h>\n\043include <cublasLt.h>\n' | \
                $(CC) $(CPPFLAGS) $(CUDA_HEADERS) -E -dM - 2>/dev/null | grep -c 'CUDNN_MAJOR 9$$')
ifeq ($(CUDNN),1)
$(BUILD)/runtime/backends.o: CPPFLAGS += -DWITH_CUDNN
$(BUILD)/kernels/cudnn/%.o $(addprefix $(BUILD)/tests/,cudnn_fake.o test_cudnn.o test_cudnn_faults.o fake/%.o): CPPFLAGS += $(CUDA_HEADERS)
else
LIB_OBJ    := $(filter-out $(BUILD)/kernels/cudnn/%,$(LIB_OBJ))
endif
ifneq ($(CUDNN),$(shell cat $(BUILD)/with-cudnn 2>/dev/null))
$(BUILD)/runtime/backends.o: with-cudnn
endif
.PHONY: with-cudnn
with-cudnn:
	@mkdir -p $(BUILD); echo $(CUDNN) > $(BUILD)/$@

LIB_OBJ    += $(KERNEL_SRC:%.cu=$(BUILD)/%.o) $(KERNEL_SRC:%.cu=$(BUILD)/%.image.o) $(EMU_SRC:%.cpp=$(BUILD)/%.o)
LDLIBS     += -lstdc++ -ldl -pthread

# kernels/conv2d/01_naive to cuda_image_conv2d_01_naive
image_name  = cuda_image_$(subst /,_,$(1:kernels/%=%))

$(BUILD)/%.o: %.cu
	@mkdir -p $(@D); echo "  CXX   $<"
	$(Q)$(CXX) -x c++ $(CPPFLAGS) -DCUDA_IMAGE=$(call image_name,$*) $(CXXFLAGS) $(VECTORS) $(KERNEL_OPT) -c -o $@ $<
$(BUILD)/kernels/emu/%.o: kernels/emu/%.cpp
	@mkdir -p $(@D); echo "  CXX   $<"
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BUILD)/kernels/emu/mma.o $(BUILD)/kernels/emu/mma.check.o: CXXFLAGS += $(VECTORS)

# ---- Fat binaries ---------------------------------------------------------------------------------------------
# sm_86 and sm_89 are assembled from the PTX of compute_80, sm_100 and sm_120 from that of compute_90: the PTX that is tested is the PTX
# that ships. Only what this nvcc knows is asked of it.
comma      := ,
CUDA_KNOWN := $(if $(NVCC),$(shell $(NVCC) --list-gpu-code 2>/dev/null))
CUDA_NVCC  := $(if $(NVCC),$(shell $(NVCC) --version | sed -n "s/.*release [0-9.]*, V\([0-9.]*\).*/\1/p"))
CUDA_CODE  := $(if $(RELEASE),75:sm_75 80:sm_80 80:sm_86 80:sm_89 90:sm_90 90:sm_100 90:sm_120,80:sm_80 90:sm_90)
CUDA_ARCH  := $(foreach a,75 80 90,-gencode arch=compute_$(a),code=compute_$(a)) \
              $(foreach c,$(CUDA_CODE),$(if $(filter $(lastword $(subst :, ,$(c))),$(CUDA_KNOWN)),-gencode arch=compute_$(subst :,$(comma)code=,$(c))))
NVCCFLAGS  := -std=c++20 -O3 -fmad=false -no-compress -Werror all-warnings -I. -ccbin $(if $(findstring clang,$(CC)),g++,$(CXX))

# What a fat binary is made of is noted for $(FATBINS) by that name, since one build says build/ and another the whole path.
$(FATBINS)/%.fatbin: %.cu
	@mkdir -p $(@D); echo "  NVCC  $<"
	$(Q)$(NVCC) -fatbin $(NVCCFLAGS) $(CUDA_ARCH) -MMD -MP -MT '$$(FATBINS)/$*.fatbin' -MF $(@:%=%.d) -o $@ $<
ifneq ($(FATBINS),$(BUILD))
-include $(shell find $(FATBINS) -name '*.fatbin.d' 2>/dev/null)
endif

$(BUILD)/%.image.o: kernels/image.c $(if $(NVCC),$(FATBINS)/%.fatbin)
	$(Q)$(CC) $(CPPFLAGS) -DIMAGE=$(call image_name,$*) -DSOURCE='"$*.cu"' $(if $(NVCC),-DFATBIN='"$(FATBINS)/$*.fatbin"') $(CFLAGS) -c -o $@ $<

$(BUILD)/kernels/%.o $(BUILD)/tests/gpu/%.o $(addprefix $(BUILD)/tests/,test_cuda_faults.o cudnn_fake.o test_estimate.o test_ladder_tool.o test_measure.o): CPPFLAGS += -DCUDA_NVCC='"$(CUDA_NVCC)"'

$(BUILD)/tests/test_driver_header.o $(BUILD)/tests/test_sass.o: CPPFLAGS += $(CUDA_HEADERS)

# ---- make ptxas [OP=scale]: registers, shared memory, spills and occupancy on all architectures; of all kernels: into README.md ----
PTXAS_SRC  := $(if $(OP),$(or $(filter kernels/$(OP)/%,$(KERNEL_SRC:%.cu=%)),$(error OP: there are no kernels of an op $(OP))),$(KERNEL_SRC:%.cu=%))
.PHONY: ptxas
ptxas: $(PTXAS_SRC:%=$(FATBINS)/%.fatbin)
	$(Q)sh tools/ptxas.sh $(FATBINS) "$(NVCC)" "$(COMMIT)" "$(if $(OP),,kernels/README.md)" $(PTXAS_SRC)

# ---- make check-kernels [OP=scale]: all kernels, or one op's, on the emulator, the checked emulator and the PTX driver ----
KERNEL_TESTS := $(filter $(addprefix $(BUILD)/tests/,test_kernels test_kernels_check test_kernels_ptx),$(TESTS))
.PHONY: check-kernels
check-kernels: run-all $(KERNEL_TESTS)
	$(Q)OSPREY_OP=$(OP) BUILD=$(BUILD) sh tests/run.sh $(KERNEL_TESTS)

# ---- make check-gpu [DRIVER=ptx]: kernels and networks on a real device, with a report ---------------------------
$(BUILD)/tests/check-gpu: $(BUILD)/tests/gpu/check.o $(HELP_OBJ) $(TOOL_OBJ) $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
run-check run-check-long: $(BUILD)/tests/check-gpu # that it links
.PHONY: check-gpu
check-gpu: run-all $(BUILD)/tests/check-gpu
	$(Q)$(BUILD)/tests/check-gpu "$(DRIVER)" $(BUILD)/check-gpu.md

# A libcuda that answers as told, for tests/test_cuda_faults.c.
$(BUILD)/tests/libcuda-fake.so: tests/fake/cuda.c
	@mkdir -p $(@D); echo "  CC    $<"
	$(Q)$(CC) $(filter-out -fopenmp,$(CFLAGS)) $(LDFLAGS) -shared -o $@ $<
$(BUILD)/tests/test_cuda_faults: | $(BUILD)/tests/libcuda-fake.so

# A checked emulator that an older build left behind, for tests/test_ladder_tool.c.
$(BUILD)/tests/libemu-stale.so: tests/fake/emu.c
	@mkdir -p $(@D); echo "  CC    $<"
	$(Q)$(CC) $(filter-out -fopenmp,$(CFLAGS)) $(LDFLAGS) -shared -o $@ $<
$(BUILD)/tests/test_ladder_tool: | $(BUILD)/tests/libemu-stale.so

# A cuDNN and cuBLASLt that compute on the host and check how they are called, for tests/test_cudnn*.c.
ifeq ($(CUDNN),1)
$(BUILD)/tests/libnvidia-fake.so: $(patsubst %.c,$(BUILD)/%.o,$(addprefix tests/fake/,nvidia.c cudnn.c cudnn_run.c cublas.c))
	@echo "  LINK  $@"
	$(Q)$(CC) $(filter-out -fopenmp,$(CFLAGS)) $(LDFLAGS) -shared -o $@ $^ -ldl -lm
$(BUILD)/tests/test_cudnn $(BUILD)/tests/test_cudnn_faults: | $(BUILD)/tests/libnvidia-fake.so $(BUILD)/libcuda-ptx.so
endif

# ---- The checked emulator: the kernels under our own -fsanitize=thread hooks, which the linker must not see ------
CHECK_FLAGS = $(filter-out -O% -fsanitize% -fno-sanitize% --param=asan%,$(CXXFLAGS)) -O1 -fvisibility=hidden -DEMU_CHECKED
CHECK_OBJ  := $(KERNEL_SRC:%.cu=$(BUILD)/%.check.o) $(EMU_SRC:%.cpp=$(BUILD)/%.check.o)
HOOKS      := -fsanitize=thread $(if $(findstring clang,$(CC)),-fno-vectorize -fno-slp-vectorize -mllvm -tsan-instrument-read-before-write=1 -mllvm -disable-loop-idiom-all,-fno-tree-vectorize)

$(BUILD)/%.check.o: %.cu
	@mkdir -p $(@D); echo "  CXX   $< (checked)"
	$(Q)$(CXX) -x c++ $(CPPFLAGS) $(CHECK_FLAGS) $(VECTORS) $(HOOKS) -c -o $@ $<
$(BUILD)/%.check.o: %.cpp
	@mkdir -p $(@D); echo "  CXX   $< (checked)"
	$(Q)$(CXX) $(CPPFLAGS) $(CHECK_FLAGS) -c -o $@ $<
ifeq ($(SAN)$(filter $(BUILD),$(FATBINS))$(findstring clang,$(CC))$(wildcard $(FATBINS)/libosprey-emu-check.so),1$(FATBINS)/libosprey-emu-check.so)
$(BUILD)/libosprey-emu-check.so: $(FATBINS)/libosprey-emu-check.so
	$(Q)cp $< $@
else
$(BUILD)/libosprey-emu-check.so: $(CHECK_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CXX) -shared -Wl,-z,defs -o $@ $^ -pthread
endif

run-all run-check run-check-long: $(BUILD)/libosprey-emu-check.so $(BUILD)/libcuda-ptx.so
