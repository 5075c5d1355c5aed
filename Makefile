# Holdfast's build: plain GNU make. `make help` lists what there is to do.
#
#   V=1                show commands          SAN=address|undefined|thread (or address,undefined): a sanitizer build
#   ONLY=pattern       run only matching test programs        T=seconds: how long to fuzz or soak
#
# Everything made lies under build/; heavy results that do not change (the dependency archive, guest components, tools)
# lie in a per-user cache, found by tools/deps and tools/guest-build.

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

comma   := ,
SAN     ?=
VARIANT := $(if $(SAN),$(subst $(comma),-,$(SAN)),dev)
B       := build/$(VARIANT)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

CC      := gcc
CFLAGS  := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wmissing-prototypes -Wcast-qual \
           -Wvla -Werror -fvisibility=hidden -ffunction-sections -fdata-sections
ifneq ($(SAN),)
CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -O1 -fno-omit-frame-pointer
LDFLAGS := -fsanitize=$(SAN)
endif
DEPS    := $(shell tools/deps --dir)
CPPFLAGS := -I. -Isrc -Iinclude -I$(DEPS)/include -D_GNU_SOURCE
LDFLAGS += -fuse-ld=lld -Wl,--gc-sections
# Names the archive in use; what is made with one is made again with another.
DEPS_USED := $(shell mkdir -p build && echo '$(DEPS)' | cmp -s - build/deps-used || echo '$(DEPS)' > build/deps-used; echo build/deps-used)
ARCHIVE  = $(DEPS)/lib/libholdfast_deps.a
DEPLIBS  = $(ARCHIVE) -lssl -lcrypto -ljansson -lpthread -ldl -lm
VERSION := $(shell cat VERSION)
CPPFLAGS += -DHF_VERSION='"$(VERSION)"'

# Rooms in the order of their includes: each may see those to its right (tests/includes checks header by header).
ROOMS   := node host gateway link store console component kernel engine os base
SRCS    := $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c))
lib      = $(B)/lib/libhf_$(1).a
LIBS    := $(foreach r,$(ROOMS),$(call lib,$(r)))
CLI     := $(wildcard cli/*.c)
TESTS   := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/*/*_test.c)) $(B)/tests/wast/wast
# What a room's tests link with; those before `engine` need no Rust archive, so they can run under TSan.
USES_base      := base
USES_os        := os base
USES_kernel    := kernel os base
USES_store     := store kernel os base
USES_gateway   := gateway kernel os base
USES_link      := link kernel os base
USES_console   := console gateway store kernel os base
USES_engine    := engine os base
USES_component := component kernel engine os base
USES_wast      := component engine os base
USES_host      := host store component kernel engine os base
USES_node      := $(ROOMS)
USES_cli       := base
THREAD_ROOMS   := base os kernel store link gateway console

.PHONY: all setup demo test fuzz fuzz-built soak bench guests install clean help format compile_commands.json mutants
all: $(B)/holdfast $(if $(SAN),,build/doc/manifest.schema.json)

help:
	@echo 'make            build $(B)/holdfast'
	@echo 'make demo       install what is missing, build, serve the example app, show requests, end'
	@echo 'make test       the same for the tests; ONLY=pattern, SAN=address|undefined|thread'
	@echo 'make bench      measure beside the yardsticks, write bench/results.md'
	@echo 'make fuzz T=60  fuzz every parser for T seconds each'
	@echo 'make soak T=60  full load with hostile neighbours'
	@echo 'make mutants    break the program on purpose, see whether a test notices'
	@echo 'make guests     build the example components'
	@echo 'make lib        build libholdfast, shared and static (make install-lib PREFIX=...)'
	@echo 'make format, make compile_commands.json, make install PREFIX=/usr/local, make clean'

# ---- building -------------------------------------------------------------------------------------------------
# The archive is made once per content of deps/ and compiler, in the cache.
$(ARCHIVE):
	$(Q)tools/deps >/dev/null

$(B)/obj/%.o: %.c $(DEPS_USED) | $(ARCHIVE)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $(firstword $(filter %.c,$^)) -o $@

