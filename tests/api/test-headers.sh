#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# hresv.h stands alone in every language it is for, and pkg-config finds the rest.
. "$(dirname "$0")/../harness/functions.sh"

# alone COMPILER STANDARD SUFFIX
alone() {
	requires "$1"
	printf '#include <hresv.h>\n#include <hresv.h>\n%s\n' \
		'int main(void) { struct hresv_want w = { 1, 0, HRESV_STRICT, 0, { 0 } };
		void *at = 0; return hresv_alloc(&w, &at, 0) == HRESV_SHORT(HRESV_POOL); }' >"prog.$3"
	"$1" -std="$2" -Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers \
		-I"$SOURCE/include" -fsyntax-only "prog.$3" || fail "$1 -std=$2"
}

test_header_stands_alone_in_c() {
	alone cc c11 c
	alone cc c17 c
	alone cc gnu2x c
}

test_header_stands_alone_in_c_by_clang() {
	alone clang c11 c
	alone clang c17 c
}

test_header_stands_alone_in_cxx() {
	alone c++ c++11 cc
	alone c++ c++14 cc
	alone c++ c++17 cc
	alone c++ c++20 cc
	alone c++ c++23 cc
}

# Every function of the header is in the map, and the other way round.
test_header_and_maps_name_the_same_functions() {
	sed -n 's/^HRESV_API.*\(hresv_[a-z_]*\)(.*/\1/p' "$SOURCE/include/hresv.h" | sort >header
	for map in preload/libhresv.map allocator/libhresv-malloc.map; do
		sed -n 's/^\t\(hresv_[a-z_]*\);$/\1/p' "$SOURCE/$map" | grep -v jemalloc | sort >map
		cmp header map || fail "$map: $(diff header map)"
	done
}

test_api_has_its_version_and_interposed_names_have_none() {
	requires readelf
	for lib in libhresv.so libhresv-malloc.so; do
		[ -e "$BUILD/$lib" ] || continue
		readelf --dyn-syms -W "$BUILD/$lib" >symbols
		grep -q 'hresv_reserve@@HRESV_1.0$' symbols || fail "$lib: no version"
		grep -Eq ' malloc$' symbols || fail "$lib: malloc has a version"
		! grep -E ' hresv_[a-z_]*$' symbols || fail "$lib: a function without a version"
	done
}

test_installed_library_is_found_by_pkg_config() {
	requires pkg-config
	requires make
	[ -e "$BUILD/libhresv-malloc.so" ] || skip "the allocator"
	make -s -C "$BUILD/.." BUILD="$BUILD" DESTDIR="$tmp/dest" prefix=/usr libdir=/usr/lib install \
		>said 2>&1 || fail "$(tail -n 3 said)"
	printf '#include <hresv.h>\nint main(void) { return hresv_page_sizes(0, 0) == 0; }\n' >prog.c
	for pc in hresv libhresv-malloc libhresv; do
		flags=$(PKG_CONFIG_SYSROOT_DIR=$tmp/dest PKG_CONFIG_PATH=$tmp/dest/usr/lib/pkgconfig \
			pkg-config --cflags --libs "$pc") || fail "pkg-config $pc"
		# shellcheck disable=SC2086
		cc -o prog prog.c -I"$tmp/dest/usr/include" -L"$tmp/dest/usr/lib" $flags || fail "$pc: $flags"
		LD_LIBRARY_PATH=$tmp/dest/usr/lib ./prog || fail "$pc: does not run"
	done
}

run_tests "$@"
