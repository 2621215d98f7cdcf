"""Mistakes in domains/."""

from tests.mistakes.case import Case, a_dangling_link, a_folder, a_pipe, both, document, of_code, put, remove

CODE = "domains/code.yaml"
FILE = "data/texts/code.jsonl"


def says(text):
    return put(CODE, text)


CASES = [
    Case(
        "no source",
        both(*(remove(f"domains/{name}.yaml") for name in ("code", "maths", "web"))),
        "plan",
        "domains: holds no <source>.yaml; a domain set needs at least two leaves",
    ),
    Case(
        "one leaf",
        both(*(remove(f"domains/{name}.yaml") for name in ("maths", "web"))),
        "plan",
        "domains: one leaf only (code); a mixture needs at least two",
    ),
    Case("a folder for a source", a_folder(CODE), "plan", "domains/code.yaml: found a folder; allowed: a YAML file"),
    Case("a pipe for a source", a_pipe(CODE), "plan", "domains/code.yaml: found a pipe; allowed: a YAML file"),
    Case("a dangling link for a source", a_dangling_link(CODE), "plan", "domains/code.yaml: no such file"),
    Case(
        "an empty source",
        says(""),
        "plan",
        "domains/code.yaml: give either `files` (a single leaf) or `topics`, not both and not neither",
    ),
    Case(
        "a source of a list",
        says("- files: a\n"),
        "plan",
        "domains/code.yaml: holds a list, a mapping of fields is expected",
    ),
    Case("a source not UTF-8", says(b"files: caf\xe9\n"), "plan", "domains/code.yaml: byte 10 is not UTF-8"),
    Case(
        "broken YAML in a source",
        says("files: [a\n"),
        "plan",
        "domains/code.yaml:2: not valid YAML: did not find expected ',' or ']'",
    ),
    Case(
        "a field twice in a source",
        says("files: a\nfiles: b\n"),
        "plan",
        "domains/code.yaml:2: not valid YAML: key 'files' is given twice",
    ),
    Case(
        "a tag of Python in a source",
        says("files: !!python/object/apply:os.system ['touch pwned']\n"),
        "plan",
        "domains/code.yaml:1: not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    Case(
        "no files",
        says("description: nothing\n"),
        "plan",
        "domains/code.yaml: give either `files` (a single leaf) or `topics`, not both and not neither",
    ),
    Case(
        "an empty list of files",
        says("files: []\n"),
        "plan",
        "domains/code.yaml: give either `files` (a single leaf) or `topics`, not both and not neither",
    ),
    Case("files of nothing", says("files:\n"), "plan", "domains/code.yaml: files: found None: a list is expected"),
    Case(
        "a number for files",
        says("files: 7\n"),
        "plan",
        "domains/code.yaml: files: found 7: a list is expected, such as [7]",
    ),
    Case(
        "a number among files",
        says("files: [a, 7]\n"),
        "plan",
        "domains/code.yaml: files.1: found 7: input should be a valid string",
    ),
    Case("an empty name of a file", says("files: ''\n"), "plan", "domains/code.yaml: files: '' matches no file"),
    Case(
        "a null byte in a name", says('files: "a\\0b"\n'), "plan", "domains/code.yaml: files: 'a\\x00b' matches no file"
    ),
    Case("a folder as data", says("files: data\n"), "plan", "domains/code.yaml: files: 'data' matches no file"),
    Case(
        "a pattern of nothing",
        says("files: data/nothing-*.jsonl\n"),
        "plan",
        "domains/code.yaml: files: 'data/nothing-*.jsonl' matches no file",
    ),
    Case(
        "an unknown protocol",
        says("files: nope://x/y.jsonl\n"),
        "plan",
        "domains/code.yaml: files: nope://x/y.jsonl: Protocol not known: nope",
    ),
    Case(
        "a URL without its library",
        says("files: abfs://x/y.jsonl\n"),
        "plan",
        "domains/code.yaml: files: abfs://x/y.jsonl: a package for this kind of URL is missing: Install adlfs to access Azure Datalake Gen2 and Azure Blob Storage",
    ),
    Case(
        "files and topics",
        says("files: a\ntopics: {b: {files: b}}\n"),
        "plan",
        "domains/code.yaml: give either `files` (a single leaf) or `topics`, not both and not neither",
    ),
    Case(
        "topics of nothing",
        says("topics: {}\n"),
        "plan",
        "domains/code.yaml: give either `files` (a single leaf) or `topics`, not both and not neither",
    ),
    Case(
        "topics of a list",
        says("topics: [a]\n"),
        "plan",
        "domains/code.yaml: topics: found ['a']: a mapping of names is expected",
    ),
    Case(
        "a topic of text",
        says("topics: {a: words}\n"),
        "plan",
        "domains/code.yaml: topics.a: found 'words': a section is expected, with fields such as files, filters, format, merge_of, partition_of, sample_by, text",
    ),
    Case(
        "a topic without files",
        says("topics: {a: {file: b}}\n"),
        "plan",
        "domains/code.yaml: topics.a.files: required field is missing",
    ),
    Case(
        "a topic with a colon",
        says("topics: {'a:b': {files: b}}\n"),
        "plan",
        "domains/code.yaml: topic name 'a:b' may hold letters, digits and _ . + - only",
    ),
    Case(
        "a topic that leads out",
        says("topics: {../../x: {files: b}}\n"),
        "plan",
        "domains/code.yaml: topic name '../../x' may hold letters, digits and _ . + - only",
    ),
    Case(
        "a topic of two lines",
        says('topics: {"a\\nb": {files: b}}\n'),
        "plan",
        "domains/code.yaml: topic name 'a\\nb' may hold letters, digits and _ . + - only",
    ),
    Case(
        "a topic that is a number",
        says("topics: {7: {files: b}}\n"),
        "plan",
        "domains/code.yaml: topics.7: found 7: input should be a valid string",
    ),
    Case(
        "a misspelled field",
        says("fles: a\n"),
        "plan",
        "domains/code.yaml: fles: unknown field; allowed here: description, files, filters, format, licence, merge_of, partition_of, sample_by, text, topics",
    ),
    Case(
        "a field in capitals",
        says("Files: a\n"),
        "plan",
        "domains/code.yaml: Files: unknown field; allowed here: description, files, filters, format, licence, merge_of, partition_of, sample_by, text, topics",
    ),
    Case(
        "a field of two lines",
        says('"a\\nb": 1\n'),
        "plan",
        "domains/code.yaml: 'a\\nb': unknown field; allowed here: description, files, filters, format, licence, merge_of, partition_of, sample_by, text, topics",
    ),
    Case(
        "an unknown format",
        says("files: a\nformat: docx\n"),
        "plan",
        "domains/code.yaml: format: found 'docx': input should be 'jsonl', 'parquet', 'csv' or 'text'",
    ),
    Case(
        "a file of no known format",
        both(put("data/a.doc", "x"), says("files: data/a.doc\n")),
        "plan",
        "domains/code.yaml: files: data/a.doc: no known format for '.doc'; set `format` to one of jsonl, parquet, csv, text",
    ),
    Case(
        "a file without a suffix",
        both(put("data/a", "x"), says("files: data/a\n")),
        "plan",
        "domains/code.yaml: files: data/a: no known format for 'a'; set `format` to one of jsonl, parquet, csv, text",
    ),
    Case(
        "no character at least",
        says("files: a\nfilters: {min_chars: 0}\n"),
        "plan",
        "domains/code.yaml: filters.min_chars: found 0: input should be greater than or equal to 1",
    ),
    Case(
        "true for a number",
        says("files: a\nfilters: {min_chars: true}\n"),
        "plan",
        "domains/code.yaml: filters.min_chars: found True: a number is expected",
    ),
    Case(
        "filters of a list",
        says("files: a\nfilters: [min_chars]\n"),
        "plan",
        "domains/code.yaml: filters: found ['min_chars']: a section is expected, with fields such as drop_duplicates, max_chars, min_chars",
    ),
    Case(
        "filters the wrong way",
        of_code(FILE, filters={"min_chars": 9, "max_chars": 5}),
        "plan",
        "domains/code.yaml: filters: max_chars 5 is below min_chars 9",
    ),
    Case(
        "documents by chapter",
        says("files: a\nsample_by: chapter\n"),
        "plan",
        "domains/code.yaml: sample_by: found 'chapter': input should be 'document', 'paragraph' or 'line'",
    ),
    Case(
        "a text field of a list",
        says("files: a\ntext: [a]\n"),
        "plan",
        "domains/code.yaml: text: found ['a']: input should be a valid string",
    ),
    Case(
        "a source of a bad name",
        document("domains/a b.yaml", {"files": FILE}),
        "plan",
        "domains/a b.yaml: source name 'a b' may hold letters, digits and _ . + - only",
    ),
    Case(
        "a source of two lines",
        document("domains/a\nb.yaml", {"files": FILE}),
        "plan",
        "domains/a\\nb.yaml: source name 'a\\nb' may hold letters, digits and _ . + - only",
    ),
    Case(
        "a source twice",
        document("domains/code.yml", {"files": FILE}),
        "plan",
        "domains/code.yml: source 'code' is declared twice, as .yaml and as .yml",
    ),
    Case(
        "the same data twice",
        document("domains/copy.yaml", {"files": FILE}),
        "plan",
        "domains/copy.yaml: files: copy holds exactly the content of code",
    ),
    Case(
        "a merge of a word",
        of_code(FILE, merge_of="word"),
        "plan",
        "domains/code.yaml: merge_of: found 'word': a list is expected, such as ['word']",
    ),
]
