"""Can it work here? What is wrong comes with what to do."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medtl import doctor
from medtl.workspace import Workspace


def answering(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> None:
    said = {"returncode": 0, "stdout": '{"torch": "2", "torchvision": "0", "cuda": false}', "stderr": ""} | answer
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], **said))


def test_a_healthy_computer(tmp_path: Path) -> None:
    report = doctor.examine(Workspace(tmp_path))
    assert report["ok"] and report["problems"] == []
    assert report["torch"]["torch"].startswith("2.") and report["torch"]["torchvision"]
    assert {"medtl", "python", "torch", "streamlit"} <= set(report["versions"])
    assert report["device"] and report["disk_free_gb"] > 0 and report["limits"] and report["decoders"]
    json.dumps(report)


def test_a_torch_that_does_not_fit_its_torchvision_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "Traceback\n  ...\nRuntimeError: operator torchvision::nms does not exist\n"
    answering(monkeypatch, returncode=1, stdout="", stderr=trace)
    report = doctor.examine(Workspace(tmp_path))
    assert not report["ok"] and "nms does not exist" in report["problems"][0] and "pip install" in report["problems"][0]
    assert "Traceback" not in report["problems"][0]


def test_silence_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, returncode=-9, stdout="")
    assert not doctor.examine(Workspace(tmp_path))["ok"]

    def slow(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired([], 120)

    monkeypatch.setattr(doctor.subprocess, "run", slow)
    assert "two minutes" in doctor.examine(Workspace(tmp_path))["problems"][0]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch)
    (tmp_path / "file").write_text("not a folder")
    report = doctor.examine(Workspace(tmp_path / "file" / "home"))
    assert not report["ok"] and "cannot be written" in report["problems"][0] and "--home" in report["problems"][0]
