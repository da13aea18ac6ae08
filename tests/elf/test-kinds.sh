#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# A program built in each way there is, with every kind of object in its segments: on
# huge pages where it should be, as protected as before, and it says the same.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

# A linker that isn't here is a way less, and said.
linker() { command -v "ld.$1" >/dev/null || skip "ld.$1"; }

# expect_where NAME ENV...: kinds on standard input, as "where" says them
expect_where() {
	local name=$1
	shift
	with_us "$@" "./$name" where >where
	while read -r line; do
		grep -qxF "$line" where || fail "$name: no '$line' in: $(tr '\n' ';' <where)"
	done
}

# All of it huge, nothing more or less protected, with no, some and enough pages.
try_aligned() {
	local name=$1 constants=${2:-r--p} pages
	requires_2_mib
	for pages in 0 7 60; do
		pool_set $pages
		same_with_us "$name" HUGETLB_ELFMAP=RW HUGETLB_ELFLIBS=libkinds.so
		[ ! -s "$name.err" ] || fail "it said: $(cat "$name.err")"
		./"$name" refused >refused
		with_us HUGETLB_ELFMAP=RW "./$name" refused >got
		diff refused got
		./"$name" abused >abused
		with_us HUGETLB_ELFMAP=RW HUGETLB_ELFLIBS=libkinds.so "./$name" abused >got
		diff abused got
	done
	expect_where "$name" HUGETLB_ELFMAP=RW HUGETLB_ELFLIBS=libkinds.so <<-END
		text r-xp huge
		constants $constants huge
		letter $constants huge
		relro r--p huge
		data rw-p huge
		bss rw-p huge
		small_zero rw-p huge
		library_text r-xp huge
		library_bss rw-p huge
	END
	same_with_us "$name" HUGETLB_ELFMAP=R
	same_with_us "$name" HUGETLB_ELFMAP=W
	expect_where "$name" HUGETLB_ELFMAP=R <<-END
		text r-xp huge
		constants $constants huge
		data rw-p small
		bss rw-p small
		library_text r-xp small
	END
	expect_where "$name" HUGETLB_ELFMAP=W <<-END
		text r-xp small
		constants $constants small
		relro r--p huge
		data rw-p huge
		bss rw-p huge
	END
}

test_pie_of_gnu_ld() {
	build prog $BOTH
	try_aligned prog
}

test_no_pie_with_copy_relocations() {
	build prog -fno-pie -no-pie $BOTH
	readelf -rW prog >relocations
	grep -q 'R_.*_COPY' relocations || fail "no copy relocation in it"
	try_aligned prog
}

test_no_separate_code() {
	build prog -Wl,-z,noseparate-code $BOTH
	try_aligned prog r-xp
}

test_lazy_binding_and_an_executable_stack() {
	build prog -Wl,-z,lazy -Wl,-z,execstack $BOTH
	try_aligned prog
}

test_pie_of_gold() {
	linker gold
	build prog -fuse-ld=gold $BOTH
	try_aligned prog r-xp
}

test_no_pie_of_gold() {
	linker gold
	build prog -fuse-ld=gold -fno-pie -no-pie -Wl,--rosegment $BOTH
	try_aligned prog
}

test_pie_of_lld() {
	linker lld
	build prog -fuse-ld=lld $ALIGN
	try_aligned prog
}

test_no_pie_of_lld_with_separate_segments() {
	linker lld
	build prog -fuse-ld=lld -fno-pie -no-pie -Wl,-z,separate-loadable-segments $ALIGN
	try_aligned prog
}

# More segments than a table would hold, spread over the address space.
test_twenty_segments() {
	local flags=() i
	for i in 1 2 3 4 5 6 7 8 9; do
		flags+=("-Wl,--section-start=.apart$i=$(printf %#x $((0x20000000 + i * 0x1200000)))")
	done
	build prog -fno-pie -no-pie -DKINDS_APART $BOTH "${flags[@]}"
	[ "$(readelf -lW prog | grep -c LOAD)" -ge 12 ] || fail "$(readelf -lW prog)"
	try_aligned prog
}

# Only whole huge pages inside, and only when forced.
test_unaligned_is_left_alone_unless_forced() {
	requires_2_mib
	build prog
	pool_set 60
	same_with_us prog HUGETLB_ELFMAP=RW
	expect_where prog HUGETLB_ELFMAP=RW <<-END
		text r-xp small
		constants r--p small
		data rw-p small
		bss rw-p small
	END
	for pages in 0 2 60; do
		pool_set $pages
		same_with_us prog HUGETLB_ELFMAP=RW HUGETLB_FORCE_ELFMAP=yes HUGETLB_ELFLIBS=libkinds.so
		./prog abused >abused
		with_us HUGETLB_ELFMAP=RW HUGETLB_FORCE_ELFMAP=yes ./prog abused >got
		diff abused got
	done
	expect_where prog HUGETLB_ELFMAP=RW HUGETLB_FORCE_ELFMAP=yes <<-END
		constants r--p huge
		relro r--p small
		data rw-p huge
		bss rw-p huge
	END
}

# No loader, so no preload: it runs, and nothing is said.
test_static_programs_are_out_of_reach() {
	local kind
	requires_2_mib
	requires "$GCC"
	pool_set 20
	for kind in -static-pie -static; do
		"$GCC" -O1 -DKINDS_STATIC -o prog "$KINDS/kinds.c" $kind $BOTH 2>said || skip "static libc"
		rm -f prog.expected
		same_with_us prog HUGETLB_ELFMAP=RW
		[ ! -s prog.err ] || fail "$(cat prog.err)"
	done
}

run_tests "$@"
