"""Small pieces of the sentences that findings are made of. Knows words, and nothing of cohorts."""

from collections.abc import Iterable


def plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def counted(count: int, one: str, many: str) -> str:
    """`1 case`, `1,200 cases`."""
    return f"{count:,} {plural(count, one, many)}"


def listed(words: Iterable[str], most: int = 0) -> str:
    """`a, b and c`; of more than `most` the rest is a number."""
    words = list(words)
    if most and len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
