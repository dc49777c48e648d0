#!/usr/bin/env python3
"""What needs a clock: closure of five nets, an arm against itself, a slow-down of 1 % found, known costs found in their
rows. A line a check; ends with 1 where one fails. On a machine with other work on it they fail, and say why.

    bench_check.py BUILD [--seconds S]

A run that is mistrusted, or a step that does not close, is tried a second time before it counts as failed.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

NETS = ["chain", "mlp", "mlp_mnist", "lenetp", "lenet"]  # T10
SOURCE = pathlib.Path(__file__).resolve().parent.parent


def run(build, *words):
    """The exit code and the lines of a command."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "lines.jsonl")
        done = subprocess.run([build / "tare", *words, "--quiet", "--json", path], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(f"tare {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.returncode, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def closure(build, net, seconds):
    _, lines = run(build, "explain", net, "--time", str(seconds))
    found = [line for line in lines if line["kind"] == "closure"]
    text = "; ".join(
        f"{line['arm']} residual {100 * line['residual']:+.2f} %, in no part {100 * line['unattributed']:.2f} %, probes of "
        f"{line['probe_ns']:.1f} ns" + ("" if line["pass"] else f", {line['cause']}") for line in found)
    return all(line["pass"] and line["probe_ns"] < 30 for line in found), text


def again(build, seconds):
    code, lines = run(build, "bench", "mlp", "--modes", "kernels", "--time", str(seconds))
    aa = next(line for line in lines if line["kind"] == "contrast" and line["arm"] == "aa")
    return code == 0, f"ratio {aa['ratio']:.4f}, interval {aa['ci95']}"


def slowed(build, seconds):
    """One part in a hundred of a step, put in and found."""
    net = str(SOURCE / "tests" / "slowed.c")
    _, lines = run(build, "bench", net, "--modes", "functional", "--rounds", "4", "--processes", "2")
    step = next(line for line in lines if line["kind"] == "arm" and line["arm"] == "functional")["step_ns"]["min"]
    put = round(step / 100)
    _, lines = run(build, "ablate", f"{net}:ns={put}", "--base", "functional", "--factors", "api=block", "--time",
                   str(seconds))
    effect = next(line for line in lines if line["kind"] == "effect")
    low, high = effect["ci95"]
    found = effect["p_holm"] < 0.05 and effect["ns"] > 0
    return found, f"{put} ns put into a step of {step:.0f}, {effect['ns']:.0f} found ({low:.0f}..{high:.0f}), p {effect['p_holm']:.2g}"


def costs(build):
    done = subprocess.run([build / "tests" / "bench_costs"], capture_output=True, text=True)
    return done.returncode == 0, done.stdout.strip().replace("\n", "\n      ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--seconds", type=float, default=45, help="of each run")
    options = parser.parse_args()
    checks = [("costs put in", lambda: costs(options.build)),
              ("an arm against itself", lambda: again(options.build, options.seconds)),
              ("1 % slower", lambda: slowed(options.build, 2 * options.seconds))]
    checks += [(f"closure of {net}", lambda net=net: closure(options.build, net, options.seconds)) for net in NETS]
    failed = 0
    for name, check in checks:
        good, text = check()
        if not good:
            print(f"again {name}: {text}", flush=True)
            good, text = check()
        failed += not good
        print(f"{'ok   ' if good else 'FAILS'} {name}: {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
