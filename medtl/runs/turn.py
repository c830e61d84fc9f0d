"""One run computes at a time: proof of life, and taking turns in order of creation. Doesn't know what is computed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medtl.errors import NotFound, NotReady
from medtl.runs import events, locks, store
from medtl.runs.status import TERMINAL, last_attempt

PAUSE = 0.2  # seconds between two looks
STARTING = 3.0  # seconds an older run may take from being queued to showing life before a younger one passes it


class Stopped(Exception):
    """The user asked to stop while the run was waiting for its turn. Not an error: nothing was begun."""


@contextmanager
def hold_life(folder: Path) -> Iterator[None]:
    """Hold worker.lock for the length of the block: as long as it is held, the run is alive; no other proof exists.

    Take it before anything slow is imported, so that the run is seen to live early.
    """
    if not folder.is_dir():
        raise NotFound("There is no such run.", "Pick one from the Library.")
    with locks.held(folder / store.LIFE, patience=2.0) as got:
        if not got:
            raise NotReady(
                "This run is already being carried out by another process.", "Wait for it, or stop it first."
            )
        yield


@contextmanager
def wait_for_turn(
    folder: Path, device_lock: Path, should_stop: Callable[[], bool], on_wait: Callable[[int], None]
) -> Iterator[None]:
    """Hold the computer alone for the length of the block; wait until the runs made earlier have had their turn.

    `on_wait` gets the number of runs before this one, at first and whenever it changes, and is not called when
    there is none. `should_stop` ends the wait with `Stopped`. The lock goes with its holder, so when a run
    is killed the next one takes over.
    """
    told = 0
    while True:
        if should_stop():
            raise Stopped
        before = _queued_before(folder)
        if not before:
            with locks.held(device_lock, patience=0.05) as got:
                if got:
                    device_lock.write_text(folder.name)  # only to count runs before us; the lock itself is the truth
                    yield
                    return
        before = before | _holder(device_lock, folder.parent)
        if before and len(before) != told:
            told = len(before)
            on_wait(told)
        time.sleep(PAUSE)


def others_wait(folder: Path) -> bool:
    """Whether another run, older or younger, waits for the computer: what nobody asked for gives way to it."""
    others = (folder.parent / id for id in store.ids(folder.parent) if id != folder.name)
    return any(_still_to_begin(place) for place in others)


def _queued_before(folder: Path) -> frozenset[str]:
    """Ids of runs made earlier that live, or are about to, and haven't begun."""
    older = (folder.parent / id for id in store.ids(folder.parent) if id < folder.name)
    return frozenset(place.name for place in older if _still_to_begin(place))


def _still_to_begin(place: Path) -> bool:
    living = locks.is_held(place / store.LIFE)
    if not (living or _told_just_now(place)):
        return False
    told = {event["event"] for event in last_attempt(events.read(place, skip=("step", "phase")))}
    if not living and "waiting" in told:  # it had shown life already, and lost it
        return False
    return "queued" in told and "started" not in told and not told & TERMINAL


def _told_just_now(place: Path) -> bool:
    try:
        return abs(time.time() - (place / events.FILE).stat().st_mtime) < STARTING
    except FileNotFoundError:
        return False


def _holder(device_lock: Path, runs: Path) -> frozenset[str]:
    """Who computes now. A name left by an earlier holder, where the present one has not written its own yet, is no run
    before this one."""
    if not locks.is_held(device_lock):
        return frozenset()
    name = device_lock.read_text()
    if name and (runs / name).is_dir() and not locks.is_held(runs / name / store.LIFE):
        return frozenset()
    return frozenset({name or "another run"})
