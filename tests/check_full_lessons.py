#!/usr/bin/env python3
"""The lessons and the class show what they say: each of their commands runs, and the counts and columns that the text
points to are there.

    check_full_lessons.py SOURCE BUILD      prove first that each rule can fail, then run the commands

Commands that measure run one round in one process after a short warm-up: what is looked at here depends on no clock. A
command of the two pages that SHOWS does not name is a fault, and so is one that it names and neither page has.
"""
import functools
import pathlib
import re
import subprocess
import sys
import tempfile

PAGES = ["LESSONS.md", "CLASS.md"]
MEASURED = {"bench", "ablate", "explain"}


def commands(text):
    """The commands of a page, in lines of their own or in backquotes, each once."""
    found = re.findall(r"^    build/tare (.+)$", text, re.M) + re.findall(
        r"`(?:build/tare (\w[^`]*)|tare (\w+ [^`]+))`", text.replace("\n", " "))
    return list(dict.fromkeys(" ".join("".join(words).split()) for words in found))


def quick(words):
    """The same command without its clock."""
    if words[0] not in MEASURED:
        return words
    kept = [word for k, word in enumerate(words) if word not in ("--time", "--quick") and words[k - 1] != "--time"]
    return kept + ["--rounds", "1", "--processes", "1", "--time", "1"]


def counts(text):
    """{arm: {column: number}} of the table of counts."""
    table = re.search(r"^ *a step of .*(?:\n.+)*", text, re.M)
    head, *rows = [re.split(r" {2,}", line.strip()) for line in table[0].splitlines()]
    return {row[0]: dict(zip(head[1:], row[1:])) for row in rows}


def shows(*patterns):
    def check(text, _):
        return [f"no '{pattern}'" for pattern in patterns if not re.search(pattern, text, re.M)]
    return check


def counted(column, numbers, sentence=None):
    """A column of the counts, arm by arm, and the sentence of the page that says so."""
    def check(text, page):
        found = [counts(text)[arm][column] for arm in numbers]
        wrong = [] if found == [str(n) for n in numbers.values()] else [f"{column} are {found}, not {list(numbers.values())}"]
        if sentence and sentence not in " ".join(page.split()):
            wrong.append(f"the page does not say '{sentence}'")
        return wrong
    return check


def one_digest(text, _):
    digests = {row["digest of the calls"] for row in counts(text).values()}
    return [] if len(digests) == 1 else [f"the digests of the calls are {digests}"]


def every(*checks):
    return lambda text, page: [fault for check in checks for fault in check(text, page)]


def ordered(*names):
    """Rows of a table of bytes whose second column falls."""
    def check(text, _):
        found = [int(re.search(rf"^ *{re.escape(name)} +(\d+)", text, re.M)[1]) for name in names]
        return [] if found == sorted(found, reverse=True) else [f"{names} are {found}"]
    return check


PARTS = shows("^ *ns a step .*block .*static_shape", *(rf"^  {part} " for part in (
    "kernel", "dispatch", "shape", "allocation", "tape", "scheduling", "wrapper", "input wait", "cache effect")),
              "paid after|never pays|has paid", "overhead is")
HYBRID = every(
    counted("infers", {"block": 19, "hybridized": 6, "static_alloc": 6, "static_shape": 6, "symbol": 0},
            "19 inferences become 6"),
    counted("tape nodes", {"block": 7, "hybridized": 3, "symbol": 0}, "seven nodes of the tape three"),
    counted("storage takes", {"block": 20, "hybridized": 10, "static_alloc": 6, "static_shape": 6},
            "20 takings of storage ten. To `static_alloc`: ten become six"), one_digest)
SIZES = every(shows("overhead/node", "batch 1,", "batch 16,", "batch 256,"), one_digest)
PLAN = ordered("each result its own", "reference counting", "arena (the plan)", "lower bound")
STATIONS = shows("^call +dense .*dense0", "^infer +dense", "^allocate +dense", "^kernel +dense", "^append +dense",
                 "^free .*dense0", "block +static_shape")

