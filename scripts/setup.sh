#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# setup.sh [STAMP] - install the Debian packages that are missing, and nothing else
#
# Costs one dpkg-query when nothing is missing. Without root, sudo or apt it says
# what is missing and succeeds: the build and each test say for themselves what
# they cannot do. No server is started by being installed.
#
# STAMP, if given, is rewritten when the set of installed packages has changed;
# config.mk depends on it, so that what was just installed is found.
set -euo pipefail

here=$(dirname "$0")
stamp=${1:-}

wanted() {
	sed -e 's/#.*//' -e 's/[[:space:]].*//' -e '/^$/d' "$here/packages.txt"
}

installed() {
	local names
	mapfile -t names < <(wanted)
	dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${names[@]}" 2>/dev/null |
		awk '$2 == "installed" { print $1 }' | sort -u || true
}

missing() {
	comm -23 <(wanted | sort -u) <(installed)
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_install() {
	command -v apt-get >/dev/null || return 1
	[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confold "$@"
}

# invoke-rc.d asks this program whether a server may start; 101 means no. One
# that is there already is the administrator's and stays.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_servers() {
	[ -e "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	policy_is_ours=yes
}

allow_servers() {
	[ "$policy_is_ours" = no ] || as_root rm -f "$policy"
}

install_packages() {
	forbid_servers
	trap allow_servers EXIT
	apt update >/dev/null || echo "setup: apt-get update failed; trying with the lists at hand"
	if ! apt install -y --no-install-recommends "$@"; then
		# One name unknown to this release must not cost the others.
		local name
		for name in "$@"; do
			apt install -y --no-install-recommends "$name" >/dev/null ||
				echo "setup: cannot install $name"
		done
	fi
}

write_stamp() {
	[ -n "$stamp" ] || return 0
	mkdir -p "$(dirname "$stamp")"
	installed >"$stamp.new"
	if cmp -s "$stamp.new" "$stamp"; then
		rm -f "$stamp.new"
	else
		mv "$stamp.new" "$stamp"
	fi
}

if ! command -v dpkg-query >/dev/null; then
	echo "setup: not a Debian system; scripts/packages.txt names what is used"
	exit 0
fi

mapfile -t lacking < <(missing)
if [ ${#lacking[@]} -gt 0 ]; then
	if can_install; then
		echo "setup: installing ${lacking[*]}"
		install_packages "${lacking[@]}"
	else
		echo "setup: not installed, and neither root nor sudo to do it: ${lacking[*]}"
	fi
fi
write_stamp
