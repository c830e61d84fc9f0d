"""What is asked of a PACS and what comes back, the same whichever way it is asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medtl.errors import BadInput, MedtlError

MOST_STUDIES = 500  # of one query
SECONDS = 30.0  # to connect, and between two answers
DATE = re.compile(r"\d{8}")
CODE = re.compile(r"[A-Z0-9_]{1,16}")
LONGEST = 64  # characters of a text that is looked for (VR LO)


class Unreachable(MedtlError):
    """The PACS cannot be reached, refuses us, or breaks off: nothing is wrong with what was asked."""


@dataclass(frozen=True)
class Query:
    """Which studies: `since` and `until` as 20260131, `modality` as US, words of the description, one patient's id."""

    since: str = ""
    until: str = ""
    modality: str = ""
    description: str = ""
    patient: str = ""

    def check(self) -> None:
        if not any((self.since, self.until, self.modality, self.description, self.patient)):
            raise BadInput("Nothing is asked for; that would list the whole archive.", "Give at least a date.")
        for date in (self.since, self.until):
            if date and not DATE.fullmatch(date):
                raise BadInput("A date is not as it should be.", "Write it as 20260131.")
        if self.modality and not CODE.fullmatch(self.modality):
            raise BadInput("The modality is no code.", "Such as US, CT, MR, CR, DX or MG.")
        for text in (self.description, self.patient):
            if len(text) > LONGEST or "\\" in text or not (text.isprintable() or not text):
                raise BadInput("A text that is looked for is too long or holds a backslash.", "Shorten it.")
        if "*" in self.patient or "?" in self.patient:
            raise BadInput("A patient's id must be whole.", "Leave * and ? out of it.")

    @property
    def dates(self) -> str:
        """As DICOM writes a range; "" for any."""
        if self.since == self.until:
            return self.since
        return f"{self.since}-{self.until}"

    @property
    def words(self) -> str:
        """Words are looked for anywhere in the description, unless the user placed a * himself."""
        text = self.description
        return text if not text or "*" in text else f"*{text}*"


@dataclass(frozen=True)
class Study:
    """One line of an answer. `patient` is the id, for the eyes of who asked; `images` 0 where the PACS does not say."""

    uid: str
    date: str
    modalities: tuple[str, ...]
    description: str
    images: int
    patient: str


@dataclass(frozen=True)
class Object:
    """A file of ours on its way. `named`: it says whose image it is."""

    path: Path
    sop_class: str
    sop_instance: str
    named: bool


@dataclass(frozen=True)
class Sent:
    """`why` is empty where it arrived."""

    object: Object
    why: str = ""


def texts(value: object) -> tuple[str, ...]:
    """One or several values as texts."""
    if value is None or value == "":
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return tuple(part for part in str(value).split("\\") if part)
    return tuple(str(part) for part in value)
