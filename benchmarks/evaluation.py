"""The statistics of the test page: how long they take, how often their intervals hold the truth, what others compute.

    python benchmarks/evaluation.py                 # all three; the coverage takes a few minutes
    python benchmarks/evaluation.py --quick         # fewer repeats: a look, not a measurement
    python benchmarks/evaluation.py --only time     # or coverage, agreement

Time: 10,000 test cases of 5,000 patients, 2,000 draws of patients, beside the least any such draw must do (one
cumulative sum over all draws) and beside a loop of scikit-learn over the draws. Coverage: simulated test parts of 20,
50 and 200 patients with one and with one to five images each, whose scores go together (intraclass correlation 0.6).
Everything is made in code. Prints Markdown tables. Not a test: times depend on the computer.
"""

import argparse
import datetime
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import numpy as np  # noqa: E402 - after the lines above
from scipy import stats  # noqa: E402 - the same
from sklearn import metrics  # noqa: E402 - the same
from sklearn.linear_model import LogisticRegression  # noqa: E402 - the same

from medtl.evaluation import (  # noqa: E402 - the same
    comparison,
    curves,
    delong,
    evaluation,
    operating,
    prevalence,
    ranking,
    recalibrating,
    reliability,
    utility,
)
from medtl.evaluation.estimates import measure  # noqa: E402 - the same
from medtl.evaluation.intervals import wilson  # noqa: E402 - the same
from medtl.evaluation.mcnemar import mcnemar  # noqa: E402 - the same
from medtl.evaluation.resampling import Resampling, percentiles, resample  # noqa: E402 - the same
from medtl.vocabulary import Estimate, OperatingRule  # noqa: E402 - the same

CLASSES = ("well", "ill")
CASES, DRAWS, WANTED_S, WANTED_SLIDER_MS = 10_000, 2_000, 5.0, 20.0
SHIFT, LEVEL, LIKE, ILL = 1.8, -0.4, 0.6, 0.4  # of the simulated score: d', where the well lie, likeness, share ill
CUT, CLINIC, TRADE = 0.5, 0.1, 0.3  # the threshold (on the latent scale), another prevalence, a threshold probability
OTHER = 1.2  # d' of the second model


# ---- simulated test parts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """has (n,), the latent score z (n,) and that of a second model, and each case's patient."""

    has: np.ndarray
    z: np.ndarray
    second: np.ndarray
    patient: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        return probability(self.z)

    @property
    def scores(self) -> np.ndarray:
        return np.column_stack([1 - self.probability, self.probability])

    @property
    def y(self) -> np.ndarray:
        return self.has.astype(int)


def probability(z: np.ndarray) -> np.ndarray:
    """What z is worth where 40 % are ill: calibrated."""
    return 1 / (1 + np.exp(-(SHIFT * (z - LEVEL) - SHIFT**2 / 2 + np.log(ILL / (1 - ILL)))))


def part(random: np.random.Generator, patients: int, several: bool, mix: str = "given") -> Part:
    """`mix`: as many ill as 40 % of the patients, as "drawn" by chance, or "both" kinds within a patient."""
    ill = np.arange(patients) < max(2, round(ILL * patients))
    if mix == "drawn":
        ill = random.random(patients) < ILL
    images = random.integers(1, 6, patients) if several else np.ones(patients, int)
    who = np.repeat(np.arange(patients), images)
    has = random.random(len(who)) < ILL if mix == "both" else ill[who]
    z, second = (_latent(random, patients, who, several) for _ in range(2))
    z = z + LEVEL + SHIFT * has
    second = 0.6 * (z - LEVEL - SHIFT * has) + 0.8 * second + OTHER * has  # of one variance, and like the first
    return Part(has, z, second, who)


def _latent(random: np.random.Generator, patients: int, who: np.ndarray, several: bool) -> np.ndarray:
    if not several:
        return random.normal(size=len(who))
    return random.normal(0, LIKE**0.5, patients)[who] + random.normal(0, (1 - LIKE) ** 0.5, len(who))


