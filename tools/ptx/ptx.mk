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
