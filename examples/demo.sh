#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh - the failure everyone knows, then the same program living under libhresv
#
# `make demo` runs it. PostgreSQL starts in a control group that may not use huge
# pages, first plainly, then under libhresv.so, then with a larger and larger limit;
# after each life stands the table of what became huge, what did not, and why.
#
# As root it sets up what that takes (huge pages in the pool, a control group) and puts
# everything back, however it ends. Without, it shows what it can, and says what more
# it would have needed.
set -u -o pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
build=${HRESV_BUILD:-$here/build}
lock=${HRESV_POOL_LOCK:-/run/lock/hresv-pool.lock}
need_mib=168			# PostgreSQL's defaults take 142.5

# --- Saying ----------------------------------------------------------------------------

bold='' red='' green='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

say() { printf '%s\n' "$*"; }
title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
command_line() { printf '    %s$ %s%s\n' "$bold" "$*" "$plain"; }
show() { sed "s,$work/,,g" | cut -c1-74 | sed 's/^/      /'; }
missing=()
lacks() { missing+=("$@" ""); }

# --- What the machine has ----------------------------------------------------------------

page_kib=$(awk '/^Hugepagesize:/ { print $2 }' /proc/meminfo)
pool=/sys/kernel/mm/hugepages/hugepages-${page_kib:-0}kB
group=''

# The newest PostgreSQL that has all we run.
find_postgres() {
	local dir found=''
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V) \
		"$(dirname "$(command -v initdb || echo /usr/bin/initdb)")"; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pgbench" ] &&
			[ -x "$dir/pg_isready" ] && found=$dir
	done
	echo "$found"
}

undo=()
restore() {
	local i
	trap '' INT TERM HUP
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		eval "${undo[i]}" 2>/dev/null
	done
	undo=()
}
trap restore EXIT
trap 'exit 130' INT TERM HUP

pool_free() { echo $(($(cat "$pool/free_hugepages") - $(cat "$pool/resv_hugepages"))); }

# Who changes the pool borrows it: the tests go by the same lock.
take_lock() {
	[ -w "$pool/nr_hugepages" ] && [ -z "${HRESV_POOL_LOCKED:-}" ] || return 0
	[ -e "$lock" ] || (umask 0 && : >>"$lock") 2>/dev/null
	{ exec 9<"$lock"; } 2>/dev/null || return 0
	flock -n 9 || { say "(waiting for whoever holds $lock)" && flock -w 600 9; }
}

# Sets $pages: those that can be had now.
fill_pool() {
	local want=$(((need_mib * 1024 + page_kib - 1) / page_kib)) before
	pages=$(pool_free)
	[ "$pages" -lt "$want" ] || return 0
	before=$(cat "$pool/nr_hugepages")
	if [ -w "$pool/nr_hugepages" ]; then
		undo+=("echo $before >$pool/nr_hugepages")
		echo $((before + want - pages)) 2>/dev/null >"$pool/nr_hugepages"
	fi
	pages=$(pool_free)
	[ "$pages" -ge "$want" ] ||
		lacks "$want free huge pages of $((page_kib / 1024)) MiB; there are $pages. As root:" \
			"  echo $((before + want - pages)) >$pool/nr_hugepages"
}

remove_group() {
	local tries=100
	while [ -d "$1" ] && ! rmdir "$1"; do
		xargs -r kill -KILL <"$1/cgroup.procs"
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return
		sleep 0.05
	done
}

