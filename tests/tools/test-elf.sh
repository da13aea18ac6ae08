#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `hresv elf` counts what a remap then takes, marks and takes marks away, and answers
# damaged files with a line, not with a signal.
. "$(dirname "$0")/../harness/functions.sh"
. "$SOURCE/tests/elf/kinds.sh"

hresv=$BUILD/hresv

has_elf() {
	requires_file "$hresv"
	[ "$("$hresv" help | grep -c '^  elf ')" = 1 ] || skip "libelf"
}

# field FILE EXPRESSION: of the JSON about it
field() { "$hresv" elf --json "$1" | python3 -c "import json, sys; f = json.load(sys.stdin)['files'][0]; print($2)"; }

expect_counted() {
	local name=$1 pages=$2 counted
	shift 2
	rm -f held
	env LD_PRELOAD="$BUILD/libhresv.so" HUGETLB_MMAP=no HUGETLB_MORECORE=no HUGETLB_ELFMAP=RW \
		"$@" ./"$name" hold >held &
	wait_until 10 grep -q holding held
	counted=$(field "$name" "'%d %d' % (sum(s['$pages']['least'] for s in f['segments']), sum(s['$pages']['most'] for s in f['segments']))")
	[ "$(($(huge_kb $!) / 2048))" -ge "${counted% *}" ] && [ "$(($(huge_kb $!) / 2048))" -le "${counted#* }" ] ||
		fail "$name: $pages $counted, but $(($(huge_kb $!) / 2048)) are taken"
	kill $!
}

test_elf_counts_the_pages_a_remap_takes() {
	has_elf
	requires python3
	requires_2_mib
	pool_set 60
	build aligned $BOTH
	build plain
	build fixed -fno-pie -no-pie
	build relro_in_data -fno-pie -no-pie $ALIGN -Wl,-z,norelro
	build on_a_line -fno-pie -no-pie -DKINDS_APART \
		-Wl,--section-start=.apart1=0x21200000 -Wl,--section-start=.apart2=0x22401000
	expect_counted on_a_line pages_now
	expect_eq "$(field on_a_line "sum(s['pages_now']['most'] for s in f['segments'])")" 1
	expect_counted aligned pages_now
	expect_counted relro_in_data pages_now
	expect_counted plain pages_now
	expect_counted plain pages_forced HUGETLB_FORCE_ELFMAP=yes
	expect_counted fixed pages_forced HUGETLB_FORCE_ELFMAP=yes
	expect_eq "$(field aligned "sum(s['pages_relinked'] for s in f['segments'])")" \
		"$(field aligned "sum(s['pages_now']['most'] for s in f['segments'])")"
}

test_elf_says_what_a_preload_reaches() {
	has_elf
	requires python3
	build prog $BOTH
	"$GCC" -DKINDS_STATIC -static-pie -o static "$KINDS/kinds.c" 2>/dev/null || skip "static libc"
	cp prog setuid
	chmod u+s setuid
	expect_eq "$(field prog "f['preload_reaches'], f['kind'], f['position_independent'], f['relro']")" \
		"True program True True"
	expect_eq "$(field prog "'libkinds.so' in f['needed'], len(f['build_id'])")" "True 40"
	expect_eq "$(field static "f['preload_reaches'], f['notes'][0]['code']")" "False static"
	expect_eq "$(field setuid "f['preload_reaches'], f['notes'][0]['code']")" "False privileged"
	expect_eq "$(field libkinds.so "f['kind']")" library
	printf 'void *mallocx(unsigned long n, int f) { return (void *)(n + f); }\nint main(void) { return 0; }' |
		"$GCC" -x c -o je -
	expect_eq "$(field je "f['allocator']")" jemalloc
	"$hresv" elf prog >said
	expect_contains said "a preload reaches it"
	"$hresv" elf prog --json >behind
	"$hresv" elf --json prog | cmp - behind
}

