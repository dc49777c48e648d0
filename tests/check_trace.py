#!/usr/bin/env python3
"""tare trace writes what the Trace Event Format asks for, and the spans say what a step does.

    check_trace.py SOURCE BUILD      prove first that each rule can fail, then check some arms

Of every thread the spans nest: two of them lie apart or one in the other. Of the caller's, the categories lie in each
other in their order. A step has a span with a kernel's name for each kernel call that tare count counts; the
pieces of a call lie in its span and are all there; where calls are queued every call has its pieces, on other threads
than the caller's, begun after it was handed over began; at a step's end the bytes are what they were before it.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ORDER = ["step", "phase", "layer", "operator", "event"]
ROUNDING = 0.0015  # microseconds: times are written to the nanosecond


def format_errors(trace):
    if set(trace) != {"displayTimeUnit", "otherData", "traceEvents"} or trace["displayTimeUnit"] not in ("ms", "ns"):
        yield f"the object has {sorted(trace)}"
    for e in trace["traceEvents"]:
        wanted = {"M": {"name"}, "X": {"name", "cat", "ts", "dur"}, "C": {"name", "ts"}}.get(e.get("ph"))
        if wanted is None or set(e) != wanted | {"ph", "pid", "tid", "args"}:
            yield f"not an event of the format: {e}"
        elif any(not isinstance(e[f], (int, float)) or e[f] < 0 for f in ("ts", "dur", "pid", "tid") if f in e):
            yield f"a number is none, or negative: {e}"


def nesting_errors(spans):
    """spans: of one thread"""
    open_spans = []
    for s in sorted(spans, key=lambda s: (s["ts"], -s["dur"], ORDER.index(s["cat"]) if s["cat"] in ORDER else 9)):
        while open_spans and s["ts"] >= open_spans[-1]["ts"] + open_spans[-1]["dur"] - ROUNDING:
            open_spans.pop()
        if open_spans:
            outer = open_spans[-1]
            if s["ts"] + s["dur"] > outer["ts"] + outer["dur"] + ROUNDING:
                yield f"{s['cat']} {s['name']} at {s['ts']} ends after {outer['cat']} {outer['name']} in which it begins"
            if s["cat"] in ORDER and ORDER.index(s["cat"]) <= ORDER.index(outer["cat"]):
                yield f"{s['cat']} {s['name']} lies in {outer['cat']} {outer['name']}"
        elif s["cat"] not in ("step", "piece"):
            yield f"{s['cat']} {s['name']} at {s['ts']} lies in no step"
        open_spans.append(s)


def queued_errors(calls, kernels):
    """A call of pieces for each kernel span, in their order."""
    kernels = [k for k in kernels if k["args"]["variant"]]
    if [call[0]["name"] for call in calls] != [k["args"]["operator"] for k in kernels]:
        yield f"{len(calls)} calls have run of {len(kernels)} that were handed over, or others"
    for call, k in zip(calls, kernels):
        if any(p["tid"] == 0 for p in call):
            yield f"the caller runs pieces of a {k['args']['operator']} that is queued"
        if any(p["ts"] < k["ts"] - ROUNDING for p in call):
            yield f"a {k['args']['operator']} runs before it is handed over"


def piece_errors(events, queued):
    """Pieces come in calls; a call's are all there, in one kernel span of its operator."""
    pieces = [e for e in events if e.get("cat") == "piece"]
    kernels = [e for e in events if e.get("cat") == "event" and e["name"] == "kernel"]
    calls = []
    for p in pieces:
        if p["args"]["piece"] == 0:
            calls.append([])
        calls[-1].append(p)
    for call in calls:
        if [p["args"]["piece"] for p in call] != list(range(call[0]["args"]["pieces"])):
            yield f"a call of {call[0]['args']['pieces']} pieces of {call[0]['name']} has {len(call)}"
    if queued:
        yield from queued_errors(calls, kernels)
        return
    for call in calls:
        around = [k for k in kernels if k["args"]["operator"] == call[0]["name"] and all(
            k["ts"] - ROUNDING <= p["ts"] and p["ts"] + p["dur"] <= k["ts"] + k["dur"] + ROUNDING for p in call)]
        if len(around) != 1:
            yield f"the pieces of a {call[0]['name']} lie in {len(around)} kernel spans"


