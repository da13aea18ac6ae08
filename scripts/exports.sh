#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh MAP - the global names a version script lists, and those in the file
# .names beside it, one a line, sorted
{
	sed -e 's,/\*.*\*/,,' -e 's/#.*//' "$1" | tr ';{}' '\n\n\n' | awk '
		/global:/ { on = 1; sub(/.*global:/, "") }
		/local:/ { on = 0 }
		on { gsub(/[[:space:]]/, ""); if ($0 ~ /^[A-Za-z_][A-Za-z_0-9]*$/ &&
			$0 !~ /^[A-Z]+_[0-9]/) print }'
	if [ -f "${1%.map}.names" ]; then
		sed -e 's/#.*//' -e '/^ *$/d' "${1%.map}.names"
	fi
} | sort -u
