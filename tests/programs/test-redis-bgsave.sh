#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# Redis saves a snapshot in a child while clients overwrite every key: the snapshot
# holds exactly the values of the moment of the fork, whatever the pool has to spare.
. "$(dirname "$0")/../harness/functions.sh"
TEST_TIMEOUT=300

KEYS=60000	# of 1 KiB
aof=no
port=$((20000 + $$ % 20000))

stop() { kill -KILL "$1" 2>/dev/null || true; }

cli() { redis-cli -p "$port" "$@"; }

# Launchers exec, so that $! is the server.
ours=(env "LD_PRELOAD=$BUILD/libhresv.so")
ours_without_uffd=("${ours[@]}" "$BUILD/tests/fork/prog-without-uffd")

# start_redis LAUNCHER...: a server of its own in $tmp
start_redis() {
	"$@" redis-server --port "$port" --bind 127.0.0.1 --dir "$tmp" --save '' --appendonly "$aof" \
		--daemonize no --logfile "$tmp/log" --proto-max-bulk-len 1mb >"$tmp/out" 2>&1 &
	server=$!
	cleanup_fn stop "$server"
	wait_until 20 cli ping
}

# clients PYTHON: with set_all(letter), check_all(letter), reply(command...)
clients() {
	KEYS=$KEYS PORT=$port python3 - <<-END
		import os, socket, time
		keys, port = int(os.environ["KEYS"]), int(os.environ["PORT"])
		s = socket.create_connection(("127.0.0.1", port))
		f = s.makefile("rb")
		def send(*words):
		    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
		    return b"*%d\r\n" % len(words) + b"".join(b"\$%d\r\n%s\r\n" % (len(w), w) for w in words)
		def answer():
		    line = f.readline()
		    assert line and not line.startswith(b"-"), line
		    if line.startswith(b"\$"):
		        n = int(line[1:])
		        return None if n < 0 else f.read(n + 2)[:-2]
		    return line.strip()
		def reply(*words):
		    s.sendall(send(*words))
		    return answer()
		def value(letter, i):
		    return (b"%s%08d" % (letter.encode(), i)) * 113
		def many(make, judge):
		    longest = 0
		    for lo in range(0, keys, 500):
		        then = time.monotonic()
		        s.sendall(b"".join(make(i) for i in range(lo, lo + 500)))
		        for i in range(lo, lo + 500):
		            judge(i, answer())
		        longest = max(longest, time.monotonic() - then)
		    return longest
		def stored(i, got):
		    assert got == b"+OK", (i, got)
		def set_all(letter):
		    return many(lambda i: send("set", "key:%d" % i, value(letter, i)), stored)
		def check_all(letter):
		    wrong = []
		    many(lambda i: send("get", "key:%d" % i),
		         lambda i, got: got == value(letter, i) or wrong.append(i))
		    assert not wrong, "%d wrong keys, first %d" % (len(wrong), wrong[0])
		def info(name):
		    for line in reply("info", "persistence").decode().split("\r\n"):
		        if line.startswith(name + ":"):
		            return line.split(":", 1)[1]
		def wait_for(name, value):
		    end = time.monotonic() + 60
		    while info(name) != value:
		        assert time.monotonic() < end, "waited in vain for " + name
		        time.sleep(0.02)
		$1
	END
}

# snapshot_holds SPARE LAUNCHER...: pages to spare in percent of what the server holds
snapshot_holds() {
	local spare=$1 used
	shift
	pool_set 220
	start_redis "$@"
	clients 'set_all("a")'
	expect_huge_kb "$server" 60000 450560
	used=$(($(pool_get total) - $(pool_get free)))
	echo $((used + used * spare / 100)) >"$(pool_file "$(default_page_bytes)" nr_hugepages)"
	clients 'reply("bgsave")
longest = set_all("b")
wait_for("rdb_bgsave_in_progress", "0")
assert info("rdb_last_bgsave_status") == "ok", info("rdb_last_bgsave_status")
check_all("b")
print("# longest wait of 500 keys: %.1f ms" % (longest * 1000))'
	cli shutdown nosave || true
	wait_until 10 pool_is_free
	start_redis env
	clients 'wait_for("loading", "0")
check_all("a")'
	cli shutdown nosave || true
}

pool_is_free() { [ "$(pool_get free)" = "$(pool_get total)" ]; }

# rewrite_holds SPARE LAUNCHER...: the append-only file, rewritten meanwhile
rewrite_holds() {
	local spare=$1 used
	shift
	pool_set 220
	start_redis "$@"
	clients 'set_all("a")'
	used=$(($(pool_get total) - $(pool_get free)))
	echo $((used + used * spare / 100)) >"$(pool_file "$(default_page_bytes)" nr_hugepages)"
	clients 'reply("config", "set", "appendonly", "yes")
wait_for("aof_rewrite_in_progress", "0")
wait_for("aof_rewrite_scheduled", "0")
reply("bgrewriteaof")
set_all("b")
wait_for("aof_rewrite_in_progress", "0")
assert info("aof_last_bgrewrite_status") == "ok"
check_all("b")'
	cli shutdown nosave || true
	aof=yes
	start_redis env
	clients 'wait_for("loading", "0")
check_all("b")'
	cli shutdown nosave || true
}

needs() {
	requires redis-server redis-cli python3
	requires_file "$BUILD/tests/fork/prog-without-uffd"
}

test_redis_snapshot_holds_with_no_page_to_spare() { needs; snapshot_holds 0 "${ours[@]}"; }
test_redis_snapshot_holds_with_5_percent_to_spare() { needs; snapshot_holds 5 "${ours[@]}"; }
test_redis_snapshot_holds_with_20_percent_to_spare() { needs; snapshot_holds 20 "${ours[@]}"; }
test_redis_snapshot_holds_with_50_percent_to_spare() { needs; snapshot_holds 50 "${ours[@]}"; }
test_redis_snapshot_holds_with_100_percent_to_spare() { needs; snapshot_holds 110 "${ours[@]}"; }
test_redis_snapshot_holds_without_userfaultfd_and_no_page_to_spare() { needs; snapshot_holds 0 "${ours_without_uffd[@]}"; }
test_redis_snapshot_holds_without_userfaultfd_and_50_percent_to_spare() { needs; snapshot_holds 50 "${ours_without_uffd[@]}"; }
test_redis_rewrite_holds_with_no_page_to_spare() { needs; rewrite_holds 0 "${ours[@]}"; }

run_tests "$@"
