# SPDX-License-Identifier: MIT
"""plan.py - in which order cases come, in how many rounds, and what there is no time for

Goals come first, once and then some times more, then curves, then the rest; and some rounds of
everything before more of anything, so that a run cut short has the best of what it could have had.
"""
import time

FIRST = {"goals": 3, "curves": 2, "rest": 2}
MIDDLE = 3
KINDS = ("goals", "curves", "rest")


def kind(workload):
    if workload.words("goals"):
        return "goals"
    return "curves" if workload.words("plot") else "rest"


def place(workload):
    """Goals by their number; what has none keeps its name's place."""
    numbers = [int(name[1:]) for name in workload.words("goals")]
    return KINDS.index(kind(workload)), min(numbers, default=0), workload.name


def passes(rounds):
    """(kind, up to how many rounds), in order."""
    found = [("goals", 1)]
    found += [(name, min(FIRST[name], rounds)) for name in KINDS if (name, rounds) not in found]
    for name, number in (("goals", rounds), ("curves", min(MIDDLE, rounds)), ("rest", min(MIDDLE, rounds)),
                         ("curves", rounds), ("rest", rounds)):
        if (name, number) not in found:
            found.append((name, number))
    return found


def cheap_first(cases, results):
    """So that in what time is left most of them get their rounds."""
    return sorted(cases, key=lambda pair: sum(results.took(pair[0].name, pair[1], who) or 0
                                              for who in results.who(pair[0].name, pair[1])))


class Clock:
    """The minutes that a bench may take; what others had the pool for counts too."""

    def __init__(self, minutes, results):
        self.end, self.results = time.monotonic() + minutes * 60 if minutes else None, results

    def left(self):
        return None if self.end is None else self.end - time.monotonic()

    def room_for(self, workload, case, contenders):
        """Whether a round is over in time, by what its runs took so far; one never run may begin."""
        left = self.left()
        return left is None or left > self.cost(workload, case, contenders)

    def cost(self, workload, case, contenders):
        known = [self.results.took(workload.name, case, contender.name) for contender in contenders]
        known = [seconds for seconds in known if seconds is not None]
        return sum(known) / len(known) * len(contenders) if known else 0
