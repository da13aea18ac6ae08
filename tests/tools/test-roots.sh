#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hresv on simulated roots: ten thousand processes, hostile ones, ones that end under it,
# damaged files, impossible counters. Never a crash, never a lie.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv
roots() { requires python3; requires_file "$hresv"; python3 "$SOURCE/tests/tools/roots.py" "$@"; }
json() { python3 -c "import json,sys; j=json.load(open(sys.argv[1])); print($1)" "$2"; }

# runs COMMAND...: it may fail, but not die, and says nothing a terminal obeys
runs() {
	local status=0
	timeout 60 "$@" >said 2>errors || status=$?
	[ $status -le 2 ] || fail "status $status: $*: $(tail -n 2 errors)"
	grep -aq "$(printf '[\001-\010\013-\037\177]')" said errors && fail "control characters from $*"
	return 0
}

test_ten_thousand_processes_are_told_completely() {
	roots many root 10000
	"$hresv" --root root status --json >said.json
	expect_eq "$(json 'j["processes_seen"], len(j["processes"]), j["processes_hidden"]' said.json)" \
		"10000 100 0"
	expect_eq "$(json 'sum(p["private"] for p in j["processes"])' said.json)" $((100 * 8 << 20))
	"$hresv" --root root status >said
	expect_eq "$(grep -c ' server$' said)" 100
	"$hresv" --root root top >said
	expect_contains said "10000 processes, 100 with huge pages"
	expect_eq "$(grep -c ' server$' said)" 100
}

# The rule itself: after a round it rests a hundred times as long as the round took. The
# first, and what comes before and after, are taken off; three times the rule is red.
test_top_rests_longer_where_a_round_takes_longer() {
	roots many root 2000
	cat >measure.py <<-'END'
		import os, subprocess, sys, time
		def use(rounds):
		    start = time.monotonic()
		    p = subprocess.Popen([sys.argv[1], "--root", "root", "top", "--delay", "0.1",
		                          "--count", str(rounds)], stdout=subprocess.DEVNULL)
		    _, status, used = os.wait4(p.pid, 0)
		    assert status == 0
		    return used.ru_utime + used.ru_stime, time.monotonic() - start
		one, four = use(1), use(4)
		share = (four[0] - one[0]) / (four[1] - one[1])
		print(f"{share:.4f} of a core")
		assert share < 0.03, "more than it may"
	END
	python3 measure.py "$hresv"
}

test_hostile_processes_harm_nobody() {
	local pid
	roots hostile root
	runs "$hresv" --root root status
	expect_contains said "8 MiB"
	runs "$hresv" --root root top
	runs "$hresv" --root root status --prometheus
	runs "$hresv" --root root status --json
	python3 -m json.tool said >/dev/null
	for pid in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		runs "$hresv" --root root why "$pid"
		runs "$hresv" --root root why --all "$pid"
		runs "$hresv" --root root status "$pid"
		runs "$hresv" --root root map "$pid"
		runs "$hresv" --root root why --json "$pid"
		[ ! -s said ] || python3 -m json.tool said >/dev/null || fail "JSON of $pid"
		runs "$hresv" --root root map --svg "$pid"
		[ ! -s said ] || python3 -c 'import xml.dom.minidom as m; m.parse("said")' ||
			fail "SVG of $pid"
	done
}

# More pages than a mapping has room for are not believed.
test_impossible_amounts_are_not_repeated() {
	roots hostile root
	"$hresv" --root root why --json 3 >said.json || true
	expect_eq "$(json 'j["mappings"][0]["huge"]' said.json)" $((8 << 20))
}

test_reservations_below_zero_are_called_impossible() {
	roots pools root 10 10 18446744073709551615
	"$hresv" --root root status >said
	expect_contains said "its reservation counter has fallen below 0"
	expect_contains said "-1"
	"$hresv" --root root status --json >said.json
	expect_eq "$(json 'j["pools"][0]["impossible"]' said.json)" True
	"$hresv" --root root status --prometheus >said
	expect_contains said 'hresv_pool_impossible{page_bytes="2097152"} 1'
	grep -q '^hresv_pool_reserved_pages{' said && fail "a number that cannot be"
	"$hresv" --root root top >said
	expect_contains said impossible:
}

test_machine_that_shows_nothing_is_said_to_show_nothing() {
	mkdir root
	requires_file "$hresv"
	expect_exit 1 "$hresv" --root root status >said
	expect_contains said "/sys and /proc are hidden"
	expect_exit 1 "$hresv" --root root top 2>said
	expect_contains said "/proc: No such file"
	expect_exit 1 "$hresv" --root root why 1 2>said
	expect_contains said "process 1: there is none"
}

