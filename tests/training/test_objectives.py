"""Everything that can be learned, on both networks: it is learned, kept with the right width, and judged."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from medtl.evaluation.grades import kappa, middle
from medtl.sources.network import Network
from medtl.training import meaning
from medtl.training.checkpoint import Checkpoint
from medtl.training.control import thumbnail_answers
from medtl.training.examples import Examples, Fitted
from medtl.training.findings import mean_auroc
from medtl.training.inference import Eye, head_scores
from medtl.training.objective import objective
from medtl.training.several import logistic, questions, solve_each
from medtl.vocabulary import NewHead, Plan, Policy, Rate, Solve, Task, Train
from tests.builders import CPU, KINDS, Heard, engine, several_examples, state_of

TASKS: tuple[Task, ...] = ("multi-label", "ordinal")
HEAD, HIDDEN = NewHead("A head."), NewHead("A hidden one.", hidden=12)
SOLVE = Solve("Fit it.", strengths=(0.01, 0.1, 1.0))


def train(network: Network, epochs: int = 6, **more: Any) -> Train:
    rates = (*(Rate(stage.name, 3e-3) for stage in network.stages), Rate("head", 1e-2))
    return Train(
        "Train it.", **{"epochs": epochs, "rates": rates, "batch": 12, "augment": "none", "patience": 99} | more
    )


def made(kind: str, task: Task, *said: Policy) -> tuple[Network, Any, Examples]:
    build, spec = KINDS[kind]
    examples = several_examples(task, spec)
    if said:
        examples = dataclasses.replace(examples, policies=said)
    return build(), spec, examples


def scores_of(fitted: Fitted, spec: Any, e: Examples) -> np.ndarray:
    features = Eye(fitted.network, spec, CPU).features(e.inputs.take, np.arange(len(e.labels)))
    return head_scores(fitted.network.head, features, e.task)


def how_good(scores: np.ndarray, e: Examples) -> float:
    """Well above 0.7 only where the labels were understood."""
    if e.task == "ordinal":
        return kappa(e.labels[e.test], middle(scores[e.test]), e.classes)
    assert e.targets is not None
    return mean_auroc(e.targets[e.test], scores[e.test])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", TASKS)
def test_a_fitted_head_and_a_trained_network_learn_what_is_easy(kind: str, task: Task) -> None:
    for steps in ("solve", "train"):
        network, spec, e = made(kind, task)
        plan: Plan = (HEAD, SOLVE) if steps == "solve" else (HIDDEN, train(network, 12, adapt_batchnorm=True))
        fitted = engine(e, spec).carry_out(network, plan)
        scores = scores_of(fitted, spec, e)
        assert scores.shape == (len(e.labels), e.classes) and scores.min() >= 0 and scores.max() <= 1
        assert how_good(scores, e) > (0.5 if steps == "solve" else 0.7), steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["ignore", "zeros", "ones", "smoothed", "multi-class"])
def test_every_policy_trains_from_the_fitted_head_and_keeps_an_output_a_finding(kind: str, policy: Policy) -> None:
    network, spec, e = made(kind, "multi-label", policy, "ignore", policy)
    heard = Heard()
    fitted = engine(e, spec, heard).carry_out(network, (HEAD, SOLVE, train(network, 3)))
    assert fitted.network.head.out_features == 3 and fitted.network.head.weight.shape[0] == 3
    assert how_good(scores_of(fitted, spec, e), e) > 0.7
    assert all(math.isfinite(epoch["tune_loss"]) for epoch in heard.epochs)


@pytest.mark.parametrize("task", TASKS)
def test_the_fitted_head_is_the_first_candidate_so_training_never_ends_worse_on_the_tune_part(task: Task) -> None:
    _, spec, e = made("image", task)
    judge = objective(e, Train("", 1, ()), 3)
    losses = []
    for more in ((), (3,)):
        network = KINDS["image"][0]()
        fitted = engine(e, spec).carry_out(network, (HEAD, SOLVE, *(train(network, n) for n in more)))
        features = Eye(fitted.network, spec, CPU).features(e.inputs.take, e.tune).astype(np.float64)
        head = fitted.network.head
        logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
        losses.append(judge.judge(logits, e.tune).loss)
    assert losses[1] <= losses[0] + 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_weights_also_when_it_was_cut_in_two(task: Task, tmp_path: Any) -> None:
    def carried(until: int | None, name: str) -> dict[str, Any]:
        network, spec, e = made("table", task)
        more = {"weigh_tasks": True} if task == "multi-label" else {}

        def killed(epoch: int) -> None:
            if epoch == until:
                raise KeyboardInterrupt

        plan = (HEAD, SOLVE, train(network, 4, **more))
        work = engine(e, spec, Heard(after_epoch=killed), checkpoint=Checkpoint(tmp_path / name))
        try:
            return state_of(work.carry_out(network, plan).network)
        except KeyboardInterrupt:
            return carried(None, name)

    whole, cut = carried(None, "whole"), carried(2, "cut")
    assert all((whole[key] == cut[key]).all() for key in whole)


def test_a_step_that_only_one_label_allows_is_said_and_left_out() -> None:
    for task in TASKS:
        network, spec, e = made("table", task)
        heard = Heard()
        engine(e, spec, heard).carry_out(network, (HEAD, train(network, 1, loss="logit-adjusted")))
        assert any("left out" in note for note in heard.notes)


# ---- heads without gradients ----------------------------------------------------------------------------------------


def test_a_finding_that_no_training_case_has_gets_a_constant_and_the_others_are_fitted() -> None:
    _, _, e = made("image", "multi-label")
    features = np.random.default_rng(0).normal(size=(len(e.labels), 5)).astype(np.float32)
    head = solve_each(e, features[None], logistic((0.1, 1.0), balanced=False))
    assert head.weight.shape == (3, 5) and not head.weight[2].any() and head.weight[:2].any(axis=1).all()
    assert head.bias[2] < -3  # expected in fewer than one of twenty


def test_a_label_in_between_weighs_as_both() -> None:
    """Fitted with shares, the mean answer is the mean of the shares: so it is for any regression with a constant."""
    _, _, e = made("image", "multi-label", "smoothed", "ignore", "ignore")
    asked = questions(e, seed=0)[0]
    assert asked.weights is not None
    assert asked.weights.sum() == pytest.approx(len(np.unique(asked.train)))
    features = np.random.default_rng(1).normal(size=(len(e.labels), 3)).astype(np.float32)
    head = solve_each(e, features[None], logistic((1.0,), balanced=False))
    said = meaning.sigmoid(features[asked.train] @ head.weight[0] + head.bias[0])
    share = (asked.weights * asked.labels).sum() / asked.weights.sum()
    assert (asked.weights * said).sum() / asked.weights.sum() == pytest.approx(share, abs=2e-3)


def test_an_output_of_grades_is_asked_of_the_cases_that_reach_it() -> None:
    _, _, e = made("image", "ordinal")
    for j, question in enumerate(questions(e)):
        assert set(e.labels[question.train]) == set(range(j, 3))
        np.testing.assert_array_equal(question.labels, e.labels[question.train] > j)


@pytest.mark.parametrize("task", TASKS)
def test_thumbnails_answer_the_same_questions(task: Task) -> None:
    _, _, e = made("image", task)
    pixels = e.inputs.take(np.arange(len(e.labels)))[:, 0]
    answers = thumbnail_answers(np.kron(pixels, np.ones((2, 2), np.uint8)), e)
    assert answers.shape == (len(e.test), 3) and how_good(np.vstack([answers] * 1), _only_test(e)) > 0.7


def _only_test(e: Examples) -> Examples:
    test = e.test
    return dataclasses.replace(
        e, labels=e.labels[test], targets=None if e.targets is None else e.targets[test], test=np.arange(len(test))
    )
