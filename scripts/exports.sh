#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh MAP - the global names a version script lists, one a line, sorted
sed -e 's,/\*.*\*/,,' -e 's/#.*//' "$1" | tr ';{}' '\n\n\n' | awk '
	/global:/ { on = 1; sub(/.*global:/, "") }
	/local:/ { on = 0 }
	on { gsub(/[[:space:]]/, ""); if ($0 != "") print }' | sort -u
