#!/usr/bin/env python3
"""What a step costs beside its kernels, counted and held against the figures in tests/gate.

    check_gate.py SOURCE BUILD             compare
    check_gate.py SOURCE BUILD --update    write the figures of this compiler anew (make gate-update)

tare count runs each rung with null kernels under callgrind, which counts the instructions of our own code (objects in
the build folder; what the C library does is not ours) and the system calls, both in tare__count_steps alone: K steps,
then 3 K. A step is the difference over 2 K. Instructions may differ by half a percent, all other counts by nothing; less
is a difference too, or it would hide what grows later. The figures are a compiler's: without any for this one, without
a Release build or valgrind the test is skipped and says so (exit 77). The records, with all counts, go to
BUILD/gate.jsonl.
"""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

from check_records import Checker

WORK = {
    "chain": ["chain"],
    "mlp": ["mlp"],
    "mlp sgd": ["mlp", "--optimizer", "sgd:momentum=0.9"],
}
STEPS = 5
TOLERANCE = 0.005
LISTED = 0.005  # a function below this share of its arm is not listed
SKIPPED = 77
STEP = "tare__count_steps"


class Skip(Exception):
    pass


def profile(path, build):
    """Of one dump: own instructions of each function of ours, and system calls."""
    functions, ours, calls, function, inner = {}, False, 0, None, False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("ob="):
            ours = line[3:].startswith(build)
        elif line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            inner = True  # the next line is what was called
        elif line[:1] in "0123456789+-*" and line:
            cost = [int(word) for word in line.split()[1:]] + [0, 0]
            if not inner:
                calls += cost[1]
                if ours and cost[0]:
                    functions[function] = functions.get(function, 0) + cost[0]
            inner = False
    return functions, calls


