"""How values read: small functions from a stored value to text. None of them knows HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tomotheca.schema.vocabulary import QUALITY
from tomotheca.web.words import current, say, some

NOT_RECORDED = "Not recorded"
MINUS = "\u2212"
KILO = 1000
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
ANGSTROM_PER_MICROMETRE = 10_000
ANGSTROM_PER_NANOMETRE = 10


def number(value: float, decimals: int = 3) -> str:
    """Write a number with a thousands separator, a true minus sign and no trailing zeros."""
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text == "-0":
        text = "0"
    return current().numbers(text).replace("-", MINUS)


def count(value: int) -> str:
    """Write a whole number with a thousands separator."""
    return number(value, 0)


def size(value: float | None) -> str:
    """Write a number of bytes in decimal units, three figures."""
    if value is None:
        return say(NOT_RECORDED)
    amount, unit = float(value), UNITS[0]
    for unit in UNITS:
        if amount < KILO - 0.5 or unit == UNITS[-1]:
            break
        amount /= KILO
    decimals = 0 if unit == "B" else max(0, 3 - len(str(int(amount))))
    return f"{number(amount, decimals)} {unit}"


def date(value: str | None) -> str:
    """Give the day of a stored moment."""
    return value[:10] if value else say(NOT_RECORDED)


def now() -> str:
    """Give the present moment as the catalogue writes moments."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def quantity(value: float, unit: str) -> str:
    """Write a number with its unit; degree and per-cent signs as the field writes them."""
    text = number(value)
    if not unit:
        return text
    return f"{text}{unit}" if unit == "°" else f"{text}\u00a0{unit}"


def voltage(value: float) -> str:
    """Write a voltage in volts and kilovolts."""
    return f"{quantity(value, 'V')} ({quantity(value / KILO, 'kV')})"


def defocus(value: float) -> str:
    """Write a defocus stored in Å as micrometres."""
    return quantity(value / ANGSTROM_PER_MICROMETRE, "µm")


def vector(values: Sequence[float | None], unit: str = "") -> str:
    """Write ``(x, y, z) unit``; an unknown part is a dash."""
    inner = ", ".join("–" if v is None else number(v) for v in values)
    return f"({inner})\u00a0{unit}".rstrip("\u00a0")


def tilt_range(extent: float | None, low: float | None, high: float | None) -> str:
    """Write ``120° (−60° to 60°)``."""
    if extent is None:
        return say(NOT_RECORDED)
    if low is None or high is None:
        return quantity(extent, "°")
    return say("{} ({} to {})", quantity(extent, "°"), quantity(low, "°"), quantity(high, "°"))


def span(values: Sequence[float], unit: str) -> str:
    """Write one value, or the smallest and largest of several."""
    if not values:
        return say(NOT_RECORDED)
    low, high = min(values), max(values)
    return quantity(low, unit) if low == high else f"{number(low)}–{quantity(high, unit)}"


def boolean(value: bool | None) -> str:
    """Write yes, no, or that it is not recorded."""
    return say(NOT_RECORDED) if value is None else say("Yes") if value else say("No")


def plural(amount: int, one: str, many: str = "") -> str:
    """Write ``1 run`` or ``1,234 runs``."""
    return some(f"{{}} {one}", f"{{}} {many or one + 's'}", amount, count(amount))


@dataclass(frozen=True, slots=True)
class Badge:
    """A short text with a tone that repeats, never replaces, what the text says."""

    text: str
    tone: str
    help: str = ""


NOT_RATED = Badge("Not rated", "none", "The authors gave no score for this tilt series.")
GROUND_TRUTH = Badge("Ground truth", "truth", "Endorsed by the author for training or validation.")


def quality(score: int | None) -> Badge:
    """Give the badge of a tilt-series quality score."""
    if score is None or score not in QUALITY:
        return Badge(say(NOT_RATED.text), NOT_RATED.tone, say(NOT_RATED.help))
    label, meaning, tone = QUALITY[score]
    return Badge(f"{score} – {say(label)}", tone, say(meaning))


def run_quality(scores: Sequence[int | None]) -> Badge:
    """Give the badge of a run: one score when all tilt series agree, else the extent and how many there are."""
    known = sorted(s for s in scores if s)
    if not known or known[0] == known[-1]:
        return quality(known[0] if known else None)
    return Badge(
        f"{known[0]}–{known[-1]} ({plural(len(known), 'tilt series', 'tilt series')})",
        quality(known[0]).tone,
        say("Tilt series of this run differ."),
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a quality distribution."""

    score: int
    label: str
    runs: int
    height: int
    """Height of the bar, 0 to 10."""

    @property
    def text(self) -> str:
        """What it stands for, after its score."""
        return f"{self.label}: {self.runs}"

    @property
    def style(self) -> str:
        """Height and colour."""
        return f"h{self.height} q{self.score}"


def distribution(scores: dict[int | None, int]) -> tuple[Bar, ...]:
    """Give five bars, from low to excellent."""
    most = max([n for s, n in scores.items() if s] or [0])
    return tuple(
        Bar(s, say(QUALITY[s][0]), scores.get(s, 0), -(-10 * scores.get(s, 0) // most) if most else 0)
        for s in sorted(QUALITY)
    )


@dataclass(frozen=True, slots=True)
class Confidence(Badge):
    """The badge of precision or recall."""

    stored: float | None = None
    """What is recorded, whatever the text says."""


def confidence(value: float | None, *, ground_truth: bool | None) -> Confidence:
    """Give precision or recall: a percentage, or ``NA`` with the reason. A ground truth is compared with nothing, whatever is recorded."""
    if value is not None and not ground_truth:
        return Confidence(quantity(value, "%"), "plain", "", value)
    reason = say("This is ground truth.") if ground_truth else say("Needs a ground truth to compare with.")
    return Confidence(say("NA"), "none", reason, value)


def text(value: Any) -> str:
    """Write any value that has no rule of its own."""
    if value is None or value == "":
        return say(NOT_RECORDED)
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, int | float):
        return number(value)
    return str(value)
