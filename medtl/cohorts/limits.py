"""The limits of what may be brought in: the numbers stand here and nowhere else."""

MB = 10**6
GB = 10**9

FILE_BYTES = 500 * MB  # one image or table
ZIP_BYTES = 2 * GB  # one zip, as it lies on the disk
UNPACKED_BYTES = 4 * GB  # all files of a cohort together
FILES = 20_000
CASES = 50_000  # pictures of all files together: frames, slices and pages count one by one
MEMBER_RATIO = 200  # unpacked / packed of one zip member, looked at from RATIO_FROM on
TOTAL_RATIO = 100  # the same over the whole zip
RATIO_FROM = 1 * MB
DIRECTORY_BYTES = 32 * MB  # list of contents of a zip; 20,000 files need about 7 MB
NAME_BYTES = 255
CLASS_NAME = 100  # characters
CLASSES = 200
PIXELS = 50 * MB  # width x height of one image
DICOM_SIDE = 8192  # Rows and Columns
FRAME_PIXELS = 256 * MB  # frames x width x height of all pictures taken from one file
INFLATED_BYTES = 256 * MB  # a deflated DICOM file or frame, unpacked
INFLATED_FREE = 32 * MB  # up to here the ratio (MEMBER_RATIO) is not looked at
STORED_SIDE = 512  # px; the longer side of an image in the cohort's cache
THUMBNAIL = 32  # px
FEWEST_CASES = 5  # of each class
TABLE_ROWS = 1_000_000
TABLE_BYTES = 200 * MB
TABLE_COLUMNS = 5_000
DEPTH = 64  # folders within one another
NPZ_BYTES = 20 * GB  # a MedMNIST archive, packed and unpacked; it is read picture by picture
PARSE_SECONDS = 20.0  # for one picture, until the reading process is ended
PARSE_MEMORY = 2 * GB  # address space of a reading process
LISTED = 1000  # faults of one table that are listed one by one
PATTERN = 500  # characters of a file-name pattern
PATTERN_SECONDS = 5.0  # for all names together


def describe() -> tuple[tuple[str, str], ...]:
    """The limits in words, for the upload page, the documentation and `medtl doctor`."""
    return (
        ("files in a cohort", f"{FILES:,}"),
        ("one file", f"{FILE_BYTES // MB} MB"),
        ("one zip", f"{ZIP_BYTES // GB} GB, {UNPACKED_BYTES // GB} GB unpacked, no zip inside"),
        ("one image", f"{PIXELS // MB} megapixels; DICOM up to {DICOM_SIDE} x {DICOM_SIDE}"),
        ("one clip or volume", f"{FRAME_PIXELS // MB} megapixels over all its pictures"),
        ("reading one image", f"{PARSE_SECONDS:.0f} seconds, {PARSE_MEMORY // GB} GB of memory, in a process apart"),
        ("file name", f"{NAME_BYTES} bytes"),
        ("classes", f"{CLASSES}"),
    )
