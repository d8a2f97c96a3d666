# make fuzz FUZZ_SECONDS=600: builds every tests/fuzz/fuzz_NAME.c with clang's libFuzzer, ASan and UBSan, and runs them one after the
# other for FUZZ_SECONDS in all. Seeds: tests/hostile/NAME and tests/data; words: tests/fuzz/NAME.dict. What a run learns is kept in
# $(BUILD)/fuzz/corpus-NAME, where the next one starts; an input that crashes, hangs (20 s) or takes 2 GiB is kept as
# $(BUILD)/fuzz/NAME-..., and ends make with an error. To run it again: $(BUILD)/fuzz/fuzz_NAME FILE

FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_FLAGS   := -std=c11 -O1 -g $(filter-out -Wno-format-truncation,$(WARN)) -ffp-contract=off -fno-math-errno -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJ     := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(wildcard runtime/*.c models/*.c tools/checkpoint/*.c))
FUZZ_EACH     = $$(( $(FUZZ_SECONDS) / $(words $(FUZZ_NAMES)) + 1 ))

.PHONY: fuzz
fuzz: $(FUZZ_NAMES:%=$(BUILD)/fuzz/fuzz_%)
	@for name in $(FUZZ_NAMES); do \
	    echo "  FUZZ  $$name, $(FUZZ_EACH) s"; \
	    mkdir -p $(BUILD)/fuzz/corpus-$$name; \
	    given=; for folder in tests/hostile/$$name tests/data; do [ ! -d $$folder ] || given="$$given $$folder"; done; \
	    [ ! -f tests/fuzz/$$name.dict ] || given="-dict=tests/fuzz/$$name.dict $$given"; \
	    $(BUILD)/fuzz/fuzz_$$name -max_total_time=$(FUZZ_EACH) -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
	        -artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/corpus-$$name $$given >$(BUILD)/fuzz/$$name.log 2>&1 \
	        || { cat $(BUILD)/fuzz/$$name.log; exit 1; }; \
	    grep '^stat::' $(BUILD)/fuzz/$$name.log; \
	done

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# A harness takes from this what it calls, and the rest stays out.
$(BUILD)/fuzz/libosprey.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D); echo "  CC    $< (fuzz)"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) -DOSP_COMMIT='"$(COMMIT)"' -DOSP_PACKING='"$(PACKING)"' -DOSP_PREFIX='"$(PREFIX)"' -DOSP_SOURCE='"$(CURDIR)"' $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
