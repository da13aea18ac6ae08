# SPDX-License-Identifier: MIT
"""config.py - who runs (contenders.conf) and what is run (the heads of workloads/)

A workload is a file; lines `// key: words` in it (`# key:` in scripts) say how it is
run. A case is its arguments, joined by commas. A value that differs between cases is
written case:value for each.
"""
import os
import re
from pathlib import Path

LEVELS = ("quick", "brief", "full")
KEYS = {"section", "goals", "cases", "brief", "quick", "contenders", "few", "base", "pool", "memory", "timeout",
        "show", "plot", "rounds", "pooled", "needs", "settle"}


class Contender:
    def __init__(self, name, groups, library, environment):
        self.name, self.groups, self.library, self.environment = name, groups, library, environment

    def lacks(self):
        """The word for why it cannot run, or None."""
        if self.library in ("-", "linked") or Path(self.library).exists():
            return None
        return f"no {Path(self.library).name}"

    def variables(self):
        words = list(self.environment)
        if self.library not in ("-", "linked"):
            words.insert(0, f"LD_PRELOAD={self.library}")
        return words


def contenders(path, build, mount):
    places = {"@lib@": f"/usr/lib/{os.uname().machine}-linux-gnu", "@build@": str(build),
              "@mount@": str(mount)}
    found = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < 3 or any("=" not in word for word in words[3:]):
            raise SystemExit(f"{path}:{number}: not name, groups, library, NAME=VALUE...: {line}")
        for sign, place in places.items():
            words = [word.replace(sign, place) for word in words]
        found.append(Contender(words[0], words[1].split(","), words[2], words[3:]))
    return found


class Workload:
    def __init__(self, path):
        self.path, self.name = Path(path), Path(path).stem
        self.keys, about = {}, []
        for line in self.path.read_text().splitlines():
            key = re.match(r"(?://|#) (\w+):(.*)", line)
            if key and key[1] in KEYS:
                self.keys[key[1]] = key[2].split()
            elif not self.keys and "SPDX" not in line and not line.startswith("#!"):
                about.append(re.sub(r'^( \*(?!/)|/\*|#|""") ?| ?(\*/|""")$', "", line))
        text = " ".join(about).split("\t")[0].strip()
        self.about = text.split(" - ", 1)[-1]

    def section(self):
        return " ".join(self.keys.get("section", ["other"]))

    def cases(self, level):
        every = self.keys.get("cases") or ["-"]
        if level == "full":
            return every
        chosen = self.keys.get(level)
        if level == "brief" and chosen is None:
            chosen = every
        return chosen or []

    def words(self, key, otherwise=""):
        return self.keys.get(key, otherwise.split())

    def value(self, key, case, otherwise=0):
        for word in self.keys.get(key, []):
            name, _, value = word.rpartition(":")
            if name in ("", case):
                return int(value)
        return otherwise

    def field(self, contenders, case, few=False):
        """The contenders it asks for, groups and names, in the order of the file."""
        asked = self.words("few") if few and "few" in self.keys else self.words("contenders", "malloc")
        words = [word.rpartition(":") for word in asked]
        own = [names.split(",") for which, _, names in words if which == case]
        asked = own[0] if own else [names for which, _, names in words if not which]
        return [c for c in contenders if c.name in asked or set(c.groups) & set(asked)]

    def base(self):
        return (self.words("base") or ["glibc"])[0]


def workloads(directory):
    files = [p for p in sorted(Path(directory).iterdir()) if p.suffix in (".c", ".py", ".sh")]
    return [Workload(path) for path in files]
