#!/usr/bin/env python3
"""A training that is killed (SIGKILL) again and again at random moments, most of them while it writes a checkpoint: what
is there is always a whole checkpoint, and the training that goes on from it ends with the bits and the records of an
unbroken one.

    check_kill.py SOURCE BUILD
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

# Nets with a small checkpoint (and state, and randomness) and with a large one.
NETS = (("gauntlet", "6"), ("mlp_mnist", "20"))
TRAIN = ("--epochs 4 --validation 0.2 --early-stop 2 --checkpoint c.st --checkpoint-every 1 --quiet --json r.jsonl "
         "--save").split()


def write_npy(path, shape, data):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header = header.ljust((len(header) + 10 + 64) // 64 * 64 - 11) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data)


def write_data(folder, pixels):
    """Random images and labels."""
    folder.mkdir()
    dice = random.Random(1)
    for part, rows in (("train", 60), ("test", 10)):
        write_npy(folder / f"X_{part}.npy", (rows, pixels), dice.randbytes(rows * pixels))
        write_npy(folder / f"Y_{part}.npy", (rows,), bytes(dice.randrange(10) for _ in range(rows)))


class Kills:
    def __init__(self, build, folder):
        self.tare, self.folder = str(pathlib.Path(build, "tare").resolve()), pathlib.Path(folder)
        self.net = self.batch = self.wanted = None
        self.failures, self.n, self.n_whole, self.n_parts, self.n_ends = [], 0, 0, 0, 0

    def run(self, *words):
        return subprocess.run([self.tare, *words], cwd=self.folder, capture_output=True, text=True)

    def finish(self):
        """To the end; what it saves is what the unbroken training saved."""
        done = self.run(*self.line("k.st"))
        if done.returncode:
            self.failures.append(f"exit {done.returncode}: {done.stderr.strip()}")
        elif (self.folder / "k.st").read_bytes() != (self.folder / "u.st").read_bytes():
            self.failures.append("other weights than the unbroken training")
        elif self.epochs() != self.wanted:
            self.failures.append(f"other records than the unbroken training: {self.epochs()} not {self.wanted}")
        self.n_ends += 1

    def line(self, save):
        resume = ["--resume", "c.st"] if (self.folder / "c.st").exists() else []
        return ["train", self.net, "--data", self.net + ".data", "--batch", self.batch, *TRAIN, save, *resume]

    def kill_once(self, delay):
        process = subprocess.Popen([self.tare, *self.line("k.st")], cwd=self.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        time.sleep(delay)
        process.kill()
        said = process.communicate()[1]
        self.n += 1
        self.n_parts += (self.folder / "c.st.part").exists()
        if process.returncode != -9 and (process.returncode or said):
            self.failures.append(f"exit {process.returncode}: {said}")
        if (self.folder / "c.st").exists():
            self.n_whole += 1
            checked = self.run("predict", self.net, "--load", "c.st", "--data", self.net + ".data")
            if checked.returncode:
                self.failures.append(f"after a kill: {checked.stderr.strip()}")

    def epochs(self):
        """What was recorded of each epoch, in all parts of the training together."""
        lines = (self.folder / "r.jsonl").read_text(encoding="utf-8").splitlines()
        return {each.get("epoch"): (each.get("loss"), each["score"]["loss"]) for each in map(json.loads, lines)}

    def chain(self, net, dice, stop_at):
        """An unbroken training; one that is killed eight times on its way to the end."""
        self.net, self.batch = net
        self.forget()
        begin = time.monotonic()
        done = self.run(*self.line("u.st"))
        seconds = time.monotonic() - begin
        if done.returncode:
            self.failures.append(f"the unbroken training: {done.stderr.strip()}")
            return
        self.wanted = self.epochs()
        self.forget()
        for _ in range(8):
            self.kill_once(dice.uniform(0, seconds))
            if time.monotonic() > stop_at or self.failures:
                break
        self.finish()

    def forget(self):
        for name in ("c.st", "c.st.part", "k.st", "r.jsonl", "r.jsonl.part"):
            (self.folder / name).unlink(missing_ok=True)


def main(build, limit_s):
    with tempfile.TemporaryDirectory() as folder:
        k = Kills(build, folder)
        write_data(k.folder / "gauntlet.data", 128)
        write_data(k.folder / "mlp_mnist.data", 784)
        stop_at, seed = time.monotonic() + limit_s, 0
        while time.monotonic() < stop_at and not k.failures:
            seed += 1
            k.chain(NETS[seed % 2], random.Random(seed), stop_at)
    print("\n".join(k.failures))
    print(f"{k.n} kills, {k.n_whole} left a checkpoint, {k.n_parts} half a further one; {k.n_ends} trainings brought to "
          f"their end, {len(k.failures)} failures")
    return 1 if k.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 10))
