#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# memcached under load keeps what it was given: with pages, with a pool that runs out
# under it, with a limit on faults, and without a pool; its slabs are huge.
. "$(dirname "$0")/../harness/functions.sh"

# client SOCKET ROUNDS: four at once set, read back, touch and delete; says how much came back.
client() {
	cat >client.py <<-'END'
		import socket, sys, threading

		path, rounds = sys.argv[1], int(sys.argv[2])
		KEYS = 600
		found = [0] * 4
		wrong = []

		def value(who, key, turn):
		    n = (key * 7919 + turn * 104729 + who) % (400 if key % 3 else 120000) + 1
		    return bytes([(key + turn * 31 + who) % 251]) * n

		def work(who):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(path)
		    f = s.makefile("rb", 1 << 16)
		    for turn in range(rounds):
		        for key in range(KEYS):
		            v = value(who, key, turn)
		            s.sendall(b"set %d:%d 0 0 %d\r\n%s\r\n" % (who, key, len(v), v))
		            if f.readline() != b"STORED\r\n":
		                wrong.append("not stored")
		        for key in range(KEYS):
		            s.sendall(b"get %d:%d\r\n" % (who, key))
		            head = f.readline().split()
		            if head == [b"END"]:
		                continue
		            got = f.read(int(head[3]) + 2)[:-2]
		            f.readline()
		            found[who] += 1
		            if got != value(who, key, turn):
		                wrong.append("%d:%d" % (who, key))
		        for key in range(0, KEYS, 5):
		            s.sendall(b"delete %d:%d\r\n" % (who, key))
		            f.readline()

		threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
		for t in threads:
		    t.start()
		for t in threads:
		    t.join()
		print(sum(found))
		sys.exit("wrong: %s" % wrong[:5] if wrong else 0)
	END
	timeout -s KILL 60 python3 client.py "$@" || fail "the clients: $?"
}

# Its number, and that of the shell that waits for it.
server= waiting=

started() { [ -S socket ] && [ -s pid ]; }

end_server() { kill -s KILL "$(cat "$1")" 2>/dev/null || :; }

# start COMMAND...: the server, run by COMMAND
start() {
	requires memcached python3
	cleanup_fn end_server "$tmp/pid"
	"$@" memcached -s "$tmp/socket" -P "$tmp/pid" -u "$(id -un)" -m 96 -I 8m -t 4 2>said &
	waiting=$!
	wait_until 10 started
	server=$(cat pid)
}

stop() {
	local status=0
	kill -s TERM "$server"
	wait "$waiting" || status=$?
	expect_eq "$status" 0 "$(tail -n 3 said)"
}

# 4 x 600 values, all of which fit, so all of them are there.
load() {
	local found
	found=$(client "$tmp/socket" "$1")
	expect_eq "$found" $((4 * 600 * $1))
}

under_us() { cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" "$@"; }

test_memcached_has_its_slabs_on_huge_pages() {
	cgroup_make pod
	pool_set 100
	start under_us
	load 2
	expect_huge_kb "$server" $((40 << 10)) $((200 << 10))
	stop
	pool_expect_unchanged
}

test_memcached_keeps_its_content_when_the_pool_runs_out() {
	cgroup_make pod
	pool_set 20
	start under_us
	load 2
	expect_huge_kb "$server" $((16 << 10)) $((40 << 10))
	stop
	pool_expect_unchanged
}

test_memcached_keeps_its_content_under_a_fault_limit() {
	cgroup_make pod
	pool_set 100
	cgroup_limit fault 16M
	start under_us
	load 2
	expect_huge_kb "$server" 0 $((16 << 10))
	stop
	pool_expect_unchanged
}

test_memcached_keeps_its_content_without_a_pool() {
	cgroup_make pod
	pool_set 0
	start under_us
	load 2
	expect_huge_kb "$server" 0 0
	stop
}

run_tests "$@"
