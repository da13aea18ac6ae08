#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# dist.sh SRCDIR NAME - write NAME.tar.gz here: what git tracks, and configure
#
# The same commit gives the same bytes: names sorted, owners 0, modes normalised,
# one time for all files (the commit's, or SOURCE_DATE_EPOCH), no time in gzip.
set -euo pipefail

source=$(cd "$1" && pwd)
name=$2
out=$PWD/$name.tar.gz
when=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || echo 0)}

cd "$source"
{ git ls-files -z; printf 'configure\0'; } |
	LC_ALL=C sort -zu |
	tar --create --no-recursion --format=ustar --mtime="@$when" \
		--owner=0 --group=0 --numeric-owner --mode='u+rw,go+r-w,a+X' \
		--transform="s,^,$name/,S" --null --files-from=- |
	gzip -9n >"$out"
