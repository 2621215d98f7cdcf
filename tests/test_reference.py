from pathlib import Path

from olmix.reference import reference


def test_the_reference_is_up_to_date():
    """`olmix reference > docs/reference.md` brings it up to date."""
    assert (Path(__file__).parents[1] / "docs/reference.md").read_text() == reference()


def test_every_field_is_documented():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert all(row.rstrip(" |").count("|") >= 4 for row in rows)
