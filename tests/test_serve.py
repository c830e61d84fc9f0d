"""The HTTP endpoint: nobody enters without a token, nothing is kept, and whatever is sent is answered in words.

Fuzzed from its own description; a stub answers, except in one round trip with a real run.
"""

import io
import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

from medtl import serve
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.serve import app as app_module
from medtl.serve import door as door_module
from medtl.workspace import Workspace
from tests.builders import ROOT
from tests.conftest import Practice

TOKEN = "a-token-of-the-tests-0123456789"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}
CARD = {"run": "r-1", "classes": ["benign", "malignant"], "research_use": serve.USE}


def png(side: int = 8) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint8)).save(out, "PNG")
    return out.getvalue()


def said(path: Path, explain: str | None) -> dict[str, Any]:
    heat = {"label": explain, "values": [[0.0, 1.0]], "state": "ok"} if explain else None
    return {
        "file": path.name, "predicted": "benign", "scores": {"benign": 0.7, "malignant": 0.3}, "set": ["benign"],
        "accepted": True, "why_not": None, "explanation": heat, "a_later_field": 3,
    }  # fmt: skip


Answers = Callable[[Path, str | None], Mapping[str, Any]]


def app(spool: Path, ask: Answers = said, hosts: tuple[str, ...] = ("testserver", "localhost")) -> Any:
    return serve.create_app(ask, CARD, serve.Door(TOKEN, hosts), spool)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(app(tmp_path), headers=SIGNED)


def send(client: TestClient, data: bytes, name: str = "Hollerith.png", kind: str = "image/png", **more: Any) -> Any:
    return client.post("/predict", files={"file": (name, data, kind)}, **more)


def is_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status and content["title"] and content["detail"] and content["advice"]
    return content


# ---- the answer -----------------------------------------------------------------------------------------------------


def test_an_answer_passes_through_without_names(client: TestClient, tmp_path: Path) -> None:
    answer = send(client, png())
    assert answer.status_code == 200
    assert answer.json() == {**said(Path("image"), None), "file": "image"}
    assert answer.headers["cache-control"] == "no-store"
    assert send(client, png(), params={"explain": "malignant"}).json()["explanation"]["label"] == "malignant"
    assert not list(tmp_path.iterdir())  # nothing is kept


def test_what_the_consultant_drew_is_deleted_and_no_path_leaves(tmp_path: Path) -> None:
    picture = tmp_path / "picture-1.png"

    def ask(path: Path, explain: str | None) -> dict[str, Any]:
        picture.write_bytes(b"x")
        return {**said(path, explain), "picture": str(picture), "other": str(tmp_path / "more.png")}

    answer = send(TestClient(app(tmp_path, ask), headers=SIGNED), png())
    assert answer.status_code == 200 and str(tmp_path) not in answer.text and not picture.exists()


def test_the_file_is_named_by_what_it_is_and_by_nobody(tmp_path: Path) -> None:
    names: list[str] = []

    def ask(path: Path, explain: str | None) -> dict[str, Any]:
        assert path.parent == tmp_path and stat.S_IMODE(path.stat().st_mode) == 0o600
        names.append(path.name)
        return said(path, explain)

    client = TestClient(app(tmp_path, ask), headers=SIGNED)
    dicom = bytes(128) + b"DICM" + bytes(60)
    for name in ("../../etc/passwd", "a\x00b.png", "Hollerith.dcm", ""):
        send(client, png(), name or "x")
    send(client, dicom, "image.png", "application/dicom")
    assert [Path(name).suffix for name in names] == [".png"] * 4 + [".dcm"]
    assert not any("Hollerith" in name or "passwd" in name for name in names)


def test_numbers_that_json_does_not_know_become_null(tmp_path: Path) -> None:
    def ask(path: Path, explain: str | None) -> dict[str, Any]:
        return {**said(path, explain), "gate": {"limit": float("inf"), "checks": [{"value": float("nan")}]}}

    answer = send(TestClient(app(tmp_path, ask), headers=SIGNED), png())
    assert answer.json()["gate"] == {"limit": None, "checks": [{"value": None}]}


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [None, TOKEN, "Bearer wrong", f"Basic {TOKEN}", "Bearer", b"Bearer \xff\xfe"])
def test_nobody_enters_without_the_token(tmp_path: Path, shown: Any) -> None:
    header = {} if shown is None else {"Authorization": shown}

    def ask(path: Path, explain: str | None) -> dict[str, Any]:
        raise AssertionError("asked by a stranger")

    stranger = TestClient(app(tmp_path, ask), headers=header)
    assert is_problem(send(stranger, png()), 401) and is_problem(stranger.get("/model"), 401)
    assert is_problem(stranger.get("/there-is-no-such-page"), 401)  # and learns nothing of what there is
    assert stranger.get("/health").json()["status"] == "ok"


def test_another_name_for_this_computer_is_refused(tmp_path: Path) -> None:
    """A page in a browser whose own name was made to point here must not get through."""
    client = TestClient(app(tmp_path, hosts=("127.0.0.1",)), headers=SIGNED, base_url="http://evil.example")
    assert client.get("/model").status_code == 400


def test_what_is_no_image_is_refused(client: TestClient) -> None:
    assert "type" in is_problem(send(client, png(), kind="text/html"), 415)["detail"]
    is_problem(send(client, b"<html>"), 415)
    is_problem(send(client, b""), 415)
    is_problem(client.post("/predict"), 422)
    is_problem(client.post("/predict", content=b"\x00", headers={"content-type": "multipart/form-data"}), 400)
    assert "benign, malignant" in is_problem(send(client, png(), params={"explain": "cat"}), 422)["advice"]
    is_problem(client.get("/nothing"), 404)
    is_problem(client.get("/predict"), 405)


