"""Mistakes in accepted mixtures and in evidence/ from elsewhere."""

from tests.mistakes.case import Case, a_folder, a_pipe, both, document, put
from tests.plan.generations import accepted, leaf

FILE = "mixtures/0001-one.yaml"
A, B = leaf("a"), leaf("b")
RUNS = [("k1", 0, {"x": 64}), ("k2", 0, {"y": 32})]


def mixture(name="0001-one", without=(), parent=None, **changes):
    found = accepted(name, [A, B], parent=parent, runs=RUNS).model_dump() | changes
    return document(f"mixtures/{name}.yaml", {k: v for k, v in found.items() if k not in without})


def leaves(**fields):
    found = accepted("0001-one", [A, B]).model_dump()["leaves"]
    return {**found, "a": found["a"] | fields}


PINS = {"leaves": {"code": "x", "maths": "y"}, "suite": "s", "proxy": "p"}
TABLE = "run,code,maths\na,0.5,0.5\n"


def evidence(pins=PINS, mixtures=TABLE, scores="run,t\na,1\n"):
    folder = "evidence/other"
    return both(
        document(f"{folder}/pins.yaml", pins),
        put(f"{folder}/mixtures.csv", mixtures),
        put(f"{folder}/scores.csv", scores),
    )


def imports(mixtures, scores="run,code,games,maths,news\na,1,1,1,1\n"):
    return both(put("m.csv", mixtures), put("s.csv", scores))


IMPORT = "import x --mixtures m.csv --scores s.csv"
LEAVES = "run,code,maths,web:games,web:news\n"

