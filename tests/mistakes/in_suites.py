"""Mistakes in suites and their items."""

from tests.mistakes.case import Case, a_folder, a_pipe, both, document, edit, parquet, put, remove, rows

SUITE, ITEMS, MAKE = "suite.yaml", "data/suite/code.jsonl", "make items"


def family(**fields):
    return document(SUITE, {"families": {"f": fields}})


def task(**fields):
    return family(tasks={"code": {"files": ITEMS} | fields})


CASES = [
    Case("no suite", remove(SUITE), "plan", "suite.yaml: no such file"),
    Case("a pipe for a suite", a_pipe(SUITE), "plan", "suite.yaml: found a pipe; allowed: a YAML file"),
    Case("an empty suite", put(SUITE, ""), "plan", "suite.yaml: families: required field is missing"),
    Case("a suite of a list", put(SUITE, "[1]"), "plan", "suite.yaml: holds a list, a mapping of fields is expected"),
    Case("a suite not UTF-8", put(SUITE, b"\xff"), "plan", "suite.yaml: byte 0 is not UTF-8"),
    Case(
        "a tag of Python in a suite",
        put(SUITE, "families: !!python/object/apply:os.system ['touch pwned']\n"),
        "plan",
        "suite.yaml:1: not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    Case(
        "no family",
        document(SUITE, {"families": {}}),
        "plan",
        "suite.yaml: families: found none: at least one is needed",
    ),
    Case(
        "families of a list",
        document(SUITE, {"families": [1]}),
        "plan",
        "suite.yaml: families: found [1]: a mapping of names is expected",
    ),
    Case("no task", family(tasks={}), "plan", "suite.yaml: families.f.tasks: found none: at least one is needed"),
    Case(
        "a task of text",
        family(tasks={"code": ITEMS}),
        "plan",
        "suite.yaml: families.f.tasks.code: found 'data/suite/code.jsonl': a section is expected, with fields such as context, continuation, files, format",
    ),
    Case(
        "a task without files",
        family(tasks={"code": {}}),
        "plan",
        "suite.yaml: families.f.tasks.code.files: required field is missing",
    ),
    Case(
        "an item file missing",
        remove(ITEMS),
        "plan",
        "suite.yaml: families.science.tasks.code.files: 'data/suite/code.jsonl' matches no file",
    ),
    Case(
        "a weight below zero",
        family(weight=-1, tasks={"code": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families.f.weight: found -1: input should be greater than or equal to 0",
    ),
    Case(
        "weights of zero",
        family(weight=0, tasks={"code": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families: all weights are 0; at least one family must count",
    ),
    Case(
        "a weight that is true",
        family(weight=True, tasks={"code": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families.f.weight: found True: a number is expected",
    ),
    Case(
        "a weight in words",
        family(weight="much", tasks={"code": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families.f.weight: found 'much': input should be a valid number, unable to parse string as a number",
    ),
    Case(
        "a task twice",
        edit(SUITE, lambda s: s["families"]["general"]["tasks"].update(code={"files": ITEMS})),
        "plan",
        "suite.yaml: families.general.tasks.code: task 'code' is also in family 'science'",
    ),
    Case(
        "a task that leads out",
        family(tasks={"../../x": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families: found the name '../../x'; allowed: up to 60 characters without /, not beginning with a dot, no line ends, no spaces around",
    ),
    Case(
        "a task with a slash",
        family(tasks={"a/b": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families: found the name 'a/b'; allowed: up to 60 characters without /, not beginning with a dot, no line ends, no spaces around",
    ),
    Case(
        "a task without a name",
        family(tasks={"": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families: found the name ''; allowed: up to 60 characters without /, not beginning with a dot, no line ends, no spaces around",
    ),
    Case(
        "a task of two lines",
        family(tasks={"a\nb": {"files": ITEMS}}),
        "plan",
        "suite.yaml: families: found the name 'a\\nb'; allowed: up to 60 characters without /, not beginning with a dot, no line ends, no spaces around",
    ),
    Case(
        "an unknown field of a task",
        task(continuations="x"),
        "plan",
        "suite.yaml: families.f.tasks.code.continuations: unknown field; allowed here: context, continuation, files, format",
    ),
    Case(
        "items as text",
        task(format="text"),
        "plan",
        "suite.yaml: families.f.tasks.code.format: found 'text': input should be 'jsonl', 'parquet' or 'csv'",
    ),
    Case(
        "an item without a continuation",
        rows(ITEMS, {"context": "x"}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'continuation' is absent; fields here: context",
    ),
    Case(
        "an item without a context",
        rows(ITEMS, {"continuation": "x"}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'context' is absent; fields here: continuation",
    ),
    Case(
        "an item with an empty continuation",
        rows(ITEMS, {"context": "x", "continuation": ""}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'continuation' is empty",
    ),
    Case(
        "an item with a number",
        rows(ITEMS, {"context": "x", "continuation": 4}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'continuation' is int, not a string",
    ),
    Case(
        "a context of null",
        rows(ITEMS, {"context": None, "continuation": "x"}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'context' is null",
    ),
    Case(
        "a continuation of a list",
        rows(ITEMS, {"context": "", "continuation": ["x"]}),
        MAKE,
        "data/suite/code.jsonl: row 1: field 'continuation' is list, not a string",
    ),
    Case("no item", put(ITEMS, ""), MAKE, "suite.yaml: families.science.tasks.code: code has no item"),
    Case(
        "items not UTF-8",
        put(ITEMS, b'{"context": "\xff"}\n'),
        MAKE,
        "data/suite/code.jsonl: line 1: byte 13 is not UTF-8; convert the file",
    ),
    Case(
        "broken JSON in items",
        put(ITEMS, '{"context": "a", "continuation": "b"}\n{"context\n'),
        MAKE,
        'data/suite/code.jsonl: line 2: found \'{"context\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "items in a folder",
        a_folder(ITEMS),
        "plan",
        "suite.yaml: families.science.tasks.code.files: 'data/suite/code.jsonl' matches no file",
    ),
    Case(
        "items of broken parquet",
        both(put("data/suite/a.parquet", "x"), task(files="data/suite/a.parquet")),
        MAKE,
        "data/suite/a.parquet: not readable as parquet: Parquet file size is 1 bytes, smaller than the minimum file footer (8 bytes)",
    ),
    Case(
        "items of parquet without a field",
        both(parquet("data/suite/a.parquet", context=["x"]), task(files="data/suite/a.parquet")),
        MAKE,
        "data/suite/a.parquet: row 1: field 'continuation' is absent; fields here: context",
    ),
    Case(
        "half a surrogate in an item",
        put(ITEMS, '{"context": "", "continuation": "a\\ud800"}\n'),
        MAKE,
        "data/suite/code.jsonl: line 1: found '\\ud800', half of a character",
    ),
]