# Sets $group and $limit_file, if we may have a control group with a hugetlb limit.
make_group() {
	local mount version size="$((page_kib / 1024))MB"
	[ "$page_kib" -lt 1048576 ] || size="$((page_kib >> 20))GB"
	read -r mount version < <(awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 1), $(i + 3) }' \
		/proc/self/mountinfo | while read -r point type super; do
		if [ "$type" = cgroup ] && [[ ",$super," == *,hugetlb,* ]]; then
			echo "$point 1"
		elif [ "$type" = cgroup2 ] && grep -qw hugetlb "$point/cgroup.controllers"; then
			echo "$point 2"
		fi
	done 2>/dev/null)
	if [ -n "${mount:-}" ] && [ "$version" = 2 ] && [ -e "$mount/cgroup.subtree_control" ] &&
		! grep -qw hugetlb "$mount/cgroup.subtree_control" &&
		echo +hugetlb 2>/dev/null >"$mount/cgroup.subtree_control"; then
		undo+=("echo -hugetlb >$mount/cgroup.subtree_control")
	fi
	if [ -n "${mount:-}" ] && mkdir "$mount/hresv-demo-$$" 2>/dev/null; then
		group=$mount/hresv-demo-$$
		undo+=("remove_group $group")
		limit_file=$group/hugetlb.$size.max
		[ "$version" = 2 ] || limit_file=$group/hugetlb.$size.limit_in_bytes
		[ ! -w "$limit_file" ] || return 0
	fi
	group=''
	lacks "A control group with a limit on huge pages, as container runtimes make them:" \
		"  root, and the hugetlb controller in a writable /sys/fs/cgroup"
}

# limit MIB|max
limit() {
	local bytes=$1
	[ "$1" = max ] || bytes=$(($1 << 20))
	[ "$bytes" != max ] || [[ $limit_file == *.max ]] || bytes=-1
	echo "$bytes" >"$limit_file"
}

# --- Running in the container ----------------------------------------------------------------

