"""Numbers read well, and what is missing is a dash."""

import math

import pytest

from olmix.report import format as show


@pytest.mark.parametrize(
    "formatter",
    [
        show.number,
        show.signed,
        show.weight,
        show.cap,
        show.significant,
        show.share,
        show.ratio,
        show.count,
        show.size,
        show.power,
        show.duration,
        show.plain,
    ],
)
@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_is_missing_is_a_dash(formatter, missing):
    assert formatter(missing) == "–"


def test_zero_tiny_and_large_weights_can_be_told_apart():
    assert [show.weight(w) for w in (0.0, 1e-9, 0.000512, 0.3177, 1.0)] == [
        "0 %", "<0.01 %", "0.05 %", "31.77 %", "100.00 %",
    ]  # fmt: skip


def test_counts_and_sizes_use_the_units_of_params():
    assert [show.count(n) for n in (0, 9_999, 12_300, 2_048_000, 6.26e12)] == ["0", "9,999", "12.3K", "2.05M", "6.26T"]
    assert [show.size(n) for n in (512, 4_580_000_000)] == ["512 B", "4.58 GB"]


def test_signs_are_true_minus_signs_and_zero_has_none():
    assert show.number(-0.00001, 3) == "0.000"
    assert show.number(-1234.5, 1) == "−1,234.5"
    assert [show.signed(x, 1, " %") for x in (4.12, -0.3)] == ["+4.1 %", "−0.3 %"]


def test_powers_and_durations():
    assert show.power(3.44e15) == "3.4 × 10¹⁵"
    assert [show.duration(s) for s in (3.25, 41, 252, 9000, 2e6)] == ["3.2 s", "41 s", "4.20 min", "2.50 h", "23.1 d"]


def test_caps_at_the_whole_mixture_are_none():
    assert [show.cap(c) for c in (0.124, 1.0, math.inf)] == ["12.40 %", "none", "none"]


def test_values_of_a_certificate():
    assert [show.plain(v) for v in (True, 12000, 0.05, 3.2e-9, 0.0, "optimal", [1, 0.5], math.inf)] == [
        "yes", "12,000", "0.05", "3.2 × 10⁻⁹", "0", "optimal", "1, 0.5", "–",
    ]  # fmt: skip


def test_intervals_and_shares():
    assert [show.interval(-0.04, 5), show.interval(2.94, math.nan)] == ["[0.0, 5.0]", "–"]
    assert [show.weights(0, 0.0512), show.weights(0.17, 0.2156)] == ["0–5.12 %", "17.00–21.56 %"]
    assert [show.share(s) for s in (0.9, 0.0149, 0.0071, 0.0, 1e-6)] == ["90 %", "1.5 %", "0.71 %", "0.00 %", "<0.01 %"]


def test_three_significant_digits():
    assert [show.significant(v) for v in (0.01346, 8.66e-6, 0.0, -2.5)] == ["0.0135", "8.66 × 10⁻⁶", "0", "−2.5"]
