# SPDX-License-Identifier: MIT
"""What runs while things move, and what each must compute.

A job says a text that depends on its arguments alone. What it says and how it ends
under libhresv, whatever moves, must be what it is without libhresv on a quiet machine.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile

DEADLINE_S = 150


class Kind:
    """One sort of program: its command for a seed, and what of its output counts.

    A modest one opens nothing: small resource limits must not matter to it.
    """

    def __init__(self, name, command, modest=False, varies=r" huge \S+"):
        self.name, self.command, self.modest, self.varies = name, command, modest, varies

    def result(self, output):
        return re.sub(self.varies, "", output)


class Job:
    """One run of one program, in a process group of its own."""

    def __init__(self, kind, seed, env, place, directory):
        self.kind, self.seed, self.env = kind, seed, env
        self.modest, self.killed = kind.modest, False
        self.out = tempfile.TemporaryFile("w+", dir=directory)
        self.home = tempfile.mkdtemp(dir=directory)
        self.process = subprocess.Popen(
            kind.command(seed), stdout=self.out, stderr=subprocess.STDOUT, cwd=self.home,
            stdin=subprocess.DEVNULL, env=dict(os.environ, **env), start_new_session=True,
            preexec_fn=lambda: place(os.getpid()))
        self.pid = self.process.pid

    def signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def ended(self):
        return self.process.poll() is not None

    def finish(self):
        """(status, what it said); nothing of it is left."""
        status = self.process.wait()
        self.signal(signal.SIGKILL)
        self.out.seek(0)
        said = self.out.read()
        self.out.close()
        shutil.rmtree(self.home, ignore_errors=True)
        return status, said


SQL = """
create table t (id integer primary key, a text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
insert into t select i, printf('%0300d', i * 7919 % 100003) from n;
create index by_a on t (a);
select count(*), min(a), max(a), sum(length(a)) from t;
delete from t where id % 3 = 0;
vacuum;
select count(*), sum(id) from t;
pragma integrity_check;
"""

PYTHON = """
import hashlib, multiprocessing as m, random
m.set_start_method("fork")
r = random.Random({seed})
d = {{i: bytes([r.randrange(256)]) * r.randrange(1, 3000) for i in range(6000)}}
def digest(part):
    h = hashlib.sha256()
    for i in range(part, 6000, 4):
        h.update(d[i])
    return h.hexdigest()
with m.Pool(4) as p:
    print(p.map(digest, range(4)))
for i in range(0, 6000, 2):
    d[i] = d[i][::-1] + d[i]
print(digest(1), sum(len(v) for v in d.values()))
"""

C = """
#include <stdio.h>
#define A(n) int f##n(int x) {{ return x * n + (x >> {shift}); }}
#define B(n) A(n##0) A(n##1) A(n##2) A(n##3) A(n##4) A(n##5) A(n##6) A(n##7) A(n##8) A(n##9)
#define D(n) B(n##0) B(n##1) B(n##2) B(n##3) B(n##4) B(n##5) B(n##6) B(n##7) B(n##8) B(n##9)
D(1) D(2) D(3) D(4)
"""


def shell(text):
    return ["/bin/sh", "-c", text]


def kinds(build, here):
    """Those whose programs are here; the names of the others."""
    def built(path, *args):
        return lambda seed: [f"{build}/tests/{path}"] + [a.format(seed=seed) for a in args]

    all_of = [
        Kind("maps", built("torture/prog-maps", "{seed}", "1500", "2"), modest=True),
        Kind("family", built("torture/prog-family", "{seed}", "12"), modest=True),
        Kind("malloc", built("programs/prog-stress"), modest=True),
        Kind("arenas", built("programs/prog-arenas"), modest=True),
        Kind("snapshot", built("fork/prog-snapshot", "6", "15", "sr"), varies=r"(?s).*"),
        Kind("sqlite", lambda seed: shell(
            f"sqlite3 x.db <<'END'\n{SQL.format(rows=20000 + seed * 100)}\nEND")),
        Kind("python", lambda seed: ["python3", "-c", PYTHON.format(seed=seed)]),
        Kind("gcc", lambda seed: shell(
            f"cat >x.c <<'END'\n{C.format(shift=seed % 7)}\nEND\n"
            "gcc -O2 -c -o x.o x.c && objdump -d x.o | sha256sum")),
        Kind("redis", lambda seed: ["python3", f"{here}/serve.py", "redis", str(seed)]),
        Kind("postgres", lambda seed: ["python3", f"{here}/serve.py", "postgres", str(seed)]),
    ]
    needs = {"sqlite": "sqlite3", "gcc": "objdump", "redis": "redis-server",
             "postgres": "pg_config"}
    here_are = [k for k in all_of if not needs.get(k.name) or shutil.which(needs[k.name])]
    return here_are, [k.name for k in all_of if k not in here_are]