test_elf_marks_on_a_copy_byte_exact() {
	has_elf
	requires python3 cmp
	requires_2_mib
	build prog $BOTH
	chmod 751 prog
	cp -p prog old
	ln -s prog link
	"$hresv" elf --mark text,data link
	[ -L link ] || fail "the link is gone"
	expect_eq "$(stat -c '%a %s' prog)" "$(stat -c '%a %s' old)"
	expect_eq "$(field prog "sum(s['marked'] for s in f['segments'])")" "$(readelf -lW prog | grep -c LOAD)"
	[ "$(cmp -l old prog | wc -l)" = "$(readelf -lW prog | grep -c LOAD)" ] || fail "more than the marks differs"
	pool_set 40
	./old >prog.expected
	same_with_us prog
	expect_where_huge prog "text r-xp huge" "bss rw-p huge"
	with_us HUGETLB_ELFMAP=no ./prog where >where
	! grep -q huge where || fail "no is not no: $(cat where)"
	"$hresv" elf --unmark prog
	cmp old prog
	"$hresv" elf --mark data prog
	with_us ./prog where >where
	expect_contains where "text r-xp small"
	expect_contains where "data rw-p huge"
	ln prog hard
	expect_exit 1 "$hresv" elf --unmark prog 2>said
	expect_contains said "several names"
	expect_eq "$(find . -name 'prog.??????')" ""
}

expect_where_huge() {
	local name=$1 line
	shift
	with_us ./"$name" where >where
	for line; do
		expect_contains where "$line"
	done
}

test_elf_mark_of_hugeedit_is_understood() {
	has_elf
	requires python3 hugeedit
	build prog $BOTH
	hugeedit --data prog >/dev/null 2>&1 || skip "a hugeedit that works"
	expect_eq "$(field prog "sum(s['marked'] for s in f['segments'])")" 1
}

test_elf_answers_mistakes_with_a_line() {
	has_elf
	expect_exit 2 "$hresv" elf 2>said
	expect_exit 2 "$hresv" elf --mark code prog 2>said
	expect_exit 2 "$hresv" elf --page-size 3M /bin/sh 2>said
	expect_exit 1 "$hresv" elf /nowhere /bin/sh >out 2>said
	expect_contains said "No such file"
	expect_contains out "/bin/sh: program"
	: >empty
	mkfifo fifo
	head -c 40 /bin/sh >short
	for file in empty fifo short . "$0"; do
		expect_exit 1 timeout 10 "$hresv" elf "$file" 2>said
		expect_eq "$(wc -l <said)" 1
	done
}

# Real files, cut off and with bytes changed where headers are: always the same ones.
test_elf_survives_a_thousand_damaged_files() {
	has_elf
	requires python3
	build prog $BOTH
	cat >fuzz.py <<-'END'
		import random, subprocess, sys
		hresv, files = sys.argv[1], sys.argv[2:]
		random.seed(20)
		seen = set()
		for n in range(50):
		    names = []
		    for i in range(20):
		        data = bytearray(open(random.choice(files), 'rb').read()[:300000])
		        if random.random() < .3:
		            del data[random.randrange(len(data)):]
		        for _ in range(random.choice((1, 1, 2, 8, 64))):
		            limit = random.choice((64, 1200, len(data)))
		            if data:
		                data[random.randrange(min(limit, len(data)))] = \
		                    random.choice((0, 1, 0x7f, 0x80, 0xff, random.randrange(256)))
		        open('damaged-%d' % i, 'wb').write(data)
		        names.append('damaged-%d' % i)
		    for mode in (['--json'], []):
		        r = subprocess.run([hresv, 'elf'] + mode + names, capture_output=True, timeout=20)
		        if r.returncode not in (0, 1):
		            sys.exit('round %d %s: status %d %s' % (n, mode, r.returncode, r.stderr[-300:]))
		        for line in r.stderr.decode().splitlines():
		            if not line.startswith('hresv: damaged-'):
		                sys.exit('round %d: %s' % (n, line))
		            seen.add(line.split(': ', 2)[2])
		    r = subprocess.run([hresv, 'elf', '--mark', 'text,data'] + names, capture_output=True, timeout=20)
		    if r.returncode not in (0, 1):
		        sys.exit('round %d mark: status %d' % (n, r.returncode))
		print(len(seen), 'kinds of damage:', *sorted(seen), sep='\n')
		sys.exit(len(seen) < 3)
	END
	python3 fuzz.py "$hresv" prog libkinds.so /bin/sh || fail "$(python3 fuzz.py "$hresv" prog libkinds.so /bin/sh 2>&1 | tail -n 1)"
}

run_tests "$@"
