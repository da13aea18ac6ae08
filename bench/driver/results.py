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


class Results:
    """One record a run: workload, case, contender, round, metrics, result, error."""

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

    def add(self, record):
        self.remember(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as out:
            out.write(json.dumps(record) + "\n")

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
