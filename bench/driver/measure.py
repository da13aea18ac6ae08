# SPDX-License-Identifier: MIT
"""measure.py - one run of a workload by a contender, and what it said"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

FIELDS = ("wall", "cpu", "peak", "faults")
PERF_EVENTS = ("cycles", "instructions", "dTLB-loads", "dTLB-load-misses", "iTLB-load-misses")


def perf_counts():
    """Whether this machine counts misses of the TLB; virtual machines mostly don't."""
    if not shutil.which("perf"):
        return False
    said = subprocess.run(["perf", "stat", "-x,", "-e", "dTLB-load-misses:u", "true"], text=True,
                          stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, check=False).stderr
    return re.search(r"^\d+,", said, re.M) is not None


class Runner:
    def __init__(self, build, here, keep, perf=False):
        self.build, self.here, self.keep, self.perf = Path(build), Path(here), Path(keep), perf

    def command(self, workload, case, contender):
        arguments = [] if case == "-" else case.split(",")
        if workload.path.suffix != ".c":
            return [str(workload.path), *arguments]
        where = "linked" if contender.library == "linked" else "workloads"
        return [str(self.build / "bench" / where / workload.name), *arguments]

    def lacks(self, workload, contender):
        """The word for why this contender has no such workload, or None."""
        if contender.lacks():
            return contender.lacks()
        if contender.library == "linked" and workload.path.suffix != ".c":
            return "a program of Debian's is not linked with us"
        program = Path(self.command(workload, "-", contender)[0])
        if not program.exists():
            return f"not built: {program.name}"
        for need in workload.words("needs"):
            if not shutil.which(need) and not Path(need).exists():
                return f"no {need}"
        return None

    def run(self, workload, case, contender):
        """Returns a record: the measured fields, metrics, result, and error if it failed."""
        variables, surroundings = contender.variables(), dict(os.environ)
        if workload.path.suffix != ".c":
            # A script starts the program itself: $LAUNCH program.
            surroundings.update(LAUNCH=" ".join(["env", *variables]), CONTENDER=contender.name,
                                BUILD=str(self.build), BENCH=str(self.here), KEEP=str(self.keep))
            variables = []
        with tempfile.TemporaryDirectory(prefix="hresv-bench-") as directory:
            out = Path(directory, "measured")
            os.chmod(directory, 0o711)
            command = [str(self.build / "bench" / "measure"), str(out)]
            if self.perf:
                command += ["perf", "stat", "-x,", "-o", f"{directory}/perf", "-e", ",".join(PERF_EVENTS), "env"]
            command += [*variables, *self.command(workload, case, contender)]
            error, said = self.watch(command, surroundings, workload.value("timeout", case, 60))
            record = parse(said)
            if not error and out.exists():
                error = self.fields(out, record, said)
            if self.perf and Path(directory, "perf").exists():
                perf_fields(Path(directory, "perf").read_text(), record)
        if record.get("status") == 77:
            record["skip"] = " ".join(said.split())[-100:]
        elif error or "result" not in record:
            record["error"] = (error or "said no result")[:200]
        return record

    @staticmethod
    def watch(command, surroundings, seconds):
        # A session of its own: what is left of a run that takes too long is ended with it.
        with subprocess.Popen(command, env=surroundings, text=True, errors="replace", start_new_session=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            try:
                said, _ = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                said, _ = child.communicate()
                return f"longer than {seconds} s", said
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)
                raise
        return (f"measure: {said[-160:]}" if child.returncode else None), said

    @staticmethod
    def fields(out, record, said):
        words = out.read_text().split()
        for name, word in zip(FIELDS, words):
            record["metrics"][name] = float(word)
        status = int(words[4])
        record["status"] = status >> 8
        if status == 0:
            return None
        how = f"signal {status & 127}" if status & 127 else f"status {status >> 8}"
        return f"{how}: {' '.join(said.split())[-150:]}"


def parse(said):
    record = {"metrics": {}}
    for line in said.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "metric":
            record["metrics"][words[1]] = float(words[2])
        elif len(words) >= 2 and words[0] == "result":
            record["result"] = " ".join(words[1:])
    return record


def perf_fields(text, record):
    for line in text.splitlines():
        words = line.split(",")
        if len(words) > 2 and words[0].isdigit():
            record["metrics"][words[2].split(":")[0]] = float(words[0])
