"""CSV files as people write them: rows of stripped cells with their line numbers, and mistakes that name the line."""

import csv
import io
import math
from pathlib import Path

from olmix.errors import InputError
from olmix.textfile import read_text


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and rows with their line numbers, all as long as the header; empty lines hold nothing.

    Raises InputError for a file that cannot be read or is no table.
    """
    reader = csv.reader(io.StringIO(read_text(path, "a CSV file"), newline=""))
    try:
        found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: not a CSV table: {error}") from None
    if not found:
        raise InputError(f"{path}: found nothing; allowed: a header and a line per run")
    (_, header), *rows = found
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(f"{path}: line {line}: found {len(row)} cells; allowed: {len(header)}, as in the header")
    return header, rows


def to_number(cell: str) -> float:
    """The number in a cell, NaN if there is none; Python's digit groups are none."""
    try:
        return float(cell) if "_" not in cell else math.nan
    except ValueError:
        return math.nan
