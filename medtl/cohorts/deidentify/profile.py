"""What becomes of each DICOM attribute: the table of PS3.15 Annex E, our choice among its options, and a default of no.

The table (`profile.csv`) is Table E.1-1 of DICOM PS3.15, edition 2026c: facts of the standard, taken over from the list
that the package dicom-anonymizer 2.1 (BSD-3-Clause) carries. X removes, Z empties, D replaces, U replaces a UID.

Options taken: Retain Patient Characteristics (but for the ethnic group, which is free text) and Retain Longitudinal
Temporal Information with Modified Dates (days move, times of day go). Beyond the table the default is no: free text
stays only where `TEXTS` names it, binary data only where the pixels need it, numbers and codes only if they look like
what their attribute holds; the wording of a code gives way to the code, and what the standard does not know goes.
"""

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from medtl.cohorts.deidentify import terms

TABLE = Path(__file__).with_name("profile.csv")

Action = Literal[
    "remove",
    "empty",
    "dummy",  # a word that says nothing, where the standard wants some value
    "uid",
    "date",  # shifted; time of day cut off
    "descend",  # a sequence whose items are cleaned in turn
    "age",  # capped
    "patient",  # the patient's code
    "site",  # the site's code
    "meaning",  # the text of a code: the code itself takes its place
    "text",  # kept if it looks like the name of a product, a kernel, a unit
    "term",  # kept if `terms` lists it
    "check",  # kept if it looks like what its value representation promises
    "keep",
]


@dataclass(frozen=True)
class Rule:
    """`vr` is the value representation the standard gives, whatever the file says; `tag` and `name` are for the list
    of what was removed, where private, unknown and repeating attributes share one line each."""

    action: Action
    vr: str
    vm: str
    tag: str
    name: str


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Options of Table E.1-1: K in the column "Rtn. Pat. Chars." and a coded value or a number, no text.
CHARACTERISTICS = {
    0x00100040: "sex",
    0x00101020: "size",
    0x00101030: "weight",
    0x001021A0: "smoking status",
    0x001021C0: "pregnancy status",
    0x00102203: "neutered",
}
BY_NAME: dict[int, Action] = {
    0x00100010: "patient",
    0x00100020: "patient",
    0x00101010: "age",
    0x00080080: "site",
    0x00080104: "meaning",
}
TEXTS = {  # free text that says how an image was made; product names are no device identity (PS3.15 E.3.8)
    0x00080070,  # Manufacturer
    0x00081090,  # Manufacturer's Model Name
    0x00181020,  # Software Versions
    0x00181210,  # Convolution Kernel
    0x00181160,  # Filter Type
    0x00180024,  # Sequence Name
    0x00180085,  # Imaged Nucleus
    0x00181250,  # Receive Coil Name
    0x00181251,  # Transmit Coil Name
    0x00080100,  # Code Value
    0x00080102,  # Coding Scheme Designator
    0x00080103,  # Coding Scheme Version
}
BULK = {  # binary data without which the pixels could not be decoded
    0x00281201, 0x00281202, 0x00281203, 0x00281204,  # palette
    0x00281221, 0x00281222, 0x00281223, 0x00281224,  # segmented palette
    0x00283006,  # LUT Data
    0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00008, 0x7FE00009, 0x7FE00010,  # frame offsets, pixels
}  # fmt: skip
# Public coding schemes: a code of another one may be a word somebody typed in.
SCHEMES = _listed(
    "DCM SCT SRT SNM3 SNT LN UCUM RADLEX FMA NCIt UMLS MSH I9 I9C I9P I10 I10P ICDO3 C4 C5 BI ACR MA NEU ITIS_TSN "
    "ISO3166_1 ISO639_1 ISO639_2 RFC3066 RFC5646 PUBCHEM_CID"
)

