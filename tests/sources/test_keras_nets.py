"""A Keras file becomes a network torch trains, frozen where it is frozen; layers with code of their own are refused."""

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from medtl.errors import BadInput, MedtlError
from medtl.sources.foreign import Brought, Stated
from tests import foreign_files
from tests.builders import same_state, state_of
from tests.foreign_files import SIDE, write_keras

foreign_files.keras()
from medtl.sources import keras_nets  # noqa: E402 - only where the optional library is there


@pytest.fixture(scope="module", params=["plain", "nested"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keras(tmp_path_factory.mktemp("keras") / "tiny.keras", nested=request.param == "nested")


@pytest.fixture
def brought(file: Path) -> Brought:
    return keras_nets.bring(file, Stated())


def pictures(n: int = 3) -> torch.Tensor:
    return 255 * torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_the_features_are_what_went_into_its_classifier(brought: Brought, file: Path) -> None:
    model = foreign_files.keras().saving.load_model(file)
    dense = model.layers[-1]
    x = pictures()
    with torch.no_grad():
        ours = brought.network.features(x).numpy()
        theirs = model(x.permute(0, 2, 3, 1), training=False).numpy()
        logits = ours @ dense.kernel.numpy() + dense.bias.numpy()
    exp = np.exp(logits - logits.max(1, keepdims=True))
    assert np.allclose(exp / exp.sum(1, keepdims=True), theirs, atol=1e-5) and brought.network.width == 16
    assert brought.input.std == (1 / 255,) * 3 and "0 to 255" in " ".join(brought.notes)


def test_it_has_stages_that_learn_and_a_map(brought: Brought) -> None:
    network = brought.network
    of_stages = [id(p) for stage in network.stages for p in stage.parameters()]
    assert sorted(of_stages) == sorted(id(p) for p in network.trunk.parameters()) and len(network.stages) >= 2
    seen: list[torch.Size] = []
    assert network.map_layer is not None and network.map_reshape is not None
    hook = network.map_layer.register_forward_hook(
        lambda module, given, made: seen.append(network.map_reshape(made).shape)  # type: ignore[misc]
    )
    network(pictures()).sum().backward()
    hook.remove()
    assert seen == [torch.Size([3, 16, SIDE // 2, SIDE // 2])]
    assert all(p.grad is not None for p in network.trunk.parameters())
    keys = [key.split(".")[-1] for key in network.trunk.state_dict()]
    assert {"0_kernel", "0_gamma", "2_moving_mean", "3_moving_variance"} <= set(keys)


def test_batch_norm_moves_only_where_it_is_told_to(brought: Brought) -> None:
    network = brought.network
    before = state_of(network.trunk)
    network.eval()
    network(pictures())
    for stage in network.stages:  # as the engine does without `adapt_batchnorm`
        stage.train(True)
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.eval()
    network(pictures())
    statistics = [key for key in before if "moving" in key]
    assert norms and all(torch.equal(network.trunk.state_dict()[key], before[key]) for key in statistics)
    for norm in norms:
        norm.train()
    network(pictures())
    assert not all(torch.equal(network.trunk.state_dict()[key], before[key]) for key in statistics)
    network.eval()
    now = state_of(network.trunk)
    network(pictures())
    assert same_state(state_of(network.trunk), now)


def test_what_is_kept_is_the_architecture_alone(brought: Brought, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(brought.graph)
    again = keras_nets.build(tmp_path / "model.keras", brought.input, 3)
    assert not same_state(state_of(again.trunk), state_of(brought.network.trunk))
    again.trunk.load_state_dict(brought.network.trunk.state_dict())
    with torch.no_grad():
        assert torch.equal(again.features(pictures()), brought.network.features(pictures()))
    with pytest.raises(BadInput, match="no weights"):
        keras_nets.bring(tmp_path / "model.keras", Stated())


def test_a_copy_does_not_share(brought: Brought) -> None:
    other = copy.deepcopy(brought.network)
    with torch.no_grad():
        before = brought.network.features(pictures())
        for parameter in other.trunk.parameters():
            parameter.add_(1)
        assert torch.equal(brought.network.features(pictures()), before)
        assert not torch.allclose(other.features(pictures()), before)


def test_dropout_follows_the_seed_and_is_off_in_eval(brought: Brought) -> None:
    network = brought.network.eval()
    with torch.no_grad():
        assert torch.equal(network.features(pictures()), network.features(pictures()))


@pytest.mark.parametrize(
    ("name", "mean", "flip"),
    [("resnet50", 123.68 / 255, True), ("mobilenetv2_1.00_224", 0.5, False), ("densenet121", 0.485, False),
     ("ours", 0.0, False)],
)  # fmt: skip
def test_known_networks_bring_their_brightness(name: str, mean: float, flip: bool, tmp_path: Path) -> None:
    file = write_keras(tmp_path / "n.keras", rescales=False, named={"name": name})
    made = keras_nets.bring(file, Stated())
    assert made.input.mean[0] == pytest.approx(mean) and made.network.stages[0].modules[0].flip is flip
    told = keras_nets.bring(file, Stated(range="0-255"))
    assert told.input.mean == (0.0,) * 3 and told.network.stages[0].modules[0].flip is False


def rewritten(file: Path, out: Path, change: Any) -> Path:
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return out


def layer(config: Any) -> Any:
    return next(one for one in config["config"]["layers"] if one["class_name"] == "ReLU")


def a_lambda(config: Any) -> None:
    layer(config).update(class_name="Lambda")


def of_its_own(config: Any) -> None:
    layer(config).update(registered_name="Somebody>ReLU")


def from_elsewhere(config: Any) -> None:
    layer(config).update(module="os", class_name="system")


def a_function(config: Any) -> None:
    layer(config)["config"]["activation"] = {"module": "builtins", "class_name": "function", "config": "eval"}


def reads_files(config: Any) -> None:
    layer(config).update(class_name="StringLookup", config={"vocabulary": "/etc/passwd"})


def fetches(config: Any) -> None:
    layer(config).update(module="keras.utils", class_name="get_file", config={})


def test_a_name_is_neither_code_nor_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_keras(tmp_path / "t.keras")
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    names = [one["config"]["name"] for one in config["config"]["layers"]]
    there = set(tmp_path.iterdir())
    for trap in ('training"), open("ran{}", "w") or getattr(self, "training', "..\\..\\ran{}", "../ran{}"):

        def change(config: Any, trap: str = trap) -> None:
            text = json.dumps(config)
            for number, name in enumerate(names):
                text = text.replace(json.dumps(name), json.dumps(trap.format(number)))
            config |= json.loads(text)

        hostile = rewritten(file, tmp_path / "hostile.keras", change)
        there.add(hostile)
        try:
            network = keras_nets.bring(hostile, Stated()).network
        except MedtlError:  # Keras takes no slash in a name
            continue
        network(pictures())
        assert all(key.replace(".", "_").isidentifier() for key in network.trunk.state_dict())
    assert set(tmp_path.iterdir()) == there


@pytest.mark.parametrize("change", [a_lambda, of_its_own, from_elsewhere, a_function, reads_files, fetches])
def test_what_is_not_plain_is_refused(change: Any, tmp_path: Path) -> None:
    file = rewritten(write_keras(tmp_path / "t.keras"), tmp_path / "bad.keras", change)
    with pytest.raises(BadInput) as error:
        keras_nets.bring(file, Stated())
    assert error.value.message and error.value.advice
    if change is a_lambda:
        assert "Lambda" in error.value.message


def test_a_real_lambda_is_refused(tmp_path: Path) -> None:
    file = write_keras(tmp_path / "l.keras", extra=lambda x: foreign_files.keras().layers.Lambda(lambda y: 2 * y)(x))
    with pytest.raises(BadInput, match="Lambda"):
        keras_nets.bring(file, Stated())


def test_more_than_layers_and_weights_is_refused(tmp_path: Path) -> None:
    file = write_keras(tmp_path / "t.keras")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("assets/../../x", "y")
    with pytest.raises(BadInput, match="more than"):
        keras_nets.bring(file, Stated())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", b"\x89HDF\r\n"])
def test_what_is_no_keras_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.keras").write_bytes(content)
    with pytest.raises(MedtlError) as error:
        keras_nets.bring(tmp_path / "bad.keras", Stated())
    assert error.value.message and error.value.advice