# Compiled code is keyed by what rewrote it: a change there must never find what it made before.
REWRITER := src/engine/wasm.c src/engine/rewrite.c src/engine/gate.c src/engine/preview1.c src/engine/preview1_memory.c src/node/preview1.wit
$(B)/obj/src/engine/cache.o: CPPFLAGS += -DHF_REWRITER_VERSION=0x$(shell cat $(REWRITER) 2>/dev/null | sha256sum | cut -c1-8)u
$(B)/obj/src/engine/cache.o: $(REWRITER)

# Frames of what may run on a guest's fiber stay small (T3: the check before each entry leaves 128 KiB).
$(foreach r,engine component host kernel base,$(B)/obj/src/$(r)/%.o): CFLAGS += $(if $(SAN),,-Wframe-larger-than=8192)

define room_lib
$(call lib,$(1)): $(patsubst %.c,$(B)/obj/%.o,$(wildcard src/$(1)/*.c)) $(if $(filter host,$(1)),$(B)/obj/gen/wit.o) $(if $(filter node,$(1)),$(B)/obj/gen/preview1.o)
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_lib,$(r))))

# The interfaces we offer, embedded as encoded WIT packages: WASI 0.2 as the dependency build made them,
# and those of wit/, which WASI 0.2 does not have.
WIT_PACKAGES := io clocks random filesystem sockets cli http
WIT_OURS     := $(patsubst wit/%.wit,build/gen/wit/%.wasm,$(wildcard wit/*.wit))
build/gen/wit/%.wasm: wit/%.wit $(DEPS_USED) | $(ARCHIVE)
	$(call say,WIT,$<)
	$(Q)rm -rf $@.d && mkdir -p $@.d && $(DEPS)/bin/holdfast-guest encode $@.d $< && mv $@.d/*.wasm $@ && rmdir $@.d
build/gen/wit.c: Makefile tools/embed $(WIT_OURS) $(DEPS_USED) | $(ARCHIVE)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)tools/embed hf_wit_packages $(foreach p,$(WIT_PACKAGES),$(DEPS)/wit/$(p).wasm) $(WIT_OURS) > $@
# And the worlds of preview 1 commands, as the object files that carry their types.
build/gen/preview1/%_component_type.o: src/node/preview1.wit $(DEPS_USED) | $(ARCHIVE)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(DEPS)/bin/holdfast-guest bindings $< $* $(@D)
build/gen/preview1.c: build/gen/preview1/exit_component_type.o build/gen/preview1/run_component_type.o tools/embed
	$(call say,GEN,$@)
	$(Q)tools/embed hf_preview1_worlds $(filter %.o,$^) > $@
$(B)/obj/gen/%.o: build/gen/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(B)/holdfast: $(patsubst %.c,$(B)/obj/%.o,$(CLI)) $(LIBS) | $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(LIBS) -Wl,--end-group $(DEPLIBS) -o $@
	@mkdir -p $(B)/libexec $(B)/share
	$(Q)ln -sfn $(DEPS)/bin/holdfast-guest $(B)/libexec/holdfast-guest && ln -sfn ../../../guest $(B)/share/guest
	$(if $(SAN),,$(Q)ln -sf dev/holdfast build/holdfast)

# ---- libholdfast ----------------------------------------------------------------------------------------------
# The same sources as position-independent code. Shared: HF_API is all that others see. Static: one object in which the same
# holds, and the archive of dependencies beside it.
SONAME   := libholdfast.so.$(firstword $(subst ., ,$(VERSION)))
PIC      := $(patsubst %.c,$(B)/pic/%.o,$(SRCS)) $(B)/pic/gen/wit.o $(B)/pic/gen/preview1.o
$(B)/pic/%.o: %.c $(DEPS_USED) | $(ARCHIVE)
	$(call say,CC,$< -fPIC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -MMD -MP -c $(firstword $(filter %.c,$^)) -o $@
$(B)/pic/gen/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -c $< -o $@
$(B)/pic/src/engine/cache.o: CPPFLAGS += -DHF_REWRITER_VERSION=0x$(shell cat $(REWRITER) 2>/dev/null | sha256sum | cut -c1-8)u
$(B)/libholdfast.so: $(PIC)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--exclude-libs,ALL -Wl,-z,defs $(PIC) $(DEPLIBS) -o $@
$(B)/libholdfast.a: $(PIC)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ld -r $(PIC) -o $(B)/pic/holdfast.o && objcopy --localize-hidden $(B)/pic/holdfast.o && ar rcs $@ $(B)/pic/holdfast.o
.PHONY: lib
lib: $(B)/libholdfast.so $(B)/libholdfast.a

# What the table of a manifest's keys says to editors.
build/doc/manifest.schema.json: $(B)/holdfast
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< check --schema > $@

# ---- tests ----------------------------------------------------------------------------------------------------
.SECONDEXPANSION:
room_of = $(firstword $(subst /, ,$(1)))
support_of = $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/$(1)/support*.c))
$(B)/tests/%: $(B)/obj/tests/%.o $$(foreach r,$$(USES_$$(call room_of,$$*)),$$(call lib,$$(r))) $$(call support_of,$$(call room_of,$$*))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(DEPLIBS) -o $@

$(B)/obj/tests/wast/wast_list.o: tests/wast/expected.txt
$(B)/tests/wast/wast: $(patsubst %.c,$(B)/obj/%.o,$(filter-out %_test.c,$(wildcard tests/wast/*.c))) $(foreach r,$(USES_wast),$(call lib,$(r)))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(DEPLIBS) -o $@
	$(if $(SAN),,$(Q)mkdir -p build/tests && ln -sfn ../dev/tests/wast/wast build/tests/wast)

ifeq ($(SAN),thread)
RUN_TESTS := $(foreach r,$(THREAD_ROOMS),$(filter $(B)/tests/$(r)/%,$(TESTS)))
else
RUN_TESTS := $(TESTS)
NEED_APP  := $(B)/holdfast guests $(if $(SAN),,$(if $(ONLY),$(if $(filter test_embed% test_new%,$(ONLY)),lib),lib))
endif
ifneq ($(ONLY),)
RUN_TESTS := $(foreach t,$(RUN_TESTS),$(if $(findstring $(ONLY),$(t)),$(t)))
endif

setup:
	$(Q)tools/setup build
test:
	$(Q)tools/setup build && tools/setup test && tools/setup guests && { tools/setup checkers || [ $$? = 3 ]; }
	$(Q)$(MAKE) --no-print-directory test-built SAN=$(SAN) ONLY=$(ONLY)
# Benches are built with the tests, so that they do not rot between measurements.
test-built: $(RUN_TESTS) $(NEED_APP) $$(if $$(SAN)$$(ONLY),,$$(BENCHES))
	$(Q)python3 tests/run.py --build $(B) --san '$(SAN)' --only '$(ONLY)' $(RUN_TESTS)

# ---- guests ---------------------------------------------------------------------------------------------------
GUESTS := $(patsubst examples/%/,%,$(sort $(dir $(wildcard examples/*/*/*.c examples/js/*/*.js examples/python/*/*.py examples/rust/*/Cargo.toml examples/go/*/go.mod))))
guest_file = build/guests/$(subst /,-,$(1)).wasm
guests: $(foreach g,$(GUESTS),$(call guest_file,$(g)))
define guest_rule
$(call guest_file,$(1)): $(shell find -L examples/$(1) guest -type f -not -path 'guest/templates/*' 2>/dev/null) tools/guest-build $(DEPS_USED) | $(ARCHIVE)
	$$(call say,GUEST,$(1))
	@mkdir -p $$(@D)
	$$(Q)tools/guest-build $(firstword $(subst /, ,$(1))) examples/$(1) $$@ || { rc=$$$$?; [ $$$$rc = 3 ] && rm -f $$@; [ $$$$rc = 3 ]; }
endef
$(foreach g,$(GUESTS),$(eval $(call guest_rule,$(g))))

demo:
	$(Q)tools/setup build && tools/setup guests
	$(Q)$(MAKE) --no-print-directory all guests
	$(Q)examples/demo

# ---- measuring, fuzzing, keeping ------------------------------------------------------------------------------
BENCHES := $(patsubst bench/%.c,build/dev/bench/%,$(wildcard bench/*.c))
build/dev/bench/%: $(B)/obj/bench/%.o $(LIBS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $< -Wl,--start-group $(LIBS) -Wl,--end-group $(DEPLIBS) -o $@
bench:
	$(Q)tools/setup build && tools/setup guests && tools/setup bench
	$(Q)$(MAKE) --no-print-directory all guests $(BENCHES)
	$(Q)bench/run

# Fuzz targets are built apart, by clang: each names in its head the rooms and single files that it is made of.
FUZZ      := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*_fuzz.c))
F         := build/fuzz
FUZZFLAGS := -std=gnu11 -g -O1 -DHF_FUZZ=1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
T ?= 60
$(F)/obj/%.o: %.c $(DEPS_USED) | $(ARCHIVE)
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(CPPFLAGS) $(FUZZFLAGS) -MMD -MP -c $(firstword $(filter %.c,$^)) -o $@
$(F)/obj/src/engine/cache.o: CPPFLAGS += -DHF_REWRITER_VERSION=0x$(shell cat $(REWRITER) 2>/dev/null | sha256sum | cut -c1-8)u
fuzz_head  = $(shell sed -n 's/^ \* $(2): //p' tests/fuzz/$(1).c)
fuzz_parts = tests/fuzz/$(1).c $(foreach r,$(call fuzz_head,$(1),rooms),$(wildcard src/$(r)/*.c)) $(call fuzz_head,$(1),files)
define fuzz_rule
$(F)/bin/$(1): $(patsubst %.c,$(F)/obj/%.o,$(call fuzz_parts,$(1))) | $(ARCHIVE)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)clang -fsanitize=fuzzer,address,undefined -fuse-ld=lld $$^ $$(DEPLIBS) -o $$@
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))
$(F)/bin/seeds: $(B)/obj/tests/fuzz/seeds.o $(foreach r,component engine os base,$(call lib,$(r)))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(DEPLIBS) -o $@
fuzz:
	$(Q)tools/setup build && tools/setup fuzz
	$(Q)$(MAKE) --no-print-directory fuzz-built
fuzz-built: $(foreach t,$(FUZZ),$(F)/bin/$(t)) $(F)/bin/seeds
	$(Q)tests/fuzz/run $(T) $(FUZZ)
soak: all guests
	$(Q)tests/soak $(T)

mutants: all guests
	$(Q)tests/mutants/run '$(ONLY)'

PREFIX ?= /usr/local
install: $(B)/holdfast build/doc/manifest.schema.json
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(B)/holdfast $(DESTDIR)$(PREFIX)/bin/holdfast
	install -d $(DESTDIR)$(PREFIX)/libexec/holdfast $(DESTDIR)$(PREFIX)/share/holdfast
	install -m 755 $(DEPS)/bin/holdfast-guest $(DESTDIR)$(PREFIX)/libexec/holdfast/holdfast-guest
	rm -rf $(DESTDIR)$(PREFIX)/share/holdfast/guest
	cp -RL guest $(DESTDIR)$(PREFIX)/share/holdfast/guest
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/holdfast/guest
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	tools/man $(B)/holdfast > $(DESTDIR)$(PREFIX)/share/man/man1/holdfast.1
	$(B)/holdfast completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfast
	$(B)/holdfast completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_holdfast
	$(B)/holdfast completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/holdfast.fish
	install -m 644 build/doc/manifest.schema.json $(DESTDIR)$(PREFIX)/share/holdfast/manifest.schema.json

	$(Q)$(MAKE) --no-print-directory install-lib PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)'

LIBDIR ?= $(PREFIX)/lib
.PHONY: install-lib
install-lib: lib
	install -d $(DESTDIR)$(PREFIX)/include/holdfast $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 include/holdfast/*.h $(DESTDIR)$(PREFIX)/include/holdfast
	install -m 755 $(B)/libholdfast.so $(DESTDIR)$(LIBDIR)/libholdfast.so.$(VERSION)
	ln -sf libholdfast.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libholdfast.so
	install -m 644 $(B)/libholdfast.a $(DESTDIR)$(LIBDIR)/libholdfast.a
	install -m 644 $(ARCHIVE) $(DESTDIR)$(LIBDIR)/libholdfast_deps.a
	sed -e 's|@prefix@|$(PREFIX)|; s|@libdir@|$(LIBDIR)|; s|@version@|$(VERSION)|' tools/holdfast.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/holdfast.pc

format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')
compile_commands.json:
	$(Q)tools/compile-commands $(CC) $(CPPFLAGS) $(CFLAGS) -- $(SRCS) $(CLI) > $@
clean:
	rm -rf build

-include $(shell find $(B)/obj $(B)/pic $(F)/obj -name '*.d' 2>/dev/null)
