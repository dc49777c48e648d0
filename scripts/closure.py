#!/usr/bin/env python3
"""How often the parts of a step add up: `tare explain` of each net, so many times, and what was left over.

    closure.py BUILD [NET...] [--runs N] [--seconds S] [--threads T] [--keep DIR]

A line a run, as it is done: for each of the two arms whether it closed, its residual and what stands in no part, the
price of a probe, and what share of the machine's processors other processes had meanwhile. Then a line a net: how many
runs closed, which arm was off, and the residuals' middle and reach. Ends with 1 where a net closed in fewer than nine
runs of ten. --keep leaves the runs' records in a folder.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

NETS = ["chain", "mlp", "mlp_mnist", "lenetp", "lenet"]


def processor_seconds():
    """Of the machine: busy, and all there were."""
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - fields[3] - fields[4]) / tick, sum(fields) / tick


def of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def beside_others(function):
    """What a function gives, and the share of the processors that other processes had meanwhile."""
    busy, total = processor_seconds()
    own = of_children()
    result = function()
    busy, total = (after - before for after, before in zip(processor_seconds(), (busy, total)))
    return result, max(0.0, busy - (of_children() - own)) / total if total else 0.0


def run(build, *words, path=None):
    """The exit code and the lines of a command."""
    with tempfile.TemporaryDirectory() as folder:
        path = path or pathlib.Path(folder, "lines.jsonl")
        done = subprocess.run([build / "tare", *words, "--quiet", "--json", path], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(f"tare {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.returncode, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def explain(build, net, seconds, threads=1, path=None):
    """The closures of one run."""
    _, lines = run(build, "explain", net, "--time", str(seconds), "--threads", str(threads), path=path)
    return [line for line in lines if line["kind"] == "closure"]


def text_of(line):
    return (f"{line['arm']} {'closed' if line['pass'] else 'REFUSED'}, residual {100 * line['residual']:+.2f} %, in no "
            f"part {100 * line['unattributed']:.2f} %, probe {line['probe_ns']:.1f} ns")


def summary(net, runs):
    """A net's line: runs is a list of closures."""
    closed = sum(all(line["pass"] for line in found) for found in runs)
    texts = []
    for arm in [line["arm"] for line in runs[0]]:
        of_arm = [line for found in runs for line in found if line["arm"] == arm]
        residuals = sorted(100 * line["residual"] for line in of_arm)
        texts.append(f"{arm} {sum(line['pass'] for line in of_arm)}, residual {statistics.median(residuals):+.2f} % "
                     f"({residuals[0]:+.2f}..{residuals[-1]:+.2f})")
    return closed, f"{net}: {closed} of {len(runs)} closed within {100 * runs[0][0]['limit']:g} %: {'; '.join(texts)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("net", nargs="*", default=NETS)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    taken = {net: [] for net in options.net}
    for k in range(options.runs):
        for net in options.net:  # a run of each in turn, so that a quiet hour is no net's alone
            path = options.keep and options.keep / f"{net.replace(':', '_')}-{options.threads}-{k}.jsonl"
            found, others = beside_others(lambda: explain(options.build, net, options.seconds, options.threads, path))
            taken[net].append(found)
            print(f"{net} {k + 1}: {'; '.join(map(text_of, found))}; others had {100 * others:.0f} % of the processors",
                  flush=True)
    few = 0
    for net, runs in taken.items():
        closed, text = summary(net, runs)
        few += 10 * closed < 9 * len(runs)
        print(text)
    return 1 if few else 0


if __name__ == "__main__":
    sys.exit(main())
