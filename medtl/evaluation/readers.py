"""A reader and the model on the same test cases: both beside each other, where they differ, how well they agree, and
what the reader changed once the model's answer was in view. Knows answers, no pictures.

Letters: n cases, k classes. A finding is asked as two classes: without and with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation import operating, sentences, words
from medtl.evaluation.agreement import agreed, kappa
from medtl.evaluation.mcnemar import mcnemar
from medtl.evaluation.paired import CallsDiffer, p_in_words
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling
from medtl.evaluation.sides import paired, share_side
from medtl.evaluation.thresholds import positive_index
from medtl.evaluation.values import spoken
from medtl.vocabulary import Estimate

NOT_READ = -1
FEW = 30  # cases; with fewer the study says so


@dataclass(frozen=True)
class Answers:
    """One side's answers: `counts` (k, k), row = reference; for two classes all numbers at a threshold, for more the
    share called right and the share found of each class."""

    who: str
    counts: tuple[tuple[int, ...], ...]
    estimates: tuple[Estimate, ...]

    def get(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


@dataclass(frozen=True)
class Change:
    """What reading with the model did to the n cases read both ways. `differences` are with less without; `to_right`,
    `to_wrong` and `still_wrong` hold the rows of the table whose answer was changed."""

    n: int
    to_right: tuple[int, ...]
    to_wrong: tuple[int, ...]
    still_wrong: tuple[int, ...]
    differences: tuple[CallsDiffer, ...]

    @property
    def changed(self) -> int:
        return len(self.to_right) + len(self.to_wrong) + len(self.still_wrong)


@dataclass(frozen=True)
class ReaderStudy:
    """`differences` are reader less model. `reader_only` and `model_only` hold the rows that only one of them answered
    right, `both_wrong` those that neither did. `seconds` is the median time a case, without and with the model."""

    n: int
    patients: int
    reader: Answers
    model: Answers
    differences: tuple[CallsDiffer, ...]
    agreement: Estimate | None
    kappa: Estimate | None
    reader_only: tuple[int, ...]
    model_only: tuple[int, ...]
    both_wrong: tuple[int, ...]
    change: Change | None
    seconds: tuple[Estimate | None, Estimate | None]
    says: tuple[str, ...]


def study(
    truth: Ints,
    reader: Ints,
    model: Ints,
    classes: Sequence[str],
    positive: str | None,
    whose: Resampling,
    ordered: bool = False,
    after: Ints | None = None,
    seconds: Floats | None = None,
    seconds_after: Floats | None = None,
) -> ReaderStudy:
    """truth, reader, model, after (n,) are numbers of classes; NOT_READ where the reader did not answer, and such cases
    are left out on both sides. seconds (n,) may hold NaN. `ordered`: grades, whose kappa has quadratic weights."""
    truth, reader, model = (np.asarray(one, int) for one in (truth, reader, model))
    _check(truth, reader, model, after, len(classes))
    read = np.flatnonzero(reader != NOT_READ)
    of = whose.take(read)
    y, ours, theirs = truth[read], reader[read], model[read]
    change = None
    if after is not None:
        again = np.flatnonzero((np.asarray(after) != NOT_READ) & (reader != NOT_READ))
        change = _change(truth, reader, np.asarray(after, int), again, classes, positive, whose)
    right = ours == y, theirs == y
    made = ReaderStudy(
        n=len(read),
        patients=of.units(np.ones(len(read), bool)),
        reader=_answers("the reader", y, ours, classes, positive, of),
        model=_answers("the model", y, theirs, classes, positive, of),
        differences=_differences(*right, y, classes, positive, of),
        agreement=agreed(ours, theirs, of),
        kappa=kappa(ours, theirs, len(classes), of, "quadratic" if ordered else "none"),
        reader_only=_rows(read, right[0] & ~right[1]),
        model_only=_rows(read, right[1] & ~right[0]),
        both_wrong=_rows(read, ~right[0] & ~right[1]),
        change=change,
        seconds=(median_seconds(seconds), median_seconds(seconds_after)),
        says=(),
    )
    return replace(made, says=tuple(_says(made, len(truth), classes, positive)))


def median_seconds(seconds: Floats | None) -> Estimate | None:
    """The median with the two values between which it lies with 95 % (order statistics); None for fewer than six, of
    which no two do, and where all took the same time."""
    known = np.sort(np.asarray(seconds, float)) if seconds is not None else np.zeros(0)
    known = known[np.isfinite(known)]
    n, below = len(known), 0
    tail = 1
    while tail / 2**n <= 0.025:  # the chance that the median lies below the value number `below`
        below += 1
        tail += comb(n, below)
    if not below:
        return None
    low, high = float(known[below - 1]), float(known[n - below])
    return Estimate("seconds", float(np.median(known)), low, high, n, "order statistics") if low < high else None


def _check(truth: Ints, reader: Ints, model: Ints, after: Ints | None, classes: int) -> None:
    if not len(truth) == len(reader) == len(model) or (after is not None and len(after) != len(truth)):
        raise BadInput(
            f"{len(truth)} cases, {len(reader)} readings and {len(model)} answers of the model were given.",
            "Every case needs one of each.",
        )
    for name, one, least in (("reference", truth, 0), ("reading", reader, NOT_READ), ("answer", model, 0)):
        if len(one) and not least <= one.min() <= one.max() < classes:
            raise BadInput(f"A {name} is none of the {classes} classes.", "Read the cases of this run again.")


# ---- numbers --------------------------------------------------------------------------------------------------------


def _answers(
    who: str, y: Ints, calls: Ints, classes: Sequence[str], positive: str | None, whose: Resampling
) -> Answers:
    k = len(classes)
    counts = np.bincount(y * k + calls, minlength=k * k).reshape(k, k)
    if k == 2:
        at = positive_index(classes, positive)
        estimates = operating.count(y == at, calls == at, whose.group).estimates
    else:
        everyone = np.ones(len(y), bool)
        sides = [share_side("accuracy", calls == y, everyone, whose)]
        sides += [share_side(f"sensitivity[{name}]", calls == y, y == c, whose) for c, name in enumerate(classes)]
        estimates = tuple(side.estimate for side in sides if side is not None)
    return Answers(who, tuple(tuple(map(int, row)) for row in counts), estimates)


def _differences(
    first: Bools, second: Bools, y: Ints, classes: Sequence[str], positive: str | None, whose: Resampling
) -> tuple[CallsDiffer, ...]:
    """Of who was right: sensitivity and specificity of two classes, the share called right of more."""
    kinds = {"accuracy": np.ones(len(y), bool)}
    if len(classes) == 2:
        has = y == positive_index(classes, positive)
        kinds = {"sensitivity": has, "specificity": ~has}
    made = (_differ(name, first, second, among, whose) for name, among in kinds.items())
    return tuple(one for one in made if one is not None)


def _differ(name: str, first: Bools, second: Bools, among: Bools, whose: Resampling) -> CallsDiffer | None:
    """With one case a patient Newcombe's interval and McNemar's test; with several by patient, without a p."""
    found = mcnemar(first[among], second[among], name)
    if found is None:
        return None
    if not whose.repeats:
        how = f"McNemar, {found.how}"
        return CallsDiffer(name, found.difference, found.only_first, found.only_second, found.p, how)
    one, other = (share_side(name, right, among, whose) for right in (first, second))
    assert one is not None and other is not None  # there is somebody among
    difference = paired(one, other)
    return CallsDiffer(name, difference, found.only_first, found.only_second, None, difference.how)


def _change(
    truth: Ints, before: Ints, after: Ints, again: Ints, classes: Sequence[str], positive: str | None, whose: Resampling
) -> Change:
    y, first, second = truth[again], before[again], after[again]
    moved = first != second
    return Change(
        len(again),
        _rows(again, moved & (second == y)),
        _rows(again, moved & (first == y)),
        _rows(again, moved & (first != y) & (second != y)),
        _differences(second == y, first == y, y, classes, positive, whose.take(again)),
    )


def _rows(of: Ints, chosen: Bools) -> tuple[int, ...]:
    return tuple(int(i) for i in of[chosen])


# ---- words ----------------------------------------------------------------------------------------------------------


def _says(made: ReaderStudy, asked: int, classes: Sequence[str], positive: str | None) -> list[str]:
    if not made.n:
        return ["No case has been read yet, so nothing can be said."]
    says = [_of(side, made, classes, positive) for side in made.differences]
    assert made.agreement is not None
    same = round(made.agreement.value * made.n)
    text = f"Both gave the same answer in {same} of {made.n} cases ({sentences.share(made.agreement)})"
    if (one := made.kappa) is not None:
        text += f"; corrected for chance, kappa is {one.value:.2f} ({one.low:.2f} to {one.high:.2f})".replace("-", "−")
    says.append(f"{text}.")
    if made.reader_only or made.model_only:
        says.append(
            f"Only the reader was right in {len(made.reader_only)}, only the model in {len(made.model_only)}; both "
            f"were wrong in {len(made.both_wrong)}."
        )
    if made.change is not None:
        says += _of_change(made.change)
    if made.n < asked:
        says.append(f"{asked - made.n} of {asked} cases were not read and are left out.")
    if made.n < FEW:
        says.append(f"{made.n} cases are few: more would narrow this.")
    return says


def _of(one: CallsDiffer, made: ReaderStudy, classes: Sequence[str], positive: str | None) -> str:
    mine, theirs = made.reader.get(one.name), made.model.get(one.name)
    assert mine is not None and theirs is not None
    n = mine.n
    did, kind = "named", "cases correctly"
    if len(classes) == 2:
        at = positive_index(classes, positive)
        did, kind = ("found", f"{spoken(classes[at])} cases")
        if one.name == "specificity":
            did, kind = ("let", f"{spoken(classes[1 - at])} cases pass")
    return (
        f"The reader {did} {round(mine.value * n)} of {n} {kind} ({sentences.share(mine)}), the model "
        f"{round(theirs.value * n)} ({sentences.share(theirs)}): {_verdict(one, 'the reader', 'the model')}."
    )


def _verdict(one: CallsDiffer, first: str, second: str) -> str:
    gap = one.difference
    p = f"; {p_in_words(one.p)}" if one.p is not None else ""
    span = f"{100 * gap.low:.0f} to {100 * gap.high:.0f}".replace("-", "−")
    points = f"{100 * abs(gap.value):.0f} points"
    if gap.low <= 0 <= gap.high:
        return f"these cannot be told apart (difference {points}, could be {span}{p})"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{first if gap.value > 0 else second} did better by {points} ({100 * low:.0f}–{100 * high:.0f}{p})"


def _of_change(change: Change) -> list[str]:
    if not change.n:
        return ["No case was read again with the model's answer in view."]
    right, wrong, still = len(change.to_right), len(change.to_wrong), len(change.still_wrong)
    text = (
        f"With the model's answer in view the reader changed {change.changed} of {change.n} answers: {right} to right, "
        f"{wrong} to wrong{f', {still} from wrong to wrong' if still else ''}."
    )
    each = [f"{words.title(one.name)}: {_verdict(one, 'with the model', 'without it')}." for one in change.differences]
    seen = "The cases were seen before, which may help by itself."
    return [text, *(each if change.changed else []), seen]
