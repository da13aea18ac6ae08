# SPDX-License-Identifier: MIT
"""report.py - docs/BENCHMARKS.md and its plots, from whatever was measured"""
import re
from pathlib import Path

from driver import plot
from driver.goals import OURS, allocator_cases, allocator_geomean, goals
from driver.results import cost, larger_is_better

TITLES = {"allocator": "Allocators", "memory": "First touch, and after idleness", "fork": "Fork, exit, page tables",
          "walks": "Places at random", "calls": "What interposed calls cost", "programs": "Programs",
          "scale": "As the work grows"}
MEASURED = ("wall", "cpu", "peak", "faults")
PLOTS = "benchmarks"


def write(results, workloads, contenders, here, docs):
    """@here has missed.md and measured.md, by hand; the report goes to @docs."""
    Report(results, workloads, contenders, Path(here), Path(docs)).write()
    return 0


class Report:
    def __init__(self, results, workloads, contenders, here, docs):
        self.results, self.workloads, self.here, self.docs = results, workloads, here, docs
        self.order = [c.name for c in contenders]
        self.lines = []

    def say(self, *lines):
        self.lines += lines

    def write(self):
        (self.docs / PLOTS).mkdir(parents=True, exist_ok=True)
        for old in (self.docs / PLOTS).glob("*.svg"):
            old.unlink()
        self.head()
        self.goals()
        for section, title in TITLES.items():
            members = [w for w in self.workloads if w.section() == section and self.results.cases(w.name)]
            if members:
                self.say(f"## {title}", "")
                if section == "allocator":
                    self.allocators()
                for workload in members:
                    self.workload(workload)
        self.left_out()
        self.by_hand("measured.md")
        (self.docs / "BENCHMARKS.md").write_text("\n".join(self.lines).rstrip() + "\n")
        print(f"written: {self.docs / 'BENCHMARKS.md'}")

    def head(self):
        f = self.results.facts
        rounds = [len(r) for r in self.results.records.values()]
        self.say("# Benchmarks", "",
                 "Made by `make bench` (bench/README.md); not edited by hand. Everybody on the same machine and pool, in rounds, the",
                 "order moved on by one each round; memory and pool warmed before each run; each run's result checked. **x** is the",
                 "median of the rounds' ratios, with the least and the largest behind it. Times and memory: below 1 is better; `_per_s`: above.",
                 "")
        if f:
            kind = "virtual machine" if f.get("virtual") else "machine"
            self.say(f"{f['date']}, commit {f['commit']}: {kind}, {f['cpus']} x {f['cpu']}, {f['memory_mib'] // 1024} GiB, "
                     f"Linux {f['kernel']}, {f['libc']}, huge pages of {f['huge_kib']} KiB, THP `{f['thp']}`. "
                     f"{sum(rounds)} runs, {min(rounds, default=0)} to {max(rounds, default=0)} rounds, "
                     f"{f.get('minutes', 0):.0f} minutes{sittings(f)}.", "")

    def goals(self):
        found = goals(self.results)
        met = [goal.met() for goal in found]
        self.say("## Goals", "", f"{met.count(True)} met, {met.count(False)} missed, {met.count(None)} not measured whole.", "",
                 "| | goal | measured (asked) | |", "|---|---|---|---|")
        for goal in found:
            word = {True: "met", False: "**missed**", None: "-"}[goal.met()]
            self.say(f"| {goal.name} | {goal.about} | {'; '.join(f.said() for f in goal.figures)} | {word} |")
        self.say("")
        words = self.missed()
        missed = [goal for goal in found if goal.met() is False]
        if missed:
            self.say("### What was missed: tried, seen, needed", "")
        for goal in missed:
            self.say(f"**{goal.name}, {goal.about}.** {words.get(goal.name, 'Nothing is written about it yet.')}", "")

    def missed(self):
        """The hand-written words about each goal: ## G1, then text."""
        path = self.here / "missed.md"
        parts = re.split(r"^## (G\d+).*\n", path.read_text(), flags=re.M) if path.exists() else [""]
        return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2])}

    def by_hand(self, name):
        if (self.here / name).exists():
            self.say(*(self.here / name).read_text().splitlines())

    def table(self, head, rows):
        self.say("| " + " | ".join(head) + " |", "|" + "---|" * len(head))
        for row in rows:
            self.say("| " + " | ".join(row) + " |")
        self.say("")

    def who(self, workload, case=None):
        found = {w for name, c, w in self.results.records if name == workload and case in (None, c)}
        return [name for name in self.order if name in found] + sorted(found - set(self.order))

    def allocators(self):
        cases = allocator_cases(self.results)
        if not cases:
            return
        everybody = [name for name in self.order if any(name in self.who(w, c) for w, c in cases)]
        for metric, about in (("wall", "Wall time"), ("cpu", "CPU time"), ("peak", "Peak memory, huge pages counted"),
                              ("faults", "Minor faults")):
            rows, means = [], []
            for name in everybody:
                mean = allocator_geomean(self.results, metric, name)
                cells = [self.x(w, c, metric, name, "glibc", False) for w, c in cases]
                rows.append([bold(name), *cells, f"**{mean:.3f}**" if mean else "-"])
                if mean:
                    means.append((name, mean, mean, mean, name in OURS))
            self.say(f"**{about}**, x glibc:", "")
            self.table(["", *(f"{w[6:]}.{c}" for w, c in cases), "geomean"], rows)
            if metric in ("wall", "peak"):
                self.picture(f"allocator-{metric}", plot.bars(f"Allocators: {about.lower()}, geomean of {len(cases)} workloads", means))

    def x(self, workload, case, metric, name, base, spread=True):
        ratio = self.results.ratio(workload, case, metric, name, base)
        if not ratio:
            return "failed" if self.results.failures(workload, case, name)[0] else "-"
        if not spread or ratio.rounds < 2:
            return f"{ratio.middle:.3f}"
        return f"{ratio.middle:.3f} ({ratio.least:.2f}..{ratio.most:.2f})"

    def picture(self, name, svg):
        (self.docs / PLOTS / f"{name}.svg").write_text(svg)
        self.say(f"![{name}]({PLOTS}/{name}.svg)", "")

    def workload(self, workload):
        metrics = self.metrics(workload)
        if workload.section() == "allocator" and not set(metrics) - set(MEASURED):
            return
        self.say(f"### {workload.name}", "", sentence(workload.about) + self.about_goals(workload), "")
        show = workload.words("show", "wall")[0]
        for case in self.results.cases(workload.name):
            rows, said = [], [m for m in metrics if self.anybody(workload.name, case, m)]
            for name in self.who(workload.name, case):
                cells = [figure(self.results.figure(workload.name, case, name, metric)) for metric in said]
                rows.append([bold(name), self.x(workload.name, case, show, name, workload.base()), *cells,
                             self.trouble(workload.name, case, name)])
            if not any(row[-1] for row in rows):
                rows = [row[:-1] for row in rows]
            head = [f"`{case}`" if case != "-" else "", f"{show} x {workload.base()}", *said]
            self.table(head + ["failed"] * (len(rows[0]) - len(head)), rows)
        self.plots(workload, show)

    def anybody(self, workload, case, metric):
        return any(self.results.figures(workload, case, name, metric) for name in self.who(workload, case))

    @staticmethod
    def about_goals(workload):
        named = workload.words("goals")
        return f" ({', '.join(named)})" if named else ""

    def metrics(self, workload):
        """Its own; what the driver measures too, where it says nothing itself."""
        found = self.results.metrics(workload.name)
        own = [m for m in found if m not in MEASURED]
        return own or [m for m in MEASURED if m in found]

    def trouble(self, workload, case, name):
        errors, runs = self.results.failures(workload, case, name)
        if not errors:
            return ""
        return f"{len(errors)} of {runs}: {errors[0][:70]}".replace("|", "/").replace("\n", " ")

    def plots(self, workload, show):
        """A curve where cases are sizes (`plot: metric what`), else bars of a case's ratios."""
        wanted = workload.words("plot")
        if wanted:
            self.curve(workload, wanted[0], " ".join(wanted[1:]))
        if workload.section() in ("programs", "memory", "fork"):
            for case in self.results.cases(workload.name):
                self.bars(workload, case, show)

    def bars(self, workload, case, show):
        rows = []
        for name in self.who(workload.name, case):
            ratio = self.results.ratio(workload.name, case, show, name, workload.base())
            if ratio:
                ends = sorted((cost(show, ratio.least), cost(show, ratio.most)))
                rows.append((name, cost(show, ratio.middle), *ends, name in OURS))
        if len(rows) > 1:
            what = f"{show}, turned round" if larger_is_better(show) else show
            slug = re.sub(r"\W+", "-", f"{workload.name}-{case}").strip("-")
            self.picture(slug, plot.bars(f"{workload.name} {case}: {what}", rows,
                                         f"x {workload.base()}; below 1 is better"))

    def curve(self, workload, metric, across):
        lines = {}
        for case in self.results.cases(workload.name):
            if re.fullmatch(r"\d+[kmg]?", case):
                for name in self.who(workload.name, case):
                    value = self.results.figure(workload.name, case, name, metric)
                    if value and value > 0:
                        lines.setdefault(name, []).append((amount(case), value))
        lines = {name: line for name, line in lines.items() if len(line) > 1}
        if lines:
            self.picture(f"{workload.name}-{metric}", plot.curves(f"{workload.name}: {metric}", lines, across, metric))

    def left_out(self):
        ran = {w for w, _, _ in self.results.records}
        cut = [f"{name} ({had} of {asked} rounds)" for name, had, asked in self.results.cut()]
        never = [w.name for w in self.workloads if w.name not in ran]
        reasons = {}
        for (workload, _, name), why in self.results.skips.items():
            reasons.setdefault((name, why), set()).add(workload)
        if never or reasons or cut:
            self.say("## Left out", "")
        if cut:
            self.say(f"No time for all rounds: {', '.join(cut)}.", "")
        if never:
            self.say(f"Not run this time: {', '.join(never)}.", "")
        for (name, why), where in sorted(reasons.items()):
            self.say(f"- {name}: {why} ({', '.join(sorted(where))})")
        self.say("")


def sittings(facts):
    """Rounds that were measured at another time are still rounds, but it is said."""
    return f", in {facts['sittings']} sittings" if facts.get("sittings", 1) > 1 else ""


def amount(case):
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    return int(case[:-1]) * units[case[-1]] if case[-1] in units else int(case)


def figure(value):
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def bold(name):
    return f"**{name}**" if name in OURS else name


def sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
