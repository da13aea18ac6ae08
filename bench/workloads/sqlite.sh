#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# sqlite.sh - a table of 500,000 rows in memory, an index, and a look through all of it
#
# section: programs
# goals: G16
# quick: -
# contenders: malloc
# pool: 300
# memory: 400
# show: wall_s
# needs: sqlite3
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/job.sql" <<'SQL'
create table t(a integer primary key, b text, c integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 500000)
insert into t select i, hex(i * 7919), i % 1000 from n;
create index u on t(c, b);
select count(*), sum(c) from t where b like '%A%';
select count(distinct b) from t;
delete from t where a % 3 = 0;
select c, count(*) from t group by c order by 2, 1 limit 5;
SQL
"$BENCH/measured" sqlite3 :memory: ".read $work/job.sql" 3>"$work/said"
echo "result $(md5sum <"$work/said" | cut -c 1-12)"
