#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Every way of linking-scripts/ makes a program whose segments have huge pages to
# themselves, with RELRO, no segment both writable and executable, build-id and debug
# information; and they are huge under us.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

SCRIPTS=$SOURCE/linker-scripts
export HRESV=$BUILD/hresv

linker() { command -v "ld.$1" >/dev/null || skip "ld.$1"; }

# expect_laid_out FILE: by readelf, on paper
expect_laid_out() {
	requires python3 readelf
	readelf -lW "$1" >headers
	expect_contains headers GNU_RELRO
	! grep -E 'LOAD.* RWE ' headers || fail "$1 has a segment writable and executable"
	readelf -nSW "$1" >sections 2>/dev/null
	grep -q 'Build ID' sections || fail "$1 has no build-id"
	grep -q '\.debug_info' sections || fail "$1 has no debug information"
	python3 - "$1" <<-'END' || fail "$1 is laid out wrongly: $(cat headers)"
		import re, sys
		huge, last, relro, loads = 1 << 21, -1, None, []
		for line in open('headers'):
		    f = line.split()
		    if f[:1] == ['LOAD']:
		        lo, size = int(f[2], 16), int(f[5], 16)
		        assert int(f[-1], 16) == huge, 'alignment'
		        assert lo // huge > last, 'two segments in one huge page'
		        last = (lo + size - 1) // huge
		        loads.append((lo, lo + size))
		    if f[:1] == ['GNU_RELRO']:
		        relro = int(f[2], 16) + int(f[5], 16)
		assert any(lo < relro <= hi and (relro % huge == 0 or -(-relro // 4096) == -(-hi // 4096))
		           or relro <= (hi + 4095) // 4096 * 4096 and relro > hi for lo, hi in loads), 'RELRO'
	END
}

expect_right() {
	expect_laid_out "$1"
	[ -z "${RUNS-yes}" ] || same_with_us "$1" HUGETLB_ELFMAP=RW
}

expect_huge() {
	local kind
	requires_2_mib
	pool_set 30
	same_with_us "$1" HUGETLB_ELFMAP=RW
	with_us HUGETLB_ELFMAP=RW ./"$1" where >where
	for kind in text constants relro data bss; do
		grep -q "^$kind .* huge" where || fail "$1: $(tr '\n' ';' <where)"
	done
}

test_flag_files_fit_their_linkers() {
	local name
	for name in bfd gold lld; do
		linker $name
		build $name -fuse-ld=$name "-Wl,@$SCRIPTS/$name.flags" -Wl,--build-id
		build $name-fixed -fno-pie -no-pie -fuse-ld=$name "-Wl,@$SCRIPTS/$name.flags" -Wl,--build-id
	done
	for name in bfd gold lld; do
		expect_laid_out $name
		expect_laid_out $name-fixed
		expect_huge $name
		expect_huge $name-fixed
	done
}

test_specs_fit_every_linker() {
	local name
	for name in bfd gold lld; do
		linker $name
		build $name -fuse-ld=$name "-specs=$SCRIPTS/hresv.specs" -Wl,--build-id
		expect_laid_out $name
		./$name >/dev/null
	done
	"$GCC" "-specs=$SCRIPTS/hresv.specs" -r -o part.o -x c - <<<'int x;'
}

test_wrapper_of_libhugetlbfs_aligns_and_marks() {
	local way
	requires_file "$HRESV"
	linker bfd
	build align -B "$SCRIPTS" -Wl,--hugetlbfs-align
	build B -B "$SCRIPTS" -Wl,--hugetlbfs-link=B -Wl,--hugetlbfs-script-path=/nowhere
	build BDT -no-pie -fno-pie -B "$SCRIPTS" -Wl,--hugetlbfs-link=BDT
	for way in align B BDT; do
		expect_laid_out $way
		[ "$(stat -c %s $way)" -lt $(($(stat -c %s libkinds.so) + 4194304)) ] || fail "$way is large"
	done
	expect_huge align
	with_us ./B where >where
	expect_contains where "bss rw-p huge"
	expect_contains where "text r-xp small"
	with_us ./BDT where >where
	expect_contains where "text r-xp huge"
	"$GCC" -B "$SCRIPTS" -o plain -x c - <<<'int main(void) { return 0; }'
	readelf -lW plain >headers
	! grep -q '0x200000$' headers || fail "aligned unasked"
	! "$GCC" -B "$SCRIPTS" -Wl,--hugetlbfs-link=X -o plain -x c - <<<'int main(void) { return 0; }' 2>said
	expect_contains said "B or BDT"
}

test_clang_takes_flags_and_wrapper() {
	requires clang
	linker bfd
	linker lld
	GCC=clang
	build flags -fuse-ld=lld "-Wl,@$SCRIPTS/lld.flags" -Wl,--build-id
	build wrapper -B "$SCRIPTS" -Wl,--hugetlbfs-align -Wl,--build-id
	expect_laid_out flags
	expect_laid_out wrapper
	./flags >flags.said
	./wrapper | diff flags.said -
}

test_aarch64_is_laid_out_the_same() {
	local name
	requires aarch64-linux-gnu-gcc
	GCC=aarch64-linux-gnu-gcc
	build flags "-Wl,@$SCRIPTS/bfd.flags" -Wl,--build-id
	build specs "-specs=$SCRIPTS/hresv.specs" -Wl,--build-id
	build wrapper -B "$SCRIPTS" -Wl,--hugetlbfs-align -Wl,--build-id
	for name in flags specs wrapper; do
		expect_laid_out $name
	done
}

# As users do it: an installed hresv-align, CMake, configure and a Makefile.
test_cmake_and_make_projects_are_aligned() {
	requires cmake make pkg-config cc
	make -s -C "$SOURCE" BUILD="$BUILD" prefix="$PWD/usr" DESTDIR= install >/dev/null 2>said ||
		skip "a build that installs: $(tail -n 1 said)"
	export PKG_CONFIG_PATH="$(dirname "$(find "$PWD/usr" -name hresv-align.pc)")"
	[ -x usr/share/hresv/linker-scripts/ld ] || fail "no wrapper there"
	cp "$KINDS"/kinds*.[ch] .
	cat >CMakeLists.txt <<-'END'
		cmake_minimum_required(VERSION 3.13)
		project(kinds C)
		find_package(PkgConfig REQUIRED)
		pkg_check_modules(ALIGN REQUIRED IMPORTED_TARGET hresv-align)
		add_library(kinds-library SHARED kinds-library.c)
		add_executable(kinds kinds.c)
		target_link_libraries(kinds kinds-library PkgConfig::ALIGN)
	END
	cmake -S . -B cmake -DCMAKE_BUILD_TYPE=Debug >log 2>&1 || fail "$(tail -n 3 log)"
	cmake --build cmake >log 2>&1 || fail "$(tail -n 3 log)"
	cp cmake/kinds by-cmake
	expect_laid_out by-cmake
	cat >Makefile <<-'END'
		by-make: kinds.c libkinds.so; $(CC) -g -o $@ kinds.c $(LDFLAGS) -L. -lkinds -Wl,-rpath,.
		libkinds.so: kinds-library.c; $(CC) -fPIC -shared -o $@ $<
	END
	make -s by-make LDFLAGS="-Wl,@$PWD/usr/share/hresv/linker-scripts/bfd.flags" >log 2>&1 || fail "$(tail -n 3 log)"
	expect_laid_out by-make
	expect_huge by-make
}

run_tests "$@"
