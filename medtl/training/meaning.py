"""What the outputs of a head mean, by the task it was trained for: how many, their scores, what speaks for a class.

The one place that training, prediction, heat maps and exports ask. Knows logits; no network, no labels.

Letters: n cases in hand, K classes (findings, grades), O outputs.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medtl.training.head import softmax
from medtl.vocabulary import Task


def width(task: Task, classes: int) -> int:
    """O of a finished head. Grades have an output less than there are: each asks "higher than this one?"."""
    return classes - 1 if task == "ordinal" else classes


def scores(logits: np.ndarray, task: Task) -> np.ndarray:
    """(n, O) logits -> (n, K) scores in [0, 1], float64. Rows sum to 1, except those of findings, each of which is a
    question of its own."""
    if task == "multi-label":
        return sigmoid(logits)
    return of_grades(logits) if task == "ordinal" else softmax(logits)


def of_grades(logits: np.ndarray) -> np.ndarray:
    """(n, K - 1) logits of "higher than grade k, given at least k" -> (n, K) scores of the grades.

    The chain rule, Shi et al. 2021, arXiv:2111.08851 eq. 4: P(y > k) is the product of all answers up to k, so it never
    rises with k, whatever the logits.
    """
    higher = np.cumprod(sigmoid(logits), axis=1)  # (n, K - 1) P(y > k)
    one, zero = np.ones((len(logits), 1)), np.zeros((len(logits), 1))
    return np.asarray(np.hstack([one, higher]) - np.hstack([higher, zero]))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Of any logit without overflow; float64."""
    small = np.exp(-np.abs(np.asarray(logits, np.float64)))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))


def evidence(logits: Tensor, k: int, task: Task) -> Tensor:
    """(O,) logits of one case -> the scalar whose gradient says what speaks for class `k`: its own output, or for a
    grade the logarithm of its score."""
    if task != "ordinal":
        return logits[k]
    said = functional.logsigmoid(logits[:k]).sum()
    return said + functional.logsigmoid(-logits[k]) if k < len(logits) else said


def narrow(head: torch.nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    """Give the last linear layer of a head these weights (O, D) and bias (O,), whatever its width was."""
    last = [module for module in head.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight = torch.nn.Parameter(torch.from_numpy(weight).to(last.weight))
        last.bias = torch.nn.Parameter(torch.from_numpy(bias).to(last.bias))
    last.out_features = len(weight)
