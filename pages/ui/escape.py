"""What users typed, made safe to show: names of files, classes and cohorts are text and never markup or formulas."""

import html
import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&@=])")
_HIDDEN = {"Cc", "Cf"}  # control characters and bidi overrides
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: object) -> str:
    """One line without control characters and without characters that turn the reading direction."""
    return "".join(
        " " if c in "\n\r\t" else c for c in str(text) if c in "\n\r\t" or unicodedata.category(c) not in _HIDDEN
    )


def md(text: object) -> str:
    """For st.markdown, captions, labels and buttons, all of which interpret Markdown, LaTeX, colours and images."""
    return _MARKDOWN.sub(r"\\\1", plain(text))


def plotly(text: object) -> str:
    """For Plotly, which interprets a few HTML tags."""
    return html.escape(plain(text))


def csv_cell(text: object) -> str:
    """For a CSV cell: a spreadsheet must not take a file name for a formula."""
    value = plain(text)
    risky = value.lstrip().startswith(_FORMULA) or str(text).startswith(_FORMULA)
    return f"'{value}" if risky else value


def short(text: object, letters: int = 28) -> str:
    """The end of a long name is what tells files apart, so the middle goes."""
    value = plain(text)
    if len(value) <= letters:
        return value
    head = letters // 3
    return value[:head] + "…" + value[-(letters - head - 1) :]


def tail(name: str, letters: int = 13) -> str:
    """The end of a file's name without folder and extension: there is room for no more under a tile."""
    stem = plain(name).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return stem if len(stem) <= letters else "…" + stem[-(letters - 1) :]
