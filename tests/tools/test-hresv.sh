#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tool itself: its list of commands, its help, what it answers to mistakes.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv

test_hresv_without_a_command_lists_them_and_fails() {
	requires_file "$hresv"
	expect_exit 2 "$hresv" 2>said
	expect_contains said "help "
	"$hresv" help >listed
	"$hresv" --help | cmp - listed
}

test_every_listed_command_explains_itself() {
	local name
	requires_file "$hresv"
	"$hresv" help | sed -n 's/^  \([a-z]*\) .*/\1/p' >names
	expect_contains names help
	while read -r name; do
		"$hresv" help "$name" >asked
		expect_contains asked "usage: hresv $name"
		"$hresv" "$name" --help | cmp - asked
	done <names
}

test_every_listed_command_is_in_the_manual() {
	local name
	requires_file "$hresv"
	"$hresv" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | while read -r name; do
		grep -q "^\.It Cm $name" "$SOURCE/man/hresv.1" || fail "hresv(1) lacks $name"
	done
}

test_unknown_command_is_named_with_what_was_meant() {
	requires_file "$hresv"
	expect_exit 2 "$hresv" hepl 2>said
	expect_contains said "no command 'hepl'; did you mean 'help'?"
	expect_exit 2 "$hresv" frobnicate 2>said
	expect_contains said "no command 'frobnicate'"
	expect_exit 2 "$hresv" help frobnicate
	expect_exit 2 "$hresv" --frobnicate
}

test_version_is_that_of_the_sources() {
	requires_file "$hresv"
	expect_eq "$("$hresv" --version)" "hresv $(cat "$SOURCE/VERSION")"
}

test_output_that_cannot_be_written_is_no_success() {
	requires_file "$hresv"
	expect_exit 1 "$hresv" help 2>said >/dev/full
	expect_contains said "cannot write"
}

run_tests "$@"
