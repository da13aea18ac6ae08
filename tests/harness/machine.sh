# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# machine.sh - the pools, control groups and mounts, borrowed by a shell test
#
# Part of functions.sh. The same rules as pool.h and cgroup.h: one lock for the
# machine, taken by an ancestor if HRESV_POOL_LOCKED is set; everything put back.
# Page sizes are in bytes and default to the kernel's default size.

default_page_bytes() {
	local kb
	kb=$(awk '/^Hugepagesize:/ { print $2 }' /proc/meminfo)
	[ -n "$kb" ] || skip "huge pages"
	echo $((kb * 1024))
}

# pool_file PAGE_BYTES NAME
pool_file() { echo "$POOLS/hugepages-$(($1 / 1024))kB/$2"; }

# --- The lock ---------------------------------------------------------------------

# Descriptor 9 is opened by the parent and shared by the tests: see functions.sh.
open_pool_lock() {
	local path=${HRESV_POOL_LOCK:-/run/lock/hresv-pool.lock}
	[ -z "${HRESV_POOL_LOCKED:-}" ] || return 0
	[ -e "$path" ] || (umask 0; : >>"$path") 2>/dev/null
	{ exec 9<"$path"; } 2>/dev/null || true
}

pool_lock() {
	[ ! -e "$state/locked" ] || return 0
	if [ -z "${HRESV_POOL_LOCKED:-}" ]; then
		{ true <&9; } 2>/dev/null || skip "the pool's lock; see HRESV_POOL_LOCK"
		flock 9
		export HRESV_POOL_LOCKED=1
	fi
	pool_counters >"$state/locked"
}

pool_unlock() {
	{ flock -u 9; } 2>/dev/null || true
}

# --- The pools --------------------------------------------------------------------

# One line per size: used, reserved and surplus pages. Total and free come with
# setting the pool; these must not.
pool_counters() {
	local dir
	for dir in "$POOLS"/hugepages-*; do
		[ -e "$dir" ] || continue
		echo "${dir##*-} used $(($(cat "$dir/nr_hugepages") - $(cat "$dir/free_hugepages")))" \
			"reserved $(cat "$dir/resv_hugepages") surplus $(cat "$dir/surplus_hugepages")"
	done
}

# Pages of processes that just died come back a moment later.
pool_settles_at() {
	local tries=100
	while [ "$(pool_counters)" != "$1" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.02
	done
}

# As when the lock was taken.
pool_expect_unchanged() {
	pool_settles_at "$(cat "$state/locked")" ||
		fail "pool is: $(pool_counters); was: $(cat "$state/locked")"
}

# The parent's check, after everything is undone.
pool_left_alone() {
	[ -e "$state/locked" ] || return 0
	pool_settles_at "$(cat "$state/locked")" && return 0
	echo "left the pool: $(pool_counters); was: $(cat "$state/locked")" >"$state/why"
	return 1
}

# restore TEXT FILE
restore() { echo "$1" >"$2"; }

set_pool_file() {
	local file=$1 pages=$2
	pool_lock
	[ -w "$file" ] || skip "the right to write $file"
	cleanup_fn restore "$(cat "$file")" "$file"
	echo "$pages" >"$file" || skip "$pages in $file"
	[ "$(cat "$file")" = "$pages" ] || skip "$pages in $file; have $(cat "$file")"
}

# pool_set PAGES [PAGE_BYTES]
pool_set() { set_pool_file "$(pool_file "${2:-$(default_page_bytes)}" nr_hugepages)" "$1"; }
pool_set_overcommit() {
	set_pool_file "$(pool_file "${2:-$(default_page_bytes)}" nr_overcommit_hugepages)" "$1"
}

# pool_get total|free|resv|surplus|overcommit [PAGE_BYTES]
pool_get() {
	local name=$1_hugepages
	[ "$1" != total ] || name=nr_hugepages
	[ "$1" != overcommit ] || name=nr_overcommit_hugepages
	cat "$(pool_file "${2:-$(default_page_bytes)}" "$name")"
}

# --- Control groups ------------------------------------------------------------------

# Sets cgroup_version and cgroup_mount.
find_cgroup() {
	local point type super
	while read -r point type super; do
		case $type in
		cgroup)
			[[ ",$super," == *,hugetlb,* ]] || continue
			cgroup_version=1
			;;
		cgroup2)
			grep -qw hugetlb "$point/cgroup.controllers" 2>/dev/null || continue
			cgroup_version=2
			;;
		*) continue ;;
		esac
		cgroup_mount=$point
		return 0
	done < <(awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 1), $(i + 3) }' \
		/proc/self/mountinfo)
	skip "a cgroup hierarchy with the hugetlb controller"
}

