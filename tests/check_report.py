#!/usr/bin/env python3
"""The page of tare report is well-formed, fetches nothing, stays below a megabyte and shows hostile names as text; the
charts are well-formed SVG and PDF whose data are the records' own.

    check_report.py SOURCE BUILD
"""
import copy
import csv
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
import zlib

VOID = {"meta", "br", "link", "img", "input", "hr"}
EVIL = '<script>alert("x")</script>&amp;\\\'\u00e9\u4e2d|`$%_{}~^#' + "y" * 300


class Page(html.parser.HTMLParser):
    """Complains of tags that do not match, of ids that stand twice, of links that lead nowhere or out."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.ids, self.links, self.tags, self.text = [], [], set(), set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.wrong += [f"the id {value} stands twice"] if value in self.ids else []
                self.ids.add(value)
            if name == "href" and value.startswith("#"):
                self.links.add(value[1:])
            elif name in ("href", "src", "srcset", "xlink:href") or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}={value}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-3:]} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def check_page(path):
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    wrong = page.wrong + [f"<{tag}> is not closed" for tag in page.open]
    wrong += [f"the link to #{name} leads nowhere" for name in page.links - page.ids]
    if len(text.encode()) > 1_000_000:
        wrong.append(f"{len(text.encode())} bytes")
    wrong += ["a script"] if "script" in page.tags else []
    wrong += ["it fetches something"] if re.search(r"@import|url\(", text) else []
    return [f"{path.name}: {what}" for what in wrong], page


def check_pdf(path):
    """Objects lie where the table says, and the page's operators inflate."""
    data = path.read_bytes()
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data).group(1))
    if not data.startswith(b"%PDF-1.4\n") or data[table:table + 4] != b"xref":
        return [f"{path.name}: no PDF"]
    places = [int(row.split()[0]) for row in data[table:].split(b"\n")[3:8]]
    wrong = [f"{path.name}: object {i + 1} is elsewhere" for i, at in enumerate(places)
             if not data[at:].startswith(b"%d 0 obj" % (i + 1))]
    head = re.search(rb"/Length (\d+)/Filter/FlateDecode>> stream\n", data)
    operators = zlib.decompress(data[head.end():head.end() + int(head.group(1))])
    if b" re f" not in operators and b" c f" not in operators and b" S" not in operators:
        wrong.append(f"{path.name}: nothing is drawn")
    return wrong


def at(record, path):
    for name in path.split("."):
        record = record[int(name)] if isinstance(record, list) else (record or {}).get(name)
    return record


def same(cell, value):
    if value is None:
        return cell == ""
    return cell == value if isinstance(value, str) else float(cell) == float(value)


def check_data(path, records):
    """A chart's CSV against the lines that it is made of, cell by cell: columns are the fields' names."""
    rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    wrong = [] if len(rows) == len(records) else [f"{path.name}: {len(rows)} rows of {len(records)}"]
    for row, record in zip(rows, records):
        wrong += [f"{path.name}: {name} of {record.get('arm')} is {cell}, not {at(record, name)}"
                  for name, cell in row.items() if not same(cell, at(record, name))]
    return wrong


def check_charts(folder):
    wrong = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".svg":
            root = xml.etree.ElementTree.parse(path).getroot()
            if abs(float(root.get("width").removesuffix("pt")) / 72 * 25.4 - 84) > 0.1:
                wrong.append(f"{path.name}: {root.get('width')} wide")
        elif path.suffix == ".pdf":
            wrong += check_pdf(path)
        elif path.suffix == ".tex":
            text = path.read_text(encoding="utf-8")
            plain = re.sub(r"\\.", "", text)
            if not all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule")) or plain.count("{") != plain.count("}"):
                wrong.append(f"{path.name}: no tabular")
        elif path.suffix == ".md":
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in path.read_text(encoding="utf-8").splitlines()}
            wrong += [f"{path.name}: rows of {bars} bars"] if len(bars) != 1 else []
    return wrong


def part_lines(arms):
    """What tare explain writes, of the fields that stand in all lines of an arm."""
    for number, arm in enumerate(arms):
        common = {k: arm[k] for k in ("schema", "run_id", "arm", "net", "batch", "threads", "device", "mode", "factors", "seed",
                                      "order_seed", "command", "version", "commit", "machine", "build", "libraries")}
        for k, name in enumerate(("kernel", "dispatch", "cache effect")):
            ns = 1000.0 * (k + 1) * (-1 if k == 2 else 1)
            yield {**common, "kind": "part", "name": name, "ns": ns, "share": ns / 5000, "ci95": [ns - 10, ns + 10],
                   "method": "ladder"}
        yield {**common, "kind": "closure", "pass": number == 0, "residual": 0.01, "unattributed": 0.005}
        yield {**common, "kind": "effect", "factor": "storage", "from": "pool", "to": "malloc", "base": arm["arm"],
               "ns": 12.5, "ci95": [10.0, 15.0]}


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


