"""How long a plan will take here, before it starts: from what this computer did so far, else from a short calibration,
else from the work itself. No torch.

Forward and training are told apart: how much dearer a training pass is differs from network to network.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from medtl.training.machine import machine
from medtl.vocabulary import Blend, Cohort, Look, Outline, Plan, PseudoLabel, Reinitialise, Solve, Source, Train
from medtl.workspace import Workspace, write_whole

# GFLOP a second this computer is taken to manage before it was measured. Networks of thin convolutions are bound by
# memory and reach about a third of what plain ones do (docs/benchmarks.md); EfficientNetV2 is not thin in its first
# stages, where the work is.
_PER_CORE = {"thin": 25.0, "plain": 80.0}
_GPU = {"thin": 3_000.0, "plain": 20_000.0}
_THIN = ("mobilenet", "efficientnet_b", "mnasnet", "shufflenet", "squeezenet")
_TRAINING = 0.7  # of the forward pace, where only that is known
_REST = 8.0  # seconds for all but looking and training, before a run has told: starting, reading, judging
# A training pass in forward passes of the stages that train: forward, gradient of the input, gradient of the values.
_PASSES = {"all": 3.0, "low-rank": 2.5, "norms": 2.2, "biases": 2.2}
_SHORTEST = 1.0  # seconds; what took less tells nothing of the pace

Kind = Literal["forward", "training"]
Basis = Literal["measured", "calibrated", "guess"]
_WORDS = {
    "measured": "measured on this computer before",
    "calibrated": "tried out on this computer",
    "guess": "a first guess for this computer",
}


@dataclass(frozen=True)
class Work:
    """GFLOP: `forward` without gradients, `training` through the stages that train, forward and back."""

    forward: float = 0.0
    training: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.forward + other.forward, self.training + other.training)

    def __mul__(self, times: float) -> "Work":
        return Work(self.forward * times, self.training * times)

    @property
    def total(self) -> float:
        return self.forward + self.training


@dataclass(frozen=True)
class Speed:
    """GFLOP a second of one source's network here, each with what it rests on."""

    forward: float
    training: float
    forward_basis: Basis = "guess"
    training_basis: Basis = "guess"

    def seconds(self, work: Work) -> float:
        return work.forward / self.forward + work.training / self.training

    def basis(self, work: Work) -> Basis:
        """The weakest of what the estimate leans on."""
        leans: list[Basis] = [self.forward_basis] if work.forward else []
        leans += [self.training_basis] if work.training else []
        return max(leans or [self.forward_basis], key=tuple(_WORDS).index)


@dataclass(frozen=True)
class Cost:
    """`basis` says what it rests on. `first` is what it takes at least to have learned anything: as `seconds`, but with
    one epoch of the first training only. `fallback`: what is there when not even that was done."""

    seconds: float
    basis: Basis = "guess"
    first: float = 0.0
    fallback: str = ""

    @property
    def measured(self) -> bool:
        return self.basis == "measured"

    @property
    def says(self) -> str:
        return f"{in_words(self.seconds)} ({_WORDS[self.basis]})"

    def over(self, budget: float) -> str:
        """What a budget of so many seconds means for this plan, in a sentence; empty where it fits or there is none."""
        if not budget or self.seconds <= budget:
            return ""
        takes = f"This takes {in_words(self.seconds)} here, and {exactly(budget)} are given"
        if not self.first:
            return f"{takes}: looking at every image once is not cut short."
        if self.first <= budget:
            return f"{takes}: training will end with the best until then."
        if self.fallback:
            return f"{takes}, too little for one epoch ({in_words(self.first)}): {self.fallback}"
        return f"{takes}, too little for one epoch ({in_words(self.first)}): there may be nothing to keep."


def estimate(workspace: Workspace, cohort: Cohort, source: Source, plan: Plan, known: int = 0) -> Cost:
    """The cost of carrying out `plan` on `cohort`; `known` of its cases have their features in the cache."""
    speed, rest = speed_of(workspace, source), _rest(workspace)
    whole = work(cohort, source.outline, plan, known)
    short = _first_epoch(plan)
    first = rest + speed.seconds(work(cohort, source.outline, short, known)) if short else 0.0
    fallback = "the result will be that of training only the last layer." if _solved_before(plan) else ""
    return Cost(rest + speed.seconds(whole), speed.basis(whole), first, fallback)


def work(cohort: Cohort, outline: Outline, plan: Plan, known: int = 0) -> Work:
    """Features of every case where a head is solved (but for the `known`), every epoch forward and back through what
    trains, and every case once more in the end where the trunk has moved."""
    cases, gflop = len(cohort.cases), outline.gflop
    solves = any(isinstance(step, (Solve, PseudoLabel)) for step in plan)
    looks = 1 + max((step.times for step in plan if isinstance(step, Look)), default=0)
    moves = any(isinstance(step, Train) and any(rate.stage != "head" for rate in step.rates) for step in plan)
    known = 0 if any(isinstance(step, Reinitialise) for step in plan) else min(known, cases)
    total = Work((looks * cases - known) * gflop if solves or not moves else 0.0)
    for step in plan:
        if isinstance(step, Train):
            total += training(cohort, outline, step)
        elif isinstance(step, Blend):
            total += Work(len(step.shares) * len(cohort.split.tune) * gflop)
    return total + Work(looks * cases * gflop if moves else 0.0)