# inside COMMAND...: in the group if there is one, and not as root, which PostgreSQL refuses
inside() {
	(
		[ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"
		exec 9<&-
		cd "$work" || exit
		[ "$(id -u)" != 0 ] || set -- setpriv --reuid=postgres --regid="$(id -g postgres)" \
			--init-groups -- "$@"
		exec env PATH="$postgres_bin:$PATH" "$@"
	)
}

ours() { inside env LD_PRELOAD="$work/libhresv.so" HUGETLB_VERBOSE=2 "$@"; }

run_initdb() { "$1" initdb -D "$work/data" -A trust -N >"$work/said" 2>&1; }

# The server's own table, of all that its processes print; without "libhresv: ", as
# 80 columns are few.
table_of() {
	awk -v pid="$1," '/^libhresv: pid / { on = $3 == pid } /^libhresv: / && on' "$2" |
		cut -c11- >"$work/table"
	sed 's/^/  /' "$work/table"
}

# A life: start, pgbench, stop, table. $1 pgbench's arguments before the run
life() {
	local server pid tries=200
	command_line "LD_PRELOAD=libhresv.so HUGETLB_VERBOSE=2 postgres -D data"
	# shellcheck disable=SC2094
	ours postgres -D "$work/data" -k "$work" -c listen_addresses= >"$work/log" 2>&1 &
	server=$!
	while ! "$postgres_bin/pg_isready" -q -h "$work" && [ $tries -gt 0 ]; do
		tries=$((tries - 1))
		kill -0 $server 2>/dev/null || break
		sleep 0.05
	done
	pid=$(head -n 1 "$work/data/postmaster.pid" 2>/dev/null)
	if [ -z "$pid" ]; then
		show <"$work/log"
		wait $server
		return 1
	fi
	[ -e "$work/filled" ] || ours pgbench -h "$work" -i -s 2 -q postgres >"$work/filled" 2>&1
	command_line "LD_PRELOAD=libhresv.so pgbench -c 2 -T 2"
	ours pgbench -n -h "$work" -c 2 -T 2 postgres 2>&1 |
		grep -E 'actually processed|failed trans' | show
	kill -INT "$pid"
	wait $server
	say "      server stopped with status $?"
	say
	table_of "$pid" "$work/log"
}

# --- The scenes ---------------------------------------------------------------------------------

the_failure() {
	title "1. Without libhresv"
	say "The node has $pages free huge pages. The container may use none of them:"
	say "${limit_file##*/} is 0. PostgreSQL's initdb:"
	say
	limit 0
	command_line "initdb -D data"
	if run_initdb inside; then
		say "      it lives: this kernel refuses at mmap() already"
	else
		grep -E '^(selecting|running)|exited' "$work/said" | show |
			sed "s/Bus error/${red}Bus error${plain}/"
	fi
	rm -rf "$work/data"
	say
	say "At mmap() the kernel said yes: the pool has the pages. At the first touch it"
	say "looked at the container's limit, and there is no answer to a touch but SIGBUS."
}

the_same_alive() {
	if [ -n "$group" ]; then
		title "2. The same program with libhresv, the same limit"
	else
		title "PostgreSQL with libhresv, $pages free huge pages"
	fi
	command_line "LD_PRELOAD=libhresv.so initdb -D data"
	if ! run_initdb ours; then
		show <"$work/said"
		return 1
	fi
	grep -E '^(selecting default (max|shared)|running|Success)' "$work/said" |
		sed -e 's/\.\.\. libhresv:.*/... ok/' -e 's/\. You can now.*/./' | show |
		sed "s/ ok$/ ${green}ok${plain}/"
	life || return 1
	say
	if grep -q '^own huge.* - *[0-9]' "$work/table"; then
		say "\"own huge\" is what PostgreSQL asked of the kernel itself (huge_pages=try):"
		say "refused at once, with the ENOMEM it knows how to handle, instead of a promise"
		say "that breaks. \"mmap\" is what it asked for then. In the last column stands what"
		say "did not become huge, and below it, why."
	fi
}

with_a_limit() {
	title "$1"
	limit "$2"
	life || return 1
	say
	shift 2
	printf '%s\n' "$@"
}

main() {
	local pages=0 failed=0

	if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then
		exec sudo -n HRESV_BUILD="$build" NO_COLOR="${NO_COLOR:-}" "$0"
	fi
	title "libhresv: huge pages where they can be had, small pages, never SIGBUS"
	if [ ! -e "$build/libhresv.so" ]; then
		say "There is no $build/libhresv.so yet: run make first."
		exit 1
	fi
	postgres_bin=$(find_postgres)
	if [ -z "$postgres_bin" ]; then
		say "The demo's program is PostgreSQL, and it is not installed."
		say "On Debian: apt-get install postgresql-15. Then: make demo"
		exit 0
	fi
	work=$(mktemp -d /tmp/hresv-demo.XXXXXX)
	undo+=("rm -rf $work")
	chmod 755 "$work"
	install -m 755 "$build/libhresv.so" "$work"
	[ "$(id -u)" != 0 ] || chown postgres "$work"

	if [ -z "$page_kib" ]; then
		lacks "a kernel with huge pages (CONFIG_HUGETLBFS)"
	else
		take_lock
		fill_pool
		make_group
	fi
	[ -z "$group" ] || the_failure
	the_same_alive || failed=1
	if [ -n "$group" ] && [ $failed = 0 ]; then
		with_a_limit "3. The container may use 64 MiB of huge pages" 64 \
			"As much as the limit allows is huge, in the same mapping as the rest." || failed=1
		with_a_limit "4. The container may use what the node has" max \
			"PostgreSQL's own request, proven before it was granted, is huge as a whole. Its
heap stays small: a program that needs little takes no page from others." ||
			failed=1
	fi
	title "That was all"
	if [ ${#missing[@]} -gt 0 ]; then
		say "Shown was what can be shown here. For the whole, this would be needed:"
		say
		printf '%s\n' "${missing[@]}" | sed 's/^/  /'
		say
	fi
	restore
	say "The pool, the control group and all files are as they were."
	say "Your own program:"
	say
	say "    HUGETLB_VERBOSE=2 LD_PRELOAD=$build/libhresv.so program"
	return $failed
}

main "$@"
