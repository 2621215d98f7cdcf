"""Mistakes in the tokenizer's files."""

import pickle

from tests.mistakes.case import Case, a_folder, a_pipe, both, cut, params, put, remove

FILE, CONFIG, MAKE = "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "make tokens {code}"


class Touch:
    def __reduce__(self):
        import os

        return os.system, ("touch pwned",)


CASES = [
    Case("no tokenizer.json", remove(FILE), MAKE, "params.yaml: tokenizer.path: 'tokenizer' holds no tokenizer.json"),
    Case(
        "a folder for tokenizer.json",
        a_folder(FILE),
        MAKE,
        "tokenizer/tokenizer.json: found a folder; allowed: the file of a tokenizer",
    ),
    Case(
        "a pipe for tokenizer.json",
        a_pipe(FILE),
        MAKE,
        "tokenizer/tokenizer.json: found a pipe; allowed: the file of a tokenizer",
    ),
    Case(
        "no such tokenizer",
        params(tokenizer={"path": "nowhere/at/all"}),
        MAKE,
        "params.yaml: tokenizer.path: 'nowhere/at/all' is no folder here and not on the hub: Repo id must be in the form 'repo_name' or 'namespace/repo_name': 'nowhere/at/all'. Use `repo_type` argument if needed.",
    ),
    Case(
        "a tokenizer of a bad name",
        params(tokenizer={"path": "../no where"}),
        MAKE,
        "params.yaml: tokenizer.path: '../no where' is no folder here and not on the hub: Repo id must use alphanumeric chars, '-', '_' or '.'. The name cannot start or end with '-' or '.' and the maximum length is 96: '../no where'.",
    ),
    Case(
        "a tokenizer of no name",
        params(tokenizer={"path": ""}),
        MAKE,
        "params.yaml: tokenizer.path: '' holds no tokenizer.json",
    ),
    Case(
        "a tokenizer with a null byte",
        params(tokenizer={"path": "a\0b"}),
        MAKE,
        "params.yaml: tokenizer.path: 'a\\x00b' is no folder here and not on the hub: Repo id must use alphanumeric chars, '-', '_' or '.'. The name cannot start or end with '-' or '.' and the maximum length is 96: 'a\\x00b'.",
    ),
    Case(
        "a file for a tokenizer",
        params(tokenizer={"path": "suite.yaml"}),
        MAKE,
        "params.yaml: tokenizer.path: 'suite.yaml' holds no tokenizer.json",
    ),
    Case(
        "half a tokenizer.json",
        cut(FILE),
        MAKE,
        "tokenizer/tokenizer.json: not valid JSON: Unterminated string starting at: line 3860 column 9 (char 59124)",
    ),
    Case(
        "an empty tokenizer.json",
        put(FILE, ""),
        MAKE,
        "tokenizer/tokenizer.json: not valid JSON: Expecting value: line 1 column 1 (char 0)",
    ),
    Case("a tokenizer.json not UTF-8", put(FILE, b"\xff"), MAKE, "tokenizer/tokenizer.json: byte 0 is not UTF-8"),
    Case(
        "a tokenizer.json of a number",
        put(FILE, "3"),
        MAKE,
        "params.yaml: tokenizer.digest: found 86e99eab4e6b8bd4dfbb, but the tokenizer at tokenizer has 4e07408562bedb8b60ce; a changed tokenizer changes every run: set the new digest only if that is what you want",
    ),
    Case(
        "a tokenizer.json of NaN",
        put(FILE, '{"a": NaN}'),
        MAKE,
        "tokenizer/tokenizer.json: not valid JSON: $.a: nan has no canonical form",
    ),
    Case(
        "a tokenizer.json that is a pickle",
        put(FILE, pickle.dumps(Touch())),
        MAKE,
        "tokenizer/tokenizer.json: byte 0 is not UTF-8",
    ),
    Case(
        "a tokenizer.json of another kind",
        both(put(FILE, '{"model": 1}'), params(tokenizer={"digest": "7fd25314adeca52e7953"})),
        MAKE,
        "tokenizer/tokenizer.json: not a tokenizer: data did not match any variant of untagged enum ModelUntagged at line 1 column 12",
    ),
    Case(
        "another tokenizer",
        params(tokenizer={"digest": "0" * 20}),
        MAKE,
        "params.yaml: tokenizer.digest: found 00000000000000000000, but the tokenizer at tokenizer has 86e99eab4e6b8bd4dfbb; a changed tokenizer changes every run: set the new digest only if that is what you want",
    ),
    Case(
        "a digest of a number",
        params(tokenizer={"digest": 7}),
        "plan",
        "params.yaml: tokenizer.digest: found 7: input should be a valid string",
    ),
    Case(
        "half a tokenizer_config.json",
        put(CONFIG, '{"eos'),
        MAKE,
        "tokenizer/tokenizer_config.json: not valid JSON: Unterminated string starting at: line 1 column 2 (char 1)",
    ),
    Case(
        "a tokenizer_config.json of a list",
        put(CONFIG, "[1]"),
        MAKE,
        "tokenizer/tokenizer_config.json: eos_token: found [1]; allowed: a token, or a mapping with its `content`",
    ),
    Case(
        "an end of text that is none",
        put(CONFIG, '{"eos_token": "<nope>"}'),
        MAKE,
        "tokenizer: the tokenizer has no end-of-text token; looked for <nope>",
    ),
    Case(
        "an end of text of a number",
        put(CONFIG, '{"eos_token": 7}'),
        MAKE,
        "tokenizer/tokenizer_config.json: eos_token: found 7; allowed: a token, or a mapping with its `content`",
    ),
    Case(
        "an end of text without a name",
        put(CONFIG, '{"eos_token": {"id": 7}}'),
        MAKE,
        "tokenizer/tokenizer_config.json: eos_token: found {'id': 7}; allowed: a token, or a mapping with its `content`",
    ),
]
