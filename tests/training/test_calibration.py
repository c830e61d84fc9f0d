"""A short look at the pace of a network: what is measured is the engine, and nothing is left changed."""

import pytest
import torch

from medtl.training import calibration
from medtl.training.device import choose
from medtl.vocabulary import InputSpec
from tests.builders import image_network

SPEC = InputSpec(size=32)


def never() -> bool:
    return False


def test_it_keeps_to_its_time_and_finds_training_dearer() -> None:
    wide = image_network(width=64)  # on a quick computer a tiny one is through before the time is
    looked = calibration.forward(wide, SPEC, choose("cpu"), never, most=0.1)
    trained = calibration.training(wide, SPEC, choose("cpu"), never, most=0.1)
    for pace in (looked, trained):
        assert 0 < pace.pictures < calibration._MOST - 64 and pace.seconds >= 0.1
    assert looked.pictures / looked.seconds > trained.pictures / trained.seconds


def test_it_leaves_the_network_as_it_was() -> None:
    network = image_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calibration.forward(network, SPEC, choose("cpu"), never, most=0.1)
    calibration.training(network, SPEC, choose("cpu"), never, most=0.1)
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_it_gives_way_at_once() -> None:
    with pytest.raises(calibration.Interrupted):
        calibration.forward(image_network(), SPEC, choose("cpu"), lambda: True)
    with pytest.raises(calibration.Interrupted):
        calibration.training(image_network(), SPEC, choose("cpu"), lambda: True)


def test_a_computer_that_is_through_before_the_time_is_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_MOST", 64)
    pace = calibration.training(image_network(), SPEC, choose("cpu"), never, most=1e6)
    assert pace.pictures == 64 - 16
    assert calibration.forward(image_network(), SPEC, choose("cpu"), never, most=1e6).pictures == 64 - 8
