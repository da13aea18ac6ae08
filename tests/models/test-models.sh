#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The models of docs/MODELS.md: each holds as the code is built, and fails with any
# one step left out, or it would show nothing.
. "$(dirname "$0")/../harness/functions.sh"

# check MODEL DEFINES...: what the checker says of every interleaving.
check() {
	local model=$1
	shift
	requires spin gcc
	cd "$tmp"
	spin -a "$@" "$SOURCE/models/$model.pml" >spin.log 2>&1 || fail "spin: $(cat spin.log)"
	gcc -O1 -w -DSAFETY -o pan pan.c
	./pan -m1000000 >pan.log
	! grep -q 'max search depth too small' pan.log || fail "not searched to the end"
	sed -n 's/.*errors: //p' pan.log
}

holds() {
	[ "$(check "$@")" = 0 ] || fail "$* does not hold: $(grep -m1 '^pan:1' "$tmp/pan.log")"
}

fails() {
	[ "$(check "$@")" = 1 ] || fail "$* holds without it"
}

test_pool_holds_for_every_size_of_the_pool() {
	local pages
	for pages in 0 2 3 5; do
		holds pool -DPOOL=$pages
	done
}

test_pool_holds_below_a_limit() {
	holds pool -DPOOL=4 -DLIMIT=3
}

test_pool_holds_when_others_take_pages_and_limits_sink() {
	holds pool -DPOOL=2 -DOTHERS
}

test_pool_fails_with_any_step_left_out() {
	fails pool -DPOOL=3 -DLIMIT=1 -DNO_POPULATE
	fails pool -DPOOL=3 -DNO_TURN
	fails pool -DPOOL=3 -DNO_SECOND_TRY
	fails pool -DPOOL=2 -DOWNER -DOTHERS
	fails pool -DPOOL=5 -DNO_PROMISE
	fails pool -DPOOL=5 -DIGNORE_PROMISES
	fails pool -DPOOL=9 -DLIMIT=5 -DPROMISE_POOL_ONLY
	fails pool -DPOOL=3 -DTRUST_RETURN
	fails pool -DPOOL=4 -DNO_NET -DOTHERS
}

test_swap_holds() { holds swap; }

test_swap_fails_with_any_step_left_out() {
	local step
	for step in NO_PROTECT COPY_FIRST NO_WAKE NO_CLAIM NO_GATE NO_INFLIGHT; do
		fails swap -D$step
	done
}

test_freed_holds() { holds freed; }

test_freed_fails_with_any_step_left_out() {
	local step
	for step in LATE_UNPUBLISH EARLY_PUBLISH SET_DROPS_CLAIM; do
		fails freed -D$step
	done
}

test_copier_holds() { holds copier; }

test_copier_fails_with_any_step_left_out() {
	local step
	for step in NO_GATE WAIT_FOR_CLAIM WAIT_FOR_GATE; do
		fails copier -D$step
	done
}

run_tests "$@"
