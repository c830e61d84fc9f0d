"""The attributes of one DICOM data set, cleaned in place by the rules of `profile`, sequences and all.

They are judged as the bytes they are and become values only where one must be changed, so that a file whose values
break the standard is cleaned like any other. It knows nothing of files, syntaxes and pixels.
"""

import datetime
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from medtl.cohorts.deidentify import profile, terms
from medtl.cohorts.deidentify.profile import Rule
from medtl.cohorts.pseudonyms import KEPT_WORDS

if TYPE_CHECKING:
    from pydicom import Dataset

OLDEST = 89  # years; so few are older that a greater age could name somebody (HIPAA, 45 CFR 164.514)
CODE_VALUE, SCHEME, MEANING = 0x00080100, 0x00080102, 0x00080104
# Where the number or name of a person stands as plain text: id, other ids, accession, address, telephone, admission,
# record locator.
OF_A_PERSON = {0x00100020, 0x00101000, 0x00080050, 0x00101040, 0x00102154, 0x00380010, 0x00101090}
SECOND_PICTURE = Rule("remove", "OW", "1", "(7FE0,xxxx)", "Pictures within sequences")
NEEDED = {0x00080005, 0x00080060}  # character set, modality; and group 0028, which describes the pixels


class Cleaning:
    """One data set on its way. `touched` lists (tag, name, action), each once."""

    def __init__(self, uid: Callable[[str], str], site: Callable[[str], str], days: int, patient: str) -> None:
        self.touched: dict[tuple[str, str, str], None] = {}
        self.unsaid = False  # whether an element that stays names no value representation
        self._uid = uid
        self._site = site
        self._days = datetime.timedelta(days=days)
        self._patient = patient  # the code that takes the place of names and ids
        self._names: set[bytes] = set()  # words of the names and numbers that were taken out
        self._kept: list[tuple[Dataset, int]] = []  # texts that stay unless they hold one of those words

    def run(self, dataset: "Dataset") -> None:
        """Clean everything, then look again: a word taken out in one place must not stand in another."""
        self._all(dataset)
        for holder, tag in self._kept:
            if not self._names.isdisjoint(_words(read_bytes(holder, tag))):
                self._empty(holder, tag, profile.rule(tag))

    def _all(self, dataset: "Dataset") -> None:
        for tag in sorted(dataset.keys()):
            self._one(dataset, int(tag), profile.rule(int(tag)))

    def _one(self, dataset: "Dataset", tag: int, rule: Rule) -> None:
        element = dataset.get_item(tag)
        self.unsaid = self.unsaid or element.VR is None
        if rule.action == "keep":
            return
        if rule.action == "descend":
            self._sequence(dataset, tag, rule)
            return
        value = read_bytes(dataset, tag)
        empty = not value.strip(b" \0") and element.VR != "SQ"
        if rule.vr == "PN" or tag in OF_A_PERSON:
            self._names |= _words(value) - COMMON
        if rule.action == "remove":
            self._remove(dataset, tag, rule, noted=not empty)
        elif not empty:
            self._change(dataset, tag, rule, value)

    def _change(self, dataset: "Dataset", tag: int, rule: Rule, value: bytes) -> None:
        match rule.action:
            case "empty":
                self._empty(dataset, tag, rule)
            case "dummy":
                self._replace(dataset, tag, rule, "REMOVED") if rule.vr in DUMMIES else self._empty(dataset, tag, rule)
            case "patient":
                self._replace(dataset, tag, rule, self._patient)
            case "site":
                self._replace(dataset, tag, rule, self._site(_text(value)))
            case "meaning":
                self._replace(dataset, tag, rule, plain(dataset, CODE_VALUE) or "REMOVED")
            case "uid":
                self._map_uids(dataset, tag, rule, value)
            case "date":
                self._shift(dataset, tag, rule, value)
            case "age":
                self._cap(dataset, tag, rule, value)
            case _:
                self._check(dataset, tag, rule, value)

    def _check(self, dataset: "Dataset", tag: int, rule: Rule, value: bytes) -> None:
        """Texts, terms, codes and numbers stay as far as each of their values is what it should be.

        Binary numbers that are no longer raw pydicom has read to interpret others by, so they are numbers.
        """
        said = dataset.get_item(tag).VR
        if said in UNMISTAKABLE and said != rule.vr:  # a date, a name or a UID in the place of something else
            self._empty(dataset, tag, rule)
            return
        look = "code" if tag in (CODE_VALUE, SCHEME) else "text" if rule.action == "text" else rule.vr
        if rule.action != "term" and look not in profile.LOOKS:
            if not profile.fits(len(value), rule.vr, rule.vm) and dataset.get_item(tag).is_raw:
                self._empty(dataset, tag, rule)
            return
        values = [part.strip(b" \0") for part in value.split(b"\\")]
        right = [part if _allowed(tag, part, look, rule) else b"" for part in values]
        if right != values:
            text = b"\\".join(right).decode("ascii") if any(right) else ""
            self._replace(dataset, tag, rule, text, "replaced" if text else "emptied")
        if look in ("CS", "text", "code") and tag >> 16 != 0x0028 and tag not in NEEDED:
            self._kept.append((dataset, tag))

    def _sequence(self, dataset: "Dataset", tag: int, rule: Rule) -> None:
        """Clean the items; codes of somebody's own scheme go, and so does what is no sequence."""
        try:
            items = list(dataset[tag].value or ())
            kept = [item for item in items if _public_code(item)]
        except Exception:  # noqa: BLE001 - pydicom raises anything at all; what cannot be read cannot be cleaned
            self._remove(dataset, tag, rule)
            return
        for item in kept:
            for pixels in [inner for inner in item.keys() if inner >> 16 == 0x7FE0]:  # noqa: SIM118 - keys are tags
                self._remove(item, int(pixels), SECOND_PICTURE)
            self._all(item)
        if len(kept) < len(items):
            dataset[tag].value = kept
            self._note(rule, "removed")

    def _map_uids(self, dataset: "Dataset", tag: int, rule: Rule, value: bytes) -> None:
        uids = [_text(part) for part in value.split(b"\\")]
        mapped = [uid if not uid or _standard(uid) else self._uid(uid) for uid in uids]
        if mapped != uids:
            self._replace(dataset, tag, rule, "\\".join(mapped))

    def _shift(self, dataset: "Dataset", tag: int, rule: Rule, value: bytes) -> None:
        shifted = [_shifted(_text(part), self._days) for part in value.split(b"\\")]
        if all(shifted):
            self._replace(dataset, tag, rule, "\\".join(shifted), "shifted")
        else:
            self._empty(dataset, tag, rule)

    def _cap(self, dataset: "Dataset", tag: int, rule: Rule, value: bytes) -> None:
        age = _text(value)
        if not profile.looks_right(value.strip(b" \0"), "AS"):
            self._empty(dataset, tag, rule)
        elif int(age[:3]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[age[3]] > OLDEST:
            self._replace(dataset, tag, rule, f"{OLDEST + 1:03d}Y")

    def _remove(self, dataset: "Dataset", tag: int, rule: Rule, noted: bool = True) -> None:
        del dataset[tag]
        if noted:
            self._note(rule, "removed")

    def _empty(self, dataset: "Dataset", tag: int, rule: Rule) -> None:
        _set(dataset, tag, rule.vr, "")
        self._note(rule, "emptied")

    def _replace(self, dataset: "Dataset", tag: int, rule: Rule, text: str, action: str = "replaced") -> None:
        _set(dataset, tag, rule.vr, text)
        self._note(rule, action)

    def _note(self, rule: Rule, action: str) -> None:
        if rule.tag:
            self.touched[rule.tag, rule.name, action] = None


def kept(dataset: "Dataset", tags: Collection[int]) -> dict[int, str]:
    """What a file may say in these attributes, text by text as the cleaned file will say it; "" where that is nothing.

    The data set is not touched. Names are those of its top level: what they hold must not stand in the texts either.
    """
    from pydicom import Dataset

    some = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - a data set yields its elements, and so reads them
        if tag in tags or tag in OF_A_PERSON or profile.rule(int(tag)).vr == "PN":
            some[tag] = dataset.get_item(tag)
    Cleaning(str, str, 0, "").run(some)
    return {tag: plain(some, tag) for tag in tags}


def read_bytes(dataset: "Dataset", tag: int) -> bytes:
    """The value as bytes, left as it is in the data set; b"" for sequences and for what is not there."""
    element: Any = dataset.get_item(tag)
    if element is None or element.value is None or element.VR == "SQ":
        return b""
    return element.value if isinstance(element.value, bytes) else str(element.value).encode("utf-8", "replace")


def plain(dataset: "Dataset", tag: int) -> str:
    """The value as text without padding."""
    return _text(read_bytes(dataset, tag))


UNMISTAKABLE = {"DA", "DT", "TM", "PN", "UI", "AE", "AS"}
DUMMIES = profile.TEXT_VRS - {"UN"}  # representations that can say "REMOVED"
COMMON = frozenset(word.encode() for word in KEPT_WORDS)
WORDS = re.compile(rb"[A-Za-z]{3,}|[0-9]{5,}|[\x80-\xff]{2,}")
DATE = re.compile(  # PS3.5 6.2: DA (also as ACR-NEMA wrote it) and DT, whose time of day is cut off
    r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]{1,6})?)?(?:[+-][0-9]{4})?"
)