def truth() -> dict[str, float]:
    """In closed form; AUPRC and Brier by integrating over a fine grid."""
    cdf = stats.norm.cdf
    se, alarms = 1 - cdf(CUT - LEVEL - SHIFT), 1 - cdf(CUT - LEVEL)
    at = (np.log(TRADE / (1 - TRADE)) - np.log(ILL / (1 - ILL)) + SHIFT**2 / 2) / SHIFT + LEVEL
    z = np.linspace(-8, 10, 200_001)
    dense = stats.norm.pdf(z - LEVEL - SHIFT), stats.norm.pdf(z - LEVEL)
    above = 1 - cdf(z - LEVEL - SHIFT), 1 - cdf(z - LEVEL)
    precision = ILL * above[0] / np.maximum(ILL * above[0] + (1 - ILL) * above[1], 1e-300)
    p = probability(z)
    return {
        "sensitivity": se,
        "specificity": 1 - alarms,
        "PPV": ILL * se / (ILL * se + (1 - ILL) * alarms),
        "PPV at 10 %": CLINIC * se / (CLINIC * se + (1 - CLINIC) * alarms),
        "LR+": se / alarms,
        "AUROC": cdf(SHIFT / 2**0.5),
        "AUROC difference": cdf(SHIFT / 2**0.5) - cdf(OTHER / 2**0.5),
        "AUPRC": float(np.trapezoid(precision * dense[0], z)),
        "Brier": float(np.trapezoid(ILL * dense[0] * (1 - p) ** 2 + (1 - ILL) * dense[1] * p**2, z)),
        "net benefit at 30 %": ILL * (1 - cdf(at - LEVEL - SHIFT))
        - (1 - ILL) * (1 - cdf(at - LEVEL)) * TRADE / (1 - TRADE),
    }


# ---- coverage -------------------------------------------------------------------------------------------------------


def ours(case: Part, resampling: Resampling) -> dict[str, Estimate | None]:
    threshold = float(probability(np.array([CUT]))[0])
    point = operating.at(case.has, case.probability, threshold, resampling)
    calls = (case.probability >= threshold).astype(int)
    page = {one.name: one for one in measure(case.y, case.scores, calls, CLASSES, "ill", resampling).estimates}
    second = np.column_stack([1 - stats.norm.cdf(case.second), stats.norm.cdf(case.second)])
    traded = operating.at(case.has, case.probability, TRADE, resampling)
    return {
        "sensitivity": point.get("sensitivity"),
        "specificity": point.get("specificity"),
        "LR+": point.get("lr_positive"),
        "PPV at 10 %": prevalence.at_prevalence(point, CLINIC).ppv,
        "AUROC": page.get("auroc"),
        "AUROC difference": comparison.paired(case.y, case.scores, second, CLASSES, "ill", resampling)[1],
        "AUPRC": page.get("auprc"),
        "Brier": page.get("brier"),
        "net benefit at 30 %": utility.benefit(traded, ILL, TRADE),
    }


