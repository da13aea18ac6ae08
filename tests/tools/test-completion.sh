#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What bash offers behind "hresv": commands, options, variables, values, programs.
. "$(dirname "$0")/../harness/functions.sh"

# offers LINE: what is offered at its end, sorted, on one line
offers() {
	bash --norc --noprofile -c '
		source "$1"
		line=$2
		read -ra words <<<"${line//=/ = }"
		[[ $line != *[[:space:]=] ]] || words+=("")
		[[ $line != *= ]] || unset "words[-1]"
		COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
		_hresv "$3" 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}" | sort -u | xargs
	' bash "$SOURCE/tools/hresv.bash" "$1" "$BUILD/hresv"
}

test_completion_offers_every_command() {
	requires_file "$BUILD/hresv"
	expect_eq "$(offers 'hresv ')" \
		"$("$BUILD/hresv" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort | xargs)"
	expect_eq "$(offers 'hresv ru')" run
	expect_eq "$(offers 'hresv help che')" check
}

test_completion_offers_options_and_variables() {
	requires_file "$BUILD/hresv"
	expect_eq "$(offers 'hresv run --keep')" "--keep-free="
	expect_eq "$(offers 'hresv run --limit=4G --dry')" "--dry-run"
	expect_eq "$(offers 'hresv check --ne')" "--need="
	expect_eq "$(offers 'hresv conf --f')" "--for="
}

test_completion_offers_the_values_of_words() {
	requires_file "$BUILD/hresv"
	expect_eq "$(offers 'hresv run --fork=')" "auto copy refuse share"
	expect_eq "$(offers 'hresv run --fallback=s')" small
}

test_completion_offers_programs_and_their_files() {
	requires_file "$BUILD/hresv"
	expect_eq "$(offers 'hresv run --limit=4G -- sha256su')" sha256sum
	touch only-file
	expect_eq "$(offers 'hresv run --limit=4G -- cat only-f')" only-file
	expect_eq "$(offers 'hresv run --limit=4G cat only-f')" only-file
}

test_completion_is_accepted_by_an_interactive_bash() {
	requires bash
	bash --norc --noprofile -ic "source '$SOURCE/tools/hresv.bash'; complete -p hresv" >said 2>/dev/null
	expect_contains said "-F _hresv hresv"
}

run_tests "$@"
