# ringswitch. `make help` lists the targets.
#
# CC and CFLAGS belong to the user. BUILD is where everything goes, so that
# several builds (compilers, sanitizers) can stand side by side.

BUILD   ?= build
CFLAGS  ?= -O2 -g -D_FORTIFY_SOURCE=2
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo 0.1)
PREFIX  ?= /usr/local

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla $(WERROR)
HARDENING := -fstack-protector-strong -fPIE
ifneq ($(SANITIZE),)
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all
endif
OURS := -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARNINGS) \
        $(HARDENING) $(SANITIZER) $(CALLS)
LINK := $(SANITIZER) -pie -Wl,-z,relro,-z,now

# The client's files begin with ctl, ringtap's with ringtap; what is left of
# switch/ and tap/ is the switch.
CTL_C    := $(wildcard switch/ringctl.c switch/ctl_*.c)
RINGTAP_C := $(wildcard tap/ringtap*.c)
SWITCH_O := $(patsubst %.c,$(BUILD)/%.o,$(filter-out \
            %.bpf.c $(CTL_C) $(RINGTAP_C),$(wildcard switch/*.c tap/*.c)))
# With INJECT=1 every call of the switch that can fail goes through a layer that
# makes it fail on demand (tests/inject.h). The places that call are recognised
# by where they return to, so that no call may be a jump.
ifneq ($(INJECT),)
INJECT_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/inject*.c))
WRAPS    = $(shell nm $(INJECT_O) | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')
SWITCH_O += $(INJECT_O)
CALLS    := -fno-optimize-sibling-calls
endif
CTL_O    := $(CTL_C:%.c=$(BUILD)/%.o) $(BUILD)/switch/value.o
RINGTAP_O := $(RINGTAP_C:%.c=$(BUILD)/%.o) $(BUILD)/tap/tap.o
LIBS := -luring -lbsd -lsystemd -lbpf -lpcap -ljansson -lmicrohttpd -lcap-ng \
        -lseccomp -lpthread
# The relay is a program of its own, for the benchmark and its tests alone.
BENCH_O  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out bench/relay.c,$(wildcard bench/*.c)))

# A unit test links the file it is about and that file's few needs.
UNITS := $(patsubst tests/test_%.c,%,$(wildcard tests/test_*.c))
NEEDS_frame     := switch/frame
NEEDS_mac       := switch/mac
NEEDS_mac_entries := switch/mac
NEEDS_loop_ring := switch/loop_ring
NEEDS_wire_join := switch/wire_join
NEEDS_wire_stream := switch/wire_stream
NEEDS_endpoint  := switch/endpoint switch/endpoint_format switch/value \
                   switch/ether_text switch/port_security switch/storm
NEEDS_endpoint_format := $(NEEDS_endpoint)
NEEDS_options   := switch/options switch/options_complete switch/options_words $(NEEDS_endpoint)
NEEDS_port      := switch/port switch/port_counters switch/port_name switch/port_slow switch/forward \
                   switch/latency switch/mac switch/frame switch/port_security \
                   switch/storm tests/fake_port
NEEDS_opener_wire := switch/opener_wire $(NEEDS_endpoint)
NEEDS_port_name := $(NEEDS_port)
NEEDS_handover_record := switch/handover_record $(NEEDS_endpoint)
NEEDS_shared := switch/shared $(NEEDS_port)
NEEDS_port_security := $(NEEDS_port)
NEEDS_storm     := switch/storm
NEEDS_admission := switch/admission
NEEDS_forward   := $(NEEDS_port)
NEEDS_port_flags := $(NEEDS_port)
NEEDS_port_flags_model := $(NEEDS_port)
NEEDS_port_queue := $(NEEDS_port)
NEEDS_port_observe := $(NEEDS_port)
NEEDS_pcapng    := switch/pcapng
NEEDS_block_ring := switch/block_ring
NEEDS_latency   := switch/latency
NEEDS_ether_text := switch/ether_text
NEEDS_run_directory := switch/run_directory
NEEDS_syscalls  := switch/syscalls
LIBS_syscalls   := -lseccomp
NEEDS_privilege := switch/privilege switch/empty_root switch/sanitizer
LIBS_privilege  := -lcap-ng
NEEDS_expression_job := switch/expression_job
NEEDS_keeper_wire := switch/keeper_wire
NEEDS_keeper_history := switch/keeper_history
NEEDS_state_file := switch/state_file switch/state_slot
NEEDS_keeper_store := switch/keeper_store switch/keeper_wire $(NEEDS_state_file)
NEEDS_keeper    := switch/keeper switch/keeper_prepare switch/keeper_switch \
                   switch/keeper_child switch/keeper_notify switch/keeper_history \
                   switch/keeper_orphan \
                   $(NEEDS_keeper_store) switch/kept switch/daemon \
                   switch/run_directory switch/log $(NEEDS_options)
LIBS_keeper := -lbsd -lsystemd
NEEDS_options_config := $(NEEDS_options)
NEEDS_options_words := $(NEEDS_options)
NEEDS_options_sockets := $(NEEDS_options)
NEEDS_config    := $(NEEDS_options)
NEEDS_control   := switch/control_commands switch/client $(NEEDS_port)
LIBS_control := -ljansson
NEEDS_expression := tap/filter_expression
LIBS_expression := -lpcap
NEEDS_handover  := switch/handover_record switch/opener_wire $(NEEDS_endpoint)
NEEDS_metrics_options := switch/metrics_options $(NEEDS_endpoint)
NEEDS_metrics   := switch/metrics switch/metrics_values switch/metrics_words \
                   switch/latency $(NEEDS_port)
NEEDS_filter_value := tap/filter_value
NEEDS_filter_rules := tap/filter_rules tap/filter_match tap/filter_parse \
                   tap/filter_value tap/filter_view tap/filter_compile \
                   tap/filter_groups tap/filter_classes tap/filter_lines tests/filter_facts tests/filter_model \
                   tests/filter_random tests/make_frame
NEEDS_filter_frame := $(NEEDS_filter_rules)
NEEDS_filter_view := $(NEEDS_filter_rules) tests/filter_case
NEEDS_filter_translate := $(NEEDS_filter_view)
NEEDS_filter_bpf := $(NEEDS_filter_view)
LIBS_filter_bpf := -lbpf
NEEDS_filter_export := tap/filter tap/filter_attach tap/filter_builtin \
                   tap/filter_builtin_load tap/filter_export tap/filter_expression \
                   tap/filter_file tap/filter_kept tap/filter_memory \
                   tap/filter_program tap/filter_set tap/filter_view \
                   tap/filter_rules tap/filter_match tap/filter_parse \
                   tap/filter_value tap/filter_compile tap/filter_groups \
                   tap/filter_classes tap/filter_lines
LIBS_filter_export := -lbpf -lpcap
NEEDS_tap_links := tap/tap_links
NEEDS_bench_expect := bench/expect bench/keys bench/units
NEEDS_bench_histogram := bench/histogram
NEEDS_bench_pace := bench/pace
NEEDS_bench_pattern := bench/pattern
NEEDS_bench_plan := bench/plan
NEEDS_bench_search := bench/search
NEEDS_bench_sizes := bench/sizes
NEEDS_bench_track := bench/track
UNIT_BINS := $(UNITS:%=$(BUILD)/tests/test_%)

all: $(BUILD)/ringswitch $(BUILD)/ringctl $(BUILD)/ringtap $(BUILD)/ringbench examples

$(BUILD)/ringswitch: $(SWITCH_O)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $^ -o $@ $(LIBS) $(WRAPS)

$(BUILD)/ringctl: $(CTL_O)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $^ -o $@ -ljansson -lncursesw

$(BUILD)/ringtap: $(RINGTAP_O)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $^ -o $@ -ljansson

$(BUILD)/ringbench: $(BENCH_O)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $^ -o $@ -ljansson

$(BUILD)/relay: $(BUILD)/bench/relay.o
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $^ -o $@

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(OURS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# BPF programs are compiled by clang, whatever CC is; the built-in ones become a
# part of the program as a skeleton (bpftool-gen(8)), which is not ours to keep
# free of warnings.
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
BPF_FLAGS := -O2 -g -mcpu=v3 -target bpf -Wall -Wextra -Werror \
             -I/usr/include/$(shell gcc -print-multiarch)

$(BUILD)/%.bpf.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	@echo "  BPF $@"
	@$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

.PRECIOUS: $(BUILD)/%.bpf.o
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	@$(BPFTOOL) gen skeleton $< name $(subst .,_,$(notdir $*))_bpf >$@

WITH_SKELETON := $(BUILD)/tap/filter_builtin_load.o $(BUILD)/tests/test_filter_bpf.o
$(WITH_SKELETON): $(BUILD)/tap/filter.skel.h
$(WITH_SKELETON): CPPFLAGS += -isystem $(BUILD)/tap

EXAMPLES := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tap/example_*.bpf.c))
examples: $(EXAMPLES)

# Users' objects, good and bad, for the tests.
test-objects: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bpf_*.bpf.c))

# What --version says follows the tree.
VERSIONED := switch/version switch/metrics switch/ringctl tap/ringtap
$(VERSIONED:%=$(BUILD)/%.o): $(BUILD)/version
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
FORCE:

define unit
$(BUILD)/tests/test_$(1): $(BUILD)/tests/test_$(1).o $(NEEDS_$(1):%=$(BUILD)/%.o)
	@echo "  LD $$@"
	@$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(LINK) $$^ -o $$@ -lcmocka -luring $$(LIBS_$(1))
endef
$(foreach u,$(UNITS),$(eval $(call unit,$(u))))

units: $(UNIT_BINS) $(BUILD)/relay

-include $(shell find $(BUILD)/switch $(BUILD)/tap $(BUILD)/tests $(BUILD)/bench -name '*.d' 2>/dev/null)

# --- what is needed from Debian, by what it is needed for -----------------

NEED_build := gcc libc6-dev liburing-dev libbsd-dev libsystemd-dev \
              libbpf-dev libpcap-dev libjansson-dev libmicrohttpd-dev \
              libncurses-dev libcap-ng-dev libseccomp-dev systemtap-sdt-dev \
              clang bpftool
NEED_demo  := $(NEED_build) user-mode-linux busybox-static cpio iperf3 \
              iproute2 util-linux
NEED_demo-rootless := $(NEED_demo) passt
NEED_sandbox := $(NEED_build) user-mode-linux mmdebstrap debian-archive-keyring fakeroot uidmap \
              e2fsprogs util-linux procps iproute2 nftables dnsmasq-base passt \
              openssh-client socat
NEED_bench-sandbox := $(NEED_sandbox) python3
NEED_check := $(NEED_demo) clang libclang-rt-dev libcmocka-dev python3-pytest \
              python3-jsonschema python3-pexpect python3-pyte \
              python3-prometheus-client tshark bpftrace binutils groff-base man-db \
              mandoc bash-completion zsh curl socat build-essential debhelper \
              dpkg-dev lintian systemd \
              python3-scapy vdeplug vde2 qemu-system-x86 passt slirp4netns \
              gnuplot-nox iptables $(NEED_sandbox)
NEED_fuzz  := $(NEED_build) clang libclang-rt-dev
NEED_bench := $(NEED_demo) python3 vdeplug qemu-system-x86 nftables ebtables \
              iptables gnuplot-nox fonts-dejavu-core
NEED_bench-compare := $(NEED_build) git iproute2 python3 util-linux

# As root, install what is missing; as an ordinary user, say how.
deps-%:
	@missing=$$(for p in $(NEED_$*); do \
	    dpkg-query -W -f '$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || printf '%s ' $$p; \
	done); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
	    echo "make: not installed: $$missing"; \
	    echo "make: please run: sudo apt-get update && sudo apt-get install --no-install-recommends $$missing"; \
	    exit 1; \
	fi; \
	echo "make: installing from Debian's packages: $$missing"; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq -y --no-install-recommends $$missing; } >/dev/null

# The peers. uml-utilities starts a switch of its own when it is installed, so
# its program is unpacked beside ours instead.
PEERS := $(BUILD)/peers
PEER_PACKAGES := uml-utilities vde-switch

peers: $(PEERS)/.done

$(PEERS)/.done:
	@mkdir -p $(PEERS)/deb
	@echo "make: fetching the peers to compare with (not installed): uml-utilities, vde2"
	cd $(PEERS)/deb && { apt-get -qq download $(PEER_PACKAGES) || \
	    { apt-get -qq update && apt-get -qq download $(PEER_PACKAGES); }; }
	for deb in $(PEERS)/deb/*.deb; do dpkg-deb -x $$deb $(PEERS); done
	@touch $@

# Open vSwitch, with the one library of its own; where it is not to be had, the rest
# is measured.
PEER_OVS := openvswitch-switch openvswitch-common libxdp1

$(PEERS)/.ovs:
	@mkdir -p $(PEERS)/deb
	@echo "make: fetching another (not installed): Open vSwitch"
	@cd $(PEERS)/deb && { apt-get -qq download $(PEER_OVS) || \
	    { apt-get -qq update && apt-get -qq download $(PEER_OVS); }; } || \
	    { echo "make: no Open vSwitch to be had: it will not be measured"; exit 0; }; \
	for name in $(PEER_OVS); do dpkg-deb -x $${name}_*.deb .. || exit 1; done; \
	touch ../.ovs

# --- the four things to do -------------------------------------------------

demo: deps-demo
	@$(MAKE) --no-print-directory $(BUILD)/ringswitch
	@switch/demo.sh

demo-rootless: deps-demo-rootless
	@$(MAKE) --no-print-directory $(BUILD)/ringswitch
	@switch/demo_rootless.sh

# The root file systems of the guests that the tests start, and of the two
# examples: from Debian's packages, so not without a network; it takes minutes,
# but most of them of waiting.
SANDBOX_IMAGE = SANDBOX_HOME='$(abspath build/sandbox)' switch/lab/sandbox image
sandbox-images:
	@$(SANDBOX_IMAGE) --package haproxy,nginx-light && \
	    $(SANDBOX_IMAGE) --package postgresql || \
	    echo 'make: tests of the sandbox will be skipped'

# Times and memory of 2, 4 and 16 guests.
bench-sandbox: deps-bench-sandbox
	@$(MAKE) --no-print-directory $(BUILD)/ringswitch $(BUILD)/ringctl
	@bench/sandbox.py $(BENCH_ARGS)

# Namespaces of our own: nothing that a test does reaches the machine's
# network, and nothing that it starts outlives it.
OWN = unshare $$([ "$$(id -u)" = 0 ] || echo --map-root-user) \
      --net --pid --fork --kill-child --mount-proc
PEERS_PATH = $(subst $() ,:,$(addprefix $(abspath $(PEERS))/usr/,bin sbin lib/openvswitch-switch))
WITH_PEERS = env PATH="$(PEERS_PATH):$$PATH:/usr/sbin" /usr/bin/python3

# All tests: units with each of the four builds, system tests with one or two
# (tests/conftest.py). They wait more than they work, so that two halves run at
# once; each is shown when it is done.
check: deps-check
	@$(MAKE) --no-print-directory peers
	@$(MAKE) --no-print-directory -j2 check-builds sandbox-images
	@$(MAKE) --no-print-directory -j2 fuzz FUZZ_SECONDS=2
	@echo 'make: system tests, in two halves at once: some minutes'
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target \
	    check-half-1 check-half-2

HALF_1 := $(wildcard $(addprefix tests/system_,filter*.py control*.py ringctl*.py \
          bench*.py capture*.py completion.py install.py manuals.py \
          metrics*.py mirror*.py ringbench*.py run_2008.py sandbox.py \
          sandbox_examples.py services.py trace.py))
HALF_2 := $(filter-out $(HALF_1) tests/system_sandbox_guest.py, \
          $(wildcard tests/system_*.py))

# Status 5: PYTEST_ARGS has chosen none of this half.
check-half-%:
	@$(OWN) -- $(WITH_PEERS) -m pytest -q -rs -p no:cacheprovider $(BUILDS:%=--build=%) \
	    $(PYTEST_ARGS) $(HALF_$*) || [ $$? = 5 ]

# All tests of the sandbox; those of what is in a guest are only here.
check-sandbox: deps-check
	@$(MAKE) --no-print-directory peers all sandbox-images
	@$(OWN) -- $(WITH_PEERS) -m pytest -q -rs -p no:cacheprovider \
	    $(PYTEST_ARGS) $(wildcard tests/system_sandbox*.py)

# The four builds that are tested: two compilers, plain and with the address
# and undefined-behaviour sanitizers. Warnings are errors here only: a newer
# compiler's new warning must not keep anybody from building.
STRICT = $(MAKE) --no-print-directory WERROR=-Werror
SANITIZED = SANITIZE=1 CFLAGS='-O1 -g -fno-omit-frame-pointer'

BUILDS = build build/clang build/gcc-asan build/clang-asan

check-builds:
	+@$(STRICT) BUILD=build all units test-objects
	+@$(STRICT) BUILD=build/clang CC=clang all units
	+@$(STRICT) BUILD=build/gcc-asan CC=gcc $(SANITIZED) all units
	+@$(STRICT) BUILD=build/clang-asan CC=clang $(SANITIZED) all units
	@$(MAKE) --no-print-directory inject-build

# The parsers, with whatever libFuzzer thinks of: clang, both sanitizers, asserts
# on. tests/corpus_* is where it begins; what it finds on the way stays in build.
FUZZERS := $(patsubst tests/fuzz_%.c,%,$(wildcard tests/fuzz_*.c))
FUZZ_SECONDS ?= 60
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

define fuzzer
build/fuzz/$(1): tests/fuzz_$(1).c $(NEEDS_$(1):%=%.c)
	@mkdir -p $$(@D)
	@echo "  LD $$@"
	@clang -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(FUZZ_FLAGS) $$^ -o $$@ $$(LIBS_$(1))
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

fuzz: deps-fuzz
	@$(MAKE) --no-print-directory $(FUZZERS:%=build/fuzz/%)
	@for f in $(FUZZERS); do \
	    mkdir -p build/fuzz/found_$$f; \
	    echo "make: fuzzing $$f for $(FUZZ_SECONDS) s"; \
	    build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
	        -print_final_stats=1 -artifact_prefix=build/fuzz/$$f- \
	        build/fuzz/found_$$f tests/corpus_$$f >build/fuzz/$$f.log 2>&1 || \
	        { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	    sed -n 's/^stat::number_of_executed_units: */  inputs tried: /p' build/fuzz/$$f.log; \
	done

# Every call that can fail and every answer of the ring, failing one at a time
# (tests/inject.py). A sample of it is part of "make check".
inject: deps-check
	@$(MAKE) --no-print-directory inject-build
	@tests/inject.py --build build/inject $(INJECT_ARGS)

inject-build:
	+@$(STRICT) BUILD=build/inject INJECT=1 $(SANITIZED) \
	    build/inject/ringswitch examples

bench: deps-bench
	@$(MAKE) --no-print-directory peers $(PEERS)/.ovs all $(BUILD)/relay
	@$(OWN) -- $(WITH_PEERS) bench/run.py --json build/bench.json $(BENCH_ARGS)

# What got slower or faster from the commit BASE to HEAD, or to this tree.
bench-compare: deps-bench-compare
	@[ -n "$(BASE)" ] || { echo 'make: say which commit to compare with: make bench-compare BASE=REV'; exit 2; }
	@$(MAKE) --no-print-directory all
	@$(OWN) -- env CC='$(CC)' CFLAGS='$(CFLAGS)' /usr/bin/python3 bench/compare.py \
	    --base '$(BASE)' $(if $(HEAD),--head '$(HEAD)') $(BENCH_ARGS)

-include tests/reliability.mk
include switch/install.mk

clean:
	rm -rf build

help:
	@echo 'make            build ringswitch, ringctl, ringtap and ringbench, in build'
	@echo 'make deps-build install what building needs (as a user: say what)'
	@echo 'make demo       two UML guests and the host on one network, in one command'
	@echo 'make demo-rootless  two guests reach a web server through passt: no root, no tap'
	@echo 'make check      the tests; what is in guests of the sandbox: make check-sandbox'
	@echo 'make check-sandbox    all tests of the sandbox'
	@echo 'make sandbox-images  the root file systems for the tests of the sandbox'
	@echo 'make bench-sandbox   how fast a sandbox is up, and what it takes'
	@echo 'make fuzz       the parsers, for FUZZ_SECONDS (60) each'
	@echo 'make inject     make each call of the switch fail, one at a time: an hour'
	@echo 'make hostile    attackers at every socket, for SECONDS (60)'
	@echo 'make soak       killed guests and switches, for MINUTES (10)'
	@echo 'make valgrind   unit and some system tests, with valgrind'
	@echo 'make reliability  all of these and more: the table of the README'
	@echo 'make bench      measure, side by side with other switches: 45 minutes'
	@echo 'make bench-compare BASE=REV  what got slower or faster since that commit'
	@echo 'make install    to PREFIX (/usr/local); install-compat: also as uml_switch, tunctl'
	@echo 'make uninstall  what make install has put there'
	@echo 'make deb        a Debian package, in build'
	@echo 'make clean'

.PHONY: all examples test-objects units peers demo demo-rootless check check-builds fuzz inject inject-build bench bench-compare bench-sandbox sandbox-images check-sandbox clean help
