# make demo    installs what is missing, builds, runs the demo detector on a photo
# make check   installs what is missing, builds, runs every test
# make         the same, and only builds build/osprey and build/libosprey.a
# DEPS=0       never installs: says what is missing and stops
# make SAN=1 check     the same tests under AddressSanitizer and UndefinedBehaviorSanitizer, but four that they would see nothing new of
# make CC=clang check  with clang
# make check-kernels OP=scale   the CUDA kernels of an op, or without OP of all, on the emulator and on the PTX driver
# make ptxas           registers and occupancy of the CUDA kernels; RELEASE=1: machine code for all architectures (kernels/kernels.mk)
# make check-gpu       the CUDA kernels on a real GPU, with a report; DRIVER=ptx: a rehearsal without one
# make ladders         measures the rungs of every op and writes the tables in cpu/*/README.md; LADDER=cpu:threads=1,onednn: these columns;
#                      LADDER_FLAGS='--model F --size HxW --seconds X': osprey bench --help
#                      and the counts and estimates in kernels/*/README.md
# make fuzz FUZZ_SECONDS=600   libFuzzer over the loaders; make install PREFIX=/usr/local; make clean; make format

CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN      ?=
BUILD    ?= build$(if $(filter-out gcc,$(notdir $(CC))),-$(notdir $(CC)))$(if $(SAN),-san)$(if $(RELEASE),-release)
PREFIX   ?= /usr/local
COMMIT   := $(shell git rev-parse --short=12 HEAD 2>/dev/null)

PACKAGES := libjpeg libpng libexif cairo jansson
CPPFLAGS += -I. -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter \
            $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
CFLAGS   ?= -O3 -g
CFLAGS   += -std=c11 $(WARN) -ffp-contract=off -fno-math-errno -fopenmp -fPIC -MMD -MP
LDLIBS   += $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
ifeq ($(SAN),1)
# gcc calls a function for every access of a function that has thousands of them, as unrolled tiles do: a network takes three times as long.
SANITIZE := -O2 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
            $(if $(findstring clang,$(CC)),,--param=asan-instrumentation-with-call-threshold=1000000)
CFLAGS   += $(SANITIZE)
LDFLAGS  += -fsanitize=address,undefined
export UBSAN_OPTIONS := print_stacktrace=1
# gcc 12's libasan misreads the thread-local blocks of opened libraries since glibc 2.25, and its leak check then crashes.
export ASAN_OPTIONS := intercept_tls_get_addr=0
endif

