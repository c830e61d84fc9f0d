"""Starts the processes that open untrusted files (`reader`), hands them work, and outlives them.

Files go over in handfuls and answers come back in handfuls. When a process hangs or dies, what it left unanswered is
asked again one by one, so that the file at fault is named and skipped and the rest goes on with a new process. Nothing
that came from outside is parsed here except the JSON of those processes, and nothing is known of cohorts.
"""

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from medtl.cohorts import limits
from medtl.cohorts.archive import Place
from medtl.cohorts.formats.images import Picture
from medtl.errors import BadInput, MedtlError
from medtl.vocabulary import Reading
from medtl.workspace import PROJECT

Job = dict[str, Any]
Answer = dict[str, Any]

MOST = 4  # processes
TOGETHER = 64  # files handed over at once at most; small ones take less time than asking does
TURNS = 8  # handfuls for each process at least, so that all end at about the same time
FEW = 16  # files for which one process is enough
START_SECONDS = 90.0  # to load numpy and Pillow on a busy computer
HUNG = ("It could not be read in {:.0f} seconds.", "Export it again, or leave it out.")
DIED = ("The program that reads it came to a sudden end at this file.", "Export it again, or leave it out.")


def job(number: int, name: str, place: Place, **more: Any) -> Job:
    return {"job": number, "name": name, "path": place.path, "member": place.member, "span": place.span, **more}


