#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""serve.py redis|postgres SEED: start a server here, work with it, check all it says.

Says a text that depends on the seed alone. The server inherits the environment, and so
libhresv; this program and its tools shed it at once, that only the server is under test.
"""
import glob
import hashlib
import os
import random
import socket
import subprocess
import sys
import time

preload = os.environ.pop("LD_PRELOAD", None)
under = dict(os.environ, LD_PRELOAD=preload) if preload else dict(os.environ)


def until(what, seconds=60):
    """The first true answer of what()."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.01)
    sys.exit("the server does not answer")


class Redis:
    def __init__(self):
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", "s", "--save", "", "--daemonize", "no",
             "--dir", ".", "--loglevel", "warning"], env=under, stdout=subprocess.DEVNULL)
        self.file = until(self.connect)

    def connect(self):
        if self.server.poll() is not None:
            sys.exit(f"redis-server ended with {self.server.returncode}")
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect("s")
        except OSError:
            return None
        return s.makefile("rwb")

    def answer(self):
        line = self.file.readline()
        if line[:1] == b"$":
            size = int(line[1:])
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if line[:1] == b"-" or not line:
            sys.exit(f"redis says {line!r}")
        return line[1:-2]

    def many(self, commands):
        for c in commands:
            parts = [x if isinstance(x, bytes) else str(x).encode() for x in c]
            self.file.write(b"*%d\r\n" % len(parts) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.file.flush()
        return [self.answer() for _ in commands]

    def stop(self):
        self.file.write(b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n")
        self.file.flush()
        if self.server.wait() != 0:
            sys.exit(f"redis-server ended with {self.server.returncode}")


def redis(rng):
    r = Redis()
    value = {i: bytes([rng.randrange(256)]) * rng.randrange(10, 4000) for i in range(5000)}
    r.many([("SET", i, v) for i, v in value.items()])
    r.many([("BGSAVE",)])
    for i in range(0, 5000, 2):
        value[i] = value[i][:5] * 300
    r.many([("SET", i, value[i]) for i in range(0, 5000, 2)])
    until(lambda: b"rdb_bgsave_in_progress:0" in r.many([("INFO", "persistence")])[0])
    if b"rdb_last_bgsave_status:ok" not in r.many([("INFO", "persistence")])[0]:
        sys.exit("BGSAVE failed")
    if r.many([("GET", i) for i in range(5000)]) != list(value.values()):
        sys.exit("a key has another value")
    r.stop()
    return hashlib.sha256(b"".join(value.values())).hexdigest()


def postgres(rng):
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"] \
        if os.getuid() == 0 else []
    os.chmod(".", 0o777)
    # Under libhresv too: it tries huge pages of its own, and would die of a group's limit.
    subprocess.run(user + [tools + "/initdb", "-D", "d", "-N", "-A", "trust"], check=True,
                   stdout=subprocess.DEVNULL, env=under)
    sysv = rng.randrange(2)
    server = subprocess.Popen(
        user + [tools + "/postgres", "-D", "d", "-k", os.getcwd(), "-c", "listen_addresses=",
                "-c", "shared_buffers=48MB", "-c", "huge_pages=off",
                "-c", f"shared_memory_type={'sysv' if sysv else 'mmap'}"],
        env=under, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(sql):
        if server.poll() is not None:
            sys.exit(f"postgres ended with {server.returncode}")
        got = subprocess.run(user + [tools + "/psql", "-h", os.getcwd(), "-d", "postgres", "-Atq",
                                     "-v", "ON_ERROR_STOP=1", "-c", sql],
                             capture_output=True, text=True)
        return got.stdout + "." if got.returncode == 0 else None

    def must(sql):
        answer = ask(sql)
        if answer is None:
            sys.exit(f"postgres refuses: {sql}")
        return answer

    until(lambda: ask("select 1"))
    must("create table t as select i, md5(i::text) m from generate_series(1, 60000) i")
    said = must("select count(*), max(m), sum(length(m)) from t")
    must("update t set m = m || 'x' where i % 3 = 0")
    said += must("select count(*), sum(length(m)) from t where m like '%x'")
    server.terminate()
    if server.wait() != 0:
        sys.exit(f"postgres ended with {server.returncode}")
    return said


if __name__ == "__main__":
    print({"redis": redis, "postgres": postgres}[sys.argv[1]](random.Random(int(sys.argv[2]))))
