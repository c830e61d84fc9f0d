"""Names of files and classes as safe text. They are data: kept as given, never interpreted."""

import re
import unicodedata

# Characters that turn the reading direction and so can make `gpj.exe` look like `exe.jpg`.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
NEVER_SHOWN = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line and paragraph separators
IGNORED = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin"}
PART_NAMES = {
    "train": ("train", "training", "trainset"),
    "tune": ("tune", "tuning", "val", "valid", "validation", "dev"),
    "test": ("test", "testing", "testset", "holdout", "heldout"),
}


def shown(text: str, longest: int = 1000) -> str:
    """The text in one Unicode form (NFC), without characters that cannot be seen or that reorder the line."""
    if text.isascii() and text.isprintable():
        return text.strip()[:longest]
    text = unicodedata.normalize("NFC", text)
    text = "".join(c for c in text if c not in BIDI and unicodedata.category(c) not in NEVER_SHOWN)
    return text.strip()[:longest]


def path_key(text: str) -> str:
    """How two spellings of one path are compared: NFC, forward slashes, no `./`."""
    text = unicodedata.normalize("NFC", text.strip()).replace("\\", "/")
    return "/".join(piece for piece in text.split("/") if piece not in ("", "."))


def ignored(path: str) -> bool:
    """Left behind by an operating system, not brought by a person: `__MACOSX`, `.DS_Store`, `Thumbs.db`."""
    return any(piece.startswith(".") or piece.casefold() in IGNORED for piece in path.split("/"))


def suffix(path: str) -> str:
    """`.png` of `a/b.PNG`; "" when the last piece has none. A number is no suffix (`1.2.840.113`, `IM.0001`).

    `.nii.gz` is one suffix: what `.gz` alone holds could be anything.
    """
    last = path.rsplit("/", 1)[-1]
    if last.casefold().endswith(".nii.gz") and len(last) > len(".nii.gz"):
        return ".nii.gz"
    stem, dot, end = last.rpartition(".")
    return f".{end.casefold()}" if dot and stem and end and not end.isdigit() else ""


def part_named(text: str) -> str:
    """`Validation` -> "tune"; "" when the word names no part."""
    word = re.sub(r"[^a-z]", "", text.casefold())
    return next((part for part, names in PART_NAMES.items() if word in names), "")
