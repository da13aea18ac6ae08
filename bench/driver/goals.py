# SPDX-License-Identifier: MIT
"""goals.py - what we set out to reach, and whether the results say that we did

Each goal is a list of figures: (words, value, sign, limit). A value of None was not
measured. A goal is met when every figure measured is, and none is missing.
"""
from driver.results import geomean

THP_PEERS = ("glibc-thp", "jemalloc-thp", "kernel-thp")
OURS = ("ours", "ours-linked", "ours-thp", "ours-copy", "ours-off", "ours-text")


class Figure:
    def __init__(self, words, value, sign, limit, digits=3):
        self.words, self.value, self.sign, self.limit, self.digits = words, value, sign, limit, digits

    def met(self):
        if self.value is None:
            return None
        return self.value <= self.limit if self.sign == "<=" else self.value >= self.limit

    def said(self):
        value = "not measured" if self.value is None else f"**{self.value:.{self.digits}g}**"
        return f"{self.words} {value} ({'≤' if self.sign == '<=' else '≥'} {self.limit:g})"


class Goal:
    def __init__(self, name, about, figures):
        self.name, self.about, self.figures = name, about, figures

    def met(self):
        each = [figure.met() for figure in self.figures]
        return False if False in each else None if None in each else True


class Asker:
    """Ratios of ours, asked for in few words."""

    def __init__(self, results):
        self.results = results

    def x(self, workload, case, metric, base, mine="ours"):
        ratio = self.results.ratio(workload, case, metric, mine, base)
        return ratio.middle if ratio else None

    def to_best(self, workload, case, metric, peers):
        """Ours to whichever of the peers is smallest; the peers that were measured."""
        measured = [self.x(workload, case, metric, peer) for peer in peers]
        measured = [ratio for ratio in measured if ratio is not None]
        return max(measured) if measured else None

    def own(self, workload, case, metric, mine="ours"):
        return self.results.figure(workload, case, mine, metric)

    def works(self, workload, kind):
        """The part of our runs of all cases of a kind that ended well, and how many there were."""
        failed = runs = 0
        for case in self.results.cases(workload):
            if case.endswith(kind):
                errors, more = self.results.failures(workload, case, "ours")
                failed, runs = failed + len(errors), runs + more
        return ((runs - failed) / runs if runs else None), runs


def allocator_cases(results):
    return sorted({(w, c) for w, c, who in results.records
                   if w.startswith("alloc-") and who == "ours" and results.figure(w, c, "glibc", "wall")})


def allocator_geomean(results, metric, who="ours"):
    found = [results.ratio(w, c, metric, who, "glibc") for w, c in allocator_cases(results)]
    found = [ratio.middle for ratio in found if ratio]
    return geomean(found) if found and len(found) == len(allocator_cases(results)) else None


def worst_cell(results):
    """Our largest ratio to the best peer of a case, and which case that is."""
    worst, where = None, ""
    peers = {who for w, _, who in results.records if w.startswith("alloc-")} - set(OURS)
    for workload, case in allocator_cases(results):
        ratios = [results.ratio(workload, case, "wall", "ours", peer) for peer in peers]
        largest = max((ratio.middle for ratio in ratios if ratio), default=None)
        if largest is not None and (worst is None or largest > worst):
            worst, where = largest, f"{workload[6:]}.{case}"
    return worst, where


def direct(results, call):
    """Our call to libc's own, within one process."""
    ratio = results.ratio("calls", "foreign", f"{call}_ns", "ours", "ours", other_metric=f"{call}_direct_ns")
    return ratio.middle if ratio else None



