#!/usr/bin/env python3
"""`tare train` and `tare predict` as people use them: validation, early stop, interrupt and resume, outputs, refusals.

    check_train.py SOURCE BUILD
"""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time


class Checks:
    def __init__(self, build, folder):
        self.tare, self.folder = str(pathlib.Path(build, "tare").resolve()), pathlib.Path(folder)
        self.n, self.failures = 0, []

    def fail(self, sentence):
        self.failures.append(sentence)

    def run(self, line, code=0, pattern=""):
        """Runs a line of words in the folder; exit code, pattern in what is said; a failure says one line."""
        self.n += 1
        done = subprocess.run([self.tare, *line.split()], cwd=self.folder, capture_output=True, text=True)
        said = done.stdout if code == 0 else done.stderr
        if done.returncode != code:
            self.fail(f"tare {line}: exit {done.returncode}, not {code}: {done.stderr.strip()[:300]}")
        if not re.search(pattern, said):
            self.fail(f"tare {line}: no '{pattern}' in: {said.strip()[:300]}")
        lines = len(done.stderr.splitlines())
        if lines != (0 if code == 0 else 1):
            self.fail(f"tare {line}: {lines} lines on stderr: {done.stderr.strip()[:300]}")
        return done.stdout

    def same(self, a, b):
        if (self.folder / a).read_bytes() != (self.folder / b).read_bytes():
            self.fail(f"{a} and {b} differ")

    def records(self, name):
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]


def metadata(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8:8 + length])["__metadata__"]


def losses(text):
    return [line.split("  ")[0:2] for line in text.splitlines() if line.startswith("epoch")]


def validation(c):
    text = c.run("train mlp_mnist --data digits --batch 25 --epochs 3 --validation 0.2 --json v.jsonl --save v.st", 0,
                 "240 training, 60 validation, 50 test samples")
    if "validation loss" not in text or not re.search(r"^test loss .* accuracy", text, re.M):
        c.fail(f"no validation or no test in: {text}")
    kinds = [record["kind"] for record in c.records("v.jsonl")]
    if kinds != ["epoch"] * 3 + ["score"]:
        c.fail(f"records {kinds}")
    first = c.records("v.jsonl")[0]
    if first["samples"] != 225 or first["score"]["samples"] != 60 or first["score"]["set"] != "validation":
        c.fail(f"the first epoch: {first}")
    c.run("train mlp_mnist --data digits --validation other --batch 25", 0, "300 training, 50 validation, 50 test")
    text = c.run("train mlp_mnist --data digits --batch 25 --epochs 50 --validation 0.2 --early-stop 1 --optimizer "
                 "sgd:lr=3,momentum=0 --save early.st", 0, "the best epoch was [0-9]+, and its weights are taken")
    epochs = losses(text)
    best = int(re.search(r"the best epoch was (\d+)", text).group(1))
    if len(epochs) != best + 1 or len(epochs) == 50:
        c.fail(f"early stop: {len(epochs)} epochs, the best was {best}")
    c.run(f"train mlp_mnist --data digits --batch 25 --epochs {best} --validation 0.2 --optimizer sgd:lr=3,momentum=0 "
          "--save best.st")
    c.same("early.st", "best.st")


