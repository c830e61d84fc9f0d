"""From choices to a run: checks that it can be carried out, writes the recipe, starts the worker. No torch."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import medtl
from medtl import aids, rank, strategies
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError, NotReady
from medtl.modalities.image import keys
from medtl.runs import launch as launching
from medtl.runs import results, store, wishes
from medtl.sources import library as sources
from medtl.sources import resized
from medtl.strategies import uncertain as uncertain_labels
from medtl.strategies.strategy import Strategy
from medtl.training import cost
from medtl.training.features import FeatureCache
from medtl.vocabulary import Cohort, OperatingRule, Recipe, Source
from medtl.workspace import Workspace

Control = Literal["thumbnails", "from-scratch"]


@dataclass(frozen=True)
class Together:
    """The group a run is started in: the id of its first run (empty: this one is the first), whether the best on the
    tune part is the group's result, and the strategies from the one expected to be best."""

    group: str
    automatic: bool
    expected: tuple[str, ...]


FOLDS = 5  # of a cross-validation (medtl.training.cross_validation, which loads torch; a test holds the two together)
BUDGET = (10.0, 7 * 86_400.0)  # seconds a budget may have
_NEEDED = ("torch", "torchvision", "numpy", "scikit-learn", "pydicom", "grad-cam", "streamlit")


def start(
    workspace: Workspace,
    cohort_id: str,
    source_id: str,
    strategy_id: str,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    uncertain: Mapping[str, str] | None = None,
    weigh_tasks: bool = False,
    control: Control = "thumbnails",
    control_for: str = "",
    unlabelled: str = "",
    teacher: str = "",
    title: str | None = None,
    budget: float = 0.0,
    size: int = 0,
    operating: OperatingRule | None = None,
    together: Together | None = None,
    launch: bool = True,
) -> str:
    """Make a run and start it; returns its id. "auto" is allowed for source and strategy; as a strategy it starts the
    automatic group (medtl.automatic) and returns the group's id, that of its first run. `budget`: seconds after which
    training ends with the best until then; 0: none. `size`: pixels a side the source is shown instead of its own.

    With `control="from-scratch"` a second run of the same network without the source is queued behind it, whose result
    replaces the cheap control. Settings not named follow the cohort. `unlabelled` is the cohort whose images are used
    without their labels, `teacher` the finished run to learn from, for strategies that ask for them. Of several
    findings, `uncertain` names what uncertain labels of each teach (a `Policy`; the usual one where none is named),
    `weigh_tasks` lets their weights be learned along. `operating` is how the threshold will be chosen on the tune part
    (Youden where nothing is said). Raises MedtlError with the sentence of what is missing.
    """
    if strategy_id == "auto":
        from medtl import automatic  # which starts its runs one by one through this function

        return automatic.begin(
            workspace, cohort_id, source_id, automatic=True, seed=seed, device=device, budget=budget, control=control,
            title=title, launch=launch, size=size, operating=operating,
            labels={"uncertain": uncertain, "weigh_tasks": weigh_tasks},
        )  # fmt: skip
    cohort = cohorts.load(workspace, cohort_id)
    why = why_not(cohort)
    if why:
        raise NotReady(*why)
    known = sources.sources(workspace)
    advice = _advice(workspace, cohort, known)
    if source_id == "auto":
        source_id = advised_source(workspace, cohort)
    source = known[source_id]
    if not source.available:
        raise NotReady(f"The source '{source.title}' cannot be used: {source.why_not}", "Choose another source.")
    shown = resized.at(source, size)
    strategy = strategies.make_for(strategy_id, cohort, settings)
    reason = strategies.why_not(strategy, source, cohort)
    if reason:
        raise BadInput(reason, "Choose another strategy, or change its settings.")
    _check_aids(workspace, cohort, strategy, {"unlabelled": unlabelled, "teacher": teacher})
    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"The device '{device}' is not known.", "Choose auto, cpu or cuda.")
    if budget != 0 and not BUDGET[0] <= budget <= BUDGET[1]:
        raise BadInput(f"A budget of {budget:g} seconds is out of range.", "Give from 10 seconds to 7 days, or none.")
    id = store.new_id()
    advised = {"source": advice.source, "strategy": advice.strategy, "basis": advice.basis} if advice else {}
    recipe = Recipe(
        run=id,
        title=title or f"{cohort.title}: {strategy.card.title.lower()}, {source.title}",
        cohort=cohort.id,
        source=source.id,
        source_sha256=source.sha256,
        strategy=strategy.id,
        settings={s.name: getattr(strategy, s.name) for s in strategies.settings_of(type(strategy))},
        seed=seed,
        device=device,
        control=control,
        control_for=control_for,
        uncertain=uncertain_labels.chosen(cohort, uncertain or {}),
        weigh_tasks=weigh_tasks and cohort.task == "multi-label",
        unlabelled=unlabelled,
        teacher=teacher,
        group=(together.group or id) if together else "",
        automatic=together.automatic if together else False,
        budget=budget,
        size=size,
        operating=operating or OperatingRule(),
        advised=advised | ({"expected": ",".join(together.expected)} if together else {}),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
    )
    takes = estimate(workspace, cohort, shown, strategy)
    folder = store.create(workspace, recipe, {"seconds": round(takes.seconds, 2), "basis": takes.basis})
    if launch:
        launching.launch(folder)
    if control == "from-scratch" and not strategy.forgets_source:
        start_control(workspace, recipe.run, launch=launch)
    return recipe.run


