#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# Every command of docs/ and README.md that a user would type works. Blocks marked "sh"
# are run, those of one file as one session, in a directory of its own; "sh cluster"
# is only read by the shell, "yaml" by a parser, "ini" by systemd.
TEST_TIMEOUT=350
. "$(dirname "$0")/../harness/functions.sh"

# blocks FILE MARK: the text of all blocks of that kind
blocks() { awk -v mark="$2" '/^```/ { on = !on && $0 == "```" mark; if ($0 == "```") on = 0; next } on' "$SOURCE/$1"; }

# What a fresh installation has, where any user may read it.
install_here() {
	requires_file "$BUILD/hresv"
	mkdir -p bin lib work
	install -m 755 "$BUILD/hresv" bin
	install -m 755 "$BUILD/libhresv.so" lib
	PATH=$tmp/bin:$(echo /usr/lib/postgresql/15/bin):$PATH
	unset LD_PRELOAD
	export PATH HUGETLB_CONF=/dev/null
	cd work
	chmod 777 .
}

# A session reads like a script, and ends at the first command that fails.
session() {
	blocks "$1" sh >session
	[ -s session ] || fail "$1 has no block to run"
	bash -eu session >said 2>&1 </dev/null || fail "$1: $(tail -n 3 said)"
}

test_docs_kubernetes_session_works() {
	install_here
	session docs/kubernetes.md
}

test_docs_systemd_session_works() {
	requires redis-server
	install_here
	session docs/systemd.md
}

test_docs_postgresql_session_works() {
	requires_root
	requires_file /usr/lib/postgresql/15/bin/initdb
	id postgres >/dev/null 2>&1 || skip "a user postgres"
	pool_set 0
	cleanup_fn stop_postgres "$tmp/work/data"
	install_here
	session docs/postgresql.md
	grep -qE '^Private_Hugetlb: +[1-9]|^Shared_Hugetlb: +[1-9]' said || fail "not huge: $(cat said)"
	grep -qE 'libhresv: (own huge|mmap) ' said || fail "no table: $(tail -n 8 said)"
}

stop_postgres() {
	[ ! -s "$1/postmaster.pid" ] || kill -QUIT "$(head -n 1 "$1/postmaster.pid")"
}

test_docs_redis_session_works() {
	requires redis-server redis-cli
	pool_set 16
	install_here
	session docs/redis.md
	grep -q 'libhresv: malloc ' said || fail "no table: $(tail -n 8 said)"
}

test_docs_jvm_session_works() {
	requires java
	pool_set 96
	install_here
	session docs/jvm.md
	expect_contains said "alive, 67108864"
}

test_docs_db2_and_oracle_session_works() {
	requires_root
	install_here
	session docs/db2-oracle.md
	expect_contains said "status 31"
	expect_contains said "nothing is wrong"
}

test_docs_migration_session_works() {
	requires sqlite3 hugectl
	install_here
	session docs/migration.md
}

# The README's own lines: what it tells to run is taken, and what it tells to check says
# something of this machine.
test_docs_readme_commands_are_taken() {
	local line status
	requires python3
	install_here
	sed -n 's/^    \(\$ \)\?\(hresv [^#]*\).*/\2/p' "$SOURCE/README.md" >lines
	[ "$(wc -l <lines)" -ge 2 ] || fail "it has $(wc -l <lines) lines"
	while read -r line; do
		status=0
		bash -c "${line/hresv run/hresv run --dry-run}" >said 2>&1 || status=$?
		case $status in
		0 | 1[0-9] | 3[0-9]) ;;
		*) fail "$line: status $status: $(head -n 3 said)" ;;
		esac
	done <lines
}

test_docs_have_no_block_that_is_not_run() {
	local file
	cd "$SOURCE"
	for file in README.md $(grep -lE '^```sh$' docs/*.md); do
		[ "$file" = README.md ] || grep -q "session $file\$" "${BASH_SOURCE[0]}" || fail "$file is not run"
	done
}

test_docs_blocks_for_a_cluster_are_shell() {
	local file
	for file in "$SOURCE"/docs/*.md; do
		blocks "${file#"$SOURCE/"}" "sh cluster" >session
		bash -n session || fail "$file"
	done
}

# A pod as the API has it: equal requests and limits, memory or CPU beside huge pages,
# the init container with the same limit.
test_docs_pods_are_well_formed() {
	requires python3
	python3 -c 'import yaml' 2>/dev/null || skip "PyYAML"
	blocks docs/kubernetes.md yaml >pod.yaml
	python3 - <<-'END'
		import yaml
		pod = yaml.safe_load(open("pod.yaml"))
		assert pod["kind"] == "Pod" and pod["apiVersion"] == "v1"
		spec = pod["spec"]
		every = spec["initContainers"] + spec["containers"]
		for c in every:
		    r = c["resources"]
		    assert r["requests"]["hugepages-2Mi"] == r["limits"]["hugepages-2Mi"] == "1Gi", c
		    assert "memory" in r["requests"] and c["command"][0] == "hresv", c
	END
}

test_docs_units_are_accepted_by_systemd() {
	requires systemd-analyze
	install_here
	blocks docs/systemd.md ini | sed -e "s,=hresv ,=$tmp/bin/hresv ,; s,/opt/db/bin/db,/bin/true," >all.conf
	csplit -s -z -f part all.conf '/^\[Service\]/' '{*}'
	[ "$(ls part* | wc -l)" -ge 2 ] || fail "units are missing"
	for part in part*; do
		grep -q '^\[Service\]' "$part" || continue
		cp "$part" "${part}.service"
		systemd-analyze verify "./${part}.service" >said 2>&1 || fail "$part: $(cat said)"
		! grep -iE 'unknown|invalid|failed to parse' said || fail "$part: $(cat said)"
	done
}

test_docs_name_only_files_that_are_there() {
	local file name
	cd "$SOURCE"
	sed 's,https*://[^ )]*,,g' README.md docs/{kubernetes,systemd,postgresql,redis,jvm,db2-oracle,migration}.md |
		grep -oE '(docs|tests|bench|examples|scripts|man)/[A-Za-z0-9_/-]+\.(md|sh|py|c|[1-8])\b' | sort -u |
		while read -r name; do
			[ -e "$name" ] || echo "$name"
		done >"$tmp/missing"
	[ ! -s "$tmp/missing" ] || fail "named, not there: $(tr '\n' ' ' <"$tmp/missing")"
}

run_tests "$@"
