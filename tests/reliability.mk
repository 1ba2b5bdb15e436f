# What shows that nothing a guest does hurts another, and nothing a crash does
# hurts a guest, for as long as one likes; "make check" has some seconds of each.

NEED_hostile := $(NEED_check)
NEED_guests := $(NEED_check)
NEED_soak := $(NEED_check)
NEED_reliability := $(NEED_check)
NEED_valgrind := $(NEED_check) valgrind

# Attackers at every socket of the sanitizers' build, beside guests whose frames
# are checked; then once more to see that no memory is lost (tests/hostile.py).
SECONDS ?= 60
hostile: deps-hostile
	@$(MAKE) --no-print-directory hostile-build
	@$(call IN_LAB,build/gcc-asan) tests/hostile.py --seconds $(SECONDS) $(HOSTILE_ARGS)
	@$(call IN_LAB,build/gcc-asan) tests/hostile.py --seconds 10 --leaks $(HOSTILE_ARGS)

hostile-build:
	@$(STRICT) BUILD=build/gcc-asan CC=gcc $(SANITIZED) build/gcc-asan/ringswitch

# Guests killed all the time, and the switch itself now and then (tests/soak.py).
MINUTES ?= 10
soak: deps-soak
	@$(MAKE) --no-print-directory build/ringswitch
	@$(call IN_LAB,build) tests/soak.py --minutes $(MINUTES) $(SOAK_ARGS)

# One kind of harm a test, RELIABILITY times as much of each as "make check" has.
RELIABILITY ?= 1
guests: deps-guests
	@$(MAKE) --no-print-directory peers build/ringswitch
	@$(OWN) -- env RELIABILITY=$(RELIABILITY) $(WITH_PEERS) -m pytest -q -rs \
	    -p no:cacheprovider $(PYTEST_ARGS) tests/system_guests_hostile.py

# What a process that has given up its privileges can still do.
audit: $(BUILD)/ringswitch
	@where=$$(mktemp -d) && \
	    $(BUILD)/ringswitch --no-keeper --unix $$where/ctl --audit; \
	    said=$$?; rm -rf $$where; exit $$said

# Unit tests, and the system tests named, with valgrind. It knows io_uring, but
# not what the ring writes: valgrind_stream.c.
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full \
           --errors-for-leak-kinds=definite,indirect
VALGRIND_TESTS ?= join stream bess dgram control_protocol
# libbpf leaves bytes of what it asks the kernel for as they are; one tries all
# there is, for minutes; two shut themselves in, and valgrind with them.
VALGRIND_NOT := filter_bpf filter_view privilege syscalls
VALGRIND_UNITS = $(filter-out $(VALGRIND_NOT),$(UNITS))
valgrind: deps-valgrind
	@$(MAKE) --no-print-directory peers units valgrind-build
	@for u in $(VALGRIND_UNITS); do \
	    printf '  valgrind test_%s\n' $$u; \
	    $(VALGRIND) build/tests/test_$$u >build/valgrind/test_$$u.log 2>&1 || \
	        { tail -n 60 build/valgrind/test_$$u.log; exit 1; }; \
	done
	@$(OWN) -- $(WITH_PEERS) -m pytest -q -rs -p no:cacheprovider \
	    --build=build/valgrind -k 'not however_fast' $(PYTEST_ARGS) $(VALGRIND_TESTS:%=tests/system_%.py)

VALGRIND_FLAGS = BUILD=build/valgrind-objects CFLAGS='-O1 -g -DSANITIZED=1'
valgrind-build:
	@$(STRICT) $(VALGRIND_FLAGS) build/valgrind-objects/tests/valgrind_stream.o
	@$(STRICT) $(VALGRIND_FLAGS) build/valgrind-objects/ringswitch \
	    LDFLAGS='-Wl,--wrap=stream_next build/valgrind-objects/tests/valgrind_stream.o'
	@mkdir -p build/valgrind
	@printf '#!/bin/sh\nexec env RINGSWITCH_LEAK_CHECK=1 $(VALGRIND) %s "$$@"\n' \
	    $(abspath build/valgrind-objects/ringswitch) >build/valgrind/ringswitch
	@chmod +x build/valgrind/ringswitch

# All figures of README's section "Reliability", each by its own target.
reliability: deps-reliability
	@tests/reliability.py $(RELIABILITY_ARGS)

IN_LAB = $(OWN) -- env RINGSWITCH=$(abspath $(1))/ringswitch $(WITH_PEERS)

.PHONY: hostile hostile-build soak guests audit valgrind valgrind-build reliability