TEXT_VRS = {"PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "UN", "AE"}
BINARY_VRS = {"OB", "OW", "OF", "OD", "OL", "OV"}


@lru_cache(maxsize=4096)
def rule(tag: int) -> Rule:
    """What becomes of an attribute, wherever it stands (sequences are cleaned like the data set they lie in)."""
    group = tag >> 16
    if group % 2:
        return _gone("private", "Private attributes")
    if tag & 0xFFFF == 0 or group <= 6 or tag == 0xFFFCFFFC:
        return _gone("", "Lengths, padding and transport information")
    if group & 0xFF00 == 0x6000:
        return _gone("(60xx,xxxx)", "Overlays")
    if group & 0xFF00 == 0x5000:
        return _gone("(50xx,xxxx)", "Curves")
    return _public(tag)


def _gone(tag: str, name: str) -> Rule:
    return Rule("remove", "UN", "1", tag, name)


def _public(tag: int) -> Rule:
    from pydicom.datadict import dictionary_has_tag, get_entry

    said = table().get(tag)
    if not dictionary_has_tag(tag):
        return Rule("remove", "UN", "1", _shown(tag), said[0]) if said else _gone("unknown", "Attributes beyond DICOM")
    vr, vm, name, _, _ = get_entry(tag)
    name = said[0] if said else name
    return Rule(_action(tag, vr, said[1] if said else ""), vr, vm, _shown(tag), name)


def _shown(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _action(tag: int, vr: str, said: str) -> Action:
    if tag in BY_NAME:
        return BY_NAME[tag]
    if tag in CHARACTERISTICS:
        return "check"
    if vr in ("DA", "DT") and tag not in UNDATED:
        return "date"
    if said:
        return _by_table(vr, said)
    if vr == "TM":
        return "remove"
    if vr == "SQ":
        return "descend"
    if vr == "UI":
        return "uid"
    if tag in TEXTS:
        return "text"
    if tag in terms.TERMS:
        return "term"
    if tag in BULK:
        return "keep"
    if vr in TEXT_VRS or any(part in BINARY_VRS for part in vr.split(" or ")):
        return "remove"
    return "check"


# Dates the option for modified dates leaves as the basic profile has them: they say who somebody is, not when.
UNDATED = {0x00100030, 0x0016008D}  # Patient's Birth Date, GPS Date Stamp


def _by_table(vr: str, said: str) -> Action:
    """Of two or three actions that the table leaves to the kind of image, the one that loses least of its form.

    Times of day are taken out (basic profile) and not shifted: to the second, they are as good as a name to whoever has
    the log of the scanner, and no network learns from them. Sequences are never filled with dummies.
    """
    if said in ("U", "X/Z/U*"):
        return "descend" if vr == "SQ" else "uid"
    if said == "D" and vr not in ("SQ", "TM"):
        return "dummy"
    return "remove" if said in ("X", "X/D") else "empty"


@lru_cache(maxsize=1)
def table() -> dict[int, tuple[str, str]]:
    """tag -> (name, action) of Table E.1-1, without its rows for repeating and private groups."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            int(row["tag"].replace(",", ""), 16): (row["name"], row["action"])
            for row in csv.DictReader(file)
            if "x" not in row["tag"]
        }


# ---- does a value look like what it should? -------------------------------------------------------------------------

LOOKS = {  # of one value, padding stripped (PS3.5, 6.2)
    "CS": re.compile(rb"[A-Z0-9_ ]{0,16}"),
    "DS": re.compile(rb"[0-9+\-.eE ]{0,16}"),
    "IS": re.compile(rb"[0-9+\-. ]{0,12}"),
    "AS": re.compile(rb"(?:[0-9]{3}[DWMY])?"),
    "text": re.compile(rb"(?!.*[0-9]{5})[A-Za-z0-9 .,:;&+*/()_\[\]-]{0,64}"),
    "code": re.compile(rb"[A-Za-z0-9.:_/+-]{0,16}"),
}
SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "SV": 8, "UV": 8}


def looks_right(value: bytes, look: str) -> bool:
    """One value without padding: is it of the form of its representation?"""
    return LOOKS[look].fullmatch(value) is not None


def fits(length: int, vr: str, vm: str) -> bool:
    """Whether binary numbers have the length their attribute asks for: a text among them mostly has not."""
    size = next((SIZES[part] for part in vr.split(" or ") if part in SIZES), 0)
    if not size or length % size:
        return False
    return length in (0, size * int(vm)) if vm.isdigit() else True
