# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# functions.sh - what shell tests share; docs/TESTING.md says how to write one
#
# A script sources this, defines functions test_subject_condition_outcome, and ends
# with: run_tests "$@". Each function runs in a process group of its own, under set
# -eu, with a timeout ($TEST_TIMEOUT seconds). What it says to undo is in a file its
# parent plays backwards, however the test ended; the pool's lock belongs to an open
# file the parent shares, so it is given up only after that.
#
# In a test: $SOURCE the source tree, $BUILD the build, $tmp a directory of its own.
set -u -o pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(cd "$HERE/../.." && pwd)
BUILD=${HRESV_BUILD:-$SOURCE/build}
export HRESV_BUILD=$BUILD
TEST_TIMEOUT=${TEST_TIMEOUT:-120}
POOLS=/sys/kernel/mm/hugepages

# shellcheck source=tests/harness/machine.sh
. "$HERE/machine.sh"

# --- Ending a test -------------------------------------------------------------

# skip NEED: end the test as skipped; name what is missing.
skip() { printf '%s' "$*" >"$state/need"; exit 77; }

# fail WHY: end the test as failed.
fail() { printf '%s' "$*" >"$state/why"; exit 1; }

# note TEXT: shown in the runner's report, also of a test that passes.
note() { printf '%s\n' "$*" >>"$state/notes"; }

requires() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program"
	done
}

requires_root() { [ "$(id -u)" = 0 ] || skip "root"; }

requires_file() {
	local file
	for file; do
		[ -e "$file" ] || skip "$file"
	done
}

# cleanup_fn COMMAND ARG...: run after the test, last first, in the parent. Functions
# of the script may be named; variables hold what they held here.
cleanup_fn() { printf '%q ' "$@" >>"$state/undo"; echo >>"$state/undo"; }

# --- Expecting -------------------------------------------------------------------

# expect_exit STATUS COMMAND...: 128 + n for death by signal n; 135 is SIGBUS.
expect_exit() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$want" ] || fail "expected status $want, got $got: $*"
}

expect_eq() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'${3:+ ($3)}"; }

# expect_contains FILE TEXT
expect_contains() { grep -qF -- "$2" "$1" || fail "expected '$2' in $1: $(head -c 300 "$1")"; }

# huge_kb PID: huge memory mapped by a process, from its smaps.
huge_kb() {
	awk '/^(Private|Shared)_Hugetlb:/ { kb += $2 } END { print kb + 0 }' "/proc/$1/smaps"
}

# expect_huge_kb PID MIN MAX
expect_huge_kb() {
	local kb
	kb=$(huge_kb "$1")
	if [ "$kb" -lt "$2" ] || [ "$kb" -gt "$3" ]; then
		fail "process $1 has $kb kB huge, expected $2 to $3"
	fi
}

# wait_until SECONDS COMMAND...
wait_until() {
	local tries=$(($1 * 20))
	shift
	while [ $tries -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return 0
		tries=$((tries - 1))
		sleep 0.05
	done
	fail "waited in vain for: $*"
}

# --- Running ----------------------------------------------------------------------

# preload COMMAND...: under libhresv.so
preload() { LD_PRELOAD=$BUILD/libhresv.so "$@"; }

# as_user USER COMMAND...
as_user() {
	local user=$1
	shift
	if [ "$(id -un)" = "$user" ]; then
		"$@"
		return
	fi
	requires_root
	requires setpriv
	setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
}

# --- The runner ----------------------------------------------------------------------

# Test functions in the order of the script.
all_tests() {
	shopt -s extdebug
	local name
	for name in $(compgen -A function test_); do
		declare -F "$name"
	done | sort -k2n | cut -d' ' -f1
	shopt -u extdebug
}

in_child() {
	trap 'printf "line %s: %s" "$LINENO" "$BASH_COMMAND" >"$state/line"' ERR
	set -eE
	tmp=$state/tmp
	mkdir "$tmp"
	chmod 755 "$state" "$tmp"
	cd "$tmp"
	"$1"
}

play_undo() {
	local line
	[ -f "$state/undo" ] || return 0
	tac "$state/undo" >"$state/undo.reversed"
	rm -f "$state/undo"
	while read -r line; do
		eval "$line" </dev/null || echo "# could not undo: $line" >&2
	done <"$state/undo.reversed"
}

end_child() {
	kill -KILL -- "-$child" 2>/dev/null
	wait "$child" 2>/dev/null
	play_undo
}

stop_all() {
	[ -n "${child:-}" ] && end_child
	pool_unlock
	rm -rf "$state"
	exit 143
}

# 0 passed, 1 failed, 77 skipped.
run_one() {
	local name=$1 status why watcher
	state=$(mktemp -d /tmp/hresv-sh.XXXXXX)
	set -m
	(in_child "$name") >"$state/log" 2>&1 &
	child=$!
	set +m
	(
		# The nap ends with the watch, and holds no lock of whoever started us.
		trap 'kill "$nap" 2>/dev/null; exit 0' TERM
		sleep "$TEST_TIMEOUT" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- &
		nap=$!
		wait "$nap"
		echo "timed out after $TEST_TIMEOUT s" >"$state/why"
		kill -KILL -- "-$child"
	) >/dev/null 2>&1 9>&- &
	watcher=$!
	wait "$child" 2>/dev/null
	status=$?
	kill "$watcher" 2>/dev/null
	wait "$watcher" 2>/dev/null
	end_child
	child=
	if ! pool_left_alone; then
		status=1
	fi
	pool_unlock

	case $status in
	0) echo "ok $name" ;;
	77) echo "skip $name: $(cat "$state/need" 2>/dev/null)" ;;
	*)
		why=$(cat "$state/why" 2>/dev/null || cat "$state/line" 2>/dev/null)
		echo "not ok $name: ${why:-status $status}" | tr '\n' ' '
		echo
		sed 's/^/# /' "$state/log" | tail -n 60
		status=1
		;;
	esac
	[ ! -f "$state/notes" ] || sed 's/^/note /' "$state/notes"
	rm -rf "$state"
	return $status
}

# run_tests [--list | NAME...]
run_tests() {
	local name failed=0 ran=0 skipped=0 wanted
	wanted=$(all_tests)
	if [ "${1:-}" = --list ]; then
		echo "$wanted"
		exit 0
	fi
	[ $# = 0 ] || wanted=$*
	trap stop_all TERM INT HUP
	open_pool_lock
	for name in $wanted; do
		ran=$((ran + 1))
		run_one "$name"
		case $? in
		0) ;;
		77) skipped=$((skipped + 1)) ;;
		*) failed=$((failed + 1)) ;;
		esac
	done
	[ $failed = 0 ] || exit 1
	[ $skipped != $ran ] || exit 77
	exit 0
}
