"""Two independent sets of cases under one frozen model: the internal test part and an external cohort. Every number
side by side, and the difference external less internal; `shift` tells what else differs between them.

Nobody is in both sets, so each is reckoned by its own patients and the two intervals are squared and added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from medtl.evaluation import sentences, words
from medtl.evaluation.resampling import Ints, Resampling
from medtl.evaluation.sides import Side, auroc_side, average, gap, of_view, share_side, value_side
from medtl.evaluation.subgroups import FEW_KIND, by
from medtl.evaluation.views import View
from medtl.vocabulary import Estimate

Standing = Literal["falls", "cannot be told apart", "rises"]
SMALLER_IS_BETTER = ("brier",)


@dataclass(frozen=True)
class Beside:
    """One number in both sets; `difference` is external less internal."""

    name: str
    internal: Estimate
    external: Estimate
    difference: Estimate

    @property
    def standing(self) -> Standing:
        if self.difference.high < 0:
            return "falls"
        return "rises" if self.difference.low > 0 else "cannot be told apart"

    @property
    def worse(self) -> bool:
        return self.standing == ("rises" if self.name in SMALLER_IS_BETTER else "falls")

    @property
    def says(self) -> str:
        """ "Sensitivity falls by 12 points (4–20), from 90 % to 78 %."""
        said = f"from {words.value(self.internal)} to {words.value(self.external)}"
        if self.standing == "cannot be told apart":
            more = "lower" if self.difference.value < 0 else "higher"
            return f"{words.title(self.name)} cannot be told apart ({said}, {more} by {by(self.difference)})."
        return f"{words.title(self.name)} {self.standing} by {by(self.difference)}, {said}."


@dataclass(frozen=True)
class External:
    """`about` is the class, finding or cut point; `few`: one of the sets has fewer than five patients with or without,
    so that next to nothing can be said of that side. `says` begins with what is worse outside."""

    about: str
    rows: tuple[Beside, ...]
    few: bool
    says: tuple[str, ...]

    def get(self, name: str) -> Beside | None:
        return next((row for row in self.rows if row.name == name), None)


def beside(
    internal: View, external: View, threshold: float | None, whose_internal: Resampling, whose_external: Resampling
) -> External:
    """The threshold is the frozen one; None for each of more than two classes. `whose_*` are of the tables."""
    whose = whose_internal.of(internal.index), whose_external.of(external.index)
    pair = (internal, external)
    if not min(map(len, pair)):
        return External(internal.name, (), True, ("One of the two sets holds no case, so nothing can be compared.",))
    sides = [_sides(view, threshold, of) for view, of in zip(pair, whose, strict=True)]
    kinds = [of.units(kind) for view, of in zip(pair, whose, strict=True) for kind in (view.has, ~view.has)]
    made = _made(internal.name, sides, few=min(kinds) < FEW_KIND)
    return replace(made, says=(*made.says, *_small(external, whose[1], sides[1])))


def beside_of_classes(
    internal: tuple[Ints, Ints, Sequence[View], Resampling], external: tuple[Ints, Ints, Sequence[View], Resampling]
) -> External:
    """More than two classes as a whole: (truth, calls, views, whose) of either set. The mean AUROC is over the classes
    that both sets can judge."""
    if not min(len(internal[0]), len(external[0])):
        return External("all classes", (), True, ("One of the two sets holds no case, so nothing can be compared.",))
    judged = [k for k in range(len(internal[2])) if not (internal[2][k].one_sided or external[2][k].one_sided)]
    sides: list[dict[str, Side]] = []
    for truth, calls, each, whose in (internal, external):
        everyone = np.ones(len(truth), bool)
        aurocs = [auroc_side(each[k].has, each[k].score, everyone, whose) for k in judged]
        both = {
            "accuracy": share_side("accuracy", np.asarray(truth) == np.asarray(calls), everyone, whose),
            "auroc": average([one for one in aurocs if one is not None]),
        }
        sides.append({name: one for name, one in both.items() if one is not None})
    few = min(whose.units(np.ones(len(truth), bool)) for truth, _, _, whose in (internal, external)) < 2 * FEW_KIND
    return _made("all classes", sides, few=few)


def _small(external: View, whose: Resampling, sides: dict[str, Side]) -> list[str]:
    """What could be true outside, where one case a patient makes that easy to say."""
    made = []
    for name, kind, measure in (
        (external.name, external.has, "sensitivity"), (external.without, ~external.has, "specificity"),
    ):  # fmt: skip
        if measure in sides and not whose.repeats:
            one = sides[measure].estimate
            made.append(sentences.few(name, "external case", round(one.value * one.n), int(kind.sum()), one))
    return [text for text in made if text is not None]


def difference(name: str, internal: Side, external: Side) -> Beside:
    """Of any two sides, each of its own set."""
    return Beside(name, internal.estimate, external.estimate, gap(external, internal, common=False))


def _sides(view: View, threshold: float | None, whose: Resampling) -> dict[str, Side]:
    everyone = np.ones(len(view), bool)
    called = view.score >= threshold if threshold is not None else None
    made = of_view(view.has, view.score, called, everyone, whose)
    if called is not None and (npv := share_side("npv", ~view.has, ~called, whose)) is not None:
        made["npv"] = npv
    if (brier := value_side("brier", (view.score - view.has) ** 2, everyone, whose, top=1)) is not None:
        made["brier"] = brier
    return {name: made[name] for name in ("sensitivity", "specificity", "auroc", "ppv", "npv", "brier") if name in made}


def _made(about: str, sides: Sequence[dict[str, Side]], few: bool) -> External:
    internal, external = sides
    rows = tuple(difference(name, side, external[name]) for name, side in internal.items() if name in external)
    main = [row for row in rows if row.name in ("sensitivity", "specificity", "auroc", "accuracy")]
    says = [row.says for row in sorted(main, key=lambda row: not row.worse)]
    moved = [row for row in rows if row not in main and row.standing != "cannot be told apart"]
    says += [row.says for row in moved]
    if any(row.name in ("ppv", "npv") for row in moved):
        says.append("PPV and NPV also move with how common it is, which differs from place to place.")
    if few:
        says.insert(0, "Too few to say: one of the two sets has too few patients with or without it.")
    if "auroc" not in {row.name for row in rows}:
        says.append("AUROC cannot be compared: one of the two sets holds one kind of case only.")
    return External(about, rows, few, tuple(says))
