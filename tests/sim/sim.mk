# The program with one backend more, whose costs are set: OSPREY_SIM, tests/sim/sim.c. sim.o comes before the library.
$(BUILD)/tests/osprey-sim: $(BUILD)/tests/sim/sim.o $(BUILD)/tests/sim/wrong_tap.o $(BUILD)/tools/osprey.o $(TOOL_OBJ) $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/test_compare_tool: | $(BUILD)/tests/osprey-sim

# What looks at the clock: tests/sim/check.py; PARTS='clock self' for some of it.
.PHONY: check-measuring
check-measuring: $(BUILD)/osprey $(BUILD)/tests/osprey-sim
	@python3 tests/sim/check.py --build $(BUILD) $(PARTS)
