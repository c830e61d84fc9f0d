"""Seeing without gradients: folded networks see the same, scores are the same however they are worked out."""

import numpy as np
import pytest
import torch
from torch import nn

from medtl.sources.image_nets import build
from medtl.sources.network import hidden_head
from medtl.training.head import softmax
from medtl.training.inference import Eye, _Features, folded, head_scores
from medtl.training.tensors import to_input
from tests.builders import CPU, KINDS, PICTURES, easy_examples, image_network, same_state, state_of


@pytest.mark.parametrize("builder", ["tiny", "mobilenet_v2", "mobilenet_v3_small", "resnet18"])
def test_folding_changes_no_feature(builder: str) -> None:
    torch.manual_seed(0)
    network = image_network() if builder == "tiny" else build(builder, 2)
    with torch.no_grad():  # running statistics away from 0 and 1
        for _ in range(3):
            network.train()(torch.randn(4, 3, 64, 64) + 0.3)
    network.eval()
    before = state_of(network)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        plain = network.features(x)
        fused = folded(_Features(network))
        assert torch.allclose(plain, fused(x), atol=1e-4 * float(plain.abs().max().clamp(min=1)))
    assert same_state(before, state_of(network))
    if builder != "tiny":
        assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_the_eye_sees_what_the_network_sees(kind: str) -> None:
    make, spec = KINDS[kind]
    network, examples = make(), easy_examples(spec)
    wanted = np.arange(37)  # no multiple of the chunk
    told: list[tuple[int, int]] = []
    seen = Eye(network, spec, CPU).features(examples.inputs.take, wanted, lambda d, t: told.append((d, t)))
    with torch.inference_mode():
        plain = network.features(to_input(examples.inputs.take(wanted), spec, CPU.where)).numpy()
    assert seen.shape == (37, network.width) and seen.dtype == np.float32
    assert np.allclose(seen, plain, atol=1e-4)
    assert told[-1] == (37, 37) and [done for done, _ in told] == sorted(done for done, _ in told)


def test_later_training_does_not_change_an_eye() -> None:
    network, examples = image_network(), easy_examples()
    eye = Eye(network, PICTURES, CPU)
    before = eye.features(examples.inputs.take, np.arange(4))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert np.array_equal(before, eye.features(examples.inputs.take, np.arange(4)))


def test_a_network_that_cannot_be_traced_is_used_as_it_is() -> None:
    class Moody(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if x.sum() > 0 else x

    assert torch.equal(folded(Moody())(torch.ones(2)), torch.full((2,), 2.0))


def test_nothing_to_see() -> None:
    assert len(Eye(image_network(), PICTURES, CPU).features(easy_examples().inputs.take, np.arange(0))) == 0


@pytest.mark.parametrize("head", [nn.Linear(16, 3), hidden_head(16, 8, 3, 0.5)], ids=["linear", "hidden"])
def test_scores_sum_to_one_and_do_not_depend_on_the_company(head: nn.Module) -> None:
    features = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32) * 5
    scores = head_scores(head.train(), features)
    assert np.allclose(scores.sum(axis=1), 1) and scores.dtype == np.float64
    assert np.allclose(scores[4], head_scores(head, features[4:5])[0], atol=1e-12)
    with torch.inference_mode():
        assert np.allclose(scores, softmax(head.eval()(torch.from_numpy(features)).numpy()), atol=1e-5)
    assert next(head.parameters()).dtype == torch.float32
