# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# files.sh - which files the lints look at: what git tracks or would, else all

# source_files [PATTERN...]: paths below $SOURCE, as git ls-files takes patterns
source_files() {
	cd "$SOURCE" || return
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@"
	else
		local pattern
		for pattern in "${@:-*}"; do
			find . -path ./build -prune -o -type f -path "./$pattern" -print
		done | sed 's,^\./,,' | grep -vxE 'config\.(h|mk|log|status)|configure'
	fi | sort -u | while read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

# report TITLE: fail with the lines on standard input, if there are any
report() {
	local lines
	lines=$(cat)
	[ -n "$lines" ] || return 0
	echo "$lines"
	fail "$1: $(echo "$lines" | head -n 5 | tr '\n' ';')"
}

# matching ARG...: grep, for which finding nothing is no failure
matching() { grep "$@" || [ $? = 1 ]; }
