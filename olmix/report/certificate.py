"""The certificate of the solution in words: what is proved, and what each number of the proof says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from olmix.report import format as show
from olmix.report.data import Bound


@dataclass(frozen=True)
class Row:
    """One number of the certificate."""

    name: str
    value: str
    meaning: str = ""


_PROOFS = {
    "optimal": (
        "Proved optimal",
        "by the laws, no mixture within the bounds is better, but for the gap below.",
    ),
    "locally optimal": (
        "Proved locally optimal",
        "by the laws, no small change of the mixture is better. They are not convex, so that a better mixture far from "
        "this one is not ruled out.",
    ),
    "feasible": (
        "Proved feasible",
        "the mixture is within its bounds. It is the best that was found; that there is no better one is not proved.",
    ),
}
_WORDS = {
    "objective": ("Objective", "mean law plus KL term, BPB; what was minimised"),
    "law": ("Mean law", "weighted mean of the predicted scores, BPB"),
    "kl_weight": ("Weight of the KL term", "solver.kl"),
    "divergence": ("Divergence from the prior", "KL(p ‖ prior), nats"),
    "sum_violation": ("Sum of the weights", "distance from 1"),
    "bound_violation": ("Bounds", "largest amount by which a weight is beyond one"),
    "stationarity": ("Stationarity", "what moving weight from leaf to leaf could still gain, relative"),
    "sign_violation": ("Sign of the prices", "a cap never has a negative price; largest violation, relative"),
    "complementarity": ("Complementary slackness", "largest price of a cap times the room below it"),
    "gap": ("Duality gap", "no mixture within the bounds has an objective that is lower by more, BPB"),
    "second_solver": ("Second solver", "objective that an independent solver reached from other starts"),
    "moved": ("Weight moved", "to bring leaves back under their caps"),
}
_THE_SAME = 1e-9  # BPB
_ELSEWHERE = {"ok", "proves", "starts", "gap_allowed", "agreement"}
_PRICES = {"shadow_prices", "floor_prices", "per_billion_tokens"}
"""These stand in a table of their own."""


def proof(certificate: Mapping[str, Any]) -> tuple[str, str]:
    """What is proved, in a few words and in a sentence; empty where the certificate does not say."""
    if not certificate.get("ok", True):
        return "A check failed", "one of the numbers below is larger than it may be. Do not trust this mixture."
    return _PROOFS.get(certificate.get("proves", ""), ("", ""))


def rows(certificate: Mapping[str, Any]) -> list[Row]:
    """The numbers, each with its meaning; entries that are not known here follow as they are."""
    words = {entry: words for entry, words in _WORDS.items() if entry in certificate}
    known = [Row(name, _value(entry, certificate), meaning) for entry, (name, meaning) in words.items()]
    if "starts" in certificate:
        agreed, of = certificate.get("starts_agreed"), certificate["starts"]
        meaning = "ended at this objective" + ("" if agreed == of else "; the others ended higher")
        known.append(Row("Starts that agreed", f"{show.plain(agreed)} of {show.counted(of, 'start')}", meaning))
    handled = {*_WORDS, *_ELSEWHERE, *_PRICES, *(["starts_agreed"] if "starts" in certificate else [])}
    others = {entry: value for entry, value in certificate.items() if entry not in handled}
    return known + [Row(name[0].upper() + name[1:], show.plain(value)) for name, value in flatten(others) if name]


def _value(entry: str, certificate: Mapping[str, Any]) -> str:
    """The number, with what is allowed or by how much it differs, where the certificate says so."""
    value = show.plain(certificate[entry])
    if entry == "gap" and "gap_allowed" in certificate:
        return f"{value} ({show.plain(certificate['gap_allowed'])} allowed)"
    if entry == "second_solver" and "agreement" in certificate:
        apart = certificate["agreement"]
        if abs(apart) < _THE_SAME:
            return f"{value} (the same)"
        return f"{value} ({show.significant(abs(apart))} {'higher' if apart > 0 else 'lower'})"
    return value


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested mapping with their joined names, as words."""
    for name, value in values.items():
        path = prefix + name.replace("_", " ")
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}, ")
        else:
            yield path, value


def token_unit(target_tokens: int) -> tuple[int, str]:
    """Tokens that a cap's price is given for, and their name: a round number that is small beside the target run."""
    units = ((10**9, "1B"), (10**6, "1M"), (10**3, "1K"))
    return next(((size, name) for size, name in units if 10 * size <= target_tokens), (1, "1"))


def worth(bound: Bound, target_tokens: int) -> float:
    """Fall of the objective in BPB per unit of tokens, `token_unit`, that there would be more."""
    return bound.per_token * token_unit(target_tokens)[0]