def test_too_much_is_refused_whatever_it_says_of_its_length(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "BODY_BYTES", 2000)
    is_problem(send(client, png() + bytes(3000)), 413)

    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(10):
            yield bytes(1000)

    is_problem(
        client.post("/predict", content=pieces(), headers={"content-type": "multipart/form-data; boundary=b"}), 413
    )
    assert send(client, png()).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadInput("It is cut short.", "Send it again."), 422), (MedtlError("It ended twice.", "Close programs."), 503)],
)
def test_what_goes_wrong_comes_as_words(tmp_path: Path, error: MedtlError, status: int) -> None:
    def ask(path: Path, explain: str | None) -> dict[str, Any]:
        raise error

    content = is_problem(send(TestClient(app(tmp_path, ask), headers=SIGNED), png()), status)
    assert content["detail"] == error.message and content["advice"] == error.advice
    assert not list(tmp_path.iterdir())


def test_an_unreadable_image_and_an_error_of_ours_are_said(tmp_path: Path) -> None:
    def unreadable(path: Path, explain: str | None) -> dict[str, Any]:
        return {**said(path, explain), "scores": {}, "predicted": None, "why_not": "The file is cut short."}

    def broken(path: Path, explain: str | None) -> dict[str, Any]:
        raise RuntimeError("Hollerith")

    content = is_problem(send(TestClient(app(tmp_path, unreadable), headers=SIGNED), png()), 422)
    assert content["detail"] == "The file is cut short."
    client = TestClient(app(tmp_path, broken), headers=SIGNED, raise_server_exceptions=False)
    answer = send(client, png())
    assert "Hollerith" not in answer.text and is_problem(answer, 500)


def test_only_so_many_questions_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(app_module, "WAITING", 1)
    begun, go_on = threading.Event(), threading.Event()

    def slow(path: Path, explain: str | None) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(20)
        return said(path, explain)

    with TestClient(app(tmp_path, slow), headers=SIGNED) as client:
        first: list[int] = []
        waiting = threading.Thread(target=lambda: first.append(send(client, png()).status_code))
        waiting.start()
        assert begun.wait(20)
        busy = send(client, png())
        go_on.set()
        waiting.join(20)
    assert is_problem(busy, 503) and busy.headers["retry-after"] == "5" and first == [200]


# ---- what it says of itself -----------------------------------------------------------------------------------------


def test_the_page_fetches_nothing_from_anywhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text and "https://" not in page.text and "cdn" not in page.text.lower()
    assert "/predict" in page.text and "not a medical device" in page.text.lower()
    assert client.get("/redoc").status_code == 404 and client.get("/model").json() == CARD


FUZZED = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    derandomize=True, database=None,
)  # fmt: skip


def test_whatever_is_sent_is_answered_as_described(tmp_path: Path) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app(tmp_path, hosts=("*",)))
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        asked.add(operation.label)

        @FUZZED
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            # No description can say that bytes are to be a picture: most of what is made up here is rightly refused.
            case.call_and_validate(headers=SIGNED, excluded_checks=[positive_data_acceptance])

        one()
    assert asked == {"GET /health", "GET /model", "POST /predict"} and not list(tmp_path.iterdir())


# ---- starting it ----------------------------------------------------------------------------------------------------


def test_it_is_open_to_others_only_with_a_chosen_token(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "pacs.example"):
        with pytest.raises(BadInput, match="other computers"):
            serve.check_open(host, "")
        serve.check_open(host, TOKEN)
    for token in ("short", "with blanks in it, although long", "ä" * 20):
        with pytest.raises(BadInput):
            serve.check_open("127.0.0.1", token)
    serve.check_open("127.0.0.1", "")
    with pytest.raises(NotFound):
        serve.describe(Workspace(tmp_path), "r-9")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(BadInput, match="another program"):
            serve.check_free("127.0.0.1", other.getsockname()[1])
    with pytest.raises(BadInput):
        serve.check_free("127.0.0.1", 99_999)
    serve.check_free("127.0.0.1", free_port())


def test_the_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "home")
    token = serve.own_token(ws)
    assert len(token) >= 32 and serve.own_token(ws) == token
    assert stat.S_IMODE((ws.home / serve.TOKEN_FILE).stat().st_mode) == 0o600


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_real_run_answers_as_it_is_stored(practice: Practice) -> None:
    from medtl.runs import results

    row = next(row for row in results.predictions(practice.folder) if row.part == "test")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "medtl", "serve", practice.run, "--port", str(port), "--home", str(practice.ws.home)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        base = f"http://127.0.0.1:{port}"
        while True:
            try:
                assert httpx.get(f"{base}/health").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.1)
        token = serve.own_token(practice.ws)
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=120) as client:
            card = client.get("/model").json()
            assert card["classes"] == list(practice.cohort.classes) and card["threshold"] and card["estimates"]
            data = practice.original(row.case).read_bytes()
            answer = send(client, data, params={"explain": "predicted"}).json()  # type: ignore[arg-type]
            assert answer["predicted"] == row.predicted
            assert answer["scores"]["malignant"] == pytest.approx(row.scores["malignant"], abs=1e-4)
            assert answer["explanation"]["label"] == row.predicted and str(practice.ws.home) not in json.dumps(answer)
            is_problem(send(client, data[:300]), 422)  # type: ignore[arg-type]
        assert not list(practice.ws.spool.glob("asked-*")) and not list(practice.ws.spool.glob("picture-*"))
    finally:
        process.terminate()
        told = process.communicate(timeout=30)[1]
    assert token in told and told.count(token) == 1  # shown once
    assert "Hollerith" not in told and "asked-" not in told
