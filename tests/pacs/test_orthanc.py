"""Against a real PACS: it takes and draws what we made, it is searched, and a study becomes a cohort without names."""

import io
import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from medtl import cli, dicom_out, pacs
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError, NotReady
from medtl.pacs import Query, Settings
from medtl.pacs.common import Unreachable
from medtl.workspace import Workspace
from tests.builders import finished_run
from tests.dicom_out.originals import BORN, NAME, NUMBER, SIDE, answer, original
from tests.pacs.server import PASSWORD, USER, WEB_PLUGIN, Pacs, have, orthanc

STUDIES = {f"1.2.826.0.1.{n}": ("CT" if n < 4 else "CR", f"2026030{n}") for n in range(1, 7)}
WAYS = ("dimse", "web")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        for n, (study, (kind, date)) in enumerate(STUDIES.items()):
            for image in range(2):
                running.asks("/instances", original(
                    kind, 10 * n + image, StudyInstanceUID=study, StudyDate=date, SeriesInstanceUID=f"{study}.1",
                    SOPInstanceUID=f"{study}.1.{image + 1}", PatientID=f"{NUMBER}-{n}",
                    StudyDescription="Thorax" if n % 2 else "Mamma links",
                ))  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def ws(server: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("pacs") / "home").ensure()
    y = np.arange(20) % 2
    finished_run(made, "r-1", y, np.stack([1 - y * 0.9, y * 0.9], axis=1), title="Lumps")
    pacs.save(made, settings(server))
    return made


def settings(server: Pacs) -> Settings:
    return Settings(
        host="127.0.0.1", port=server.dicom_port, called="ORTHANC", receive_port=server.receive_port, web=server.web,
        user=USER, password=PASSWORD,
    )  # fmt: skip


def drawn_by(server: Pacs, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(server.asks(f"/instances/{name}/preview"))))


def over(way: str) -> Any:
    if way == "web":
        have(WEB_PLUGIN, "orthanc-dicomweb")
    return way


def audit(ws: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ws.audit_file.read_text().splitlines()]


@pytest.mark.parametrize("way", WAYS)
def test_it_answers(ws: Workspace, way: str) -> None:
    said = pacs.echo(ws, over(way))
    assert said["way"] == way and 0 < said["seconds"] < 10 and said["warning"] == ""


@pytest.mark.parametrize("kind", ["CT", "CR", "US"])
@pytest.mark.parametrize("way", WAYS)
def test_what_we_made_is_taken_and_drawn(server: Pacs, ws: Workspace, tmp_path: Path, way: str, kind: str) -> None:
    (tmp_path / "a.dcm").write_bytes(original(kind))
    source = dcmread(tmp_path / "a.dcm")
    server.asks("/instances", (tmp_path / "a.dcm").read_bytes())
    made = dicom_out.make(ws, "r-1", [(tmp_path / "a.dcm", answer())], tmp_path / "out", identity="keep")
    assert len(made["objects"]) == 4
    done = pacs.send(ws, [Path(one["file"]) for one in made["objects"]], over(way))
    assert done["sent"] == 4 and done["failed"] == []
    for one in made["objects"]:
        name = server.instance(one["sop_instance"])
        assert server.json(f"/instances/{name}/study")["MainDicomTags"]["StudyInstanceUID"] == source.StudyInstanceUID
        assert server.json(f"/instances/{name}/patient")["MainDicomTags"]["PatientID"] == NUMBER  # beside the original
        assert server.asks(f"/instances/{name}/file") == Path(one["file"]).read_bytes() or way == "dimse"
        if one["kind"] == "overlay":
            assert np.array_equal(drawn_by(server, name), dcmread(one["file"]).pixel_array)
        if one["kind"] == "region":
            assert np.array_equal(drawn_by(server, name) > 0, dcmread(one["file"]).pixel_array.reshape(SIDE) > 0)
        if one["kind"] == "report":
            tags = server.asks(f"/instances/{name}/simplified-tags").decode()
            assert "Research use only" in tags and source.SOPInstanceUID in tags
    assert len(server.json(f"/studies/{server.json('/tools/lookup', source.StudyInstanceUID.encode())[0]['ID']}")
               ["Series"]) == 5  # fmt: skip


