# SPDX-License-Identifier: MIT
"""What moves while programs run: each mover changes one thing at random, and puts it back.

A mover has step(rng, jobs), called again and again, and undo(). What the machine lacks
makes its mover absent: the driver says which.
"""
import glob
import mmap
import os
import resource
import signal
import subprocess

POOLS = "/sys/kernel/mm/hugepages/"
MAP_HUGETLB, MAP_NORESERVE = 0x40000, 0x4000
POPULATE_WRITE = 23


class Absent(Exception):
    """This machine lacks what the mover moves."""


def read(path):
    with open(path) as f:
        return f.read().strip()


def write(path, value):
    """False when the kernel refuses, which is its right."""
    try:
        with open(path, "w") as f:
            f.write(str(value))
        return True
    except OSError:
        return False


def default_kb():
    for line in open("/proc/meminfo"):
        if line.startswith("Hugepagesize:"):
            return int(line.split()[1])
    raise Absent("huge pages")


class Pool:
    """Pages come and go under everybody."""
    name = "pool"

    def __init__(self):
        self.dir = f"{POOLS}hugepages-{default_kb()}kB/"
        self.was = read(self.dir + "nr_hugepages")
        self.surplus_was = read(self.dir + "nr_overcommit_hugepages")
        if not os.access(self.dir + "nr_hugepages", os.W_OK):
            raise Absent("the right to set the pool")

    def step(self, rng, jobs):
        if rng.random() < 0.3:
            write(self.dir + "nr_overcommit_hugepages", rng.choice([0, 0, 8, 64]))
        else:
            write(self.dir + "nr_hugepages", rng.choice([0, 1, 4, 12, 30, 60, 100, 150]))

    def undo(self):
        write(self.dir + "nr_overcommit_hugepages", self.surplus_was)
        write(self.dir + "nr_hugepages", self.was)


class Groups:
    """Two levels of control groups, whose limits sink and rise, and jobs that change group."""
    name = "limits"

    def __init__(self):
        self.top, self.files = self.find()
        self.enabled = self.enable()
        self.base = os.path.join(self.top, f"hresv-{os.getpid()}")
        self.dirs = [self.base]
        os.mkdir(self.base)
        if self.files[2]:
            write(self.base + "/cgroup.subtree_control", "+hugetlb")
        for name in ("a", "b"):
            os.mkdir(f"{self.base}/{name}")
            self.dirs.append(f"{self.base}/{name}")
        self.size = os.path.basename(glob.glob(f"{self.base}/hugetlb.2MB.*")[0])[:11] \
            if glob.glob(f"{self.base}/hugetlb.2MB.*") else None
        if not self.size:
            self.undo()
            raise Absent("a hugetlb controller for 2 MiB pages")

    @staticmethod
    def find():
        for line in open("/proc/self/mountinfo"):
            left, right = line.split(" - ")
            point, kind, options = left.split()[4], right.split()[0], right.split()[2]
            if kind == "cgroup" and "hugetlb" in options.split(","):
                return point, ("limit_in_bytes", "rsvd.limit_in_bytes", False)
            if kind == "cgroup2" and "hugetlb" in read(point + "/cgroup.controllers").split():
                return point, ("max", "rsvd.max", True)
        raise Absent("a hugetlb control group")

    def enable(self):
        if not self.files[2] or "hugetlb" in read(self.top + "/cgroup.subtree_control").split():
            return False
        return write(self.top + "/cgroup.subtree_control", "+hugetlb")

    def place(self, rng, pid):
        """For a job that is about to start."""
        write(rng.choice(self.dirs[1:]) + "/cgroup.procs", pid)

    def step(self, rng, jobs):
        kind = rng.random()
        if kind < 0.2 and jobs:
            self.place(rng, rng.choice(jobs).pid)
            return
        limit = rng.choice([-1 if not self.files[2] else "max", 0, 2 << 20, 14 << 20, 40 << 20,
                            100 << 20])
        write(f"{rng.choice(self.dirs)}/{self.size}.{self.files[0 if kind < 0.7 else 1]}", limit)

    def undo(self):
        for group in reversed(self.dirs):
            try:
                for pid in read(group + "/cgroup.procs").split():
                    write(self.top + "/cgroup.procs", pid)
                os.rmdir(group)
            except OSError:
                pass
        if self.enabled:
            write(self.top + "/cgroup.subtree_control", "-hugetlb")


