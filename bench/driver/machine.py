# SPDX-License-Identifier: MIT
"""machine.py - the pool, its lock and a hugetlbfs, borrowed and put back; what machine this is"""
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

POOL = Path("/proc/sys/vm/nr_hugepages")
LOCK = os.environ.get("HRESV_POOL_LOCK", "/run/lock/hresv-pool.lock")
HOLD_SECONDS = 45


def meminfo():
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}


class Pool:
    """The pool of huge pages: held, it has the pages asked for; released, those it had.

    What is held for long is let go between two runs, so that others come to their turn; while
    nobody waits it is kept, as a pool made anew has to be warmed anew.
    """

    def __init__(self, warm):
        self.warm, self.descriptor, self.was, self.since, self.warmed = warm, None, 0, 0.0, 0
        self.waited = 0.0
        self.may = os.geteuid() == 0 and os.access(POOL, os.W_OK)

    def lock(self):
        """Takes the lock unless it is held; one held for long is given to others first."""
        if self.descriptor is not None and time.monotonic() - self.since > HOLD_SECONDS and self.wanted():
            self.release()
        if self.descriptor is None:
            self.take()

    def wanted(self):
        """Whether somebody waits for the lock, as far as that can be known."""
        about = os.fstat(self.descriptor)
        name = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
        try:
            locks = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return True
        mine = [line for line in locks if name in line.split()]
        return not mine or any("->" in line for line in mine)

    def hold(self, pages):
        """Sets the pool and warms it. False: there are too few pages."""
        if not self.may:
            return int(POOL.read_text()) >= pages
        for _ in range(3):  # what is freed late, or moved aside, is there the next time
            if int(POOL.read_text()) != pages:
                POOL.write_text(f"{pages}\n")
                self.warmed = 0
        if int(POOL.read_text()) < pages:
            return False
        if self.warmed < pages:
            self.warm(0, pages)
            self.warmed = pages
        return True

    def take(self):
        begin, descriptor = time.monotonic(), os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not os.environ.get("HRESV_POOL_LOCKED"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)  # ended while it waited: the pool is another's, and stays as it is
            raise
        self.descriptor, self.since, self.warmed = descriptor, time.monotonic(), 0
        self.waited += self.since - begin
        self.was = int(POOL.read_text())

    def release(self):
        if self.descriptor is None:
            return
        if self.may:
            POOL.write_text(f"{self.was}\n")
        os.close(self.descriptor)
        self.descriptor = None


class Mount:
    """A hugetlbfs for contenders that need one; made in the build directory, by root alone."""

    def __init__(self, path):
        self.path, self.there = Path(path), False

    def make(self):
        if os.geteuid() != 0:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "hugetlbfs", "-o", "mode=1777", "hugetlbfs", str(self.path)],
                              stderr=subprocess.DEVNULL, check=False)
        self.there = done.returncode == 0

    def remove(self):
        if self.there:
            subprocess.run(["umount", str(self.path)], check=False)
            self.there = False


def end_on_signals():
    """SIGTERM and SIGHUP become exceptions, so that what was borrowed is put back."""
    def leave(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def go_first():
    """Ahead of other programs, where that is allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except PermissionError:
        pass


def facts(root):
    cpu = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    thp = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    git = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    virtual = any(" hypervisor" in line for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("flags"))
    return {"cpu": cpu[0] if cpu else os.uname().machine, "cpus": os.cpu_count(),
            "memory_mib": meminfo()["MemTotal"] // 1024, "kernel": os.uname().release,
            "virtual": virtual, "libc": os.confstr("CS_GNU_LIBC_VERSION"),
            "thp": thp.read_text().split("[")[-1].split("]")[0] if thp.exists() else "none",
            "huge_kib": meminfo().get("Hugepagesize", 0), "commit": git.stdout.strip() or "unknown",
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