def resume(c):
    """Stopped by a signal, gone on with in another rung: the epochs and weights of an unbroken run."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        for name in ("c.st", "r.jsonl", "r.jsonl.part"):
            (c.folder / name).unlink(missing_ok=True)
        line = ("train mlp_mnist --data digits --batch 25 --validation 0.2 --optimizer sgd --seed 4 --order-seed 8 "
                "--epochs 100000 --checkpoint c.st --checkpoint-every 3 --json r.jsonl")
        c.n += 1
        with subprocess.Popen([c.tare, *line.split()], cwd=c.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as process:
            part = c.folder / "r.jsonl.part"
            while not (part.exists() and part.stat().st_size) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(number)
            said = process.communicate()[1]
        if process.returncode != code:
            c.fail(f"{number.name}: exit {process.returncode}, not {code}")
        if len(said.splitlines()) != 1 or "go on with --resume c.st" not in said:
            c.fail(f"{number.name}: {said}")
        if (c.folder / "r.jsonl").exists() or not part.exists():
            c.fail(f"{number.name}: the records are not kept in the part")
        epochs = int(metadata(c.folder / "c.st")["batches.epoch"]) + 2
        c.run(f"train mlp_mnist --data digits --resume c.st --mode functional --threads 2 --epochs {epochs} --json r.jsonl "
              "--save resumed.st", 0, "resumed after step")
        c.run("train mlp_mnist --data digits --batch 25 --validation 0.2 --optimizer sgd --seed 4 --order-seed 8 "
              f"--epochs {epochs} --json u.jsonl --save unbroken.st")
        c.same("resumed.st", "unbroken.st")
        seen, wanted = ({record.get("epoch"): (record.get("loss"), record["score"]["loss"], record["score"]["accuracy"])
                         for record in c.records(name)} for name in ("r.jsonl", "u.jsonl"))
        if seen != wanted:
            c.fail(f"{number.name}: other epochs when resumed: {seen} not {wanted}")


def inputs(c):
    """However batches come, they are the same; a loader goes on where it was resumed; an epoch's loss is read as told."""
    line = "train mlp_mnist --data digits --batch 25 --epochs 2 --json x.jsonl"
    raw = losses(c.run(f"{line} --save wanted.st"))
    for factor in ("input=loader", "input=loader,workers=2,prefetch=3", "loop=metric", "loop=fit"):
        if losses(c.run(f"{line} --factor {factor} --save is.st")) != raw:
            c.fail(f"{factor}: other losses")
        c.same("is.st", "wanted.st")
    factors = c.records("x.jsonl")[0]["factors"]
    if (factors["loop"], factors["readback"], factors["feed"]) != ("fit", "step", "bound"):
        c.fail(f"loop=fit is recorded as {factors}")
    text = c.run(f"{line} --mode functional --factor input=loader,workers=1,readback=epoch --save is.st")
    c.same("is.st", "wanted.st")
    if losses(text) == raw or c.records("x.jsonl")[0]["factors"]["readback"] != "epoch":
        c.fail("readback=epoch gives the mean of every step's loss")
    c.run(f"{line} --no-shuffle --save wanted.st")
    for factor in ("input=slices", "input=slices,readback=epoch", "input=loader,workers=1"):
        c.run(f"{line} --no-shuffle --factor {factor} --save is.st")
        c.same("is.st", "wanted.st")
    c.run(f"{line} --epochs 1 --checkpoint l.st --factor input=loader,workers=2")
    c.run("train mlp_mnist --data digits --resume l.st --epochs 3 --save is.st --factor input=loader,workers=2")
    c.run("train mlp_mnist --data digits --batch 25 --epochs 3 --save wanted.st")
    c.same("is.st", "wanted.st")
    c.run("train mlp_mnist --data digits --factor input=slices", 2, "a view is of neighbours")
    c.run("train mlp_mnist --data digits --batch 1000 --factor input=loader", 2, "300 rows in batches of 1000")
    c.run("train mlp_mnist --data digits --factor feed=copied", 2, "means nothing in tare train")
    c.run("train mlp_mnist --data digits --factor iterator=shared", 2, "means nothing here|means nothing in tare train")
    c.run("train mlp_mnist --data digits --factor workers=2", 2, "only input=loader has workers")


