"""The package's own code fetches: from a server on this computer, or from a port where nobody listens."""

import hashlib
import io
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from medtl import published
from medtl.errors import BadInput, MedtlError, NotFound, NotReady
from medtl.workspace import Workspace

with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as nowhere:
    patch.setenv("HOME", nowhere)  # it makes a folder in the home directory when it is loaded
    medmnist = pytest.importorskip("medmnist")  # and loads torch: seconds


@pytest.fixture
def ws(tmp_path) -> Workspace:
    return Workspace(tmp_path / "home").ensure()


@pytest.fixture(scope="module")
def archive() -> bytes:
    file = io.BytesIO()
    parts = {f"{part}_images": np.zeros((4, 28, 28), np.uint8) for part in ("train", "val", "test")}
    np.savez(file, **parts, **{f"{part}_labels": np.zeros((4, 1), np.uint8) for part in ("train", "val", "test")})
    return file.getvalue()


@contextmanager
def server(content: bytes) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the requests it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.command)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/file.npz", asked
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch):
    """Where the address must be another one, the part that loads the package runs here."""
    monkeypatch.setattr(
        published, "_in_a_process", lambda name, size, place, *_: published.fetch_here(name, size, place)
    )

    def addresses(url: str, content: bytes) -> None:
        monkeypatch.setitem(medmnist.INFO["breastmnist"], "url", url)
        monkeypatch.setitem(medmnist.INFO["breastmnist"], "MD5", hashlib.md5(content).hexdigest())
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)

    yield addresses
    socket.setdefaulttimeout(None)


def test_names_say_what_they_are_and_what_is_allowed():
    sets = published.names()
    assert len(sets) == 12 and len({known.name for known in sets}) == 12
    assert all(known.says.endswith(".") and known.title and known.cases and known.classes for known in sets)
    assert {known.licence for known in sets if not known.commercial} == {"CC BY-NC 4.0"}
    assert {known.task for known in sets} == {"single-label", "ordinal", "multi-label"}


def test_what_is_not_published(ws):
    with pytest.raises(NotFound, match="breastmnist"):
        published.fetch(ws, "catmnist")
    with pytest.raises(BadInput, match="28, 64, 128 or 224"):
        published.fetch(ws, "breastmnist", 100)


def test_a_set_is_fetched_once_and_checked(ws, archive, in_this_process):
    with server(archive) as (url, asked):
        in_this_process(url, archive)
        path = published.fetch(ws, "BreastMNIST")
        assert path == ws.published / "breastmnist.npz" and path.read_bytes() == archive
        assert len(asked) == 2  # torchvision asks where the address leads, then fetches
        assert published.fetch(ws, "breastmnist") == path and len(asked) == 2  # it is there and is the right one
        path.write_bytes(b"something else")
        assert published.fetch(ws, "breastmnist").read_bytes() == archive and len(asked) == 4
    assert [file.name for file in ws.published.iterdir()] == ["breastmnist.npz"]


def test_a_file_put_there_by_hand_needs_no_network(ws, archive, in_this_process):
    in_this_process("http://127.0.0.1:9/", archive)
    ws.published.mkdir()
    published.path_of(ws, "breastmnist").write_bytes(archive)
    assert published.fetch(ws, "breastmnist").read_bytes() == archive


def test_another_file_than_the_published_one_is_not_kept(ws, archive, in_this_process):
    with server(archive[:-100]) as (url, _):
        in_this_process(url, archive)
        with pytest.raises(MedtlError, match="what came is not the published file"):
            published.fetch(ws, "breastmnist")
    assert list(ws.published.iterdir()) == []


def test_no_network_is_a_sentence_and_leaves_what_was_there(ws, archive, in_this_process):
    in_this_process("http://127.0.0.1:9/breastmnist.npz", archive)
    ws.published.mkdir()
    (ws.published / "breastmnist.npz").write_bytes(b"older")
    with pytest.raises(MedtlError) as error:
        published.fetch(ws, "breastmnist")
    said = "breastmnist.npz is not on this computer and cannot be fetched (no connection to 127.0.0.1)."
    assert error.value.message == said
    assert "another computer" in error.value.advice and str(ws.published) in error.value.advice
    assert [file.read_bytes() for file in ws.published.iterdir()] == [b"older"]


def test_the_fetching_process_leaves_nothing_behind(ws, monkeypatch, tmp_path):
    """For real, through a proxy that nobody answers at."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "person").mkdir()
    with pytest.raises(MedtlError, match=r"no connection to zenodo\.org"):
        published.fetch(ws, "breastmnist", 64, on_progress=lambda *_: None)
    assert list(ws.published.iterdir()) == [] and list((tmp_path / "person").iterdir()) == []


def test_a_process_that_dies_is_a_sentence(ws, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    if Path("/bin/false").exists():
        with pytest.raises(MedtlError, match="ended early"):
            published.fetch(ws, "breastmnist")


def test_without_the_package_it_says_what_to_install(ws, monkeypatch):
    monkeypatch.setattr(published, "_in_a_process", lambda *_: {"fetched": False, "why": "no package", "host": ""})
    with pytest.raises(NotReady, match="pip install medmnist"):
        published.fetch(ws, "breastmnist")


def test_a_full_disk_is_known_beforehand(ws, monkeypatch):
    monkeypatch.setattr(Workspace, "free", lambda _: 1000)
    with pytest.raises(MedtlError, match="GB free"):
        published.fetch(ws, "pathmnist", 224)
