#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The probes for tracers: they are in the library, and examples/hresv.bt hooks into each.
. "$(dirname "$0")/../harness/functions.sh"

probes() {
	readelf -nW "$1" | awk '/Provider: hresv$/ { ours = 1 } /Name:/ && ours { print $2; ours = 0 }' |
		sort -u
}

built_with_probes() {
	requires readelf
	requires_file "$BUILD/libhresv.so"
	grep -qs '^WITH_SDT *:= *yes' "$BUILD/../config.mk" || skip "sys/sdt.h (systemtap-sdt-dev)"
}

test_libraries_have_the_probes_the_manual_names() {
	built_with_probes
	printf '%s\n' demote fallback fork place promote rescue >wanted
	probes "$BUILD/libhresv.so" | diff wanted -
	sed -n 's/^\.It Ql \([a-z]*\).*/\1/p' "$SOURCE/man/hresv.1" | sort | diff wanted -
}

test_example_hooks_into_each_probe() {
	built_with_probes
	sed -n 's/^usdt:.*:hresv:\([a-z]*\)$/\1/p' "$SOURCE/examples/hresv.bt" | sort >hooked
	probes "$BUILD/libhresv.so" | diff hooked -
}

test_example_sees_a_program_fall_back() {
	built_with_probes
	requires_root
	requires bpftrace
	pool_set 2
	sed "s,/usr/local/lib/libhresv.so,$BUILD/libhresv.so," "$SOURCE/examples/hresv.bt" >here.bt
	bpftrace here.bt >said 2>&1 &
	tracer=$!
	cleanup_fn kill -INT "$tracer"
	for _ in $(seq 400); do
		grep -q 'Attaching' said && break
		kill -0 "$tracer" 2>/dev/null || skip "a kernel that lets bpftrace in: $(tail -n 1 said)"
		sleep 0.05
	done
	# It says "Attaching" before it has; a program that comes too early is not seen.
	for _ in $(seq 20); do
		preload "$BUILD/tests/tools/prog-hold" 8 </dev/null >/dev/null
		grep -q 'prog-hold.*bytes small: pool-short' said && return
		kill -0 "$tracer" 2>/dev/null || skip "a kernel that lets bpftrace in: $(tail -n 1 said)"
		sleep 0.25
	done
	fail "nothing seen: $(cat said)"
}

run_tests "$@"
