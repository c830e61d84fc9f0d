"""Several strategies on one split as one group of runs; and of an automatic group, which run is its result. No torch.

The choice is made on the tune part alone: the test part then reports the chosen one, and was not used to choose it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from medtl import rank, start, strategies
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError, NotReady
from medtl.evaluation.resampling import percentiles, resample
from medtl.runs import launch as launching
from medtl.runs import status, store
from medtl.runs.answers import Answers, answers
from medtl.sources import library as sources
from medtl.sources import resized
from medtl.training import cost
from medtl.training.head import log_loss, softmax, tempered_loss
from medtl.training.judgement import tempered
from medtl.vocabulary import Cohort, OperatingRule, Recipe, Source
from medtl.workspace import Workspace

PROBE = "linear-probe"
DRAWS = 2000
ENOUGH = 20  # tuning cases; draws of fewer say too little of what other cases would say


@dataclass(frozen=True)
class Member:
    """One run of a group. `answered` says whether it has a result that can be compared."""

    run: str
    recipe: Recipe
    status: status.Status
    answered: bool

    @property
    def title(self) -> str:
        return strategy_title(self.recipe.strategy)


@dataclass(frozen=True)
class Chosen:
    """Which run is the result of its group, and why in a sentence. `by`: "tune part" when it was better there than
    every other, "expected" when the tune part could not tell it from them, "only" when no other has a result.
    `settled` is False while a member is still to come, whose result may change the choice."""

    run: str
    says: str
    by: Literal["tune part", "expected", "only"]
    settled: bool


# ---- beginning -------------------------------------------------------------------------------------------------------


def begin(
    ws: Workspace,
    cohort_id: str,
    source_id: str,
    strategies_asked: Sequence[str] = (),
    *,
    automatic: bool = False,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    device: str = "auto",
    budget: float = 0.0,
    control: start.Control = "thumbnails",
    expected: Sequence[str] = (),
    aids: Mapping[str, Mapping[str, Any]] | None = None,
    labels: Mapping[str, Any] | None = None,
    size: int = 0,
    operating: OperatingRule | None = None,
    title: str | None = None,
    launch: bool = True,
) -> str:
    """Queue several strategies on one split as one group; returns its id, that of the first run.

    The linear probe goes first, so that a result is there within a minute. `automatic` without strategies: the probe
    and what `rank.tried` names; `expected` orders the strategies from the one expected to be best (left out: those that
    are promising, then the probe). `budget` seconds are for all of them together: what is not the probe shares them.
    A from-scratch control is queued once for the group, last: when asked for, or when the budget has room for it.
    Raises MedtlError with what is missing, and then leaves no run behind.
    `aids` are what a strategy asks for besides (unlabelled, teacher), `labels` how labels are taken by all of them
    (uncertain, weigh_tasks), `size` the pixels a side the source is shown instead of its own, `operating` how each
    of them chooses its threshold.
    """
    cohort = cohorts.load(ws, cohort_id)
    why = start.why_not(cohort)
    if why:
        raise NotReady(*why)
    if source_id == "auto":
        source_id = start.advised_source(ws, cohort)
    source = resized.at(sources.sources(ws)[source_id], size)
    chosen = dict(settings or {})
    if automatic and not strategies_asked:
        expected = expected or rank.tried(ws, cohort, source, budget)
        strategies_asked = [PROBE, *expected]
    elif automatic:
        strategies_asked = [PROBE, *strategies_asked]
    wanted = sorted(dict.fromkeys(strategies_asked), key=lambda id: id != PROBE)  # stable: the probe first
    if not wanted:
        raise BadInput("No strategy was named.", "Name at least one, or 'auto'.")
    order = tuple(expected) or (*(id for id in wanted if id != PROBE), PROBE)
    slow = max(1, sum(id != PROBE for id in wanted))
    group, made = "", list[str]()
    try:
        for id in wanted:
            run = start.start(
                ws, cohort_id, source_id, id, settings=chosen.get(id), seed=seed, device=device, title=title,
                budget=budget / slow if id != PROBE else budget, size=size, launch=False,
                operating=operating, together=start.Together(group, automatic, order), **(aids or {}).get(id, {}),
                **(labels or {}),
            )  # fmt: skip
            made.append(run)
            group = group or run
        if _with_control(ws, cohort, source, made, budget, control):
            made.append(start.start_control(ws, group, launch=False))
    except MedtlError:
        for run in made:
            store.delete(ws, run)
        raise
    for run in made if launch else ():
        launching.launch(ws.run(run))
    return group


def _with_control(
    ws: Workspace, cohort: Cohort, source: Source, runs: Sequence[str], budget: float, control: start.Control
) -> bool:
    recipes = [store.recipe(ws.run(run)) for run in runs]
    if any(recipe.strategy == "from-scratch" for recipe in recipes):
        return False
    if control == "from-scratch":
        return True
    if not budget:
        return False
    plans = [(recipe.strategy, recipe.settings) for recipe in recipes] + [("from-scratch", {})]
    takes = sum(
        cost.estimate(ws, cohort, source, strategies.make(*one).plan(source.outline, len(cohort.classes))).seconds
        for one in plans
    )
    return takes <= budget


# ---- choosing --------------------------------------------------------------------------------------------------------


def members(ws: Workspace, group: str) -> tuple[Member, ...]:
    """The runs of a group that are still there, in the order they were started; one that was deleted is not missed."""
    found = []
    for recipe in store.recipes(ws):
        if group and recipe.group == group:
            folder = ws.run(recipe.run)
            has = (folder / store.RESULT).is_dir()
            found.append(Member(recipe.run, recipe, status.status(folder), has))
    return tuple(found)


def chosen(ws: Workspace, group: str) -> Chosen | None:
    """The result of an automatic group; None for any other group and while no member has a result.

    Each member's log-loss on the tune part, at the temperature that suits it (arXiv:1706.04599), is compared by common
    draws of patients; log-loss rather than AUROC, as it uses how far scores lie apart and tells more on few cases.
    Those that cannot be told from the lowest are as good as it as far as the tune part knows, and of fewer than
    `ENOUGH` cases that is all of them; among them the one expected to be best is taken. Test rows are not looked at.
    """
    there = members(ws, group)
    able = [member for member in there if member.answered and member.recipe.automatic]
    if not able:
        return None
    settled = not any(member.status in ("waiting", "running") and not member.answered for member in there)
    if len(able) == 1:
        says = f"{quoted(able[0].title)} is the only one with a result{'' if settled else ' so far'}."
        return Chosen(able[0].run, says, "only", settled)
    tune = [answers(ws.run(member.run), "tune") for member in able]
    losses, tied = judge(tune)
    expected = _expected(able)
    best = min(tied, key=lambda i: (expected[i], losses[i]))
    others = [quoted(able[i].title) for i in tied if i != best]
    few = len(tune[0].cases) < ENOUGH
    cases = f"{len(tune[0].cases)} cases of the tune part"
    if not others:
        next_best = min(loss for i, loss in enumerate(losses) if i != best)
        than = quoted(able[1 - best].title) if len(able) == 2 else f"the {in_words(len(able) - 1)} compared"
        says = (
            f"{quoted(able[best].title)} was better on the {cases} than {than} (log-loss {losses[best]:.2f} against "
            f"{next_best:.2f}, smaller is better). The test part had no say, and may see it otherwise."
        )
        return Chosen(able[best].run, says, "tune part", settled)
    why = "are too few to tell" if few else "cannot tell"
    says = (
        f"The {cases} {why} {quoted(able[best].title)} from {listed(others)}; it was taken because it was expected to "
        "be best."
    )
    return Chosen(able[best].run, says, "expected", settled)


def judge(tune: Sequence[Answers]) -> tuple[list[float], list[int]]:
    """The tempered log-loss of each on the cases all have in common, and which of them cannot be told from the lowest
    (that one among them)."""
    common = [case for case in tune[0].cases if all(case in set(other.cases) for other in tune[1:])]
    tune = [one.of(common) for one in tune]
    each = np.stack([_case_losses(one) for one in tune])  # (runs, n)
    losses = each.mean(axis=1)
    lowest = int(losses.argmin())
    positive = None if len(tune[0].classes) > 2 or tune[0].said is not None else 1
    if len(common) < ENOUGH:
        return losses.tolist(), list(range(len(tune)))
    draws = resample(tune[0].y, tune[0].patients, positive, 0, DRAWS)
    tied = []
    for i, more in enumerate(each - each[lowest]):
        drawn = np.concatenate([
            np.einsum("n,nd->d", more, weights) / weights.sum(axis=0, dtype=float) for weights in draws.chunks()
        ])
        if i == lowest or percentiles(drawn)[0] <= 0:
            tied.append(i)
    return losses.tolist(), tied


def tune_loss(tune: Answers) -> float:
    """Mean log-loss on the tune part at the temperature that suits these scores best."""
    if tune.said is not None:
        return float(_several_losses(tune).mean())
    return float(tempered_loss(_logits(tune), tune.y)[0])


def _several_losses(tune: Answers) -> np.ndarray:
    """(n,): of each case the sum over its sure findings, as a share of how many a case has in the mean."""
    assert tune.said is not None
    inside = np.clip(tune.scores, 1e-12, 1 - 1e-12)
    signed = np.where(tune.said == 1, -1.0, 1.0) * np.log(inside / (1 - inside))
    sure = tune.said >= 0
    asked = max(1.0, sure.sum() / len(sure))

    def losses(temperature: float) -> np.ndarray:
        return np.asarray(np.where(sure, np.logaddexp(0, signed / temperature), 0.0).sum(axis=1) / asked)

    _, best = tempered(lambda temperature: float(losses(temperature).mean()))
    return losses(best)


def _case_losses(tune: Answers) -> np.ndarray:
    if tune.said is not None:
        return _several_losses(tune)
    logits = _logits(tune)
    _, temperature = tempered_loss(logits, tune.y)
    scores = softmax(logits / temperature)
    return np.array([log_loss(scores[i : i + 1], tune.y[i : i + 1]) for i in range(len(tune.y))])


def _logits(tune: Answers) -> np.ndarray:
    """Up to a constant a case, which no softmax hears."""
    return np.log(np.clip(tune.scores, 1e-12, 1))


def _expected(able: Sequence[Member]) -> list[int]:
    """Where each stands in the order its recipe was given; those not named come last."""
    order = able[0].recipe.advised.get("expected", "").split(",")
    return [order.index(m.recipe.strategy) if m.recipe.strategy in order else len(order) for m in able]


# ---- words -----------------------------------------------------------------------------------------------------------


def strategy_title(id: str) -> str:
    """As the shelf calls it; the id itself for a strategy that is no longer on it."""
    return next((one.card.title for one in strategies.STRATEGIES if one.id == id), id)


def quoted(title: str) -> str:
    return f"'{title}'"


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def in_words(n: int) -> str:
    return {2: "two others", 3: "three others", 4: "four others", 5: "five others"}.get(n, f"{n} others")