def arm_errors(events, steps, kernel_calls, queued=False):
    spans = [e for e in events if e["ph"] == "X"]
    for tid in {s["tid"] for s in spans}:
        yield from nesting_errors([s for s in spans if s["tid"] == tid])
    if len([s for s in spans if s["cat"] == "step"]) != steps:
        yield f"not {steps} steps"
    # a view runs no kernel, and its span names none
    kernels = [s for s in spans if s["cat"] == "event" and s["name"] == "kernel" and s["args"]["variant"]]
    if len(kernels) != steps * kernel_calls:
        yield f"{len(kernels)} kernel spans in {steps} steps, not {kernel_calls} in each"
    yield from (f"a variant where no kernel runs: {s}" for s in spans
                if s["cat"] == "event" and s["name"] != "kernel" and s["args"]["variant"] is not None)
    yield from piece_errors(events, queued)
    live = [e["args"]["bytes"] for e in events if e["ph"] == "C"]
    if not live or live[0] != live[-1]:
        yield f"the live bytes begin at {live[:1]} and end at {live[-1:]}"


def arms_of(trace):
    names = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
    return {names[pid]: [e for e in trace["traceEvents"] if e["pid"] == pid] for pid in names}


def take(build, folder, words, modes, steps):
    path = folder / "trace.json"
    for command in (["count", *words, "--modes", modes, "--json", folder / "count.jsonl"],
                    ["trace", *words, "--arms", modes, "--steps", str(steps), "--out", path]):
        done = subprocess.run([build / "tare", *command], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"tare {command}: exit {done.returncode}: {done.stderr}")
    counts = [json.loads(line) for line in (folder / "count.jsonl").read_text(encoding="utf-8").splitlines()]
    return json.loads(path.read_text(encoding="utf-8")), {c["arm"]: c["counts"]["kernel_calls"] for c in counts}


def prove(trace, calls):
    """Each rule is broken once, on the arm `block`, and has to say so."""
    def broken(change):
        one = copy.deepcopy(arms_of(trace)["block"])
        change(one)
        return list(arm_errors(one, 2, calls["block"]))

    def longer(events):
        next(e for e in events if e.get("cat") == "layer")["dur"] += 1e6

    def swapped(events):
        next(e for e in events if e.get("cat") == "operator")["cat"] = "step"

    def without(what):
        return lambda events: events.remove(next(e for e in events if what(e)))

    for change in (longer, swapped, without(lambda e: e.get("cat") == "step"), without(lambda e: e["name"] == "kernel"),
                   without(lambda e: e.get("cat") == "piece" and e["args"]["piece"] == 1),
                   lambda events: events.append({**[e for e in events if e["ph"] == "C"][-1], "args": {"bytes": 7}})):
        if not broken(change):
            sys.exit("check_trace: a broken timeline was not found")
    events = arms_of(trace)["block"]  # its calls are not queued
    if not list(arm_errors(events, 2, calls["block"], True)):
        sys.exit("check_trace: pieces of no queue were not found")
    if not list(format_errors({**trace, "traceEvents": [{"ph": "X"}]})):
        sys.exit("check_trace: a broken event was not found")


def main(build):
    wrong, spans = [], 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runs = [
            (["mlp", "--batch", "64", "--optimizer", "sgd", "--threads", "2"], "block,hybridized,symbol,step,kernels"),
            (["chain:depth=3"], "invoke,hybridblock,functional,static_alloc,static_shape"),
            (["lenet", "--batch", "2", "--infer"], "functional,symbol"),
            (["mlp", "--batch", "64", "--optimizer", "sgd", "--factor", "engine=queue"], "block,hybridized,symbol,step"),
            (["mlp", "--batch", "64", "--threads", "3", "--factor", "engine=queue,sync=step"], "functional,symbol"),
        ]
        for i, (words, modes) in enumerate(runs):
            trace, calls = take(pathlib.Path(build).resolve(), folder, words, modes, 2)
            if i == 0:
                prove(trace, calls)
            wrong += format_errors(trace)
            arms = arms_of(trace)
            if list(arms) != modes.split(","):
                wrong.append(f"arms {list(arms)}")
            for name, events in arms.items():
                wrong += [f"{words[0]}, {name}: {error}" for error in arm_errors(events, 2, calls[name], "engine=queue" in " ".join(words))]
                spans += len(events)
                phases = [e["name"] for e in events if e.get("cat") == "phase" and e["ts"] < min(
                    s["ts"] + s["dur"] for s in events if s.get("cat") == "step")]
                seen = re.sub(r"rest", "", " ".join(dict.fromkeys(phases))).split()
                wanted = ["forward", "backward", "update"][:1 if "--infer" in words else 3 if "--optimizer" in words else 2]
                if seen != wanted:
                    wrong.append(f"{words[0]}, {name}: the phases {seen}")
    print("\n".join(wrong[:20]))
    print(f"{spans} events, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
