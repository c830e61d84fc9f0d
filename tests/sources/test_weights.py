"""Weights into networks: what is refused unread, what is said of a misfit, and how a published file is fetched."""

import bz2
import gzip
import hashlib
import http.server
import io
import json
import lzma
import os
import pickle
import re
import shutil
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from medtl.errors import BadInput, NotReady
from medtl.sources import builders, torch_hub, weights
from medtl.sources.builders import BUILDERS, Builder
from medtl.sources.image_nets import build, hollow, torchvision_net
from medtl.sources.network import hidden_head
from medtl.vocabulary import InputSpec, Source
from tests.builders import source, state_of, write_weights

BUILDER = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "whole.safetensors")


# ---- files that can run code ----------------------------------------------------------------------------------------


class Trap:
    """Opening a pickle of it makes a file: proof that it was opened."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.sign}'",)


def pickled(sign: Path, protocol: int = 4) -> bytes:
    return pickle.dumps({"weight": Trap(sign)}, protocol=protocol)


def torch_zip(sign: Path) -> bytes:
    """As torch.save writes since 1.6: a zip with data.pkl."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(sign, 2))
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.pkl", "w.joblib", "w.ckpt", "w.PT", "w.safetensors", "w"])
@pytest.mark.parametrize("kind", ["zip", 2, 3, 4, 5])
def test_a_pickle_is_refused_without_being_opened(name: str, kind: Any, tmp_path: Path) -> None:
    sign = tmp_path / "it-ran"
    path = tmp_path / name
    path.write_bytes(torch_zip(sign) if kind == "zip" else pickled(sign, kind))
    with pytest.raises(BadInput) as error:
        weights.read_safetensors(path)
    assert "can run code" in error.value.message and "safetensors" in error.value.advice
    assert not sign.exists()


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_pickles_are_refused_too(protocol: int, tmp_path: Path) -> None:
    sign = tmp_path / "it-ran"
    for name in ("w.safetensors", "w.pkl"):
        (tmp_path / name).write_bytes(pickled(sign, protocol))
        with pytest.raises(BadInput):
            weights.read_safetensors(tmp_path / name)
    assert not sign.exists()


