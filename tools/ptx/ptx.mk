# build/libcuda-ptx.so: the PTX driver. The interpreter's lane loops (*.simd.c) are compiled once for each instruction set, like cpu/.

PTX_FLAGS := -fvisibility=hidden -pthread -fopenmp-simd
PTX_SRC   := $(filter-out %.simd.c,$(wildcard tools/ptx/*.c))
PTX_SIMD  := $(wildcard tools/ptx/*.simd.c)
PTX_OBJ   := $(PTX_SRC:%.c=$(BUILD)/%.o) $(foreach i,$(ISAS),$(PTX_SIMD:%.simd.c=$(BUILD)/%.$(i).o))

$(PTX_OBJ): CFLAGS += $(PTX_FLAGS)

$(BUILD)/libcuda-ptx.so: $(PTX_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -pthread -Wl,-soname,libcuda.so.1 -o $@ $^ -lm

# Tests of the interpreter and of the driver are linked with its objects, not with the shared library: they look inside.
$(BUILD)/tests/libptx.a: $(PTX_OBJ)
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^
$(filter $(BUILD)/tests/test_ptx%,$(TESTS)): $(BUILD)/tests/libptx.a

# The examples, built as a stranger would: against <cuda.h> (ours where there is no CUDA), linked with -lcuda. In $(BUILD)/ptx that is us.
PTX_EXAMPLES := $(patsubst tools/ptx/examples/%.c,$(BUILD)/ptx/%,$(wildcard tools/ptx/examples/*.c))
PTX_INCLUDE  := $(patsubst %/cuda.h,%,$(firstword $(wildcard $(CUDA_HOME)/include/cuda.h /usr/local/cuda/include/cuda.h /usr/include/cuda.h) \
                  tools/ptx/include/cuda.h))

$(BUILD)/ptx/libcuda.so: $(BUILD)/libcuda-ptx.so
	$(Q)mkdir -p $(@D) && ln -sf ../libcuda-ptx.so $@ && ln -sf ../libcuda-ptx.so $@.1
$(BUILD)/ptx/%: tools/ptx/examples/%.c $(BUILD)/ptx/libcuda.so
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -isystem $(PTX_INCLUDE) -o $@ $< -L$(@D) -lcuda -Wl,-rpath,'$$ORIGIN'
$(BUILD)/tests/test_ptx_examples: | $(PTX_EXAMPLES)
$(BUILD)/tests/test_ptx_header.o: CPPFLAGS += -isystem $(PTX_INCLUDE)

# make fuzz: the interpreter's objects, built as tests/fuzz/fuzz.mk builds its own.
PTX_FUZZ := $(PTX_SRC:%.c=$(BUILD)/fuzz/%.o) $(foreach i,$(ISAS),$(PTX_SIMD:%.simd.c=$(BUILD)/fuzz/%.$(i).o))
$(BUILD)/fuzz/fuzz_ptx: $(PTX_FUZZ)
define PTX_FUZZ_RULE
$$(BUILD)/fuzz/%.$(1).o: %.simd.c
	@mkdir -p $$(@D); echo "  CC    $$< ($(1), fuzz)"
	$$(Q)$$(FUZZ_CC) $$(CPPFLAGS) -DISA=$(1) $$(FUZZ_FLAGS) $$(ISA_FLAGS_$(1)) -fsanitize=fuzzer-no-link -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call PTX_FUZZ_RULE,$(i))))
