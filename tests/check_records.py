#!/usr/bin/env python3
"""Every line that tare writes fits docs/records.schema.json; and what does not fit is refused.

    check_records.py SOURCE BUILD

The checker below knows the part of JSON Schema (2020-12) that the schema uses, and refuses to check by a keyword that
it does not know.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
         "unevaluatedProperties", "items", "minItems", "maxItems", "enum", "const", "pattern", "minimum", "allOf", "oneOf"}


class Checker:
    def __init__(self, schema):
        self.root = schema

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return schema

    def is_type(self, value, name):
        if name in ("number", "integer"):
            kinds = (int,) if name == "integer" else (int, float)
            return isinstance(value, kinds) and not isinstance(value, bool)
        return isinstance(value, TYPES[name])

    def properties(self, schema):
        schema = self.resolve(schema)
        found = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            found = {**self.properties(part), **found}
        return found

    def errors(self, value, schema, at="record"):
        schema = self.resolve(schema)
        if set(schema) - KNOWN:
            raise SystemExit(f"the checker does not know {set(schema) - KNOWN}")
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(self.is_type(value, t) for t in types):
            yield f"{at}: {value!r} is no {' or '.join(types)}"
            return
        if "const" in schema and value != schema["const"]:
            yield f"{at}: {value!r} is not {schema['const']!r}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} is not like {schema['pattern']}"
        if "minimum" in schema and self.is_type(value, "number") and value < schema["minimum"]:
            yield f"{at}: {value!r} is below {schema['minimum']}"
        for part in schema.get("allOf", []):
            yield from self.errors(value, part, at)
        if "oneOf" in schema:
            each = [list(self.errors(value, part, at)) for part in schema["oneOf"]]
            if [] not in each:
                yield min(each, key=len)[0]
            elif each.count([]) > 1:
                yield f"{at}: fits more than one kind"
        if isinstance(value, dict):
            yield from self.object_errors(value, schema, at)
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{at}: has {len(value)} items"
            for i, item in enumerate(value):
                yield from self.errors(item, schema.get("items", {}), f"{at}[{i}]")

    def object_errors(self, value, schema, at):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{at}: {name} is missing"
        own = schema.get("properties", {})
        for name, item in value.items():
            if name in own:
                yield from self.errors(item, own[name], f"{at}.{name}")
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from self.errors(item, schema["additionalProperties"], f"{at}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at}: {name} is not in the schema"
            elif schema.get("unevaluatedProperties") is False and name not in self.properties(schema):
                yield f"{at}: {name} is not in the schema"


def null_reasons(value, at="record"):
    """A null that the schema allows is explained where a reason could stand."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from null_reasons(item, f"{at}.{name}")
        if "reasons" in value:
            for name in value["reasons"]:
                if name not in value or (value[name] is not None and name != "trusted"):
                    yield f"{at}: a reason for {name}, which is not null"


def seeds(record):
    """Records that must be refused, made of a good one."""
    for name in list(record):
        broken = copy.deepcopy(record)
        del broken[name]
        if name != "reasons":
            yield f"without {name}", broken
        broken = copy.deepcopy(record)
        broken[name] = [["no"]]
        yield f"with a list as {name}", broken
    yield "with a field too many", {**record, "surplus": 1}
    yield "of another kind", {**record, "kind": "nonsense"}


def records(build, folder):
    """One file of each kind of record, small."""
    tare = pathlib.Path(build, "tare")
    runs = [
        ["bench", "chain:depth=2", "--rounds", "4", "--processes", "2", "--json", folder / "bench.jsonl"],
        ["bench", "mlp_mnist", "--batch", "4", "--rounds", "1", "--optimizer", "adam", "--modes", "step", "--arm",
         "heap=functional,storage=malloc", "--json", folder / "update.jsonl"],
        ["bench", "chain:depth=2", "--rounds", "1", "--infer", "--modes", "symbol", "--factor", "kernels=null", "--json",
         folder / "null.jsonl"],
        ["bench", "chain:depth=1/2", "--batch", "1,3", "--rounds", "2", "--processes", "2", "--modes", "step", "--shard",
         "2/2", "--json", folder / "grid.jsonl", "--csv", folder / "tables"],
        ["agree", "mlp", "--batch", "4", "--json", folder / "agree.jsonl"],
        ["data", "digits", "--out", folder / "digits", "--count", "60"],
        ["train", "mlp_mnist", "--data", folder / "digits", "--batch", "20", "--epochs", "2", "--json",
         folder / "train.jsonl", "--validation", "0.2", "--save", folder / "w.safetensors"],
        ["train", "mlp_mnist", "--data", folder / "digits", "--batch", "20", "--mode", "functional", "--json",
         folder / "now.jsonl"],
        ["predict", "mlp_mnist", "--load", folder / "w.safetensors", "--data", folder / "digits", "--json",
         folder / "predict.jsonl"],
        ["explain", "mlp_mnist", "--batch", "4", "--rounds", "4", "--processes", "2", "--json", folder / "explain.jsonl"],
        ["ablate", "chain:depth=2", "--base", "symbol", "--factors", "in-place,order=program,kernels", "--shapley", "--rounds", "2",
         "--processes", "2", "--time", "6", "--json", folder / "ablate.jsonl"],
        ["plan", "chain:depth=2", "--json", folder / "plan.jsonl"],
        ["step", "chain:depth=2", "--arms", "invoke,symbol", "--optimizer", "sgd", "--json", folder / "step.jsonl"],
        ["count", "chain:depth=2", "--modes", "invoke,step", "--optimizer", "sgd", "--json", folder / "count.jsonl"],
        ["micro", "relu", "--rounds", "2", "--processes", "2", "--json", folder / "micro.jsonl", "--csv", folder / "ops"],
        ["micro", "--family", "dot", "--sizes", "100,1000", "--rounds", "2", "--processes", "2", "--json",
         folder / "family.jsonl"],
        ["micro", "tanh", "--variants", "--rounds", "2", "--processes", "2", "--json", folder / "variants.jsonl"],
    ]
    for words in runs:
        done = subprocess.run([tare, *words], capture_output=True, text=True)
        if done.returncode not in (0, 3):  # whether a run is trusted depends on the machine
            raise SystemExit(f"tare {words}: exit {done.returncode}: {done.stderr.strip()}")
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path.name, json.loads(line, parse_constant=lambda word: sys.exit(f"{path.name}: {word} is no JSON"))


def main(source, build):
    checker = Checker(json.loads(pathlib.Path(source, "docs/records.schema.json").read_text(encoding="utf-8")))
    wrong, kinds = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, record in records(build, pathlib.Path(folder)):
            kinds.setdefault(f"{record['kind']} {record['arm'] in ('sgemm', 'triad')}", record)
            for error in list(checker.errors(record, checker.root)) + list(null_reasons(record)):
                wrong.append(f"{name}: {record['kind']}: {error}")
    tried = 0
    for kind, record in kinds.items():
        for what, broken in seeds(record):
            tried += 1
            if not list(checker.errors(broken, checker.root)):
                wrong.append(f"{kind}: a record {what} was not refused")
    chain = kinds["arm False"]
    if chain["nodes"] <= 0 or chain["counts"]["kernel_calls"] <= 0:
        wrong.append("an arm without nodes or kernel calls")
    expected = {"arm", "block", "contrast", "opening", "process", "run", "agree", "epoch", "score", "event", "memory",
                "count", "op"}
    missing = expected - {kind.split()[0] for kind in kinds}
    wrong += [f"no {kind} record was written" for kind in missing]
    print("\n".join(wrong[:40]))
    print(f"{len(kinds)} kinds, {tried} broken records tried, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
