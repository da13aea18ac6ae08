# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# root.sh - a directory that stands for /proc and /sys of a machine with huge pages

# put PATH TEXT: below $root
put() {
	mkdir -p "$root/${1%/*}"
	printf '%s\n' "$2" >"$root/$1"
}

# a_machine: two sizes of pages, 100 free of 128; a container with its own namespace
a_machine() {
	local size
	root=$tmp/root
	for size in 2048 1048576; do
		for file in nr free resv surplus; do
			put "sys/kernel/mm/hugepages/hugepages-${size}kB/${file}_hugepages" 0
		done
		put "sys/kernel/mm/hugepages/hugepages-${size}kB/nr_overcommit_hugepages" 0
	done
	pool_of_2m 128 100 0
	put proc/meminfo "MemTotal:       16384000 kB
MemAvailable:    8192000 kB
Hugepagesize:       2048 kB"
	mkdir -p "$root/proc/self/ns" "$root/proc/thread-self"
	ln -sfn 'user:[4026531837]' "$root/proc/self/ns/user"
	ln -sfn 'cgroup:[4026531835]' "$root/proc/self/ns/cgroup"
	put proc/self/cgroup "0::/pod/main"
	put proc/self/mountinfo "31 23 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw"
	put proc/cgroups "#subsys_name	hierarchy	num_cgroups	enabled
memory	0	1	1
hugetlb	0	1	1"
	a_group sys/fs/cgroup
	a_group sys/fs/cgroup/pod
	a_group sys/fs/cgroup/pod/main
	put proc/sys/vm/hugetlb_shm_group 0
	put proc/self/status "Uid:	999	999	999	999
Gid:	999	999	999	999
Groups:	999 
CapEff:	0000000000000000
Mems_allowed_list:	0"
	cp "$root/proc/self/status" "$root/proc/thread-self/status"
	put sys/devices/system/node/has_memory 0
}

a_group() {
	put "$1/cgroup.procs" ""
	put "$1/cgroup.controllers" "hugetlb memory"
	put "$1/cgroup.type" "domain"
}

# pool_of_2m TOTAL FREE RESERVED
pool_of_2m() {
	local at=sys/kernel/mm/hugepages/hugepages-2048kB
	put $at/nr_hugepages "$1"
	put $at/free_hugepages "$2"
	put $at/resv_hugepages "$3"
}

# limit_of GROUP KIND MAX USED: KIND is "" or "rsvd."
limit_of() {
	put "sys/fs/cgroup/$1/hugetlb.2MB.${2}max" "$3"
	put "sys/fs/cgroup/$1/hugetlb.2MB.${2}current" "$4"
	put "sys/fs/cgroup/$1/hugetlb.2MB.events" "max 3"
}

# --- hresv check of it ---------------------------------------------------------------

hresv=$BUILD/hresv

# checks STATUS OPTION...: on the simulated machine; what it says is in $tmp/said
checks() {
	local want=$1
	shift
	requires_file "$hresv"
	expect_exit "$want" env -u LD_PRELOAD HUGETLB_CONF="${conf:-/dev/null}" "$hresv" --root "$root" \
		check "$@" >said 2>&1
}

says() { expect_contains said "$1"; }
