"""What can go wrong on the way, each in words: programs of the test play a PACS that refuses, is silent, lies or leads
elsewhere."""

import io
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt

from medtl import dicom_out, pacs
from medtl.cohorts import limits
from medtl.errors import BadInput, MedtlError
from medtl.pacs import Query, Settings, common, dimse
from medtl.pacs.common import Unreachable
from medtl.pacs.dicomweb import _part
from medtl.pacs.incoming import Folder
from medtl.workspace import Workspace
from tests.builders import finished_run
from tests.dicom_out.originals import CT, NAME, NUMBER, answer, original
from tests.pacs.server import free_ports

SC = "1.2.840.10008.5.1.4.1.1.7"
VERIFY, FIND, MOVE, GET = "1.2.840.10008.1.1", dimse.FIND, dimse.MOVE, dimse.GET


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("objects")
    ws = Workspace(place / "home").ensure()
    y = np.arange(20) % 2
    finished_run(ws, "r-1", y, np.stack([1 - y * 0.9, y * 0.9], axis=1))
    (place / "a.dcm").write_bytes(original("CR"))
    made = dicom_out.make(ws, "r-1", [(place / "a.dcm", answer())], place / "out", kinds=("overlay", "report"))
    return [Path(one["file"]) for one in made["objects"]]


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").ensure()


@contextmanager
def playing(*classes: str, handlers: list[Any] = [], **how: Any) -> Iterator[Settings]:  # noqa: B006 - read only
    entity = AE(ae_title="STUB")
    for name in classes:
        entity.add_supported_context(name, how.get("syntaxes", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]),
                                     scu_role=True, scp_role=True)  # fmt: skip
    entity.require_called_aet = how.get("called", False)
    entity.require_calling_aet = how.get("calling", [])
    entity.maximum_associations = how.get("most", 10)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=how.get("tls"))
    assert server is not None
    (receive,) = free_ports(1)
    try:
        yield Settings(host="127.0.0.1", port=server.server_address[1], called="STUB", receive_port=receive)
    finally:
        server.shutdown()


def trouble(ws: Workspace, settings: Settings, ask: Callable[[], Any]) -> str:
    pacs.save(ws, settings)
    with pytest.raises(MedtlError) as error:
        ask()
    assert error.value.message and error.value.advice and "Traceback" not in str(error.value)
    return str(error.value)


# ---- DICOM: connections ---------------------------------------------------------------------------------------------


def test_refusals_are_told_apart(ws: Workspace) -> None:
    ask = lambda: pacs.echo(ws)  # noqa: E731
    with playing(VERIFY, calling=["SOMEBODY"]) as settings:
        assert "does not know our AE title MEDTL" in trouble(ws, settings, ask)
    with playing(VERIFY, called=True) as settings:
        assert "not WRONG" in trouble(ws, replace(settings, called="WRONG"), ask)
    with playing(VERIFY, most=0) as settings:
        assert "as many connections as it takes" in trouble(ws, settings, ask)
    with playing(SC) as settings:
        assert "SOP classes" in trouble(ws, settings, ask)


def test_nobody_there_is_told_apart_from_somebody_else(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimse, "SECONDS", 1.0)
    ask = lambda: pacs.echo(ws)  # noqa: E731
    (port,) = free_ports(1)
    settings = Settings(host="127.0.0.1", port=port, called="STUB")
    assert "Nobody answers" in trouble(ws, settings, ask)
    assert "not known in this network" in trouble(ws, replace(settings, host="no-such-host.invalid"), ask)
    with socket.socket() as silent:  # takes the connection and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "not as a PACS does" in trouble(ws, replace(settings, port=silent.getsockname()[1]), ask)


