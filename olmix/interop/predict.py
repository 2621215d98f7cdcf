"""`olmix predict`: scores that fitted laws expect of mixtures in a table."""

import csv
import io
import json
from pathlib import Path

from olmix.errors import InputError
from olmix.interop.tables import listed, mixtures, read_table
from olmix.regression.families import read_family
from olmix.store import write_atomically


def predict_scores(law: Path, ratios: Path, output: Path) -> tuple[int, list[str]]:
    """Write a table with the column `run` and one per task, rows as in `ratios`; returns their number, and notes.

    law: the output folder of `olmix fit`, or its folder `law/`. Raises InputError for a folder without laws, and for
    mixtures of other domains.
    """
    path = next((p for p in (law / "law" / "law.json", law / "law.json") if p.is_file()), None)
    if path is None:
        raise InputError(f"--law {law}: found no law/law.json; allowed: an output folder of `olmix fit`")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        domains, tasks = list(document["domains"]), list(document["tasks"])
        laws = read_family(document)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a law that `olmix fit` wrote: {error!r}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    table = read_table(ratios)
    if missing := [name for name in domains if name not in table.columns]:
        raise InputError(
            f"{ratios}: no column for {listed(missing)}; found {listed(table.columns)}; "
            f"allowed: a column for every domain of the laws, {listed(domains)}"
        )
    runs = list(table.rows)
    P, notes = mixtures(table, runs, domains)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["run", *tasks])
    writer.writerows([run, *row] for run, row in zip(runs, laws.predict(P).tolist(), strict=True))
    try:
        write_atomically(output, stream.getvalue())
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written: {error.strerror}") from None
    return len(runs), notes
