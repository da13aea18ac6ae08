#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# alloc.sh [ROUNDS [CASE...]] - every malloc there is, one after the other, in rounds
#
# A CASE is alloc-churn's, with threads: mix.1 big.2 short.4. In every round each
# malloc runs each case once, the order moves on by one each round, and what is
# reported is the median over the rounds of the ratio to glibc in the same round:
# wall time, CPU time, peak memory with huge pages counted. PEERS=name,... picks;
# POOL=n is the pool of huge pages to set for the run (root), under its lock.
# OURS_CONF is a MALLOC_CONF for a further run of ours (name "try").
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${HRESV_BUILD:-$here/../build}
rounds=${1:-5}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- mix.1 mix.2 big.1 big.2 grow.1 heap.1 list.1 larson.2 short.2 short.8 cross.2
libs=/usr/lib/$(uname -m)-linux-gnu
only=${PEERS:-}
cases=("$@")

names=() preloads=() envs=()
peer() {
	[ -z "$2" ] || [ -e "$2" ] || return 0
	[ -z "$only" ] || [[ ",$only,glibc," == *",$1,"* ]] || return 0
	names+=("$1") preloads+=("$2") envs+=("${3:-X=1}")
}
peer glibc ""
peer glibc-huge "" GLIBC_TUNABLES=glibc.malloc.hugetlb=2
peer je "$libs/libjemalloc.so.2"
peer je-thp "$libs/libjemalloc.so.2" MALLOC_CONF=thp:always
peer mi "$libs/libmimalloc.so.2"
peer mi-huge "$libs/libmimalloc.so.2" MIMALLOC_LARGE_OS_PAGES=1
peer tc "$libs/libtcmalloc_minimal.so.4"
peer ours "$build/libhresv.so"
peer ours-malloc "$build/libhresv-malloc.so"
peer ours-small "$build/libhresv.so" HUGETLB_MORECORE=thp
[ -z "${OURS_CONF:-}" ] || peer try "$build/libhresv.so" "MALLOC_CONF=$OURS_CONF"

out=$(mktemp)
trap 'rm -f "$out"; [ -z "${POOL:-}" ] || echo "$was" >/proc/sys/vm/nr_hugepages' EXIT
if [ -n "${POOL:-}" ]; then
	exec 9>"${HRESV_POOL_LOCK:-/run/lock/hresv-pool.lock}"
	flock 9
	was=$(cat /proc/sys/vm/nr_hugepages)
	echo "$POOL" >/proc/sys/vm/nr_hugepages
fi
for ((r = 0; r < rounds; r++)); do
	for c in "${cases[@]}"; do
		for ((i = 0; i < ${#names[@]}; i++)); do
			p=$(((i + r) % ${#names[@]}))
			figures=$(env ALLOC_PRELOAD="${preloads[p]}" "${envs[p]}" \
				"$build/bench/alloc-measure" "$build/bench/alloc-churn" "${c%.*}" "${c#*.}") ||
				echo "failed: ${names[p]} $c" >&2
			echo "$r $c ${names[p]} $figures" >>"$out"
		done
	done
done
awk -v cases="${cases[*]}" -v names="${names[*]}" -v rounds="$rounds" '
function median(list, n,   i, j, t, v) {
	split(list, v, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j-1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t }
	return n % 2 ? v[(n+1)/2] : (v[n/2] + v[n/2+1]) / 2
}
{ wall[$1, $2, $3] = $4; cpu[$1, $2, $3] = $5; mem[$1, $2, $3] = $6; faults[$1, $2, $3] = $7 }
function ratios(kind, c, p,   r, s, n, v, b) {
	n = 0; s = ""
	for (r = 0; r < rounds; r++) {
		if (kind == "wall") { v = wall[r, c, p]; b = wall[r, c, "glibc"] }
		else if (kind == "cpu") { v = cpu[r, c, p]; b = cpu[r, c, "glibc"] }
		else { v = mem[r, c, p]; b = mem[r, c, "glibc"] }
		if (b > 0) { s = s " " v / b; n++ }
	}
	return median(s, n)
}
END {
	nc = split(cases, cs, " "); np = split(names, ns, " ")
	split("wall cpu memory", kinds, " ")
	for (k = 1; k <= 3; k++) {
		printf "%-12s", kinds[k]
		for (i = 1; i <= nc; i++) printf " %8s", cs[i]
		print "  geomean"
		for (j = 1; j <= np; j++) {
			printf "%-12s", ns[j]; g = 0
			for (i = 1; i <= nc; i++) { x = ratios(kinds[k], cs[i], ns[j]); g += log(x); printf " %8.3f", x }
			printf "  %.3f\n", exp(g / nc)
		}
	}
}' "$out"