SHOWS = {
    "explain mlp_mnist --batch 8 --time 30": PARTS,
    "step mlp_mnist --batch 8 --layer dense0": STATIONS,
    "bench mlp_mnist --batch 8 --modes block,hybridized,static_alloc,static_shape,symbol --time 30": HYBRID,
    "ablate mlp_mnist --batch 8 --base static_alloc --factors keep,dispatch":
        shows("^  keep=retaken", "^  dispatch=bound", "95 % interval"),
    "bench mlp_mnist --batch 8 --arm plain=hybridblock --arm child=hybridblock,capture=child --arm "
    "broken=hybridized,capture=broken --arm net=hybridized --time 30": every(
        counted("infers", {"plain": 19, "child": 10, "broken": 10, "net": 6}, "inferences (19, 10, 10, 6)"),
        counted("storage takes", {"plain": 20, "child": 19, "broken": 19, "net": 10}, "takings of storage (20, 19, 19, 10)"),
        counted("plans, captures", {"plain": "0, 0", "child": "6, 3", "broken": "6, 4", "net": "2, 1"},
                "captures (0, 3, 4, 1)")),
    "bench mlp_mnist --batch 1,16,256 --modes block,static_shape --time 20": SIZES,
    "bench mlp_mnist --batch 1,16,256 --modes block,static_shape --quick": SIZES,
    "explain lenet": PARTS,
    "ablate mlp --optimizer adam --factors input,readback --time 30":
        shows("^  input=slices", "^  input=loader", "^  readback=step", "exact"),
    "explain mlp --optimizer adam": PARTS,
    "bench mlp --optimizer adam --modes functional,step --factor input=loader,workers=1 --time 30":
        shows("^  functional ", "^  step ", "locks"),
    "plan mlp --optimizer adam --svg memory.svg": PLAN,
    "plan mlp --optimizer adam --factor in-place=off": shows("nothing in place", "reference counting"),
    "plan mlp --optimizer adam": PLAN,
    "ablate lenetp --base functional --factors warm-up,clock,feed,input-gradient,loop,init --time 60":
        shows("OTHER WORK", "^  warm-up=off", "^  clock=cpu", "^  feed=copied", "^  input-gradient=on", "^  loop=fit",
              "^  init=ones"),
    "bench lenetp --arm eager=functional,warm-up=off --arm graph=symbol,warm-up=off,feed=copied --time 30":
        shows("graph: OTHER WORK", "eager: OTHER WORK"),
    "bench mlp --arm direct=functional --arm queued=functional,engine=queue --arm unwaited=functional,engine=queue,sync=none "
    "--time 30": shows("unwaited: OTHER WORK than kernels: sync=none", "^  queued "),
    "modes": shows("^block", "^static_shape", "^kernels"),
    "agree mlp_mnist": shows("kernels", "step"),
}


def faults(pages, run, known):
    """(command, sentence) of everything that is not as the pages say. pages: their texts."""
    found = {}
    for text in pages:
        for words in commands(text):
            found.setdefault(words, text)
    for words in known:
        if words not in found:
            yield words, "no page has it"
    for words, page in found.items():
        if words not in known:
            yield words, "nothing says what it shows"
            continue
        code, text = run(quick(words.split()))
        if code not in ((0, 3) if words.split()[0] in MEASURED else (0,)):
            yield words, f"exit {code}: {text.strip()[-200:]}"
            continue
        for fault in known[words](text, page):
            yield words, fault


def prove():
    """Each rule fails on a page or an output that breaks it."""
    page = "    build/tare bench x --time 3\n\nThe numbers are (1, 2).\n"
    said = "  a step of  infers  digest of the calls\n  p  1  ab\n  q  2  ab\n"
    known = {"bench x --time 3": every(counted("infers", {"p": 1, "q": 2}, "are (1, 2)"), one_digest, shows("^  q"))}
    right = (0, said)
    for pages, output, wanted in [([page], right, 0), ([page + "    build/tare modes x\n"], right, 1), (["nothing"], right, 1),
                                  ([page], (1, said), 1), ([page], (0, said.replace("q  2", "q  3")), 1),
                                  ([page.replace("1, 2", "1, 3")], right, 1), ([page], (0, said.replace("2  ab", "2  ac")), 1)]:
        n = len(list(faults(pages, lambda words: output if words[1:3] == ["x", "--rounds"] else (1, ""), known)))
        if n != wanted:
            sys.exit(f"check_full_lessons: {n} faults, not {wanted}, in {pages} and {output}")
    if ordered("a", "b")("  a 3\n  b 2\n", "") or not ordered("a", "b")("  a 2\n  b 3\n", ""):
        sys.exit("check_full_lessons: the order of rows is not seen")


def main():
    source, tare = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve() / "tare"
    prove()
    with tempfile.TemporaryDirectory() as folder:
        @functools.cache
        def run_once(words):
            done = subprocess.run([tare, *words], capture_output=True, text=True, cwd=folder)
            return done.returncode, done.stdout + done.stderr

        def run(words):
            return run_once(tuple(words))
        found = list(faults([(source / "docs" / name).read_text(encoding="utf-8") for name in PAGES], run, SHOWS))
    for words, fault in found:
        print(f"tare {words}: {fault}")
    print(f"{len(SHOWS)} commands, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
