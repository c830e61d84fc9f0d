"""What may be sent: files that MedTL wrote, told by their header. Anything else stays here."""

from pathlib import Path

from medtl.dicom_out.common import MAKER, OURS
from medtl.errors import BadInput
from medtl.pacs.common import Object

EXPLICIT = "1.2.840.10008.1.2.1"  # as all our objects are written
CLASSES = {
    "1.2.840.10008.5.1.4.1.1.7": "overlay",
    "1.2.840.10008.5.1.4.1.1.66.4": "region",
    "1.2.840.10008.5.1.4.1.1.11.1": "contour",
    "1.2.840.10008.5.1.4.1.1.11.2": "contour",
    "1.2.840.10008.5.1.4.1.1.88.33": "report",
}


def ours(path: Path) -> Object:
    """Raises BadInput for a file that MedTL did not write."""
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    try:
        meta = read_file_meta_info(path)
        mine = str(meta.get("ImplementationClassUID", "")) == OURS and meta.get("TransferSyntaxUID") == EXPLICIT
        header = dcmread(path, stop_before_pixels=True) if mine else None
    except OSError as error:
        raise BadInput(f"The file '{path.name}' cannot be opened.", "Check that it is there and readable.") from error
    except Exception as error:  # pydicom raises anything at all on what is no DICOM
        raise _foreign(path) from error
    if header is None or header.get("Manufacturer") != MAKER or str(header.get("SOPClassUID", "")) not in CLASSES:
        raise _foreign(path)
    named = bool(header.get("PatientName") or header.get("PatientID")) and header.get("PatientIdentityRemoved") != "YES"
    return Object(path, str(header.SOPClassUID), str(header.SOPInstanceUID), named)


def _foreign(path: Path) -> BadInput:
    return BadInput(
        f"'{path.name}' is no file that MedTL wrote; only those are sent.", "Make them with `predict --dicom`."
    )
