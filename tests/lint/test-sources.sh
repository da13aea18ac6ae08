#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What holds for the sources as text: layers, sizes, licence lines, nothing of the
# machine they were written on.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/files.sh"

LINES_WANTED=400
LINES_MAX=450

# Layers from the ground up. A file includes files of lower layers and of its own
# directory. The edges (60) are beside each other: none includes another.
includes_that_point_up() {
	source_files '*.c' '*.h' | matching -v -e '^bench/' -e '^examples/' -e '^tests/' |
		xargs -r awk '
		function layer(path) {
			if (path ~ /^config\.h$/) return 0
			if (path ~ /^include\// || path == "hresv.h") return 0
			if (path ~ /^core\/base\//) return 10
			if (path ~ /^core\/facts\//) return 20
			if (path ~ /^core\/decide\//) return 30
			if (path ~ /^core\/act\//) return 40
			if (path ~ /^core\/[^\/]*$/) return 50
			if (path ~ /^(preload|allocator|compat|tools|api)\//) return 60
			if (path ~ /^tests\//) return 99
			return -1
		}
		function directory(path) { sub(/[^\/]*$/, "", path); return path }
		/^[ \t]*#[ \t]*include[ \t]*"/ {
			split($0, part, "\"")
			to = part[2]
			if (directory(to) == directory(FILENAME)) next
			if (layer(to) < 0)
				print FILENAME ":" FNR ": " to " is not a path from the root"
			else if (layer(to) >= layer(FILENAME))
				print FILENAME ":" FNR ": " to " is not below"
		}'
}

test_includes_point_down() {
	cd "$SOURCE"
	includes_that_point_up | report "includes"
}

test_c_files_are_short() {
	local file lines
	cd "$SOURCE"
	source_files '*.c' '*.h' | while read -r file; do
		lines=$(wc -l <"$file")
		if [ "$lines" -gt $LINES_MAX ]; then
			echo "$file has $lines lines"
		elif [ "$lines" -gt $LINES_WANTED ]; then
			echo "# $file has $lines lines; time to split it" >&2
		fi
	done | report "longer than $LINES_MAX lines"
}

test_every_file_names_its_licence() {
	local file
	cd "$SOURCE"
	source_files | matching -vE '(^|/)(LICENSE|VERSION|README[^/]*)$|^debian/(changelog|source/format)$|^tests/fuzz/corpus/|\.(md|svg|png|json|expected|flags)$' |
		while read -r file; do
			head -n 5 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file"
		done | report "no SPDX line"
}

# lines_with PATTERN: in any text file
lines_with() {
	source_files | tr '\n' '\0' | xargs -0 -r grep -InE "$1" || [ $? = 123 ]
}

# Brackets in the patterns keep this file from matching itself.
test_no_file_names_the_machine_it_was_written_on() {
	cd "$SOURCE"
	lines_with '/wor[k]/(main|shared)|/tm[p]/wt-|/hom[e]/[a-z]|/roo[t]/' |
		report "paths of one machine"
}

test_no_file_names_a_package_registry() {
	cd "$SOURCE"
	lines_with 'pypi[.]org|files[.]pythonhosted|npmjs[.](org|com)|crates[.]io|proxy[.]golang|(deb|ftp|security)[.]debian[.]org|rubygems[.]org|repo1?[.]maven' |
		report "registry hosts"
}

test_scripts_are_executable_if_they_have_a_shebang() {
	local file
	cd "$SOURCE"
	source_files | while read -r file; do
		[ "$(head -c 2 "$file" | tr -d '\0')" != '#!' ] || [ -x "$file" ] || echo "$file"
	done | report "not executable"
}

test_shellcheck_finds_no_error() {
	requires shellcheck
	cd "$SOURCE"
	source_files '*.sh' '.ci/run' | xargs -r shellcheck --severity=error --external-sources >"$tmp/said" ||
		report "shellcheck" <"$tmp/said"
}

test_man_pages_are_well_formed() {
	requires mandoc
	cd "$SOURCE"
	[ -n "$(source_files 'man/*.[1-8]')" ] || return 0
	# Which other manuals are installed, and how long the source's lines are, is no fault.
	{ source_files 'man/*.[1-8]' | xargs mandoc -T lint -W style 2>/dev/null || true; } |
		matching -vE 'referenced manual not found|longer than 80 bytes|outdated mandoc' |
		report "mandoc"
}

run_tests "$@"
