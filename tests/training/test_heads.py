"""Heads in closed form: equal to scikit-learn's where it has them, stored and restored, and usable as any other."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from torch import nn

from medtl.evaluation.ranking import macro_auroc
from medtl.sources import weights
from medtl.sources.heads import restored
from medtl.training.head import log_loss, softly
from medtl.training.heads import Cases, fit
from medtl.training.inference import head_scores
from medtl.vocabulary import HeadRule

RULES: dict[HeadRule, tuple[float, ...]] = {
    "logistic": (0.01, 0.1, 1.0),
    "ridge": (1.0, 10.0, 100.0),
    "lda": (0.05, 0.5, 1.0),
    "class-means": (2.0, 8.0, 32.0),
    "neighbours": (1.0, 5.0, 15.0),
    "examples": (0.0, 0.5, 1.0),
}


def made(n: int = 120, d: int = 10, classes: int = 3, seed: int = 0, **more: Any) -> Cases:
    """Clouds around a mean each, of uneven size; half of the cases to tune."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, n, p=np.array([0.6, *[0.4 / (classes - 1)] * (classes - 1)]))
    labels[: 2 * classes] = np.arange(2 * classes) % classes
    means = rng.normal(size=(classes, d)) * 1.2
    x = (means[labels] + rng.normal(size=(n, d)) * np.linspace(0.5, 2, d) + 3).astype(np.float32)
    return Cases(x[::2], labels[::2], x[1::2], labels[1::2], classes, **more)


def balanced(cases: Cases) -> Cases:
    return dataclasses.replace(cases, balanced=True)