def _allowed(tag: int, value: bytes, look: str, rule: Rule) -> bool:
    if rule.action == "term":
        return terms.known(tag, value.decode("ascii", "replace"))
    return profile.looks_right(value, look)


def _words(value: bytes) -> set[bytes]:
    return {word.lower() for word in WORDS.findall(value)}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip(" \0")


def _public_code(item: "Dataset") -> bool:
    """False for a coded entry of a scheme that is not public."""
    coded = any(plain(item, tag) for tag in (CODE_VALUE, SCHEME, MEANING))
    return not coded or plain(item, SCHEME) in profile.SCHEMES


def _standard(uid: str) -> bool:
    """UIDs that DICOM itself gives out (PS3.6, annex A): what kind of object, how it is written, which scheme."""
    from pydicom.uid import UID_dictionary

    return uid in UID_dictionary


def _shifted(text: str, days: datetime.timedelta) -> str:
    """`20200312` another day; "" when it is no date."""
    match = DATE.fullmatch(text)
    try:
        day = datetime.date(*map(int, match.groups())) + days if match else None
    except (ValueError, OverflowError):
        return ""
    return f"{day:%Y%m%d}" if day and day.year >= 1000 else ""


def _set(dataset: "Dataset", tag: int, vr: str, text: str) -> None:
    """A plain ASCII value in place of the old one, in the representation that the standard gives."""
    from pydicom.dataelem import DataElement

    dataset[tag] = DataElement(tag, vr.split(" or ")[0], [] if vr == "SQ" else text or None)