def _check_aids(workspace: Workspace, cohort: Cohort, strategy: strategies.Strategy, given: dict[str, str]) -> None:
    """What the strategy asks for besides cohort and source is named, nothing else is, and it can be used."""
    wanted = {"unlabelled": "a cohort of unlabelled images", "teacher": "a finished run to learn from"}
    for name, what in wanted.items():
        if name in strategy.asks and not given[name]:
            raise BadInput(f"'{strategy.card.title}' needs {what}.", f"Name it (on the command line with --{name}).")
        if given[name] and name not in strategy.asks:
            raise BadInput(
                f"'{strategy.card.title}' does not use {what}.", "Leave it out, or choose a strategy that does."
            )
    if given["unlabelled"]:
        aids.check_unlabelled(cohort, cohorts.load(workspace, given["unlabelled"]))
    if given["teacher"]:
        aids.check_teacher(workspace, given["teacher"], cohort)


def start_control(workspace: Workspace, run_id: str, launch: bool = True) -> str:
    """Queue the from-scratch control of a run: the same network, split and seed, nothing transferred."""
    recipe = store.recipe(store.folder(workspace, run_id))
    for other in store.runs(workspace):
        if other.control_for == run_id and other.status in ("waiting", "running", "finished"):
            return other.id
    cohort = cohorts.load(workspace, recipe.cohort)
    return start(
        workspace,
        recipe.cohort,
        recipe.source,
        "from-scratch",
        seed=recipe.seed,
        device=recipe.device,
        size=recipe.size,
        uncertain=recipe.uncertain,
        weigh_tasks=recipe.weigh_tasks,
        operating=recipe.operating,
        control_for=run_id,
        budget=recipe.budget,
        title=f"{cohort.title}: from scratch (control)",
        launch=launch,
    )


def advised_source(workspace: Workspace, cohort: Cohort) -> str:
    """What "auto" means for a source. Raises NotReady where there is none to begin with."""
    advice = _advice(workspace, cohort, sources.sources(workspace))
    if advice is None:
        raise NotReady("None of the sources can be used.", "Choose or add another source.")
    return advice.source


def estimate(workspace: Workspace, cohort: Cohort, source: Source, strategy: Strategy) -> cost.Cost:
    """How long a run would take here; features that are known already cost nothing."""
    plan = strategy.plan(source.outline, len(cohort.classes))
    return cost.estimate(workspace, cohort, source, plan, _known(workspace, cohort, source))


