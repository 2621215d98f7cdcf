"""Cutting text at natural boundaries, to a limit in UTF-8 bytes."""

import re

# The white space between two sentences: after a full stop, before a capital or an opening quote.
_SENTENCE_GAP = re.compile(r"(?<=[.!?])[\"'”’)\]]*(\s+)(?=[\"'“‘(]?[A-Z])")


def tail(text: str, limit: int) -> str:
    """The end of the text, at most `limit` bytes, from the start of a line or, in a long line, of a word."""
    data = text.encode()
    if len(data) <= limit:
        return text
    # One byte more than the limit, so that a boundary just before the kept part counts.
    piece = data[-limit - 1 :].decode(errors="ignore")
    line = piece.find("\n")
    if 0 <= line < len(piece) // 2:
        return piece[line + 1 :]
    gap = re.search(r"\s", piece)
    return piece[gap.end() :] if gap else piece[1:]


def head(text: str, limit: int) -> str:
    """The start of the text, at most `limit` bytes, to the end of a line or, in a long line, of a word."""
    data = text.encode()
    if len(data) <= limit:
        return text.rstrip()
    piece = data[: limit + 1].decode(errors="ignore")
    line = piece.rfind("\n")
    if line > len(piece) // 2:
        return piece[:line].rstrip()
    gaps = [gap.start() for gap in re.finditer(r"\s", piece) if piece[: gap.start()].strip()]
    return (piece[: gaps[-1]] if gaps else data[:limit].decode(errors="ignore")).rstrip()


def sentence_gaps(text: str) -> list[int]:
    """Positions of the white space that separates one sentence from the next."""
    return [match.start(1) for match in _SENTENCE_GAP.finditer(text)]