def test_tls_wants_a_certificate_that_is_vouched_for(ws: Workspace, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not there to make a certificate")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem",
         "-out", tmp_path / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with playing(VERIFY, tls=context) as settings:
        pacs.save(ws, replace(settings, tls=True, authority=str(tmp_path / "cert.pem")))
        assert pacs.echo(ws)["seconds"] > 0
        assert trouble(ws, replace(settings, tls=True), lambda: pacs.echo(ws))
        (tmp_path / "wrong.pem").write_text("no certificate")
        wrong = replace(settings, tls=True, authority=str(tmp_path / "wrong.pem"))
        assert "certificates" in trouble(ws, wrong, lambda: pacs.echo(ws))


# ---- DICOM: sending -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "why"),
    [(0xA700, "no space"), (0xA900, "does not fit"), (0xC000, "cannot understand"), (0xB000, ""), (0x0000, "")],
)
def test_what_is_not_stored_has_a_reason(ws: Workspace, objects: list[Path], status: int, why: str) -> None:
    with playing(SC, handlers=[(evt.EVT_C_STORE, lambda event: status)]) as settings:
        pacs.save(ws, settings)
        done = pacs.send(ws, objects[:1])
    assert done["sent"] == (not why) and all(why in one["why"] for one in done["failed"])
    line = json.loads(ws.audit_file.read_text().splitlines()[-1])
    assert line["objects"] == done["sent"] and line["failed"] == len(done["failed"])


def test_a_class_the_pacs_does_not_take_is_named_and_the_rest_goes(ws: Workspace, objects: list[Path]) -> None:
    with playing(SC, handlers=[(evt.EVT_C_STORE, lambda event: 0)]) as settings:
        pacs.save(ws, settings)
        done = pacs.send(ws, objects)
    assert done["sent"] == 1 and [one["file"] for one in done["failed"]] == [objects[1].name]
    assert "kind of object" in done["failed"][0]["why"]


def test_a_connection_that_breaks_off_is_said_and_written_down(ws: Workspace, objects: list[Path]) -> None:
    def gone(event: Any) -> int:
        event.assoc.abort()
        return 0

    with playing(SC, handlers=[(evt.EVT_C_STORE, gone)]) as settings:
        pacs.save(ws, settings)
        done = pacs.send(ws, [objects[0], objects[0]])
    assert done["sent"] == 0 and all("broke" in one["why"] for one in done["failed"]) and len(done["failed"]) == 2
    assert json.loads(ws.audit_file.read_text().splitlines()[-1])["failed"] == 2


def test_only_what_we_made_is_sent(ws: Workspace, objects: list[Path], tmp_path: Path) -> None:
    arrived: list[int] = []
    (tmp_path / "original.dcm").write_bytes(original("CR", Manufacturer="MedTL"))
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    (tmp_path / "empty.dcm").write_bytes(b"")
    with playing(SC, CT, handlers=[(evt.EVT_C_STORE, lambda event: arrived.append(1) or 0)]) as settings:
        pacs.save(ws, settings)
        for name in ("original.dcm", "text.dcm", "empty.dcm", "absent.dcm"):
            with pytest.raises(BadInput):
                pacs.send(ws, [objects[0], tmp_path / name])  # and not the one that is ours either
    assert not arrived and not ws.audit_file.exists()


# ---- DICOM: searching and fetching ----------------------------------------------------------------------------------


def test_a_search_asks_for_no_names_and_ends_at_a_limit(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimse, "MOST_STUDIES", 5)
    asked: list[Dataset] = []

    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        for n in range(50):
            one = Dataset()
            one.StudyInstanceUID = f"1.2.{n}" if n else "../../x"
            one.PatientName, one.StudyDate = NAME, "20260101"
            yield 0xFF00, one

    with playing(FIND, handlers=[(evt.EVT_C_FIND, answers)]) as settings:
        pacs.save(ws, settings)
        found = pacs.find(ws, Query(modality="US"))
    assert [study.uid for study in found] == [f"1.2.{n}" for n in range(1, 6)]
    assert "PatientName" not in asked[0] and asked[0].ModalitiesInStudy == "US" and NAME not in repr(found)


def test_a_search_that_fails_is_said(ws: Workspace) -> None:
    def answers(event: Any) -> Iterator[tuple[int, None]]:
        yield 0xA700, None

    with playing(FIND, handlers=[(evt.EVT_C_FIND, answers)]) as settings:
        assert "A700" in trouble(ws, settings, lambda: pacs.find(ws, Query(patient=NUMBER)))


def gives(count: int) -> Callable[[Any], Iterator[Any]]:
    def answers(event: Any) -> Iterator[Any]:
        yield count
        for n in range(count):
            yield 0xFF00, dcmread(io.BytesIO(original("CT", n)))

    return answers


