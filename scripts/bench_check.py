#!/usr/bin/env python3
"""What needs a clock: known costs found in their rows, an arm against itself, a slow-down of 1 % found within two minutes,
and how often the steps of five nets add up, on one thread and on two. A line a check; ends with 1 where one fails.

    bench_check.py BUILD [--runs N] [--seconds S] [--threads T,...] [--only WORD]

What is promised of nine runs in ten is run ten times (--runs); with the usual options all of it takes about 45 minutes.
On a machine with other work on it the checks fail, and each line says how much of the processors others had.
"""
import argparse
import pathlib
import subprocess
import sys
import time

import closure

SOURCE = pathlib.Path(__file__).resolve().parent.parent
TWO_MINUTES = 120


def costs(options):
    """What is put into dispatch, inference, allocation, tape, kernels, input and readback is in that row."""
    done = subprocess.run([options.build / "tests" / "bench_costs"], capture_output=True, text=True)
    return done.returncode == 0, (done.stdout + done.stderr).strip().replace("\n", "\n      ")


def against_itself(options):
    trusted, reach = 0, []
    for _ in range(options.runs):
        code, lines = closure.run(options.build, "bench", "mlp", "--modes", "kernels", "--time", "12")
        aa = next(line for line in lines if line["kind"] == "contrast" and line["arm"] == "aa")
        trusted += code == 0
        reach.append(max(abs(end - 1) for end in aa["ci95"]) if aa["ci95"] else float("inf"))
    ends = ", ".join(f"{100 * one:.2f}" for one in sorted(reach))
    return 10 * trusted >= 9 * options.runs, f"{trusted} of {options.runs} trusted; intervals reach {ends} % from 1"


def slowed(options):
    """One part in a hundred of a step, put in and found."""
    net, begin = str(SOURCE / "tests" / "slowed.c"), time.monotonic()
    _, lines = closure.run(options.build, "bench", net, "--modes", "functional", "--rounds", "4", "--processes", "2")
    step = next(line for line in lines if line["kind"] == "arm" and line["arm"] == "functional")["step_ns"]["min"]
    put = round(step / 100)
    _, lines = closure.run(options.build, "ablate", f"{net}:ns={put}", "--base", "functional", "--factors", "api=block",
                           "--time", "90")
    took = time.monotonic() - begin
    effect = next(line for line in lines if line["kind"] == "effect")
    low, high = effect["ci95"]
    found = effect["p_holm"] < 0.05 and effect["ns"] > 0
    return found and took <= TWO_MINUTES, (
        f"{put} ns put into a step of {step:.0f}, {effect['ns']:.0f} found ({low:.0f}..{high:.0f}), p {effect['p_holm']:.2g}, "
        f"in {took:.0f} s")


def adds_up(net, threads):
    def check(options):
        taken = [closure.explain(options.build, net, options.seconds, threads) for _ in range(options.runs)]
        closed, text = closure.summary(net, taken)
        probes = max(line["probe_ns"] for found in taken for line in found)
        return 10 * closed >= 9 * options.runs and probes < 30, f"{text}; probes of {probes:.1f} ns at most"
    return check


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--runs", type=int, default=10, help="of what is promised of nine in ten")
    parser.add_argument("--seconds", type=float, default=20, help="of each run that takes a step apart")
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2])
    parser.add_argument("--only", default="", help="checks with this word in their name")
    options = parser.parse_args()
    checks = [("known costs", costs), ("an arm against itself", against_itself), ("1 % slower", slowed)]
    checks += [(f"closure of {net}, threads {threads}", adds_up(net, threads))
               for threads in options.threads for net in closure.NETS]
    failed, start = 0, time.monotonic()
    for name, check in checks:
        if options.only not in name:
            continue
        begin = time.monotonic()
        (good, text), others = closure.beside_others(lambda: check(options))
        failed += not good
        print(f"{'ok   ' if good else 'FAILS'} {name}: {text} [{time.monotonic() - begin:.0f} s, others had "
              f"{100 * others:.0f} % of the processors]", flush=True)
    print(f"{failed} failed, in {(time.monotonic() - start) / 60:.0f} minutes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
