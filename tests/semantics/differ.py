#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""differ.py - run prog-differ on small pages and on huge ones, compare, shrink

usage: differ.py --prog PROG --preload LIB [--seconds N | --seeds N] [--first SEED]
                 [--steps N] [--threads N] [--batch N] [--again] [--forks] [--env NAME=VALUE]...
                 [--with COMMAND]

The plain run is the judge: what it records, the run under the library must record.
The first seed that differs is cut down to the steps that matter, one at a time and
in halves, and printed as calls: "<" is what small pages answered, ">" what we did.

--with COMMAND stands in front of the program under the library: a cgroup, or a
launcher that takes userfaultfd away. --again, --forks: see prog-differ.c. Exit status 1: something differs.
"""
import argparse
import os
import shlex
import struct
import subprocess
import sys
import tempfile
import time

RECORD = struct.Struct("<IIHHiqQ")
# A huge page is placed some steps before it is split, so cut in halves first.
SHRINK_RUNS_MAX = 400
RUN_SECS = 120


class Pair:
    def __init__(self, args, directory):
        self.args, self.directory = args, directory
        self.last = []
        self.env = dict(os.environ, LD_PRELOAD=args.preload)
        self.env.update(e.split("=", 1) for e in args.env)

    def run(self, huge, first, seeds, keep=None, say=False):
        log = os.path.join(self.directory, "huge" if huge else "small")
        command = [self.args.prog, "--log", log, "--first", str(first), "--seeds", str(seeds),
                   "--steps", str(self.args.steps), "--threads", str(self.args.threads)]
        if keep is not None:
            command += ["--keep", ",".join(map(str, keep)) or str(self.args.steps)]
        if say:
            command.append("--say")
        command += [f"--{switch}" for switch in ("again", "forks") if getattr(self.args, switch)]
        env = None
        if huge:
            env = self.env
            # env(1) sets the library behind --with: what stands there runs without it.
            sets = [f"{k}={v}" for k, v in env.items() if os.environ.get(k) != v]
            command = shlex.split(self.args.with_) + ["env", *sets, *command]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=RUN_SECS)
        except subprocess.TimeoutExpired:
            where = stack_of(process.pid)
            process.kill()
            out, err = process.communicate()
            err += f"hung after {RUN_SECS} s\n{where}".encode()
        with open(log, "rb") as f:
            records = list(RECORD.iter_unpack(f.read()))
        return records, process.returncode, out.decode(), err.decode()

    def differs(self, seed, keep):
        """Threads meet by chance, so what does not differ once may the next time."""
        tries = 1 if self.args.threads == 1 else 4
        return any(self.difference(seed, 1, keep) for _ in range(tries))

    def difference(self, first, seeds, keep=None):
        """None, or (seed, thread, step) of the first record that differs."""
        small, status, _, err = self.run(False, first, seeds, keep)
        if status:
            sys.exit(f"the plain run failed ({status}): {err}")
        huge, status, _, err = self.run(True, first, seeds, keep)
        # The look at all of the arena is thread 0's, and comes after everybody's steps.
        pairs = sorted(zip(small, huge), key=lambda p: (p[0][0], p[0][1] == self.args.steps))
        for s, h in pairs:
            if s != h:
                self.last = [f"< {s}", f"> {h}"]
                return s[0], s[2], s[1]
        if status or len(small) != len(huge):
            done = len(huge) // ((self.args.steps + 1) * self.args.threads)
            self.said = f"status {status}: {err.strip()}"
            return first + done, None, self.args.steps
        return None


def stack_of(pid):
    lines = []
    for task in sorted(os.listdir(f"/proc/{pid}/task")):
        for name in ("wchan", "syscall"):
            try:
                with open(f"/proc/{pid}/task/{task}/{name}") as f:
                    lines.append(f"{task} {name} {f.read().strip()}")
            except OSError:
                pass
    return "\n".join(lines)


def shrink(pair, seed, last):
    """The fewest steps we find that still differ: halves first, then one by one."""
    steps = list(range(min(last + 1, pair.args.steps)))
    runs, size = 0, max(1, len(steps) // 2)
    if not pair.differs(seed, steps):
        return None
    while size and runs < SHRINK_RUNS_MAX:
        at = len(steps)
        while at > 0 and runs < SHRINK_RUNS_MAX:
            fewer = steps[:max(0, at - size)] + steps[at:]
            runs += 1
            if len(fewer) < len(steps) and pair.differs(seed, fewer):
                steps = fewer
            at -= size
        size //= 2
    return steps


def tell(pair, seed, steps):
    """The calls that matter, and both answers where they differ."""
    _, _, small, _ = pair.run(False, seed, 1, steps, say=True)
    _, status, huge, err = pair.run(True, seed, 1, steps, say=True)
    small, huge = small.splitlines(), huge.splitlines()
    if pair.args.threads > 1:
        small.sort(), huge.sort()
    for i, line in enumerate(small):
        if i < len(huge) and huge[i] == line:
            print(f"  {line}")
        else:
            print(f"< {line}\n> {huge[i] if i < len(huge) else '(nothing)'}")
    if status:
        print(f"> ended with {status}: {err.strip()}")
    print(f"  (then all of the arena is looked at) keep {','.join(map(str, steps))}")


def report(pair, found):
    seed, thread, step = found
    what = getattr(pair, "said", "") if thread is None else f"thread {thread}, step {step}"
    print(f"seed {seed} differs: {what}")
    steps = shrink(pair, seed, step if pair.args.threads == 1 else pair.args.steps)
    if steps is None:
        print(f"  not when run again alone: it takes those before it, {pair.args.batch} at a time")
        for line in pair.last:
            print("  " + line)
        return
    tell(pair, seed, steps)


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--prog", required=True)
    p.add_argument("--preload", required=True)
    p.add_argument("--seconds", type=float, default=0)
    p.add_argument("--seeds", type=int, default=0)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batch", type=int, default=20)
    p.add_argument("--most", type=int, default=1, help="differences to report before giving up")
    p.add_argument("--env", action="append", default=[])
    p.add_argument("--again", action="store_true")
    p.add_argument("--forks", action="store_true")
    p.add_argument("--with", dest="with_", default="")
    return p.parse_args()


def main():
    args = parse()
    seed, steps, found, begun = args.first, 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        pair = Pair(args, directory)
        while found < args.most:
            if args.seeds and seed >= args.first + args.seeds:
                break
            if args.seconds and time.monotonic() - begun > args.seconds:
                break
            batch = min(args.batch, args.first + args.seeds - seed) if args.seeds else args.batch
            where = pair.difference(seed, batch)
            if where:
                found += 1
                report(pair, where)
                sys.stdout.flush()
                seed = where[0] + 1
            else:
                seed += batch
                steps += batch * args.steps * args.threads
    print(f"{steps} steps alike, seeds {args.first} to {seed - 1}, {args.threads} threads, "
          f"{found} differ")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