def training(cohort: Cohort, outline: Outline, step: Train) -> Work:
    """One training step, the looks at the tune part included, and the second training where that part is learned from.
    Stages below the first that trains only go forward: in every epoch, or once for each of the kept views."""
    train, tune = len(cohort.split.train), len(cohort.split.tune)
    below, moving = divided(outline, step)
    epoch = Work(tune * moving, train * moving * _PASSES[step.what])
    again = Work(0.0, (train + tune) * moving * _PASSES[step.what]) if step.learn_tune else Work()
    if step.views:
        below_once = (step.views * train + tune) * below * (2 if step.learn_tune else 1)
        return Work(below_once) + (epoch + again) * step.epochs
    below_again = (train + tune) * below if step.learn_tune else 0.0
    return (Work((train + tune) * below + below_again) + epoch + again) * step.epochs


def divided(outline: Outline, step: Train) -> tuple[float, float]:
    """GFLOP of a case in the stages before the first that trains, and from there on."""
    names = {rate.stage for rate in step.rates}
    first = next((i for i, stage in enumerate(outline.stages) if stage.name in names), len(outline.stages))
    return sum(stage.gflop for stage in outline.stages[:first]), sum(stage.gflop for stage in outline.stages[first:])


def evaluation(workspace: Workspace, cohort: Cohort, source: Source) -> float:
    """Seconds to keep free for scoring every case and judging, once training has ended."""
    return speed_of(workspace, source).seconds(Work(len(cohort.cases) * source.outline.gflop)) + 3.0


# ---- what this computer did so far -----------------------------------------------------------------------------------


def remember(
    workspace: Workspace, source: Source, gflop: float, seconds: float,
    kind: Kind = "forward", basis: Basis = "measured",
) -> None:  # fmt: skip
    """Note how fast it really was; later estimates lean on it (half on the newest). What runs measured is not replaced
    by a calibration, but replaces one."""
    if seconds < _SHORTEST or gflop <= 0:
        return
    notes, key = _notes(workspace), f"{_key(source)}:{kind}"
    before = notes.get(key)
    if before and before["basis"] == "measured" and basis != "measured":
        return
    now = gflop / seconds
    if before and before["basis"] == basis:
        now = (now + before["value"]) / 2
    _note(workspace, key, now, basis)


def trained(workspace: Workspace, source: Source, step: Train, pictures: int, seconds: float) -> tuple[float, float]:
    """GFLOP and seconds of the stages that train, out of a training of so many pictures; (0, 0) where the others took
    most of the time, so that little can be told."""
    below, moving = divided(source.outline, step)
    forward = 0.0 if step.views else speed_of(workspace, source).seconds(Work(pictures * below))
    if forward > seconds / 2:
        return 0.0, 0.0
    return pictures * moving * _PASSES[step.what], seconds - forward


def remember_rest(workspace: Workspace, seconds: float) -> None:
    """Note what a run took for all but looking and training."""
    before = _notes(workspace).get(_REST_KEY)
    _note(workspace, _REST_KEY, (seconds + before["value"]) / 2 if before else seconds, "measured")


def speed_of(workspace: Workspace, source: Source) -> Speed:
    """As known, else as guessed from the kind of network; the pace of training from the other where only that is
    known."""
    notes, key = _notes(workspace), _key(source)
    forward, training = notes.get(f"{key}:forward"), notes.get(f"{key}:training")
    pace = forward["value"] if forward else training["value"] / _TRAINING if training else _guess(source.builder)
    return Speed(
        forward=pace,
        training=training["value"] if training else pace * _TRAINING,
        forward_basis=forward["basis"] if forward else "guess",
        training_basis=training["basis"] if training else "guess",
    )


def in_words(seconds: float) -> str:
    if seconds < 50:
        return f"about {max(5, round(seconds / 5) * 5)} seconds"
    if seconds < 100:
        return "about a minute and a half" if seconds > 75 else "about a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.0f} hours"


def exactly(seconds: float) -> str:
    """A time somebody set, as it was set: "90 seconds", "10 minutes"."""
    for length, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _first_epoch(plan: Plan) -> Plan:
    """The plan up to one epoch of its first training; empty where nothing is trained by gradient descent."""
    first = next((i for i, step in enumerate(plan) if isinstance(step, Train)), None)
    if first is None:
        return ()
    step = plan[first]
    assert isinstance(step, Train)
    return (*plan[:first], dataclasses.replace(step, epochs=1))


def _solved_before(plan: Plan) -> bool:
    first = next((i for i, step in enumerate(plan) if isinstance(step, Train)), len(plan))
    return any(isinstance(step, Solve) for step in plan[:first])


def _key(source: Source) -> str:
    """Of the network, not of its weights; a size of its own where pictures are shown to it at one."""
    network = f"{source.builder}-{source.sha256[:8]}" if source.graph else source.builder
    return f"{_place()}:{network}@{source.input.size}"


def _place() -> str:
    return "gpu" if machine().gpu else "cpu"


_REST_KEY = "rest"


def _guess(builder: str) -> float:
    kind = "thin" if builder.startswith(_THIN) else "plain"
    return _GPU[kind] if machine().gpu else _PER_CORE[kind] * machine().cores


def _rest(workspace: Workspace) -> float:
    known = _notes(workspace).get(_REST_KEY)
    return float(known["value"]) if known else _REST


def _note(workspace: Workspace, key: str, value: float, basis: Basis) -> None:
    notes = {name: [note["value"], note["basis"]] for name, note in _notes(workspace).items()}
    write_whole(workspace.speed_file, json.dumps(notes | {key: [value, basis]}, indent=1))


def _notes(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """What is known by key: value and basis. Never measured, or unreadable: nothing, and a guess is made instead."""
    try:
        said = json.loads(workspace.speed_file.read_text())
        pairs = {key: pair for key, pair in said.items() if isinstance(pair, list) and len(pair) == 2}
        found = {key: {"value": float(value), "basis": basis} for key, (value, basis) in pairs.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {
        key: note for key, note in found.items()
        if note["value"] > 0 and math.isfinite(note["value"]) and note["basis"] in _WORDS
    }  # fmt: skip