def test_every_sending_is_written_down_without_a_name(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    made = dicom_out.make(ws, "r-1", [(tmp_path / "a.dcm", answer())], tmp_path / "out", kinds=("overlay",))
    pacs.send(ws, [Path(one["file"]) for one in made["objects"]])
    line = audit(ws)[-1]
    assert line["what"] == "sent to PACS" and line["objects"] == 1 and line["failed"] == 0 and line["at"]
    assert line["named"] == 0 and line["uids"] == [made["objects"][0]["sop_instance"]]
    text = ws.audit_file.read_text()
    assert not any(secret in text for secret in (NAME, NUMBER, BORN, "Hollerith", PASSWORD))
    assert stat.S_IMODE(ws.audit_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("way", WAYS)
def test_studies_are_found(ws: Workspace, way: str) -> None:
    def found(**words: str) -> list[str]:
        return [s.uid for s in pacs.find(ws, Query(**words), over(way)) if s.uid in STUDIES]

    assert found(since="20260302", until="20260304") == ["1.2.826.0.1.4", "1.2.826.0.1.3", "1.2.826.0.1.2"]
    assert found(since="20260305") == ["1.2.826.0.1.6", "1.2.826.0.1.5"]
    assert set(found(modality="CT")) == {f"1.2.826.0.1.{n}" for n in (1, 2, 3)}
    assert set(found(description="Mamma", since="20260301")) == {f"1.2.826.0.1.{n}" for n in (1, 3, 5)}
    assert found(patient=f"{NUMBER}-1") == ["1.2.826.0.1.2"] and found(patient="nobody") == []
    (study,) = pacs.find(ws, Query(patient=f"{NUMBER}-1"), over(way))
    assert study.modalities == ("CT",) and study.date == "20260302" and study.description == "Thorax"
    assert study.images == 2


@pytest.mark.parametrize("kind", ["get", "move", "web"])
def test_studies_are_fetched_and_become_a_cohort_without_names(ws: Workspace, tmp_path: Path, kind: str) -> None:
    more: dict[str, Any] = {"way": over("web")} if kind == "web" else {"move": kind == "move"}
    uids = list(STUDIES)
    out = tmp_path / "fetched"
    one = pacs.fetch(ws, uids[:3], out, "benign", **more)
    two = pacs.fetch(ws, uids[3:], out, "malignant", **more)
    assert one["files"] == two["files"] == 6 and one["failed"] == 0 and one["bytes"] > 6 * 12000
    files = sorted(out.rglob("*.dcm"))
    assert len(files) == 12 and {path.parent.parent.name for path in files} == {"benign", "malignant"}
    assert {path.parent.name for path in files} == {"study-0001", "study-0002", "study-0003"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    got = {dcmread(path).SOPInstanceUID for path in files}
    assert got == {f"{uid}.1.{n}" for uid in uids for n in (1, 2)}
    line = audit(ws)[-1]
    assert line["what"] == "fetched from PACS" and line["objects"] == 6 and line["studies"] == 3
    if kind != "get":
        return
    cohort = cohorts.add(ws, out, name="From the PACS")
    assert set(cohort.classes) == {"benign", "malignant"} and len(cohort.cases) == 12
    assert len({case.patient for case in cohort.cases}) == 6
    for file in ws.cohort(cohort.id).rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert not any(secret.encode() in data for secret in ("Hollerith", NUMBER, BORN, "1.2.826.0.1.")), file


def test_what_the_pacs_refuses_is_said(server: Pacs, ws: Workspace, tmp_path: Path) -> None:
    right = settings(server)

    def refused(**words: Any) -> str:
        other = Workspace(tmp_path / "other").ensure()
        pacs.save(other, replace(right, **words))
        with pytest.raises(Unreachable) as error:
            pacs.echo(other, "web" if "web" in words or "password" in words else "dimse")
        assert error.value.advice
        return str(error.value)

    assert "Its AE title is not WRONG" in refused(called="WRONG")
    assert "refuses" in refused(calling="STRANGER")
    if server.web:
        assert "user or password" in refused(password="wrong")
        assert "not as DICOMweb" in refused(web=f"{server.web}-elsewhere")
    assert "not as a PACS does" in refused(port=server.http_port)


def test_the_command_line_does_it_all(
    server: Pacs, tmp_path: Path, capsys: pytest.CaptureFixture[str], ws: Workspace
) -> None:
    home = tmp_path / "home"

    def ask(*words: str) -> tuple[int, dict[str, Any]]:
        code = cli.main(["pacs", *words, "--json", "--home", str(home)])
        return code, json.loads(capsys.readouterr().out)

    assert ask("show")[1]["configured"] is False
    code, said = ask("echo")
    assert code == 2 and "No PACS is named" in said["error"]
    code, said = ask(
        "set", "--host", "127.0.0.1", "--port", str(server.dicom_port), "--called", "ORTHANC", "--receive-port",
        str(server.receive_port),
    )  # fmt: skip
    assert code == 0
    assert "nowhere else" in said["says"]
    assert ask("echo")[1]["seconds"] >= 0
    (study,) = ask("find", "--patient", f"{NUMBER}-4")[1]["studies"]
    assert study["uid"] == "1.2.826.0.1.5"
    code, said = ask("fetch", study["uid"], "--out", str(tmp_path / "in"), "--label", "benign")
    assert code == 0 and said["files"] == 2
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    made = dicom_out.make(ws, "r-1", [(tmp_path / "a.dcm", answer())], tmp_path / "out", kinds=("report",))
    code, said = ask("send", made["objects"][0]["file"])
    assert code == 0 and said["sent"] == 1
    code, said = ask("send", str(tmp_path / "a.dcm"))  # an original is not ours to send
    assert code == 2 and "no file that MedTL wrote" in said["error"]
    assert ask("forget")[1] == {"forgotten": True} and ask("show")[1]["configured"] is False


def test_nothing_is_asked_without_a_pacs_or_a_question(ws: Workspace, tmp_path: Path) -> None:
    empty = Workspace(tmp_path / "empty").ensure()
    asks: list[Callable[[], Any]] = [
        lambda: pacs.echo(empty), lambda: pacs.send(empty, [tmp_path]), lambda: pacs.find(empty, Query(patient="1")),
        lambda: pacs.fetch(empty, ["1.2"], tmp_path / "x"),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(NotReady, match="No PACS"):
            ask()
    assert not empty.audit_file.exists()
    with pytest.raises(BadInput, match="whole archive"):
        pacs.find(ws, Query())
    with pytest.raises(MedtlError):
        pacs.fetch(ws, ["1.2/../3"], tmp_path / "x")
    assert not (tmp_path / "x").exists()
