#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# deb.sh SRCDIR OUT - build the Debian packages of what git tracks into OUT
#
# In a copy below OUT, so that the tree stays as it is. DEB_BUILD_OPTIONS goes to
# dpkg-buildpackage.
set -euo pipefail

source=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)

command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || {
	echo "deb: dpkg-dev and debhelper are needed" >&2
	exit 1
}
rm -rf "$out/hresv" "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mkdir "$out/hresv"
cd "$source"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	git ls-files -co --exclude-standard -z
else
	find . -path ./build -prune -o -type f -print0
fi | while IFS= read -r -d '' file; do
	[ ! -e "$file" ] || printf '%s\0' "$file"
done | tar --create --null --files-from=- | tar --extract --directory="$out/hresv"

cd "$out/hresv"
# What make set up for us is not meant for the package's own build.
unset MAKEFLAGS MAKELEVEL MFLAGS CFLAGS CI BUILD
DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-parallel=$(nproc)} \
	dpkg-buildpackage --build=binary --no-sign --jobs-try="$(nproc)" >"$out/log" 2>&1 || {
	tail -n 30 "$out/log" >&2
	exit 1
}
cd "$out"
rm -rf hresv
ls ./*.deb