def count(build, words, preload=None):
    """Records of tare count, syscalls and instructions filled in; and {arm: {function: instructions a step}}."""
    with tempfile.TemporaryDirectory() as folder:
        out, file = pathlib.Path(folder, "dump"), pathlib.Path(folder, "count.jsonl")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--toggle-collect={STEP}",
                   f"--zero-before={STEP}", f"--dump-after={STEP}", "--collect-systime=yes", "--compress-strings=no",
                   "--compress-pos=no", build / "tare", "count", *words, "--steps", str(STEPS), "--factor",
                   "kernels=null", "--json", file]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **({"LD_PRELOAD": preload} if preload else {})}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr[-600:]}")
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        functions = {}
        for i, record in enumerate(records):
            (few, few_calls), (many, many_calls) = (profile(pathlib.Path(f"{out}.{2 * i + k}"), str(build) + os.sep)
                                                    for k in (1, 2))
            each = {f: (many.get(f, 0) - few.get(f, 0)) / (2 * STEPS) for f in many.keys() | few.keys()}
            functions[record["arm"]] = each
            record["counts"].update(instructions=round(sum(each.values())),
                                    syscalls=(many_calls - few_calls) // (2 * STEPS))
            del record["counts"]["reasons"]
            if record["counts"]["instructions"] <= 0:
                raise SystemExit(f"{record['arm']}: no instruction of ours was counted in {build}")
    return records, functions


def figures(records, functions):
    """{arm: counts, and the functions that matter}"""
    out = {}
    for record in records:
        arm, total = record["arm"], record["counts"]["instructions"]
        listed = {f: round(n) for f, n in functions[arm].items() if n >= LISTED * total}
        out[arm] = {"counts": record["counts"], "functions": dict(sorted(listed.items(), key=lambda x: (-x[1], x[0])))}
    return out


def grown(before, after):
    names = before.keys() | after.keys()
    by = sorted(((after.get(f, 0) - before.get(f, 0), f) for f in names), key=lambda x: (-abs(x[0]), x[1]))
    for change, name in [x for x in by if x[0]][:8]:
        yield f"        {change:+8.0f}  {name}: {before.get(name, 0):.0f} -> {after.get(name, 0):.0f}"


def differences(work, before, after):
    """Lines, the most that there is to say first; before and after as `figures` gives them."""
    for arm in sorted(before.keys() - after.keys()):
        yield f"{work}, {arm}: has figures and was not counted"
    for arm, now in after.items():
        if arm not in before:
            yield f"{work}, {arm}: has no figures"
            continue
        was = before[arm]
        for name in sorted(was["counts"].keys() | now["counts"].keys()):
            x, y = was["counts"].get(name), now["counts"].get(name)
            if x == y or (name == "instructions" and x and abs(y - x) <= TOLERANCE * x):
                continue
            share = f" ({(y - x) / x:+.1%})" if x and y is not None else ""
            yield f"{work}, {arm}: {name} {x} -> {y}{share}"
            if name == "instructions":
                yield from grown(was["functions"], now["functions"])


def prove(build, before, after):
    """Each kind of difference is found where it was planted, and nowhere else."""
    words = {f"{work}, {arm}" for work in after for arm in after[work]}
    for name in next(iter(after["chain"].values()))["counts"]:
        planted = json.loads(json.dumps(after["chain"]))
        planted["functional"]["counts"][name] += 1 + planted["functional"]["counts"][name] // 100
        found = list(differences("chain", after["chain"], planted))
        if not found or any(not line.startswith((f"chain, functional: {name}", "    ")) for line in found):
            raise SystemExit(f"{name} planted in functional, found: {found}")
    if list(differences("chain", after["chain"], after["chain"])) or not words:
        raise SystemExit("figures differ from themselves")
    library = build / "libplant_cost.so"
    if not library.exists():
        raise SystemExit(f"{library} is not built")
    arms = ["functional", "symbol", "kernels"]
    planted = figures(*count(build, ["chain", "--modes", ",".join(arms)], str(library)))
    found = "\n".join(differences("chain", {arm: after["chain"][arm] for arm in arms}, planted))
    for arm in arms:
        if (f"chain, {arm}: instructions" in found) != (arm != "kernels"):
            raise SystemExit(f"200 instructions a node planted in {arms[:2]}, found:\n{found}")
    if found.count("planted_cost: 0 ->") != 2:
        raise SystemExit(f"the function that was planted is not named:\n{found}")


def all_counts(source, build):
    """Figures of all the work, and their records, which fit the schema."""
    checker = Checker(json.loads((source / "docs/records.schema.json").read_text(encoding="utf-8")))
    out, lines = {}, []
    for work, words in WORK.items():
        records, functions = count(build, words)
        for record in records:
            for error in checker.errors(record, checker.root):
                raise SystemExit(f"{work}: {error}")
        out[work] = figures(records, functions)
        lines += [json.dumps(record) + "\n" for record in records]
    (build / "gate.jsonl").write_text("".join(lines), encoding="utf-8")
    return out


def key(build):
    """The name of this build's figures."""
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not there")
    shown = subprocess.run([build / "tare", "count", "chain:depth=1", "--modes", "kernels", "--json", "/dev/stdout"],
                           capture_output=True, text=True, check=True).stdout
    made = json.loads(shown[shown.index("{"):shown.index("\n", shown.index("{"))])["build"]
    if made["type"] != "Release":
        raise Skip(f"a {made['type']} build is not what the figures are of")
    compiler, version = re.match(r"(\w+) (\d+)", made["compiler"]).groups()
    return f"{compiler}-{version}-{platform.machine()}"


def main(source, build, update):
    source, build = pathlib.Path(source).resolve(), pathlib.Path(build).resolve()
    try:
        name = key(build)
        path = source / "tests" / "gate" / f"{name}.json"
        if not update and not path.exists():
            raise Skip(f"no figures for {name}: make gate-update writes them")
    except Skip as why:
        print(f"gate skipped: {why}")
        return SKIPPED
    after = all_counts(source, build)
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(re.sub(r"\n {8,}|\n {6}(?=})", " ", json.dumps(after, indent=2)) + "\n", encoding="utf-8")
        print(f"{path.relative_to(source)}: {sum(map(len, after.values()))} arms")
        return 0
    before = json.loads(path.read_text(encoding="utf-8"))
    prove(build, before, after)
    found = [line for work in WORK for line in differences(work, before.get(work, {}), after[work])]
    print("\n".join(found))
    print(f"{name}: {sum(map(len, after.values()))} arms, {len([x for x in found if x[0] != ' '])} differences"
          + ("; where they are meant: make gate-update" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3], "--update" in sys.argv[3:]))
