#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let prog-endure live for a while under libhresv, and see that it does not grow.

endure.py --build DIR --seconds N [--seed N] [--env NAME=VALUE,...]

Meanwhile the pool and a group's limits change. What the kernel holds for it in the evening
of a day (memory small and huge, mappings, descriptors) must in the last third of its life
not be more than in the second, but for what comes and goes with the days' own peaks. Exit 1: it is, or it did not live on.
The caller holds the pool's lock.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import movers

LINE = re.compile(r"day \d+ kb (\d+) mappings (\d+) descriptors (\d+)")
NAMES = ("kB of memory", "mappings", "descriptors")
MORE = (16384, 12, 1)       # what may come on top: a thread's buffers, mappings of a unit or two


def live(args):
    env = dict(os.environ, LD_PRELOAD=os.path.join(args.build, "libhresv.so"), **args.env)
    out = tempfile.TemporaryFile("w+")
    job = subprocess.Popen([f"{args.build}/tests/torture/prog-endure", str(args.seconds),
                            str(args.seed)], env=env, stdout=out, stderr=subprocess.STDOUT)
    moves, rng = [], random.Random(args.seed)
    for make in (movers.Pool, movers.Neighbour):
        try:
            moves.append(make())
        except movers.Absent as lack:
            print(f"without {lack}")
    end, steps = time.monotonic() + args.seconds, 0
    try:
        while job.poll() is None and time.monotonic() < end + 60:
            if time.monotonic() < end:
                rng.choice(moves).step(rng, [])
                steps += 1
            time.sleep(rng.choice([0.001, 0.02, 0.1]))
    finally:
        for mover in reversed(moves):
            mover.undo()
        job.kill()
        job.wait()
    print(f"{steps} changes of the pool and of its neighbours")
    out.seek(0)
    return job.returncode, out.read()


def judge(status, said):
    """What is wrong, as text; nothing when all is well."""
    days = [tuple(map(int, m)) for m in LINE.findall(said)]
    if status != 0 or len(days) < 6:
        return f"ends with {status} after {len(days)} days: {said.strip()[-500:]}"
    third = len(days) // 3
    worst = []
    for i, name in enumerate(NAMES):
        before = max(day[i] for day in days[third:2 * third])
        after = sorted(day[i] for day in days[2 * third:])
        typical = after[len(after) // 2]
        print(f"{name}: at most {before} before, {typical} typical and {after[-1]} at most then")
        if typical > before + MORE[i]:
            worst.append(f"{name} grow from {before} at most to {typical} typically")
    return "; ".join(worst)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--env", type=lambda e: dict(p.split("=", 1) for p in e.split(",")),
                        default={})
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    status, said = live(args)
    wrong = judge(status, said)
    print(said.strip().splitlines()[-1] if said.strip() else "it said nothing", wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
