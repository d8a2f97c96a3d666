# The kernels of the tests of the emulator, in builds that differ in what notices a fault. Each is a shared object with an emulator
# of its own; the tests open them by name:
#   fast                       as production kernels are built
#   ucontext                   the same on the switch of processors other than x86-64
#   check-g++, check-clang++   with hooks at every access, by each compiler of this machine
#   bounds                     -fsanitize=bounds, answered by bounds.cpp
#   pattern                    locals start as a pattern
# Beside them warnings.txt, what the compiler says of local.cu, and, with nvcc, the PTX of the kernels.

TEST_EMU      := $(BUILD)/tests/emu
TEST_EMU_SRC  := $(wildcard tests/emu/*.cu)
TEST_EMU_CXX  := $(foreach c,g++ clang++,$(if $(shell command -v $(c)),$(c)))
TEST_EMU_FLAGS = $(filter-out -O% -fsanitize% -fno-sanitize% --param=asan% -Wno-restrict,$(CXXFLAGS)) $(VECTORS) -fvisibility=hidden $(if $(filter local,$*),-w)
TEST_EMU_PTX  := $(if $(NVCC),$(patsubst tests/emu/%.cu,$(TEST_EMU)/%.ptx,$(filter-out tests/emu/local.cu,$(TEST_EMU_SRC))))

HOOKS_g++     := -fsanitize=thread -fno-tree-vectorize
HOOKS_clang++ := -fsanitize=thread -fno-vectorize -fno-slp-vectorize -mllvm -tsan-instrument-read-before-write=1 -mllvm -disable-loop-idiom-all

# name, compiler, flags, ending of the emulator's objects, more objects
define TEST_EMU_BUILD
$$(TEST_EMU)/$(1)/%.o: tests/emu/%.cu
	@mkdir -p $$(@D); echo "  CXX   $$< ($(1))"
	$$(Q)$(2) -x c++ $$(CPPFLAGS) $$(TEST_EMU_FLAGS) $(3) -c -o $$@ $$<
$$(TEST_EMU)/$(1).so: $$(TEST_EMU_SRC:tests/emu/%.cu=$$(TEST_EMU)/$(1)/%.o) $$(EMU_SRC:%.cpp=$$(BUILD)/%.$(4)) $(5)
	@echo "  LINK  $$@"
	$$(Q)$$(CXX) -shared -Wl,-Bsymbolic -o $$@ $$^ -pthread
TEST_EMU_SETS += $$(TEST_EMU)/$(1).so
endef
$(eval $(call TEST_EMU_BUILD,fast,$(CXX),-O3,o))
$(eval $(call TEST_EMU_BUILD,bounds,$(CXX),-O1 -fsanitize=bounds,o,$(TEST_EMU)/bounds.o))
$(eval $(call TEST_EMU_BUILD,pattern,$(CXX),-O3 -ftrivial-auto-var-init=pattern,o))
$(foreach c,$(TEST_EMU_CXX),$(eval $(call TEST_EMU_BUILD,check-$(c),$(c),-O1 -DEMU_CHECKED $(HOOKS_$(c)),check.o)))

# The kernels are those of the fast build; only the emulator differs.
TEST_EMU_SETS += $(TEST_EMU)/ucontext.so
$(TEST_EMU)/ucontext/%.o: kernels/emu/%.cpp
	@mkdir -p $(@D); echo "  CXX   $< (ucontext)"
	$(Q)$(CXX) $(CPPFLAGS) $(filter-out -O% -fsanitize% -fno-sanitize% --param=asan%,$(CXXFLAGS)) -O1 -DEMU_UCONTEXT -c -o $@ $<
$(TEST_EMU)/ucontext.so: $(TEST_EMU_SRC:tests/emu/%.cu=$(TEST_EMU)/fast/%.o) $(EMU_SRC:kernels/emu/%.cpp=$(TEST_EMU)/ucontext/%.o)
	@echo "  LINK  $@"
	$(Q)$(CXX) -shared -Wl,-Bsymbolic -o $@ $^ -pthread

$(TEST_EMU)/bounds.o: tests/emu/bounds.cpp
	@mkdir -p $(@D)
	$(Q)$(CXX) $(filter-out -fsanitize%,$(CXXFLAGS)) -c -o $@ $<
$(TEST_EMU)/warnings.txt: tests/emu/local.cu tests/emu/planted.h
	@mkdir -p $(@D)
	$(Q)$(CXX) -x c++ $(CPPFLAGS) $(filter-out -Werror -M% -fsanitize%,$(CXXFLAGS)) -O2 -c -o /dev/null $< 2>$@
$(TEST_EMU)/%.ptx: tests/emu/%.cu
	@mkdir -p $(@D); echo "  NVCC  $< (PTX)"
	$(Q)$(NVCC) -ptx $(filter-out -no-compress,$(NVCCFLAGS)) -arch=compute_80 -lineinfo -MMD -MP -MF $@.d -o $@ $<

$(BUILD)/tests/test_planted $(BUILD)/tests/test_planted_ptx $(BUILD)/tests/test_counters: $(TEST_EMU)/builds.o $(TEST_EMU)/faults.o | $(TEST_EMU_SETS) $(TEST_EMU)/warnings.txt $(TEST_EMU_PTX)
$(BUILD)/tests/test_emu $(BUILD)/tests/test_emu_faults $(BUILD)/tests/test_emu_streams: $(TEST_EMU)/builds.o $(TEST_EMU)/rig.o | $(TEST_EMU_SETS)