test_groups_are_told_with_what_they_refused() {
	roots pools root
	mkdir -p root/sys/fs/cgroup/pod/a
	printf '30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n' >root/proc/self/mountinfo
	echo 4194304 >root/sys/fs/cgroup/pod/a/hugetlb.2MB.current
	echo 8388608 >root/sys/fs/cgroup/pod/a/hugetlb.2MB.max
	echo max >root/sys/fs/cgroup/pod/a/hugetlb.2MB.rsvd.max
	echo 0 >root/sys/fs/cgroup/pod/a/hugetlb.2MB.rsvd.current
	echo 'max 7' >root/sys/fs/cgroup/pod/a/hugetlb.2MB.events
	echo 0 >root/sys/fs/cgroup/pod/hugetlb.2MB.current
	echo max >root/sys/fs/cgroup/pod/hugetlb.2MB.max
	"$hresv" --root root status --json >said.json
	expect_eq "$(json 'len(j["groups"]), *j["groups"][0].values()' said.json)" \
		"1 /pod/a 2097152 4194304 8388608 0 None 7"
	"$hresv" --root root status >said
	grep -Eq '2 MiB +4 MiB +8 MiB +- +- +7 +/pod/a' said || fail "$(cat said)"
}

# The old hierarchy has other files, and a mount point may have a blank in its name.
test_groups_of_the_old_hierarchy_are_told_too() {
	local top="root/cg roup/pod"
	roots pools root
	mkdir -p "$top"
	printf '31 1 0:27 / /cg\\040roup rw - cgroup cgroup rw,hugetlb\n' >root/proc/self/mountinfo
	echo 2097152 >"$top/hugetlb.2MB.usage_in_bytes"
	echo 9223372036854771712 >"$top/hugetlb.2MB.limit_in_bytes"
	echo 4194304 >"$top/hugetlb.2MB.rsvd.limit_in_bytes"
	echo 0 >"$top/hugetlb.2MB.rsvd.usage_in_bytes"
	echo 3 >"$top/hugetlb.2MB.failcnt"
	"$hresv" --root root status --json >said.json
	expect_eq "$(json 'len(j["groups"]), *j["groups"][0].values()' said.json)" \
		"1 /pod 2097152 2097152 None 0 4194304 3"
}

test_nodes_and_mounts_are_told_with_their_numbers() {
	local node
	roots pools root
	for node in 0 1; do
		mkdir -p "root/sys/devices/system/node/node$node/hugepages/hugepages-2048kB"
		(cd "root/sys/devices/system/node/node$node/hugepages/hugepages-2048kB" &&
			echo 50 >nr_hugepages && echo $((node * 40)) >free_hugepages &&
			echo 0 >surplus_hugepages)
	done
	printf '40 1 0:40 / /mnt/huge rw - hugetlbfs none rw,pagesize=2M,size=8388608,min_size=4194304\n' \
		>root/proc/self/mountinfo
	"$hresv" --root root status >said
	grep -Eq '^2 MiB +pool +100 +40 +10 ' said || fail "$(cat said)"
	grep -Eq '^2 MiB +node 0 +50 +0 ' said || fail "$(cat said)"
	grep -Eq '^2 MiB +node 1 +50 +40 ' said || fail "$(cat said)"
	grep -Eq '2 MiB +8 MiB +\? +4 MiB +rw +/mnt/huge$' said || fail "$(cat said)"
	"$hresv" --root root status --json >said.json
	expect_eq "$(json '[n["free"] for n in j["pools"][0]["nodes"]], j["mounts"][0]["quota"]' said.json)" \
		"[0, 40] 8388608"
}

# What a real process shows, damaged in many ways, its statistics too. A file that stands
# for memory needs a file system for files as long as an address space: tmpfs.
test_damaged_processes_are_survived() {
	local seed top
	requires_root
	requires_file /dev/shm "$BUILD/tests/tools/prog-hold"
	top=$(mktemp -d /dev/shm/hresv-test.XXXXXX)
	cleanup_fn rm -rf "$top"
	mkfifo in
	LD_PRELOAD=$BUILD/libhresv.so "$BUILD/tests/tools/prog-hold" 8 12 <in >out &
	pid=$!
	cleanup_fn kill "$pid"
	exec 7>in
	wait_until 20 grep -q ready out
	roots save "$pid" saved
	roots fuzz "$top" saved 30
	"$hresv" status --json "$pid" >alive.json
	"$hresv" --root "$top/0" status --json 42 >saved.json
	expect_eq "$(json 'j["uses"]["mmap"]["asked"]' saved.json)" $((20 << 20))
	expect_eq "$(json 'j["uses"], j["sizes"], j["huge_now"]' saved.json)" \
		"$(json 'j["uses"], j["sizes"], j["huge_now"]' alive.json)"
	for seed in $(seq 0 29); do
		runs "$hresv" --root "$top/$seed" why 42
		runs "$hresv" --root "$top/$seed" map 42
		runs "$hresv" --root "$top/$seed" top
		runs "$hresv" --root "$top/$seed" why --json 42
		[ ! -s said ] || python3 -m json.tool said >/dev/null || fail "JSON, seed $seed"
	done
}

# Under it they come and go all the time.
test_processes_that_end_while_they_are_read_are_no_error() {
	requires_file "$hresv"
	(while :; do for _ in 1 2 3 4 5 6 7 8; do /bin/true & done; wait; done) 2>/dev/null &
	cleanup_fn kill $!
	for _ in $(seq 15); do
		"$hresv" status >said 2>errors
		"$hresv" top >said 2>>errors
		[ ! -s errors ] || fail "$(cat errors)"
	done
}

run_tests "$@"
