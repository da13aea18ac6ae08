# SPDX-License-Identifier: MIT
"""Trees that stand for /proc and /sys: many processes, hostile ones, random damage."""
import os
import random
import sys

MIB = 1 << 20


def write(root, path, data):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def pools(root, total=100, free=40, reserved=10, surplus=0):
    base = "sys/kernel/mm/hugepages/hugepages-2048kB/"
    for name, value in (("nr", total), ("free", free), ("resv", reserved), ("surplus", surplus)):
        write(root, base + name + "_hugepages", f"{value}\n")
    write(root, base + "nr_overcommit_hugepages", "0\n")
    write(root, "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\nHugepagesize: 2048 kB\n")
    write(root, "proc/self/mountinfo", "")


def status(name, huge_kib, uid=1000):
    return (f"Name:\t{name}\nState:\tS (sleeping)\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
            f"VmRSS:\t    1000 kB\nHugetlbPages:\t{huge_kib:8d} kB\n")


def mapping(lo, hi, perms="rw-p", name="", private=0, shared=0, flags="rd wr mr mw me ac ht sd"):
    return (f"{lo:x}-{hi:x} {perms} 00000000 00:00 0  {name}\n"
            f"Size: {(hi - lo) // 1024} kB\nKernelPageSize: 2048 kB\nRss: 0 kB\n"
            f"AnonHugePages: 0 kB\nShared_Hugetlb: {shared} kB\nPrivate_Hugetlb: {private} kB\n"
            f"VmFlags: {flags} \n")


def process(root, pid, name="server", huge_kib=8192, smaps=None):
    write(root, f"proc/{pid}/status", status(name, huge_kib))
    write(root, f"proc/{pid}/stat", f"{pid} ({name}) S 1 " + "0 " * 18 + "12345 0\n")
    lo = 0x7F0000000000
    smaps = smaps if smaps is not None else mapping(lo, lo + 8 * MIB, name="/anon_hugepage (deleted)",
                                                    private=huge_kib)
    write(root, f"proc/{pid}/smaps", smaps)
    write(root, f"proc/{pid}/maps", "".join(line + "\n" for line in (
        smaps if isinstance(smaps, str) else "").splitlines() if " 00:00 " in line))


def many(root, n):
    pools(root)
    for pid in range(1, n + 1):
        if pid % 100 == 0:
            process(root, pid)
        else:
            write(root, f"proc/{pid}/status", status("idle", 0))


def hostile(root):
    pools(root)
    lo = 0x7F0000000000
    process(root, 1, name="\x1b[2J\x1b]0;owned\x07" + "A" * 5000)
    process(root, 2, name='quote" back\\ <xml> & \xff', smaps=mapping(
        lo, lo + 8 * MIB, name='/dev/"<&>\x1b[31m\xff.so (deleted)', private=8192))
    process(root, 3, smaps=mapping(lo, lo + 8 * MIB, private=1 << 50, shared=1 << 50))
    process(root, 4, smaps="ffffffffffffffff-0 rw-p 0 0 0\n-\n zz-yy rwxp\n7f00-7f00 rw-p 0 0:0 0\n")
    process(root, 5, smaps=mapping(0, (1 << 64) - 4096, private=8192))
    process(root, 6, smaps="".join(mapping(lo + i * 4 * MIB, lo + i * 4 * MIB + 2 * MIB, private=2048)
                                   for i in range(20000)))
    write(root, "proc/7/status", b"\0" * 100000)
    write(root, "proc/8/status", b"Name:" + os.urandom(1 << 16))
    write(root, "proc/9/status", "")
    os.makedirs(root + "/proc/10/status")
    os.makedirs(root + "/proc/11")
    write(root, "proc/99999999999999999999/status", status("too long", 4))
    write(root, "proc/007x/status", status("none", 4))
    process(root, 12, huge_kib=(1 << 63))
    os.symlink("loop", root + "/proc/13")
    process(root, 14)
    os.unlink(root + "/proc/14/smaps")


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        how = rng.randint(0, 3)
        at = rng.randrange(len(data)) if data else 0
        if how == 0 and data:
            data[at] = rng.randrange(256)
        elif how == 1:
            del data[at:at + rng.randint(1, 40)]
        elif how == 2:
            data[at:at] = bytes(rng.choices(b"0123456789abcdef-:\n \t\0\xff%\x1b", k=rng.randint(1, 30)))
        else:
            data[at:at] = b"18446744073709551615"
    return bytes(data)


def fuzz(root, source, seed):
    """A copy of what a real process shows, each file damaged."""
    rng = random.Random(seed)
    pools(root, *(rng.choice((0, 1, 50, (1 << 64) - 1)) for _ in range(4)))
    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name), "rb") as f:
            data = f.read()
        if name == "mem":
            continue
        # The first is as it was: what is read of it must be right.
        write(root, f"proc/42/{name}", damage(data, rng) if seed and rng.random() < 0.4 else data)
    sparse(root, source, rng if seed else None)


def sparse(root, source, rng=None):
    """proc/42/mem with the pages that were saved, at their addresses."""
    with open(root + "/proc/42/mem", "wb") as to, open(source + "/mem", "rb") as f:
        saved = f.read()
        at = 0
        while at + 16 <= len(saved):
            address = int.from_bytes(saved[at:at + 8], "little")
            size = int.from_bytes(saved[at + 8:at + 16], "little")
            part = saved[at + 16:at + 16 + size]
            at += 16 + size
            if rng and rng.random() < 0.5:
                part = bytearray(part)
                for _ in range(rng.randint(1, 50)):
                    part[rng.randrange(len(part))] = rng.choice((0, 255, rng.randrange(256)))
                part = bytes(part)
            to.seek(address)
            to.write(part)


def save(pid, to):
    """What hresv reads of a process: its files, and the memory of libhresv's data."""
    os.makedirs(to, exist_ok=True)
    for name in ("status", "stat", "maps", "smaps", "auxv"):
        with open(f"/proc/{pid}/{name}", "rb") as f:
            write(to, name, f.read())
    with open(f"/proc/{pid}/maps") as f:
        lines = f.read().splitlines()
    wanted, follows = [], False
    for line in lines:
        lo, hi = (int(x, 16) for x in line.split()[0].split("-"))
        named = "libhresv" in line or "prog-" in line
        if named or (follows and len(line.split()) == 5 and hi - lo < 8 * MIB):
            wanted.append((lo, hi))
        follows = named
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem, open(to + "/mem", "wb") as out:
        for lo, hi in wanted:
            try:
                mem.seek(lo)
                part = mem.read(hi - lo)
            except OSError:
                continue
            out.write(lo.to_bytes(8, "little") + len(part).to_bytes(8, "little") + part)


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    {"many": lambda root, n: many(root, int(n)),
     "hostile": hostile,
     "pools": lambda root, *n: pools(root, *map(int, n)),
     "save": lambda pid, to: save(int(pid), to),
     "fuzz": lambda top, source, n: [fuzz(f"{top}/{i}", source, i) for i in range(int(n))],
     }[what](*args)
