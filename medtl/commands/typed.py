"""Reading what was typed into values: pairs, lengths of time, paths, lists of codes. Knows no command."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medtl.errors import BadInput

Answer = dict[str, Any]


def pairs(texts: Sequence[str] | None, form: str, example: str, empty: bool = False) -> dict[str, str]:
    """NAME=VALUE, as often as it was typed; `empty`: nothing may stand behind the sign."""
    read = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not (empty or (name and value)):
            raise BadInput(f"'{text}' is not {form}.", f"Write for example {example}.")
        read[name] = value
    return read


def settings(texts: Sequence[str] | None) -> dict[str, str]:
    return pairs(texts, "SETTING=VALUE", "--set epochs=5", empty=True)


def seconds(text: str | None) -> float:
    """ "90", "90s", "10m" or "1h" in seconds; 0 for nothing."""
    if not text:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not found:
        raise BadInput(f"'{text}' is no length of time.", "Write for example --budget 10m, 90s or 1h.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def path(text: str | None) -> Path | None:
    return Path(text) if text else None


def codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in (text or "").split(",") if code.strip())