# ---- What is built from what: a new file in these folders needs no edit here ---------------------------------
LIB_SRC  := $(filter-out %.simd.c kernels/image.c,$(wildcard runtime/*.c models/*.c cpu/*.c cpu/*/*.c kernels/*.c kernels/*/*.c tools/image/*.c))
# The overlay onednn, where oneDNN 2.x has its headers here; it opens the library at run time.
ONEDNN   := $(shell printf '\043include <dnnl_version.h>\n' | $(CC) $(CPPFLAGS) -E -dM - 2>/dev/null | grep -c 'DNNL_VERSION_MAJOR 2$$')
ifeq ($(ONEDNN),1)
$(BUILD)/runtime/backends.o: CPPFLAGS += -DWITH_ONEDNN
else
LIB_SRC  := $(filter-out cpu/onednn/%,$(LIB_SRC))
endif
ifneq ($(ONEDNN),$(shell cat $(BUILD)/with-onednn 2>/dev/null))
$(BUILD)/runtime/backends.o: with-onednn
endif
SIMD_SRC := $(wildcard cpu/*.simd.c cpu/*/*.simd.c)
TOOL_SRC := $(filter-out %.simd.c,$(wildcard $(addsuffix /*.c,tools tools/checkpoint tools/measure tools/compare tools/report tools/ladder)))
TOOL_SIMD := $(wildcard tools/measure/*.simd.c)
TEST_SRC := $(wildcard tests/test_*.c)
HELP_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/*.c tests/cases/*.c))
# The sanitizers would see nothing new here: the checked emulator is built without them; the other two count, and time, kernels that
# test_kernels and test_kernels_ptx run.
ifeq ($(SAN),1)
TEST_SRC := $(filter-out $(addprefix tests/test_,mutation.c kernels_check.c budgets.c kernels_ptx_speed.c),$(TEST_SRC))
endif

# A *.simd.c file is one source for every instruction set: compiled once for each, its names ending in _portable, _avx2, _avx512.
ISAS     := portable avx2 avx512
ISA_FLAGS_portable :=
ISA_FLAGS_avx2     := -mavx2 -mfma -mf16c
ISA_FLAGS_avx512   := -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mf16c -mprefer-vector-width=512

LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o) $(foreach i,$(ISAS),$(SIMD_SRC:%.simd.c=$(BUILD)/%.$(i).o))
Q        := $(if $(V),,@)
TOOL_OBJ := $(filter-out $(BUILD)/tools/osprey.o,$(TOOL_SRC:%.c=$(BUILD)/%.o)) $(foreach i,$(ISAS),$(TOOL_SIMD:%.simd.c=$(BUILD)/%.$(i).o))
HELP_OBJ := $(HELP_SRC:%.c=$(BUILD)/%.o)
# Those that take longest begin first: else one of them would run alone at the end.
LONGEST  := $(filter $(patsubst %,tests/test_%.c,mutation kernels kernels_check kernels_ptx compare_tool backends cuda_faults golden),$(TEST_SRC))
TESTS    := $(patsubst %.c,$(BUILD)/%,$(LONGEST) $(filter-out $(LONGEST),$(TEST_SRC)))
include kernels/kernels.mk
JOBS     := $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.DEFAULT_GOAL := all
.PHONY: all deps program demo check check-long ladders install clean format with-onednn
.SECONDARY:
# The packages come first, and only then is anything compiled: flags are asked of pkg-config when make starts.
all demo check check-long ladders: deps
	@$(MAKE) --no-print-directory $(JOBS) run-$@

deps:
	@DEPS='$(DEPS)' CC='$(CC)' sh tools/deps.sh build

run-all: $(BUILD)/osprey $(BUILD)/libosprey.a

LADDER   ?= cpu
run-ladders: run-all
	@for f in $$(grep -l '^<!-- results: ' $(filter-out cpu/onednn/%,$(wildcard $(if $(filter cuda%,$(LADDER)),kernels,cpu)/*/README.md))); do \
	    op=$$(basename $$(dirname $$f)); echo "  TIME  $$f"; \
	    $(BUILD)/osprey bench --ladder $$op --backends $(LADDER) --into $$f $(LADDER_FLAGS) || exit 1; \
	done
	@grep -H '^<!-- results: counts ' kernels/*/README.md | sed 's/:<!-- results: counts / /; s/ -->$$//' | while read -r f op shape; do \
	    echo "  COUNT $$f $$shape"; \
	    $(BUILD)/osprey ladder $$op $${shape:+--shape $$shape} --into $$f || exit 1; \
	done

run-demo: run-all
	@$(BUILD)/osprey detect models/demo/astronaut.png --out $(BUILD)/demo

# Runs every test program; the ones that are slow by nature look at OSPREY_LONG.
run-check: run-all $(TESTS)
	@BUILD=$(BUILD) sh tests/run.sh $(TESTS)
run-check-long: run-all $(TESTS)
	@OSPREY_LONG=1 BUILD=$(BUILD) sh tests/run.sh $(TESTS)

$(BUILD)/osprey: $(BUILD)/tools/osprey.o $(TOOL_OBJ) $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libosprey.a: $(LIB_OBJ)
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D); echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Where things are goes only to those who ask, and the commit's name is looked at in every build: figures say what made them.
$(BUILD)/models/model.o: CPPFLAGS += -DOSP_PREFIX='"$(PREFIX)"' -DOSP_SOURCE='"$(CURDIR)"'
$(HELP_OBJ) $(TEST_SRC:%.c=$(BUILD)/%.o) $(BUILD)/tests/gpu/%.o: CPPFLAGS += -DOSP_SOURCE='"$(CURDIR)"'
$(BUILD)/tools/text.o $(BUILD)/tests/gpu/check.o: CPPFLAGS += -DOSP_COMMIT='"$(COMMIT)"'
$(BUILD)/tools/text.o $(BUILD)/tests/gpu/check.o: $(BUILD)/commit
$(BUILD)/commit: always
	@mkdir -p $(@D); echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@
.PHONY: always
# Packed weights that a file keeps (detect --pack-cache) are taken only where the sources that make them are the same.
PACKING  := $(shell cat $(sort $(wildcard runtime/*.[ch] models/*.[ch] cpu/*.[ch] cpu/*/*.[ch])) | sha256sum | cut -c1-16)
$(BUILD)/runtime/packfile.o: CPPFLAGS += -DOSP_PACKING='"$(PACKING)"'
$(BUILD)/runtime/packfile.o: $(BUILD)/packing
$(BUILD)/packing: always
	@mkdir -p $(@D); echo '$(PACKING)' | cmp -s - $@ || echo '$(PACKING)' > $@