def _known(workspace: Workspace, cohort: Cohort, source: Source) -> int:
    """How many of the cases this source has looked at before."""
    if not source.sha256:
        return 0
    try:
        wanted = keys(Pixels(workspace.cohort(cohort.id)), cohort)
    except MedtlError:  # the pictures are damaged or gone, which the run will say
        return 0
    return FeatureCache(workspace.features, source.sha256, source.input).count(wanted)


def _advice(workspace: Workspace, cohort: Cohort, known: Iterable[Source]) -> strategies.Recommendation | None:
    """What would be recommended; None when nothing can be, which must not keep a user from a choice of one's own."""
    try:
        return rank.recommended(workspace, cohort, known)
    except NotReady:
        return None


def resume(workspace: Workspace, run_id: str) -> None:
    """Carry on a run that was interrupted, stopped or failed, from its last checkpoint."""
    folder = store.folder(workspace, run_id)
    if (folder / store.RESULT).is_dir() and not (store.cross_validation_wished(folder) or wishes.waiting(folder)):
        raise NotReady("This run has a result already.", "Start a new run to train again.")
    store.requeue(folder)
    launching.launch(folder)


def cross_validate(workspace: Workspace, run_id: str, repeats: int, launch: bool = True) -> None:
    """Carry out the plan of a finished run again in every fold of its cohort; goes on where it was interrupted."""
    folder = store.folder(workspace, run_id)
    if not (folder / store.RESULT).is_dir():
        raise NotReady("This run has no result yet.", "Wait until it has finished.")
    if not 1 <= repeats <= 20:
        raise BadInput(f"{repeats} repeats cannot be carried out.", "Choose 1 to 20.")
    store.requeue(folder)
    store.wish_cross_validation(folder, repeats)
    if launch:
        launching.launch(folder)


def explain(workspace: Workspace, run_id: str, launch: bool = True) -> None:
    """Make and check the maps of a finished run's test cases, however long it takes, in a process of its own."""
    folder = store.folder(workspace, run_id)
    wishes.leave(folder, wishes.EXPLANATION, {})
    if launch:
        launching.launch(folder)


def cross_validation_takes(workspace: Workspace, run_id: str, repeats: int) -> float:
    """Seconds, before it is begun: each fold costs what the run itself took to learn, or is estimated to take."""
    folder = store.folder(workspace, run_id)
    recipe = store.recipe(folder)
    if (folder / store.RESULT).is_dir():
        return FOLDS * repeats * max(0.1, results.load(folder).seconds.get("fit", 0.0))
    cohort, source = cohorts.load(workspace, recipe.cohort), sources.sources(workspace)[recipe.source]
    plan = strategies.make(recipe.strategy, recipe.settings).plan(source.outline, len(cohort.classes))
    return FOLDS * repeats * cost.estimate(workspace, cohort, source, plan).seconds


def why_not(cohort: Cohort) -> tuple[str, str] | None:
    """Why this cohort cannot be trained on yet: a message and what to do, or None when it can."""
    if cohort.blocks:
        finding = cohort.blocks[0]
        return finding.message, finding.advice
    for part in ("train", "tune", "test"):
        if not getattr(cohort.split, part):
            return (
                f"The {part} part of this cohort is empty.",
                "Add more patients, or give a split that has cases in all three parts.",
            )
    if cohort.task == "multi-label" and not learnable(cohort):
        return (
            "No finding of this cohort is surely present in some training and tuning images and surely absent in "
            "others, so nothing can be learned.",
            "Add images with sure labels, or leave fewer out.",
        )
    return None


def learnable(cohort: Cohort) -> tuple[str, ...]:
    """The findings that some training and some tuning cases surely have and others surely have not."""
    parts = cohort.split.part_of()
    seen = {(parts.get(case.id), name, value) for case in cohort.cases for name, value in case.labels.items()}
    wanted = [(part, value) for part in ("train", "tune") for value in (0, 1)]
    return tuple(name for name in cohort.classes if all((part, name, value) in seen for part, value in wanted))


def versions() -> dict[str, str]:
    """What the run was made with; enough for another engineer to build the same environment."""
    found = {"medtl": medtl.__version__, "python": platform.python_version()}
    for name in _NEEDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # the engine works without the screen's packages
    return found
