# Installing, and the Debian package. DESTDIR and PREFIX as usual; each folder
# can be set by itself. Users start switches, so ringswitch is in bin; ringtap,
# which makes devices, is in sbin.

BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share/ringswitch
DOCDIR     ?= $(PREFIX)/share/doc/ringswitch
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions

# What is ours of what is there; MANIFEST= for none.
MANIFEST   ?= $(DATADIR)/installed

# The units with the path of the programs in them. The sealed one is the other
# with something on top: a later line of a unit goes before an earlier one.
FILLED_D := $(BUILD)/install
$(FILLED_D)/ringswitch@.service: switch/ringswitch@.service FORCE
	@mkdir -p $(@D)
	@sed 's,@BINDIR@,$(BINDIR),' $< >$@

$(FILLED_D)/ringswitch-sealed@.service: $(FILLED_D)/ringswitch@.service switch/ringswitch_sealed.conf
	@cat $^ >$@

# The page says where things are.
$(FILLED_D)/ringswitch.8: switch/ringswitch.8 FORCE
	@mkdir -p $(@D)
	@sed 's,/usr/share/ringswitch,$(DATADIR),; s,/usr/share/doc/ringswitch,$(DOCDIR),' $< >$@

# "MODE SOURCE TARGET", or "link TO TARGET".
define INSTALLED
755 $(BUILD)/ringswitch $(BINDIR)/ringswitch
755 $(BUILD)/ringctl $(BINDIR)/ringctl
755 $(BUILD)/ringbench $(BINDIR)/ringbench
755 $(BUILD)/ringtap $(SBINDIR)/ringtap
644 $(FILLED_D)/ringswitch@.service $(UNITDIR)/ringswitch@.service
644 $(FILLED_D)/ringswitch-sealed@.service $(UNITDIR)/ringswitch-sealed@.service
644 switch/ringswitch@.socket $(UNITDIR)/ringswitch@.socket
644 switch/ringswitch.sysusers $(SYSUSERSDIR)/ringswitch.conf
644 switch/ringswitch.tmpfiles $(TMPFILESDIR)/ringswitch.conf
644 switch/ringswitch_privileged.conf $(DATADIR)/privileged.conf
644 switch/ringswitch_metrics.conf $(DATADIR)/metrics.conf
755 switch/trace_drops.bt $(DATADIR)/trace_drops.bt
755 switch/trace_latency.bt $(DATADIR)/trace_latency.bt
755 switch/trace_talkers.bt $(DATADIR)/trace_talkers.bt
644 switch/completion.bash $(BASHDIR)/ringctl
link ringctl $(BASHDIR)/ringswitch
link ringctl $(BASHDIR)/ringtap
link ringctl $(BASHDIR)/ringbench
644 switch/completion.zsh $(ZSHDIR)/_ringctl
644 $(FILLED_D)/ringswitch.8 $(MANDIR)/man8/ringswitch.8
644 switch/ringctl.8 $(MANDIR)/man8/ringctl.8
644 tap/ringtap.8 $(MANDIR)/man8/ringtap.8
644 bench/ringbench.1 $(MANDIR)/man1/ringbench.1
644 switch/ringswitch-control.7 $(MANDIR)/man7/ringswitch-control.7
644 switch/ringswitch-rules.5 $(MANDIR)/man5/ringswitch-rules.5
644 README.md $(DOCDIR)/README.md
644 tap/example_guard.bpf.c $(DOCDIR)/examples/example_guard.bpf.c
644 tap/example_count.bpf.c $(DOCDIR)/examples/example_count.bpf.c
endef

# Scripts of old labs call these; Debian's uml-utilities has them as well, in bin.
define INSTALLED_COMPAT
link ringswitch $(BINDIR)/uml_switch
link $(SBINDIR)/ringtap $(BINDIR)/tunctl
link ringtap.8 $(MANDIR)/man8/tunctl.8
link ringctl $(BASHDIR)/uml_switch
link ringctl $(BASHDIR)/tunctl
endef

install install-compat uninstall: export DESTDIR := $(DESTDIR)
install install-compat uninstall: export MANIFEST := $(MANIFEST)
install: export INSTALLED := $(INSTALLED)
install-compat: export INSTALLED_COMPAT := $(INSTALLED_COMPAT)
GENERATED := $(addprefix $(FILLED_D)/,ringswitch@.service ringswitch-sealed@.service ringswitch.8)

install: all $(GENERATED)
	@echo "$$INSTALLED" | switch/install.sh install
	@old=$(DESTDIR)$(SBINDIR)/ringswitch; [ ! -e $$old ] || \
	    echo "make: $$old is from an older version, and is found first: please remove it"
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || \
	    echo "make: for the service: systemd-sysusers && systemd-tmpfiles --create ringswitch.conf && systemctl daemon-reload"

install-compat: install
	@echo "$$INSTALLED_COMPAT" | switch/install.sh install

uninstall:
	@switch/install.sh uninstall

# --- the Debian package -----------------------------------------------------

# Later commits have later versions; what is not committed goes in as it is.
DEB_DATE    = $(shell git log -1 --format=%ct 2>/dev/null || echo 1767225600)
DEB_STAMP   = $(shell date -u -d @$(DEB_DATE) +%Y%m%d%H%M)
DEB_VERSION = 0.1+$(DEB_STAMP).$(subst -,.,$(VERSION))
DEB_TREE    = $(BUILD)/deb/ringswitch
DEB_NEEDS   = $(filter-out gcc libc6-dev,$(NEED_build))
DEB_WHO     = $(or $(DEBFULLNAME),The ringswitch authors) <$(or $(DEBEMAIL),ringswitch@example.org)>
DEB_FILL    = sed -e 's/@VERSION@/$(DEB_VERSION)/' \
              -e 's/@WHO@/$(DEB_WHO)/' -e "s/@DATE@/$$(date -u -R -d @$(DEB_DATE))/" \
              -e 's/@NEEDS@/$(DEB_NEEDS:%=%,)/'

NEED_deb = $(NEED_build) build-essential debhelper dpkg-dev

# A copy of the tree with a debian/ in it, so that the tree needs none and a
# package never has what an earlier make with other options has left.
deb: deps-deb
	@rm -rf $(BUILD)/deb && mkdir -p $(DEB_TREE)/debian/source
	@cp -r Makefile README.md LICENSE switch tap bench $(DEB_TREE)
	@for f in control changelog copyright rules postinst prerm postrm; do \
	    $(DEB_FILL) switch/debian_$$f >$(DEB_TREE)/debian/$$f; done
	@chmod +x $(DEB_TREE)/debian/rules
	@echo '3.0 (native)' >$(DEB_TREE)/debian/source/format
	@cd $(DEB_TREE) && env -i PATH="$$PATH" HOME="$$HOME" LC_ALL=C.UTF-8 \
	    DEB_BUILD_OPTIONS="$$DEB_BUILD_OPTIONS" \
	    dpkg-buildpackage --build=binary --no-sign >../build.log 2>&1 || \
	    { tail -n 30 ../build.log; exit 1; }
	@mv $(BUILD)/deb/*.deb $(BUILD)/deb/*.changes $(BUILD)/deb/*.buildinfo $(BUILD)
	@ls $(BUILD)/ringswitch_$(DEB_VERSION)_*.deb

.PHONY: install install-compat uninstall deb
