"""SVG primitives: elements, scales, axes and the label gutter. Colours are CSS classes, so that themes are CSS only."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

CHARACTER = 6.4
"""Average width of a character of the 12 px figure text, in px."""
BOLD = 1.2
"""How much wider names in bold are."""
GROUP = BOLD * 11 / 12
"""How much wider names of groups are, which are bold and smaller."""
LINE = 14.0
"""Height of a line of text, in px."""


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """One SVG element. Names like `class_` and `data_tip` become `class` and `data-tip`; None is left out."""
    shown = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _plain(value))
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(tag, shown, Markup("").join(content))


def _plain(value: object) -> object:
    return f"{round(value, 2):g}" if isinstance(value, float) else value


def text(x: float, y: float, content: str, kind: str = "", anchor: str | None = None) -> Markup:
    """Text on a baseline; `kind` is a CSS class, `anchor` start, middle or end."""
    return element("text", escape(content), x=float(x), y=float(y), class_=kind or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def rect(x: float, y: float, width: float, height: float, kind: str, rounded: float | None = None) -> Markup:
    """Rectangle."""
    size = {"width": float(width), "height": float(height)}
    return element("rect", x=float(x), y=float(y), **size, rx=rounded, class_=kind)


def dot(x: float, y: float, radius: float, kind: str) -> Markup:
    """Filled circle."""
    return element("circle", cx=float(x), cy=float(y), r=float(radius), class_=kind)


def diamond(x: float, y: float, radius: float, kind: str) -> Markup:
    """Square on its corner."""
    return element(
        "path", d=f"M{x:.2f} {y - radius:.2f}l{radius} {radius}l-{radius} {radius}l-{radius} -{radius}z", class_=kind
    )


def drawing(width: float, height: float, label: str, *content: str) -> Markup:
    """The `<svg>` of a figure, at most as wide as drawn; `label` describes it to screen readers."""
    return element(
        "svg",
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        style=f"max-width:{width:g}px",
        role="img",
        aria_label=label,
        class_="figure",
    )


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value, held inside the frame."""
        low, high, value = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self, target: int = 6) -> list[float]:
        """Round values inside the scale: 1, 2 or 5 times a power of ten."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if math.log10(self.high / self.low) < 2.5 else (1,)
            candidates = [step * 10.0**decade for decade in decades for step in steps]
            return [tick for tick in candidates if self.low <= tick <= self.high]
        step = nice_step((self.high - self.low) / target)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """Smallest of 1, 2 or 5 times a power of ten that is not below `rough`."""
    base = 10.0 ** math.floor(math.log10(rough))
    return next(step * base for step in (1, 2, 5, 10) if step * base >= rough * (1 - 1e-9))


def tick_text(value: float, step: float, unit: str = "") -> str:
    """Tick label with the decimals that the step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{digits}f}".replace("-", "−") + unit


def x_axis(scale: Scale, top: float, bottom: float, unit: str = "", title: str = "") -> Markup:
    """Vertical grid lines with tick labels below; `title` under them."""
    ticks = scale.ticks()
    step = min(ticks) if scale.log else nice_step((scale.high - scale.low) / 6)
    parts = []
    for tick in ticks:
        x = scale(tick)
        label = f"{tick:g}" if scale.log else tick_text(tick, step)
        parts.append(line(x, top, x, bottom, "zero" if tick == 0 else "gridline"))
        parts.append(text(x, bottom + 16, label + unit, "tick", "middle"))
    if title:
        parts.append(text((scale.start + scale.end) / 2, bottom + 34, title, "title", "middle"))
    return Markup("").join(parts)


def text_width(name: str) -> float:
    """Estimated width in px: capitals are wider than average, East Asian characters twice as wide."""
    return CHARACTER * sum(1.9 if ord(c) > 0x2E7F else 1.35 if c.isupper() else 1.0 for c in name)


def gutter(widths: Iterable[float], least: float = 90, most: float = 320) -> float:
    """Width of the column that holds row labels of these widths; longer ones are wrapped."""
    return min(max(max(widths, default=0) + 14, least), most)


def pieces(name: str) -> list[str]:
    """Parts of a name, each with the punctuation or space behind it, at which a line may end."""
    return re.findall(r"[^\s:/_.,+-]*[\s:/_.,+-]+|[^\s:/_.,+-]+", name)


def wrap(name: str, width: float) -> list[str]:
    """Lines of a name, as few as fit a width in px: behind the source in `source:topic`, or else of even length.

    Broken behind punctuation where that is possible, never cut.
    """
    if text_width(name) <= width:
        return [name]
    lines = _fill(name, width)
    source, colon, topic = name.rpartition(":")
    if colon and topic:
        behind_source = _fill(source + colon, width) + _fill(topic, width)
        if len(behind_source) == len(lines):
            return behind_source
    for share in (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55):
        even = _fill(name, share * width)
        if len(even) > len(lines):
            break
        lines = even
    return lines


def _fill(name: str, width: float) -> list[str]:
    """Lines of a name, each as full as possible."""
    lines, room = [""], width
    for piece in pieces(name):
        parts = [piece] if text_width(piece.rstrip()) <= width else list(piece)
        for part in parts:
            if lines[-1] and text_width(part.rstrip()) > room:
                lines.append("")
                room = width
            lines[-1] += part
            room -= text_width(part)
    return lines


def label_height(names: list[str], width: float, least: float) -> float:
    """Height of rows of equal height that hold the labels."""
    return max([least, *(LINE * len(wrap(name, width)) + 6 for name in names)])


def lines_of_text(x: float, y: float, lines: Sequence[str], kind: str, anchor: str | None = None) -> Markup:
    """Lines of text, the first one on a baseline."""
    return Markup("").join(text(x, y + LINE * index, content, kind, anchor) for index, content in enumerate(lines))


def shorten(name: str, width: float) -> str:
    """Name cut in its middle to fit a width in px: both ends of a name tell it from its neighbours."""
    if text_width(name) <= width:
        return name
    room = max(int(len(name) * width / text_width(name)), 3)
    head = (room - 1) // 2
    return name[:head] + "…" + name[len(name) - (room - 1 - head) :]


def row_label(name: str, x: float, y: float, width: float, kind: str = "label") -> Markup:
    """Right-aligned row label around a middle, wrapped to a width; the source in `source:topic` is set back."""
    lines, parts = wrap(name, width), []
    source = len(name.rpartition(":")[0]) + 1 if ":" in name else 0
    first = y + 4 - LINE * (len(lines) - 1) / 2
    for index, content in enumerate(lines):
        back, topic = content[:source], content[source:]
        source -= len(back)
        spans = [element("tspan", escape(back), class_="source") if back else "", escape(topic)]
        parts.append(element("text", *spans, x=float(x), y=first + LINE * index, class_=kind, text_anchor="end"))
    return Markup("").join(parts)


def row(tip: str, x: float, y: float, width: float, height: float, *content: str) -> Markup:
    """A chart row that lights up and shows `tip` under the pointer."""
    return element("g", rect(x, y, width, height, "hit"), *content, class_="row", data_tip=tip)


def key(x: float, y: float, entries: list[tuple[Markup, str]]) -> Markup:
    """Legend in one line: each mark is drawn around the origin and moved into place."""
    parts = []
    for mark, label in entries:
        parts.append(element("g", mark, transform=f"translate({x + 8:g} {y - 4:g})"))
        parts.append(text(x + 21, y, label, "legend"))
        x += 41 + text_width(label)
    return Markup("").join(parts)
