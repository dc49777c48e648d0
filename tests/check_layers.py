#!/usr/bin/env python3
"""The rules that the sources keep about themselves: layers, operators, sizes, openings, words, paths.

    check_layers.py SOURCE [BUILD]   prove first that every rule can fail, then check SOURCE
    check_layers.py --self-test      the proof alone

Each rule is a function from a Tree to (file, line, sentence); SEEDS names for each rule a violation that it must
report, and the proof plants them one at a time in a copy of a small clean tree.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

RANK = {"core": 0, "ops": 1, "data": 1, "pack": 1, "imperative": 2, "graph": 2, "cuda": 2, "onednn": 2, "nets": 3, "bench": 4,
        "bench/base": 4, "bench/arm": 5, "bench/derive": 5, "bench/measure": 6, "bench/report": 7, "bench/command": 8, "tests": 9}
# Narrower than the ranks: input knows core alone, and a net cannot know in which mode it runs.
MAY_NOT = {"data": {"ops"}, "nets": {"imperative", "graph", "cuda"}}
UMBRELLA = "tare.h"  # at the root; gathers the public headers for users outside, so it stands below bench/
LINES_MAX = 600
C_SUFFIXES = {".c", ".h", ".cu"}
TEXT_SUFFIXES = C_SUFFIXES | {".py", ".sh", ".md", ".txt", ".cmake", ".json", ".in", ".yml"}
# Spelled in two halves, so that this file passes its own rules.
WORDS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
PATHS = re.compile(r"(?<![\w.}$)/-])/(" + "|".join(["ho" + "me", "ro" + "ot", "wo" + "rk", "Us" + "ers", "mn" + "t"]) + r")/")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def layer(path):
    """The layer that a file is in: its folder, with that below it where layers are told apart there."""
    parts = pathlib.Path(path).parts
    return "/".join(parts[:2]) if "/".join(parts[:2]) in RANK else parts[0]


class Tree:
    """The files of a checkout (of any folder, when git does not know it), without build output."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.text = {}
        for path in self._paths():
            name = pathlib.Path(path).name
            if pathlib.Path(path).suffix in TEXT_SUFFIXES or name in ("Makefile", "run"):
                self.text[path] = (self.root / path).read_text(encoding="utf-8")

    def _paths(self):
        if (self.root / ".git").exists():
            listed = subprocess.run(["git", "-C", self.root, "ls-files", "-z", "-co", "--exclude-standard"],
                                    capture_output=True, text=True)
            if listed.returncode == 0:
                return sorted({p for p in listed.stdout.split("\0") if p and (self.root / p).is_file()})
        inside = (p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        return sorted(str(p) for p in inside if p.parts[0] not in ("build", ".git"))

    def c_files(self, folders=RANK):
        for path, text in self.text.items():
            folder = layer(path)
            if pathlib.Path(path).suffix in C_SUFFIXES and (folder in folders or path == UMBRELLA):
                yield path, folder, text.splitlines()


def layers(tree):
    for path, folder, lines in tree.c_files():
        for number, line in enumerate(lines, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            included = (tree.root / path).parent / found.group(1)
            try:
                target = included.resolve().relative_to(tree.root)
            except ValueError:
                yield path, number, f"includes {found.group(1)}, which lies outside the source folder"
                continue
            if not included.is_file():
                yield path, number, f"includes {found.group(1)}, which does not exist"
            elif path == UMBRELLA or folder == layer(target):
                continue
            elif str(target) == UMBRELLA:
                if RANK[folder] < RANK["bench"]:
                    yield path, number, f"{folder}/ includes the umbrella {UMBRELLA}"
            elif layer(target) not in RANK:
                yield path, number, f"includes {target}, which is in no layer"
            elif RANK[layer(target)] >= RANK[folder] or layer(target) in MAY_NOT.get(folder, ()):
                yield path, number, f"{folder}/ may not include {layer(target)}/ ({target})"


def operators(tree):
    """core, imperative and graph know no concrete operator: no tare_op_NAME there but their own types and calls."""
    folders = {"core", "imperative", "graph"}
    own = set()
    for _, _, lines in tree.c_files({"core", "imperative", "graph"}):
        text = "\n".join(lines)
        own.update(re.findall(r"\b(?:struct|enum|union)\s+(tare_op_\w+)", text))
        own.update(re.findall(r"\}\s*(tare_op_\w+)\s*;", text))
        own.update(re.findall(r"\btypedef\b[^;{]*?[\s*](tare_op_\w+)\)?\s*[;(]", text))
        own.update(re.findall(r"^[\w][\w\s*]*?(tare_op_\w+)\s*\(", text, re.M))
    for path, folder, lines in tree.c_files(folders):
        for number, line in enumerate(lines, 1):
            for name in re.findall(r"\btare_op_[a-z0-9]\w*", line):
                if folder in folders and name not in own:
                    yield path, number, f"{folder}/ names the operator {name}"


def sizes(tree):
    for path, _, lines in tree.c_files():
        if len(lines) > LINES_MAX:
            yield path, len(lines), f"has {len(lines)} lines, more than {LINES_MAX}: the idea has two parts"


def openings(tree):
    for path, _, lines in tree.c_files():
        opening = f"/* {pathlib.Path(path).name} - "
        if not lines or not lines[0].startswith(opening):
            yield path, 1, f"does not open with '{opening}'"


def mains(tree):
    for path, folder, lines in tree.c_files():
        for number, line in enumerate(lines, 1):
            if RANK.get(folder, 0) < RANK["bench"] and re.match(r"\s*(static\s+)?int\s+main\s*\(", line):
                yield path, number, f"{folder}/ has a main(): the library is no program"


def words(tree):
    for path, text in tree.text.items():
        for number, line in enumerate(text.splitlines(), 1):
            for word in WORDS.findall(line):
                yield path, number, f"says {word}: finish it or write it down elsewhere"


def paths(tree):
    for path, text in tree.text.items():
        for number, line in enumerate(text.splitlines(), 1):
            for top in PATHS.findall(line):
                yield path, number, f"names a path of one machine (/{top}/...)"


RULES = [layers, operators, sizes, openings, mains, words, paths]

CLEAN = {
    "core/a.h": "/* a.h - a. */\ntypedef struct tare_op tare_op;\ntypedef struct { int n; } tare_op_args;\n"
                "tare_op *tare_op_from_program(int n);\n",
    "core/a.c": '/* a.c - a. */\n#include "a.h"\n#include <stdio.h>\ntare_op_args x;\n'
                "static const char t[] = \"file.XXXXXX\";\n",
    "ops/b.h": '/* b.h - b. */\n#include "../core/a.h"\nextern const tare_op tare_op_relu;\n',
    "pack/p.c": '/* p.c - p. */\n#include "../core/a.h"\n',
    "data/d.c": '/* d.c - d. */\n#include "../core/a.h"\n',
    "imperative/i.h": '/* i.h - i. */\n#include "../core/a.h"\n#include "../ops/b.h"\n',
    "graph/g.h": '/* g.h - g. */\n#include "../ops/b.h"\n',
    "cuda/c.c": '/* c.c - c. */\n#include "../ops/b.h"\n',
    "nets/n.h": '/* n.h - n. */\n#include "../core/a.h"\n#include "../ops/b.h"\n',
    "tare.h": '/* tare.h - all. */\n#include "graph/g.h"\n#include "nets/n.h"\n',
    "bench/arm/r.h": '/* r.h - r. */\n#include "../../tare.h"\n#include "../../imperative/i.h"\n',
    "bench/command/main.c": '/* main.c - m. */\n#include "../arm/r.h"\nint main(void) { return 0; }\n',
    "tests/test_a.c": '/* test_a.c - t. */\n#include "../graph/g.h"\n#include "../bench/arm/r.h"\nint main(void) { return 0; }\n',
    "Makefile": "build:\n\ttrue\n",
}
# (rule, file, text added at its end): each alone must be reported, by that rule, in that file.
SEEDS = [
    (layers, "core/a.c", '#include "../ops/b.h"\n'),
    (layers, "core/a.h", '#include "../tare.h"\n'),
    (layers, "core/a.c", '#include "absent.h"\n'),
    (layers, "core/a.c", '#include "../../outside.h"\n'),
    (layers, "ops/b.h", '#include "../data/d.c"\n'),
    (layers, "pack/p.c", '#include "../ops/b.h"\n'),
    (layers, "data/d.c", '  #  include "../ops/b.h"\n'),
    (layers, "imperative/i.h", '#include "../graph/g.h"\n'),
    (layers, "graph/g.h", '#include "../imperative/i.h"\n'),
    (layers, "cuda/c.c", '#include "../graph/g.h"\n'),
    (layers, "graph/g.h", '#include "../nets/n.h"\n'),
    (layers, "nets/n.h", '#include "../graph/g.h"\n'),
    (layers, "nets/n.h", '#include "../imperative/i.h"\n'),
    (layers, "nets/n.h", '#include "../bench/arm/r.h"\n'),
    (layers, "bench/arm/r.h", '#include "../command/main.c"\n'),
    (layers, "bench/command/main.c", '#include "../../tests/test_a.c"\n'),
    (operators, "core/a.c", "const tare_op *y = &tare_op_relu;\n"),
    (operators, "core/a.h", "extern const tare_op tare_op_relu;\n"),
    (operators, "imperative/i.h", "#define ADD tare_op_add\n"),
    (operators, "graph/g.h", "/* as tare_op_matmul does */\n"),
    (sizes, "core/a.c", "\n" * LINES_MAX),
    (openings, "ops/new.h", "#include <stdio.h>\n"),
    (openings, "tests/test_new.c", "/* another name - t. */\n"),
    (mains, "nets/n.h", "int main(void)\n"),
    (words, "bench/command/main.c", "/* TO" "DO later */\n"),
    (words, "Makefile", "# FIX" "ME\n"),
    (words, "graph/g.h", "/* XX" "X */\n"),
    (paths, "core/a.c", 'const char *p = "/ho' 'me/someone/data";\n'),
    (paths, "Makefile", "CC = /wo" "rk/bin/cc\n"),
]


def findings(root):
    tree = Tree(root)
    return [(rule, *found) for rule in RULES for found in rule(tree)]


def self_test():
    """The clean tree passes, each seed is reported where it was planted, no rule is without a seed."""
    wrong = [f"no seed for the rule {rule.__name__}" for rule in RULES if rule not in {s[0] for s in SEEDS}]

    def tried(extra_file=None, extra_text=""):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {**{extra_file or "Makefile": ""}, **CLEAN}.items():
                target = pathlib.Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text + (extra_text if path == extra_file else ""), encoding="utf-8")
            return findings(folder)

    wrong += [f"the clean tree was refused: {path}:{line}: {text}" for _, path, line, text in tried()]
    for rule, path, text in SEEDS:
        if (rule, path) not in {(found[0], found[1]) for found in tried(path, text)}:
            wrong.append(f"{rule.__name__} did not report, in {path}: {text.strip()[:60]}")
    return wrong


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    wrong = self_test()
    for sentence in wrong:
        print(f"self-test: {sentence}")
    if arguments[0] != "--self-test":
        reported = findings(arguments[0])
        for _, path, line, sentence in reported:
            print(f"{path}:{line}: {sentence}")
        print(f"{len(RULES)} rules, {len(SEEDS)} seeded violations, {len(reported)} findings")
        wrong += reported
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
