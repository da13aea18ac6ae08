#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# SQLite computes the same under libhresv as without: a database read through mmap, one
# that grows while mapped, one in memory, a cache of many megabytes.
. "$(dirname "$0")/../harness/functions.sh"

mib() { echo $(($1 << 20)); }

work() {
	cat <<-'END'
		pragma mmap_size = 268435456;
		pragma cache_size = -40000;
		pragma journal_mode = wal;
		create table t (id integer primary key, a text, b real);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
			insert into t select i, printf('%0200d', i * 7919 % 100003), i / 7.0 from n;
		create index by_a on t (a);
		pragma wal_checkpoint(truncate);
		select count(*), sum(length(a)), round(sum(b), 3), min(a), max(a) from t;
		update t set b = b + 1 where id % 3 = 0;
		delete from t where id % 5 = 0;
		vacuum;
		select count(*), round(sum(b), 3) from t;
		select id from t order by a, id limit 5 offset 20000;
		pragma temp_store = memory;
		create temp table copy as select * from t;
		select count(*), sum(id) from copy where a in (select a from t where id % 2 = 0);
		pragma integrity_check;
	END
}

# result_of FILE COMMAND...
result_of() {
	local database=$1
	shift
	work | "$@" sqlite3 -bail "$database"
}

same_as_without_us() {
	rm -f plain.db ours.db
	result_of plain.db cgroup_exec >expected
	expect_contains expected "ok"
	result_of ours.db cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" >got || fail "status $?"
	diff expected got || fail "it computes something else"
	result_of :memory: cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" |
		tail -n 8 >got || fail "status $?"
	tail -n 8 expected | diff - got || fail "in memory it computes something else"
	pool_expect_unchanged
}

a_pod() {
	requires sqlite3
	cgroup_make pod
}

test_sqlite_computes_the_same_with_and_without_pages() {
	a_pod
	same_as_without_us
	pool_set 5
	same_as_without_us
	pool_set 80
	same_as_without_us
}

# Its file is mapped as it is; what it holds in memory is huge.
test_sqlite_with_a_large_cache_and_mmap_size_has_huge_pages() {
	local kb
	a_pod
	pool_set 80
	echo "awk '/_Hugetlb:/ { n += \$2 } END { print \"huge\", n + 0 }' /proc/\$1/smaps" >huge.sh
	{ work; echo '.shell sh huge.sh $PPID'; } |
		LD_PRELOAD="$BUILD/libhresv.so" sqlite3 -bail huge.db >got || fail "status $?: $(tail -n 3 got)"
	kb=$(awk '$1 == "huge" { print $2 }' got)
	echo "huge: $kb kB"
	[ "${kb:-0}" -ge 8192 ] || fail "of a cache of 40 MB $kb kB are huge: $(tail -n 3 got)"
	pool_expect_unchanged
}

test_sqlite_computes_the_same_under_a_fault_limit() {
	a_pod
	pool_set 80
	cgroup_limit fault 0
	same_as_without_us
	cgroup_limit fault "$(mib 10)"
	same_as_without_us
}

run_tests "$@"
