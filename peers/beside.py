#!/usr/bin/env python3
"""tare beside the frameworks that a user would take instead: one net, one set of weights, one machine, one run.

    beside.py NET [--batch N] [--threads T] [--arms static_shape,symbol,step] [--rounds R] [--seconds S] [--json FILE]
              --peer NAME=PYTHON[:MODE,MODE...] ...        NAME: torch, mx, jax, tf; PYTHON: an interpreter that has it

`tare graph` writes the net with its weights; every peer (NAME_peer.py) builds that graph of its own layers and must
compute what `tare predict` computes on the same input, within 1e-4 in the 2-norm, or it is left out and the exit code
is 1. tare's arms are processes too, `tare serve` with a rung each. Then come rounds: in each, in an order shuffled anew,
every arm takes steps (forward, loss, backward; no update) for S seconds, two at least, while all others are stopped
(SIGSTOP). A round's figure is the median of its steps; ratios are taken within a round, and what is printed is their
geometric mean over rounds with Student's 95 % interval, beside the least and the median step; after an interrupt, those
of the whole rounds so far. All processes are pinned to the same T processors. The standard library alone is needed here;
FILE gets lines that `tare explain --vs` reads.
"""
import argparse
import array
import json
import math
import os
import pathlib
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODES = {"torch": ["eager", "compile", "channels_last"], "mx": ["block", "static", "symbol"], "jax": ["jit"],
         "tf": ["function"]}
TOLERANCE = 1e-4
# Student's t, two-sided 95 %, by degrees of freedom.
T95 = [math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]


def npy_write(path, values, shape):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values.tobytes())


def npy_read(path):
    data = pathlib.Path(path).read_bytes()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return array.array("f", data[start:])


def distance(got, wanted):
    """||got - wanted|| / ||wanted||; infinity where they are not alike in length."""
    if len(got) != len(wanted):
        return math.inf
    norm = math.sqrt(sum(w * w for w in wanted))
    return math.sqrt(sum((g - w) ** 2 for g, w in zip(got, wanted))) / (norm or 1)


class Failure(Exception):
    pass


