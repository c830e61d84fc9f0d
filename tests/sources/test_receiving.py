"""A stranger's network costs a process of its own: what takes too long or too much ends with it and leaves nothing."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtl.errors import BadInput, MedtlError
from medtl.sources import importing, limits, receiving
from medtl.sources.foreign import Stated
from medtl.workspace import Workspace
from tests import foreign_files
from tests.builders import python
from tests.foreign_files import SIDE, write_onnx


def test_what_comes_out_is_architecture_weights_and_facts(tmp_path: Path) -> None:
    foreign_files.onnx()
    file = write_onnx(tmp_path / "tiny.onnx")
    (tmp_path / "out").mkdir()
    got = receiving.network(file, "onnx", Stated(mean=(0.1, 0.2, 0.3), std=(0.5,)), tmp_path / "out")
    assert got.input.mean == (0.1, 0.2, 0.3) and got.input.std == (0.5,) * 3 and got.input.size == SIDE
    assert got.outline.features == 16 and "largest difference" in got.notes[-1]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["model.onnx", "weights.safetensors"]


def asks_for_terabytes(model: Any) -> None:
    o = foreign_files.onnx()
    model.graph.initializer.append(o.numpy_helper.from_array(np.array([2_000_000] * 2, np.int64), "far"))
    model.graph.node.insert(0, o.helper.make_node("ConstantOfShape", ["far"], ["much"]))
    model.graph.node.insert(1, o.helper.make_node("ReduceMax", ["much"], ["one"], keepdims=0))
    model.graph.node.insert(2, o.helper.make_node("Add", ["x", "one"], ["x2"]))
    model.graph.node[3].input[0] = "x2"


def test_a_small_file_that_asks_for_terabytes_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    foreign_files.onnx()
    ws = Workspace(tmp_path / "home").ensure()
    with pytest.raises(BadInput) as error:
        importing.add_file(ws, write_onnx(tmp_path / "huge.onnx", asks_for_terabytes), "", "Huge")
    assert error.value.message and error.value.advice and not list(ws.sources.iterdir())


def test_what_takes_too_long_is_ended_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(BadInput, match="0 seconds") as error:
        receiving.network(tmp_path / "any.onnx", "onnx", Stated(), tmp_path)
    assert time.monotonic() - began < 10 and error.value.advice


def test_a_process_that_dies_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(BadInput, match="sudden end") as error:
        receiving.network(tmp_path / "any.onnx", "onnx", Stated(), tmp_path)
    assert f"{limits.MEMORY_BYTES // limits.GB} GB" in error.value.advice


def test_what_is_wrong_with_a_file_comes_back_in_its_words(tmp_path: Path) -> None:
    foreign_files.onnx()
    (tmp_path / "bad.onnx").write_bytes(b"hello")
    with pytest.raises(MedtlError, match="is not an ONNX file"):
        receiving.network(tmp_path / "bad.onnx", "onnx", Stated(), tmp_path)


def test_what_no_library_foresaw_is_words_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"could not be looked through \(\w+Error\)") as error:
        receiving._ask(tmp_path, desk="network", path="x", kind="onnx", stated=None)
    assert error.value.advice


def test_the_limits_hold_in_that_process() -> None:
    code = (
        "import resource as r\nfrom medtl.sources import limits, receiver\nreceiver.limit()\n"
        "assert r.getrlimit(r.RLIMIT_AS)[1] < limits.MEMORY_BYTES + 4 * limits.GB\n"
        "assert r.getrlimit(r.RLIMIT_CPU) == (limits.CPU_SECONDS,) * 2\n"
        "assert r.getrlimit(r.RLIMIT_FSIZE)[1] <= 2 * limits.FILE_BYTES and r.getrlimit(r.RLIMIT_CORE) == (0, 0)\n"
        "try:\n    bytes(limits.MEMORY_BYTES + limits.GB)\nexcept MemoryError:\n    print('refused')\n"
    )
    answer = python(code)
    assert answer.stdout.strip() == "refused", answer.stderr
