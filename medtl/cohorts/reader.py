"""The process that opens files nobody has vouched for: `python -m medtl.cohorts.reader FD`, started by `reading` only.

It has a memory limit and an alarm clock and never loads torch. A line of JSON asks for a handful of files; lines of
JSON on the given descriptor hold the answers to some of them, or to none as a sign of life. Five desks: `keep` reads a
file into a cohort, `show` hands one picture over, `ask` all of a file that a model is asked about, `refer` also what a
DICOM object must say of the file it refers to, `blank` blacks out rectangles. What it says of a patient it says in
codes, unless `refer` is told that the answer goes back to where the file came from.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from medtl.cohorts import archive, deidentify, limits
from medtl.cohorts.appearance import appearance
from medtl.cohorts.formats import images
from medtl.cohorts.formats.images import SUFFIXES, Decoded, Picture
from medtl.cohorts.originals import PACK, PackWriter, Span
from medtl.cohorts.pixels import PixelWriter, prepare, shrunk, stretched
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput
from medtl.vocabulary import Reading

Message = dict[str, Any]
TELL_SECONDS = 0.25  # as seldom as a progress bar allows
TOO_MUCH = BadInput("Reading it needs more memory than one file may take.", "Save it smaller and add it again.")


def main(answers: int) -> None:
    _limit()
    setup = json.loads(sys.stdin.readline())
    with os.fdopen(answers, "wb") as out:
        voice = Voice(out, setup["seconds"])
        desk = DESKS[setup["desk"]](setup, voice.alive)
        voice.tell()  # ready
        signal.alarm(0)  # to wait for work may take as long as it likes
        for line in sys.stdin:
            voice.wind()
            for job in json.loads(line):
                voice.add(*_done(desk, job))
            voice.tell()
            signal.alarm(0)


class Voice:
    """Tells the parent, in handfuls: each line wakes it up, which takes as long as reading a small file does."""

    def __init__(self, out: BinaryIO, seconds: float) -> None:
        self.out = out
        self.seconds = seconds
        self.answers: list[Message] = []
        self.told = 0.0

    def add(self, answer: Message, payload: bytes) -> None:
        """A payload follows the line whose last answer is its own."""
        self.answers.append(answer)
        if payload or self._is_time():
            self.tell(payload)

    def tell(self, payload: bytes = b"") -> None:
        self.wind()
        self.out.write(json.dumps(self.answers, separators=(",", ":")).encode() + b"\n" + payload)
        self.out.flush()
        self.answers = []
        self.told = time.monotonic()

    def wind(self) -> None:
        """Should the parent be gone while we hang, we end by ourselves."""
        signal.setitimer(signal.ITIMER_REAL, 3 * self.seconds)

    def alive(self) -> None:
        if self._is_time():
            self.tell()

    def _is_time(self) -> bool:
        return time.monotonic() - self.told > TELL_SECONDS


def _done(desk: "Desk", job: Message) -> tuple[Message, bytes]:
    try:
        answer, payload = desk(job)
    except (BadInput, MemoryError) as error:
        wrong = error if isinstance(error, BadInput) else TOO_MUCH
        answer, payload = {"skipped": [wrong.message, wrong.advice]}, b""
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        answer, payload = {"full": True}, b""
    return {"job": job["job"], **answer}, payload


def _limit() -> None:
    """What an attacker's file may cost at most. Some systems know no such limit; the clock holds there too."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limits.PARSE_MEMORY, hard))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of the memory would hold pictures and names
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _bytes(job: Message) -> bytes:
    if job.get("span"):
        start, size = job["span"]
        with Path(job["path"]).open("rb") as file:
            file.seek(start)
            return file.read(size)
    if job.get("member") is None:
        return images.read_bytes(Path(job["path"]))
    opened = _zip(job["path"])
    return archive.read_member(opened, opened.infolist()[job["member"]])


