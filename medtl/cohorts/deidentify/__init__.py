"""Takes out of one image file, still in its own format, everything that could name a person; the picture stays.

What is removed from DICOM files follows DICOM PS3.15 Annex E (`dicom`, `profile`); of all other formats only what is
needed to decode the pixels stays (`raster`). What stands in the pixels themselves nobody takes out here.
"""

from dataclasses import dataclass

from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput


@dataclass(frozen=True)
class Cleaned:
    """The file as it may be kept, and what was touched: (tag, name, action), each once, never a value.

    `action` is "removed", "emptied", "replaced" or "shifted".
    """

    data: bytes
    removed: tuple[tuple[str, str, str], ...] = ()


def clean(data: bytes, kind: str, pseudonyms: Pseudonyms, *, patient: str = "") -> Cleaned:
    """The file without identifiers; its pixels decode to the same values. Raises BadInput where that cannot be done.

    `patient` says who it is where the caller knows better than the file: it decides by how much dates are shifted and
    takes the place of the DICOM PatientID. The same input always gives the same output.
    """
    try:
        if kind == "DICOM":
            from medtl.cohorts.deidentify import dicom

            return Cleaned(*dicom.clean(data, pseudonyms, patient))
        from medtl.cohorts.deidentify import raster

        return Cleaned(*raster.clean(data, kind))
    except BadInput:
        raise
    except Exception as error:  # damaged files raise anything at all; whatever it was, the file must not be kept
        raise BadInput(
            f"The {kind or 'unknown'} file is built in a way that cannot be cleaned of names.",
            "Only its picture is kept, which is all that training needs.",
        ) from error
