#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run programs under libhresv while everything that can move does.

squeeze.py --build DIR [--seconds N] [--seed N] [--only KIND,...] [--still MOVER,...]
           [--env NAME=VALUE]

Every round starts with a seed it prints: three programs at a time run, the pool, the
limits, mounts, neighbours, memory and signals move every few milliseconds, and each
program must say what it says on a quiet machine without libhresv. After a round every
page is back. Exit 1: something was not as it should be, with the seed that shows it.

The caller holds the pool's lock.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import jobs
import movers

AT_ONCE = 3
ROUND_S = 12
SEEDS = 4
SETTLE_S = 10

ENVIRONMENTS = [
    {}, {"HUGETLB_FORK": "share"}, {"HUGETLB_FORK": "copy"}, {"HUGETLB_LIMIT": "24M"},
    {"HUGETLB_KEEP_FREE": "3"}, {"HUGETLB_FALLBACK": "small"}, {"HUGETLB_PROMOTE": "no"},
    {"HUGETLB_MALLOC_START": "0"}, {"HUGETLB_MMAP_MIN": "4M"}, {"HUGETLB_PATH": "@mount"},
]


class Squeeze:
    def __init__(self, args):
        self.args, self.directory = args, tempfile.mkdtemp(prefix="hresv-squeeze-")
        os.chmod(self.directory, 0o755)
        self.preload = os.path.join(args.build, "libhresv.so")
        self.kinds, missing = jobs.kinds(args.build, os.path.dirname(os.path.abspath(__file__)))
        if args.only:
            self.kinds = [k for k in self.kinds if k.name in args.only.split(",")]
        self.known, self.moves = {}, []
        self.jobs_done = self.killed = self.steps = 0
        self.failures, self.shorts = [], missing

    def start_movers(self):
        for make in (movers.Pool, movers.Groups, movers.Neighbour, movers.Signals,
                     lambda: movers.Mount(self.directory), movers.Pressure, movers.Limits):
            try:
                mover = make()
            except movers.Absent as lack:
                self.shorts.append(str(lack))
                continue
            if mover.name in self.args.still.split(","):
                mover.undo()
            else:
                self.moves.append(mover)

    def mover(self, name):
        return next((m for m in self.moves if m.name == name), None)

    def expected(self, kind, seed):
        """What it says without us. Asked once, and not while anything moves."""
        key = (kind.name, seed)
        if key not in self.known:
            job = jobs.Job(kind, seed, {}, lambda pid: None, self.directory)
            status, said = job.finish()
            if status != 0:
                sys.exit(f"{kind.name} {seed} fails without libhresv: {said}")
            self.known[key] = kind.result(said)
        return self.known[key]

    def start(self, rng, kind, seed):
        env = dict(self.args.env or rng.choice(ENVIRONMENTS), LD_PRELOAD=self.preload)
        mount, groups = self.mover("mount"), self.mover("limits")
        if env.get("HUGETLB_PATH"):
            env["HUGETLB_PATH"] = mount.at if mount else "/nowhere"
        job = jobs.Job(kind, seed, env, lambda pid: groups and groups.place(rng, pid),
                       self.directory)
        job.deadline = time.monotonic() + jobs.DEADLINE_S
        return job

    def judge(self, job, seed):
        late = time.monotonic() > job.deadline
        if late:
            job.signal(signal.SIGABRT)
        status, said = job.finish()
        if job.killed:
            self.killed += 1
            return
        self.jobs_done += 1
        want = self.known[(job.kind.name, job.seed)]
        if status != 0 or job.kind.result(said) != want or late:
            env = " ".join(f"{k}={v}" for k, v in job.env.items() if k != "LD_PRELOAD")
            self.failures.append(
                f"round {seed}: {job.kind.name} {job.seed} [{env}] "
                f"{'hangs' if late else f'ends with {status}'}: {said.strip()[-2000:]}")

    def round(self, seed, seconds):
        rng = random.Random(seed)
        # Long enough for each to have a turn; which four seeds is the round's.
        plan = [(k, rng.randrange(SEEDS)) for k in rng.sample(self.kinds, len(self.kinds))]
        for kind, number in plan:
            self.expected(kind, number)
        running, end = [], time.monotonic() + seconds
        while running or time.monotonic() < end:
            while len(running) < AT_ONCE and time.monotonic() < end:
                plan.append(plan.pop(0))
                running.append(self.start(rng, *plan[-1]))
            if time.monotonic() < end:
                rng.choice(self.moves).step(rng, running)
                self.steps += 1
            elif self.mover("signals"):
                self.mover("signals").undo()
            time.sleep(rng.choice([0.001, 0.01, 0.05]))
            for job in [j for j in running if j.ended() or time.monotonic() > j.deadline]:
                running.remove(job)
                self.judge(job, seed)
        self.settle(seed)

    def settle(self, seed):
        """Nobody is left: every page must be back."""
        for mover in self.moves:
            if mover.name in ("neighbour", "pressure"):
                mover.undo()
        for name in ("mount",):
            if self.mover(name):
                subprocess.run(f"rm -f {self.mover(name).at}/fill-*", shell=True, check=True)
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end and self.in_use():
            time.sleep(0.02)
        if self.in_use():
            self.failures.append(f"round {seed}: pages are not back: {self.in_use()}")

    @staticmethod
    def in_use():
        pool = f"{movers.POOLS}hugepages-{movers.default_kb()}kB/"
        n = {name: int(movers.read(pool + name + "_hugepages"))
             for name in ("nr", "free", "resv", "surplus")}
        left = {"used": n["nr"] - n["free"], "reserved": n["resv"], "surplus": n["surplus"]}
        return {k: v for k, v in left.items() if v}

    def run(self):
        end = time.monotonic() + self.args.seconds
        seed, rounds = self.args.seed, 0
        try:
            self.start_movers()
            while (rounds == 0 or time.monotonic() + ROUND_S < end) and not self.failures:
                self.round(seed, min(ROUND_S, self.args.seconds))
                rounds, seed = rounds + 1, seed + 1
        finally:
            for mover in reversed(self.moves):
                mover.undo()
            subprocess.run(["rm", "-rf", self.directory], check=False)
        print(f"{rounds} rounds from seed {self.args.seed}: {self.jobs_done} programs right, "
              f"{self.killed} killed, {self.steps} moves"
              + (f"; without {', '.join(self.shorts)}" if self.shorts else ""))
        for failure in self.failures:
            print(failure)
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--still", default="")
    parser.add_argument("--env", type=lambda e: dict([e.split("=", 1)]))
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(Squeeze(args).run())


if __name__ == "__main__":
    main()
