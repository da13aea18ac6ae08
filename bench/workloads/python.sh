#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# python.sh - Python whose objects are malloc's (PYTHONMALLOC=malloc): a dictionary of tuples
# and texts that comes and goes
#
# section: programs
# goals: G16
# quick: -
# contenders: malloc
# pool: 300
# memory: 400
# show: cpu_s
# needs: /usr/bin/python3
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/job.py" <<'PY'
kept = {}
for i in range(1000000):
    kept[i % 150000] = [i, str(i), (i, i + 1)]
    if i % 3 == 0:
        kept.pop((i * 7) % 150000, None)
words = " ".join(str(x) for x in kept.values()).split()
print(len(words), sum(len(set(words[i::100])) for i in range(100)))
PY
export PYTHONMALLOC=malloc
"$BENCH/measured" /usr/bin/python3 "$work/job.py" 3>"$work/said"
echo "result $(tr ' ' _ <"$work/said")"
