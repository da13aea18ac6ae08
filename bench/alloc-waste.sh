#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# alloc-waste.sh [ROUNDS] - the peak of whole programs' memory, beside plain jemalloc's
#
# Prints for each program the medians of the peaks, huge pages counted, with glibc's
# malloc, with Debian's jemalloc and with ours, and ours in parts of jemalloc's. What
# ours may be over it is a tenth and a huge page for each arena in use. POOL=n is the
# pool to set for the run (root), under its lock.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${HRESV_BUILD:-$here/../build}
rounds=${1:-3}
je=/usr/lib/$(uname -m)-linux-gnu/libjemalloc.so.2
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "${POOL:-}" ] || echo "$was" >/proc/sys/vm/nr_hugepages' EXIT
if [ -n "${POOL:-}" ]; then
	exec 9>"${HRESV_POOL_LOCK:-/run/lock/hresv-pool.lock}"
	flock 9
	was=$(cat /proc/sys/vm/nr_hugepages)
	echo "$POOL" >/proc/sys/vm/nr_hugepages
fi

cat >"$work/job.py" <<'END'
kept = {}
for i in range(400000):
    kept[i % 150000] = [i, str(i), (i, i + 1)]
    if i % 3 == 0:
        kept.pop((i * 7) % 150000, None)
text = " ".join(str(x) for x in kept)
print(len(text) > 0)
END
{
	echo 'int printf(const char *, ...);'
	for ((i = 0; i < 1500; i++)); do
		echo "int f$i(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * $i ^ a; printf(\"%d\", s); return s; }"
	done
} >"$work/large.c"
cat >"$work/job.sql" <<'END'
create table t(a integer primary key, b text, c integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 250000)
insert into t select i, hex(i * 7919), i % 1000 from n;
create index u on t(c, b);
select count(*), sum(c) from t where b like '%A%';
END
cc1=$(cc -print-prog-name=cc1)

run() { # NAME PRELOAD -> MiB
	local preload=$2
	case $1 in
	python) set -- env PYTHONMALLOC=malloc python3 "$work/job.py" ;;
	gcc) set -- "$cc1" -quiet -O2 -o "$work/large.s" "$work/large.c" ;;
	sqlite) set -- sqlite3 :memory: ".read $work/job.sql" ;;
	esac
	ALLOC_PRELOAD=$preload "$build/bench/alloc-measure" "$(command -v "$1")" "${@:2}" 2>&1 |
		awk 'NF == 5 && $3 > 0 { print $3 }'
}

printf '%-8s %9s %9s %9s %9s\n' MiB glibc jemalloc ours 'of je'
for program in python gcc sqlite; do
	for malloc in "" "$je" "$build/libhresv.so"; do
		for ((r = 0; r < rounds; r++)); do run "$program" "$malloc"; done |
			sort -n | sed -n "$(((rounds + 1) / 2))p"
	done | paste -s -d ' ' | awk -v p="$program" \
		'{ printf "%-8s %9.1f %9.1f %9.1f %9.3f\n", p, $1, $2, $3, $3 / $2 }'
done
