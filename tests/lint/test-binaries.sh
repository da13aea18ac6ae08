#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What holds for what was built: exports, dependencies, hardening, and what the core
# must not call inside somebody else's process.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/files.sh"

# The library and the version script it was linked with.
libraries() {
	cat <<-END
		libhresv.so preload/libhresv.map
		libhresv-malloc.so allocator/libhresv-malloc.map
		compat/libhugetlbfs.so.0 compat/libhugetlbfs.map
	END
}

# each_library FUNCTION: call it with library and map, for those built
each_library() {
	local library map any=no
	while read -r library map; do
		[ -e "$BUILD/$library" ] || continue
		any=yes
		"$1" "$BUILD/$library" "$SOURCE/$map"
	done < <(libraries)
	[ $any = yes ] || skip "a built library"
}

exports_are_listed() {
	requires nm
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >has
	sh "$SOURCE/scripts/exports.sh" "$2" >listed
	# Without the allocator, what it would export is missing by choice.
	if grep -qs '^WITH_MALLOC *:= *no' "$BUILD/../config.mk"; then
		comm -12 listed has >both && mv both listed
	fi
	diff listed has | sed -n -e 's/^< /listed, not exported: /p' -e 's/^> /exported, not listed: /p' |
		report "${1##*/}"
}

test_libraries_export_what_their_maps_list() { each_library exports_are_listed; }

needs_libc_alone() {
	readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		matching -vE '^(libc\.so|ld-linux)' | report "${1##*/} needs"
}

test_libraries_need_libc_alone() { each_library needs_libc_alone; }

# The oldest libc we promise to run with.
GLIBC=2.34

needs_no_newer_libc() {
	local newest
	newest=$(readelf -VW "$1" | sed -n '/Version needs/,$s/.*Name: GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1)
	[ -n "$newest" ] || fail "${1##*/} names no version of libc"
	[ "$(printf '%s\n' "$newest" "$GLIBC" | sort -V | tail -n 1)" = "$GLIBC" ] ||
		fail "${1##*/} needs GLIBC_$newest: $(nm -D "$1" | grep "@GLIBC_$newest")"
}

test_libraries_need_no_libc_newer_than_promised() {
	each_library needs_no_newer_libc
	[ ! -e "$BUILD/hresv" ] || needs_no_newer_libc "$BUILD/hresv"
}

is_hardened() {
	local name=${1##*/}
	readelf -lW "$1" | awk '$1 == "LOAD" && /W/ && /RWE| W E|WE/ { print "writable and executable:", $0 }
		$1 == "GNU_STACK" && /E/ && $0 ~ /RWE/ { print "executable stack" }' |
		report "$name"
	readelf -lW "$1" | grep -q GNU_RELRO || fail "$name has no RELRO"
	readelf -dW "$1" | grep -qE 'BIND_NOW|Flags:.*NOW' || fail "$name binds lazily"
	readelf -dW "$1" | matching TEXTREL | report "$name has text relocations"
}

test_libraries_are_hardened() { each_library is_hardened; }

# The loader binds each name at every start of every program, in 900 instructions; what is
# hardly ever called is found when it is (preload/late.c).
NAMES_MOST=40

test_libhresv_has_the_loader_look_up_few_names() {
	requires nm
	requires_file "$BUILD/libhresv.so"
	nm -D --undefined-only "$BUILD/libhresv.so" | awk '{ print $2 }' >names
	[ "$(wc -l <names)" -le $NAMES_MOST ] || fail "$(wc -l <names) names: $(tr '\n' ' ' <names)"
}

stays_loaded() {
	readelf -dW "$1" | grep -q 'FLAGS_1.*NODELETE' || fail "${1##*/} can be unloaded"
}

# Handlers and destructors that lead into them outlive a dlclose().
test_libraries_are_never_unloaded() { each_library stays_loaded; }

# stdio, malloc, locale, asserts and lazy symbol lookup have no place in the host's
# process (STYLE.md, rules 12 and 14); the environment is read by secure_getenv.
FORBIDDEN='^(_?_?(v|f|s|d|vs|vf|vd|sn|vsn|as|vas)?printf(_chk)?|__.*printf_chk|puts|fputs|putchar|fputc|fwrite|fread|fgets|fopen|fopen64|fdopen|fclose|fflush|fscanf|sscanf|__isoc99_.*scanf|perror|getline|stdin|stdout|stderr'
FORBIDDEN+='|malloc|calloc|realloc|reallocarray|free|memalign|posix_memalign|aligned_alloc|valloc|pvalloc|strdup|strndup|asprintf'
FORBIDDEN+='|abort|exit|__assert_fail|__assert|setlocale|getenv|setenv|putenv|dlsym|dlopen|dlvsym|opendir|readdir|qsort|strerror|syslog|__errno_location)$'

test_core_calls_nothing_that_a_host_would_feel() {
	requires nm
	requires_file "$BUILD/libhresv-core.a"
	nm -A -u "$BUILD/libhresv-core.a" 2>/dev/null | awk -v bad="$FORBIDDEN" \
		'$NF ~ bad { print $1, $NF }' | report "core calls"
}

test_cppcheck_finds_no_error() {
	requires cppcheck
	cd "$SOURCE"
	[ -d core ] || return 0
	cppcheck -q --std=c11 --inline-suppr --error-exitcode=1 --enable=warning,portability \
		--suppress=uninitStructMember --suppress=legacyUninitvar --suppress=missingInclude --suppress=unknownMacro -D_GNU_SOURCE -D__x86_64__ -D__linux__ \
		-I . -I include $(for d in core preload allocator api tools compat; do [ ! -d $d ] || echo $d; done) \
		>"$tmp/said" 2>&1 || report "cppcheck" <"$tmp/said"
}

run_tests "$@"
