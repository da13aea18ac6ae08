#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `hresv run`: the environment it makes, and how it ends.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv
export HUGETLB_CONF=/dev/null

run() { env -u LD_PRELOAD "$hresv" run "$@"; }

# runs EXPECTED OPTION...: the line of --dry-run without library and HUGETLB_CONF
runs() {
	local want=$1
	shift
	requires_file "$hresv"
	run --dry-run "$@" true >line 2>said || fail "$*: $(cat said)"
	sed -i -e 's/LD_PRELOAD=[^ ]* //' -e 's/HUGETLB_CONF=[^ ]* //' line
	expect_eq "$(cat line)" "${want:+$want }true" "$*"
}

test_run_starts_the_program_under_the_library() {
	requires_file "$hresv"
	run --quiet -- grep -c "libhresv" /proc/self/maps >count
	[ "$(cat count)" -gt 0 ] || fail "not loaded"
}

test_run_ends_as_the_program_does() {
	requires_file "$hresv"
	expect_exit 7 run sh -c 'exit 7'
	expect_exit 137 run sh -c 'kill -KILL $$'
	expect_exit 0 run true
}

test_run_of_what_cannot_run_ends_as_env_does() {
	requires_file "$hresv"
	expect_exit 127 run no-such-program 2>said
	expect_contains said "no-such-program: No such file or directory"
	echo >data
	expect_exit 126 run ./data 2>said
	expect_exit 125 run --limit=much true 2>said
	expect_contains said "--limit=much: \"much\" is not a size"
	expect_exit 125 run --nonsense true 2>said
	expect_contains said "there is no option --nonsense"
	expect_exit 125 run --library=./none.so true 2>said
	expect_exit 125 run 2>said
}

test_run_sets_a_variable_by_every_option() {
	runs HUGETLB_LIMIT=4G --limit=4G
	runs HUGETLB_LIMIT=4G --limit 4G
	runs HUGETLB_KEEP_FREE=8 --keep-free=8
	runs HUGETLB_FORK=copy --fork=copy
	runs HUGETLB_FALLBACK=small --fallback small
	runs HUGETLB_MMAP=no --mmap=no
	runs HUGETLB_MMAP=yes --mmap
	runs HUGETLB_PROMOTE=yes --promote
	runs HUGETLB_DEFAULT_PAGE_SIZE=1G --page-size=1G
	runs HUGETLB_STATS=a.json --stats=a.json
	runs HUGETLB_PATH=/a:/b --path=/a:/b
	runs HUGETLB_RESTRICT_EXE=true --restrict-exe=true
	runs "HUGETLB_FALLBACK=fail HUGETLB_EXPLICIT=fail" --only
}

# The manual is where users look: each variable in it is an option.
test_run_has_an_option_for_every_variable_of_the_manual() {
	local name value
	grep -h '^\.It Ev HUGETLB_' "$SOURCE/man/libhresv.7" | grep -o 'HUGETLB_[A-Z_]*' | sort -u >names
	[ "$(wc -l <names)" -gt 15 ] || fail "only $(wc -l <names) variables"
	while read -r name; do
		value=$(echo "${name#HUGETLB_}" | tr 'A-Z_' 'a-z-')
		run --dry-run "--$value=yes" true >line 2>said || ! grep -q "there is no option" said ||
			fail "no --$value"
	done <names
}

test_run_has_no_variable_that_the_manual_lacks() {
	local option
	requires_file "$hresv"
	run --variables | sed -e 's/^--//' -e 's/=$//' -e 'y/abcdefghijklmnopqrstuvwxyz-/ABCDEFGHIJKLMNOPQRSTUVWXYZ_/' >names
	[ "$(wc -l <names)" -gt 20 ] || fail "only $(wc -l <names) variables"
	while read -r option; do
		grep -qw "HUGETLB_$option" "$SOURCE/man/libhresv.7" || echo "$option"
	done <names >missing
	[ ! -s missing ] || fail "libhresv(7) lacks $(tr '\n' ' ' <missing)"
}

test_run_takes_the_options_of_hugectl() {
	runs HUGETLB_MORECORE=yes --heap
	runs HUGETLB_MORECORE=2M --heap=2M
	runs HUGETLB_MORECORE=thp --thp
	runs HUGETLB_SHM=yes --shm
	runs HUGETLB_ELFMAP=R --text
	runs HUGETLB_ELFMAP=W --bss
	runs HUGETLB_ELFMAP=R=2M:W=1G --data=1G --text=2M
	runs HUGETLB_SHARE=yes --share-text
	runs HUGETLB_NO_RESERVE=yes --no-reserve
	runs HUGETLB_VERBOSE=3 -v -v
	runs HUGETLB_VERBOSE=0 -q
	runs HUGETLB_VERBOSE=2 --verbose 2
	runs "" --force-preload --library-use-path
}

