"""The certificate in words: what is proved, what each number says, and what binds."""

from dataclasses import replace

import pytest

from olmix.report.certificate import proof, rows, token_unit, worth
from olmix.report.data import Bound
from olmix.report.page import render
from tests.report.test_report_generations import carried, no_nan, table, visible


@pytest.mark.parametrize(
    ("proves", "words"),
    [
        ("optimal", "Proved optimal : by the laws, no mixture within the bounds is better"),
        ("locally optimal", "Proved locally optimal : by the laws, no small change of the mixture is better"),
        ("feasible", "Proved feasible : the mixture is within its bounds"),
    ],
)
def test_what_is_proved_is_said_and_nothing_more(report, proves, words):
    data = report(m=5, n=3)
    text = visible(replace(data, certificate=data.certificate | {"proves": proves}))
    assert words in text
    assert text.count("Proved ") == 1


def test_a_failed_check_is_no_proof(report):
    data = report(m=5, n=3)
    failed = replace(data, certificate=data.certificate | {"ok": False})
    assert "A check failed" in visible(failed)
    assert "Proved" not in visible(failed)
    assert "advice failed" in render(failed)


def test_every_number_has_its_meaning(typical):
    found = {row.name: row for row in rows(typical.certificate)}
    assert all(row.meaning for row in found.values())
    assert found["Duality gap"].value == "3.2 × 10⁻⁹ (1.7 × 10⁻⁸ allowed)"
    assert found["Second solver"].value == "1.7319 (0.0007 higher)"
    assert found["Stationarity"].value == "2.4 × 10⁻¹²"
    assert [row[0] for row in table(render(typical), "proof")] == list(found)


def test_starts_that_agreed_are_counted():
    some = {row.name: row for row in rows({"starts": 12, "starts_agreed": 9})}["Starts that agreed"]
    assert (some.value, some.meaning) == ("9 of 12 starts", "ended at this objective; the others ended higher")
    (every,) = rows({"starts": 1, "starts_agreed": 1})
    assert (every.value, every.meaning) == ("1 of 1 start", "ended at this objective")


@pytest.mark.parametrize(("apart", "said"), [(2e-13, "the same"), (-0.002, "0.002 lower"), (0.5, "0.5 higher")])
def test_the_second_solver_is_compared(apart, said):
    (row,) = rows({"second_solver": 1.25, "agreement": apart})
    assert row.value == f"1.25 ({said})"


def test_an_entry_that_is_not_known_is_shown_as_it_is():
    assert [(row.name, row.value) for row in rows({"new_check": {"inner_part": 3}})] == [("New check, inner part", "3")]


def test_a_carried_over_mixture_is_checked_and_proves_nothing(report):
    data = carried(report(m=5, n=3))
    assert proof(data.certificate) == ("", "")
    assert [row[0] for row in table(render(data), "proof")] == ["Sum of the weights", "Bounds", "Weight moved"]
    assert "Caps that bind" not in visible(data)


@pytest.mark.parametrize(
    ("tokens", "unit"),
    [(6 * 10**12, "1B"), (10**10, "1B"), (9 * 10**9, "1M"), (20_000_000, "1M"), (30_000, "1K"), (500, "1")],
)
def test_the_unit_of_tokens_is_small_beside_the_target_run(tokens, unit):
    size, name = token_unit(tokens)
    assert name == unit
    assert 10 * size <= tokens


def test_binding_caps_are_a_table_with_their_prices(report):
    data = replace(
        report(m=5, n=3),
        target_tokens=20_000_000,
        bounds=(
            Bound("web:news", "cap", 0.25, 0.0421, 3e-9),
            Bound("existing", "cap", 0.5, 0.011, 2e-10, held_by=("books", "code")),
        ),
    )
    assert worth(data.bounds[0], data.target_tokens) == pytest.approx(0.003)
    assert table(render(data), "caps")[1:] == [
        ["web:news", "25.00 %", "0.0421", "0.003"],
        ["existing (virtual domain, held by books, code)", "50.00 %", "0.011", "0.0002"],
    ]
    assert "worth of 1M tokens more" in visible(data)
    assert "Least weights that bind" not in visible(data)


def test_least_weights_have_a_table_and_no_price_in_tokens(report):
    data = report(m=5, n=3)
    leaf = data.leaves[0]
    leaves = (replace(leaf, floor=leaf.weight), *data.leaves[1:])
    bounds = (Bound("code", "cap", 0.25, 0.02), Bound(leaf.name, "floor", leaf.weight, 0.3))
    data = replace(data, leaves=leaves, bounds=bounds)
    page = render(data)
    assert no_nan(page)
    assert table(page, "floors")[1:] == [[leaf.name, f"{100 * leaf.weight:.2f} %", "0.3"]]
    assert table(page, "caps")[1:] == [["code", "25.00 %", "0.02"]]
    assert "tokens more" not in visible(data)
    assert page.count("at floor") == 1
    assert f"at least {100 * leaf.weight:.2f} %, binding" in page
