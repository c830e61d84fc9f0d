"""How a run is doing, read from its folder alone: pure functions of the events and of the lock its worker holds."""

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

from medtl.runs import events, locks, store
from medtl.runs.events import Event

Status = Literal["waiting", "running", "finished", "stopped", "failed", "interrupted"]
TERMINAL = frozenset({"finished", "stopped", "failed"})
REVIVES = frozenset({"queued", "resumed", "started"})
STARTING = 15.0  # seconds a process may take from being queued to showing life before it counts as lost
RECENT_EPOCHS = 5  # the first epochs are slower (caches, memory); the time left is told from the last ones

INTERRUPTED = (
    "Interrupted: its process ended without a word (the computer was switched off, or the process was killed)."
)
INTERRUPTED_ADVICE = "Resume it: it goes on from its last checkpoint. Or delete it."


@dataclass(frozen=True)
class EpochPoint:
    """One point of the curves. None where the number was not finite; `best` says whether this epoch was kept."""

    epoch: int
    train_loss: float | None
    tune_loss: float | None
    tune_auroc: float | None
    best: bool
    plan_step: int = 0


@dataclass(frozen=True)
class Progress:
    """All that the page draws of a run under way.

    `says` is the headline; `fraction` (0 to 1) and `seconds_left` are those of the present phase, None while
    unknown; `position` is the number of runs before this one. `alive` is told apart from `status`, as a run that
    was stopped goes on for some seconds to evaluate what it kept.
    """

    status: Status
    alive: bool
    says: str
    fraction: float | None = None
    phase: str = ""
    plan_step: int = 0
    history: tuple[EpochPoint, ...] = ()
    position: int = 0
    seconds_left: float | None = None
    notes: tuple[str, ...] = ()
    message: str = ""
    advice: str = ""


def alive(folder: Path) -> bool:
    """Whether the worker's process lives. The lock goes with the process, so `kill -9` shows at once."""
    return locks.is_held(folder / store.LIFE)


def status(folder: Path) -> Status:
    """One word for the run; the lock is looked at first, so that a run ending just now is not called interrupted."""
    living = alive(folder)
    return _judge(events.read(folder, skip=("step", "phase", "epoch")), living)


def progress(folder: Path) -> Progress:
    """How far the run is. Any subset of the events will do: a run killed between two of them is still drawn."""
    living = alive(folder)
    told = events.read(folder)
    state = _judge(told, living)
    last = next((event for event in reversed(told) if event["event"] == state), {})
    now = _since_started(told)
    moving = living and state in ("running", "stopped")
    at = next((event for event in reversed(now) if event["event"] in ("step", "epoch", "phase")), {}) if moving else {}
    left = _seconds_left(now, at)
    position = _position(told) if state == "waiting" else 0
    failure = (INTERRUPTED, INTERRUPTED_ADVICE) if state == "interrupted" else ("", "")
    if state == "failed":
        failure = (str(last.get("message", "The run failed.")), str(last.get("advice", "")))
    return Progress(
        status=state,
        alive=living,
        says=_says(state, living, store.stop_requested(folder), last, at, left, position, failure[0]),
        fraction=1.0 if state == "finished" else _fraction(at),
        phase="fit" if at.get("event") in ("step", "epoch") else str(at.get("phase", "")),
        plan_step=_whole(next((event["plan_step"] for event in reversed(now) if "plan_step" in event), 0)),
        history=_history(told),
        position=position,
        seconds_left=left,
        notes=tuple(str(event["message"]) for event in told if event["event"] == "note" and "message" in event),
        message=failure[0],
        advice=failure[1],
    )


def last_attempt(told: Sequence[Event]) -> Sequence[Event]:
    """The events since the run was queued last: a run that is resumed waits and starts again."""
    return told[_last_index(told, {"queued"}) or 0 :]