def goals(results):
    ask = Asker(results)
    worst, where = worst_cell(results)
    size = next((s for s in (1024, 512, 256) if f"{s},spare" in results.cases("redis-bgsave")), 1024)
    saved, saves = ask.works("redis-bgsave", "tight")
    native = ask.results.ratio("postgres", "mmap,10", "connect_per_s", "ours", "kernel-huge")
    return [
        Goal("G1", "allocator table, wall time", [
            Figure("geomean x glibc", allocator_geomean(results, "wall"), "<=", 0.42),
            Figure(f"worst workload ({where}) x its best peer", worst, "<=", 1.05)]),
        Goal("G2", "a block that grows", [
            Figure("x glibc", ask.x("alloc-grow", "1", "wall", "glibc"), "<=", 0.30)]),
        Goal("G3", "first touch of 4 GiB", [
            Figure("x MADV_POPULATE_WRITE", ask.x("touch", "4g,1", "touch_gib_per_s", "kernel-populate"), ">=", 0.98),
            Figure("x glibc", ask.x("touch", "4g,1", "touch_gib_per_s", "glibc"), ">=", 7)]),
        Goal("G4", "512 MiB after 3 s of idleness", [
            Figure("kept, x mimalloc-huge", ask.x("idle", "kept", "again_ms", "mimalloc-huge"), "<=", 1.0),
            Figure("new process, x best THP peer", ask.to_best("idle", "new", "again_ms", THP_PEERS), "<=", 0.06)]),
        Goal("G5", "fork of 4 GiB", [
            Figure("x best THP peer", ask.to_best("fork", "4g,spare", "fork_us", THP_PEERS), "<=", 0.25),
            Figure("x glibc", ask.x("fork", "4g,spare", "fork_us", "glibc"), "<=", 0.006),
            Figure("without spare pages, x best THP peer",
                   ask.to_best("fork", "4g,tight", "fork_us", THP_PEERS), "<=", 0.25)]),
        Goal("G6", "Redis, BGSAVE", [
            Figure("fork x mimalloc-huge", ask.x("redis-bgsave", f"{size},spare", "fork_us", "mimalloc-huge"), "<=", 0.85),
            Figure(f"part of {saves} saves that succeed with a pool of heap plus 0", saved, ">=", 1.0)]),
        Goal("G7", "Redis, SET/s during BGSAVE", [
            Figure("x glibc-huge", ask.x("redis-bgsave", f"{size},spare", "sets_per_s", "glibc-huge"), ">=", 1.0),
            Figure("x glibc", ask.x("redis-bgsave", f"{size},spare", "sets_per_s", "glibc"), ">=", 1.5)]),
        Goal("G8", "exit and munmap of 4 GiB", [
            Figure("exit x best THP peer", ask.to_best("fork", "4g,spare", "exit_ms", THP_PEERS), "<=", 0.15),
            Figure("exit x glibc", ask.x("fork", "4g,spare", "exit_ms", "glibc"), "<=", 0.006)]),
        Goal("G9", "page tables of 4 GiB", [
            Figure("x best THP peer", ask.to_best("fork", "4g,spare", "tables_kib", THP_PEERS), "<=", 0.01)]),
        Goal("G10", "pointers followed through 8 GiB", [
            Figure("x glibc", ask.x("walk-chase", "8g", "step_ns", "glibc"), "<=", 0.65),
            Figure("x 2 MiB pages by mmap", ask.x("walk-chase", "8g", "step_ns", "kernel-huge"), "<=", 1.01)]),
        Goal("G11", "start of /bin/true", [
            Figure("wall x bare", ask.x("start", "300", "start_us", "glibc"), "<=", 1.25),
            Figure("thousand instructions", ask.own("start", "300", "instructions_k"), "<=", 200)]),
        Goal("G12", "mmap and munmap of memory not ours", [
            Figure("pair x direct", direct(results, "pair"), "<=", 1.02),
            Figure("touched x direct", direct(results, "touched"), "<=", 1.02)]),
        Goal("G13", "a huge page mapped, touched, unmapped", [
            Figure("x MAP_HUGETLB", ask.x("huge-pair", "-", "pair_us", "kernel-huge"), "<=", 1.1)]),
        Goal("G14", "memory", [
            Figure("pool pages of a process of 2 MiB", ask.own("small-process", "2m", "pool_pages"), "<=", 1),
            Figure("peak with huge pages, geomean x glibc", allocator_geomean(results, "peak"), "<=", 1.6)]),
        Goal("G15", "PostgreSQL, mmap, no setting changed", [
            Figure("page tables x huge_pages=off", ask.x("postgres", "mmap,10", "tables_kib", "glibc"), "<=", 0.095),
            Figure("connects x its own huge_pages=on", native.middle if native else None, ">=", 1.0)]),
        Goal("G16", "programs", [
            Figure("Python, CPU x glibc", ask.x("python", "-", "cpu_s", "glibc"), "<=", 0.75),
            Figure("Redis, operations x glibc", ask.x("redis", "200", "ops_per_s", "glibc"), ">=", 1.12),
            Figure("SQLite, wall x glibc", ask.x("sqlite", "-", "wall_s", "glibc"), "<=", 0.92)]),
    ]
