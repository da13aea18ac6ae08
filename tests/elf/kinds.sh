# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# kinds.sh - kinds.c built in every way there is; sourced by the tests of this directory

KINDS=$SOURCE/tests/elf
GCC=${GCC:-gcc}
ALIGN="-Wl,-z,max-page-size=0x200000"
BOTH="$ALIGN -Wl,-z,common-page-size=0x200000"

# Where the pool's pages are not of 2 MiB these tests say nothing.
requires_2_mib() { [ "$(default_page_bytes)" = 2097152 ] || skip "huge pages of 2 MiB"; }

# build NAME FLAG...: $tmp/NAME, and the library beside it
build() {
	local name=$1
	shift
	requires "$GCC"
	[ -e libkinds.so ] ||
		"$GCC" -O1 -g -fPIC -shared -o libkinds.so "$KINDS/kinds-library.c" $BOTH
	"$GCC" -O1 -g -o "$name" "$KINDS/kinds.c" "$@" -L. -lkinds -Wl,-rpath,"$PWD" 2>said ||
		fail "$name: $(head -c 300 said)"
}

# with_us ENV... PROGRAM ARG...: the program's own output is on stdout
with_us() { env LD_PRELOAD="$BUILD/libhresv.so" HUGETLB_MMAP=no HUGETLB_MORECORE=no "$@"; }

# same_with_us NAME ENV...: it says what it says without
same_with_us() {
	local name=$1
	shift
	[ -e "$name.expected" ] || "./$name" >"$name.expected"
	with_us "$@" "./$name" >"$name.got" 2>"$name.err" ||
		fail "$name ($*) ended with $?: $(tail -n 3 "$name.err")"
	diff "$name.expected" "$name.got" || fail "$name ($*) says something else"
}
