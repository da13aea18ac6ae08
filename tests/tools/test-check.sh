#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each common mistake has its exit status and its mend: those of the supply on a simulated
# machine, and once more on this one.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/root.sh"

test_check_of_enough_pages_is_well() {
	a_machine
	checks 0
	says "possible  200 MiB in 100 pages"
	says "Nothing stands in the way."
	checks 0 --need=200M
}

test_check_of_no_pool_names_the_sysctl_and_the_kernel_command_line() {
	a_machine
	pool_of_2m 0 0 0
	checks 11
	says "no-pool: "
	checks 11 --need=1G
	says "sysctl -w vm.nr_hugepages=512"
	says "'vm.nr_hugepages = 512' > /etc/sysctl.d/"
	says "hugepages=512"
}

test_check_of_a_pool_too_small_counts_what_others_hold() {
	a_machine
	pool_of_2m 128 100 40
	checks 12 --need=1G
	says "pool-short: the pool has 60 pages of 2 MiB to give, 452 fewer than needed"
	says "sysctl -w vm.nr_hugepages=580"
}

test_check_of_a_pool_that_memory_cannot_fill_says_so() {
	a_machine
	checks 12 --need=20G
	says "only 7.8 GiB are available now, of 19.8 GiB more that this takes"
}

test_check_of_another_page_size_names_its_own_file() {
	a_machine
	checks 11 --need=3G --page-size=1G
	says "echo 3 > /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
	says "hugepagesz=1G hugepages=3"
	checks 10 --page-size=16M
	says "no huge pages of that size"
}

test_check_of_a_kernel_without_huge_pages_says_so() {
	a_machine
	rm -r "$root/sys/kernel" "$root/proc/meminfo"
	checks 10
	says "no-huge-pages: "
}

test_check_of_a_fault_limit_names_group_file_and_pod_line() {
	a_machine
	limit_of pod/main '' 10485760 4194304
	checks 13 --need=40M
	says "cgroup-fault: the control group /sys/fs/cgroup/pod/main may have 10 MiB"
	says "room for 3 pages"
	says "echo 46137344 > /sys/fs/cgroup/pod/main/hugetlb.2MB.max"
	says "hugepages-2Mi: 40Mi"
	checks 0
	limit_of pod '' 0 0
	checks 13
	says "the control group /sys/fs/cgroup/pod may have 0 B"
}

test_check_of_a_reservation_limit_names_its_own_file() {
	a_machine
	limit_of pod/main rsvd. 0 0
	checks 14 --need=40M
	says "echo 41943040 > /sys/fs/cgroup/pod/main/hugetlb.2MB.rsvd.max"
}

test_check_names_every_bound_that_is_too_low() {
	a_machine
	pool_of_2m 0 0 0
	limit_of pod/main '' 0 0
	limit_of pod rsvd. 0 0
	checks 11 --need=8M
	says "no-pool: "
	says "cgroup-fault: "
	says "cgroup-rsvd: "
	checks 14 --need=8M --accept=no-pool,cgroup-fault
	checks 0 --need=8M --accept=no-pool,cgroup-fault,cgroup-rsvd
	checks 2 --accept=nonsense
}

test_check_of_huge_pages_charged_as_memory_says_so() {
	a_machine
	put proc/self/mountinfo \
		"31 23 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,memory_hugetlb_accounting"
	put sys/fs/cgroup/pod/memory.max 100000000
	checks 15
	says "memory.max = max"
}

test_check_of_our_own_settings_names_the_variable() {
	a_machine
	HUGETLB_LIMIT=4M checks 16 --need=8M
	says "HUGETLB_LIMIT is 4 MiB"
	says "HUGETLB_LIMIT=8M, in the environment or hresv.conf"
	HUGETLB_KEEP_FREE=98 checks 16 --need=8M
	says "HUGETLB_KEEP_FREE leaves 98 of 100 pages to others"
	says "HUGETLB_KEEP_FREE=96"
	HUGETLB_ACTIVE=no checks 16
	says "switched off"
	printf '[ls]\nlimit = 2M\n' >own.conf
	conf=$tmp/own.conf checks 16 --need=8M -- ls
	conf=$tmp/own.conf checks 0 --need=8M -- cat
}

test_check_of_segments_names_the_group() {
	a_machine
	checks 19 --shm
	says "sysctl -w vm.hugetlb_shm_group=$(id -g)"
	says "AmbientCapabilities=CAP_IPC_LOCK"
	put proc/sys/vm/hugetlb_shm_group 999
	checks 0 --shm
}

test_check_of_limited_address_space_names_the_limit() {
	a_machine
	(
		ulimit -v 100000
		checks 20 --need=150M
	)
	says "LimitAS=infinity"
}

test_check_of_another_node_names_the_nodes_file() {
	a_machine
	put sys/devices/system/node/has_memory 0-1
	put sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages 64
	put sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages 3
	put sys/devices/system/node/node0/hugepages/hugepages-2048kB/surplus_hugepages 0
	checks 18 --need=40M
	says "have 3 free"
	says "/sys/devices/system/node/nodeX/hugepages/"
}