class Session:
    def __init__(self, source, build, folder):
        self.tare, self.folder, self.wrong = pathlib.Path(build, "tare"), folder, []
        self.method = pathlib.Path(source, "docs/METHOD.md")

    def run(self, *words, code=0):
        done = subprocess.run([self.tare, *words], capture_output=True, text=True)
        allowed = (0, 3) if words[0] == "bench" else (code,)
        if done.returncode not in allowed:
            self.wrong.append(f"tare {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def report(self, name, *files):
        self.run("report", *files, "--out", self.folder / f"{name}.html", "--figures", self.folder / name)
        wrong, page = check_page(self.folder / f"{name}.html")
        self.wrong += wrong + check_charts(self.folder / name)
        return page

    def real(self):
        """A grid, with an update, and what explain would add: everything has a chart."""
        self.run("bench", "chain:depth=2", "--batch", "1,4", "--rounds", "2", "--processes", "2", "--modes",
                 "block,static_shape,symbol", "--json", self.folder / "grid.jsonl")
        lines = [json.loads(line) for line in (self.folder / "grid.jsonl").read_text(encoding="utf-8").splitlines()]
        arms = [line for line in lines if line["kind"] == "arm" and line["mode"] and line["batch"] == 4]
        write(self.folder / "parts.jsonl", list(part_lines(arms)))
        page = self.report("all", self.folder / "grid.jsonl", self.folder / "parts.jsonl")
        stem = "chain_depth=2_width=16-b4-t1"
        for chart, kind in (("ladder", "arm"), ("counts", "arm"), ("parts", "part"), ("effects", "effect"),
                            ("memory", "memory")):
            source = list(part_lines(arms)) if kind in ("part", "effect") else lines
            rows = [r for r in source if r["kind"] == kind and r["batch"] == 4 and (r["mode"] or kind == "memory")]
            self.wrong += check_data(self.folder / "all" / f"{stem}-{chart}.csv", rows)
        made = {path.name.split("-")[-1].split(".")[0] for path in (self.folder / "all").iterdir()}
        charts = {"share", "batch", "ladder", "parts", "effects", "counts", "strategies", "roofline", "memory", "contrasts"}
        self.wrong += [f"no chart {name}" for name in charts - made]
        described = set(re.findall(r"`(\w+)`", self.method.read_text(encoding="utf-8")))
        self.wrong += [f"docs/METHOD.md does not know the chart {name}" for name in made - described - {"contrasts"}]
        sentences = (self.folder / "all" / f"{stem}-contrasts.txt").read_text(encoding="utf-8").splitlines()
        contrasts = [r for r in lines if r["kind"] == "contrast" and r["batch"] == 4]
        self.wrong += [] if len(sentences) == len(contrasts) else [f"{len(sentences)} sentences of {len(contrasts)} contrasts"]
        for sentence, contrast in zip(sentences, contrasts):
            if f"{contrast['ratio']:.3f} times" not in sentence or contrast["arm"] not in sentence:
                self.wrong.append(f"{sentence!r} is not of {contrast['arm']}")
        if "is not closed" not in "".join(page.text):
            self.wrong.append("a decomposition that is not closed is not said to be so")
        return lines

    def hostile(self, lines):
        changed = []
        for line in lines:
            line = copy.deepcopy(line)
            line["net"] = line["title"] = EVIL
            line["arm"] = line["arm"] and line["arm"] + EVIL
            for block in line.get("blocks", []):
                block[5] = block[6] = EVIL
            changed.append(line)
        write(self.folder / "evil.jsonl", changed)
        page = self.report("evil", self.folder / "evil.jsonl")
        if EVIL[:30] not in "".join(page.text):
            self.wrong.append("the name does not stand in the page as it is")

    def many(self, lines):
        kernels = next(r for r in lines if r["kind"] == "arm" and r["arm"] == "kernels")
        block = next(r for r in lines if r["kind"] == "arm" and r["arm"] == "block")
        write(self.folder / "many.jsonl", [kernels] + [{**block, "arm": f"arm {i}"} for i in range(3000)])
        self.report("many", self.folder / "many.jsonl")
        kept = [r for r in lines if r["kind"] in ("arm", "contrast", "run", "memory")]
        write(self.folder / "runs.jsonl", [{**r, "run_id": f"{i:016x}", "batch": i + 1} for i in range(150) for r in kept])
        self.run("report", self.folder / "runs.jsonl", "--out", self.folder / "runs.html")
        self.wrong += check_page(self.folder / "runs.html")[0]

    def memory(self):
        """Of a net of thousands of blocks; blocks that make no sense; no data at all."""
        svg, table = self.folder / "deep.svg", self.folder / "deep.csv"
        self.run("plan", "chain:depth=1500", "--svg", svg, "--csv", table, "--json", self.folder / "deep.jsonl")
        self.run("plan", "--verify", table)
        if "layer,use" not in table.read_text(encoding="utf-8").splitlines()[0]:
            self.wrong.append("the blocks have no layer and no use")
        xml.etree.ElementTree.parse(svg)
        if svg.stat().st_size > 1_000_000:
            self.wrong.append(f"a picture of {svg.stat().st_size} bytes")
        self.report("deep", self.folder / "deep.jsonl")
        line = json.loads((self.folder / "deep.jsonl").read_text(encoding="utf-8").splitlines()[0])
        for broken in ({"blocks": [[1, 0, 64, 0, 0, "a", "b"]]}, {"blocks": 7}, {"calls": -1}, {"uses": []},
                       {"calls": 1 << 40}):
            write(self.folder / "broken.jsonl", [{**line, **broken}])
            done = self.run("report", self.folder / "broken.jsonl", "--out", self.folder / "broken.html", code=1)
            if "line 1" not in done.stderr:
                self.wrong.append(f"{list(broken)}: {done.stderr.strip()}")
        write(self.folder / "none.jsonl", [])
        self.report("none", self.folder / "none.jsonl")


def main(source, build):
    with tempfile.TemporaryDirectory() as folder:
        session = Session(source, build, pathlib.Path(folder))
        lines = session.real()
        session.hostile(lines)
        session.many(lines)
        session.memory()
    print("\n".join(session.wrong[:40]))
    print(f"{len(session.wrong)} findings")
    return 1 if session.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
