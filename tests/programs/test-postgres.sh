#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# PostgreSQL as Debian ships it lives under libhresv whatever the container may have
# of huge pages: initdb, start, pgbench, stop. Its shared memory is huge where pages
# are enough, partly huge where they are not (a System V segment is all or nothing),
# and its books balance in the end. Without us it dies of Bus error, or of a limit
# nobody told it about.
#
# Each case is a server of its own on one cluster, in a control group of its own.
. "$(dirname "$0")/../harness/functions.sh"

PG=/usr/lib/postgresql/15/bin
TEST_TIMEOUT=180

# --- A cluster ------------------------------------------------------------------

db() { cgroup_exec as_user postgres "$@"; }
db_preloaded() { db env LD_PRELOAD="$tmp/libhresv.so" "$@"; }

needs() {
	requires_root
	requires_file $PG/initdb $PG/pgbench
	id postgres >/dev/null 2>&1 || skip "a user postgres"
	[ "$(default_page_bytes)" = $((2 << 20)) ] || skip "huge pages of 2 MiB by default"
	cgroup_make pod
	chown postgres "$tmp"
	# Where the build is, the database's user may not be able to read.
	install -m 755 "$BUILD/libhresv.so" "$tmp"
}

# cluster PAGES: the pool, and a cluster with tables larger than its buffers. Sets
# $need: the huge pages its shared memory takes.
cluster() {
	needs
	pool_set "$1"
	db_preloaded $PG/initdb -D "$tmp/data" -A trust -N >initdb.log
	cat >>"$tmp/data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$tmp'
		shared_buffers = 40MB
		max_connections = 20
		fsync = off
	END
	need=$(db $PG/postgres -D "$tmp/data" -C shared_memory_size_in_huge_pages)
	start
	sql 'create extension pg_prewarm' >/dev/null
	db_preloaded $PG/pgbench -h "$tmp" -i -s 3 -q postgres 2>/dev/null
	stop
}

# start SETTING...: in the background; its log is in $tmp/log
start() {
	launch db_preloaded "$@"
	wait_until 20 ready_or_gone
	[ -n "$(jobs -r)" ] || fail "ended at start: $(cat log)"
	postmaster=$(head -n 1 "$tmp/data/postmaster.pid")
}

# The control group's removal kills whatever is left of it.
launch() {
	local how=$1
	shift
	set -- "${@/#/-c}"
	echo "# postgres $*"
	"$how" $PG/postgres -D "$tmp/data" "$@" >log 2>&1 &
	server=$!
}

ready_or_gone() { $PG/pg_isready -q -U postgres -h "$tmp" || [ -z "$(jobs -r)" ]; }

stop() {
	kill -INT "$postmaster"
	expect_exit 0 wait "$server"
	! grep -E 'signal 7|Bus error|terminated by' log || fail "see the log"
}

sql() { db $PG/psql -h "$tmp" -X -A -t -q -d postgres -c "$1"; }

# Whatever pgbench did, each transfer is in four tables.
books_balance() {
	expect_eq "$(sql "select (select sum(abalance) from pgbench_accounts) = sum(delta)
		and (select sum(tbalance) from pgbench_tellers) = sum(delta)
		and (select sum(bbalance) from pgbench_branches) = sum(delta)
		and count(*) > 0 from pgbench_history")" t "the sums of pgbench"
}

# Pages of shared memory that are huge, of the server itself.
shared_huge_pages() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { shared = $2 ~ /s$/ }
		/^Size:/ { kb = $2 }
		/^KernelPageSize:/ && $2 == 2048 && shared { sum += kb }
		END { print sum / 2048 }' "/proc/$1/smaps"
}

# lives MIN MAX SETTING...: a whole life, with so many huge pages shared
lives() {
	local min=$1 max=$2 pages seconds=${SECONDS_OF_PGBENCH:-1}
	shift 2
	start "$@"
	pages=$(shared_huge_pages "$postmaster")
	echo "# $pages of $need huge"
	sql "select pg_prewarm('pgbench_accounts')" >/dev/null
	db_preloaded $PG/pgbench -n -h "$tmp" -c 2 -T "$seconds" postgres >bench 2>&1 ||
		fail "pgbench: $(cat bench log)"
	books_balance
	stop
	if [ "$pages" -lt "$min" ] || [ "$pages" -gt "$max" ]; then
		fail "$pages pages of shared memory are huge, expected $min to $max: $*"
	fi
	pool_expect_unchanged
}

# refused SETTING...: ends by itself, by the error it has for that
refused() {
	launch db_preloaded "$@"
	expect_exit 1 wait "$server"
	expect_contains log "could not map anonymous shared memory: Cannot allocate memory"
	pool_expect_unchanged
}

# may_make_huge_segments: the database's group, which shmget() asks for
may_make_huge_segments() {
	local file=/proc/sys/vm/hugetlb_shm_group
	requires_file $file
	cleanup_fn restore "$(cat $file)" $file
	restore "$(id -g postgres)" $file
}

mib() { echo $(($1 << 20)); }

# --- Without us --------------------------------------------------------------------

test_initdb_dies_of_a_fault_limit_of_0_without_us() {
	needs
	pool_set 90
	cgroup_limit fault 0
	expect_exit 1 db $PG/initdb -D "$tmp/data" -A trust -N >log 2>&1
	expect_contains log "Bus error"
	expect_contains log "child process exited with exit code 135"
}

test_postgres_dies_at_start_of_a_fault_limit_of_0_without_us() {
	cluster 40
	cgroup_limit fault 0
	launch db huge_pages=try
	expect_exit 135 wait "$server"
}

