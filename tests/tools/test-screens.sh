#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What stands on a real terminal: wide, narrow, without colour, resized, and after.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv

# in_terminal COLUMNS LINES COMMAND: in a terminal of that size, with a shell after it
in_terminal() {
	requires tmux
	requires_file "$hresv"
	export TMUX='' TMUX_TMPDIR=$tmp
	cleanup_fn env TMUX_TMPDIR="$tmp" tmux -L screens kill-server
	env -u NO_COLOR ${no_colour:+NO_COLOR=1} tmux -L screens -f /dev/null new-session -d \
		-x "$1" -y "$2" "PS1='ended> '; export PS1; $3; stty -a >stty; exec sh"
	tmux -L screens set-option -g status off
}

screen() { tmux -L screens capture-pane -p "$@"; }
shows() { screen | grep -q -- "$1"; }
longest() { awk '{ if (length($0) > n) n = length($0) } END { print n + 0 }'; }

test_top_fits_80_columns() {
	in_terminal 80 24 "$hresv top"
	wait_until 20 shows 'not huge'
	screen >said
	expect_eq "$(grep -c promoted said)" 0
	[ "$(longest <said)" -le 80 ] || fail "$(cat said)"
	[ "$(wc -l <said)" -le 24 ] || fail "$(cat said)"
	expect_contains said "pool of 2 MiB:"
}

test_top_tells_more_on_200_columns() {
	in_terminal 200 50 "$hresv top"
	wait_until 20 shows 'not huge'
	screen >said
	expect_contains said promoted
	expect_contains said rescued
}

test_top_follows_a_window_that_grows() {
	in_terminal 80 24 "$hresv top"
	wait_until 20 shows 'not huge'
	tmux -L screens resize-window -x 200 -y 50
	wait_until 20 shows promoted
}

test_top_ends_by_q_and_leaves_the_terminal_as_it_was() {
	in_terminal 80 24 "echo before; $hresv top"
	wait_until 20 shows 'not huge'
	tmux -L screens send-keys q
	wait_until 20 shows 'ended>'
	screen >said
	expect_contains said before
	expect_eq "$(grep -c 'not huge' said)" 0
	wait_until 20 test -s stty
	grep -Eq '(^| )icanon( |$)' stty || fail "canonical mode is off"
	grep -Eq '(^| )echo( |$)' stty || fail "echo is off"
}

test_top_ends_by_a_signal_and_leaves_the_terminal_as_it_was() {
	in_terminal 80 24 "$hresv top"
	wait_until 20 shows 'not huge'
	tmux -L screens send-keys C-c
	wait_until 20 test -s stty
	grep -Eq '(^| )icanon( |$)' stty || fail "canonical mode is off"
	grep -Eq '(^| )echo( |$)' stty || fail "echo is off"
}

test_terminals_get_colour() {
	in_terminal 80 24 "$hresv status"
	wait_until 20 shows 'ended>'
	screen -e | grep -q "$(printf '\033\\[')" || fail "no colour"
}

test_no_color_is_respected() {
	no_colour=yes
	in_terminal 80 24 "$hresv status; $hresv top --count 1"
	wait_until 20 shows 'ended>'
	screen -e | grep "$(printf '\033\\[')" && fail "colour"
	return 0
}

test_files_get_no_colour_and_no_cursor() {
	requires_file "$hresv"
	for command in status top "why $$" "map $$"; do
		# shellcheck disable=SC2086
		"$hresv" $command >said
		grep "$(printf '\033')" said && fail "$command"
		[ -s said ] || fail "$command said nothing"
	done
	return 0
}

test_status_and_why_fit_a_narrow_terminal() {
	in_terminal 80 60 "$hresv status; $hresv why \$\$; $hresv map \$\$"
	wait_until 20 shows 'ended>'
	expect_eq "$(screen -J | awk 'length($0) > 80' | wc -l)" 0
}

# Reasons are the longest words of it; a name is what is cut.
test_why_of_a_large_program_fits_80_columns() {
	requires_file "$BUILD/tests/tools/prog-hold"
	mkfifo in
	LD_PRELOAD=$BUILD/libhresv.so "$BUILD/tests/tools/prog-hold" 4 9 <in >out &
	pid=$!
	cleanup_fn kill "$pid"
	exec 7>in
	wait_until 20 grep -q ready out
	in_terminal 80 60 "$hresv why --all $pid; $hresv map $pid"
	wait_until 20 shows 'ended>'
	expect_eq "$(screen -J -S -1000 | awk 'length($0) > 80' | wc -l)" 0
	"$hresv" why "$pid" >said
	expect_contains said " page  backing"
}

test_top_in_a_pipe_is_plain_and_ends() {
	requires python3
	requires_file "$hresv"
	"$hresv" top </dev/null >said
	expect_contains said "not huge"
	"$hresv" top --count 2 --delay 0.1 --json </dev/null >said
	expect_eq "$(wc -l <said)" 2
	python3 -c 'import json; [json.loads(line)["pools"] for line in open("said")]'
}

run_tests "$@"
