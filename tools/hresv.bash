# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# hresv.bash - completion of hresv for bash
#
# Asks the tool itself for its commands and their options, so that it knows them all.

_hresv_options() {
	"$1" help "$2" 2>/dev/null | grep -oE -- '(^|[^-[:alnum:]])--[a-z][a-z-]*=?' | grep -oE -- '--.*' | grep -vx -- '--name='
	[ "$2" != run ] || "$1" run --variables 2>/dev/null
}

# Where the program's own words begin: the index of its name, or nothing.
_hresv_program() {
	local i
	for ((i = $1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)); return ;;
		=) i=$((i + 1)) ;;
		-*) ;;
		*) echo "$i"; return ;;
		esac
	done
}

_hresv_value() {
	case $1 in
	--library | --library-path | --path | --stats | --conf | --share-path)
		mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	--fork) mapfile -t COMPREPLY < <(compgen -W 'auto share copy refuse' -- "$2") ;;
	--fallback) mapfile -t COMPREPLY < <(compgen -W 'thp small fail' -- "$2") ;;
	--explicit) mapfile -t COMPREPLY < <(compgen -W 'fail small' -- "$2") ;;
	--mmap | --shm | --promote | --active) mapfile -t COMPREPLY < <(compgen -W 'yes no' -- "$2") ;;
	--for) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
	esac
}

_hresv() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} at=1 command first
	COMPREPLY=()
	case ${COMP_WORDS[1]} in
	--root) at=3 ;;
	esac
	if [ "$COMP_CWORD" -le "$at" ]; then
		case $word in
		-*) mapfile -t COMPREPLY < <(compgen -W '--root --help --version' -- "$word") ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$("$1" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word") ;;
		esac
		return
	fi
	command=${COMP_WORDS[at]}
	case $command in
	run | check)
		first=$(_hresv_program $((at + 1)))
		if [ -n "$first" ] && [ "$first" -lt "$COMP_CWORD" ]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$first"
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$word")
			fi
			return
		fi
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$("$1" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word")
		return
		;;
	esac
	if [ "$word" = = ]; then
		_hresv_value "$previous" ""
	elif [ "$previous" = = ]; then
		_hresv_value "${COMP_WORDS[COMP_CWORD - 2]}" "$word"
	elif [[ $word == -* && $previous != -- ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_hresv_options "$1" "$command")" -- "$word")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
	else
		case $command in
		run | check) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
		status | why | map) mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [1-9]*)" -- "$word") ;;
		*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
		esac
	fi
}

complete -F _hresv hresv
