"""Facts of the factbook asked in other words than the factbook's, about countries that are in training text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from olmix.texts.cuts import head
from olmix.texts.items import CONTINUATION_BYTES, Item

_NAME_FIELDS = ("Government: Country name: conventional short form", "Government: Country name: conventional long form")
# Names that English puts an article before.
_ARTICLE = re.compile(r"^(United |Central African|Federated|Netherlands$|Philippines$|DRC$)|Islands$|Republic$|Lands$")
_REMARK = re.compile(r"\s*\([^()]*\)")
# What ends the fact inside a field: the next clause, or a note; lists use `;` as well.
_CLAUSE = re.compile(r";|\s-+\s|\bnote\b")
_NOTE = re.compile(r"\bnote\b")


@dataclass(frozen=True, slots=True)
class Wording:
    """A question's text for one field, `{}` standing for the country, and what ends its answer."""

    field: str
    question: str
    end: re.Pattern[str] = _CLAUSE


WORDINGS = (
    Wording("Government: Capital: name", "The capital of {} is"),
    Wording("Government: Government type", "The form of government in {} is a"),
    Wording("Government: Country name: conventional long form", "The full official name of {} is the"),
    Wording("Geography: Location", "On a map, {} can be found in"),
    Wording("Geography: Climate", "The climate in {} is"),
    Wording("Geography: Terrain", "The landscape of {} consists of"),
    Wording("Geography: Natural resources", "The natural resources found in {} include"),
    Wording("Geography: Area - comparative", "In size, {} is"),
    Wording("Geography: Elevation: highest point", "The tallest mountain or point in {} is", re.compile(r";|\s-?\d")),
    Wording("Geography: Land boundaries: border countries", "The neighbours of {} along its land border are", _NOTE),
    Wording("People and Society: Nationality: adjective", "Something that comes from {} is called"),
    Wording("People and Society: Languages: Languages", "The languages that people in {} speak are"),
    Wording("People and Society: Religions", "Looking at religion, the people of {} are"),
    Wording("Economy: Agricultural products", "Farms in {} produce"),
    Wording("Economy: Industries", "The main industries of {} are", _NOTE),
    Wording("Economy: Exports - commodities", "What {} sells abroad is mostly"),
    Wording("Economy: Exports - partners", "The best customers for exports from {} are"),
    Wording("Economy: Exchange rates: Currency", "People in {} pay with", re.compile(r";|\bper\b")),
    Wording("Communications: Internet country code", "Web addresses in {} end in"),
)


def facts(text: str, group: str) -> Iterator[Item]:
    """One item for each wording whose field the country's document has; none for a document without a country name."""
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        for wording in WORDINGS:
            if line.startswith(f"{wording.field}: "):
                fields.setdefault(wording.field, line[len(wording.field) + 2 :])
        for name in _NAME_FIELDS:
            if line.startswith(f"{name}: "):
                fields.setdefault(name, line[len(name) + 2 :])
    country = country_name(fields)
    if country is None:
        return
    for number, wording in enumerate(WORDINGS):
        value = _REMARK.sub("", fields.get(wording.field, ""))
        answer = wording.end.split(value, maxsplit=1)[0].strip(" ,;")
        if len(answer) >= 3 and answer.lower() not in ("none", country.lower()):
            # Unlike positions in a text, wordings need no distance between them.
            yield Item(wording.question.format(country), head(f" {answer}", CONTINUATION_BYTES), group, number * 1_000)


def country_name(fields: dict[str, str]) -> str | None:
    """The country's name as a sentence uses it ("the Philippines"), short form first; None if it has none."""
    for field in _NAME_FIELDS:
        name = re.split(r"[;(,]", fields.get(field, "none"))[0].strip()
        if name.lower() != "none":
            return f"the {name}" if _ARTICLE.search(name) else name
    return None
