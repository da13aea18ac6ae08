#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memcached.py - memcached filled with values of 20 to 519 bytes, read back in batches"""
# section: programs
# contenders: glibc glibc-thp glibc-huge jemalloc-thp mimalloc-huge tcmalloc-memfs ours
# few: glibc glibc-thp mimalloc-huge tcmalloc-memfs ours
# pool: 300
# memory: 600
# show: server_cpu_s
# needs: memcached
import os
import socket
import subprocess
import sys
import time

VALUES, BATCH = 300000, 500


def value(i):
    return (b"%d." % i * 90)[:20 + i * 7919 % 500]


def connect(path):
    for _ in range(200):
        try:
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            return client
        except OSError:
            time.sleep(0.02)
    sys.exit("memcached does not start")


def read_back(client, names):
    client.sendall(b"get " + b" ".join(b"k%d" % i for i in names) + b"\r\n")
    got = bytearray()
    while not got.endswith(b"END\r\n"):
        got += client.recv(1 << 20)
    want = b"".join(b"VALUE k%d 0 %d\r\n%s\r\n" % (i, len(value(i)), value(i)) for i in names)
    if got != want + b"END\r\n":
        sys.exit("a value is wrong")


def main():
    path = f"/tmp/hresv-bench-memcached.{os.getpid()}"
    server = subprocess.Popen([*os.environ["LAUNCH"].split(), "memcached", "-u", "root", "-m", "400", "-s", path],
                              stderr=subprocess.DEVNULL)
    try:
        client = connect(path)
        begin = time.monotonic()
        for first in range(0, VALUES, BATCH):
            client.sendall(b"".join(b"set k%d 0 0 %d noreply\r\n%s\r\n" % (i, len(value(i)), value(i))
                                    for i in range(first, first + BATCH)))
        for first in range(0, VALUES, BATCH):
            read_back(client, range(first, first + BATCH))
        print(f"metric ops_per_s {2 * VALUES / (time.monotonic() - begin)}")
        with open(f"/proc/{server.pid}/stat", encoding="ascii") as stat:
            times = stat.read().rsplit(")", 1)[1].split()
        print(f"metric server_cpu_s {(int(times[11]) + int(times[12])) / os.sysconf('SC_CLK_TCK')}")
        print(f"result {VALUES}")
    finally:
        server.kill()
        server.wait()
        if os.path.exists(path):
            os.unlink(path)


main()
