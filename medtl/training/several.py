"""A linear head for tasks of several outputs, fitted without gradients: every output is a regression of its own.

Any way to fit one question with two or three answers will do (`Fit`); what each output is asked, and of which cases,
is known here. For findings these are the cases whose label teaches something. For grades output j is asked of the cases
of grade j or higher whether they go beyond it: with a linear head that is the continuation-ratio model, of which CORN
(arXiv:2111.08851) is the deep form, so that a fitted head can be trained on as it is. Since the likelihood of a grade
is the product of its answers, each output may choose its own strength.

Letters: n cases, V looks at a picture, D features, K findings or grades, O outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from medtl.training import heads, policies
from medtl.training.examples import Examples
from medtl.training.head import Head, solve
from medtl.training.inference import head_scores
from medtl.vocabulary import HeadRule

# (train (n, D), labels (n,), weights (n,) or None, tune, its labels, number of answers) -> a head with an output each
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray, np.ndarray, int], Head]


@dataclass(frozen=True)
class Question:
    """`outputs` are those it trains, one an answer; a single one stands for "yes" against "no". `train` and `tune` are
    cases of the cohort; a case may be named twice, with weights that say how much each answer counts."""

    outputs: tuple[int, ...]
    train: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    tune: np.ndarray
    tune_labels: np.ndarray


def logistic(strengths: Sequence[float], balanced: bool) -> Fit:
    """The well-fitted regression of `head`; "balanced" weighs the answers of each question alike."""

    def fit(
        train: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, tune: np.ndarray, said: np.ndarray, k: int
    ) -> Head:
        return solve(train, labels, tune, said, k, strengths, balanced, weights)

    return fit


def by_rule(rule: HeadRule, strengths: Sequence[float], balanced: bool) -> Fit:
    """The heads of `heads` that are linear. All but the regression know no weights: a label in between then counts as
    the answer it is nearer to."""
    if rule == "logistic":
        return logistic(strengths, balanced)

    def fit(
        train: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, tune: np.ndarray, said: np.ndarray, k: int
    ) -> Head:
        near = np.ones(len(labels), bool) if weights is None else weights > 0.5
        layer = heads.fit(rule, heads.Cases(train[near], labels[near], tune, said, k, balanced), strengths)
        assert isinstance(layer, nn.Linear)
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return Head(weight, bias, float("nan"), float("nan"))

    return fit


def solve_each(examples: Examples, looks: np.ndarray, fit: Fit, seed: int = 0) -> Head:
    """(V, N, D) features of all cases, V looks at each -> a head with an output for every question.

    The head learns from every look at a training case and is judged by their mean. One that the training cases answer
    in one way only gets a constant: how often that answer is to be expected. `strength` and `tune_loss` are unknown.
    """
    asked = questions(examples, seed)
    return _head(looks, [(question, _fitted(question, looks, fit)) for question in asked])


def strengths_of(
    examples: Examples, looks: np.ndarray, strengths: Sequence[float], balanced: bool = False, seed: int = 0
) -> tuple[float, ...]:
    """The strength that suits each question best on its tune cases."""
    found = [_fitted(question, looks, logistic(strengths, balanced)) for question in questions(examples, seed)]
    middle = sorted(strengths)[len(strengths) // 2]
    return tuple(head.strength if head else middle for head in found)


def solve_on_both(
    examples: Examples, looks: np.ndarray, strengths: Sequence[float], balanced: bool = False, seed: int = 0,
    folds: int = 0,
) -> tuple[Head, np.ndarray | None]:  # fmt: skip
    """A head of these strengths, one a question, fitted on train and tune part; and, with `folds`, (n tune, K) scores
    of the tune cases by heads that had not seen them or another of their group (cross-fitting)."""
    e = examples
    both = np.concatenate([e.train, e.tune])
    head = _of(replace(e, train=both, tune=e.tune[:0]), looks, strengths, balanced, seed)
    if not folds:
        return head, None
    features, scores = looks.mean(axis=0), np.zeros((len(e.tune), e.classes))
    groups = e.groups[e.tune] if e.groups is not None else np.arange(len(e.tune))
    names, of = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[of] % folds
    for number in np.unique(fold):
        mine = fold == number
        seen = replace(e, train=np.concatenate([e.train, e.tune[~mine]]), tune=e.tune[:0])
        one = _of(seen, looks, strengths, balanced, seed)
        scores[mine] = head_scores(heads.linear(one.weight, one.bias), features[e.tune[mine]], e.task, e.policies)
    return head, scores


def _of(e: Examples, looks: np.ndarray, strengths: Sequence[float], balanced: bool, seed: int) -> Head:
    asked = questions(e, seed)
    return _head(
        looks,
        [(q, _fitted(q, looks, logistic([one], balanced))) for q, one in zip(asked, strengths, strict=True)],
    )


def _fitted(question: Question, looks: np.ndarray, fit: Fit) -> Head | None:
    """None where there is one answer only."""
    if len(np.unique(question.labels)) < 2:
        return None
    rows, times = looks[:, question.train].reshape(-1, looks.shape[2]), len(looks)
    weights = None if question.weights is None else np.tile(question.weights, times)
    tune = looks[:, question.tune].mean(axis=0)
    answers = max(2, len(question.outputs))
    return fit(rows, np.tile(question.labels, times), weights, tune, question.tune_labels, answers)


def _head(looks: np.ndarray, found: Sequence[tuple[Question, Head | None]]) -> Head:
    total = sum(len(question.outputs) for question, _ in found)
    weight, bias = np.zeros((total, looks.shape[2]), np.float32), np.zeros(total, np.float32)
    for question, head in found:
        outputs = list(question.outputs)
        if head is None:
            bias[outputs] = _constant(question)
        elif len(outputs) == 1:
            weight[outputs], bias[outputs] = head.weight[1] - head.weight[0], head.bias[1] - head.bias[0]
        else:
            weight[outputs], bias[outputs] = head.weight, head.bias
    return Head(weight, bias, float("nan"), float("nan"))


def questions(examples: Examples, seed: int = 0) -> tuple[Question, ...]:
    return _of_findings(examples, seed) if examples.task == "multi-label" else _of_grades(examples)


def _of_findings(e: Examples, seed: int) -> tuple[Question, ...]:
    assert e.targets is not None
    wanted = policies.taught(e.targets, e.policies, seed)
    asked = []
    for k, policy in enumerate(e.policies):
        tune = e.tune[e.targets[e.tune, k] >= 0]
        sure = e.targets[tune, k].astype(np.int64)
        if policy == "multi-class":
            rows = e.train[e.targets[e.train, k] != policies.UNSAID]
            labels = e.targets[rows, k].astype(np.int64)
            labels = np.where(labels == policies.UNCERTAIN, 2, labels)
            asked.append(Question(tuple(policies.triple(e.policies, k)), rows, labels, None, tune, sure))
            continue
        rows = e.train[np.isfinite(wanted[e.train, k])]
        share = wanted[rows, k].astype(np.float64)
        half = (share > 0) & (share < 1)  # an answer in between counts as both, each by its share
        train = np.concatenate([rows, rows[half]])
        labels = np.concatenate([share > 0, np.zeros(half.sum(), bool)]).astype(np.int64)
        weights = np.concatenate([np.where(half, share, 1.0), 1 - share[half]]) if half.any() else None
        asked.append(Question((k,), train, labels, weights, tune, sure))
    return tuple(asked)


def _of_grades(e: Examples) -> tuple[Question, ...]:
    asked = []
    for j in range(e.classes - 1):
        train, tune = e.train[e.labels[e.train] >= j], e.tune[e.labels[e.tune] >= j]
        higher, theirs = (e.labels[rows] > j for rows in (train, tune))
        asked.append(Question((j,), train, higher.astype(np.int64), None, tune, theirs.astype(np.int64)))
    return tuple(asked)


def _constant(question: Question) -> np.ndarray:
    """Logits that answer with the shares seen, each answer counted half a case too often (no answer is impossible)."""
    answers = max(2, len(question.outputs))
    counts = np.bincount(question.labels, minlength=answers) + 0.5
    logits = np.log(counts / counts.sum())
    return logits[1:] - logits[:1] if len(question.outputs) == 1 else logits
