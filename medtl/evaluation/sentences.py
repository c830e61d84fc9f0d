"""What may be said of a result, in counts first, in the past tense, and always with the interval."""

from collections.abc import Sequence

from medtl.evaluation import words
from medtl.evaluation.estimates import Measured
from medtl.evaluation.thresholds import positive_index
from medtl.evaluation.values import spoken
from medtl.vocabulary import Estimate

SMALL = 20  # cases of the smaller class; fewer say little whatever the result
WIDE = 0.25  # an interval wider than this leaves the question open
HEADLINES = {
    "sensitivity": "the sensitivity",
    "specificity": "the specificity",
    "auroc": "the AUROC",
    "accuracy": "the share named correctly",
}


def headline(measured: Measured, classes: Sequence[str], positive: str | None) -> str:
    """The result in one or two sentences; where a class is missing, only what the other one tells."""
    if not measured.confusion.sum():
        return "There is no case in the test part, so nothing can be said."
    return _two(measured, classes, positive) if len(classes) == 2 else _many(measured, classes)


def small_test(
    measured: Measured, classes: Sequence[str], positive: str | None, patients: Sequence[int] | None = None
) -> str | None:
    """A plain warning when the test part is too small to say much, else None. `patients` (k) is how many patients the
    cases of each class come from, where some have several: sixty images of five patients are five."""
    sizes = measured.confusion.sum(axis=1)
    if not sizes.sum():
        return None
    units = sizes.tolist() if patients is None else list(patients)
    rarest = units.index(min(units))
    name, size = spoken(classes[rarest]), int(sizes[rarest])
    if size == 0:
        return f"No {name} case in the test part: nothing can be said of {name}."
    if units[rarest] < SMALL:
        could = _what_could_be(measured, classes, positive, rarest)
        if patients is None or units[rarest] == size:
            return f"Only {size} {name} {_cases(size)} in the test part: {could} More test cases would narrow this."
        of = "patient" if units[rarest] == 1 else "patients"
        return (
            f"The {size} {name} {_cases(size)} in the test part come from only {units[rarest]} {of}: {could} More "
            "patients would narrow this."
        )
    return _wide(measured, sizes.tolist(), classes)


def few(name: str, unit: str, hits: int, n: int, could: Estimate) -> str | None:
    """The same warning for one share of n (`could` is a sensitivity or specificity), as of patients; None for many."""
    if not 0 < n < SMALL:
        return None
    did = "found" if could.name == "sensitivity" else "let pass"
    return (
        f"Only {n} {spoken(name)} {unit}{'' if n == 1 else 's'}: with {hits} of {n} {did} the true {could.name} could "
        f"be {span(could)}. More would narrow this."
    )


def share(estimate: Estimate) -> str:
    """Value and interval of a share: "90 %, 78–96 %". Short of all is never written as 100 %."""
    value = f"{100 * estimate.value:.0f}"
    if value in ("0", "100") and 0 < estimate.value < 1:
        value = f"{100 * estimate.value:.1f}"
    return f"{value} %, {span(estimate)}"


def span(estimate: Estimate) -> str:
    """The interval of a share: "62–98 %"."""
    return words.span(estimate.low, estimate.high)


def _two(measured: Measured, classes: Sequence[str], positive: str | None) -> str:
    at = positive_index(classes, positive)
    ill, well = classes[at], classes[1 - at]
    parts = []
    if ill in measured.found:
        hits, n = _hits(measured, at)
        parts.append(
            f"ound {hits} of {n} {ill} {_cases(n)} in this test part (sensitivity {share(measured.found[ill])})"
        )
    if well in measured.found:
        hits, n = _hits(measured, 1 - at)
        parts.append(f"let {hits} of {n} {well} {_cases(n)} pass (specificity {share(measured.found[well])})")
    if len(parts) == 2:
        return f"F{parts[0]}, and {parts[1]}."
    return f"F{parts[0]}." if ill in measured.found else f"In this test part the model {parts[0]}."


def _many(measured: Measured, classes: Sequence[str]) -> str:
    right, n = int(measured.confusion.trace()), int(measured.confusion.sum())
    accuracy = next(one for one in measured.estimates if one.name == "accuracy")
    each = []
    for i, name in enumerate(classes):
        if name in measured.found:
            hits, of = _hits(measured, i)
            each.append(f"{name} {hits} of {of} ({share(measured.found[name])})")
    return f"Named {right} of {n} test cases correctly ({share(accuracy)}). Per class: {', '.join(each)}."


def _what_could_be(measured: Measured, classes: Sequence[str], positive: str | None, at: int) -> str:
    hits, n = _hits(measured, at)
    could = span(measured.found[classes[at]])
    if len(classes) > 2:
        return f"with {hits} of {n} named correctly the true share could be {could}."
    if at == positive_index(classes, positive):
        return f"with {hits} of {n} found the true sensitivity could be {could}."
    return f"with {hits} of {n} let pass the true specificity could be {could}."


def _wide(measured: Measured, sizes: Sequence[int], classes: Sequence[str]) -> str | None:
    counts = [f"{size} {spoken(name)}" for size, name in zip(sizes, classes, strict=True)]
    for one in measured.estimates:
        if one.name in HEADLINES and one.high - one.low > WIDE:
            could = f"{one.low:.2f} to {one.high:.2f}" if one.name == "auroc" else span(one)
            return (
                f"{', '.join(counts[:-1])} and {counts[-1]} cases in the test part leave much open: "
                f"{HEADLINES[one.name]} could be {could}. More test cases would narrow this."
            )
    return None


def _hits(measured: Measured, at: int) -> tuple[int, int]:
    return int(measured.confusion[at, at]), int(measured.confusion[at].sum())


def _cases(n: int) -> str:
    return "case" if n == 1 else "cases"
