#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# node.sh - node: a text of JSON made, compressed and sorted; its own text is 76 MiB
#
# section: programs
# brief:
# contenders: glibc ours ours-text
# pool: 200
# memory: 400
# show: wall_s
# needs: node
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/work.js" <<'JS'
let s = ''; for (let i = 0; i < 60000; i++) s += JSON.stringify({ i, t: 'x'.repeat(i % 17) });
console.log(require('zlib').gzipSync(s).length, [...s].sort().length);
JS
"$BENCH/measured" node "$work/work.js" 3>"$work/said"
echo "result $(tr ' ' _ <"$work/said")"
