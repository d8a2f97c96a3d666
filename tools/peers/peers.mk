# build/peers-loop: osprey as peers.py runs it.
$(BUILD)/peers-loop: $(BUILD)/tools/peers/loop.o $(BUILD)/libosprey.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
