"""Prints what botocore's serialisers and parsers would use for the listed operations: the oracle of the tables."""

import gzip
import json
import pathlib
import sys

import botocore

DATA = pathlib.Path(botocore.__file__).parent / "data"


def rows(service, listed):
    latest = sorted((DATA / service).iterdir())[-1] / "service-2.json.gz"
    model = json.loads(gzip.open(latest).read())
    shapes, out = model["shapes"], {}
    protocol = model["metadata"]["protocol"]

    def query_name(name, member):
        # botocore/serialize.py: EC2Serializer and QuerySerializer
        if protocol == "ec2":
            if "queryName" in member:
                return member["queryName"]
            if "locationName" in member:
                return member["locationName"][0].upper() + member["locationName"][1:]
            return name
        return member.get("locationName", name)

    def walk(name):
        shape = shapes[name]
        if shape["type"] == "list":
            return walk(shape["member"]["shape"])
        if shape["type"] == "map":
            return walk(shape["value"]["shape"])
        if shape["type"] != "structure" or name in out:
            return
        out[name] = {}
        for member_name, member in shape["members"].items():
            target = shapes[member["shape"]]
            row = {
                "type": target["type"],
                "query": query_name(member_name, member),
                "xml": member.get("locationName", member_name),
                "required": member_name in shape.get("required", []),
                "location": member.get("location"),
                "locationName": member.get("locationName"),
                "enum": target.get("enum"),
                "flattened": target.get("flattened", False),
                "token": member.get("idempotencyToken", False),
            }
            if target["type"] == "list":
                row["item"] = target["member"].get("locationName", "member")
                row["element"] = shapes[target["member"]["shape"]]["type"]
            out[name][member_name] = row
            walk(member["shape"])

    operations = {}
    for name, operation in model["operations"].items():
        if listed != "*" and name not in listed:
            continue
        ends = [operation.get(end, {}).get("shape") for end in ("input", "output")]
        operations[name] = {"http": operation["http"], "in": ends[0], "out": ends[1], "unsigned": operation.get("authtype") == "v4-unsigned-body"}
        for end in ends:
            if end:
                walk(end)
    return {"operations": operations, "shapes": out}


listed = json.load(sys.stdin)
print(json.dumps({service: rows(service, entry["operations"]) for service, entry in listed.items() if service != "_"}))
