"""What another threshold than the frozen one would do to the test cases, and which cases lie behind each count.

Nothing here is kept: it is for a slider. From the scores alone, so that it costs a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from medtl.evaluation import bands, operating
from medtl.evaluation.operating import Point
from medtl.evaluation.resampling import Bools, Ints, whose
from medtl.trust import fields
from medtl.trust.cases import Cases
from medtl.vocabulary import Cohort


@dataclass(frozen=True)
class Explorer:
    """The test part of a run with the patients counted once; `groups` (n,) of each view in turn."""

    told: Cases
    groups: tuple[Ints, ...]

    def at(self, name: str, threshold: float) -> Point:
        """All numbers of the view `name` where it is called from `threshold` up."""
        k = self.told.at(name)
        view = self.told.test.views[k]
        return operating.at(view.has, view.score, threshold, self.groups[k])

    def reach(self, name: str) -> tuple[float, float]:
        """The lowest and the highest score of the test cases; (0, 1) where there is none."""
        score = self.told.test.views[self.told.at(name)].score
        return (float(score.min()), float(score.max())) if len(score) else (0.0, 1.0)

    def behind(self, name: str, has: bool, called: bool, threshold: float | None) -> tuple[str, ...]:
        """The test cases with (or without) it that are (or are not) called; without a threshold as the run called."""
        k = self.told.at(name)
        view = self.told.test.views[k]
        calls = view.score >= threshold if threshold is not None else self._own_calls(k)
        ids = self.told.test.ids(view)
        return tuple(ids[i] for i in ((view.has == has) & (calls == called)).nonzero()[0])

    def marked(self, name: str, marks: Sequence[bool]) -> tuple[str, ...]:
        """The ids of marked cases; `marks` are of the whole test part or, where they are fewer, of the view."""
        every = self.told.test.answers.cases
        ids = every if len(marks) == len(every) else self.told.test.ids(self.told.test.views[self.told.at(name)])
        return tuple(id for id, marked in zip(ids, marks, strict=True) if marked)

    def _own_calls(self, k: int) -> Bools:
        """Where the highest score, or of grades the middle one, decided."""
        given = self.told.test.answers
        calls: Bools = given.called > k if self.told.question.task == "ordinal" else given.called == k
        return calls[self.told.test.views[k].index]


def explorer(told: Cases) -> Explorer:
    part = told.test
    return Explorer(told, tuple(whose(len(view), part.patients(view)).group for view in part.views))


def members(told: Cases, cohort: Cohort, name: str, field: str, group: str) -> tuple[str, ...]:
    """The test cases of a row of the table of subgroups; `name` is the view it is of, or "all classes"."""
    part = told.test
    known = {view.name: part.ids(view) for view in part.views}
    ids = known.get(name, part.answers.cases)
    facts = fields.of(cohort, part.answers.cases).get(field, [])
    of = dict(zip(part.answers.cases, facts, strict=True)) if facts else {}
    groups = bands.folded([of.get(id) for id in ids])
    return tuple(id for id, one in zip(ids, groups, strict=True) if one == group)