class Arm:
    """The process of a peer, or of tare, stopped whenever it is not asked anything."""

    def __init__(self, name, command, folder, threads):
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        variables = {v: str(threads) for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
            cwd=folder, env={**os.environ, **variables}, preexec_fn=lambda: pin(threads))
        try:
            ready = self._answer()
            self.idle, self.version = ready.get("idle"), ready.get("version")  # idle: why it means nothing for this net
        except BaseException:
            self.close()
            raise
        self._signal(signal.SIGSTOP)

    def _signal(self, number):
        os.killpg(self.process.pid, number)

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        self.log.seek(0)
        last = (self.log.read().strip().splitlines() or ["no word"])[-1]
        raise Failure(f"{self.name}: ended with {self.process.returncode}: {last[:300]}")

    def ask(self, **what):
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what it died of is read below
        answer = self._answer()
        self._signal(signal.SIGSTOP)
        return answer

    def steps(self, seconds):
        return self.ask(seconds=seconds)["ms"]

    def close(self):
        try:
            self._signal(signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()


def pin(threads):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def tare(o, *words):
    ran = subprocess.run([o.tare, *words, "--quiet"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         preexec_fn=lambda: pin(o.threads))
    if ran.returncode:
        raise Failure((ran.stderr or ran.stdout).strip().splitlines()[-1])


def prepare(o, work):
    """The net with its weights, an input, and what tare computes of it."""
    tare(o, "graph", o.net, *(["--batch", str(o.batch)] if o.batch else []), "--save", f"{work}/net.json")
    with open(f"{work}/net.json", encoding="utf-8") as file:
        saved = json.load(file)
    shape, o.label = saved["inputs"][0]["shape"], saved["net"]["label"]
    o.batch = shape[0]
    draw = random.Random(1)
    npy_write(f"{work}/x.npy", array.array("f", (draw.uniform(-1, 1) for _ in range(math.prod(shape)))), shape)
    tare(o, "predict", f"{work}/net.json", "--data", f"{work}/x.npy", "--out", f"{work}/y.npy")
    return npy_read(f"{work}/y.npy")


def arms_of(o, work):
    """(name, command line, whether it is a peer) of each arm: tare's own first."""
    for rung in o.arms.split(","):
        yield f"tare {rung}", [o.tare, "serve", o.net, "--batch", str(o.batch), "--threads", str(o.threads), "--mode", rung,
                               "--quiet"], False
    for name, python, modes in o.peer:
        for mode in modes:
            yield f"{name} {mode}", [python, HERE / f"{name}_peer.py", f"{work}/net.json", f"{work}/x.npy", str(o.threads),
                                     mode], True


def check_outputs(arm, work, wanted):
    arm.ask(outputs=f"{work}/peer.npy")
    off = distance(npy_read(f"{work}/peer.npy"), wanted)
    if not off <= TOLERANCE:
        raise Failure(f"{arm.name}: computes something else than tare: {off:.1e} off (at most {TOLERANCE})")


def open_arms(o, work, wanted, arms, failures):
    for name, command, peer in arms_of(o, work):
        arm = None
        try:
            print(f"  {name} ...          ", end="\r", file=sys.stderr, flush=True)
            arm = Arm(name, command, work if peer else None, o.threads)
            if arm.idle:
                arm.close()
                continue
            if peer:
                check_outputs(arm, work, wanted)
            arm.steps(min(o.seconds, 1))  # traced and compiled
            arms.append(arm)
        except (Failure, OSError) as failure:
            failures.append(str(failure))
            if arm:
                arm.close()
        except BaseException:  # a signal: nobody else knows this one yet
            if arm:
                arm.close()
            raise


def rounds_of(o, arms, failures, took):
    """Fills took: name -> one list of milliseconds a round."""
    for number in range(o.rounds):
        for arm in random.Random(number).sample(arms, len(arms)):
            print(f"  round {number + 1} of {o.rounds} ...   ", end="\r", file=sys.stderr, flush=True)
            try:
                took.setdefault(arm.name, []).append(arm.steps(o.seconds))
            except Failure as failure:
                failures.append(str(failure))
                arms.remove(arm)
                took.pop(arm.name)


def ratio(mine, base):
    """Geometric mean of mine / base within rounds, with its 95 % interval."""
    logs = [math.log(statistics.median(m) / statistics.median(b)) for m, b in zip(mine, base)]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), math.nan, math.nan
    half = T95[min(len(logs) - 1, len(T95) - 1)] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def whole_rounds(took):
    return min(map(len, took.values()), default=0)


def show(o, took, versions):
    base = f"tare {o.arms.split(',')[-1]}"
    whole = whole_rounds(took)
    if base not in took:
        raise Failure("tare was not measured")
    took = {name: rounds[:whole] for name, rounds in took.items()}
    print(f"{o.net}, batch {o.batch}, {o.threads} thread{'s' if o.threads > 1 else ''}: forward, loss, backward; "
          f"{whole} round{'s' if whole > 1 else ''}; ratios to {base}")
    width = max(len(name) for name in took)
    print(f"  {'':{width}}  {'least':>10}  {'median':>10}  {'ratio':>6}  95 % interval")
    lines = []
    for name, rounds in sorted(took.items(), key=lambda item: statistics.median(map(statistics.median, item[1]))):
        least, median = min(map(min, rounds)), statistics.median(map(statistics.median, rounds))
        value, low, high = ratio(rounds, took[base])
        within = "one round has none" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
        print(f"  {name:{width}}  {least:7.3f} ms  {median:7.3f} ms  {value:6.3f}  {within}")
        lines.append({"name": versions.get(name, name), "net": o.label, "batch": o.batch, "threads": o.threads,
                      "ms": median, "least_ms": least, "ratio": value, "to": base,
                      "ci95": None if math.isnan(low) else [low, high]})
    if o.json:
        with open(o.json, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def peer_of(text):
    name, _, rest = text.partition("=")
    python, _, modes = rest.partition(":")
    if not rest or not (HERE / f"{name}_peer.py").is_file():
        raise argparse.ArgumentTypeError(f"'{text}' (need NAME=PYTHON[:MODE,...], NAME one of {', '.join(MODES)})")
    return name, python, modes.split(",") if modes else MODES.get(name, ["step"])


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arms", default="static_shape,step,symbol", help="tare's; ratios refer to the last")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json")
    parser.add_argument("--tare", default=str(HERE.parent / "build" / "tare"))
    parser.add_argument("--peer", type=peer_of, action="append", default=[])
    o = parser.parse_args()
    if o.threads < 1 or o.rounds < 1 or not o.seconds > 0 or (o.batch is not None and o.batch < 1):
        parser.error("--threads, --rounds, --seconds and --batch are above 0")
    return o


def main():
    o = options()
    arms, failures, took = [], [], {}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # so that no process is left behind
        signal.signal(number, lambda which, _: sys.exit(128 + which))
    with tempfile.TemporaryDirectory(prefix="tare_beside_") as work:
        try:
            wanted = prepare(o, work)
            open_arms(o, work, wanted, arms, failures)
            versions = {arm.name: arm.version for arm in arms}
            try:
                rounds_of(o, arms, failures, took)
            except SystemExit:  # a signal: what was measured is kept
                if whole_rounds(took):
                    show(o, took, versions)
                raise
            show(o, took, versions)
        except (Failure, OSError) as failure:
            failures.append(str(failure))
        finally:
            for arm in arms:
                arm.close()
    for failure in failures:
        print(f"beside.py: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
