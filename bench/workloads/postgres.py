#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""postgres.py - PostgreSQL with shared_buffers of 2 GiB, by mmap or System V: page tables of backends
that have read it all, pgbench with so many clients, and with a connection for each transaction.
glibc is huge_pages=off, kernel-huge PostgreSQL's own huge_pages=on; ours has it off as well:
postgres mmap|sysv CLIENTS
"""
# section: programs
# goals: G15
# cases: mmap,2 mmap,10 mmap,50 mmap,200 sysv,10
# brief: mmap,10
# contenders: glibc kernel-huge ours sysv,10:glibc,libhugetlbfs,ours
# pool: 1150
# memory: 3500
# show: connect_per_s
# needs: /usr/lib/postgresql/15/bin/pgbench setpriv
# timeout: 240
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

BIN = "/usr/lib/postgresql/15/bin/"
SCALE, SECONDS, BACKENDS = 85, 2, 5
KEEP = Path(os.environ["KEEP"], "postgres")
GROUP = Path("/proc/sys/vm/hugetlb_shm_group")
USER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def run(*words, **more):
    done = subprocess.run([*USER, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=KEEP, check=False, **more)
    if done.returncode:
        sys.exit(f"{words[0]}: {done.stdout[-300:]}")
    return done.stdout


def launch():
    """The contender's words, with our library where the server's user can read it."""
    words = os.environ["LAUNCH"].split()
    for i, word in enumerate(words):
        name, _, path = word.partition("=")
        if name == "LD_PRELOAD" and path.startswith(os.environ["BUILD"]):
            shutil.copy(path, KEEP / "libhresv.so")
            words[i] = f"LD_PRELOAD={KEEP}/libhresv.so"
    return [word for word in words if not word.startswith("BENCH_MEMORY")]


class Server:
    def __init__(self, way, words, huge):
        settings = {"shared_buffers": "2GB", "shared_memory_type": way, "huge_pages": huge, "max_connections": 250,
                    "fsync": "off", "listen_addresses": "", "unix_socket_directories": str(KEEP),
                    "max_parallel_workers_per_gather": 0, "synchronize_seqscans": "off", "autovacuum": "off",
                    "jit": "off"}  # whose compiler, loaded for a long query, is most of a backend's tables
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(KEEP / "log", "w", encoding="utf8") as log:
            self.process = subprocess.Popen([*USER, *words, BIN + "postgres", "-D", str(KEEP / "data"), *options],
                                            stdout=log, stderr=log, cwd=KEEP)
        for _ in range(300):
            ready = subprocess.run([BIN + "pg_isready", "-q", "-h", str(KEEP)], check=False)
            if ready.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        sys.exit("postgres does not start: " + (KEEP / "log").read_text()[-200:])

    def stop(self):
        self.process.send_signal(2)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @staticmethod
    def sql(text):
        return run(BIN + "psql", "-h", str(KEEP), "-X", "-A", "-t", "-q", "-d", "postgres", "-c", text).strip()


def cluster():
    """Made once for a bench: a gigabyte of pgbench's tables."""
    if (KEEP / "data").exists():
        return
    KEEP.mkdir(mode=0o755)
    shutil.chown(KEEP, "postgres", "postgres")
    run(BIN + "initdb", "-D", str(KEEP / "data"), "-A", "trust", "-N", "-U", "postgres")
    server = Server("mmap", [], "off")
    try:
        server.sql("create extension pg_prewarm")
        run(BIN + "pgbench", "-h", str(KEEP), "-i", "-s", str(SCALE), "-q", "postgres")
    finally:
        server.stop()


def tables_kib():
    """Of backends that have read every row, all there at once."""
    backends, total, counts = [], 0, set()
    for _ in range(BACKENDS):
        backends.append(subprocess.Popen(
            [*USER, BIN + "psql", "-h", str(KEEP), "-X", "-A", "-t", "-q", "-d", "postgres"], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=KEEP))
    begin = time.monotonic()
    for backend in backends:
        backend.stdin.write("select pg_backend_pid(), count(*), sum(abalance) from pgbench_accounts;\n")
        backend.stdin.flush()
    for backend in backends:
        pid, rest = backend.stdout.readline().strip().split("|", 1)
        counts.add(rest)
        total += int(re.search(r"VmPTE:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
    print(f"metric scan_s {time.monotonic() - begin:.3f}")
    for backend in backends:
        backend.stdin.close()
        backend.wait()
    print(f"metric tables_kib {total}")
    return counts


def pgbench(name, *words):
    said = run(BIN + "pgbench", "-h", str(KEEP), "-n", "-S", "-T", str(SECONDS), *words, "postgres")
    print(f"metric {name} {re.search(r'tps = ([0-9.]+)', said)[1]}")


def main():
    way, clients = sys.argv[1], sys.argv[2]
    if os.geteuid() != 0:
        print("root")
        sys.exit(77)
    cluster()
    group = GROUP.read_text()
    GROUP.write_text(run("id", "-g"))
    server = Server(way, launch(), "on" if os.environ["CONTENDER"] == "kernel-huge" else "off")
    try:
        server.sql("select pg_prewarm('pgbench_accounts')")
        counts = tables_kib()
        pgbench("tps_per_s", "-c", clients, "-j", "2")
        pgbench("connect_per_s", "-C", "-c", "2")
        print(f"result {'/'.join(sorted(counts))}")
    finally:
        server.stop()
        GROUP.write_text(group)


main()