# --- What is said ------------------------------------------------------------------------

test_check_json_says_the_same() {
	requires python3
	a_machine
	limit_of pod/main '' 0 0
	checks 13 --json --need=8M --shm -- ls
	python3 - <<-'END'
		import json
		found = json.load(open("said"))
		assert found["status"] == 13 and found["needed_bytes"] == 8 << 20, found
		assert found["possible_bytes"] == 0 and found["page_bytes"] == 2 << 20, found
		assert [t["name"] for t in found["troubles"]] == ["cgroup-fault", "eperm"], found
		assert any("hugetlb.2MB.max" in m["line"] for m in found["troubles"][0]["mends"]), found
		assert found["program"].endswith("/ls"), found
	END
}

test_check_quiet_says_nothing() {
	a_machine
	pool_of_2m 0 0 0
	checks 11 -q
	[ ! -s said ] || fail "it says: $(cat said)"
}

test_check_of_wrong_use_is_2() {
	a_machine
	checks 2 --need=much
	says "is not a size"
	checks 2 --nonsense
	checks 2 --trial
}

# Whatever /proc and /sys say: an answer, never a crash.
test_check_survives_a_machine_that_lies() {
	local file status text noise
	noise=$(head -c 3000 /dev/zero | tr '\0' 'a')
	a_machine
	limit_of pod/main '' 10485760 4194304
	limit_of pod/main rsvd. 10485760 4194304
	find root -type f >files
	while read -r file; do
		for text in '' 18446744073709551615 "$noise"; do
			cp "$file" kept
			printf '%s\n' "$text" >"$file"
			status=0
			env -u LD_PRELOAD HUGETLB_CONF=/dev/null "$hresv" --root "$root" check -q --shm --need=8M || status=$?
			cp kept "$file"
			case $status in
			0 | 1[0-9]) ;;
			*) fail "status $status: $file says $(head -c 30 <<<"$text")" ;;
			esac
		done
	done <files
}

# --- This machine ----------------------------------------------------------------------------

# really STATUS COMMAND...: without a simulated machine
really() {
	local want=$1
	shift
	requires_file "$hresv"
	export HUGETLB_CONF=/dev/null
	expect_exit "$want" "$@" >said 2>&1
}

test_check_here_agrees_with_the_pool_and_its_mend_mends() {
	local mend
	pool_set 0
	really 11 "$hresv" check --need=8M
	pool_set 2
	really 12 "$hresv" check --need=8M
	mend=$(sed -n 's/^  now  *sysctl -w vm.nr_hugepages=//p' said)
	pool_set "$mend"
	really 0 "$hresv" check --need=8M
}

test_check_here_agrees_with_the_control_group_and_its_mend_mends() {
	pool_set 8
	cgroup_make pod
	cgroup_limit fault 0
	really 13 cgroup_exec "$hresv" check --need=8M
	sed -n 's/^  now  *\(echo [0-9]* > .*\)/\1/p' said >mend
	[ -s mend ] || fail "no mend: $(cat said)"
	sh ./mend
	really 0 cgroup_exec "$hresv" check --need=8M
	cgroup_limit fault max
	cgroup_limit rsvd 0
	really 14 cgroup_exec "$hresv" check --need=8M
}

# A program that asks for 64 MiB at once, of which 8 can be had.
map='import mmap, sys
m = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[0] = 1
sys.exit(int(sys.argv[1]))'

test_check_trial_learns_what_a_program_needs() {
	requires python3
	export HUGETLB_MORECORE=no
	pool_set 4
	really 12 "$hresv" check --trial -- python3 -c "$map" 0
	says "trial     asked for 64 MiB, of which 8 MiB were huge"
	says "of 64 MiB in 32 needed"
	says "sysctl -w vm.nr_hugepages=32"
	pool_set 32
	really 0 "$hresv" check --trial -- python3 -c "$map" 0
	says "asked for 64 MiB, of which 64 MiB were huge"
}

test_check_trial_that_fails_says_how() {
	requires python3
	pool_set 4
	mkdir own
	export TMPDIR=$tmp/own
	really 50 "$hresv" check --trial -- python3 -c "$map" 3
	says "it ended with 3 in its trial"
	really 50 "$hresv" check --trial -- sh -c 'kill -ABRT $$'
	says "it died of signal 6"
	really 0 "$hresv" check --trial -- true
	says "nothing that ended by exit(3) asked for large memory"
	rmdir own || fail "left in its directory: $(ls own)"
}

test_check_here_knows_who_may_make_huge_segments() {
	local file=/proc/sys/vm/hugetlb_shm_group
	requires_root
	pool_set 4
	as_user nobody test -x "$hresv" || skip "a build that others may run"
	cleanup_fn restore "$(cat $file)" $file
	restore 0 $file
	really 19 as_user nobody "$hresv" check --shm
	says "sysctl -w vm.hugetlb_shm_group=$(id -g nobody)"
	restore "$(id -g nobody)" $file
	really 0 as_user nobody "$hresv" check --shm
}

run_tests "$@"
