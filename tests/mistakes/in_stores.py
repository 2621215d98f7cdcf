"""Damage in store/: exit code 1, as no input is wrong, and the command that repairs it."""

import json

from tests.mistakes.case import Case


def manifest_of(folder, kind):
    return next((folder / "store" / kind).glob("*/manifest.json"))


def plan_says(text):
    """Another manifest of the plan."""
    return lambda folder: manifest_of(folder, "plan").write_bytes(text if isinstance(text, bytes) else text.encode())


def plan_field(**fields):
    def change(folder):
        path = manifest_of(folder, "plan")
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def without_digest(folder):
    path = manifest_of(folder, "plan")
    manifest = json.loads(path.read_text()) | {"files": []}
    path.write_text(json.dumps({name: manifest[name] for name in manifest if name != "digest"}))


def payload(change):
    def change_payload(folder):
        change(manifest_of(folder, "plan").with_name("plan.json"))

    return change_payload


def another_key(folder):
    path = manifest_of(folder, "plan")
    path.write_text(manifest_of(folder, "items").read_text())


CASES = [
    Case(what, change, command, message, code=1, progress=int(command == "audit"))
    for what, change, command, message in [
        (
            "an empty manifest",
            plan_says(""),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (Expecting value: line 1 column 1 (char 0)); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "half a manifest",
            plan_says('{"kind": '),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (Expecting value: line 1 column 10 (char 9)); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest not UTF-8",
            plan_says(b"\xff"),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of a list",
            plan_says("[]"),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (no mapping of fields); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of a number",
            plan_says("3"),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (no mapping of fields); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest nested too deep",
            plan_says("[" * 100_000),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (maximum recursion depth exceeded while decoding a JSON array from a unicode string); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of NaN",
            plan_field(facts={"x": float("nan")}),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (its fields do not have its digest); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest without fields",
            plan_says("{}"),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: is the manifest of None/None; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "the manifest of another key",
            another_key,
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: is the manifest of items/e7e0ec8d99e450034a14; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of a changed key",
            plan_field(key="0" * 20),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: is the manifest of plan/00000000000000000000; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of changed facts",
            plan_field(facts={"x": 1}),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (its fields do not have its digest); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a manifest of another type",
            plan_field(files=[]),
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (its fields do not have its digest); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "files of another type without a digest",
            without_digest,
            "status",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (its fields do not have its digest); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a payload that was changed",
            payload(lambda p: p.write_text(p.read_text() + " ")),
            "status",
            "store/plan/df2bf2ea434d42667dde/plan.json: differs from its manifest; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a payload that is gone",
            payload(lambda p: p.unlink()),
            "status",
            "store/plan/df2bf2ea434d42667dde/plan.json: differs from its manifest; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a payload that is a folder",
            payload(lambda p: (p.unlink(), p.mkdir())),
            "status",
            "store/plan/df2bf2ea434d42667dde/plan.json: differs from its manifest; `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a damaged plan seen by the plan command",
            plan_says("{"),
            "plan",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a damaged plan seen by a job",
            plan_says("{"),
            "make law 0000",
            "store/plan/df2bf2ea434d42667dde/manifest.json: damaged manifest (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); `olmix audit --repair` restores it, or makes `snakemake --cores all` make it again",
        ),
        (
            "a damaged artefact seen by the audit",
            plan_says("{"),
            "audit",
            "1 of 6 artefacts are damaged; `olmix audit --repair` repairs them",
        ),
    ]
]
