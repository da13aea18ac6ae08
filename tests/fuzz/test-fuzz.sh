#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 86400
#
# Every parser on hostile input: a bounded run of each target under AddressSanitizer
# and UBSan, from the corpus in the tree. HRESV_FUZZ_SECONDS makes it long (make fuzz).
. "$(dirname "$0")/../harness/functions.sh"

SECONDS_EACH=${HRESV_FUZZ_SECONDS:-4}
TEST_TIMEOUT=$((SECONDS_EACH + 120))

# can_fuzz: clang may be there without its run-time library.
can_fuzz() {
	requires clang
	printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
		{ return d && n ? 0 : 0; }' >"$tmp/try.c"
	clang -fsanitize=fuzzer,address,undefined -o "$tmp/try" "$tmp/try.c" 2>/dev/null ||
		skip "clang with libFuzzer"
}

# fuzz TARGET SOURCE...: build it and let it run; what it finds is kept beside the build.
fuzz() {
	local target=$1 found=$BUILD/fuzz
	shift
	can_fuzz
	mkdir -p "$found" "$tmp/new"
	(cd "$SOURCE" && clang -g -O1 -std=gnu11 -D_GNU_SOURCE= -pthread -w -I. -I"$BUILD/.." -Iinclude \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o "$tmp/$target" "tests/fuzz/fuzz-$target.c" "$@")
	"$tmp/$target" -seed=1 -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=10 \
		-artifact_prefix="$found/$target-" "$tmp/new" "$SOURCE/tests/fuzz/corpus/$target" \
		>"$tmp/log" 2>&1 || fail "see $found/: $(grep -m3 -E 'ERROR|SUMMARY|runtime error' "$tmp/log")"
	# It must have tried more than the corpus, or it shows nothing.
	local runs
	runs=$(sed -n 's/.*Done \([0-9]*\) runs.*/\1/p' "$tmp/log")
	[ "${runs:-0}" -gt "${RUNS_LEAST:-1000}" ] || fail "only ${runs:-0} runs"
}

test_facts_survive_any_content_of_their_files() {
	fuzz facts "$SOURCE"/core/base/*.c "$SOURCE"/core/facts/*.c
}

test_environment_survives_any_content() {
	fuzz conf "$SOURCE"/core/base/*.c "$SOURCE"/core/facts/*.c
}

test_elf_survives_any_file() {
	[ -e /usr/include/gelf.h ] || skip libelf
	fuzz elf "$SOURCE"/tools/elf_read.c "$SOURCE"/tools/elf_pages.c "$SOURCE"/tools/elf_symbols.c \
		"$SOURCE"/tools/elf_notes.c -lelf
}

test_hresv_conf_survives_any_content() {
	fuzz conf-file "$SOURCE"/core/base/*.c "$SOURCE"/core/facts/{conf*,buildid}.c
}

test_check_survives_any_binary() {
	SECONDS_EACH=$(((SECONDS_EACH + 1) / 2))
	fuzz binary "$SOURCE"/tools/binary.c "$SOURCE"/core/facts/buildid.c
}

test_report_survives_any_process_and_any_file() {
	local RUNS_LEAST=100
	fuzz report "$SOURCE"/tools/{report,report_print,report_json,page,proc,smaps,screen,table,json,json_read}.c \
		"$SOURCE"/core/{base,facts,decide}/*.c "$SOURCE"/core/act/{stats,stats_table,stats_json,pagemap,slack,fallback}.c
}

# On a pool that some of them find empty. Each is many calls that fill and move memory.
test_api_keeps_what_it_holds_whatever_is_called() {
	local RUNS_LEAST=30
	pool_set 4
	fuzz api "$SOURCE"/core/*.c "$SOURCE"/core/{base,facts,decide,act}/*.c "$SOURCE"/api/*.c
}

run_tests "$@"
