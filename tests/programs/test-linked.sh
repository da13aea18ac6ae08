#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Real programs linked with our malloc, nothing preloaded: the Python interpreter with the
# shared library, SQLite as a static program with the archive. They compute what they do
# without us, on huge pages, when these run out, under a limit and where there are none.
. "$(dirname "$0")/../harness/functions.sh"

python_package() {
	local name
	requires pkg-config
	for name in python-3.{15..8}-embed; do
		! pkg-config --exists "$name" || { echo "$name"; return; }
	done
	skip "libpython3-dev"
}

# An interpreter, linked as the user would: with ours before libc.
link_python() {
	local package
	requires_file "$BUILD/libhresv-malloc.so"
	package=$(python_package)
	printf '#include <Python.h>\nint main(int n, char **args) { return Py_BytesMain(n, args); }\n' >main.c
	# shellcheck disable=SC2046
	"${CC:-cc}" -w $(pkg-config --cflags "$package") -o "$1" main.c "${@:2}" \
		$(pkg-config --libs "$package") || skip "libpython to link with"
}

script() {
	cat <<-'END'
		import hashlib, json, subprocess, sys, threading, zlib

		sums = [None] * 3

		def work(n):
		    rows = [{"id": i, "name": "row %d" % (i * 7919 % 65537), "at": [i, i / 7.0, str(i) * 5]}
		            for i in range(n, 24000, 3)]
		    text = json.dumps(rows)
		    packed = zlib.compress(text.encode(), 1)
		    assert json.loads(zlib.decompress(packed)) == rows
		    sums[n] = hashlib.sha256(text.encode()).hexdigest()

		threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
		for t in threads:
		    t.start()
		for t in threads:
		    t.join()
		kept = [bytes([i % 256]) * 5000 for i in range(8000)]
		said = subprocess.run([sys.executable, "-c", "print(sum(len(str(i)) for i in range(100000)))"],
		                      stdout=subprocess.PIPE, check=True)
		assert all(kept[i] == bytes([i % 256]) * 5000 for i in range(len(kept)))
		print(sums, said.stdout)
		huge = 0
		for line in open("/proc/self/smaps"):
		    if line.startswith("Private_Hugetlb:"):
		        huge += int(line.split()[1])
		open("huge", "w").write(str(huge))
	END
}

# python MIN MAX: kB that are huge
python() {
	PYTHONMALLOC=malloc PYTHONHOME=/usr LD_LIBRARY_PATH=$tmp cgroup_exec timeout -s KILL 60 ./ours script.py >got ||
		fail "status $?"
	diff expected got || fail "it computes something else"
	[ "$(cat huge)" -ge "$1" ] && [ "$(cat huge)" -le "$2" ] ||
		fail "$(cat huge) kB huge, expected $1 to $2"
	pool_expect_unchanged
}

test_linked_python_computes_the_same_on_huge_and_small_pages() {
	link_python plain
	link_python ours -L"$BUILD" -Wl,--no-as-needed -lhresv-malloc
	ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	script >script.py
	PYTHONMALLOC=malloc PYTHONHOME=/usr ./plain script.py >expected || skip "a Python that runs"
	cgroup_make pod
	pool_set 0
	python 0 0
	pool_set 8
	python 4096 16384
	pool_set 90
	python 40000 180000
	cgroup_limit fault 10M
	python 0 10240
}

work() {
	cat <<-'END'
		create table t (id integer primary key, a text, b real);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 50000)
			insert into t select i, printf('%0900d', i * 7919 % 100003), i / 7.0 from n;
		create index by_a on t (a);
		select count(*), sum(length(a)), round(sum(b), 3), min(a), max(a) from t;
		delete from t where id % 5 = 0;
		vacuum;
		select count(*), round(sum(b), 3) from t;
		select id from t order by a, id limit 5 offset 20000;
		pragma integrity_check;
	END
}

link_sqlite() {
	cat >sql.c <<-'END'
		#include <sqlite3.h>
		#include <stdio.h>
		static int row(void *none, int n, char **value, char **name)
		{
			(void)none, (void)name;
			for (int i = 0; i < n; i++)
				printf("%s%s", i ? "|" : "", value[i] ? value[i] : "");
			puts("");
			return 0;
		}
		int main(void)
		{
			static char text[1 << 16];
			char line[256];
			long kib = 0, value;
			sqlite3 *db;
			FILE *smaps, *out = fopen("huge", "w");
			text[fread(text, 1, sizeof(text) - 1, stdin)] = 0;
			if (sqlite3_open(":memory:", &db) || sqlite3_exec(db, text, row, NULL, NULL)) {
				fprintf(stderr, "%s\n", sqlite3_errmsg(db));
				return 1;
			}
			smaps = fopen("/proc/self/smaps", "r");
			while (fgets(line, sizeof(line), smaps))
				if (sscanf(line, "Private_Hugetlb: %ld", &value) == 1)
					kib += value;
			fprintf(out, "%ld", kib);
			fclose(out);
			return sqlite3_close(db);
		}
	END
	"${CC:-cc}" -w -static -o "$1" sql.c "${@:2}" -lsqlite3 -lm -lpthread -ldl 2>/dev/null ||
		skip "libsqlite3.a"
}

# sqlite MIN MAX: kB that are huge
sqlite() {
	work | cgroup_exec timeout -s KILL 60 ./ours >got || fail "status $?"
	diff expected got || fail "it computes something else"
	[ "$(cat huge)" -ge "$1" ] && [ "$(cat huge)" -le "$2" ] ||
		fail "$(cat huge) kB huge, expected $1 to $2"
	pool_expect_unchanged
}

test_static_sqlite_computes_the_same_on_huge_and_small_pages() {
	requires_file "$BUILD/libhresv-malloc.a"
	link_sqlite plain
	# As pkg-config has it: the program itself mentions no malloc.
	link_sqlite ours -Wl,-u,malloc "$BUILD/libhresv-malloc.a"
	work | ./plain >expected
	expect_contains expected ok
	# It has dlsym, which finds no malloc there.
	work | HUGETLB_VERBOSE=2 ./ours >got 2>said
	expect_contains said malloc
	! grep 'stands aside' said || fail "ours takes itself for another's"
	cgroup_make pod
	pool_set 0
	sqlite 0 0
	pool_set 8
	sqlite 4096 16384
	pool_set 60
	sqlite 65536 122880
	cgroup_limit fault 10M
	sqlite 0 10240
}

run_tests "$@"