@pytest.mark.parametrize(
    "name", ["w.pt", "w.pth", "w.bin", "w.pkl", "w.pickle", "w.joblib", "w.ckpt", "w.H5", "w.keras"]
)
def test_good_tensors_under_a_name_of_pickles_are_refused_as_well(name: str, whole: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(whole.read_bytes())
    with pytest.raises(BadInput):
        weights.read_safetensors(tmp_path / name)


@pytest.mark.parametrize("name", ["w.h5", "w.hdf5", "w.keras", "w.safetensors"])
def test_a_file_of_keras_is_refused_with_advice_of_its_own(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    with pytest.raises(BadInput) as error:
        weights.read_safetensors(path)
    assert "not opened" in error.value.message and "ONNX" in error.value.advice


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_a_packed_pickle_is_refused_unopened(pack: Any, tmp_path: Path) -> None:
    """As joblib.dump(..., compress=...) writes."""
    sign = tmp_path / "it-ran"
    for name in ("w.joblib", "w.safetensors"):
        (tmp_path / name).write_bytes(pack(pickled(sign)))
        with pytest.raises(BadInput) as error:
            weights.read_safetensors(tmp_path / name)
        assert error.value.advice
    assert not sign.exists()


# ---- malformed safetensors ------------------------------------------------------------------------------------------


def framed(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(**changes: Any) -> bytes:
    return json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}).encode()


DATA = bytes(8)
MALFORMED = {
    "empty": b"",
    "7 bytes": bytes(7),
    "length only": struct.pack("<Q", 10),
    "zeros": bytes(64),
    "noise": bytes(range(256)) * 4,
    "text": b"these are not weights, only words",
    "html": b"<!doctype html><html><body>404</body></html>",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "header over 100 MB": framed(entry(), DATA, length=200_000_000),
    "header of 2**63": framed(entry(), DATA, length=2**63),
    "header longer than the file": framed(entry(), DATA, length=5000),
    "header cut": framed(entry()[:-3], DATA),
    "header no JSON": framed(b"{" + b"x" * 63, DATA),
    "header a list": framed(b"[1, 2, 3]", DATA),
    "header not UTF-8": framed(b'{"\xff\xfe": 1}', DATA),
    "data missing": framed(entry(), b""),
    "data cut": framed(entry(), DATA[:5]),
    "data too long": framed(entry(), DATA + bytes(3)),
    "unknown type": framed(entry(dtype="F31"), DATA),
    "shape too large": framed(entry(shape=[2**40, 2**40]), DATA),
    "shape negative": framed(entry(shape=[-2]), DATA),
    "shape does not fit": framed(entry(shape=[3]), DATA),
    "offsets reversed": framed(entry(data_offsets=[8, 0]), DATA),
    "offsets outside": framed(entry(data_offsets=[0, 1 << 40]), DATA),
    "offsets missing": framed(json.dumps({"w": {"dtype": "F32", "shape": [2]}}).encode(), DATA),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_is_refused_with_advice(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(MALFORMED[kind])
    with pytest.raises(BadInput) as error:
        weights.read_safetensors(path)
    assert "weights.safetensors" in error.value.message and error.value.advice


def test_a_header_over_100_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    """The bytes are all there (as a hole on disk), so that only the limit refuses them."""
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as file:
        file.write(framed(b"{", length=150_000_000))
        file.truncate(160_000_000)
    began = time.process_time()
    with pytest.raises(BadInput) as error:
        weights.read_safetensors(path)
    assert "large" in error.value.message.lower() and time.process_time() - began < 0.5


@pytest.mark.parametrize("share", [0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.99999])
def test_a_file_cut_anywhere_is_refused(share: float, whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadInput):
        weights.read_safetensors(path)


def test_a_file_that_is_not_there_or_a_folder_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(NotReady) as error:
            weights.read_safetensors(path)
        assert error.value.advice
        with pytest.raises(NotReady):
            weights.file_sha256(path)


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_looks_like_a_pickle_is_still_read(length: int, tmp_path: Path) -> None:
    """The first bytes of a safetensors file are a length; 640 is 80 02, as a pickle of protocol 2 begins."""
    header = entry()
    path = tmp_path / "w.safetensors"
    path.write_bytes(framed(header + b" " * (length - len(header)), DATA))
    assert weights.read_safetensors(path)["w"].shape == (2,)


# ---- good files that do not fit -------------------------------------------------------------------------------------


def state() -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in build(BUILDER, 2).trunk.state_dict().items()}


def filled(given: dict[str, torch.Tensor]) -> weights.Match:
    return weights.fill_trunk(build(BUILDER, 2), given)


def test_what_matched_is_counted_and_the_old_head_named() -> None:
    old = {"classifier.3.weight": torch.zeros(1000, 9), "classifier.3.bias": torch.zeros(1000)}
    match = filled(state() | old)
    assert match.fits and match.matched == len(state()) and match.head == tuple(old) and match.head_classes == 1000
    assert match.describe() == (
        f"{len(state())} tensors matched by name and shape. The file's own last layer for 1,000 classes "
        "(classifier.3.weight, classifier.3.bias) is not used: yours is trained anew."
    )
    assert filled(state()).describe() == f"{len(state())} tensors matched by name and shape."


def test_what_belongs_to_nothing_is_named() -> None:
    match = filled(state() | {f"optimiser.{n}": torch.ones(1) for n in range(5)})
    assert match.fits and not match.head and len(match.unused) == 5
    assert "5 tensors belong to nothing in this network (optimiser.0, optimiser.1, optimiser.2, and 2 more)." in (
        match.describe()
    )


def test_another_architecture_is_said_readably() -> None:
    other = build("squeezenet1_0", 2).trunk.state_dict()
    with pytest.raises(BadInput) as error:
        filled(other)
    said = error.value.message
    assert "do not fit" in said and "are missing in the file" in said and error.value.advice


def test_another_shape_names_both() -> None:
    wrong = state()
    key = "features.0.0.weight"
    wrong[key] = torch.zeros(8, 3, 3, 3)
    with pytest.raises(BadInput) as error:
        filled(wrong)
    assert f"1 tensor has another shape ({key}: (8, 3, 3, 3) instead of (16, 3, 3, 3))" in error.value.message


WIDENED = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
REFUSED = [torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn]


@pytest.mark.parametrize("dtype", WIDENED, ids=str)
def test_floats_of_16_bits_and_more_become_those_of_the_network(dtype: torch.dtype, tmp_path: Path) -> None:
    given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state().items()}
    save_file(given, tmp_path / "w.safetensors")
    network = build(BUILDER, 2)
    weights.fill_trunk(network, weights.read_safetensors(tmp_path / "w.safetensors"))
    own = network.trunk.state_dict()
    assert all(own[key].dtype == torch.float32 for key in own if own[key].is_floating_point())
    assert torch.equal(own["features.0.0.weight"], given["features.0.0.weight"].float())


@pytest.mark.parametrize("dtype", REFUSED, ids=str)
def test_numbers_that_mean_nothing_without_scales_are_refused(dtype: torch.dtype) -> None:
    wrong = state()
    key = "features.0.0.weight"
    wrong[key] = torch.ones(wrong[key].shape).to(dtype)
    with pytest.raises(BadInput) as error:
        filled(wrong)
    assert f"1 tensor holds another kind of numbers ({key}: {str(dtype)[6:]})" in error.value.message
    assert "16 or 32 bits" in error.value.advice


def test_a_double_too_large_for_a_float_is_no_number() -> None:
    wrong = state()
    wrong["features.0.0.weight"] = wrong["features.0.0.weight"].double() + 1e300
    with pytest.raises(BadInput) as error:
        filled(wrong)
    assert "not numbers" in error.value.message


def test_a_table_of_positions_is_the_architectures_own() -> None:
    """A file cannot make a network look up what is not there."""
    network = build("swin_t", 2)
    given = state_of(network.trunk)
    tables = [key for key in given if key.endswith("relative_position_index")]
    for key in tables:
        given[key] += 1_000_000
    match = weights.fill_trunk(network, given)
    assert match.fits and not match.unused and len(tables) == 12
    assert all(int(network.trunk.state_dict()[key].max()) < 1000 for key in tables)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    wrong = state()
    wrong["features.0.0.weight"].view(-1)[3] = value
    with pytest.raises(BadInput) as error:
        filled(wrong)
    assert "not numbers" in error.value.message and "features.0.0.weight" in error.value.message


def test_a_misfit_leaves_the_network_as_it_was() -> None:
    network = build(BUILDER, 2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    wrong = state()
    wrong["features.0.0.weight"].view(-1)[3] = float("nan")
    for given in (wrong, {}, {"noise": torch.ones(1)}):
        with pytest.raises(BadInput):
            weights.fill_trunk(network, given)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_file_that_is_not_the_one_on_the_card_is_not_used(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(whole.read_bytes())
    mine = source(BUILDERS[BUILDER].outline, weights=str(path), sha256=weights.file_sha256(path))
    assert weights.load_network(mine, tmp_path, 4).head.out_features == 4  # type: ignore[union-attr]
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput) as error:
        weights.load_network(mine, tmp_path, 4)
    assert "hash" in error.value.message and mine.title in error.value.message


# ---- other channels, former names -----------------------------------------------------------------------------------


def test_three_channels_are_summed_into_one_and_one_is_spread_over_three() -> None:
    torch.manual_seed(0)
    weight, grey = torch.randn(4, 3, 5, 5), torch.randn(2, 1, 9, 9)
    one = weights.adapt_channels(weight, 1)
    three = weights.adapt_channels(one, 3)
    assert one.shape == (4, 1, 5, 5) and three.shape == weight.shape
    wanted = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weight)
    assert torch.allclose(nn.functional.conv2d(grey, one), wanted, atol=1e-5)
    assert torch.allclose(nn.functional.conv2d(grey.expand(-1, 3, -1, -1), three), wanted, atol=1e-5)
    assert weights.adapt_channels(weight, 3) is weight


def test_a_source_of_one_channel_gets_a_network_of_one(whole: Path, tmp_path: Path) -> None:
    grey = source(BUILDERS[BUILDER].outline, weights=str(whole), input=InputSpec(1, 64, (0.5,), (0.25,)))
    network = weights.load_network(grey, tmp_path, 2)
    assert torch.isfinite(network.eval()(torch.randn(1, 1, 64, 64))).all()
    match = weights.fill_trunk(network, weights.read_safetensors(whole))
    assert "features.0.0.weight, 3 colours summed into 1 grey channel" in match.describe()


def test_two_or_four_channels_are_a_misfit() -> None:
    for channels in (2, 4):
        wrong = state()
        wrong["features.0.0.weight"] = torch.zeros(16, channels, 3, 3)
        with pytest.raises(BadInput):
            filled(wrong)


def test_densenets_published_names_are_those_of_before() -> None:
    """Held against what torchvision itself does with such a file."""
    torch.manual_seed(0)
    theirs = torchvision.models.densenet121(weights=None)
    layer = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])\.(?!num_batches)")
    old = {
        layer.sub(r"\1.\2.", key): value.clone() + 1
        for key, value in theirs.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    assert any("norm.1.weight" in key for key in old)
    published = SimpleNamespace(get_state_dict=lambda **_: dict(old))
    torchvision.models.densenet._load_state_dict(theirs, published, progress=False)
    network = build("densenet121", 2)
    match = weights.fill_trunk(network, old)
    assert match.fits and match.head_classes == 1000 and not match.unused
    own = network.trunk.state_dict()
    assert all(torch.equal(own[key], theirs.state_dict()[key]) for key in own if not key.endswith("tracked"))


def test_vits_published_names_are_those_of_before() -> None:
    with hollow():  # names only: its values are many
        network = build("vit_b_16", 2)
    own = network.trunk.state_dict()
    names = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}
    old = {re.sub(r"\.mlp\.[03]\.", lambda found: names[found[0]], key): value for key, value in own.items()}
    assert sum("linear_" in key for key in old) == 48
    assert weights._under_todays_names(old, own).keys() == own.keys()


