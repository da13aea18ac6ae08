#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# coverage.sh OBJDIR - lines reached of each source compiled into OBJDIR
set -euo pipefail

find "$1" -name '*.gcda' | LC_ALL=C sort | while read -r data; do
	gcov -n -o "$(dirname "$data")" "$data" 2>/dev/null
done | awk '
	/^File / { file = $2; gsub(/\x27/, "", file) }
	/^Lines executed:/ && file ~ /\.c$/ {
		split($2, part, /[:%]/)
		printf "%6.1f%% of %4d  %s\n", part[2], $4, file
		lines += $4; reached += part[2] * $4 / 100; file = ""
	}
	END { if (lines) printf "%6.1f%% of %4d  in all\n", 100 * reached / lines, lines }'
