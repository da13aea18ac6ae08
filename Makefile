# SPDX-License-Identifier: MIT
#
# Makefile - how libhresv is built, tested and installed; `make help` lists the targets
#
# One makefile, not recursive except to start over after set-up. Sources are found
# by directory, so a new .c file needs no line here; what a directory is for is
# docs/ARCHITECTURE.md 2. configure (made from configure.ac when it is missing) probes
# the system and writes config.mk and config.h; a missing config.mk makes itself.

srcdir  ?= .
BUILD   ?= build
CONFIGURE_ARGS ?=

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

## Configuration ---------------------------------------------------------------

# These goals work before anything is configured, and on a machine without autoconf.
UNCONFIGURED := setup check check-quick check-aarch64 lint torture fuzz machines demo bench bench-quick coverage \
	sanitize sanitize-thread analyze \
	clean deb distclean format help
ifneq ($(filter-out $(UNCONFIGURED),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif

# The sed: configure removes core dumps, and our core/ isn't one.
$(srcdir)/configure: $(srcdir)/configure.ac $(srcdir)/VERSION
	$(call say,AUTOCONF,$@) cd $(srcdir) && autoconf && \
	sed -i 's/rm -f core /rm -f /' configure

# $(BUILD)/packages changes when setup has installed something configure should see.
config.mk: $(srcdir)/configure $(srcdir)/config.mk.in $(srcdir)/config.h.in $(wildcard $(BUILD)/packages)
	$(call say,CONF,$(or $(CONFIGURE_ARGS),as before)) \
	if [ -x config.status ] && [ -z '$(CONFIGURE_ARGS)' ]; then \
		./config.status --recheck >/dev/null && ./config.status >/dev/null; \
	else \
		$(srcdir)/configure -q $(CONFIGURE_ARGS); \
	fi && touch config.mk

config.h: config.mk

## Flags -------------------------------------------------------------------------

ifneq ($(CI)$(filter yes,$(WERROR)),)
WARN_ERROR := -Werror
endif

# In front of the sources' own tree: out of it, config.h is in the build directory.
INCLUDES := -I. -I$(srcdir) -I$(srcdir)/include
COMMON_FLAGS = -std=gnu11 -D_GNU_SOURCE= $(INCLUDES) -Wall -Wextra -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla $(WARN_ERROR) -ffile-prefix-map=$(srcdir)/= \
	-pthread -MMD -MP $(CPPFLAGS) $(CFLAGS)
PRODUCT_FLAGS = -fPIC -fvisibility=hidden -ftls-model=initial-exec $(PRODUCT_CFLAGS)
LINK_FLAGS = $(PRODUCT_LDFLAGS) $(LDFLAGS)

ifeq ($(COVERAGE),1)
COMMON_FLAGS += -O0 --coverage
LINK_FLAGS += --coverage
endif

# make sanitize: what a sanitizer finds ends the program.
ifneq ($(SANITIZE),)
COMMON_FLAGS += -O1 -g -fsanitize=$(SANITIZE) $(if $(filter thread,$(SANITIZE)),-Wno-tsan,-fno-sanitize-recover=all) -fno-omit-frame-pointer
LINK_FLAGS += -fsanitize=$(SANITIZE)
endif

## Sources -------------------------------------------------------------------------

sources = $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(addprefix $(srcdir)/,$(1)))))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