def ignored(c):
    """What the process was started to ignore does not stop it."""
    c.n += 1
    done = subprocess.Popen([c.tare, *"train mlp_mnist --data digits --batch 25 --epochs 30 --checkpoint i.st --quiet".split()],
                            cwd=c.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not (c.folder / "i.st").exists() and done.poll() is None:
        time.sleep(0.01)
    done.send_signal(signal.SIGHUP)
    said = done.communicate()[1]
    if done.returncode != 0 or said:
        c.fail(f"an ignored SIGHUP: exit {done.returncode}: {said}")


def progress(c):
    """On a terminal one line, written again and again, with the time left; nothing with --quiet."""
    for quiet in ("", " --quiet"):
        c.n += 1
        ours, theirs = pty.openpty()
        line = f"train mlp_mnist --data digits --batch 25 --epochs {3 if quiet else 100000}{quiet}"
        with subprocess.Popen([c.tare, *line.split()], cwd=c.folder, stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            said = b""
            try:
                while chunk := os.read(ours, 4096):
                    said += chunk
                    if said.count(b" left") > 1:
                        process.terminate()
            except OSError:  # the other end is closed
                pass
        os.close(ours)
        if quiet and (said or process.returncode):
            c.fail(f"--quiet: exit {process.returncode}, and it says {said!r}")
        shown = rb"\r\x1b\[Kepoch \d+/100000  step \d+/12  loss [^ ]+  [\d .MG]+ samples/s  [^\r]+ left"
        if not quiet and len(re.findall(shown, said)) < 2:
            c.fail(f"no progress in {said[:300]!r}")
        if not quiet and b"\n" in said[:said.rfind(b"\r\x1b[K")]:
            c.fail(f"more than one line of progress: {said[:300]!r}")


def defaults(c):
    """What a net says of its own training holds where the line says nothing."""
    c.run("graph mlp_mnist --save own.json")
    path = c.folder / "own.json"
    said = '"default_batch":30,"optimizer":"sgd:lr=0.25","byte_divisor":1'
    path.write_text(path.read_text(encoding="utf-8").replace('"default_batch":128', said), encoding="utf-8")
    raw = c.run("train own.json --data digits", 0, "batch 30, sgd:lr=0.25, mode step")
    if losses(raw) == losses(c.run("train mlp_mnist --data digits --batch 30 --optimizer sgd:lr=0.25")):
        c.fail("bytes were scaled by 1/255 where the net says 1")
    c.run("train own.json --data digits --batch 50 --optimizer adam", 0, "batch 50, adam, mode step")


def predictions(c):
    text = c.run("predict mlp_mnist --load v.st --data digits --batch 24 --out wanted.npy", 0, "50 samples in .* accuracy")
    score = text.split(", ")[1]
    rungs = [line.split()[0] for line in c.run("modes").splitlines() if line and not line.startswith(" ")]
    for rung in rungs:
        c.run(f"predict mlp_mnist --load v.st --data digits --batch 24 --mode {rung} --out is.npy", 0, re.escape(score.strip()))
        c.same("is.npy", "wanted.npy")
    c.run("predict mlp_mnist --load v.st --data digits --batch 24 --threads 2 --out is.npy")
    c.same("is.npy", "wanted.npy")
    c.run("predict mlp_mnist --load v.st --data digits/t10k-images-idx3-ubyte --out is.csv")
    c.run("predict mlp_mnist --load v.st --data inputs.idx --out alone.csv", 0, "50 samples in [^,]*$")
    c.same("is.csv", "alone.csv")
    lines = (c.folder / "is.csv").read_text(encoding="utf-8").splitlines()
    if len(lines) != 51 or lines[0] != ",".join(f"output{i}" for i in range(10)):
        c.fail(f"a CSV of {len(lines)} lines that begins {lines[0]}")
    c.run("predict mlp_mnist --load v.st --data unlabelled --out is.csv.gz", 0, "50 samples in [^,]*$")
    c.run("predict mlp --load m.st --data regression --json p.jsonl", 0, "MSE .* MAE .* r2")
    score = c.records("p.jsonl")[0]["score"]
    if score["accuracy"] is not None or not 0 < score["mae"] ** 2 <= score["mse"] or score["r2"] > 1:
        c.fail(f"a regression's score: {score}")


def refusals(c):
    c.run("train mlp_mnist --data digits --early-stop 3", 2, "needs --validation")
    c.run("train mlp_mnist --data digits --checkpoint-every 3", 2, "needs --checkpoint")
    c.run("train mlp_mnist --data digits --validation 1.5", 2, "between 0 and 1")
    c.run("train mlp_mnist --data digits --validation 0.0001", 2, "leaves none to validate with")
    c.run("train mlp_mnist --data digits --validation 0.9999", 2, "leaves none to train on")
    c.run("train mlp_mnist --data digits --validation nowhere", 1, "nowhere")
    c.run("train mlp_mnist --data digits --validation regression --batch 25", 1, "numbers")
    c.run("train mlp_mnist --data digits --batch 1000", 2, "300 rows in batches of 1000")
    c.run("train mlp_mnist --data digits --optimizer nonsense", 2, "nonsense")
    c.run("train mlp_mnist --data digits --resume v.st", 1, "v.st: this is no checkpoint")
    c.run("train mlp_mnist --data digits --resume none.st", 1, "none.st")
    c.run("train mlp_mnist --data digits --resume c.st --load v.st", 2, "exclude one another")
    c.run("train mlp_mnist --data digits --resume c.st --seed 5", 2, "c.st: its seed is 4, not 5")
    c.run("train mlp_mnist --data digits --resume c.st --batch 20", 2, "c.st: its batch is 25, not 20")
    c.run("train mlp_mnist --data digits --resume c.st --optimizer adam", 2, "c.st: its optimizer is sgd")
    c.run("train mlp_mnist --data digits --resume c.st --no-shuffle", 2, "c.st: its choice to shuffle")
    c.run("train mlp_mnist --data digits --resume c.st --validation 0.5", 2, "c.st: its number of training samples is 240")
    c.run("train mlp --data regression --resume c.st --validation 0.2", 2, "c.st: its number of training samples")
    c.run("train mlp_mnist --data digits --batch 25 --checkpoint /dev/full", 1, "cannot be written")
    c.run("train mlp_mnist --data digits --batch 25 --checkpoint nowhere/c.st", 1, "nowhere/c.st")
    c.run("train mlp_mnist --data digits --batch 25 --save nowhere/c.st", 1, "nowhere/c.st")
    c.run("predict mlp_mnist --load v.st --data digits --out y.txt", 2, "ends in .npy or .csv")
    c.run("predict mlp_mnist --load v.st --data digits --out nowhere/y.npy", 1, "nowhere/y.npy")
    c.run("predict mlp_mnist --load m.st --data digits", 1, "m.st: ")
    c.run("predict mlp_mnist --load v.st --data regression", 1, "numbers")
    whole = (c.folder / "c.st").read_bytes()
    for part in range(20):
        (c.folder / "cut.st").write_bytes(whole[:len(whole) * part // 20])
        c.run("train mlp_mnist --data digits --resume cut.st", 1, "cut.st: offset")


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        c = Checks(build, folder)
        c.run("data digits --out digits --count 300", 0, "digits")
        c.run("data digits --out other --count 300 --seed 2", 0, "digits")
        c.run("data regression --out regression --count 300", 0, "regression")
        c.run("train mlp --data regression --batch 30 --save m.st", 0, "MSE .* MAE .* r2")
        images = (c.folder / "digits/t10k-images-idx3-ubyte").read_bytes()
        (c.folder / "inputs.idx").write_bytes(images)
        (c.folder / "unlabelled").mkdir()
        (c.folder / "unlabelled/t10k-images.idx3-ubyte").write_bytes(images)
        for check in (validation, resume, inputs, ignored, progress, defaults, predictions, refusals):
            check(c)
        c.failures += [f"{part} was left" for part in c.folder.rglob("*.part")]
    print("\n".join(c.failures[:40]))
    print(f"{c.n} calls, {len(c.failures)} failures")
    return 1 if c.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
