"""Numbers and plurals in the words of the screen. Knows nothing of Streamlit."""

from collections import Counter
from collections.abc import Mapping

from medtl.evaluation.words import HELP, PERCENT, TITLES, interval, span, title, value, whole

__all__ = [
    "HELP", "PERCENT", "TITLES", "count", "day", "duration", "interval", "size", "span", "title", "value", "whole",
]  # fmt: skip


def count(number: int, one: str, many: str = "") -> str:
    """ "1 case", "2 cases", "20,000 cases"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def part(n: int, of: int) -> str:
    """ "94 %" of counts; short of all is never "100 %", and some is never "0 %"."""
    if not of:
        return "0 %"
    whole = f"{100 * n / of:.0f}"
    return f"{min(99.9, max(0.1, 100 * n / of)):.1f} %" if whole in ("0", "100") and 0 < n < of else f"{whole} %"


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Id -> name, with the id behind names that several share: a box with two equal lines answers with the first."""
    shared = Counter(names.values())
    return {id: f"{name} ({id})" if shared[name] > 1 else name for id, name in names.items()}


def size(number: float) -> str:
    """Bytes as the file manager says them."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit in ("bytes", "KB") else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def duration(seconds: float) -> str:
    """ "12 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def day(iso: str) -> str:
    """ "22 Nov 2026, 19:15" of an ISO time; empty stays empty."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone().strftime("%-d %b %Y, %H:%M")
    except ValueError:
        return iso