# Worse: it starts, and fails under load. A query that has the kernel read into such a
# page is told of a damaged file; one that writes there takes the whole server down.
test_postgres_fails_under_load_of_a_fault_limit_below_its_need_without_us() {
	cluster 40
	cgroup_limit fault "$(mib 30)"
	launch db huge_pages=try
	wait_until 20 ready_or_gone
	expect_exit 1 sql "select pg_prewarm('pgbench_accounts')" 2>said
	expect_contains said "could not read block"
}

test_postgres_dies_under_load_of_a_fault_limit_below_its_need_without_us() {
	cluster 40
	cgroup_limit fault "$(mib 30)"
	launch db huge_pages=try
	wait_until 20 ready_or_gone
	sql "create table t (a int); insert into t select generate_series(1, 900000)" || true
	wait_until 10 grep -q "was terminated by signal 7: Bus error" log
}

# --- initdb --------------------------------------------------------------------------

test_initdb_lives_with_a_fault_limit_of_0() {
	needs
	pool_set 90
	cgroup_limit fault 0
	expect_exit 0 db_preloaded $PG/initdb -D "$tmp/data" -A trust -N >log 2>&1
	# Each size it tries would have died, and left it with the smallest.
	expect_contains "$tmp/data/postgresql.conf" "shared_buffers = 128MB"
	pool_expect_unchanged
}

test_initdb_lives_with_pages_for_a_part() {
	needs
	pool_set 20
	cgroup_limit fault "$(mib 20)"
	expect_exit 0 db_preloaded $PG/initdb -D "$tmp/data" -A trust -N >log 2>&1
	pool_expect_unchanged
}

# --- Shared memory by mmap --------------------------------------------------------------

# The program asks for all or nothing, is refused, asks for small pages, and gets
# what huge pages there are after all.
test_postgres_mmap_try_is_huge_as_far_as_the_fault_limit_goes() {
	cluster 40
	cgroup_limit fault 0
	SECONDS_OF_PGBENCH=3 lives 0 0 huge_pages=try
	cgroup_limit fault "$(mib 20)"
	lives 8 10 huge_pages=try
	cgroup_limit fault "$(mib 80)"
	lives "$need" "$need" huge_pages=try
	cgroup_limit fault max
	lives "$need" "$need" huge_pages=try
}

test_postgres_mmap_off_is_huge_as_far_as_the_fault_limit_goes() {
	cluster 40
	cgroup_limit fault 0
	lives 0 0 huge_pages=off
	cgroup_limit fault "$(mib 20)"
	lives 8 10 huge_pages=off
	cgroup_limit fault "$(mib 80)"
	lives $((need - 1)) "$need" huge_pages=off
}

test_postgres_mmap_is_huge_as_far_as_the_reservation_limit_goes() {
	cluster 40
	cgroup_limit rsvd 0
	lives 0 0 huge_pages=try
	cgroup_limit rsvd "$(mib 20)"
	lives 8 10 huge_pages=try
	lives 8 10 huge_pages=off
	cgroup_limit rsvd "$(mib 80)"
	lives "$need" "$need" huge_pages=try
	lives $((need - 1)) "$need" huge_pages=off
}

test_postgres_mmap_is_huge_as_far_as_the_pool_goes() {
	cluster 10
	lives 8 10 huge_pages=try
	lives 8 10 huge_pages=off
	pool_set 0
	lives 0 0 huge_pages=try
	lives 0 0 huge_pages=off
}

# Who insists is told at once, with the error PostgreSQL knows; nobody dies later.
test_postgres_mmap_on_is_refused_or_wholly_huge() {
	cluster 40
	cgroup_limit fault 0
	refused huge_pages=on
	cgroup_limit fault "$(mib 20)"
	refused huge_pages=on
	cgroup_limit fault "$(mib 80)"
	lives "$need" "$need" huge_pages=on
	cgroup_limit fault max
	cgroup_limit rsvd "$(mib 20)"
	refused huge_pages=on
	cgroup_limit rsvd "$(mib 80)"
	lives "$need" "$need" huge_pages=on
	cgroup_limit rsvd max
	lives "$need" "$need" huge_pages=on
	pool_set 10
	refused huge_pages=on
	pool_set 0
	refused huge_pages=on
}

# --- Shared memory by System V segments -------------------------------------------------

# Without the right to huge segments it never sees the EPERM.
test_postgres_sysv_without_permission_is_small() {
	cluster 40
	lives 0 0 shared_memory_type=sysv huge_pages=off
}

# A segment is one object with one size of page: all or nothing.
test_postgres_sysv_is_huge_when_the_fault_limit_allows_all() {
	cluster 40
	may_make_huge_segments
	cgroup_limit fault 0
	lives 0 0 shared_memory_type=sysv huge_pages=off
	cgroup_limit fault "$(mib 20)"
	lives 0 0 shared_memory_type=sysv huge_pages=try
	cgroup_limit fault "$(mib 80)"
	lives "$need" "$need" shared_memory_type=sysv huge_pages=off
	cgroup_limit fault max
	lives "$need" "$need" shared_memory_type=sysv huge_pages=try
}

test_postgres_sysv_is_huge_when_reservation_limit_and_pool_allow_all() {
	cluster 40
	may_make_huge_segments
	cgroup_limit rsvd 0
	lives 0 0 shared_memory_type=sysv huge_pages=off
	cgroup_limit rsvd "$(mib 20)"
	lives 0 0 shared_memory_type=sysv huge_pages=off
	cgroup_limit rsvd "$(mib 80)"
	lives "$need" "$need" shared_memory_type=sysv huge_pages=off
	pool_set 10
	lives 0 0 shared_memory_type=sysv huge_pages=off
	pool_set 0
	lives 0 0 shared_memory_type=sysv huge_pages=off
}

run_tests "$@"
