"""Weights into networks: what is refused unread, what is said of a misfit, and how a published file is fetched."""

import hashlib
import http.server
import io
import json
import os
import pickle
import struct
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from medtl.errors import BadInput, MedtlError, NotReady
from medtl.sources import weights
from medtl.sources.builders import BUILDERS, Builder
from medtl.sources.image_nets import build
from tests.builders import source, write_weights

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


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.pkl", "w.joblib"])
def test_good_tensors_under_a_name_of_pickles_are_refused_as_well(name: str, whole: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(whole.read_bytes())
    with pytest.raises(BadInput):
        weights.read_safetensors(tmp_path / name)


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


def test_what_matched_is_counted_and_the_old_head_left_unused() -> None:
    match = filled(state() | {"classifier.3.weight": torch.zeros(1000, 9), "classifier.3.bias": torch.zeros(1000)})
    assert match.matched == len(state()) and len(match.unused) == 2
    assert match.describe() == f"{len(state())} tensors matched; 2 left unused (the source's own last layer)."
    assert "unused" not in filled(state()).describe()


def test_another_architecture_is_said_readably() -> None:
    other = build("squeezenet1_0", 2).trunk.state_dict()
    with pytest.raises(BadInput) as error:
        filled(other)
    assert "do not fit" in error.value.message and f"of {len(state())} tensors" in error.value.message
    assert "missing" in error.value.message and error.value.advice


def test_another_shape_names_both() -> None:
    wrong = state()
    key = "features.0.0.weight"
    wrong[key] = torch.zeros(8, 3, 3, 3)
    with pytest.raises(BadInput) as error:
        filled(wrong)
    assert f"{key}: (8, 3, 3, 3) instead of (16, 3, 3, 3)" in error.value.message


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


def test_half_precision_is_widened() -> None:
    network = build(BUILDER, 2)
    half = {key: value.half() if value.is_floating_point() else value for key, value in state().items()}
    weights.fill_trunk(network, half)
    assert all(value.dtype == torch.float32 for value in network.trunk.state_dict().values() if value.dim())
    assert torch.equal(network.trunk.state_dict()["features.0.0.weight"], half["features.0.0.weight"].float())


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


# ---- what torchvision publishes -------------------------------------------------------------------------------------


@dataclass
class Shop:
    """A server on this computer that stands for torchvision's."""

    builder: Builder
    content: bytes
    way: str = "whole"  # how it answers
    asked: int = 0


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
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    monkeypatch.setattr(torchvision.models, "get_weight", lambda asked: SimpleNamespace(url=url))
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
    url = f"http://127.0.0.1:9/{builder.file}"  # nobody listens on the discard port
    monkeypatch.setattr(torchvision.models, "get_weight", lambda asked: SimpleNamespace(url=url))
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


def test_a_published_pickle_that_is_more_than_tensors_runs_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    content = torch_zip(sign)
    builder = replace(shop.builder, file=f"evil-{hashlib.sha256(content).hexdigest()[:8]}.pth")
    (tmp_path / builder.file).write_bytes(content)
    monkeypatch.setattr(weights, "BUILDERS", {BUILDER: builder})
    with pytest.raises((MedtlError, pickle.UnpicklingError, RuntimeError)):
        weights.load_network(source(origin="torchvision"), tmp_path, 2)
    assert not sign.exists()


def test_stored_weights_come_back_the_same(tmp_path: Path) -> None:
    from medtl.sources.network import hidden_head

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