# What hugectl makes of a line, we make of it: its variables, where they are ours.
test_run_agrees_with_hugectl_on_what_is_set() {
	requires hugectl
	local options
	for options in --shm "--text --data" --share-text --no-reserve; do
		# shellcheck disable=SC2086
		hugectl --dry-run $options true 2>&1 | grep -o 'HUGETLB_[A-Z_]*' | grep -vE 'DEBUG|VERBOSE' | sort -u >theirs
		# shellcheck disable=SC2086
		run --dry-run $options true | grep -o 'HUGETLB_[A-Z_]*' | grep -v CONF | sort -u >ours
		comm -23 theirs ours >missing
		[ ! -s missing ] || fail "$options: $(cat missing)"
	done
}

test_run_keeps_what_is_preloaded_already() {
	local first library
	requires_file "$hresv"
	first=$(ldd "$hresv" | sed -n 's/.*=> \(.*libelf[^ ]*\).*/\1/p')
	[ -n "$first" ] || first=$(ldd /bin/ls | sed -n 's/.*=> \([^ ]*\).*/\1/p' | head -n 1)
	library=$BUILD/libhresv.so
	expect_eq "$(LD_PRELOAD=$first "$hresv" run sh -c 'echo $LD_PRELOAD')" "$first:$(realpath "$library")"
	expect_eq "$(LD_PRELOAD=$library "$hresv" run sh -c 'echo $LD_PRELOAD')" "$library"
	expect_eq "$(run --no-preload sh -c 'echo $LD_PRELOAD')" ""
}

test_run_refuses_a_library_whose_path_cannot_be_preloaded() {
	requires_file "$hresv"
	mkdir "a b"
	cp "$BUILD/libhresv.so" "a b"
	expect_exit 125 run "--library=a b/libhresv.so" true 2>said
	expect_contains said "can't hold a path with a blank"
}

test_run_finds_the_library_in_lib_beside_bin() {
	requires_file "$hresv"
	mkdir bin lib
	cp "$hresv" bin
	cp "$BUILD/libhresv.so" lib/libhresv.so.0
	expect_eq "$(env -u LD_PRELOAD bin/hresv run sh -c 'echo $LD_PRELOAD')" "$tmp/lib/libhresv.so.0"
}

test_run_dry_prints_a_line_that_a_shell_takes() {
	requires_file "$hresv"
	run --dry-run --stats="it's here" printf '%s|' "a b" "c'd" >line
	expect_eq "$(sh ./line)" "a b|c'd|"
}

test_run_warns_where_a_preload_cannot_reach() {
	requires cc
	requires_file "$hresv"
	echo 'int main(void) { return 3; }' | cc -x c -static -o still - 2>/dev/null || skip "static libc"
	expect_exit 3 run ./still 2>said
	expect_contains said "hresv run: static: "
	expect_exit 3 run --quiet ./still 2>said
	[ ! -s said ] || fail "it says: $(cat said)"
	expect_exit 125 run --only ./still 2>said
}

test_run_pool_check_refuses_to_start_with_less() {
	requires_file "$hresv"
	pool_set 4
	expect_exit 125 run --pool-check=10M echo started >out 2>said
	expect_contains said "4 of 5 huge pages of 2 MiB can be had"
	[ ! -s out ] || fail "started"
	expect_exit 0 run --pool-check=8M echo started >out 2>said
	expect_contains out started
}

test_run_only_fails_instead_of_degrading() {
	requires_file "$hresv"
	requires python3
	pool_set 0
	expect_exit 1 run --only python3 -c 'import mmap; mmap.mmap(-1, 64 << 20)' 2>said
	expect_contains said "Cannot allocate memory"
	expect_exit 0 run python3 -c 'import mmap; mmap.mmap(-1, 64 << 20)' 2>said
}

test_run_limit_bounds_what_is_taken() {
	requires_file "$hresv"
	requires python3
	pool_set 8
	run --limit=4M --heap=no python3 -c '
import mmap
m = mmap.mmap(-1, 16 << 20)
for at in range(0, len(m), 4096): m[at] = 1
for line in open("/proc/self/smaps"):
    if line.startswith(("Private_Hugetlb:", "Shared_Hugetlb:")): print(line.split()[1])
' | awk '{ kb += $1 } END { print kb }' >kb
	expect_eq "$(cat kb)" 4096
}

run_tests "$@"
