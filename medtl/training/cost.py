"""How long a plan will take here, before it starts: from what this computer did so far, else from the work itself."""

import json
from dataclasses import dataclass

from medtl.training.machine import machine
from medtl.vocabulary import Cohort, Outline, Plan, Solve, Source, Train
from medtl.workspace import Workspace, write_whole

# GFLOP a second this computer is taken to manage before it was measured. Networks of thin convolutions are bound by
# memory and reach about a third of what plain ones do (docs/benchmarks.md); EfficientNetV2 is not thin in its first
# stages, where the work is.
_PER_CORE = {"thin": 25.0, "plain": 80.0}
_GPU = {"thin": 3_000.0, "plain": 20_000.0}
_THIN = ("mobilenet", "efficientnet_b", "mnasnet", "shufflenet", "squeezenet")
_START = 6.0  # starting the process and reading the cohort
_BACKWARD = 2.0  # a training pass costs this much more than a forward pass, per trained stage


@dataclass(frozen=True)
class Cost:
    """`measured` says whether the estimate rests on earlier runs of this source's network on this computer."""

    seconds: float
    measured: bool

    @property
    def says(self) -> str:
        basis = "measured on this computer before" if self.measured else "a first guess for this computer"
        return f"{in_words(self.seconds)} ({basis})"


def estimate(workspace: Workspace, cohort: Cohort, source: Source, plan: Plan) -> Cost:
    """The cost of carrying out `plan` on `cohort`."""
    seconds = work(cohort, source.outline, plan)
    known = _speeds(workspace).get(_key(source.builder))
    gflops = known or _guess(source.builder)
    return Cost(_START + seconds / gflops, known is not None)


def work(cohort: Cohort, outline: Outline, plan: Plan) -> float:
    """GFLOP of a plan: every case once for the features, every epoch forward and backward through what trains."""
    trainings = [step for step in plan if isinstance(step, Train)]
    total = len(cohort.cases) * outline.gflop  # scoring at the end, or the features of a frozen source
    if trainings and any(isinstance(step, Solve) for step in plan):
        total *= 2  # both
    return total + sum(_training(cohort, outline, step) for step in trainings)


def _training(cohort: Cohort, outline: Outline, step: Train) -> float:
    """GFLOP of one training. What the stages before the first that trains see is worked out anew in each epoch, or of
    kept views once; all from there on are gone through backwards, whatever of them trains."""
    train, tune = len(cohort.split.train), len(cohort.split.tune)
    names = {rate.stage for rate in step.rates}
    first = next((i for i, stage in enumerate(outline.stages) if stage.name in names), len(outline.stages))
    moving = sum(stage.gflop for stage in outline.stages[first:])
    still = outline.gflop - moving
    below = step.views * train + tune if step.views and first else step.epochs * (train + tune)
    return below * still + step.epochs * (train * (1 + _BACKWARD) + tune) * moving


def remember(workspace: Workspace, builder: str, gflop: float, seconds: float) -> None:
    """Note how fast a run really was; later estimates lean on it (half on the newest)."""
    if seconds < 2 or gflop <= 0:
        return  # too short to tell
    speeds = _speeds(workspace)
    now, before = gflop / seconds, speeds.get(_key(builder))
    speeds[_key(builder)] = now if before is None else (now + before) / 2
    write_whole(workspace.speed_file, json.dumps(speeds, indent=1))


def in_words(seconds: float) -> str:
    if seconds < 50:
        return f"about {max(5, round(seconds / 5) * 5)} seconds"
    if seconds < 100:
        return "about a minute and a half" if seconds > 75 else "about a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.0f} hours"


def _key(builder: str) -> str:
    return f"{'gpu' if machine().gpu else 'cpu'}:{builder}"


def _guess(builder: str) -> float:
    kind = "thin" if builder.startswith(_THIN) else "plain"
    return _GPU[kind] if machine().gpu else _PER_CORE[kind] * machine().cores


def _speeds(workspace: Workspace) -> dict[str, float]:
    try:
        speeds = json.loads(workspace.speed_file.read_text())
        return {key: float(value) for key, value in speeds.items() if float(value) > 0}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # never measured, or unreadable: a guess is made instead
