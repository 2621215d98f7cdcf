"""Mistakes in data files and in what domain files say of them; `code` is the leaf that reads them."""

import bz2
import gzip
import lzma

import zstandard

from tests.mistakes.case import (
    Case,
    a_dangling_link,
    a_folder,
    a_pipe,
    both,
    cut,
    of_code,
    parquet,
    put,
    remove,
    rows,
)

TOKENS = "make tokens {code}"
FILE = "data/texts/code.jsonl"
LINES = b'{"text": "fine"}\n{"text": "good"}\n'
BAD = b'{"text": "fine"}\n{"text": \n{"text": "good"}\n'


def file(name, content):
    return both(put(f"data/texts/{name}", content), of_code(f"data/texts/{name}"))


CASES = [
    Case("a missing file", remove(FILE), "plan", "domains/code.yaml: files: 'data/texts/code.jsonl' matches no file"),
    Case(
        "a folder for a file",
        a_folder(FILE),
        "plan",
        "domains/code.yaml: files: 'data/texts/code.jsonl' matches no file",
    ),
    Case(
        "a pipe for a file", a_pipe(FILE), "plan", "domains/code.yaml: files: 'data/texts/code.jsonl' matches no file"
    ),
    Case(
        "a dangling link for a file",
        a_dangling_link(FILE),
        "plan",
        "domains/code.yaml: files: 'data/texts/code.jsonl' matches no file",
    ),
    Case(
        "an empty file",
        put(FILE, ""),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "a file of empty lines",
        put(FILE, "\n\n\n"),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "a file of empty documents",
        rows(FILE, {"text": ""}),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "filters that let nothing through",
        of_code(FILE, filters={"min_chars": 9999}),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "not UTF-8",
        put(FILE, b'{"text": "fine"}\n{"text": "caf\xe9"}\n'),
        TOKENS,
        "data/texts/code.jsonl: line 2: byte 30 is not UTF-8; convert the file",
    ),
    Case(
        "UTF-16",
        put(FILE, LINES.decode().encode("utf-16")),
        TOKENS,
        "data/texts/code.jsonl: line 1: byte 0 is not UTF-8; convert the file",
    ),
    Case(
        "binary",
        put(FILE, bytes(range(256)) * 10),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "null bytes",
        put(FILE, b"\0" * 100),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x0…, which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "half a line of JSON",
        put(FILE, BAD),
        TOKENS,
        'data/texts/code.jsonl: line 2: found \'{"text":\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "half of the last line",
        put(FILE, LINES[:-3]),
        TOKENS,
        'data/texts/code.jsonl: line 2: found \'{"text": "good\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "broken JSON after a megabyte",
        put(FILE, LINES * 40_000 + b"{oops\n"),
        TOKENS,
        'data/texts/code.jsonl: line 80001: found \'{oops\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "no JSON at all",
        put(FILE, "once upon a time\n"),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'once upon a time\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "lines of numbers",
        put(FILE, "1\n2\n"),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'1\'; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "lines of lists",
        put(FILE, "[1]\n[2]\n"),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'[1]\'; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "lines of text",
        put(FILE, '"a"\n"b"\n'),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'"a"\'; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "NaN for a text",
        put(FILE, '{"text": NaN}\n'),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'text' is float, not a string",
    ),
    Case(
        "half a surrogate",
        put(FILE, '{"text": "a\\ud800b"}\n'),
        TOKENS,
        "data/texts/code.jsonl: line 1: found '\\ud800', half of a character",
    ),
    Case(
        "no text field",
        rows(FILE, {"body": "x", "id": 3}),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'text' is absent; fields here: body, id",
    ),
    Case(
        "another text field",
        of_code(FILE, text="body"),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'body' is absent; fields here: text",
    ),
    Case(
        "no text field in one row",
        rows(FILE, {"text": "x"}, {"body": "y"}),
        TOKENS,
        "data/texts/code.jsonl: row 2: field 'text' is null",
    ),
    Case(
        "a text of null",
        rows(FILE, {"text": "x"}, {"text": None}),
        TOKENS,
        "data/texts/code.jsonl: row 2: field 'text' is null",
    ),
    Case(
        "a text of a number",
        rows(FILE, {"text": 5}),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'text' is int, not a string",
    ),
    Case(
        "a text of a list",
        rows(FILE, {"text": ["a"]}),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'text' is list, not a string",
    ),
    Case(
        "a text of a mapping",
        rows(FILE, {"text": {"a": 1}}),
        TOKENS,
        "data/texts/code.jsonl: row 1: field 'text' is dict, not a string",
    ),
    Case(
        "texts of two kinds",
        rows(FILE, {"text": "a"}, {"text": 3}),
        TOKENS,
        "data/texts/code.jsonl: row 2: field 'text' is int, not a string",
    ),
    Case(
        "nested too deep",
        put(FILE, '{"text": ' + "[" * 100_000 + "\n"),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'{"text": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…, which is nested too deep; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "a huge line without an end",
        put(FILE, b'{"text": "' + b"x" * 30_000_000),
        TOKENS,
        'data/texts/code.jsonl: line 1: found \'{"text": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…, which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "gzip without its end",
        both(file("a.jsonl.gz", gzip.compress(LINES * 1000)), cut("data/texts/a.jsonl.gz")),
        TOKENS,
        "data/texts/a.jsonl.gz: not readable as gzip: Compressed file ended before the end-of-stream marker was reached",
    ),
    Case(
        "gzip of nothing",
        file("a.jsonl.gz", b""),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "text named gzip",
        file("a.jsonl.gz", LINES),
        TOKENS,
        "data/texts/a.jsonl.gz: not readable as gzip: Not a gzipped file (b'{\"')",
    ),
    Case(
        "gzip with a wrong checksum",
        file("a.jsonl.gz", gzip.compress(LINES)[:-8] + b"\0" * 8),
        TOKENS,
        "data/texts/a.jsonl.gz: not readable as gzip: CRC check failed 0x0 != 0x4a70d949",
    ),
    Case(
        "gzip in a plain name",
        file("b.jsonl", gzip.compress(LINES)),
        TOKENS,
        "data/texts/b.jsonl: line 1: byte 1 is not UTF-8; convert the file",
    ),
    Case(
        "broken JSON in gzip",
        file("a.jsonl.gz", gzip.compress(BAD)),
        TOKENS,
        'data/texts/a.jsonl.gz: line 2: found \'{"text":\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "not UTF-8 in gzip",
        file("a.jsonl.gz", gzip.compress(LINES + b"\xff\n")),
        TOKENS,
        "data/texts/a.jsonl.gz: line 3: byte 34 is not UTF-8; convert the file",
    ),
    Case(
        "zstd without its end",
        both(file("a.jsonl.zst", zstandard.compress(LINES * 1000)), cut("data/texts/a.jsonl.zst")),
        TOKENS,
        "data/texts/a.jsonl.zst: not readable as zstd: it ends in the middle of a frame; the file is not complete",
    ),
    Case(
        "text named zstd",
        file("a.jsonl.zst", LINES),
        TOKENS,
        "data/texts/a.jsonl.zst: not readable as zstd: zstd decompressor error: Unknown frame descriptor",
    ),
    Case(
        "broken JSON in zstd",
        file("a.jsonl.zst", zstandard.compress(BAD)),
        TOKENS,
        'data/texts/a.jsonl.zst: line 2: found \'{"text":\', which is not JSON; an object in one line is allowed, such as {"text": "…"}',
    ),
    Case(
        "bz2 without its end",
        both(file("a.jsonl.bz2", bz2.compress(LINES * 1000)), cut("data/texts/a.jsonl.bz2")),
        TOKENS,
        "data/texts/a.jsonl.bz2: not readable as bz2: Compressed file ended before the end-of-stream marker was reached",
    ),
    Case(
        "text named bz2",
        file("a.jsonl.bz2", LINES),
        TOKENS,
        "data/texts/a.jsonl.bz2: not readable as bz2: Invalid data stream",
    ),
    Case(
        "xz without its end",
        both(file("a.jsonl.xz", lzma.compress(LINES * 1000)), cut("data/texts/a.jsonl.xz")),
        TOKENS,
        "data/texts/a.jsonl.xz: not readable as xz: Compressed file ended before the end-of-stream marker was reached",
    ),
    Case(
        "text named xz",
        file("a.jsonl.xz", LINES),
        TOKENS,
        "data/texts/a.jsonl.xz: not readable as xz: Input format not supported by decoder",
    ),
    Case(
        "text named parquet",
        file("a.parquet", "not parquet"),
        TOKENS,
        "data/texts/a.parquet: not readable as parquet: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.",
    ),
    Case(
        "an empty parquet file",
        file("a.parquet", b""),
        TOKENS,
        "data/texts/a.parquet: not readable as parquet: Parquet file size is 0 bytes",
    ),
    Case(
        "parquet without its end",
        both(
            parquet("data/texts/a.parquet", text=["x"] * 1000),
            cut("data/texts/a.parquet"),
            of_code("data/texts/a.parquet"),
        ),
        TOKENS,
        "data/texts/a.parquet: not readable as parquet: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.",
    ),
    Case(
        "parquet without a row",
        both(parquet("data/texts/a.parquet", text=[]), of_code("data/texts/a.parquet")),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
    Case(
        "parquet without the column",
        both(parquet("data/texts/a.parquet", body=["x"]), of_code("data/texts/a.parquet")),
        TOKENS,
        "data/texts/a.parquet: row 1: field 'text' is absent; fields here: body",
    ),
    Case(
        "parquet of numbers",
        both(parquet("data/texts/a.parquet", text=[1, 2]), of_code("data/texts/a.parquet")),
        TOKENS,
        "data/texts/a.parquet: row 1: field 'text' is int, not a string",
    ),
    Case(
        "parquet of bytes",
        both(parquet("data/texts/a.parquet", text=[b"\xff"]), of_code("data/texts/a.parquet")),
        TOKENS,
        "data/texts/a.parquet: row 1: field 'text' is bytes, not a string",
    ),
    Case(
        "parquet with null",
        both(parquet("data/texts/a.parquet", text=["x", None]), of_code("data/texts/a.parquet")),
        TOKENS,
        "data/texts/a.parquet: row 2: field 'text' is null",
    ),
    Case(
        "CSV without the column",
        file("a.csv", "body\nx\n"),
        TOKENS,
        "data/texts/a.csv: row 1: field 'text' is absent; fields here: body",
    ),
    Case(
        "CSV of numbers",
        file("a.csv", "text\n1\n2\n"),
        TOKENS,
        "data/texts/a.csv: row 1: field 'text' is int, not a string",
    ),
    Case(
        "CSV with a long row",
        file("a.csv", "text\nx\nx,y,z\n"),
        TOKENS,
        "data/texts/a.csv: not readable as csv: Error tokenizing data. C error: Expected 1 fields in line 3, saw 3",
    ),
    Case(
        "CSV with an open quote",
        file("a.csv", 'text\n"x\n'),
        TOKENS,
        "data/texts/a.csv: not readable as csv: Error tokenizing data. C error: EOF inside string starting at row 1",
    ),
    Case(
        "CSV of nothing",
        file("a.csv", ""),
        TOKENS,
        "data/texts/a.csv: not readable as csv: No columns to parse from file",
    ),
    Case(
        "CSV not UTF-8",
        file("a.csv", b"text\ncaf\xe9\n"),
        TOKENS,
        "data/texts/a.csv: line 2: byte 8 is not UTF-8; convert the file",
    ),
    Case(
        "CSV with an empty cell",
        file("a.csv", "text,n\nx,1\n,2\n"),
        TOKENS,
        "data/texts/a.csv: row 2: field 'text' is null",
    ),
    Case(
        "text not UTF-8",
        file("a.txt", b"caf\xe9\n"),
        TOKENS,
        "data/texts/a.txt: line 1: byte 3 is not UTF-8; convert the file",
    ),
    Case(
        "text of nothing",
        file("a.txt", ""),
        TOKENS,
        "domains/code.yaml: files: code has no document after filters; remove it or widen them",
    ),
]