def test_fetching_stops_at_the_limits_of_a_cohort(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES", 3)
    with playing(GET, CT, handlers=[(evt.EVT_C_GET, gives(6))]) as settings:
        assert "more than a cohort" in trouble(ws, settings, lambda: pacs.fetch(ws, ["1.2.3"], tmp_path / "in"))
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == 3
    assert json.loads(ws.audit_file.read_text().splitlines()[-1])["objects"] == 3


def test_a_move_to_nobody_is_explained(ws: Workspace, tmp_path: Path) -> None:
    def unknown(event: Any) -> Iterator[Any]:
        yield None, None

    with playing(MOVE, handlers=[(evt.EVT_C_MOVE, unknown)]) as settings:
        said = trouble(ws, settings, lambda: pacs.fetch(ws, ["1.2.3"], tmp_path / "in", move=True))
        assert "does not know where to send" in said
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", settings.receive_port))
            taken.listen()
            said = trouble(ws, settings, lambda: pacs.fetch(ws, ["1.2.3"], tmp_path / "in", move=True))
            assert "not free" in said


def test_a_stranger_cannot_put_files_into_a_fetch(tmp_path: Path) -> None:
    """While we listen for the PACS, another computer's connection is ended before it may store."""
    inbox = dimse._Inbox(Folder(tmp_path))
    inbox.allowed = "10.9.9.9"  # the PACS; the test itself is the stranger
    with playing(SC, handlers=[(evt.EVT_REQUESTED, inbox.requested), (evt.EVT_C_STORE, inbox.store)]) as settings:
        stranger = AE()
        stranger.add_requested_context(SC)
        association = stranger.associate("127.0.0.1", settings.port)
        assert not association.is_established
    assert not list(tmp_path.iterdir())


# ---- DICOMweb -------------------------------------------------------------------------------------------------------


@contextmanager
def web(answers: Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]) -> Iterator[Settings]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers(self)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Settings(web=f"http://127.0.0.1:{server.server_address[1]}/dicom-web")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (302, {"Location": "http://169.254.169.254/latest"}, b"", "leads elsewhere"),
        (401, {}, b"", "user or password"),
        (500, {}, b"", "HTTP 500"),
        (404, {}, b"", "not as DICOMweb"),
        (200, {}, b"<html>", "not as DICOMweb"),
        (200, {}, b'{"a": 1}', "not as DICOMweb"),
        (200, {}, b"[" * 100_000, "not as DICOMweb"),
    ],
)
def test_a_server_that_does_not_do_is_said(
    ws: Workspace, status: int, headers: dict[str, str], body: bytes, says: str
) -> None:
    with web(lambda request: (status, headers, body)) as settings:
        assert says in trouble(ws, settings, lambda: pacs.find(ws, Query(modality="US")))