# ---- the source's own head ------------------------------------------------------------------------------------------


def its_file(id: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **how: Any) -> tuple[nn.Module, Source]:
    """torchvision's network with random weights, and the source whose published file they are."""
    torch.manual_seed(0)
    theirs = torchvision_net(id).eval()
    out = io.BytesIO()
    torch.save(theirs.state_dict(), out, **how)
    file = f"tiny-{hashlib.sha256(out.getvalue()).hexdigest()[:8]}.pth"
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(out.getvalue())
    builder = replace(BUILDERS[id], file=file)
    monkeypatch.setattr(weights, "BUILDERS", {id: builder})
    return theirs, source(builder.outline, builder=id, origin="torchvision", input=builder.input)


LINEAR = ["resnet18", "mobilenet_v2", "densenet121", "shufflenet_v2_x0_5", "regnet_y_400mf", "swin_t", "maxvit_t"]


@pytest.mark.parametrize("id", LINEAR)
def test_the_head_of_a_published_file_gives_its_logits(
    id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs, published = its_file(id, tmp_path / "w", monkeypatch, _use_new_zipfile_serialization=id != "resnet18")
    found = weights.head_of(published, tmp_path / "w")
    assert found is not None
    weight, bias = found
    assert weight.shape == (1000, published.outline.features) and bias.shape == (1000,)
    assert weight.dtype == bias.dtype == np.float32
    size = 224 if id == "maxvit_t" else 64
    x = torch.randn(1, 3, size, size)
    network = weights.load_network(published, tmp_path / "w", 2).eval()
    with torch.inference_mode():
        said, features = theirs(x).numpy(), network.features(x).numpy()
    assert np.allclose(features @ weight.T + bias, said, atol=1e-4 * np.abs(said).max() + 1e-6)


@pytest.mark.parametrize("id", ["squeezenet1_1", "mobilenet_v3_small"])
def test_a_head_that_is_more_than_one_linear_layer_is_none(
    id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, published = its_file(id, tmp_path / "w", monkeypatch)
    assert weights.head_of(published, tmp_path / "w") is None
    assert not any(BUILDERS[other].head for other in BUILDERS.ids if other.startswith(("vgg", "alex", "squeeze")))


def test_a_head_is_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", nobody)
    assert (
        weights.head_of(source(BUILDERS["resnet18"].outline, builder="resnet18", origin="torchvision"), tmp_path)
        is None
    )
    assert weights.head_of(source(weights=str(tmp_path / "gone.safetensors")), tmp_path) is None


def test_the_head_of_a_run_and_of_a_file_with_a_classifier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("resnet18", 3).eval()
    path = tmp_path / "w.safetensors"
    mine = source(BUILDERS["resnet18"].outline, builder="resnet18", weights=str(path))
    save_file(weights.weights_of(network, half=True), path)
    found = weights.head_of(mine, tmp_path)
    assert found is not None
    assert np.allclose(found[0], network.head.weight.detach().numpy(), atol=1e-3)  # type: ignore[union-attr]
    brought = dict(network.trunk.state_dict())
    save_file(brought, path)
    assert weights.head_of(mine, tmp_path) is None
    for key, wanted in {
        "fc.weight": torch.randn(7, 512),
        "fc.bias": torch.arange(7.0),
    }.items():
        brought[key] = wanted
    save_file(brought, path)
    found = weights.head_of(mine, tmp_path)
    assert found is not None and found[0].shape == (7, 512) and found[1].tolist() == list(range(7))
    for bad in (torch.randn(7, 511), torch.full((7, 512), torch.nan), torch.ones(7, 512, dtype=torch.int8)):
        save_file(brought | {"fc.weight": bad}, path)
        assert weights.head_of(mine, tmp_path) is None


def test_a_hidden_layer_is_no_linear_head(tmp_path: Path) -> None:
    network = build(BUILDER, 3)
    network.head = hidden_head(network.width, 8, 3, 0.5)
    save_file(weights.weights_of(network), tmp_path / "w.safetensors")
    mine = source(BUILDERS[BUILDER].outline, weights=str(tmp_path / "w.safetensors"), hidden=8)
    assert weights.head_of(mine, tmp_path) is None


# ---- what torchvision publishes -------------------------------------------------------------------------------------


@dataclass
class Shop:
    """A server on this computer that stands for torchvision's."""

    builder: Builder
    content: bytes
    way: str = "whole"  # how it answers
    asked: int = 0


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """torch's own cache, empty; what the user of this computer has in theirs is none of a test's business."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    out = io.BytesIO()
    torch.save(state(), out)
    content = out.getvalue()
    name = f"tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    shop = Shop(replace(BUILDERS[BUILDER], file=name), content)

    class Counter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked += 1
            if shop.way == "garbage":
                self.wfile.write(b"what?\r\n\r\n")
                return
            if shop.way == "missing":
                self.send_error(404)
                return
            self.send_response(200)
            if shop.way == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"ffff\r\n" + shop.content[:1000])
                return
            self.send_header("Content-Length", str(len(shop.content)))
            self.end_headers()
            self.wfile.write(shop.content[: len(shop.content) // 2] if shop.way == "cut" else shop.content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(builders, "SERVER", f"http://127.0.0.1:{server.server_port}")
    yield shop
    server.shutdown()
    server.server_close()


def test_a_published_file_is_fetched_once_and_its_hash_checked(shop: Shop, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = weights.fetch(shop.builder, tmp_path / "weights", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == shop.content and path.parent == tmp_path / "weights"
    assert told[-1] == (len(shop.content), len(shop.content)) and len(told) > 3
    assert weights.fetch(shop.builder, tmp_path / "weights") == path and shop.asked == 1
    assert list(path.parent.iterdir()) == [path]


def test_another_file_than_the_published_one_is_refused(shop: Shop, tmp_path: Path) -> None:
    shop.content = shop.content[:-1] + b"?"
    with pytest.raises(BadInput) as error:
        weights.fetch(shop.builder, tmp_path)
    assert "hash" in error.value.message and shop.builder.file in error.value.message
    assert str(tmp_path) in error.value.advice


def test_a_damaged_file_put_there_by_hand_is_refused(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / shop.builder.file).write_bytes(b"not what was published")
    with pytest.raises(BadInput):
        weights.fetch(shop.builder, tmp_path)
    assert shop.asked == 0


@pytest.mark.parametrize("way", ["cut", "chunked", "missing", "garbage"])
def test_a_broken_connection_leaves_no_half_file(way: str, shop: Shop, tmp_path: Path) -> None:
    shop.way = way
    with pytest.raises(NotReady) as error:
        weights.fetch(shop.builder, tmp_path)
    assert error.value.advice
    assert not list(tmp_path.iterdir())
    shop.way = "whole"
    assert weights.fetch(shop.builder, tmp_path).exists()


def test_without_a_network_the_file_and_its_place_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    builder = BUILDERS[BUILDER]
    monkeypatch.setattr(builders, "SERVER", "http://127.0.0.1:9")  # nobody listens on the discard port
    with pytest.raises(NotReady) as error:
        weights.fetch(builder, tmp_path / "weights")
    assert builder.title in error.value.message and "10 MB" in error.value.message
    assert builder.file in error.value.advice and str(tmp_path / "weights") in error.value.advice


def test_a_file_that_is_here_needs_no_network(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / shop.builder.file).write_bytes(shop.content)

    def nobody(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", nobody)
    monkeypatch.setattr(weights, "BUILDERS", {BUILDER: shop.builder})
    published = source(BUILDERS[BUILDER].outline, origin="torchvision", sha256=shop.builder.file)
    network = weights.load_network(published, tmp_path, 5)
    assert torch.equal(network.trunk.state_dict()["features.0.0.weight"], torch.load(
        io.BytesIO(shop.content), weights_only=True)["features.0.0.weight"])  # fmt: skip


@pytest.mark.parametrize("links", [True, False])
def test_what_torch_has_fetched_before_is_not_fetched_again(
    links: bool, shop: Shop, hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.mkdir(parents=True)
    (hub / shop.builder.file).write_bytes(shop.content)
    if not links:

        def refuse(*_: Any) -> None:
            raise OSError("another disk")

        monkeypatch.setattr(os, "link", refuse)
    assert torch_hub.find(tmp_path / "weights", shop.builder.file) == hub / shop.builder.file
    path = weights.fetch(shop.builder, tmp_path / "weights")
    assert path.parent == tmp_path / "weights" and path.read_bytes() == shop.content and shop.asked == 0
    assert list(path.parent.iterdir()) == [path] and (hub / shop.builder.file).read_bytes() == shop.content


def test_a_damaged_file_in_torchs_cache_is_passed_over(shop: Shop, hub: Path, tmp_path: Path) -> None:
    hub.mkdir(parents=True)
    (hub / shop.builder.file).write_bytes(b"half of it")
    assert weights.fetch(shop.builder, tmp_path / "weights").read_bytes() == shop.content and shop.asked == 1
    assert (hub / shop.builder.file).read_bytes() == b"half of it"


def test_torchs_cache_is_where_torch_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for names in (
        {"TORCH_HOME": "a"},
        {"XDG_CACHE_HOME": "b"},
        {"HOME": "c"},
        {"TORCH_HOME": "a", "XDG_CACHE_HOME": "b"},
    ):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, folder in names.items():
            monkeypatch.setenv(name, str(tmp_path / folder))
        file = Path(torch.hub.get_dir()) / "checkpoints" / "w.pth"
        assert torch_hub.cached("w.pth") is None
        file.parent.mkdir(parents=True)
        file.touch()
        assert torch_hub.cached("w.pth") == file
        shutil.rmtree(file.parents[1])


def test_a_published_pickle_that_is_more_than_tensors_runs_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    content = torch_zip(sign)
    builder = replace(shop.builder, file=f"evil-{hashlib.sha256(content).hexdigest()[:8]}.pth")
    (tmp_path / builder.file).write_bytes(content)
    monkeypatch.setattr(weights, "BUILDERS", {BUILDER: builder})
    with pytest.raises(BadInput) as error:
        weights.load_network(source(origin="torchvision"), tmp_path, 2)
    assert "something else than tensors" in error.value.message and not sign.exists()


def test_stored_weights_come_back_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for hidden in (0, 8):
        network = build(BUILDER, 3)
        if hidden:
            network.head = hidden_head(network.width, hidden, 3, 0.5)
        path = tmp_path / f"{hidden}.safetensors"
        save_file(weights.weights_of(network), path)
        again = weights.load_trained(source(weights=str(path), hidden=hidden), 3)
        x = torch.randn(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(network.eval()(x), again(x))