def answers(setup: Mapping[str, Any], jobs: Sequence[Job], shard: Callable[[], str]) -> Iterator[Answer]:
    """One answer for each job, in no order; `shard()` names a new file for each process that is started.

    An answer is what the desk said, with "shard" added, or {"job", "skipped": [reason, advice]}.
    """
    count = max(1, min(MOST, os.cpu_count() or 1, -(-len(jobs) // FEW)))
    together = max(1, min(TOGETHER, len(jobs) // (count * TURNS)))
    waiting = iter(jobs)
    lock = threading.Lock()
    found: queue.Queue[list[Answer] | BaseException | None] = queue.Queue(maxsize=4 * count)
    stop = threading.Event()

    def take() -> list[Job]:
        with lock:
            return [] if stop.is_set() else list(islice(waiting, together))

    def work() -> None:
        crew = _Crew(setup, shard, stop)
        try:
            while handful := take():
                for told in crew.answers(handful):
                    found.put(told)
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            found.put(error)
        finally:
            crew.dismiss()
            found.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield from _until_all_are_done(found, count)
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            with suppress(queue.Empty):
                found.get(timeout=0.05)


def _until_all_are_done(found: "queue.Queue[list[Answer] | BaseException | None]", count: int) -> Iterator[Answer]:
    while count:
        told = found.get()
        if told is None:
            count -= 1
        elif isinstance(told, BaseException):
            raise told
        else:
            if any("full" in answer for answer in told):
                raise MedtlError(
                    "The disk is full; nothing was stored.",
                    "Delete cohorts or runs that are no longer needed, or choose another folder with --home DIR.",
                )
            yield from told


class Shower:
    """Pictures of single files, read by one process that stays warm."""

    def __init__(self, reading: Reading = Reading()) -> None:
        self._crew = _Crew({"desk": "show", "reading": asdict(reading)}, lambda: "", threading.Event())

    def picture(self, at: Path | Place, name: str = "", full: bool = False) -> tuple[Picture, dict[str, Any]]:
        """uint8 (H, W) or (H, W, 3), longer side at most 512 unless `full`, and facts. BadInput as `images.read`."""
        place = at if isinstance(at, Place) else Place(str(at.resolve()))
        ((answer,),) = self._crew.answers([job(0, name or Path(place.path).name, place, full=full)])
        if "skipped" in answer:
            raise BadInput(*answer["skipped"])
        flat = np.frombuffer(answer["payload"], np.uint8)
        return flat.reshape(answer["shape"]).copy(), answer["facts"]

    def close(self) -> None:
        self._crew.dismiss()


class Asker:
    """Pictures of files that a model is asked about. A few come from one process that stays warm, many from several
    that read ahead while somebody computes.

    A file of more than FRAMES pictures gives so many, evenly spaced: what is read must fit the memory.
    """

    FRAMES = 200

    def __init__(self, reading: Reading, salt: bytes, size: int, channels: int) -> None:
        slices = min(reading.slices or self.FRAMES, self.FRAMES)
        self._setup = {
            "desk": "ask", "reading": asdict(replace(reading, slices=slices)), "salt": salt.hex(),
            "size": size, "channels": channels, "whole": False,
        }  # fmt: skip
        self._crew = _Crew(self._setup, lambda: "", threading.Event())

    def warm(self) -> None:
        """Start the process that stays."""
        self._crew.begin()

    def few(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        for told in self._crew.answers(jobs):
            yield from told

    def many(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        """In no order; however many there are, a few wait to be taken."""
        return answers(self._setup, jobs, lambda: "")

    def close(self) -> None:
        self._crew.dismiss()


@dataclass(frozen=True)
class Referred:
    """A picture, uint8 (H, W) or (H, W, 3) at full size, and what a DICOM file says: `frame` counts from 0, `header` is
    DICOM JSON, `range` the darkest and brightest value as stored (None of a coloured one), `burned_in` whether a name
    may stand in the pixels: "yes", "likely" or ""."""

    picture: Picture
    frame: int | None
    header: dict[str, Any] | None
    range: tuple[float, float] | None
    burned_in: str


class Referrer:
    """Pictures of single files with what a DICOM object must say of the file it is about. `salt` is the workspace's."""

    def __init__(self, salt: bytes, reading: Reading = Reading()) -> None:
        setup = {"desk": "refer", "reading": asdict(reading), "salt": salt.hex()}
        self._crew = _Crew(setup, lambda: "", threading.Event())

    def original(self, path: Path, keep: bool, frame: int | None = None) -> Referred:
        """`keep` leaves who it is in the header; else codes stand there, the same as in a cohort of this workspace.
        `frame` counts from 0; of several the middle one if not said."""
        ((answer,),) = self._crew.answers([job(0, path.name, Place(str(path.resolve())), keep=keep, frame=frame)])
        if "skipped" in answer:
            raise BadInput(*answer["skipped"])
        flat = np.frombuffer(answer["payload"], np.uint8)
        picture = flat.reshape(answer["shape"]).copy()
        ends = tuple(answer["range"]) if answer["range"] else None
        return Referred(picture, answer["frame"], answer["header"], ends, answer["burned_in"])

    def close(self) -> None:
        self._crew.dismiss()


@contextmanager
def shower(reading: Reading = Reading()) -> Iterator[Shower]:
    desk = Shower(reading)
    try:
        yield desk
    finally:
        desk.close()


class _Crew:
    """One process at a time, replaced when a file has cost it its life."""

    def __init__(self, setup: Mapping[str, Any], shard: Callable[[], str], stop: threading.Event) -> None:
        self.setup = setup
        self.shard = shard
        self.stop = stop
        self.child: _Child | None = None

    def answers(self, jobs: Sequence[Job]) -> Iterator[list[Answer]]:
        """All at once; if that costs a process its life, what it left unanswered one by one."""
        left = {one["job"]: one for one in jobs}
        yield from self._told(left)
        for number, one in list(left.items()):
            if not self.stop.is_set():
                yield from self._told({number: one})

    def _told(self, left: dict[int, Job]) -> Iterator[list[Answer]]:
        """Takes out of `left` what is answered. One job alone is always answered, unless we are to stop."""
        alone = next(iter(left)) if len(left) == 1 else None
        try:
            self.begin()
            assert self.child is not None
            self.child.ask(list(left.values()))
            while left:
                told = self.child.answers(self.stop)
                for answer in told:
                    del left[answer["job"]]
                if told:
                    yield told
        except _Lost as lost:
            self.dismiss()
            if alone is not None and not self.stop.is_set():
                left.clear()
                yield [{"job": alone, "skipped": list(lost.says)}]

    def begin(self) -> None:
        if self.child is None:
            self.child = _Child({**self.setup, "shard": self.shard()})

    def dismiss(self) -> None:
        if self.child is not None:
            self.child.end()
            self.child = None


class _Lost(Exception):
    """The process hangs or is gone; `says` are reason and advice for the file it was at."""

    def __init__(self, says: tuple[str, str]) -> None:
        super().__init__(says[0])
        self.says = says


class _Child:
    """A reading process and the pipe it answers on."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.shard = setup["shard"]
        mine, its = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "medtl.cohorts.reader", str(its)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # decoders print what they like; it may quote a file
                stderr=subprocess.DEVNULL,
                pass_fds=[its],
                cwd=PROJECT,
                env={**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")},
            )
        finally:
            os.close(its)
        self.pipe = mine
        self.rest = b""
        self._tell({**setup, "seconds": limits.PARSE_SECONDS})
        try:
            self._line(START_SECONDS, threading.Event())
        except _Lost as lost:
            self.end()
            raise MedtlError(
                "The program that reads images does not start.", "Run `python -m medtl doctor` to see what is missing."
            ) from lost

    def ask(self, jobs: Sequence[Job]) -> None:
        self._tell(jobs)

    def answers(self, stop: threading.Event) -> list[Answer]:
        """The next ones; none when it only says that it lives, which starts the clock anew."""
        told: list[Answer] = json.loads(self._line(limits.PARSE_SECONDS, stop))
        for answer in told:
            answer["shard"] = self.shard
        if told and (size := told[-1].get("bytes")):
            told[-1]["payload"] = self._exactly(size, stop)
        return told

    def end(self) -> None:
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
        with suppress(OSError):
            os.close(self.pipe)

    def _tell(self, message: Mapping[str, Any] | Sequence[Job]) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # it is gone; the missing answer tells
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _line(self, seconds: float, stop: threading.Event) -> bytes:
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            self._more(until, seconds, stop)
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def _exactly(self, size: int, stop: threading.Event) -> bytes:
        until = time.monotonic() + limits.PARSE_SECONDS
        while len(self.rest) < size:
            self._more(until, limits.PARSE_SECONDS, stop)
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def _more(self, until: float, seconds: float, stop: threading.Event) -> None:
        while True:
            left = until - time.monotonic()
            if left <= 0 or stop.is_set():
                raise _Lost((HUNG[0].format(seconds), HUNG[1]))
            if select.select([self.pipe], [], [], min(left, 0.5))[0]:
                break
        data = os.read(self.pipe, 1 << 20)
        if not data:
            raise _Lost(DIED)
        self.rest += data
