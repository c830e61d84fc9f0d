"""A folder of horrors, brought as a whole: every bad file is named with a reason and what to do, the good ones go in,
and nothing is left over (OWASP ASVS 5.0, 5.2.2 to 5.2.6). What single formats refuse is tested beside their readers.
"""

import io
import resource
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from medtl.cohorts import library, reading
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput
from medtl.vocabulary import Skipped

MB = 10**6


def deflated_bomb() -> bytes:
    """Some hundred kilobytes of the deflated transfer syntax that unfold to 640 MB (ASVS 5.2.3)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.filewriter import write_file_meta_info

    head = io.BytesIO()
    head.write(bytes(128) + b"DICM")
    info = FileMetaDataset()
    info.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    info.MediaStorageSOPClassUID, info.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data = FileDataset(None, {}, file_meta=info, preamble=bytes(128))
    write_file_meta_info(head, data.file_meta, enforce_standard=True)
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(pack.compress(bytes(16 * MB)) for _ in range(40)) + pack.flush()
    return head.getvalue() + body


@pytest.fixture
def horrors(tmp_path, noise, encoded, dicom, huge_png) -> tuple[Path, dict[str, str]]:
    """The folder, and for each bad file a word of the reason that must be given."""
    root = tmp_path / "horrors"
    for label in ("benign", "malignant"):
        (root / label).mkdir(parents=True)
        for n in range(12):
            (root / label / f"IM_{n}.png").write_bytes(encoded(noise(hash((label, n)) % 10**6)))
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    gif = encoded(Image.fromarray(noise(1)), "GIF")
    jpeg = encoded(noise(2), "JPEG")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x", b"y" * 1000)
    files = {
        "empty.png": (b"", "empty"),
        "text.png": (b"hello", "does not hold"),
        "drawing.png": (svg, "does not hold"),
        "page.html": (b"<html><script>alert(1)</script>", "not an image"),
        "figure.eps": (b"%!PS-Adobe-3.0 EPSF-3.0", "not an image"),
        "layers.psd": (b"8BPS\0\1" + bytes(100), "not an image"),
        "animated.gif": (gif, ""),
        "flood.png": (huge_png, "megapixels"),
        "cut.png": (encoded(noise(3, (200, 200)))[:3000], "cut"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut"),
        "two.jpg": (jpeg + inner.getvalue(), "zip archive is hidden"),
        "picture.dcm": (encoded(noise(4)), "named .dcm but holds a PNG"),
        "bomb.dcm": (deflated_bomb(), "unfold"),
        "cut.dcm": (dicom()[:300], ""),
        "loop.dcm": (dicom(Rows=65535, Columns=65535, NumberOfFrames="1000"), ""),
    }
    for name, (data, _) in files.items():
        (root / "benign" / name).write_bytes(data)
    return root, {f"benign/{name}": says for name, (_, says) in files.items()}


def test_every_horror_is_named_and_the_rest_goes_in(ws, horrors):
    root, says = horrors
    heard: dict[str, Skipped] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    cohort = library.add(ws, root, file_names="kept", on_skipped=lambda skip: heard.setdefault(skip.file, skip))
    assert time.monotonic() - began < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    assert len(cohort.cases) == 24 and all(Pixels(ws.cohort(cohort.id)).image(case.id).size for case in cohort.cases)
    assert len(heard) == len(says), sorted(set(says) ^ set(heard))
    told = {skip.file: skip for skip in cohort.skipped}
    for name, word in says.items():
        assert word.casefold() in told[name].reason.casefold(), told[name]
        assert told[name].advice
    assert [path.name for path in ws.cohorts.iterdir()] == [cohort.id]


def test_the_deflated_bomb_takes_no_memory_of_whoever_asks(tmp_path):
    bomb = tmp_path / "bomb.dcm"
    bomb.write_bytes(deflated_bomb())
    assert bomb.stat().st_size < 2 * MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with reading.shower() as shower, pytest.raises(BadInput, match="unfold"):
        shower.picture(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_names_are_data_and_never_paths(ws, zipped, noise, encoded):
    """Reversed reading, 200 letters, words the system reserves, names that differ in capitals only, line breaks."""
    names = ["\u202egnp.exe.png", "a" * 200 + ".png", "CON.png", "nul.png", "Same.png", "same.png", "new\nline.png"]
    names += ["=1+1.png", "<script>alert(1)</script>.png", "![x](http://host/x.png).png", "$HOME.png", "%2e%2e.png"]
    members = {f"{'ab'[n % 2]}/{name}": encoded(noise(n)) for n, name in enumerate(names)}
    members |= {f"{label}/{n}.png": encoded(noise(100 + n + 50 * (label == "b"))) for label in "ab" for n in range(6)}
    cohort = library.add(ws, zipped(members), file_names="kept")
    assert len(cohort.cases) == len(members)
    assert all("\u202e" not in case.name and "\n" not in case.name for case in cohort.cases)
    on_disk = list(ws.home.rglob("*"))
    assert not any("script" in path.name or "Same" in path.name for path in on_disk)
    coded = library.add(ws, zipped(members))
    assert len({case.name for case in coded.cases}) == len(members)