def percentiles_of_draws(case: Part, resampling: Resampling) -> dict[str, tuple[float, float]]:
    """What the percentiles of the same draws of patients would say."""
    weights = resampling.counts.astype(float)
    called, traded = case.z >= CUT, case.probability >= TRADE

    def share(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
        return (hits & of) @ weights / (of @ weights)

    with np.errstate(divide="ignore", invalid="ignore"):
        se, alarms = share(called, case.has), share(called, ~case.has)
        gain = ILL * share(traded, case.has) - (1 - ILL) * share(traded, ~case.has) * TRADE / (1 - TRADE)
        true, false = ranking.found(ranking.rank(case.has, case.z), weights)
        drawn = {
            "sensitivity": se,
            "specificity": 1 - alarms,
            "LR+": se / alarms,
            "PPV at 10 %": CLINIC * se / (CLINIC * se + (1 - CLINIC) * alarms),
            "AUROC": ranking.auroc(true, false),
            "AUPRC": ranking.auprc(true, false),
            "Brier": (case.probability - case.has) ** 2 @ weights / weights.sum(axis=0),
            "net benefit at 30 %": gain,
        }
    return {name: percentiles(one[np.isfinite(one)]) for name, one in drawn.items()}


def coverage(repeats: int, draws: int) -> None:
    wanted = truth()
    settings = [(n, several, mix) for mix in ("given", "both") for n in (20, 50, 200) for several in (False, True)]
    settings = [one for one in settings if one[2] == "given" or one[1]]
    held: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    plain: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    for n, several, mix in settings:
        random = np.random.default_rng(n)
        for repeat in range(repeats):
            case = part(random, n, several, mix)
            resampling = resample(case.y, case.patient.astype(object), 1, repeat, draws)
            skip = ("AUPRC", "Brier") if mix == "both" else ()  # their truth hangs on the mix, which varies here
            for name, one in ours(case, resampling).items():
                if name not in skip and one is not None:
                    held[name, n, several, mix].append(one.low <= wanted[name] <= one.high)
            for name, (low, high) in percentiles_of_draws(case, resampling).items():
                if name not in skip:
                    plain[name, n, several, mix].append(low <= wanted[name] <= high)
            if mix == "given":
                free = part(random, n, several, "drawn")
                ppv = operating.count(free.has, free.z >= CUT, free.patient).get("ppv")
                if ppv is not None:
                    held["PPV", n, several, mix].append(ppv.low <= wanted["PPV"] <= ppv.high)
    print(f"### Coverage of the 95 % intervals: {repeats} simulated test parts each, {draws} draws\n")
    print(
        f"Goal 93 to 97 %; the Monte Carlo error is ± {100 * (0.95 * 0.05 / repeats) ** 0.5:.1f} points (one standard"
    )
    print("error). In brackets what percentiles of the same draws of patients held.\n")
    heads = [
        f"{n}, {'both kinds' if mix == 'both' else 'several' if several else 'one'}" for n, several, mix in settings
    ]
    print("| patients, images each | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1))
    for name in wanted:
        cells = []
        for setting in settings:
            mine, others = held[name, *setting], plain[name, *setting]
            cells.append(
                f"{100 * np.mean(mine):.1f}" + (f" ({100 * np.mean(others):.1f})" if others else "") if mine else "–"
            )
        print(f"| {name} | " + " | ".join(cells) + " |")
    held = {key: one for key, one in held.items() if one}
    inside = [100 * np.mean(one) for one in held.values()]
    low = [f"{key[0]} ({heads[settings.index(key[1:])]})" for key, one in held.items() if np.mean(one) < 0.93]
    print(
        f"\n{sum(93 <= one <= 97 for one in inside)} of {len(inside)} within 93 to 97 %, lowest {min(inside):.1f} %, "
    )
    print(f"highest {max(inside):.1f} %. Below 93 %: {', '.join(low) or 'none'}.\n")


# ---- time -----------------------------------------------------------------------------------------------------------


def timing(cases: int, draws: int) -> None:
    random = np.random.default_rng(0)
    whole = part(random, cases // 2, False)
    test = Part(*(np.repeat(one, 2) for one in (whole.has, whole.z, whole.second, whole.patient)))
    noise = random.normal(0, 0.3, cases)
    test = Part(test.has, test.z + noise, test.second, test.patient)
    tune = part(random, 2000, False)
    second = np.column_stack([1 - stats.norm.cdf(test.second), stats.norm.cdf(test.second)])
    patients = test.patient.astype(str).astype(object)
    rows: dict[str, tuple[float, float]] = {}  # wall and processor seconds

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        begin, work = time.perf_counter(), time.process_time()
        yield
        rows[what] = time.perf_counter() - begin, time.process_time() - work

    with timed("draws of patients"):
        resampling = resample(test.y, patients, 1, 0, draws)
    with timed("all estimates, threshold, ROC with band, against a control (`evaluate`, with draws of its own)"):
        evaluation.evaluate(
            tune.y, tune.scores, test.y, test.scores, CLASSES, "ill", patients, second, draws=draws
        )  # fmt: skip
    with timed("precision-recall curve with band"):
        curves.pr(test.has, test.probability, resampling)
    with timed("threshold by each of four rules"):
        rules = [operating.YOUDEN, operating.SCREENING, operating.CONFIRMING, OperatingRule("cost", 4)]
        thresholds = [operating.choose(tune.has, tune.probability, rule, "ill") for rule in rules]
    with timed("calibrator fitted on the tune part"):
        frozen = recalibrating.fit(tune.has, tune.probability, "ill")
    with timed("calibration before and after, curve with band"):
        reliability.mended(
            test.has, test.probability, frozen.score(test.probability), resampling, frozen, "ill"
        )  # fmt: skip
    with timed("decision curve with band, 99 thresholds"):
        utility.decision_curve(test.has, test.probability, resampling)
    with timed("DeLong's interval, clustered"):
        delong.area(test.has, test.probability, resampling.group)
    total, worked = (sum(one) for one in zip(*rows.values(), strict=True))
    grid = np.linspace(0.05, 0.95, 50)
    begin = time.perf_counter()
    for threshold in grid:
        prevalence.at_prevalence(operating.at(test.has, test.probability, float(threshold), resampling), 0.1)
    slider = 1000 * (time.perf_counter() - begin) / len(grid)
    weights = np.ones((cases, 64), np.float32)
    begin = time.perf_counter()
    for _ in range(0, draws, 64):
        np.cumsum(weights, axis=0)
    floor = time.perf_counter() - begin
    few = 20
    begin = time.perf_counter()
    for column in range(few):
        drawn = np.repeat(np.arange(cases), resampling.counts[:, column])
        metrics.roc_auc_score(test.has[drawn], test.probability[drawn])
    loop = (time.perf_counter() - begin) * draws / few
    assert all(one.value is not None for one in thresholds)
    print(f"### Time: {cases:,} cases of {cases // 2:,} patients, {draws:,} draws\n")
    print("| part | s | s of processor |\n|---|---|---|")
    for what, (seconds, work) in rows.items():
        print(f"| {what} | {seconds:.2f} | {work:.2f} |")
    print(f"| **everything** | **{total:.2f}** | **{worked:.2f}** |")
    print(f"| floor: one cumulative sum over all draws | {floor:.2f} | |")
    print(f"| peer: scikit-learn's AUROC alone in a loop over the draws (from {few}) | {loop:.1f} | |\n")
    print(f"Everything takes {total / floor:.0f} times the floor and {total / loop:.2f} of the peer's AUROC alone. ")
    print(
        f"Wanted <= {WANTED_S:.0f} s: {_met(total, WANTED_S)} by the clock, {_met(worked, WANTED_S)} by the processor"
    )
    print(
        "(they differ where other work keeps the computer busy). A step of the slider, all numbers at a threshold and"
    )
    print(f"at a prevalence: {slider:.1f} ms, wanted <= {WANTED_SLIDER_MS:.0f} ms: {_met(slider, WANTED_SLIDER_MS)}.\n")


def _met(value: float, wanted: float) -> str:
    return "met" if value <= wanted else "MISSED"


# ---- agreement ------------------------------------------------------------------------------------------------------


def agreement() -> None:
    """The largest difference from another implementation over twenty test parts, with and without ties."""
    worst: dict[str, float] = defaultdict(float)
    for seed in range(20):
        random = np.random.default_rng(seed)
        case = part(random, 150, several=seed % 2 == 0)
        p = np.round(case.probability, 1 if seed % 4 == 0 else 12)
        for name, mine, theirs in compared(case, np.clip(p, 0.001, 0.999)):
            worst[name] = max(worst[name], float(np.max(np.abs(np.asarray(mine) - np.asarray(theirs)))))
    print("### Agreement with other implementations, 20 simulated test parts\n")
    print("| number | beside | largest difference |\n|---|---|---|")
    for name, value in worst.items():
        what, _, beside = name.partition(" | ")
        print(f"| {what} | {beside} | {value:.1e} |")
    print(f"\nWanted <= 1e-6: {'met' if max(worst.values()) <= 1e-6 else 'MISSED'}.\n")


def compared(case: Part, p: np.ndarray) -> Iterator[tuple[str, Any, Any]]:
    has, y, called = case.has, case.y, p >= 0.5
    resampling = resample(y, case.patient.astype(object), 1, 0, 20)
    scores = np.column_stack([1 - p, p])
    page = {e.name: e.value for e in measure(y, scores, called.astype(int), CLASSES, "ill", resampling).estimates}
    point = operating.at(has, p, 0.5, resampling)
    at = {e.name: e for e in point.estimates}
    yield "AUROC | scikit-learn", page["auroc"], metrics.roc_auc_score(y, p)
    yield "AUPRC | scikit-learn", page["auprc"], metrics.average_precision_score(y, p)
    yield "Brier | scikit-learn", page["brier"], metrics.brier_score_loss(y, p)
    fit = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000, solver="newton-cholesky")
    fit.fit(np.log(p / (1 - p))[:, None], y)
    yield "calibration slope | scikit-learn", page["calibration_slope"], fit.coef_[0, 0]
    oracle: dict[str, Callable[..., float]] = {
        "sensitivity": metrics.recall_score, "ppv": metrics.precision_score, "accuracy": metrics.accuracy_score,
        "f1": metrics.f1_score,
    }  # fmt: skip
    for name, theirs in oracle.items():
        yield f"{name} | scikit-learn", at[name].value, theirs(y, called)
    ratios = metrics.class_likelihood_ratios(y, called)
    yield "LR+ and LR− | scikit-learn", [at["lr_positive"].value, at["lr_negative"].value], ratios
    ci = stats.binomtest(point.tp, point.tp + point.fn).proportion_ci(method="wilson")
    yield "Wilson's interval | scipy", wilson(point.tp, point.tp + point.fn), (ci.low, ci.high)
    kernel = (p[has][:, None] > p[~has]) + 0.5 * (p[has][:, None] == p[~has])
    variance = kernel.mean(1).var(ddof=1) / has.sum() + kernel.mean(0).var(ddof=1) / (~has).sum()
    tested = delong.delong(has, p, np.zeros(len(p)))
    if tested is not None:
        half = (tested.difference.high - tested.difference.low) / 2
        yield "DeLong's standard error | pair by pair", half / stats.norm.ppf(0.975), variance**0.5
    found = mcnemar(called == has, (case.second > 0.4) == has, "accuracy")
    if found is not None and found.how == "exact" and found.only_first + found.only_second:
        exact = stats.binomtest(found.only_first, found.only_first + found.only_second).pvalue
        yield "McNemar, exact p | scipy", found.p, exact
    one = recalibrating.fit(has, p, kind="temperature")
    if one.fitted:
        straight = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, solver="newton-cholesky")
        straight.fit(np.log(p / (1 - p))[:, None], y)
        yield "temperature | scikit-learn's logistic regression", 1 / one.numbers[0], straight.coef_[0, 0]
    curve = utility.decision_curve(has, p, None, (0.1, 0.6))
    by_hand = [np.mean(has & (p >= t)) - np.mean(~has & (p >= t)) * t / (1 - t) for t in np.linspace(0.1, 0.6, 99)]
    yield "net benefit | by hand", curve.model, by_hand
    shown = reliability.judge(has, p, resampling)
    gaps = sum(abs(b.share.value - b.mean) * b.share.n for b in shown.bins) / len(has)
    yield "ECE | by hand from the bins", shown.ece.value if shown.ece else gaps, gaps


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--quick", action="store_true", help="fewer repeats")
    asked.add_argument("--only", choices=("time", "coverage", "agreement"))
    asked.add_argument("--repeats", type=int, default=1000, help="simulated test parts per setting")
    asked.add_argument("--draws", type=int, default=400, help="draws of patients in each")
    wish = asked.parse_args()
    repeats, draws = (100, 200) if wish.quick else (wish.repeats, wish.draws)
    print(f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}\n")
    if wish.only in (None, "time"):
        timing(CASES, DRAWS)
    if wish.only in (None, "agreement"):
        agreement()
    if wish.only in (None, "coverage"):
        coverage(repeats, draws)


if __name__ == "__main__":
    main()