def test_a_lying_server_leads_nowhere(ws: Workspace, tmp_path: Path) -> None:
    """UIDs of its answers never become another path or host, nor a file of another name."""
    asked: list[str] = []

    def answers(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        asked.append(request.path)
        bad = ("../../../etc", "http://evil.example/", "1.2.3/../..", "1.2\r\nHost: x", "")
        rows = [{"0020000E": {"Value": ["1.2"]}, "00080018": {"Value": [uid]}} for uid in bad]
        rows += [{"0020000E": {"Value": [{}]}, "00080018": 7}, {"0020000D": {"Value": "no list"}}]  # type: ignore[dict-item]
        return 200, {}, json.dumps(rows).encode()

    with web(answers) as settings:
        pacs.save(ws, settings)
        done = pacs.fetch(ws, ["1.2.3"], tmp_path / "in")
        assert done["files"] == 0 and done["failed"] == 7 and asked == ["/dicom-web/studies/1.2.3/instances"]
        assert pacs.find(ws, Query(modality="US")) == []
    assert not (tmp_path / "in").exists()


def test_too_much_is_not_read(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from medtl.pacs import dicomweb

    monkeypatch.setattr(dicomweb, "JSON_BYTES", 1000)
    with web(lambda request: (200, {}, b" " * 5000 + b"[]")) as settings:
        assert "more than is read" in trouble(ws, settings, lambda: pacs.find(ws, Query(modality="US")))


def test_what_a_server_does_not_store_has_a_reason(ws: Workspace, objects: list[Path]) -> None:
    instance = dcmread(objects[0]).SOPInstanceUID
    failed = {"00081198": {"Value": [{"00081155": {"Value": [instance]}, "00081197": {"Value": [0xA700]}}]}}
    for status in (200, 202, 409):
        with web(lambda request, status=status: (status, {}, json.dumps(failed).encode())) as settings:  # type: ignore[misc]
            pacs.save(ws, settings)
            done = pacs.send(ws, objects[:1])
        assert done["sent"] == 0 and "A700" in done["failed"][0]["why"]


def test_no_proxy_is_asked(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with web(lambda request: (200, {}, b"[]")) as settings:
        pacs.save(ws, settings)
        assert pacs.find(ws, Query(modality="US")) == []


def test_the_part_of_a_multipart_answer_is_found_whatever_it_holds() -> None:
    data = b"\x00--b\r\n\r\nnot the edge\r\n\r\n" + bytes(range(256))
    kind = 'multipart/related; type="application/dicom"; boundary="edge"'
    body = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--edge--\r\n"
    assert _part(kind, body) == data and _part("application/dicom", data) == data
    for wrong, broken in ((kind, body[:40]), ("multipart/related", body), ("text/html", b"x")):
        with pytest.raises(Unreachable):
            _part(wrong, broken)


# ---- settings and questions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        {}, {"host": "a b", "called": "X"}, {"host": "-x", "called": "X"}, {"host": "h"},
        {"host": "h", "called": "A\\B"},
        {"host": "h", "called": "A" * 17}, {"host": "h", "called": "X", "port": 0}, {"web": "ftp://x/"},
        {"web": "file:///etc/passwd"}, {"web": "http://user:pw@x/"}, {"web": "http://x/?a=b"},
        {"web": "http://x:99999/"},
        {"web": "http://x/\r\nHost: y"}, {"host": "h", "called": "X", "authority": "/no/such.pem"},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(words: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as error:
        Settings(**words)
    assert error.value.advice


def test_settings_are_kept_for_their_owner_and_a_password_is_not_shown(ws: Workspace) -> None:
    settings = Settings(host="127.0.0.1", called="PACS", web="https://127.0.0.1/dicom-web", user="u", password="secret")
    pacs.save(ws, settings)
    assert pacs.load(ws) == settings and ws.pacs_file.stat().st_mode & 0o777 == 0o600
    told = pacs.told(ws)
    assert told["configured"] and "secret" not in json.dumps(told) and told["warning"] == ""
    assert "nowhere else" in told["says"] and "PACS@127.0.0.1:104" in told["says"]
    ws.pacs_file.write_text("{broken")
    with pytest.raises(MedtlError, match="damaged"):
        pacs.load(ws)
    assert pacs.forget(ws) and not pacs.forget(ws) and not pacs.told(ws)["configured"]


def test_an_address_outside_is_warned_of() -> None:
    for host, warns in (("127.0.0.1", ""), ("10.1.2.3", ""), ("192.168.0.9", ""), ("::1", ""), ("8.8.8.8", "public")):
        warning = Settings(host=host, called="X").warning()
        assert (warns in warning) if warns else warning == ""
    assert "not encrypted" in Settings(host="8.8.8.8", called="X").warning()
    assert "not encrypted" not in Settings(host="8.8.8.8", called="X", tls=True).warning()
    assert "not encrypted" in Settings(web="http://8.8.8.8/x").warning()
    assert "looked up" in Settings(host="no-such-host.invalid", called="X").warning()


@pytest.mark.parametrize(
    "words",
    [
        {"since": "2026"}, {"since": "20260101-"}, {"modality": "us"}, {"modality": "U\\S"}, {"patient": "1*"},
        {"patient": "a\\b"}, {"description": "x" * 65}, {"description": "a\nb"},
    ],
)  # fmt: skip
def test_questions_that_cannot_be_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        Query(**words).check()


def test_a_label_is_a_folder_name_and_nothing_else(tmp_path: Path) -> None:
    for label in ("../x", "/etc", "a/b", ".", "..", "a\x00", " x", "x" * 200):
        with pytest.raises(BadInput):
            Folder(tmp_path, label)
    for label in ("benign", "Grad 2", "mäßig-hoch", "nicht_da"):
        assert Folder(tmp_path, label).place.parent == tmp_path
    assert common.SECONDS <= 60