# Notes what was found, for the next build to compare with.
with-onednn:
	@mkdir -p $(BUILD); echo $(ONEDNN) > $(BUILD)/$@

define SIMD_RULE
$$(BUILD)/%.$(1).o: %.simd.c
	@mkdir -p $$(@D); echo "  CC    $$< ($(1))"
	$$(Q)$$(CC) $$(CPPFLAGS) -DISA=$(1) -DISA_$(1) $$(CFLAGS) $$(ISA_FLAGS_$(1)) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call SIMD_RULE,$(i))))

# What the test programs share stands once: linked into each, it would fill 5 GB, and under the sanitizers 8. -Bsymbolic: its calls to
# itself stay its own, as in the program, whatever else a test opens.
$(BUILD)/tests/libtests.so: $(HELP_OBJ) $(TOOL_OBJ) $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-Bsymbolic -o $@ -Wl,--whole-archive $^ -Wl,--no-whole-archive $(LDLIBS) -lcmocka
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/libtests.so
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-rpath,'$$ORIGIN' -o $@ $^ $(LDLIBS) -lcmocka

# This test counts the heap allocations of our objects: it is linked with them.
$(BUILD)/tests/test_session: $(BUILD)/tests/test_session.o $(HELP_OBJ) $(TOOL_OBJ) $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(BUILD)/tests/test_session: LDFLAGS += $(foreach f,malloc calloc realloc aligned_alloc strdup strndup,-Wl,--wrap=$(f))

# The program that opens osprey.h, taken out of its comment; tests/test_example.c runs it. Leaks are its own affair: it ends at once.
$(BUILD)/tests/example.c: runtime/osprey.h
	@mkdir -p $(@D); sed -n '1,/^ \*     }$$/s/^ \*     //p' $< > $@
$(BUILD)/tests/example: $(BUILD)/tests/example.c $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libosprey.a $(LDLIBS)
$(BUILD)/tests/test_example: | $(BUILD)/tests/example

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

-include tests/fuzz/fuzz.mk
-include tests/sim/sim.mk
-include tests/emu/emu.mk
-include tools/ptx/ptx.mk
-include tools/peers/peers.mk

install: run-all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include/runtime $(DESTDIR)$(PREFIX)/share/osprey $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/osprey $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(BUILD)/libosprey.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/libosprey-emu-check.so $(BUILD)/libcuda-ptx.so $(DESTDIR)$(PREFIX)/lib/
	install -m 644 runtime/osprey.h $(DESTDIR)$(PREFIX)/include/runtime/
	install -m 644 models/demo/demo.safetensors models/demo/astronaut.png models/demo/camera.png $(DESTDIR)$(PREFIX)/share/osprey/
	install -m 644 tools/osprey.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean:
	rm -rf build build-*
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