CORE_OBJ      := $(call objects,$(call sources,core/base/*.c core/facts/*.c \
	core/decide/*.c core/act/*.c core/*.c))
PRELOAD_SRC   := $(call sources,preload/*.c)
ifneq ($(WITH_ELF),yes)
PRELOAD_SRC   := $(filter-out preload/elf_%.c,$(PRELOAD_SRC))
endif
PRELOAD_OBJ   := $(call objects,$(PRELOAD_SRC))
API_OBJ       := $(call objects,$(call sources,api/*.c))
ifeq ($(WITH_MALLOC),yes)
ALLOCATOR_OBJ := $(call objects,$(call sources,allocator/*.c))
ALONE_OBJ     := $(call objects,$(call sources,allocator/alone/*.c))
endif
ifeq ($(WITH_TOOLS),yes)
TOOLS_SRC     := $(call sources,tools/*.c)
ifeq ($(ELF_LIBS),)
TOOLS_SRC     := $(filter-out tools/elf%.c,$(TOOLS_SRC))
endif
TOOLS_OBJ     := $(call objects,$(TOOLS_SRC))
endif
ifeq ($(WITH_COMPAT),yes)
COMPAT_OBJ    := $(call objects,$(call sources,compat/*.c))
endif
PRODUCT_OBJ   := $(CORE_OBJ) $(PRELOAD_OBJ) $(API_OBJ) $(ALLOCATOR_OBJ) $(ALONE_OBJ) $(TOOLS_OBJ) $(COMPAT_OBJ)

## Products --------------------------------------------------------------------------

CORE_A      := $(BUILD)/libhresv-core.a
HRESV_SO    := $(if $(PRELOAD_OBJ),$(BUILD)/libhresv.so)
MALLOC_SO   := $(if $(ALLOCATOR_OBJ),$(BUILD)/libhresv-malloc.so)
MALLOC_A    := $(if $(ALLOCATOR_OBJ),$(BUILD)/libhresv-malloc.a)
HRESV       := $(if $(TOOLS_OBJ),$(BUILD)/hresv)
COMPAT_SO   := $(if $(COMPAT_OBJ),$(BUILD)/compat/libhugetlbfs.so.0)
PRODUCTS    := $(CORE_A) $(HRESV_SO) $(MALLOC_SO) $(MALLOC_A) $(HRESV) $(COMPAT_SO)

.PHONY: all
all: $(PRODUCTS)		## build everything into build/

$(PRODUCT_OBJ): FLAGS = $(PRODUCT_FLAGS)
$(BUILD)/obj/core/facts/conf.o: FLAGS = $(PRODUCT_FLAGS) -DHRESV_CONF='"$(sysconfdir)/hresv.conf"'
$(BUILD)/obj/tools/library.o: FLAGS = $(PRODUCT_FLAGS) -DHRESV_LIBDIR='"$(libdir)"'

$(BUILD)/obj/%.o: $(srcdir)/%.c config.mk | config.h
	@mkdir -p $(@D)
	$(call say,CC,$*.c) $(CC) $(COMMON_FLAGS) $(FLAGS) -c -o $@ $<

$(CORE_A): $(CORE_OBJ)
	@mkdir -p $(@D)
	$(call say,AR,$@) rm -f $@ && $(AR) rcsD $@ $(CORE_OBJ)

# For tests that make its system calls fail.
API_A := $(BUILD)/libhresv-api.a
$(API_A): $(API_OBJ)
	@mkdir -p $(@D)
	$(call say,AR,$@) rm -f $@ && $(AR) rcsD $@ $(API_OBJ)

comma := ,

# $(1) soname, $(2) version script, $(3) objects and archives. Bound symbolically:
# what calls mmap or free in here means ours, whoever else defines it. Never unloaded:
# fork handlers, signal handlers and destructors of threads lead into it.
define link_shared
@mkdir -p $(@D)
@[ $(notdir $@) = $(1) ] || ln -sf $(notdir $@) $(@D)/$(1)
$(call say,LD,$@) $(CC) -shared -pthread $(CFLAGS) -o $@ -Wl,-soname,$(1) \
	-Wl,--version-script=$(srcdir)/$(2) -Wl,--exclude-libs,ALL -Wl,-z,defs,-z,nodelete -Wl,-Bsymbolic-functions $(LINK_FLAGS) $(3)
endef

# initfirst: fork handlers run in the order they were registered, and ours must be
# the innermost (preload/fork.c).
$(BUILD)/libhresv.so: $(CORE_OBJ) $(PRELOAD_OBJ) $(API_OBJ) $(ALLOCATOR_OBJ) \
		$(srcdir)/preload/libhresv.map
$(BUILD)/libhresv.so:
	$(call link_shared,libhresv.so.0,preload/libhresv.map,-Wl$(comma)-z$(comma)initfirst $(filter %.o,$^) $(if $(ALLOCATOR_OBJ),$(JEMALLOC)))

$(BUILD)/libhresv-malloc.so: $(CORE_OBJ) $(API_OBJ) $(ALLOCATOR_OBJ) $(ALONE_OBJ) \
		$(srcdir)/allocator/libhresv-malloc.map
	$(call link_shared,libhresv-malloc.so.0,allocator/libhresv-malloc.map,$(filter %.o,$^) $(JEMALLOC))

# One relocatable object, so that nothing of it can be left out of a static link
# and nothing but the public names can clash.
$(BUILD)/libhresv-malloc.a: $(CORE_OBJ) $(API_OBJ) $(ALLOCATOR_OBJ) $(ALONE_OBJ) \
		$(srcdir)/allocator/libhresv-malloc.map
	$(call say,AR,$@) $(CC) -r -nostdlib -o $(BUILD)/obj/libhresv-malloc.o \
		$(filter %.o,$^) $(filter %.a,$(JEMALLOC)) && \
	sh $(srcdir)/scripts/exports.sh $(srcdir)/allocator/libhresv-malloc.map \
		>$(BUILD)/obj/libhresv-malloc.names && \
	$(OBJCOPY) --keep-global-symbols=$(BUILD)/obj/libhresv-malloc.names \
		$(BUILD)/obj/libhresv-malloc.o && \
	rm -f $@ && $(AR) rcsD $@ $(BUILD)/obj/libhresv-malloc.o

# Everything libhresv.so is, from other defaults (compat/start.c).
# Without late.c: who stands in front of its open() shows it another machine (compat/sizes.c).
$(COMPAT_SO): $(CORE_OBJ) $(filter-out %/late.o,$(PRELOAD_OBJ)) $(ALLOCATOR_OBJ) $(COMPAT_OBJ) \
		$(srcdir)/compat/libhugetlbfs.map
	$(call link_shared,libhugetlbfs.so.0,compat/libhugetlbfs.map,-Wl$(comma)-z$(comma)initfirst $(filter %.o,$^) $(if $(ALLOCATOR_OBJ),$(JEMALLOC)))

$(BUILD)/hresv: $(TOOLS_OBJ) $(CORE_A)
	$(call say,LD,$@) $(CC) -pthread $(CFLAGS) -o $@ $(LINK_FLAGS) $^ $(ELF_LIBS)

# Debian's archive defines malloc and its family, and has one C++ member. Ours are
# the only malloc: jemalloc's public names get the prefix je_, as its private ones
# have. So do the functions that its profiler (off) would draw libm and an unwinder in for,
# the calls that must not come round to our own mmap, and pthread_atfork;
# allocator/engine.c defines these. Its constructor goes: it is started when it is first needed.
JEMALLOC_NEEDS := exp log round mmap munmap madvise mprotect pthread_atfork _Unwind_Backtrace _Unwind_GetIP
ifneq ($(JEMALLOC_ARCHIVE),)
JEMALLOC := $(BUILD)/jemalloc/libjemalloc.a
$(MALLOC_SO) $(MALLOC_A) $(if $(ALLOCATOR_OBJ),$(HRESV_SO) $(COMPAT_SO)): $(JEMALLOC)
endif

$(BUILD)/jemalloc/libjemalloc.a: $(JEMALLOC_ARCHIVE) config.mk $(srcdir)/Makefile
	@mkdir -p $(@D)
	$(call say,OBJCOPY,$@) cp $(JEMALLOC_ARCHIVE) $@.new && chmod u+w $@.new && \
	$(AR) dD $@.new jemalloc_cpp.pic.o && \
	{ $(NM) -g --defined-only $@.new | \
		awk 'NF == 3 && $$3 !~ /^(je_|DW\.|_Z)/ { print $$3, "je_" $$3 }'; \
	  for f in $(JEMALLOC_NEEDS); do echo "$$f je_$$f"; done; } >$@.names && \
	$(OBJCOPY) --redefine-syms=$@.names --remove-section=.init_array \
		--remove-section=.rela.init_array $@.new && mv $@.new $@

## Tests -----------------------------------------------------------------------------

# tests/DIR/test-X.c is a test on the harness; tests/DIR/prog-X.c a program that tests
# run under the preload. Both may ask for libraries by a line `// link: -luring`.
# guest-*.c: tests too, for emulated machines alone (tests/machines).
TEST_SRC   := $(call sources,tests/*/test-*.c tests/machines/guest-[!i]*.c)
PROG_SRC   := $(call sources,tests/*/prog-*.c)
HARNESS_OBJ := $(call objects,$(filter-out $(TEST_SRC) $(PROG_SRC),$(call sources,tests/harness/*.c)))
HARNESS_A  := $(BUILD)/libharness.a
ifeq ($(HAVE_CHECK),yes)
TEST_BIN   := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
endif
PROG_BIN   := $(patsubst %.c,$(BUILD)/%,$(PROG_SRC))
# These see the inside; the others test what users get.
INSIDE     := $(filter $(addprefix $(BUILD)/tests/,unit/% faults/% harness/% machines/guest-crew machines/guest-bugs),$(TEST_BIN))

link_line = $$(sed -n 's,^// *link: *,,p' $(srcdir)/$(1))

# libhresv.so with a system call that fails: tests/torture/inject.c. Never installed.
INJECT_OBJ := $(call objects,tests/torture/inject.c)
$(INJECT_OBJ): FLAGS = $(PRODUCT_FLAGS)
FAULTS_SO  := $(if $(HRESV_SO),$(BUILD)/tests/torture/libhresv-faults.so)
$(BUILD)/tests/torture/libhresv-faults.so: $(INJECT_OBJ) $(CORE_OBJ) $(PRELOAD_OBJ) $(API_OBJ) $(ALLOCATOR_OBJ) \
		$(if $(ALLOCATOR_OBJ),$(JEMALLOC)) $(srcdir)/preload/libhresv.map
	$(call link_shared,libhresv-faults.so,preload/libhresv.map,-Wl$(comma)-z$(comma)initfirst $(filter %.o,$^) $(if $(ALLOCATOR_OBJ),$(JEMALLOC)))

.PHONY: tests
tests: $(TEST_BIN) $(PROG_BIN) $(FAULTS_SO) $(BUILD)/bench/measure $(BUILD)/bench/warm	## build the tests

$(HARNESS_OBJ) $(call objects,$(TEST_SRC)): FLAGS = $(CHECK_CFLAGS)

$(HARNESS_A): $(HARNESS_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcsD $@ $^

$(INSIDE): INSIDE_LIBS = $(API_A) $(CORE_A)
$(INSIDE): $(CORE_A) $(API_A)

# What the API does is tested in the library that programs link.
API_TESTS  := $(filter $(BUILD)/tests/api/% $(BUILD)/tests/machines/guest-nodes-api,$(TEST_BIN) $(PROG_BIN))
API_LIB    := $(if $(MALLOC_SO),libhresv-malloc.so,libhresv.so)
$(API_TESTS): INSIDE_LIBS = -L$(BUILD) -l$(API_LIB:lib%.so=%) -Wl,-rpath,$(abspath $(BUILD))
$(API_TESTS): $(BUILD)/$(API_LIB)

$(TEST_BIN): $(BUILD)/%: $(BUILD)/obj/%.o $(HARNESS_A)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -pthread $(CFLAGS) $(filter --coverage -fsanitize=%,$(LINK_FLAGS)) $(LDFLAGS) \
		-o $@ $< $(HARNESS_A) $(INSIDE_LIBS) $(CHECK_LIBS) $(call link_line,$*.c)

# A program that lacks its library is left out, and the tests that need it skip.
$(PROG_BIN): $(BUILD)/%: $(BUILD)/obj/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $< $(call link_line,$*.c) || \
		echo "left out: $@"

# The stages below start over, as set-up may have changed what configure finds.
NPROC  := $(shell nproc 2>/dev/null || echo 2)
again   = $(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(NPROC)) --no-print-directory
runner  = $(srcdir)/tests/harness/run --source $(srcdir) --build $(BUILD)

.PHONY: setup check check-quick lint check-run quick-run lint-run
setup:				## install missing Debian packages (root or sudo)
	@$(srcdir)/scripts/setup.sh $(BUILD)/packages

check: setup			## set up, build, lint, run every test
	@+$(again) check-run

check-quick:			## build and run the unit tests alone
	@+$(again) quick-run

lint:				## build and run the lints alone
	@+$(again) lint-run

check-run: all tests
	@$(runner) $(TESTS)
quick-run: $(CORE_A) $(INSIDE)
	@$(runner) --only unit
lint-run: all
	@$(runner) --only lint

# Long runs of what make check runs briefly.
LONG ?= 3600

.PHONY: torture fuzz machines check-aarch64
torture:			## everything moves under real programs, for LONG seconds; each call fails
	@+HRESV_SQUEEZE_SECONDS=$(LONG) HRESV_ENDURE_SECONDS=$(LONG) HRESV_FAULTS_SECONDS=0 $(again) check-run \
		TESTS="$(addprefix tests/torture/,test-squeeze.sh test-endurance.sh run-faults.sh)"
fuzz:				## hostile input to every parser, for LONG seconds each
	@+HRESV_FUZZ_SECONDS=$(LONG) $(again) check-run TESTS=tests/fuzz/test-fuzz.sh
machines:			## all that is tested here on other kernels, emulated
	@+HRESV_MACHINES=all $(again) check-run TESTS=tests/machines/test-machines.sh

check-aarch64:			## built for aarch64, run on arm64 kernels, emulated
	@+HRESV_MACHINES=all $(again) check-run TESTS=tests/machines/test-aarch64.sh

.PHONY: coverage coverage-run
coverage: setup			## run unit and fault tests, say which lines they reach
	@+$(again) BUILD=$(BUILD)/coverage COVERAGE=1 coverage-run
coverage-run: $(CORE_A) $(INSIDE)
	@find $(BUILD) -name '*.gcda' -delete
	@$(runner) --only unit,faults
	@$(srcdir)/scripts/coverage.sh $(BUILD)/obj/core

# handle_segv: tests die of signals on purpose, and some catch them.
SANITIZE_OPTIONS := ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0 \
	UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=handle_segv=0
.PHONY: sanitize sanitize-thread sanitize-run
sanitize: setup			## unit and fault tests under AddressSanitizer and UBSan
	@+$(again) BUILD=$(BUILD)/sanitize SANITIZE=address,undefined sanitize-run
# gcc 12's knows no address space as random as newer kernels make it: setarch -R.
sanitize-thread: setup		## unit tests under ThreadSanitizer
	@+setarch -R $(again) BUILD=$(BUILD)/sanitize-thread SANITIZE=thread ONLY=unit sanitize-run
ONLY ?= unit,faults
sanitize-run: $(CORE_A) $(filter $(foreach d,$(subst $(comma), ,$(ONLY)),$(BUILD)/tests/$(d)/%),$(INSIDE))
	@$(SANITIZE_OPTIONS) $(runner) --only $(ONLY)

.PHONY: analyze analyze-run
analyze: setup			## cppcheck, gcc -fanalyzer and clang-tidy find nothing new
	@+$(again) analyze-run
analyze-run: config.h
	@$(srcdir)/scripts/analyze.sh $(srcdir) tests/lint/analyze.expected cppcheck gcc clang-tidy

## Showing ----------------------------------------------------------------------------

# bench/workloads/X.c is what is measured, bench/X.c helps the driver; linked/X is the
# workload with our malloc linked instead of preloaded.
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(call sources,bench/*.c bench/workloads/*.c))
LINKED_BIN := $(if $(MALLOC_A),$(patsubst bench/workloads/%.c,$(BUILD)/bench/linked/%,$(call \
	sources,bench/workloads/alloc-*.c)))

$(BENCH_BIN): $(BUILD)/%: $(BUILD)/obj/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $< $(call link_line,$*.c)

$(LINKED_BIN): $(BUILD)/bench/linked/%: $(BUILD)/obj/bench/workloads/%.o $(MALLOC_SO)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $< \
		-L$(BUILD) -lhresv-malloc -Wl,-rpath,$(abspath $(BUILD))

.PHONY: demo demo-run bench bench-quick bench-run bench-build
demo: setup			## the failure everyone knows, then the same program with us
	@+$(again) demo-run
demo-run: all
	@HRESV_BUILD=$(abspath $(BUILD)) $(srcdir)/examples/demo.sh

bench:				## measure beside every peer, write docs/BENCHMARKS.md; bench-quick: a first look
	@+$(again) bench-run
bench-quick:
	@+$(again) bench-run BENCH_ARGS=--quick
bench-run: all bench-build
	@HRESV_BUILD=$(abspath $(BUILD)) $(srcdir)/bench/run $(BENCH_ARGS)
bench-build: $(BENCH_BIN) $(LINKED_BIN) $(BUILD)/tests/programs/prog-redis

## Installing --------------------------------------------------------------------------

INSTALL ?= install
PC_FILES := hresv-align.pc $(if $(HRESV_SO),libhresv.pc) $(if $(MALLOC_SO),libhresv-malloc.pc hresv.pc)
PC_FILES := $(patsubst %.in,%,$(filter $(addsuffix .in,$(PC_FILES)),$(call sources,*.pc.in)))
MAN_PAGES := $(call sources,man/*.[1-8])
HEADERS  := $(call sources,include/*.h)
SCRIPTS  := $(call sources,linker-scripts/*)
COMPLETIONS := $(if $(HRESV),$(call sources,tools/hresv.bash))
SHARED   := $(HRESV_SO) $(MALLOC_SO)

# Lines of: mode, source, place. Install and uninstall both go by it.
define manifest
$(foreach f,$(SHARED),755 $(f) $(libdir)/$(notdir $(f)).0)
$(foreach f,$(MALLOC_A),644 $(f) $(libdir)/$(notdir $(f)))
$(foreach f,$(COMPAT_SO),755 $(f) $(libdir)/hresv/compat/$(notdir $(f)))
$(foreach f,$(HRESV),755 $(f) $(bindir)/$(notdir $(f)))
$(foreach f,$(HEADERS),644 $(srcdir)/$(f) $(includedir)/$(notdir $(f)))
$(foreach f,$(PC_FILES),644 $(BUILD)/$(f) $(pkgconfigdir)/$(f))
$(foreach f,$(MAN_PAGES),644 $(srcdir)/$(f) $(mandir)/man$(subst .,,$(suffix $(f)))/$(notdir $(f)))
$(foreach f,$(COMPLETIONS),644 $(srcdir)/$(f) $(datadir)/bash-completion/completions/hresv)
$(foreach f,$(SCRIPTS),$(if $(filter %/ld,$(f)),755,644) $(srcdir)/$(f) $(datadir)/hresv/$(f))
endef

$(BUILD)/%.pc: $(srcdir)/%.pc.in config.mk
	@mkdir -p $(@D)
	$(call say,GEN,$@) sed -e 's,@prefix@,$(prefix),' -e 's,@libdir@,$(libdir),' \
		-e 's,@includedir@,$(includedir),' -e 's,@VERSION@,$(VERSION),' $< >$@

.PHONY: install uninstall
install: all $(addprefix $(BUILD)/,$(PC_FILES))	## DESTDIR, prefix, libdir, bindir, ...
	@set -e; set -- $(strip $(manifest)); while [ $$# -gt 0 ]; do \
		echo "  INSTALL $(DESTDIR)$$3"; \
		$(INSTALL) -D -m $$1 "$$2" "$(DESTDIR)$$3"; shift 3; done
	@$(foreach f,$(notdir $(SHARED)),ln -sf $(f).0 "$(DESTDIR)$(libdir)/$(f)";)
	@# Without this LD_PRELOAD=libhresv.so finds nothing until the next boot.
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig 2>/dev/null || :

uninstall:			## remove what install put there
	@set -e; set -- $(strip $(manifest)); while [ $$# -gt 0 ]; do \
		rm -f "$(DESTDIR)$$3"; shift 3; done
	@$(foreach f,$(notdir $(SHARED)),rm -f "$(DESTDIR)$(libdir)/$(f)";)

DIST := hresv-$(VERSION)
.PHONY: dist
dist: $(srcdir)/configure	## a reproducible tarball of what git tracks, and configure
	$(call say,DIST,$(DIST).tar.gz) $(srcdir)/scripts/dist.sh $(srcdir) $(DIST)

.PHONY: deb
deb:				## Debian packages, in build/deb
	@$(srcdir)/scripts/deb.sh $(srcdir) $(BUILD)/deb

## Housekeeping ------------------------------------------------------------------------

.PHONY: clean distclean format help
clean:				## remove build/
	rm -rf $(BUILD)

distclean: clean		## and what configure and autoconf wrote
	rm -rf config.mk config.h config.log config.status autom4te.cache \
		$(srcdir)/configure $(srcdir)/configure~ $(srcdir)/autom4te.cache

format:				## clang-format over every C file
	cd $(srcdir) && git ls-files '*.c' '*.h' | xargs -r clang-format -i

help:				## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## *\(.*\)/\1	\2/p' $(srcdir)/Makefile | \
		awk -F'\t' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo '  Variables: V=1 shows commands; CC, CFLAGS, BUILD, CONFIGURE_ARGS, TESTS=path...'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
