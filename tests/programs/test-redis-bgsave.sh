#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 3600
# Redis saves in a child while clients overwrite every key: what is saved holds exactly
# the values of the moment of the fork, whatever the pool or a limit has to spare.
#
# HRESV_REDIS_MIB=1024 takes that much of values instead of 60. Every case there is, in
# turns with stock Redis, a line each in the file $HRESV_REDIS_TABLE:
#	for case in $(tests/programs/test-redis-bgsave.sh --cases); do
#		HRESV_REDIS_MIB=1024 HRESV_REDIS_CASE=$case HRESV_REDIS_TABLE=table \
#			tests/programs/test-redis-bgsave.sh one_case
#	done
. "$(dirname "$0")/../harness/functions.sh"
MIB=${HRESV_REDIS_MIB:-60}
TEST_TIMEOUT=$((300 + MIB * 3))

KEYS=$((MIB * 1024))	# of 1 KiB
port=$((20000 + $$ % 12000))	# below those the kernel deals out

stop() { kill -KILL "$1" 2>/dev/null || true; }

clients() { "$BUILD/tests/programs/prog-redis" "$port" "$KEYS" "$@"; }

# Launchers exec, so that $! is the server.
ours=(env "LD_PRELOAD=$BUILD/libhresv.so")
ours_without_uffd=("${ours[@]}" "$BUILD/tests/fork/prog-without-uffd")

# start_redis LAUNCHER... -- SETTING...: a server of its own in $tmp
start_redis() {
	local launcher=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		launcher+=("$1")
		shift
	done
	shift || true
	port=$((port + 1))
	"${launcher[@]}" redis-server --port "$port" --bind 127.0.0.1 --dir "$tmp" --save '' \
		--daemonize no --logfile "$tmp/log" --auto-aof-rewrite-percentage 0 "$@" >"$tmp/out" 2>&1 &
	launched=$!
	cleanup_fn stop "$launched"
	wait_until 20 redis-cli -p "$port" ping
	server=$(redis-cli -p "$port" info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')
	cleanup_fn stop "$server"
}

end_redis() {
	redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
	wait "$launched" 2>/dev/null || true
}

# tell WHAT BY SPARE
tell() {
	echo "# $* $(cat said)"
	[ -z "${HRESV_REDIS_TABLE:-}" ] ||
		echo "${HRESV_REDIS_CASE:-} $(cat said)" >>"$HRESV_REDIS_TABLE"
}

pool_is_free() { [ "$(pool_get free)" = "$(pool_get total)" ]; }

# leave_spare pool|limit|stock PERCENT: of what the server holds
leave_spare() {
	local used pages
	[ "$1" != stock ] || return 0
	used=$(($(pool_get total) - $(pool_get free)))
	pages=$((used + used * $2 / 100))
	if [ "$1" = limit ]; then
		cgroup_limit fault $((pages * $(default_page_bytes)))
	else
		echo "$pages" >"$(pool_file "$(default_page_bytes)" nr_hugepages)"
	fi
}

# Most of the keys' memory must have come from the pool, or nothing is tested.
loaded_server() {
	local by=$1
	shift
	pool_set $((MIB * 17 / 10 + 100))
	if [ "$by" = limit ]; then
		cgroup_make pod
		cgroup_limit fault max
		start_redis cgroup_exec "$@"
	else
		start_redis "$@"
	fi
	clients set a
	[ "$by" = stock ] || expect_huge_kb "$server" $((MIB * 1000)) $((MIB * 1700 + 100000))
}

# snapshot_holds pool|limit SPARE LAUNCHER...
snapshot_holds() {
	local by=$1 spare=$2
	shift 2
	loaded_server "$by" "$@"
	leave_spare "$by" "$spare"
	clients save bgsave b >said
	tell bgsave "$by" "$spare"
	clients check b
	end_redis
	wait_until 10 pool_is_free
	start_redis env
	clients wait loading 0
	clients check a
	end_redis
}

# rewrite_holds pool|limit SPARE LAUNCHER...: the append-only file, rewritten meanwhile
rewrite_holds() {
	local by=$1 spare=$2
	shift 2
	loaded_server "$by" "$@"
	clients ask config set appendonly yes >/dev/null
	clients wait aof_rewrite_in_progress 0
	clients wait aof_rewrite_scheduled 0
	leave_spare "$by" "$spare"
	clients save bgrewriteaof b >said
	tell rewrite "$by" "$spare"
	clients check b
	end_redis
	wait_until 10 pool_is_free
	# The child's part of it alone, and then the whole.
	cp "$tmp"/appendonlydir/*.base.rdb "$tmp/dump.rdb"
	start_redis env
	clients wait loading 0
	clients check a
	end_redis
	start_redis env -- --appendonly yes
	clients wait loading 0
	clients check b
	end_redis
}

needs() {
	requires redis-server redis-cli
	requires_file "$BUILD/tests/fork/prog-without-uffd"
}

all_cases() {
	local what how spare
	for what in snapshot rewrite; do
		echo $what/stock/0/stock
		for how in pool/%s/uffd pool/%s/none limit/%s/uffd; do
			for spare in 0 5 20 50 110; do
				printf "$what/$how\n" $spare
			done
		done
	done
}

one_case() {
	local what by spare how launch=(env)
	needs
	IFS=/ read -r what by spare how <<<"$HRESV_REDIS_CASE"
	case $how in
	uffd) launch=("${ours[@]}") ;;
	none) launch=("${ours_without_uffd[@]}") ;;
	esac
	"${what}_holds" "$by" "$spare" "${launch[@]}"
}

[ "${1:-}" != --cases ] || { all_cases; exit 0; }

test_redis_snapshot_holds_with_no_page_to_spare() { needs; snapshot_holds pool 0 "${ours[@]}"; }
test_redis_snapshot_holds_with_5_percent_to_spare() { needs; snapshot_holds pool 5 "${ours[@]}"; }
test_redis_snapshot_holds_with_20_percent_to_spare() { needs; snapshot_holds pool 20 "${ours[@]}"; }
test_redis_snapshot_holds_with_50_percent_to_spare() { needs; snapshot_holds pool 50 "${ours[@]}"; }
test_redis_snapshot_holds_with_100_percent_to_spare() { needs; snapshot_holds pool 110 "${ours[@]}"; }
test_redis_snapshot_holds_under_a_limit_with_nothing_to_spare() { needs; snapshot_holds limit 0 "${ours[@]}"; }
test_redis_snapshot_holds_without_userfaultfd_and_no_page_to_spare() { needs; snapshot_holds pool 0 "${ours_without_uffd[@]}"; }
test_redis_snapshot_holds_without_userfaultfd_and_50_percent_to_spare() { needs; snapshot_holds pool 50 "${ours_without_uffd[@]}"; }
test_redis_rewrite_holds_with_no_page_to_spare() { needs; rewrite_holds pool 0 "${ours[@]}"; }
test_redis_rewrite_holds_without_userfaultfd_and_no_page_to_spare() { needs; rewrite_holds pool 0 "${ours_without_uffd[@]}"; }

run_tests "$@"