class Neighbour:
    """Somebody without libhresv who takes pages, reserves pages, and gives them back."""
    name = "neighbour"

    def __init__(self):
        self.page = default_kb() << 10
        self.held = []

    def step(self, rng, jobs):
        if self.held and rng.random() < 0.5:
            self.held.pop(rng.randrange(len(self.held))).close()
            return
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB
        reserves = rng.random() < 0.5
        try:
            m = mmap.mmap(-1, rng.choice([1, 3, 10, 40]) * self.page,
                          flags=flags | (0 if reserves else MAP_NORESERVE))
        except OSError:
            return
        if not reserves:
            try:
                m.madvise(POPULATE_WRITE)
            except OSError:
                pass
        self.held.append(m)

    def undo(self):
        for m in self.held:
            m.close()
        self.held = []


class Mount:
    """A hugetlbfs with a quota that fills, empties and vanishes under those who use it."""
    name = "mount"

    def __init__(self, directory):
        self.at = os.path.join(directory, "mount")
        os.mkdir(self.at)
        self.page = default_kb() << 10
        if not self.mount():
            raise Absent("the right to mount hugetlbfs")

    def mount(self):
        return subprocess.run(["mount", "-t", "hugetlbfs", "-o", "size=20M", "none", self.at],
                              stderr=subprocess.DEVNULL).returncode == 0

    def step(self, rng, jobs):
        kind = rng.random()
        if kind < 0.1:
            subprocess.run(["umount", "-l", self.at], stderr=subprocess.DEVNULL)
            self.mount()
        elif kind < 0.6:
            try:
                with open(f"{self.at}/fill-{rng.randrange(3)}", "w") as f:
                    os.posix_fallocate(f.fileno(), 0, rng.choice([1, 4, 9]) * self.page)
            except OSError:
                pass
        else:
            for path in glob.glob(self.at + "/fill-*"):
                try:
                    os.unlink(path)
                except OSError:
                    pass

    def undo(self):
        subprocess.run(["umount", "-l", self.at], stderr=subprocess.DEVNULL)


class Signals:
    """A job is stopped for a while, or killed: its pages must come back."""
    name = "signals"

    def __init__(self):
        self.stopped = []

    def step(self, rng, jobs):
        for job in self.stopped:
            job.signal(signal.SIGCONT)
        self.stopped = []
        if not jobs:
            return
        job = rng.choice(jobs)
        if rng.random() < 0.07:
            job.killed = True
            job.signal(signal.SIGKILL)
        elif rng.random() < 0.5:
            job.signal(signal.SIGSTOP)
            self.stopped.append(job)

    def undo(self):
        for job in self.stopped:
            job.signal(signal.SIGCONT)


class Pressure:
    """Memory that somebody else uses, so that the kernel looks for some."""
    name = "pressure"

    def __init__(self):
        self.held = None

    def step(self, rng, jobs):
        self.undo()
        free = int([x for x in open("/proc/meminfo") if x.startswith("MemAvailable")][0].split()[1])
        if rng.random() < 0.3:
            self.held = mmap.mmap(-1, min(free // 4, 1 << 20) << 10)
            self.held.madvise(POPULATE_WRITE)

    def undo(self):
        if self.held:
            self.held.close()
        self.held = None


class Limits:
    """Resource limits of running jobs; those that small pages would not notice."""
    name = "rlimits"

    def step(self, rng, jobs):
        jobs = [j for j in jobs if j.modest]
        if not jobs:
            return
        what, values = rng.choice([(resource.RLIMIT_MEMLOCK, (0, 1 << 20)),
                                   (resource.RLIMIT_NOFILE, (8, 64, 1024)),
                                   (resource.RLIMIT_SIGPENDING, (0, 1000))])
        try:
            pid = rng.choice(jobs).pid
            hard = resource.prlimit(pid, what)[1]
            soft = rng.choice(values)
            resource.prlimit(pid, what, (soft if hard < 0 else min(soft, hard), hard))
        except (OSError, ValueError):
            pass

    def undo(self):
        pass