CASES = [
    Case(
        "mixtures that are a file",
        both(lambda p: (p / "mixtures/README.md").unlink(), lambda p: (p / "mixtures").rmdir(), put("mixtures", "")),
        "plan",
        "mixtures: is a file; the folder of accepted mixtures is expected",
    ),
    Case(
        "a generation of no number",
        mixture("first"),
        "plan",
        "mixtures/first.yaml: an accepted mixture is named NNNN-name.yaml; `olmix accept` writes it",
    ),
    Case(
        "a generation of a bad name",
        document("mixtures/0001-a b.yaml", {}),
        "plan",
        "mixtures/0001-a b.yaml: an accepted mixture is named NNNN-name.yaml; `olmix accept` writes it",
    ),
    Case(
        "two generations of a number",
        both(mixture(), mixture("0001-two")),
        "plan",
        "mixtures/0001-two.yaml: number 0001 is taken by 0001-one.yaml; renumber one of them",
    ),
    Case(
        "a folder for a generation",
        a_folder(FILE),
        "plan",
        "mixtures/0001-one.yaml: found a folder; allowed: a YAML file",
    ),
    Case("a pipe for a generation", a_pipe(FILE), "plan", "mixtures/0001-one.yaml: found a pipe; allowed: a YAML file"),
    Case("an empty generation", put(FILE, ""), "plan", "mixtures/0001-one.yaml: parent: required field is missing"),
    Case(
        "half a generation",
        put(FILE, "parent: null\nweights: {a: "),
        "plan",
        "mixtures/0001-one.yaml:3: not valid YAML: did not find expected node content",
    ),
    Case("a generation not UTF-8", put(FILE, b"\xff"), "plan", "mixtures/0001-one.yaml: byte 0 is not UTF-8"),
    Case(
        "a tag of Python in a generation",
        put(FILE, "parent: !!python/object/apply:os.system ['touch pwned']\n"),
        "plan",
        "mixtures/0001-one.yaml:1: not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    Case(
        "a parent that is gone",
        mixture(parent="0000-gone"),
        "plan",
        "mixtures/0001-one.yaml: parent: found '0000-gone'; earlier generations: none, this is the first",
    ),
    Case(
        "a parent of its own",
        mixture(parent="0001-one"),
        "plan",
        "mixtures/0001-one.yaml: parent: found '0001-one'; earlier generations: none, this is the first",
    ),
    Case(
        "a generation without weights",
        mixture(without=["weights"]),
        "plan",
        "mixtures/0001-one.yaml: weights: required field is missing",
    ),
    Case(
        "weights of nothing at all",
        mixture(weights={}),
        "plan",
        "mixtures/0001-one.yaml: weights: found none: at least one is needed",
    ),
    Case(
        "weights above one in all",
        mixture(weights={"a": 0.5, "b": 0.6}),
        "plan",
        "mixtures/0001-one.yaml: weights sum to 1.1; allowed: 1",
    ),
    Case(
        "weights of other leaves",
        mixture(weights={"a": 1.0}),
        "plan",
        "mixtures/0001-one.yaml: weights and leaves name different leaves: b",
    ),
    Case(
        "a weight out of range",
        mixture(weights={"a": 1.5, "b": -0.5}),
        "plan",
        "mixtures/0001-one.yaml: weights.a is 1.5; allowed: 0 to 1",
    ),
    Case(
        "a weight of true",
        mixture(weights={"a": True, "b": 0}),
        "plan",
        "mixtures/0001-one.yaml: weights.a: found True: a number is expected",
    ),
    Case(
        "a weight that is NaN",
        mixture(weights={"a": float("nan"), "b": 1.0}),
        "plan",
        "mixtures/0001-one.yaml: weights.a: found nan: input should be a finite number",
    ),
    Case(
        "an unknown field of a generation",
        mixture(colour=1),
        "plan",
        "mixtures/0001-one.yaml: colour: unknown field; allowed here: accepted, gain_percent, law, leaves, ledger, objective, params, parent, plan, proposal, runs, strategy, suite, target, update, virtual, weights",
    ),
    Case(
        "leaves of one content",
        mixture(leaves=leaves(content="content of b")),
        "plan",
        "mixtures/0001-one.yaml: leaves: two leaves have the same content digest",
    ),
    Case(
        "tokens below none",
        mixture(leaves=leaves(tokens=-1)),
        "plan",
        "mixtures/0001-one.yaml: leaves.a.tokens: found -1: input should be greater than or equal to 0",
    ),
    Case(
        "a cap above one",
        mixture(leaves=leaves(cap=2)),
        "plan",
        "mixtures/0001-one.yaml: leaves.a.cap: found 2: input should be less than or equal to 1",
    ),
    Case(
        "ratios that do not sum",
        mixture(virtual={"v": {"a": 0.5, "b": 0.4}}),
        "plan",
        "mixtures/0001-one.yaml: virtual.v: ratios sum to 0.9; allowed: 1",
    ),
    Case(
        "ratios of no leaf",
        mixture(virtual={"v": {"z": 1.0}}),
        "plan",
        "mixtures/0001-one.yaml: virtual: a leaf is frozen twice, or is no leaf of this domain set",
    ),
    Case(
        "a leaf frozen twice",
        mixture(virtual={"v": {"a": 1.0}, "w": {"a": 1.0}}),
        "plan",
        "mixtures/0001-one.yaml: virtual: a leaf is frozen twice, or is no leaf of this domain set",
    ),
    Case(
        "a ledger of words",
        mixture(ledger="cheap"),
        "plan",
        "mixtures/0001-one.yaml: ledger: found 'cheap': a section is expected, with fields such as full_recomputation, saved, spent",
    ),
    Case(
        "runs without a header",
        mixture(runs="a,b\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: found the header ['a', 'b']; it begins with key,seed",
    ),
    Case(
        "runs of nothing",
        mixture(runs=""),
        "plan",
        "mixtures/0001-one.yaml: runs: found the header None; it begins with key,seed",
    ),
    Case(
        "a short row of runs",
        mixture(runs="key,seed,x\nk,0\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: row 1: found ['k', '0']; a key and whole numbers are allowed",
    ),
    Case(
        "runs in words",
        mixture(runs="key,seed,x\nk,0,many\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: row 1: found ['k', '0', 'many']; a key and whole numbers are allowed",
    ),
    Case(
        "an empty row of runs",
        mixture(runs="key,seed,x\n\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: row 1: found ['']; a key and whole numbers are allowed",
    ),
    Case(
        "runs below none",
        mixture(runs="key,seed,x\nk,0,-5\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: row 1: found ['-5']; tokens of a leaf are at least 0, not all are 0",
    ),
    Case(
        "a content twice in runs",
        mixture(runs="key,seed,x,x\nk,0,1,1\n"),
        "plan",
        "mixtures/0001-one.yaml: runs: column 'x' is given twice; allowed: once",
    ),
    Case(
        "evidence that is a file",
        both(lambda p: (p / "evidence/README.md").unlink(), lambda p: (p / "evidence").rmdir(), put("evidence", "")),
        "plan",
        "evidence: is a file; the folder of imported runs is expected",
    ),
    Case(
        "a stray file in evidence",
        put("evidence/ratios.csv", "run\n"),
        "plan",
        "evidence/ratios.csv: found a file; allowed: folders that `olmix import` writes, and README.md",
    ),
    Case(
        "evidence without pins",
        put("evidence/other/mixtures.csv", TABLE),
        "plan",
        "evidence/other/pins.yaml: no such file",
    ),
    Case(
        "pins of a list",
        put("evidence/other/pins.yaml", "[1]"),
        "plan",
        "evidence/other/pins.yaml: holds a list, a mapping of fields is expected",
    ),
    Case(
        "a tag of Python in pins",
        put("evidence/other/pins.yaml", "leaves: !!python/object/apply:os.system ['touch pwned']\n"),
        "plan",
        "evidence/other/pins.yaml:1: not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    Case(
        "pins without a proxy",
        evidence(pins={k: v for k, v in PINS.items() if k != "proxy"}),
        "plan",
        "evidence/other/pins.yaml: proxy: required field is missing",
    ),
    Case(
        "evidence of no run",
        evidence(mixtures="run,code,maths\n"),
        "plan",
        "evidence/other/mixtures.csv: found no run; allowed: a line per run",
    ),
    Case(
        "evidence not UTF-8",
        evidence(mixtures=b"run,code,maths\ncaf\xe9,1,0\n"),
        "plan",
        "evidence/other/mixtures.csv: byte 18 is not UTF-8",
    ),
    Case(
        "evidence that does not sum",
        evidence(mixtures="run,code,maths\na,0.5,0.6\n"),
        "plan",
        "evidence/other/mixtures.csv: run 'a': weights sum to 1.1; allowed: 1",
    ),
    Case(
        "evidence of other leaves",
        evidence(mixtures="run,code,news\na,0.5,0.5\n"),
        "plan",
        "evidence/other/mixtures.csv: no column for maths; allowed: a column for every leaf of pins.yaml",
    ),
    Case(
        "a weight in words in evidence",
        evidence(mixtures="run,code,maths\na,half,0.5\n"),
        "plan",
        "evidence/other/mixtures.csv: run 'a', column 'code': found 'half'; allowed: a finite number, at least 0",
    ),
    Case(
        "scores of other runs",
        evidence(scores="run,t\nb,1\n"),
        "plan",
        "evidence/other/mixtures.csv: no row for b of evidence/other/scores.csv; allowed: the same runs in both files",
    ),
    Case(
        "scores that are infinite",
        evidence(scores="run,t\na,inf\n"),
        "plan",
        "evidence/other/scores.csv: run 'a', column 't': found 'inf'; allowed: a finite number, at least 0",
    ),
    Case("an import of nothing", imports(""), IMPORT, "m.csv: found nothing; allowed: a header and a line per run"),
    Case("an import of one line", imports(LEAVES), IMPORT, "m.csv: found no run; allowed: a line per run"),
    Case(
        "an import with a null byte",
        imports("run,co\0de\na,1\n"),
        IMPORT,
        "m.csv: run 'a', column 'co\\x00de': found '1' for what is no leaf today; allowed: code, maths, web:games, web:news",
    ),
    Case(
        "an import of a huge cell",
        imports(LEAVES + "a," + "1" * 200_000),
        IMPORT,
        "m.csv: line 2: not a CSV table: field larger than field limit (131072)",
    ),
    Case(
        "an import of a short row",
        imports(LEAVES + "a,1\n"),
        IMPORT,
        "m.csv: line 2: found 2 cells; allowed: 5, as in the header",
    ),
    Case(
        "an import of an open quote",
        imports(LEAVES + 'a,"1,0,0,0\n'),
        IMPORT,
        "m.csv: line 2: found 2 cells; allowed: 5, as in the header",
    ),
    Case(
        "an import by semicolons",
        imports((LEAVES + "a,1,0,0,0\n").replace(",", ";")),
        IMPORT,
        "m.csv: no column of run ids; found run;code;maths;web:games;web:news; allowed: a column named run, or a first column that is unnamed or named index",
    ),
    Case(
        "an import of a weight in words",
        imports(LEAVES + "a,much,0,0,0\n"),
        IMPORT,
        "m.csv: run 'a', column 'code': found 'much'; allowed: a finite number, at least 0",
    ),
    Case(
        "an import without a task",
        imports(LEAVES + "a,1,0,0,0\n", "run,code\na,1\n"),
        IMPORT,
        "s.csv: no column for games, maths, news; allowed: a column for every task of the suite, code, games, maths, news",
    ),
    Case(
        "an import whose name leads out",
        imports(LEAVES + "a,1,0,0,0\n"),
        IMPORT.replace(" x ", " ../x "),
        "NAME: found '../x'; allowed: letters, digits and _ . + -, beginning with a letter or digit",
    ),
    Case(
        "an import of a name that is taken",
        both(evidence(), imports(LEAVES + "a,1,0,0,0\n")),
        IMPORT.replace(" x ", " other "),
        "evidence/other: exists already; remove the folder first, or choose another name",
    ),
]
