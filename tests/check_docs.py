#!/usr/bin/env python3
"""The documents name what exists: relative links, paths of the repository in backquotes, subcommands of the command.

    check_docs.py SOURCE BUILD      prove first that each rule can fail, then check README.md and docs/*.md

A path in backquotes is looked at when it begins with a folder of the repository; `ops/conv2d_*.c` must match something,
a word in capitals (`data/NAME.c`) stands for a name of the reader's. A line of an indented example that calls build/tare
must name a subcommand that the command has.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDERS = "core|ops|data|pack|imperative|graph|nets|bench|tests|docs|cmake|scripts"
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
NAMED = re.compile(rf"`\.?/?((?:{FOLDERS})/[^`\s:]*)`")
CALL = re.compile(r"^(?:    |.*`)(?:\./)?build/tare ([a-z]+)\b", re.M)
CAPITALS = re.compile(r"[A-Z]{3,}")


def faults(root, commands):
    """(file, sentence) for each link or name that leads nowhere."""
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for target in LINK.findall(text):
            if "://" not in target and not (page.parent / target).exists():
                yield page.name, f"the link to {target} leads nowhere"
        for name in NAMED.findall(text):
            if CAPITALS.search(pathlib.Path(name).stem) and not name.endswith(".md"):
                continue
            if not any(root.glob(name.rstrip("/"))):
                yield page.name, f"there is no {name}"
        for command in CALL.findall(text):
            if command not in commands:
                yield page.name, f"the command has no subcommand {command}"


SEEDS = ["[gone](GONE.md)", "in `core/gone.c` and", "    build/tare gone mlp\n", "`ops/gone_*.c`"]
CLEAN = "[page](b.md) and [web](https://example.org/x), `core/a.c`, `core/`, `core/*.c`, `data/NAME.c`\n\n    build/tare agree mlp\n"


def prove():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ("core/a.c", "docs/b.md", "README.md"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("")
        for text, wanted in [(CLEAN, 0)] + [(CLEAN + seed, 1) for seed in SEEDS]:
            (root / "docs" / "a.md").write_text(text, encoding="utf-8")
            found = list(faults(root, {"agree"}))
            if len(found) != wanted:
                sys.exit(f"check_docs: {len(found)} faults, not {wanted}, in {text!r}: {found}")


def main():
    source, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    prove()
    shown = subprocess.run([build / "tare", "--help"], capture_output=True, text=True, check=True).stdout
    commands = set(re.findall(r"^ +([a-z]+)\b", shown, re.M))
    found = list(faults(source, commands))
    for page, sentence in found:
        print(f"{page}: {sentence}")
    sys.exit(1 if found else 0)


main()