@cache
def _zip(path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


# ---- keep: a file into a cohort -------------------------------------------------------------------------------------


class Keep:
    """Decodes, cleans and stores: the picture into this process's shard, the cleaned original into its pack."""

    def __init__(self, setup: Message, alive: Callable[[], None]) -> None:
        self.alive = alive
        folder = Path(setup["folder"])
        self.writer = PixelWriter(folder / setup["shard"])
        self.originals = PackWriter(folder / PACK.format(setup["shard"]))
        self.reading = Reading(**setup["reading"])
        self.keep_key = bool(setup["keep_key"])
        self.pseudonyms = Pseudonyms(bytes.fromhex(setup["salt"]), names=setup["names"], keep_key=self.keep_key)
        self.told = 0  # rows of the key that the parent knows already

    def __call__(self, job: Message) -> tuple[Message, bytes]:
        data = _bytes(job)
        sha256 = hashlib.sha256(data).hexdigest()
        cases: list[Message] = []
        spans: dict[str, Span] = {}
        cleaned: deidentify.Cleaned | None = None
        for decoded in images.read_all(data, job["name"], self.reading):
            if cases:
                self.alive()
            else:
                cleaned = self._cleaned(data, decoded)
            cases.append(self._case(decoded, sha256))
            if cleaned is None:
                cases[-1]["at"] = self._store(_png(decoded.pixels), ".png", spans)
        if not cases:
            raise BadInput("There is no picture in the file.", "Leave it out.")
        if cleaned is not None:
            at = self._store(cleaned.data, SUFFIXES[cases[0]["facts"]["format"]][0], spans, sha256)
            for case in cases:
                case["at"] = at
        self.writer.flush()
        self.originals.flush()
        removed = [list(row) for row in cleaned.removed] if cleaned else []
        return {"sha256": sha256, "cases": cases, "originals": spans, "removed": removed, "key": self._key()}, b""

    def _cleaned(self, data: bytes, decoded: Decoded) -> "deidentify.Cleaned | None":
        """None when the file cannot be rewritten without what names somebody: then only its picture is kept."""
        try:
            kind = str(decoded.facts["format"])
            return deidentify.clean(data, kind, self.pseudonyms, patient=decoded.identity.patient)
        except BadInput:
            return None

    def _case(self, decoded: Decoded, sha256: str) -> Message:
        identity = decoded.identity
        facts = dict(decoded.facts)
        if identity.institution:
            facts["site"] = self.pseudonyms.site(identity.institution)
        group = f"g-{sha256[:10]}" if decoded.group == "file" else self.pseudonyms.group(decoded.group)
        return {
            "facts": {key: value for key, value in facts.items() if value not in (None, "")},
            "patient": self.pseudonyms.patient(identity.patient),
            "group": group if decoded.group else "",
            "frame": decoded.frame,
            "date": identity.date,
            "row": self.writer.add(prepare(decoded.pixels)),
        }

    def _store(self, data: bytes, suffix: str, spans: dict[str, Span], name: str = "") -> str:
        at = f"{name or hashlib.sha256(data).hexdigest()}{suffix}"
        spans[at] = self.originals.add(at, data)
        return at

    def _key(self) -> list[list[str]]:
        if not self.keep_key:
            return []
        rows = [list(row) for row in self.pseudonyms.key[self.told :]]
        self.told += len(rows)
        return rows


# ---- show: one picture for somebody who asks ------------------------------------------------------------------------


class Show:
    """One picture of a file, as a cohort would keep it; the pixels follow the line."""

    def __init__(self, setup: Message, alive: Callable[[], None]) -> None:
        self.reading = Reading(**setup["reading"])

    def __call__(self, job: Message) -> tuple[Message, bytes]:
        decoded = images.read(_bytes(job), job["name"], self.reading)
        picture = decoded.pixels if job.get("full") else shrunk(decoded.pixels)
        facts = {key: value for key, value in decoded.facts.items() if value not in (None, "")}
        answer = {"shape": list(picture.shape), "facts": facts, "bytes": picture.size}
        return answer, np.ascontiguousarray(picture).tobytes()


# ---- ask: what a model is asked about -------------------------------------------------------------------------------


class Ask:
    """All pictures of a file as the cohort would read them, with what they look like and who they are of, in codes; the
    pixels follow the line: as a cohort would keep them (`whole`), or at once as the network wants them."""

    def __init__(self, setup: Message, alive: Callable[[], None]) -> None:
        self.alive = alive
        self.reading = Reading(**setup["reading"])
        self.pseudonyms = Pseudonyms(bytes.fromhex(setup["salt"]))
        self.size, self.channels, self.whole = int(setup["size"]), int(setup["channels"]), bool(setup["whole"])

    def __call__(self, job: Message) -> tuple[Message, bytes]:
        data = _bytes(job)
        pictures: list[Message] = []
        payload: list[bytes] = []
        for decoded in images.read_all(data, job["name"], self.reading):
            picture = shrunk(decoded.pixels)
            pictures.append(self._said(decoded, picture))
            if not (self.whole or job.get("whole")):
                picture = stretched(picture, 1 if picture.ndim == 2 else self.channels, self.size)
            pictures[-1]["shape"] = list(picture.shape)
            payload.append(np.ascontiguousarray(picture).tobytes())
            if len(pictures) > 1:
                self.alive()
        if not pictures:
            raise BadInput("There is no picture in the file.", "Leave it out.")
        whole = b"".join(payload)
        return {"sha256": hashlib.sha256(data).hexdigest(), "pictures": pictures, "bytes": len(whole)}, whole

    def _said(self, decoded: Decoded, picture: Picture) -> Message:
        known = {"width", "height", "modality", "body", "format"}
        facts = {key: value for key, value in decoded.facts.items() if key in known and value not in (None, "")}
        return {
            "facts": facts,
            "frame": decoded.frame,
            "patient": self.pseudonyms.patient(decoded.identity.patient),
            "group": self.pseudonyms.group(decoded.group) if decoded.group not in ("", "file") else decoded.group,
            "looks": appearance(picture).plain(),
        }


# ---- refer: one picture, and what a DICOM object says of the file it is about ---------------------------------------


class Refer:
    """One picture at its full size; of a DICOM file also its header as DICOM JSON and its range of values."""

    def __init__(self, setup: Message, alive: Callable[[], None]) -> None:
        self.alive = alive
        self.reading = Reading(**setup["reading"])
        self.pseudonyms = Pseudonyms(bytes.fromhex(setup["salt"]))

    def __call__(self, job: Message) -> tuple[Message, bytes]:
        from medtl.cohorts.formats import header

        data = _bytes(job)
        decoded = self._picture(data, job)
        answer: Message = {"shape": list(decoded.pixels.shape), "frame": decoded.frame, "bytes": decoded.pixels.size}
        answer["burned_in"] = decoded.facts.get("burned_in", "")
        if decoded.facts.get("format") != "DICOM":
            return {**answer, "header": None, "range": None}, np.ascontiguousarray(decoded.pixels).tobytes()
        answer["range"] = header.stored_range(data, decoded.frame)
        if not job["keep"]:
            data = deidentify.clean(data, "DICOM", self.pseudonyms, patient=decoded.identity.patient).data
        return {**answer, "header": header.of(data)}, np.ascontiguousarray(decoded.pixels).tobytes()

    def _picture(self, data: bytes, job: Message) -> Decoded:
        """Of several frames the one that is asked for, else the middle one."""
        if job["frame"] is None:
            return images.read(data, job["name"], self.reading)
        every = replace(self.reading, frames="each", slices=0)
        for decoded in images.read_all(data, job["name"], every):
            self.alive()
            if decoded.frame == job["frame"]:
                return decoded
        raise BadInput(f"There is no frame {job['frame'] + 1} in the file.", "Ask about the file again.")


# ---- blank: rectangles of stored originals --------------------------------------------------------------------------


class Blanked:
    """Blacks out rectangles of the pictures of an original and stores them, without loss, under their own hashes."""

    def __init__(self, setup: Message, alive: Callable[[], None]) -> None:
        folder = Path(setup["folder"])
        self.alive = alive
        self.writer = PixelWriter(folder / setup["shard"])
        self.originals = PackWriter(folder / PACK.format(setup["shard"]))
        self.reading = Reading(**setup["reading"])

    def __call__(self, job: Message) -> tuple[Message, bytes]:
        wanted: dict[int | None, list[tuple[str, list[list[float]]]]] = {}
        for case, frame, boxes in job["pictures"]:  # copies of one file are cases of their own
            wanted.setdefault(frame, []).append((case, boxes))
        done: list[Message] = []
        spans: dict[str, Span] = {}
        for decoded in images.read_all(_bytes(job), job["name"], self.reading):
            for case, boxes in wanted.pop(decoded.frame, ()):
                pixels = blanked(decoded.pixels, boxes)
                data = _png(pixels)
                at = f"{hashlib.sha256(data).hexdigest()}.png"
                spans[at] = self.originals.add(at, data)
                done.append({"case": case, "at": at, "row": self.writer.add(prepare(pixels))})
            self.alive()
        if wanted:
            raise BadInput("The original no longer holds this picture.", "Add the images again.")
        self.writer.flush()
        self.originals.flush()
        return {"pictures": done, "originals": spans}, b""


def blanked(picture: Picture, boxes: list[list[float]]) -> Picture:
    """A copy with black rectangles; boxes are (left, top, right, bottom) as shares, rounded outwards."""
    found = picture.copy()
    height, width = found.shape[:2]
    for left, top, right, bottom in boxes:
        rows = slice(int(np.floor(top * height)), int(np.ceil(bottom * height)))
        found[rows, int(np.floor(left * width)) : int(np.ceil(right * width))] = 0
    return found


def _png(pixels: Picture) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=3)
    return out.getvalue()


Desk = Callable[[Message], tuple[Message, bytes]]
DESKS: dict[str, Callable[[Message, Callable[[], None]], Desk]] = {
    "keep": Keep, "show": Show, "ask": Ask, "refer": Refer, "blank": Blanked,
}  # fmt: skip

if __name__ == "__main__":
    main(int(sys.argv[1]))
