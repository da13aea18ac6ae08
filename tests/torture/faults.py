#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run whole programs with each system call of the library's failing once, or always.

faults.py --build DIR [--seconds N] [--seed N] [--only PROGRAM,...] [--every] [--always]
          [--limits] [--env NAME=VALUE] [--talk]

libhresv-faults.so (inject.c) first notes the calls of a run and where each is made; then
the program runs again for each place and each error that call may answer. It must say
what it says without us, end as it does, in time, and leave no page behind. Where the
call was the program's own to fail, it may end with a message that says so.

--seconds ends it then, else all cases are run; the seed says in which order. --every fails
each call, not only the first of each place; --always fails all calls of one number, as a
filter or an older kernel does. --limits injects nothing: the limits of a process are set,
each lower and lower, and what runs without us must run with us. The caller holds the
pool's lock and has set the pool. Exit 1: a case failed.
"""
import argparse
import collections
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 60
SETTLE_S = 5
SAYS_NO_MEMORY = re.compile(
    r"Cannot allocate memory|[Oo]ut of memory|memory exhausted|MemoryError|[Cc]annot fork")

PYTHON = """
import mmap, os
def total(d): return sum(len(v) for v in d.values())
d = {i: bytes([i % 251]) * (i * 37 % 5000) for i in range(6000)}
m = mmap.mmap(-1, 12 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[::4096] = bytes(i % 250 for i in range(3072))
pid = os.fork()
if pid == 0:
    d = {i: v[::-1] + v for i, v in d.items()}
    m[5 << 20:6 << 20] = b"y" * (1 << 20)
    os._exit(total(d) % 100)
for i in range(0, 6000, 3):
    del d[i]
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), total(d), sum(m[::4096]))
m.resize(20 << 20)
print(m[4096], m[19 << 20], len(m))
"""

SQL = """
create table t (id integer primary key, a text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000)
insert into t select i, printf('%0300d', i * 7919 % 100003) from n;
create index by_a on t (a);
select count(*), min(a), max(a), sum(length(a)) from t;
pragma integrity_check;
"""

PIPELINE = ("seq 1 9000 | sort -n -r -S 12M | gzip -1 | gzip -dc | "
            "awk '{ s += $1; m = m substr($1, 1, 1) } END { print NR, s, length(m) }'")

Program = collections.namedtuple("Program", "name command env varies", defaults=({}, r" huge \S+"))
Case = collections.namedtuple("Case", "program what err")

MIB = 1 << 20
# What the library takes itself, used or not, is allowed on top.
OWN = {resource.RLIMIT_AS: 6 * MIB, resource.RLIMIT_DATA: 5 * MIB}
LIMITS = {
    resource.RLIMIT_AS: [n * MIB for n in (8, 16, 24, 48, 80, 120, 200, 400, 1000, 1100)],
    resource.RLIMIT_DATA: [n * MIB for n in (1, 4, 10, 16, 24, 40, 100, 300)],
    resource.RLIMIT_NOFILE: [3, 4, 5, 6, 8, 12],
    resource.RLIMIT_STACK: [64 << 10, 256 << 10, MIB],
    resource.RLIMIT_MEMLOCK: [0],
    resource.RLIMIT_FSIZE: [0],
}


def programs(build):
    def built(path, *args):
        return [f"{build}/tests/{path}", *args]

    every = [
        Program("family", built("torture/prog-family", "1", "1", "6")),
        Program("family-copy", built("torture/prog-family", "2", "1", "6"), {"HUGETLB_FORK": "copy"}),
        Program("family-share", built("torture/prog-family", "3", "1", "6"), {"HUGETLB_FORK": "share"}),
        Program("maps", built("torture/prog-maps", "1", "40", "1")),
        Program("snapshot", built("fork/prog-snapshot", "4", "1", "sr"), varies=r"(?s).*"),
        Program("arenas", built("programs/prog-arenas")),
        Program("signals", built("preload/prog-signals"), varies=r"(?s).*"),
        Program("python", ["python3", "-c", PYTHON]),
        Program("python-text", ["python3", "-c", "print(sum(range(999)))"], {"HUGETLB_ELFMAP": "RW"}),
        Program("sqlite", ["sqlite3", ":memory:", SQL]),
        Program("pipeline", ["sh", "-c", PIPELINE], {"HUGETLB_MALLOC_START": "0"}),
    ]
    return [p for p in every if shutil.which(p.command[0])]


class Faults:
    def __init__(self, args):
        self.args, self.failures, self.runs, self.planned = args, [], 0, 0
        self.refused = collections.Counter()
        self.library = os.path.join(args.build, "tests/torture/libhresv-faults.so")
        self.directory = tempfile.mkdtemp(prefix="hresv-faults-")
        os.chmod(self.directory, 0o755)
        self.log = os.path.join(self.directory, "log")
        self.pool = pool()

    def run(self, program, env, limit=None):
        """(status, what it said, what was logged); None for a status: it hung."""
        open(self.log, "w").close()
        job = subprocess.Popen(
            program.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=self.directory, start_new_session=True,
            errors="replace", env=dict(os.environ, **env),
            preexec_fn=lambda: limit and resource.setrlimit(limit[0], (limit[1], limit[1])))
        try:
            said, status = job.communicate(timeout=DEADLINE_S)[0], job.returncode
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGABRT)
            said, status = job.communicate()[0], None
        with open(self.log) as f:
            return status, said, [line.split() for line in f]

    def ours(self, program, **env):
        return dict(program.env, LD_PRELOAD=self.library, HRESV_FAULT_LOG=self.log,
                    **self.args.env, **env)

    def cases(self, program):
        """Each call of a quiet run that can fail, and how."""
        seen = set()
        for nr, place, answers, *site in self.run(program, self.ours(program))[2]:
            key = nr if self.args.always else (nr, place) if self.args.every else (nr, *site)
            if answers == "-" or key in seen:
                continue
            seen.add(key)
            for err in answers.split(","):
                what = "all" if self.args.always else int(place, 16)
                yield Case(program, f"{what}:{int(nr, 16)}:{int(err, 16)}", int(err, 16))

    def pages_left(self):
        end = time.monotonic() + SETTLE_S
        while True:
            left = {n: v - self.pool[n] for n, v in pool().items() if v != self.pool[n]}
            if not left or time.monotonic() > end:
                break
            time.sleep(0.005)
        return left

    def may_refuse(self, case, status, said):
        """It ended by itself, and says just what the kernel would, or that there is no memory."""
        return (status is not None and status > 0
                and (os.strerror(case.err) in said or SAYS_NO_MEMORY.search(said) is not None))

    def judge(self, case, want):
        status, said, fired = self.run(case.program,
                                       self.ours(case.program, HRESV_FAULT=case.what))
        right = (status, re.sub(case.program.varies, "", said)) == want
        left = self.pages_left()
        self.runs += 1
        if not right and self.may_refuse(case, status, said):
            self.refused[case.program.name] += 1
            if self.args.talk:
                print(f"refused: {case.program.name} {case.what} {said.strip()[-80:]}",
                      *(f[3:] for f in fired[:1]))
        elif not right or left:
            at = " ".join(fired[0][3:]) if fired else "never"
            self.fail(f"{case.program.name} HRESV_FAULT={case.what} "
                      f"({os.strerror(case.err)}; at {at})", status, left, said)

    def fail(self, case, status, left, said):
        self.failures.append(
            f"{case}: {'hangs' if status is None else f'ends with {status}'}, "
            f"pages left: {left}: {said.strip()[-300:]}")
        print(self.failures[-1], flush=True)

    def judge_limit(self, program, limit):
        """What ends well without us ends well with us; nothing dies of a signal it didn't."""
        without, said, _ = self.run(program, {}, limit)
        plain = re.sub(program.varies, "", said)
        status, said, _ = self.run(program, dict(program.env, LD_PRELOAD=self.library),
                                   (limit[0], limit[1] + OWN.get(limit[0], 0)))
        left = self.pages_left()
        self.runs += 1
        if without != 0 and (status is not None and status >= 0 or status == without):
            self.refused[program.name] += 1
        elif status != without or re.sub(program.varies, "", said) != plain or left:
            names = {v: k for k, v in vars(resource).items() if k.startswith("RLIMIT_")}
            self.fail(f"{program.name} {names[limit[0]]}={limit[1]} ({without} without us)",
                      status, left, said)

    def wanted(self):
        """The programs chosen, with what they say on a quiet machine without us."""
        for program in programs(self.args.build):
            if self.args.only and program.name not in self.args.only.split(","):
                continue
            status, said, _ = self.run(program, {})
            if status == 0:
                yield program, (status, re.sub(program.varies, "", said))
            else:
                print(f"left out: {program.name} ends with {status} without libhresv: {said[-200:]}")

    def work(self):
        todo = []
        for program, want in self.wanted():
            if self.args.limits:
                todo += [(self.judge_limit, program, (which, most))
                         for which, values in LIMITS.items() for most in values]
            else:
                todo += [(self.judge, case, want) for case in self.cases(program)]
        random.Random(self.args.seed).shuffle(todo)
        self.planned = len(todo)
        end = time.monotonic() + (self.args.seconds or float("inf"))
        for judge, *case in todo:
            if time.monotonic() > end:
                break
            judge(*case)

    def main(self):
        try:
            self.work()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
        refused = ", ".join(f"{n} {c}" for n, c in self.refused.items())
        print(f"{self.runs} runs of {self.planned}, {len(self.failures)} failed"
              + (f"; refused something, and said so: {refused}" if refused else ""))
        return 1 if self.failures or not self.runs else 0


def pool():
    with open("/proc/meminfo") as f:
        n = dict(re.findall(r"HugePages_(\w+): +(\d+)", f.read()))
    return {"used": int(n["Total"]) - int(n["Free"]), "reserved": int(n["Rsvd"]),
            "surplus": int(n["Surp"])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--always", action="store_true")
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--talk", action="store_true")
    parser.add_argument("--env", type=lambda e: dict([e.split("=", 1)]), default={})
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(Faults(args).main())


if __name__ == "__main__":
    main()