def duration(seconds: float) -> str:
    """As people say it: "40 s", "3 min", "1 h 20 min"; rounded up to what can be promised."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 57:
        return f"{5 * round(seconds / 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _judge(told: Sequence[Event], living: bool) -> Status:
    ended = _last_index(told, TERMINAL)
    revived = _last_index(told, REVIVES)
    if ended is not None and (revived is None or revived < ended):
        return cast(Status, told[ended]["event"])
    begun = any(event["event"] in ("started", "resumed") for event in last_attempt(told))
    if living:
        return "running" if begun else "waiting"
    queued = _last_index(told, {"queued"})
    return "waiting" if queued is not None and not begun and _just_now(told[queued]) else "interrupted"


def _just_now(event: Event) -> bool:
    """Less than 15 s ago by either clock: the time of day may have been set meanwhile, the steady one restarts."""
    ages = []
    if isinstance(event.get("t"), (int, float)):
        ages.append(time.monotonic() - event["t"])
    if isinstance(event.get("at"), str):
        with contextlib.suppress(ValueError):  # not a time: the other clock decides
            ages.append(time.time() - datetime.fromisoformat(event["at"]).timestamp())
    return any(0 <= age < STARTING for age in ages)


def _last_index(told: Sequence[Event], names: Iterable[str]) -> int | None:
    return next((i for i in range(len(told) - 1, -1, -1) if told[i]["event"] in names), None)


def _since_started(told: Sequence[Event]) -> Sequence[Event]:
    """Only these share one process, and so one pace."""
    begun = _last_index(told, {"started", "resumed"})
    return told[begun:] if begun is not None else ()


def _position(told: Sequence[Event]) -> int:
    return _whole(next((e.get("position") for e in reversed(last_attempt(told)) if e["event"] == "waiting"), 0))


def _history(told: Sequence[Event]) -> tuple[EpochPoint, ...]:
    """One point an epoch and plan step; what a resumed run does over replaces what it had done after the checkpoint."""
    points: dict[tuple[int, int], EpochPoint] = {}
    for event in told:
        if event["event"] == "resumed":
            kept, step = _whole(event.get("epoch")), max((key[0] for key in points), default=0)
            points = {key: point for key, point in points.items() if key <= (event.get("plan_step", step), kept)}
        elif event["event"] == "epoch" and "epoch" in event:
            point = _point(event)
            points[point.plan_step, point.epoch] = point
    return tuple(points[key] for key in sorted(points))


def _point(event: Event) -> EpochPoint:
    return EpochPoint(
        epoch=_whole(event["epoch"]),
        train_loss=_number(event.get("train_loss")),
        tune_loss=_number(event.get("tune_loss")),
        tune_auroc=_number(event.get("tune_auroc")),
        best=bool(event.get("best")),
        plan_step=_whole(event.get("plan_step")),
    )


def _fraction(at: Event) -> float | None:
    """Share of the present phase that is done; for gradient descent, of all its epochs."""
    if at.get("event") == "phase":
        done, total = _number(at.get("done")), _number(at.get("total"))
        return min(1.0, done / total) if done is not None and total and total > 1 else None
    epoch, epochs = _number(at.get("epoch")), _number(at.get("epochs"))
    if epoch is None or not epochs:
        return None
    turn, turns = _turns(at)
    step, steps = _number(at.get("step")), _number(at.get("steps"))
    within = 1.0 if at["event"] == "epoch" else step / steps if step is not None and steps else 0.0
    return min(1.0, (turn - 1 + (epoch - 1 + within) / epochs) / turns)


def _turns(at: Event) -> tuple[int, int]:
    """Which training this is and how many there will be, where the tune part is learned from in a second one."""
    return _whole(at.get("turn")) or 1, _whole(at.get("turns")) or 1


def _seconds_left(now: Sequence[Event], at: Event) -> float | None:
    """From the mean of the last epochs, else from the pace of the present phase since its first event."""
    fraction = _fraction(at)
    if fraction is None:
        return None
    whole = [e for e in now if e["event"] == "epoch" and e.get("plan_step") == at.get("plan_step")]
    seconds = [s for e in whole[-RECENT_EPOCHS:] if (s := _number(e.get("seconds"))) is not None]
    epochs = _number(at.get("epochs"))
    if at.get("event") in ("step", "epoch") and seconds and epochs:
        return (1 - fraction) * _turns(at)[1] * epochs * sum(seconds) / len(seconds)
    kind = ("phase",) if at.get("event") == "phase" else ("step", "epoch")
    same = [e for e in now if e["event"] in kind and all(e.get(k) == at.get(k) for k in ("phase", "plan_step"))]
    first, last = _number(same[0].get("t")), _number(at.get("t"))
    begun = _fraction(same[0])
    if first is None or last is None or begun is None or fraction <= begun or last <= first:
        return None
    return (1 - fraction) * (last - first) / (fraction - begun)


def _says(
    state: Status, living: bool, stopping: bool, last: Event, at: Event, left: float | None, position: int, failure: str
) -> str:
    if state in ("failed", "interrupted"):
        return failure
    if state == "finished":
        took = _number(last.get("seconds"))
        return "Finished." if took is None else f"Finished in {duration(took)}."
    if state == "stopped":
        said = str(last.get("says") or "Stopped; the best so far was kept.")
        return f"{said} Now trying what was kept on the test part." if living else said
    if stopping:
        return "Stopping, and keeping the best so far."
    if state == "waiting":
        return _waiting(position)
    return _doing(at) + (f", about {duration(left)} left" if left is not None and left >= 1 else "")


def _waiting(position: int) -> str:
    if not position:
        return "Starting."
    return f"Waiting for the computer: {position} {'run' if position == 1 else 'runs'} before this one."


def _doing(at: Event) -> str:
    if at.get("event") in ("step", "epoch"):
        if not at.get("epochs"):
            return "Training"
        again = "Once more, with the tuning part: epoch" if _turns(at)[0] > 1 else "Epoch"
        return f"{again} {_whole(at.get('epoch'))} of {_whole(at.get('epochs'))}"
    said = str(at.get("says") or "Starting").rstrip(".")
    done, total = _number(at.get("done")), _number(at.get("total"))
    return f"{said}, {done:.0f} of {total:.0f}" if done is not None and total and total > 1 else said


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
