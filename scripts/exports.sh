#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh MAP - the global names a version script lists, and those in the file
# .names beside it, one a line, sorted
names() {
	while read -r word rest; do
		case $word in
		include) names "${1%/*}/$rest" ;;
		'' | '#'*) ;;
		*) echo "$word" ;;
		esac
	done <"$1"
}

{
	sed -e 's,/\*.*\*/,,' -e 's/#.*//' "$1" | tr ';{}' '\n\n\n' | awk '
		/global:/ { on = 1; sub(/.*global:/, "") }
		/local:/ { on = 0 }
		on { gsub(/[[:space:]]/, ""); if ($0 ~ /^[A-Za-z_][A-Za-z_0-9]*$/ &&
			$0 !~ /^[A-Z]+_[0-9]/) print }'
	if [ -f "${1%.map}.names" ]; then
		names "${1%.map}.names"
	fi
} | sort -u
