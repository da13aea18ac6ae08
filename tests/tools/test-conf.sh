#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# hresv.conf in real programs, and `hresv conf`.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv

test_conf_check_names_file_line_and_column() {
	requires_file "$hresv"
	printf 'limit = 4G\n\n[db\nfork=copy\n[/x/*]\n  fallback = none # no\nnosuch = 1\n' >bad.conf
	expect_exit 1 "$hresv" conf bad.conf >said
	expect_eq "$(cat said)" "bad.conf:3:4: [db lacks its ]
bad.conf:6:14: none is none of its words; programs use the default (thp)
bad.conf:7:1: nosuch is no variable of libhresv"
}

test_conf_check_of_a_good_file_is_well() {
	requires_file "$hresv"
	printf 'limit = 4G\n[db]\nkeep-free=3\n' >good.conf
	expect_exit 0 "$hresv" conf good.conf >said
	expect_eq "$(cat said)" "good.conf: nothing is wrong; 2 settings, 1 rule"
}

test_conf_check_of_no_file_fails() {
	requires_file "$hresv"
	expect_exit 1 "$hresv" conf none.conf 2>said
	expect_contains said "none.conf: No such file"
	expect_exit 1 "$hresv" conf . 2>said
	expect_exit 2 "$hresv" conf a b 2>said
}

test_conf_for_a_program_shows_what_counts() {
	local id
	requires_file "$hresv"
	id=$(readelf -n "$(command -v cat)" | sed -n 's/.*Build ID: //p')
	printf 'limit=1G\n[**/cat]\nLIMIT=2G\n[other]\nfork=copy\n[build-id %s]\nkeep_free=1\n' "$id" >own.conf
	"$hresv" conf --for=cat own.conf >said
	expect_eq "$(sed 's/\t.*//' said)" "LIMIT = 2G
${id:+keep_free = 1}"
	"$hresv" conf --for=ls own.conf >said
	expect_eq "$(sed 's/\t.*//' said)" "limit = 1G"
	expect_exit 1 "$hresv" conf --for=no-such-program own.conf 2>said
}

test_conf_example_of_the_manual_is_right() {
	requires_file "$hresv"
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$SOURCE/man/hresv.conf.5" | sed '1d;$d' >example.conf
	[ -s example.conf ] || fail "no example"
	expect_exit 0 "$hresv" conf example.conf
}

# said_by PROGRAM...: what libhresv says at its start under own.conf
said_by() { HUGETLB_CONF=$tmp/own.conf preload "$@" 2>&1 >/dev/null; }

test_conf_wrong_lines_are_said_by_the_programs_they_concern() {
	printf 'limit = much\n[cat]\nfork = never\n' >own.conf
	expect_eq "$(said_by ls)" \
		"libhresv: $tmp/own.conf:1:9: limit=\"much\" is not a size; using the default (no limit)"
	said_by cat /dev/null >said
	expect_contains said "own.conf:3:8: fork=\"never\" is none of its words; using the default (auto)"
	printf 'verbose=0\nlimit = much\n' >own.conf
	expect_eq "$(said_by ls)" ""
}

test_conf_missing_file_that_was_asked_for_is_said() {
	expect_eq "$(HUGETLB_CONF=$tmp/none preload ls 2>&1 >/dev/null)" \
		"libhresv: $tmp/none does not exist; going on without it"
}

# huge PROGRAM: kB that a mapping of 8 MiB has
touch='import mmap
m = mmap.mmap(-1, 8 << 20)
for at in range(0, len(m), 4096): m[at] = 1
kb = 0
for line in open("/proc/self/smaps"):
    if line.startswith(("Private_Hugetlb:", "Shared_Hugetlb:")): kb += int(line.split()[1])
print(kb)'

test_conf_rules_change_what_programs_get() {
	local python
	requires python3
	pool_set 8
	python=$(python3 -c 'import os; print(os.readlink("/proc/self/exe"))')
	huge() { HUGETLB_MORECORE=no HUGETLB_CONF=$tmp/own.conf preload python3 -c "$touch"; }
	printf 'limit = 4M\n' >own.conf
	expect_eq "$(huge)" 4096
	printf 'limit = 4M\n[%s]\nlimit = 6M\n' "$python" >own.conf
	expect_eq "$(huge)" 6144
	expect_eq "$(HUGETLB_LIMIT=2M huge)" 2048
	printf '[%s]\nactive = no\n' "${python##*/}" >own.conf
	expect_eq "$(huge)" 0
	[ "$(HUGETLB_ACTIVE=yes huge)" -ge 8192 ] || fail "the environment switches nothing on"
}

# The file decides over nobody who has more rights than its reader.
test_conf_is_not_read_by_a_setuid_program() {
	requires_root

	printf 'limit = much\n' >own.conf
	cp "$(command -v cat)" own
	chown nobody own
	chmod 4755 own
	cp "$BUILD/libhresv.so" .
	HUGETLB_CONF=$tmp/own.conf LD_PRELOAD=$tmp/libhresv.so ./own /dev/null 2>said
	[ ! -s said ] || fail "it says: $(cat said)"
}

run_tests "$@"
