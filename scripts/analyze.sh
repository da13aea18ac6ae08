#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# analyze.sh SOURCE KNOWN TOOL... - static analysers over the product's sources
#
# TOOL is cppcheck, gcc (-fanalyzer) or clang-tidy. What they find is a line "file check";
# KNOWN lists those that are wrong, with the reason behind a #. Exit 1: something else was
# found, or something listed is no longer found by a tool that ran (its line can go).
set -eu -o pipefail

source=$1 known=$2
shift 2
cd "$source"
flags=(-std=gnu11 -D_GNU_SOURCE= -I. -Iinclude '-DHRESV_CONF="/etc/hresv.conf"' '-DHRESV_LIBDIR="/usr/lib"')
mapfile -t files < <(ls core/*/*.c core/*.c preload/*.c allocator/*.c api/*.c compat/*.c tools/*.c)
jobs=$(nproc)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export GCC_COLORS=

# What is no fault in itself: style, what the project's own rules decide otherwise, and
# warnings of each printf whose value nobody needs.
tidy='-*,bugprone-*,clang-analyzer-*,portability-*,performance-*,concurrency-*'
tidy+=',-concurrency-mt-unsafe,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier'
tidy+=',-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions,-bugprone-macro-parentheses'
tidy+=',-bugprone-implicit-widening-of-multiplication-result,-bugprone-branch-clone'
tidy+=',-bugprone-not-null-terminated-result,-performance-no-int-to-ptr'
tidy+=',-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling'
tidy+=',-clang-analyzer-security.insecureAPI.strcpy'

run_cppcheck() {
	cppcheck -q -j"$jobs" --enable=warning,performance,portability --std=c11 -I. -Iinclude \
		-D_GNU_SOURCE= -D__x86_64__ -D__linux__ '-DElfW(x)=Elf64_##x' \
		--template='{file}:{line}: {message} [{id}]' "${files[@]}" 2>&1
}

run_gcc() {
	printf '%s\0' "${files[@]}" | xargs -0 -P"$jobs" -n1 \
		gcc "${flags[@]}" -O2 -fPIC -pthread -fanalyzer -c -o /dev/null 2>&1
}

run_clang-tidy() {
	printf '%s\0' "${files[@]}" | xargs -0 -P"$jobs" -I{} \
		clang-tidy --quiet --checks="$tidy" {} -- "${flags[@]}" 2>/dev/null
}

# "file check", once each
findings() {
	sed -nE "s,^($PWD/|\./)?([^: ]+):[0-9]+(:[0-9]+)?: .*\[-?(W)?([A-Za-z][A-Za-z0-9.,-]*)\]\$,\2 \5,p" "$1" |
		grep -vE ' (normalCheckLevelMaxBranches|checkersReport)$' | sort -u
}

status=0
for tool; do
	"run_$tool" >"$out/said" || true
	findings "$out/said" >"$out/found"
	sed -n "s/^$tool  *\([^#]*[^#[:space:]]\)[[:space:]]*#.*/\1/p" "$known" | sort -u >"$out/known"
	if [ -n "$(comm -3 "$out/found" "$out/known")" ]; then
		comm -23 "$out/found" "$out/known" | sed "s/^/$tool finds: /"
		comm -13 "$out/found" "$out/known" | sed "s/^/$tool no longer finds: /"
		comm -23 "$out/found" "$out/known" | while read -r file check; do
			grep -F "$check" "$out/said" | grep -F "$file" | head -n 3
		done
		status=1
	fi
done
exit $status
