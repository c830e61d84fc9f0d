"""An ONNX file becomes a network of stages that gives ONNX Runtime's numbers; what is not plain is refused."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medtl.errors import BadInput, MedtlError
from medtl.sources import limits
from medtl.sources.foreign import Brought, Stated
from medtl.sources.network import reinitialise
from tests import foreign_files
from tests.builders import same_state, state_of
from tests.foreign_files import SIDE, onnx_model, write_onnx

foreign_files.onnx()
from medtl.sources import onnx_nets  # noqa: E402 - only where the optional library is there


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Brought:
    return onnx_nets.bring(write_onnx(tmp_path_factory.mktemp("onnx") / "tiny.onnx"), Stated())


def pictures(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def features_of_the_file(x: np.ndarray) -> np.ndarray:
    import onnxruntime

    def up_to_features(model: Any) -> None:
        model.graph.output[0].CopyFrom(foreign_files.onnx().helper.make_tensor_value_info("k", 1, ["n", 16]))

    session = onnxruntime.InferenceSession(onnx_model(up_to_features).SerializeToString())
    return np.asarray(session.run(None, {"x": x})[0])


def test_the_features_are_what_went_into_its_classifier(brought: Brought) -> None:
    x = pictures()
    with torch.no_grad():
        assert np.allclose(brought.network.features(x).numpy(), features_of_the_file(x.numpy()), atol=1e-4)
    assert brought.network.width == 16
    assert "last layer of 5 outputs" in brought.notes[0] and "ImageNet's mean and std" in " ".join(brought.notes)
    assert "largest difference" in brought.notes[-1] and brought.input.size == SIDE


def test_it_has_stages_that_learn_and_a_map(brought: Brought) -> None:
    network = brought.network
    assert 2 <= len(network.stages) <= 4
    of_stages = [id(p) for stage in network.stages for p in stage.parameters()]
    assert sorted(of_stages) == sorted(id(p) for p in network.trunk.parameters())
    seen: list[torch.Size] = []
    assert network.map_layer is not None
    hook = network.map_layer.register_forward_hook(lambda module, given, made: seen.append(made.shape))
    network(pictures()).sum().backward()
    hook.remove()
    assert seen == [torch.Size([3, 16, SIDE // 2, SIDE // 2])]
    assert all(p.grad is not None for p in network.trunk.parameters())


def test_what_is_kept_is_the_architecture_alone(brought: Brought, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(brought.graph)
    again = onnx_nets.build(tmp_path / "model.onnx", brought.input, 3)
    assert not same_state(state_of(again.trunk), state_of(brought.network.trunk))
    again.trunk.load_state_dict(brought.network.trunk.state_dict())
    with torch.no_grad():
        assert torch.allclose(again.features(pictures()), brought.network.features(pictures()), atol=1e-6)
    with pytest.raises(BadInput, match="without its weights"):
        onnx_nets.bring(tmp_path / "model.onnx", Stated())


def test_a_copy_does_not_share_and_starting_over_forgets(brought: Brought) -> None:
    other = copy.deepcopy(brought.network)
    reinitialise(other)
    with torch.no_grad():
        assert not torch.allclose(other.features(pictures()), brought.network.features(pictures()))
    assert not same_state(state_of(other.trunk), state_of(brought.network.trunk))


def test_a_file_made_for_one_picture_takes_many(tmp_path: Path) -> None:
    def reshape(model: Any) -> None:
        o = foreign_files.onnx()
        node = next(n for n in model.graph.node if n.op_type == "Flatten")
        node.op_type = "Reshape"
        node.input.append("to")
        model.graph.initializer.append(o.numpy_helper.from_array(np.array([1, 16], np.int64), "to"))

    one = onnx_nets.bring(write_onnx(tmp_path / "one.onnx", reshape, batch=1), Stated())
    assert one.network.features(pictures(4)).shape == (4, 16)


def test_channels_may_come_last_and_grey_is_seen(tmp_path: Path) -> None:
    def last(model: Any) -> None:
        o = foreign_files.onnx()
        dims = model.graph.input[0].type.tensor_type.shape.dim
        dims[1].dim_value, dims[3].dim_value = SIDE, 3
        model.graph.node.insert(0, o.helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2]))
        model.graph.node[1].input[0] = "first"

    assert onnx_nets.bring(write_onnx(tmp_path / "last.onnx", last), Stated()).input.channels == 3
    grey = onnx_nets.bring(write_onnx(tmp_path / "grey.onnx", channels=1), Stated(range="0-255"))
    assert grey.input.channels == 1 and grey.input.std == (1 / 255,)


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = foreign_files.onnx().TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def own_operation(model: Any) -> None:
    model.graph.node[2].domain, model.graph.node[2].op_type = "com.somebody", "Run"
    model.opset_import.add(domain="com.somebody", version=1)


def branch(model: Any) -> None:
    o = foreign_files.onnx()
    body = o.helper.make_graph([], "body", [], [])
    model.graph.node.append(o.helper.make_node("If", ["x"], ["z"], then_branch=body, else_branch=body))


def constant_elsewhere(model: Any) -> None:
    o = foreign_files.onnx()
    node = o.helper.make_node("Constant", [], ["far"], value=o.numpy_helper.from_array(np.zeros(4, np.float32)))
    node.attribute[0].t.data_location = o.TensorProto.EXTERNAL
    model.graph.node.insert(0, node)


def sparse_elsewhere(model: Any) -> None:
    o = foreign_files.onnx()
    values, places = (o.numpy_helper.from_array(np.ones(1, kind), "far") for kind in (np.float32, np.int64))
    values.data_location = o.TensorProto.EXTERNAL
    sparse = o.helper.make_sparse_tensor(values, places, [4])
    model.graph.node.insert(0, o.helper.make_node("Constant", [], ["far"], sparse_value=sparse))


def sparse_list_elsewhere(model: Any) -> None:
    sparse_elsewhere(model)
    attribute = model.graph.node[0].attribute[0]
    attribute.sparse_tensors.append(attribute.sparse_tensor)
    attribute.sparse_tensor.values.data_location = 0


def two_inputs(model: Any) -> None:
    model.graph.input.append(foreign_files.onnx().helper.make_tensor_value_info("age", 1, ["n", 1]))


def not_square(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2 * SIDE


def not_valid(model: Any) -> None:
    model.graph.node[0].input[1] = "nowhere"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external, "other files"), (constant_elsewhere, "other files"), (sparse_elsewhere, "other files"),
        (sparse_list_elsewhere, "other files"), (own_operation, "com.somebody"),
        (branch, "graph within"), (two_inputs, "2 inputs"), (not_square, "64"), (not_valid, "not a valid"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused(change: Callable[[Any], None], says: str, tmp_path: Path) -> None:
    with pytest.raises(MedtlError) as error:
        onnx_nets.bring(write_onnx(tmp_path / "bad.onnx", change), Stated())
    assert says in error.value.message and error.value.advice


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + b"\0" * 100, b"\x80\x04", b"hello", bytes(1000)])
def test_what_is_no_onnx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(MedtlError) as error:
        onnx_nets.bring(tmp_path / "bad.onnx", Stated())
    assert error.value.message and error.value.advice


def test_a_file_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 100)
    with pytest.raises(BadInput, match="a network may have"):
        onnx_nets.bring(write_onnx(tmp_path / "large.onnx"), Stated())


@pytest.fixture
def trapped(tmp_path: Path) -> Callable[[Any], None]:
    """A change that makes every name of a graph code that writes a file `ran…`, were it run."""

    def trap(name: str) -> str:
        return f'training"), open("{tmp_path}/ran{abs(hash(name))}", "w") or getattr(self, "training'

    def change(model: Any) -> None:
        graph = model.graph
        for node in graph.node:
            node.name = trap(node.output[0])
            given, made = [trap(name) for name in node.input], [trap(name) for name in node.output]
            del node.input[:], node.output[:]
            node.input.extend(given)
            node.output.extend(made)
        for value in (*graph.input, *graph.output, *graph.initializer):
            value.name = trap(value.name)
        graph.name = trap("graph")

    return change


def test_a_name_is_never_code(tmp_path: Path, trapped: Callable[[Any], None]) -> None:
    """torch.fx writes names into Python source as they are."""
    network = onnx_nets.bring(write_onnx(tmp_path / "trap.onnx", trapped), Stated()).network
    network(pictures())
    assert not list(tmp_path.glob("ran*"))


def test_nor_is_a_name_in_an_architecture_that_was_kept(
    brought: Brought, tmp_path: Path, trapped: Callable[[Any], None]
) -> None:
    """Of a source folder somebody gave away, or of a damaged workspace. The weights still fit: names follow places."""
    kept = foreign_files.onnx().load_model_from_string(brought.graph)
    trapped(kept)
    (tmp_path / "model.onnx").write_bytes(kept.SerializeToString())
    network = onnx_nets.build(tmp_path / "model.onnx", brought.input, 3)
    network(pictures())
    assert not list(tmp_path.glob("ran*"))
    network.trunk.load_state_dict(brought.network.trunk.state_dict())
    with torch.no_grad():
        assert torch.allclose(network.features(pictures()), brought.network.features(pictures()), atol=1e-6)


def test_numbers_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_nets, "_difference", lambda *given: float("nan"))
    with pytest.raises(BadInput, match="ONNX Runtime"):
        onnx_nets.bring(write_onnx(tmp_path / "tiny.onnx"), Stated())
