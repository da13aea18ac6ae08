#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# gcc.sh - the compiler on one large file, at -O2
#
# section: programs
# contenders: malloc ours-text
# few: glibc glibc-thp mimalloc-huge tcmalloc-memfs ours
# pool: 300
# memory: 400
# show: wall_s
# needs: cc
# timeout: 120
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	echo 'int printf(const char *, ...);'
	for ((i = 0; i < 1200; i++)); do
		echo "int f$i(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * $i ^ a; printf(\"%d\", s); return s; }"
	done
} >"$work/large.c"
"$BENCH/measured" "$(cc -print-prog-name=cc1)" -quiet -O2 -o "$work/large.s" "$work/large.c" 3>&1
echo "result $(grep -v ident "$work/large.s" | sed 's,/.*large,large,' | md5sum | cut -c 1-12)"
