# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# redis.bash - a server of the contender's, for workloads/redis*.sh
#
# Debian's redis links jemalloc: who preloads nothing is given libc, so that glibc is glibc.
set -eu
client=$BUILD/tests/programs/prog-redis
port=$((20500 + $$ % 12000))
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT

# start: in $server, listening at $port
start() {
	local libc
	libc=$(ldconfig -p | awk '$1 == "libc.so.6" && /x86-64|AArch64/ { print $NF; exit }')
	case $LAUNCH in *LD_PRELOAD=*) ;; *) LAUNCH="env LD_PRELOAD=$libc ${LAUNCH#env}" ;; esac
	# shellcheck disable=SC2086 # words
	$LAUNCH redis-server --port $port --bind 127.0.0.1 --dir "$dir" --save '' \
		--daemonize no --logfile "$dir/log" --disable-thp no >/dev/null 2>&1 &
	server=$!
	for _ in $(seq 100); do
		! redis-cli -p $port ping >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	echo "redis does not start: $(tail -n 1 "$dir/log")"
	exit 1
}

# server_said: memory with huge pages counted, and CPU time, of the server
server_said() {
	awk '/^(VmRSS|HugetlbPages):/ { kib += $2 } END { print "metric server_mib", kib / 1024 }' "/proc/$server/status"
	awk -v hz="$(getconf CLK_TCK)" '{ print "metric server_cpu_s", ($14 + $15) / hz }' "/proc/$server/stat"
}