def untempered(head: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a linear head up to the common factor that its temperature is."""
    assert isinstance(head, nn.Linear)
    w, b = head.weight.detach().numpy(), head.bias.detach().numpy()
    return w / np.linalg.norm(w), b / np.linalg.norm(w)


def standard(cases: Cases, x: np.ndarray) -> np.ndarray:
    mean, scale = softly(cases.train)
    return np.asarray((x - mean) / scale)


@pytest.mark.parametrize("weight_classes", [None, "balanced"])
@pytest.mark.parametrize(("n", "d"), [(120, 10), (40, 60)])
def test_ridge_is_that_of_scikit_learn(weight_classes: str | None, n: int, d: int) -> None:
    cases = made(n, d, balanced=weight_classes == "balanced")
    weight, bias = untempered(fit("ridge", cases, (5.0,)))
    # Theirs weighs a balanced class by n / (K n_k), ours by the same up to a mean of 1.
    reference = RidgeClassifier(alpha=5.0, class_weight=weight_classes)
    reference.fit(standard(cases, cases.train), cases.train_labels)
    mean, by = softly(cases.train)
    theirs = reference.coef_ / by
    level = reference.intercept_ - theirs @ mean
    scale = np.linalg.norm(theirs)
    assert np.allclose(weight, theirs / scale, atol=1e-4) and np.allclose(bias, level / scale, atol=1e-3)


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
@pytest.mark.parametrize(("n", "d"), [(120, 10), (40, 60)])
def test_lda_is_that_of_scikit_learn(shrinkage: float, n: int, d: int) -> None:
    cases = made(n, d)
    head = fit("lda", cases, (shrinkage,))
    reference = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Shrunk(shrinkage))
    reference.fit(standard(cases, cases.train), cases.train_labels)
    theirs = reference.decision_function(standard(cases, cases.tune))
    with torch.inference_mode():
        ours = head(torch.from_numpy(cases.tune)).numpy()
    ours, theirs = ours - ours.mean(axis=1, keepdims=True), theirs - theirs.mean(axis=1, keepdims=True)
    factor = (ours * theirs).sum() / (theirs**2).sum()  # the temperature
    assert 0.09 < factor < 4.1 and np.allclose(ours, factor * theirs, atol=2e-3 * np.abs(ours).max())


class _Shrunk:
    """A covariance as scikit-learn takes it: (1 - s) S + s tr(S)/D, without its rescaling of each class."""

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = shrinkage

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"shrinkage": self.shrinkage}

    def fit(self, x: np.ndarray) -> "_Shrunk":
        s = np.cov(x.T, bias=True)
        self.covariance_ = (1 - self.shrinkage) * s + self.shrinkage * np.trace(s) / len(s) * np.eye(len(s))
        return self


def test_class_means_is_the_nearest_direction() -> None:
    cases = made()
    head = fit("class-means", balanced(cases), (8.0,))
    centre = cases.train.mean(axis=0)

    def direction(x: np.ndarray) -> np.ndarray:
        return np.asarray((x - centre) / np.linalg.norm(x - centre, axis=1, keepdims=True))

    kept = direction(cases.train)
    means = np.stack([kept[cases.train_labels == k].mean(axis=0) for k in range(3)])
    cosine = direction(cases.tune) @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    with torch.inference_mode():
        assert np.allclose(head(torch.from_numpy(cases.tune)).numpy(), 8 * cosine, atol=1e-4)


def test_one_neighbour_answers_as_the_most_similar_case() -> None:
    cases = made(balanced=True)
    head = fit("neighbours", cases, (1.0,))
    centre = cases.train.mean(axis=0)
    train, tune = cases.train - centre, cases.tune - centre
    train, tune = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, tune))
    nearest = cases.train_labels[(tune @ train.T).argmax(axis=1)]
    assert (head_scores(head, cases.tune).argmax(axis=1) == nearest).all()


def test_examples_without_their_share_are_class_means() -> None:
    cases = made()
    means, examples = fit("class-means", cases, (8.0,)), fit("examples", cases, (0.0,))
    a, b = (head_scores(head, cases.tune) for head in (means, examples))
    same = a.argmax(axis=1) == b.argmax(axis=1)
    assert same.mean() > 0.8  # how sharply cosines are read beside how frequent a class is may differ


@pytest.mark.parametrize("rule", RULES)
def test_it_tells_classes_apart_and_its_scores_are_calibrated(rule: HeadRule) -> None:
    cases = made(400)
    scores = head_scores(fit(rule, cases, RULES[rule]), cases.tune)
    assert np.allclose(scores.sum(axis=1), 1) and macro_auroc(cases.tune_labels, scores) > 0.8
    counts = np.bincount(cases.tune_labels) / len(cases.tune)
    assert log_loss(scores, cases.tune_labels) < -(counts * np.log(counts)).sum()  # better than saying how frequent


@pytest.mark.parametrize("rule", RULES)
def test_the_strength_is_the_one_of_least_loss_on_tune(rule: HeadRule) -> None:
    cases = made(160)
    alone = [log_loss(head_scores(fit(rule, cases, (s,)), cases.tune), cases.tune_labels) for s in RULES[rule]]
    chosen = log_loss(head_scores(fit(rule, cases, RULES[rule]), cases.tune), cases.tune_labels)
    assert chosen == pytest.approx(min(alone), rel=0.02)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("missing", ["none", "a third class", "all but one"])
def test_few_cases_and_missing_classes_are_no_error(rule: HeadRule, missing: str) -> None:
    rng = np.random.default_rng(1)
    labels = {"none": [0, 0, 1, 1, 2, 2], "a third class": [0, 0, 1, 1], "all but one": [1, 1]}[missing]
    train = rng.normal(size=(len(labels), 8)).astype(np.float32)
    tune = rng.normal(size=(6, 8)).astype(np.float32)
    train[:, 0] = 1.0  # says nothing
    cases = Cases(train, np.array(labels), tune, np.array([0, 0, 1, 1, 2, 2]), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for these in (cases, balanced(cases)):
            scores = head_scores(fit(rule, these, RULES[rule]), tune)
            assert np.isfinite(scores).all() and np.allclose(scores.sum(axis=1), 1)
            absent = np.setdiff1d(np.arange(3), labels)
            assert (scores[:, absent] < 0.34).all()


@pytest.mark.parametrize("rule", RULES)
def test_without_tune_cases_the_strength_in_the_middle_is_taken(rule: HeadRule) -> None:
    cases = made()
    alone = Cases(cases.train, cases.train_labels, cases.tune[:0], cases.tune_labels[:0], 3)
    scores = head_scores(fit(rule, alone, RULES[rule]), cases.tune)
    assert macro_auroc(cases.tune_labels, scores) > 0.7


@pytest.mark.parametrize("rule", RULES)
def test_balancing_moves_the_answers_to_rare_classes(rule: HeadRule) -> None:
    cases = made(300)
    plain, even = (head_scores(fit(rule, c, RULES[rule]), cases.tune) for c in (cases, balanced(cases)))
    assert even[:, 0].mean() < plain[:, 0].mean()


@pytest.mark.parametrize("rule", RULES)
def test_it_is_stored_and_restored_by_names_and_shapes_alone(rule: HeadRule, tmp_path: Path) -> None:
    cases = made()
    head = fit(rule, cases, RULES[rule])
    save_file({key: value.contiguous() for key, value in head.state_dict().items()}, tmp_path / "head.safetensors")
    again = restored(weights.read_safetensors(tmp_path / "head.safetensors"))
    assert type(again) is type(head)
    assert np.array_equal(head_scores(head, cases.tune), head_scores(again, cases.tune))


@pytest.mark.parametrize("rule", RULES)
def test_a_map_can_be_made_through_it(rule: HeadRule) -> None:
    """Grad-CAM asks for the gradient of a logit by the features (there is none where all neighbours agree)."""
    cases = made()
    head = fit(rule, cases, RULES[rule])
    x = torch.from_numpy(cases.tune).requires_grad_(True)
    (gradient,) = torch.autograd.grad(head(x)[:, 1].sum(), x)
    least = 0.2 if rule == "neighbours" else 0.9
    assert torch.isfinite(gradient).all() and float((gradient.abs().sum(dim=1) > 0).float().mean()) > least
