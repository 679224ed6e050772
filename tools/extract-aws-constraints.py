"""Extracts the input constraints that the JavaScript clients' schemas lack (length, range, pattern, integer width).

Reads botocore's service-2.json.gz and writes libs/aws-protocol/models/constraints/<service>.json. Run by hand when the
operation list or botocore changes; `npm run generate` reads only what is committed here.
"""

import gzip
import json
import pathlib

import botocore

ROOT = pathlib.Path(__file__).resolve().parent.parent / "libs/aws-protocol/models"
DATA = pathlib.Path(botocore.__file__).parent / "data"
CONSTRAINTS = ("min", "max", "pattern")
NUMERIC = ("integer", "long", "float", "double")


def load(service):
    latest = sorted((DATA / service).iterdir())[-1] / "service-2.json.gz"
    return json.loads(gzip.open(latest).read())


def constraints_of(shape, shapes):
    """Constraints of one member: its own, and under l, k, v those of list elements, map keys and map values."""
    found = {name: shape[name] for name in CONSTRAINTS if name in shape}
    if shape["type"] in NUMERIC:
        found["number"] = shape["type"]
    parts = {"list": {"l": "member"}, "map": {"k": "key", "v": "value"}}.get(shape["type"], {})
    for short, part in parts.items():
        inner = constraints_of(shapes[shape[part]["shape"]], shapes)
        if inner:
            found[short] = inner
    return found


def structures(name, shapes, seen):
    shape = shapes[name]
    if name in seen:
        return
    if shape["type"] == "structure":
        seen.add(name)
        for member in shape["members"].values():
            structures(member["shape"], shapes, seen)
    for part in ("member", "key", "value"):
        if part in shape:
            structures(shape[part]["shape"], shapes, seen)


def main():
    listed = json.loads((ROOT / "operations.json").read_text())
    for service, entry in listed.items():
        if service == "_":
            continue
        model = load(service)
        shapes, seen = model["shapes"], set()
        for name, operation in model["operations"].items():
            if (entry["operations"] == "*" or name in entry["operations"]) and "input" in operation:
                structures(operation["input"]["shape"], shapes, seen)
        out = {}
        for name in sorted(seen):
            members = {m: constraints_of(shapes[v["shape"]], shapes) for m, v in shapes[name]["members"].items()}
            members = {m: c for m, c in members.items() if c}
            if members:
                out[name] = members
        rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in out.items())
        text = "{\n" + rows + "\n}\n"
        (ROOT / "constraints" / f"{service}.json").write_text(text)
    (ROOT / "constraints" / "SOURCE.json").write_text(json.dumps({"botocore": botocore.__version__}) + "\n")


main()
