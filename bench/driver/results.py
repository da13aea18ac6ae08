# SPDX-License-Identifier: MIT
"""results.py - what was measured, kept as lines of JSON, and ratios made from them"""
import json
import math
from pathlib import Path


def median(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def geomean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


class Ratio:
    """The median over the rounds of one contender's figure to another's, and its spread."""

    def __init__(self, values):
        self.middle, self.least, self.most, self.rounds = median(values), min(values), max(values), len(values)


SAME = {"build": "library", "cpu": "processor", "cpus": "number of processors", "memory_mib": "amount of memory",
        "kernel": "kernel", "libc": "libc", "thp": "setting of THP", "huge_kib": "size of huge pages"}


def differ(one, other):
    """The word for what makes rounds of one bench no rounds of the other, or None."""
    return next((word for name, word in SAME.items() if one and one.get(name) != other.get(name)), None)


class Results:
    """One record a run: workload, case, contender, round, metrics, result, error, and how long it took in all."""

    def __init__(self, path):
        self.path, self.facts, self.records, self.skips = Path(path), {}, {}, {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                self.remember(json.loads(line))

    def remember(self, record):
        if "facts" in record:
            self.facts = record["facts"]
        elif "skip" in record:
            self.skips[(record["workload"], record["case"], record["contender"])] = record["skip"]
        else:
            key = (record["workload"], record["case"], record["contender"])
            self.records.setdefault(key, {})[record["round"]] = record
            self.skips.pop(key, None)

    def add(self, record):
        self.remember(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as out:
            out.write(json.dumps(record) + "\n")

    def ask(self, cases):
        """Notes how many rounds of each case are to be; what has fewer in the end was cut."""
        asked = dict(self.facts.get("asked", {}))
        for workload, case, rounds in cases:
            asked[f"{workload} {case}"] = max(rounds, asked.get(f"{workload} {case}", 0))
        self.add({"facts": dict(self.facts, asked=asked, sittings=self.facts.get("sittings", 0) + 1)})

    def spent(self, seconds):
        self.add({"facts": dict(self.facts, minutes=round(self.facts.get("minutes", 0) + seconds / 60, 1))})

    def cut(self):
        """Cases with fewer rounds than asked for: (their name, rounds had, rounds asked)."""
        had, skipped = {}, {f"{workload} {case}" for workload, case, _ in self.skips}
        for (workload, case, _), rounds in self.records.items():
            name = f"{workload} {case}"
            had[name] = min(len(rounds), had.get(name, len(rounds)))
        return [(name, had.get(name, 0), asked) for name, asked in self.facts.get("asked", {}).items()
                if had.get(name, 0) < asked and (name in had or name not in skipped)]

    def took(self, workload, case, contender):
        """Seconds that a run takes with what is done around it."""
        seconds = [r["took"] for r in self.records.get((workload, case, contender), {}).values() if "took" in r]
        return median(seconds) if seconds else None

    def skip(self, workload, case, contender, why):
        if self.skips.get((workload, case, contender)) != why:
            self.add({"workload": workload, "case": case, "contender": contender, "skip": why})

    def has(self, workload, case, contender, number):
        return number in self.records.get((workload, case, contender), {})

    def cases(self, workload):
        found = []
        for name, case, _ in self.records:
            if name == workload and case not in found:
                found.append(case)
        return found

    def who(self, workload, case):
        return {who for name, other, who in self.records if (name, other) == (workload, case)}

    def metrics(self, workload):
        """Every metric that somebody had, in the order it was said first."""
        found = []
        for (name, _, _), rounds in self.records.items():
            for record in rounds.values() if name == workload else ():
                found += [m for m in record["metrics"] if m not in found]
        return found

    def runs(self, workload, case, contender):
        """The rounds' records that count: neither failed nor with another result."""
        rounds = self.records.get((workload, case, contender), {})
        return {n: r for n, r in rounds.items() if "error" not in r}

    def failures(self, workload, case, contender):
        rounds = self.records.get((workload, case, contender), {})
        return [r["error"] for r in rounds.values() if "error" in r], len(rounds)

    def figures(self, workload, case, contender, metric):
        return [r["metrics"][metric] for r in self.runs(workload, case, contender).values()
                if metric in r["metrics"]]

    def figure(self, workload, case, contender, metric):
        values = self.figures(workload, case, contender, metric)
        return median(values) if values else None

    def ratio(self, workload, case, metric, contender, base, other_case=None, other_metric=None):
        """Of @contender to @base, round by round; None where they have no round in common."""
        mine = self.runs(workload, case, contender)
        theirs = self.runs(workload, other_case or case, base)
        values = [mine[n]["metrics"][metric] / theirs[n]["metrics"][other_metric or metric] for n in mine
                  if n in theirs and metric in mine[n]["metrics"]
                  and theirs[n]["metrics"].get(other_metric or metric)]
        return Ratio(values) if values else None


def larger_is_better(metric):
    return metric.endswith("_per_s")


def cost(metric, ratio):
    """A ratio as a cost, so that below 1 is always better."""
    return 1 / ratio if larger_is_better(metric) and ratio else ratio