enable_below() {
	[ "$cgroup_version" = 2 ] || return 0
	! grep -qw hugetlb "$1/cgroup.subtree_control" || return 0
	cleanup_fn restore -hugetlb "$1/cgroup.subtree_control"
	restore +hugetlb "$1/cgroup.subtree_control" 2>/dev/null ||
		skip "the hugetlb controller in $1"
}

remove_cgroup() {
	local tries=200
	while [ -d "$1" ] && ! rmdir "$1" 2>/dev/null; do
		xargs -r kill -KILL <"$1/cgroup.procs" 2>/dev/null || true
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.02
	done
}

# cgroup_make NAME: make it, and those above it ("pod/container"). It is what
# cgroup_limit and cgroup_exec then act on, as after cgroup_use NAME.
cgroup_make() {
	local part path
	requires_root
	pool_lock
	find_cgroup
	path=$cgroup_mount
	cgroup_own=$cgroup_mount/hresv-$BASHPID
	[ -e "$state/cgroup" ] || echo "$cgroup_own" >"$state/cgroup"
	cgroup_own=$(cat "$state/cgroup")
	for part in "${cgroup_own##*/}" ${1//\// }; do
		enable_below "$path"
		path=$path/$part
		if [ ! -d "$path" ]; then
			cleanup_fn remove_cgroup "$path"
			mkdir "$path" 2>/dev/null || skip "the right to make $path"
		fi
	done
	cgroup=$path
}

cgroup_use() { cgroup=$(cat "$state/cgroup")/$1; }

size_name() {
	if [ "$1" -ge 1073741824 ]; then
		echo "$(($1 >> 30))GB"
	elif [ "$1" -ge 1048576 ]; then
		echo "$(($1 >> 20))MB"
	else
		echo "$(($1 >> 10))KB"
	fi
}

# cgroup_file fault|rsvd limit|usage PAGE_BYTES
cgroup_file() {
	local kind='' leaf
	[ "$1" = fault ] || kind=rsvd.
	case $cgroup_version$2 in
	2limit) leaf=max ;;
	2usage) leaf=current ;;
	1limit) leaf=limit_in_bytes ;;
	1usage) leaf=usage_in_bytes ;;
	esac
	echo "$cgroup/hugetlb.$(size_name "$3").$kind$leaf"
}

# cgroup_limit fault|rsvd BYTES|max [PAGE_BYTES]
cgroup_limit() {
	local bytes=$2
	[ "$cgroup_version$2" != 1max ] || bytes=-1
	restore "$bytes" "$(cgroup_file "$1" limit "${3:-$(default_page_bytes)}")"
}

# cgroup_usage fault|rsvd [PAGE_BYTES]
cgroup_usage() { cat "$(cgroup_file "$1" usage "${2:-$(default_page_bytes)}")"; }

# cgroup_exec COMMAND...: run it in there
cgroup_exec() {
	(
		restore "$BASHPID" "$cgroup/cgroup.procs"
		[ "$(type -t "$1")" != file ] || exec "$@"
		"$@"
	)
}

# --- Mounts ----------------------------------------------------------------------------

# mount_hugetlbfs DIR [OPTIONS]: size=4M,min_size=2M,pagesize=2M
mount_hugetlbfs() {
	requires_root
	pool_lock
	mkdir -p "$1"
	cleanup_fn unmount "$1"
	mount -t hugetlbfs -o "nosuid,nodev${2:+,$2}" hresv-test "$1" 2>/dev/null ||
		skip "a hugetlbfs mount with ${2:-no options}"
}

unmount() {
	! mountpoint -q "$1" || umount "$1" 2>/dev/null || { sleep 1; umount -l "$1"; }
}
