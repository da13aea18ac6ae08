#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What SECURITY.md says of the libraries and of hresv, seen in what was built and in
# processes that run under it: no way in is opened that was not there.
. "$(dirname "$0")/../harness/functions.sh"

built() {
	local file any=no
	for file in libhresv.so libhresv-malloc.so compat/libhugetlbfs.so.0 hresv; do
		[ ! -e "$BUILD/$file" ] || { any=yes && echo "$BUILD/$file"; }
	done
	[ $any = yes ] || skip "something built"
}

# configured FLAG: the compiler had it
configured() { grep -qsE "^PRODUCT_(CFLAGS|LDFLAGS).* $1" "$BUILD/../config.mk" || skip "a compiler with $1"; }

test_stacks_are_protected() {
	local file
	requires nm
	configured -fstack-protector-strong
	for file in $(built); do
		nm -D --undefined-only "$file" >needed
		grep -q __stack_chk_fail needed || fail "${file##*/} checks no stack"
	done
}

# Each function that others call by a pointer: the processor is told that it may be.
test_what_is_exported_may_be_branched_to() {
	local mark=endbr64 file name
	requires objdump nm
	if [ "$(uname -m)" = aarch64 ]; then
		configured -mbranch-protection=standard
		mark='bti|paciasp'
	else
		configured -fcf-protection
	fi
	for file in $(built); do
		[ "${file##*/}" != hresv ] || continue
		nm -D --defined-only "$file" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort -u >exported
		objdump -d --no-show-raw-insn "$file" | awk -v mark="$mark" '
			/^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3); sub(/@.*/, "", name); first = 1; next }
			first && NF { first = 0; if ($0 !~ mark) print name }' | sort -u >unmarked
		name=$(comm -12 exported unmarked | head -5 | tr '\n' ' ')
		[ -s exported ] || fail "${file##*/} exports nothing"
		[ -z "$name" ] || fail "${file##*/}: not marked: $name"
	done
}

test_hresv_is_hardened() {
	local file=$BUILD/hresv
	requires readelf
	requires_file "$file"
	readelf -hldW "$file" >headers
	grep -q 'Type:.*DYN' headers || fail "it lies at one address"
	grep -q GNU_RELRO headers || fail "it has no RELRO"
	grep -qE 'BIND_NOW|Flags:.*NOW' headers || fail "it binds lazily"
	! grep -E '(LOAD|GNU_STACK).*RWE' headers || fail "it is writable and executable"
}

# A process that has all there is: huge and split pages, a heap, a child that shares, text.
ALL_THERE_IS='
import mmap, os, sys
m = [mmap.mmap(-1, 6 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(3)]
for i in m:
    i[::4096] = bytes(len(i) // 4096)
m[1].resize(5 << 20)
b = [bytearray(3 << 20) for i in range(3)]
pid = os.fork()
if pid == 0:
    m[0][::4096] = b"x" * 1536
    exec(sys.argv[1])
    os._exit(0)
m[2][::4096] = b"y" * 1536
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
exec(sys.argv[1])
'

# everything DO [COMMAND]: python that has all there is does it in the child and in the parent,
# under libhresv or, with COMMAND env, without it
everything() {
	requires python3
	pool_set "${POOL:-60}"
	HUGETLB_ELFMAP=RW HUGETLB_MALLOC_START=0 "${2:-preload}" python3 -c "$ALL_THERE_IS" "$1"
}

test_no_memory_is_writable_and_executable() {
	local look='print(*(l for l in open("/proc/self/maps") if "wx" in l.split()[1]), end="")'
	everything "$look" >seen
	POOL=13 everything "$look" >>seen
	[ ! -s seen ] || fail "$(head -3 seen)"
}

# What is executed has what it would have without us.
test_no_descriptor_of_ours_is_left_to_what_is_executed() {
	local see='sys.stdout.flush(); os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", "exec ls /proc/$$/fd"])' pool
	local become='sys.stdout.flush(); os.execv("/bin/sh", ["sh", "-c", "exec ls /proc/$$/fd"])'
	everything "$see" env >plain
	grep -q . plain || fail "nothing seen"
	everything "$become" env >plain-become
	for pool in 60 13; do
		POOL=$pool everything "$see" >seen
		cmp plain seen || fail "with a pool of $pool: $(tr '\n' ' ' <seen)"
		POOL=$pool everything "$become" >seen
		cmp plain-become seen || fail "in its place, with a pool of $pool: $(tr '\n' ' ' <seen)"
	done
}

# Of another process, and of another user: pages come back cleared.
test_pages_of_the_pool_say_nothing_of_who_had_them() {
	local map='import mmap, sys
m = mmap.mmap(-1, 6 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
huge = sum(int(l.split()[1]) for l in open("/proc/self/smaps") if l.startswith("Private_Hugetlb"))
if sys.argv[1] == "write":
    m[:] = b"secret" * (1 << 20)
elif m[:] != bytes(6 << 20):
    sys.exit("it says " + repr(m[:64]))
print(huge)'
	requires python3
	pool_set 3
	expect_eq "$(HUGETLB_MORECORE=no preload python3 -c "$map" write)" 6144
	expect_eq "$(HUGETLB_MORECORE=no preload python3 -c "$map" read)" 6144
}

run_tests "$@"
