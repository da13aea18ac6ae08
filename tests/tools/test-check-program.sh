#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Whether a preload of which library reaches a program, and what to do where it doesn't:
# each kind of program and each place of a library has its exit status and its mend.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/root.sh"

# compile NAME OPTION...: from standard input
compile() {
	local name=$1
	requires cc
	shift
	cc -x c -o "$name" - -x none "$@" 2>cc.log || skip "a compiler for $name: $(head -n 1 cc.log)"
}

test_check_of_an_ordinary_program_is_well() {
	a_machine
	checks 0 -- ls
	says ": a preload reaches it"
}

test_check_of_a_static_binary_says_what_to_link() {
	a_machine
	echo 'int main(void) { return 0; }' | compile still -static
	checks 30 -- ./still
	says "static: it is a static binary"
	says "libhresv-malloc"
}

test_check_of_a_setuid_program_says_how_to_start_it() {
	a_machine
	requires_root
	cp "$(type -P true)" own
	chown nobody own
	chmod 4755 own
	[ -z "$(findmnt -no OPTIONS -T own | grep -o nosuid)" ] || skip "a directory without nosuid"
	checks 31 -- ./own
	says "set-user-ID"
	says "AmbientCapabilities="
	chmod 755 own
	checks 0 -- ./own
}

test_check_of_an_own_allocator_says_whose_heap_it_is() {
	a_machine
	compile own -rdynamic -fno-builtin <<-'END'
		#include <stddef.h>
		static char heap[1 << 20];
		static size_t used;
		void *malloc(size_t n) { used += (n + 15) & ~15ul; return heap + used - ((n + 15) & ~15ul); }
		void free(void *at) { (void)at; }
		int main(void) { return 0; }
	END
	checks 32 -- ./own
	says "it defines malloc itself"
	checks 0 --accept=own-allocator -- ./own
	compile named -fno-builtin <<-'END'
		#include <stddef.h>
		void *je_malloc(size_t n) { (void)n; return 0; }
		int main(void) { return je_malloc(1) != 0; }
	END
	checks 32 -- ./named
	says "jemalloc is linked into it"
	compile stripped -s <<-'END'
		#include <stdio.h>
		int main(void) { puts("mimalloc: warning: "); return 0; }
	END
	checks 32 -- ./stripped
	says "mimalloc is linked into it"
}

test_check_of_a_program_linked_with_our_malloc_is_well() {
	a_machine
	requires_file "$BUILD/libhresv-malloc.a"
	echo '#include <stdlib.h>
int main(void) { return malloc(1) == 0; }' |
		compile ours -Wl,-u,malloc "$BUILD/libhresv-malloc.a" -pthread -rdynamic
	checks 0 -- ./ours
}

test_check_of_a_musl_program_names_its_loader() {
	a_machine
	echo 'int main(void) { return 0; }' |
		compile other -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
	checks 33 -- ./other
	says "its loader is /lib/ld-musl-x86_64.so.1"
	says "not alpine"
}

test_check_of_another_machine_names_it() {
	a_machine
	cp "$(type -P true)" other
	printf '\363\000' | dd of=other bs=1 seek=18 conv=notrunc 2>dd.log
	checks 34 -- ./other
	says "it is for riscv"
	cp "$(type -P true)" other
	printf '\001' | dd of=other bs=1 seek=4 conv=notrunc 2>dd.log
	checks 34 -- ./other
	says "32 bits"
}

test_check_of_a_go_program_says_so() {
	a_machine
	compile goes <<-'END'
		__attribute__((section(".note.go.buildid"), aligned(4), used)) static const struct {
			unsigned name, bytes, type;
			char text[8];
		} note = { 4, 4, 4, "Go\0\0id!" };
		int main(void) { return 0; }
	END
	checks 35 -- ./goes
	says "it is a Go program"
}

test_check_of_a_program_that_is_none_says_why() {
	a_machine
	checks 36 -- no-such-program
	says "No such file or directory"
	echo data >data
	checks 36 -- ./data
	chmod +x data
	checks 36 -- ./data
}

test_check_follows_scripts_and_env() {
	a_machine
	echo 'int main(void) { return 0; }' | compile still -static
	printf '#!%s/still\n' "$tmp" >script
	printf '#!/usr/bin/env -S A=b ./script\n' >second
	chmod +x script second
	checks 30 -- ./script
	says "for ./script"
	checks 30 -- ./second
	checks 30 -- env A=b ./still
	printf '#!/no/such/interpreter\n' >script
	checks 36 -- ./script
	printf '#!%s/loop\n' "$tmp" >loop
	chmod +x loop
	checks 36 -- ./loop
}

# --- The library ---------------------------------------------------------------------

test_check_of_a_noexec_mount_says_so() {
	a_machine
	requires_root
	mkdir closed
	cleanup_fn umount "$tmp/closed"
	mount -t tmpfs -o noexec hresv-test closed 2>/dev/null || skip "a mount"
	cp "$BUILD/libhresv.so" closed
	checks 41 --library=closed/libhresv.so -- ls
	says "mounted noexec"
	says "mount -o remount,exec"
}

test_check_without_a_library_says_so() {
	a_machine
	checks 40 --library=./none.so
	says "./none.so can't be found"
}

test_check_survives_binaries_made_to_hurt() {
	local i
	a_machine
	requires python3
	python3 - "$(type -P true)" <<-'END'
		import random, sys
		whole = open(sys.argv[1], "rb").read()
		for i in range(60):
		    random.seed(i)
		    data = bytearray(whole)
		    if random.random() < .3:
		        del data[random.randrange(1, len(data)):]
		    for _ in range(random.randrange(1, 40)):
		        at = random.randrange(min(len(data), random.choice([64, 1024, 1 << 20])))
		        data[at] = random.choice([0, 255, 127, random.randrange(256)])
		    open(f"hurt{i}", "wb").write(data)
	END
	chmod +x hurt*
	for i in $(seq 0 59); do
		env -u LD_PRELOAD "$hresv" --root "$root" check -q -- "./hurt$i" && status=0 || status=$?
		case $status in
		0 | 3[0-6]) ;;
		*) fail "round $i: status $status" ;;
		esac
	done
}

run_tests "$@"
