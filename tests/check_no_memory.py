#!/usr/bin/env python3
"""The command when memory runs out at any request: exit code 1 and one line that says so, no half file, never a wrong
result. Some of the requests here, all of them in check_full_no_memory.py.

    check_no_memory.py SOURCE BUILD

Uses tests/fail_allocation.c, preloaded; a build with sanitizers has an allocator of its own, and nothing is done there.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

LINES = {
    "data": ("data digits --out d2 --count 2", ["d2/t10k-labels-idx1-ubyte"]),
    "regression": ("data regression --out r2 --count 3", ["r2/X_train.npy"]),
    "train": ("train mlp_mnist --data d --batch 25 --validation 0.2 --early-stop 1 --checkpoint c.st --save w.st --json r.jsonl",
              ["c.st", "w.st", "r.jsonl"]),
    "resume": ("train mlp_mnist --data d --resume start.st --epochs 3 --mode functional --checkpoint c.st --save w.st",
               ["c.st", "w.st"]),
    "rung": ("train mlp_mnist --data d --batch 25 --mode hybridized --load weights.st --save w.st", ["w.st"]),
    "predict": ("predict mlp_mnist --load weights.st --data d --mode static_shape --out y.csv --json p.jsonl",
                ["y.csv", "p.jsonl"]),
    "memory": ("plan mlp_mnist --batch 2 --svg m.svg --csv m.csv --json m.jsonl", ["m.svg", "m.csv", "m.jsonl"]),
    "report": ("report held.jsonl --out r.html", ["r.html"]),
    "charts": ("report held.jsonl --figures charts",
               ["charts/mlp_mnist-b2-t1-memory.pdf", "charts/mlp_mnist-b2-t1-strategies.csv"]),
    "micro": ("micro relu --operands f32[3,4] --rounds 1 --processes 1 --json o.jsonl --csv o.csv", ["o.jsonl"]),
    "graph": ("graph mlp_mnist --save g.json", ["g.json", "g.safetensors"]),
    "saved": ("predict saved.json --data d --out y.npy", ["y.npy"]),
}


class Memory:
    def __init__(self, build, folder):
        self.tare, self.library = (str(pathlib.Path(build, name).resolve()) for name in ("tare", "libfail_allocation.so"))
        self.folder, self.failures, self.n = pathlib.Path(folder), [], 0

    def run(self, line, at=None):
        """at: the request from which on memory is out; None: it is not watched."""
        env = dict(os.environ)
        if at is not None:
            env |= {"LD_PRELOAD": self.library, "FAIL_ALLOCATION": str(at), "FAIL_ALLOCATION_COUNT": "count"}
        return subprocess.run([self.tare, *line.split()], cwd=self.folder, capture_output=True, text=True, env=env)

    def forget(self, files):
        for name in files:
            (self.folder / name).unlink(missing_ok=True)
            (self.folder / (name + ".part")).unlink(missing_ok=True)

    def contents(self, files):
        """Bytes of the files, of records what does not change from run to run."""
        for name in files:
            data = (self.folder / name).read_bytes()
            if name.endswith(".jsonl"):
                data = [sorted(json.loads(line)) for line in data.splitlines()]
            elif name == "c.st":
                data = data[8 + int.from_bytes(data[:8], "little"):]  # the arrays: there are times in the header
            yield data

    def check(self, line, files, at, wanted):
        self.forget(files)
        done = self.run(line, at)
        self.n += 1
        fail = lambda sentence: self.failures.append(f"tare {line}: request {at}: {sentence}")
        if done.returncode == 0:
            if list(self.contents(files)) != wanted:
                fail("it went on, and its files are others")
        elif done.returncode != 1:
            fail(f"exit {done.returncode}: {done.stderr.strip()[:200]}")
        elif len(done.stderr.splitlines()) != 1 or "memory" not in done.stderr:
            fail(f"it says: {done.stderr.strip()[:200]}")
        for name, content in zip(files, wanted):  # of several files the first may be there: whole
            if not (self.folder / name).exists():
                continue
            left = list(self.contents([name]))[0]
            if left != content if name != "c.st" else len(left) != len(content):  # it may be of an earlier epoch
                fail(f"it left another {name}")
        parts = [name for name in files if not name.endswith(".jsonl") and (self.folder / (name + ".part")).exists()]
        if parts:
            fail(f"it left the part of {parts}")

    def try_line(self, line, files, every):
        self.forget(files)
        done = self.run(line, 0)
        if done.returncode:
            self.failures.append(f"tare {line}: {done.stderr.strip()}")
            return
        total, wanted = int((self.folder / "count").read_text()), list(self.contents(files))
        at = 1
        while at <= total:
            self.check(line, files, at, wanted)
            at += 1 if every else 1 + at // 30
        print(f"{total} requests: {line}")


def main(build, every=False):
    if not pathlib.Path(build, "libfail_allocation.so").exists():
        print("not in this build")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        m = Memory(build, folder)
        for line in ("data digits --out d --count 60", "graph mlp_mnist --save saved.json",
                     "plan mlp_mnist --batch 2 --json held.jsonl",
                     "train mlp_mnist --data d --batch 25 --checkpoint start.st --save weights.st"):
            if m.run(line).returncode:
                sys.exit(f"tare {line} failed")
        for line, files in LINES.values():
            m.try_line(line, files, every)
    print("\n".join(m.failures[:40]))
    print(f"{m.n} requests failed in turn, {len(m.failures)} failures")
    return 1 if m.failures or not m.n else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
