"""Numbers as a reader wants them. Whatever is missing or not finite is an en dash."""

import json
import math
from collections.abc import Mapping
from typing import Any

DASH = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """Fixed number of decimals, thousands separated, with a true minus sign."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def signed(value: float | None, digits: int = 1, unit: str = "") -> str:
    """Number with its sign and unit."""
    text = number(value, digits)
    return text if text == DASH else ("" if text[0] == "−" else "+") + text + unit


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Both ends in brackets."""
    ends = number(low, digits), number(high, digits)
    return DASH if DASH in ends else f"[{ends[0]}, {ends[1]}]"


def weight(value: float | None) -> str:
    """Share of a mixture in percent; exactly zero, tiny and missing can be told apart."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0 %"
    return "<0.01 %" if value < 5e-5 else f"{100 * value:.2f} %"


def cap(value: float | None) -> str:
    """Largest weight allowed; nothing is capped at or above the whole mixture."""
    return "none" if value is not None and value >= 1 else weight(value)


def weights(low: float | None, high: float | None) -> str:
    """Interval of a share in percent."""
    ends = weight(low), weight(high)
    return DASH if DASH in ends else f"{ends[0].removesuffix(' %')}–{ends[1]}"


def share(value: float | None) -> str:
    """Part of a whole in percent, two significant digits."""
    if value is None or not math.isfinite(value):
        return DASH
    percent = 100 * value
    return "<0.01 %" if 0 < percent < 0.005 else f"{percent:.{0 if percent >= 10 else 1 if percent >= 1 else 2}f} %"


def ratio(value: float | None) -> str:
    """Factor with three significant digits."""
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞"
    return "×" + (f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}")


def count(value: float | None) -> str:
    """Tokens, jobs or documents: in full below ten thousand, then K, M, B, T with three digits."""
    if value is None or not math.isfinite(value):
        return DASH
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size and abs(value) >= 1e4:
            return _three_digits(value / size) + unit
    return f"{value:,.0f}"


def counted(number: int, one: str, many: str = "") -> str:
    """Number with its noun, `one` or `many` (one + s)."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(value: float | None) -> str:
    """Bytes, in powers of 1000."""
    text = count(value)
    return {"K": text[:-1] + " kB", "M": text[:-1] + " MB", "B": text[:-1] + " GB", "T": text[:-1] + " TB"}.get(
        text[-1], text if text == DASH else text + " B"
    )


def significant(value: float | None) -> str:
    """Three significant digits, as a power of ten if it is very small or large."""
    if value is None or not math.isfinite(value):
        return DASH
    return power(value, 2) if value and not 1e-4 <= abs(value) < 1e6 else f"{value:.3g}".replace("-", "−")


def power(value: float | None, digits: int = 1) -> str:
    """FLOPs as a power of ten."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa.replace('-', '−')} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def duration(seconds: float | None) -> str:
    """Seconds, minutes, hours or days, three digits."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{_three_digits(seconds / length)} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def plain(value: object) -> str:
    """A value of the certificate or the provenance."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        if not math.isfinite(value):
            return DASH
        if value and not 1e-4 <= abs(value) < 1e6:
            return power(value)
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or DASH
    return str(value)


def sortable(value: float | None) -> str:
    """Machine-readable number that tables sort by; empty for what is missing, 1e999 for infinity."""
    if value is None or math.isnan(value):
        return ""
    return "1e999" if value == math.inf else f"{value:.9g}"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def as_json(value: Any) -> str:
    """A JSON document; entries that are not known are left out."""
    return json.dumps(known(value), indent=1, allow_nan=False) + "\n"


def known(value: Any) -> Any:
    """Mappings, however deep, without the entries that are not known (NaN)."""
    if isinstance(value, Mapping):
        return {name: known(v) for name, v in value.items() if not (isinstance(v, float) and math.isnan(v))}
    return value
