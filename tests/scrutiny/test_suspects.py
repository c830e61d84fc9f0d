"""Wrong labels among clouds of points: they are named, right ones hardly, and no head judges what it saw."""

import numpy as np
import pytest

from medtl.scrutiny import suspects

CLASSES = 3


def clouds(n: int = 240, distance: float = 4.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 24) around one centre a class, labels (n,), groups (n,) of two cases each."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) // 2
    labels = groups % CLASSES
    centres = rng.normal(size=(CLASSES, 24))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[labels] + rng.normal(size=(n, 24))).astype(np.float32), labels.astype(np.int64), groups


def test_wrong_labels_are_named_with_the_right_suggestion_and_the_worst_first() -> None:
    features, truth, groups = clouds()
    labels = truth.copy()
    wrong = np.random.default_rng(1).permutation(len(labels))[:12]
    labels[wrong] = (labels[wrong] + 1) % CLASSES
    found = suspects.doubts(features, labels, groups, CLASSES)
    named = {doubt.row: doubt for doubt in found}
    hit = [row for row in wrong if row in named]
    assert len(hit) >= 0.8 * len(wrong) and len(hit) >= 0.5 * len(found)
    assert np.mean([named[row].suggested == truth[row] for row in hit]) > 0.8
    assert [doubt.quality for doubt in found] == sorted(doubt.quality for doubt in found)


def test_clean_labels_that_can_be_told_apart_are_left_alone() -> None:
    features, labels, groups = clouds(distance=8)
    assert len(suspects.doubts(features, labels, groups, CLASSES)) <= 0.02 * len(labels)


def test_a_case_is_never_scored_by_a_head_that_saw_its_group() -> None:
    """Every group has a feature of its own and a label by chance: whoever saw the group would know the label."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), 4)
    labels = rng.integers(0, 2, 60)[groups].astype(np.int64)
    features = np.eye(60, dtype=np.float32)[groups]
    scores = suspects.out_of_fold(features, labels, groups, 2)
    right = (scores.argmax(axis=1) == labels).mean()
    assert right < 0.7


def test_scores_are_the_same_twice_and_sum_to_one() -> None:
    features, labels, groups = clouds(90)
    told: list[tuple[int, int]] = []
    one = suspects.out_of_fold(features, labels, groups, CLASSES, lambda done, total: told.append((done, total)))
    assert np.array_equal(one, suspects.out_of_fold(features, labels, groups, CLASSES))
    assert np.allclose(one.sum(axis=1), 1)
    assert told[-1] == (suspects.FOLDS, suspects.FOLDS)


@pytest.mark.parametrize(("groups", "enough"), [(4, False), (5, True)])
def test_a_class_needs_a_group_for_every_fold(groups: int, enough: bool) -> None:
    labels = np.array([0] * 20 + [1] * 20)
    together = np.concatenate([np.arange(20), 100 + np.arange(20) % groups])
    assert suspects.enough(labels, together, 2).tolist() == [True, enough]
