#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Real, large programs do their work with their text and data on huge pages, forced,
# as they are unaligned: whether there are pages for all of it or for some.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

FORCED="HUGETLB_ELFMAP=RW HUGETLB_FORCE_ELFMAP=yes"

# text_huge FILE: MiB of text and data that were huge, from the tables in it
text_huge() {
	awk '/use +requests/ { next } $2 == "text" || $2 == "data" {
		for (i = 4; i < NF; i++) n++; kb += ($7 == "MiB" ? $6 * 1024 : $7 == "KiB" ? $6 : 0) }
		END { print int(kb / 1024) }' "$1"
}

# same_for COMMAND...: its output, with a few and enough pages
same_for() {
	local pages
	requires_2_mib
	"$@" >expected 2>expected.err
	for pages in 3 60; do
		pool_set $pages
		with_us $FORCED HUGETLB_VERBOSE=2 "$@" >got 2>err || fail "$pages pages: $? $(tail -n 3 err)"
		cmp expected got || fail "$pages pages: something else comes out"
		pool_expect_unchanged
	done
}

expect_text_huge() { [ "$(text_huge err)" -ge "$1" ] || fail "$(text_huge err) MiB are huge: $(cat err)"; }

test_node_runs_the_same_on_huge_text() {
	requires node
	cat >work.js <<-'END'
		const crypto = require('crypto'), zlib = require('zlib');
		let s = '';
		for (let i = 0; i < 20000; i++) s += JSON.stringify({ i, t: 'x'.repeat(i % 17) });
		const z = zlib.gzipSync(s);
		console.log(z.length, crypto.createHash('sha256').update(zlib.gunzipSync(z)).digest('hex'));
		console.log(s.split(/"t":"x{3}"/).length, [...s].sort().slice(0, 10).join(''));
		console.log(require('child_process').execFileSync(process.execPath, ['-p', '6 * 7']).toString());
	END
	same_for node work.js
	expect_text_huge 60
}

test_cc1_compiles_the_same_on_huge_text() {
	local cc1
	cc1=$(gcc -print-prog-name=cc1 2>/dev/null) || skip gcc
	requires_file "$cc1"
	gcc -E -I"$SOURCE" -I"$SOURCE/include" -D_GNU_SOURCE "$KINDS/kinds.c" -o kinds.i
	same_for "$cc1" -quiet -fpreprocessed -O2 kinds.i -o -
	expect_text_huge 20
}

test_python_computes_the_same_with_its_library_on_huge_text() {
	local python=/usr/bin/python3
	requires_file $python
	cat >work.py <<-'END'
		import hashlib, json, re, subprocess, sys, threading, zlib
		data = json.dumps([{'n': n, 's': 'x' * (n % 31)} for n in range(20000)])
		print(len(zlib.compress(data.encode())), hashlib.sha256(data.encode()).hexdigest())
		print(len(re.findall('"x{7}"', data)))
		out = []
		threads = [threading.Thread(target=lambda i=i: out.append(sum(range(i * 10000)))) for i in range(8)]
		[t.start() for t in threads]; [t.join() for t in threads]
		print(sorted(out), subprocess.run([sys.executable, '-c', 'print(7)'], capture_output=True).stdout)
	END
	same_for $python work.py
}

test_cpp_program_of_our_scripts_works_the_same() {
	local flags
	requires g++
	requires_2_mib
	cat >work.cc <<-'END'
		#include <algorithm>
		#include <iostream>
		#include <map>
		#include <memory>
		#include <random>
		#include <regex>
		#include <sstream>
		#include <stdexcept>
		#include <thread>
		#include <vector>
		struct shape { virtual ~shape() = default; virtual long area() const = 0; };
		struct square : shape { long a; explicit square(long n) : a(n) {} long area() const override { return a * a; } };
		static std::map<std::string, long> table{ { "one", 1 }, { "two", 2 } };
		thread_local long mine = 3;
		static long thrower(int n) { if (n % 3 == 0) throw std::runtime_error("three"); return n; }
		int main() {
			std::mt19937 random(7);
			std::vector<long> v(200000);
			long caught = 0, sum = 0;
			for (auto &x : v) x = random() % 100000;
			std::sort(v.begin(), v.end());
			for (int i = 0; i < 3000; i++) try { sum += thrower(i); } catch (const std::exception &e) { caught += e.what()[0]; }
			std::vector<std::thread> threads;
			for (int i = 0; i < 4; i++) threads.emplace_back([i] { mine += i; });
			for (auto &t : threads) t.join();
			std::stringstream s;
			for (auto &p : table) s << p.first << '=' << p.second << ' ';
			std::unique_ptr<shape> q(new square(12));
			std::cout << v[1000] << ' ' << v[199999] << ' ' << sum << ' ' << caught << ' ' << q->area() << ' '
				<< std::regex_replace(s.str(), std::regex("o(.)e"), "$1") << mine << std::endl;
		}
	END
	g++ -c -g -o work.o work.cc
	for flags in "-B $SOURCE/linker-scripts -Wl,--hugetlbfs-align" \
		"-static-libstdc++ -static-libgcc -Wl,@$SOURCE/linker-scripts/bfd.flags"; do
		# shellcheck disable=SC2086
		g++ -g -o aligned work.o -pthread $flags
		./aligned >expected
		for pages in 0 2 20; do
			pool_set $pages
			with_us HUGETLB_ELFMAP=RW HUGETLB_ELFLIBS=libstdc++.so.6 HUGETLB_VERBOSE=2 ./aligned >got 2>err ||
				fail "$flags, $pages pages: $? $(cat err)"
			diff expected got
		done
		expect_contains err "libhresv: text"
	done
}

PG=/usr/lib/postgresql/15/bin

# initdb and a server: ten processes, each with the text it was started with.
test_postgres_serves_on_huge_text() {
	requires_root
	requires_file $PG/initdb $PG/pgbench
	id postgres >/dev/null 2>&1 || skip "a user postgres"
	requires_2_mib
	pool_set 60
	chown postgres "$tmp"
	install -m 755 "$BUILD/libhresv.so" "$tmp"
	local us=(env LD_PRELOAD="$tmp/libhresv.so" HUGETLB_ELFMAP=RW HUGETLB_FORCE_ELFMAP=yes HUGETLB_MMAP=no HUGETLB_MORECORE=no HUGETLB_SHM=no)
	as_user postgres "${us[@]}" $PG/initdb -D "$tmp/data" -A trust -N >log 2>&1 || fail "$(tail -n 3 log)"
	as_user postgres "${us[@]}" $PG/postgres -D "$tmp/data" -h '' -k "$tmp" -c shared_buffers=8MB -c fsync=off >log 2>&1 &
	wait_until 20 as_user postgres $PG/psql -h "$tmp" -d postgres -c 'select 1'
	[ "$(huge_kb "$(head -n 1 "$tmp/data/postmaster.pid")")" -ge 4096 ] || fail "no huge text"
	as_user postgres $PG/pgbench -h "$tmp" -i -s 1 -q postgres >log 2>&1 || fail "$(tail -n 3 log)"
	as_user postgres $PG/pgbench -h "$tmp" -n -c 4 -j 2 -t 100 postgres >log 2>&1 || fail "$(tail -n 3 log)"
	expect_contains log "400/400"
	expect_eq "$(as_user postgres $PG/psql -h "$tmp" -d postgres -Atc \
		'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)')" t
	as_user postgres $PG/pg_ctl -D "$tmp/data" -m fast stop >log 2>&1 || fail "$(cat log)"
}

run_tests "$@"
