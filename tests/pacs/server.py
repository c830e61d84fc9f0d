"""A real PACS on loopback for tests: Debian's Orthanc with an empty store, on free ports, gone afterwards.

In CI (`.ci/run` installs it) a missing Orthanc is a failure; elsewhere a skip.
"""

import base64
import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ORTHANC = Path("/usr/sbin/Orthanc")
WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "medtl", "a-password-of-the-tests"


@dataclass(frozen=True)
class Pacs:
    """`web` is "" where the plugin for DICOMweb is not installed."""

    dicom_port: int
    http_port: int
    receive_port: int
    web: str

    def asks(self, path: str, data: bytes | None = None) -> bytes:
        """Orthanc's own interface, to look at what arrived."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data)
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
        return content

    def json(self, path: str, data: bytes | None = None) -> Any:
        return json.loads(self.asks(path, data))

    def instance(self, uid: str) -> str:
        """Orthanc's name of an object."""
        (found,) = self.json("/tools/lookup", uid.encode())
        return str(found["ID"])


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_:
        probes = [open_.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def have(path: Path, package: str) -> None:
    if not path.exists():
        assert not os.environ.get("CI"), f"{package} is missing; `.ci/run` installs it"
        pytest.skip(f"{package} is not installed (a Debian package)")


@contextlib.contextmanager
def orthanc(place: Path) -> Iterator[Pacs]:
    have(ORTHANC, "orthanc")
    http, dicom, receive = free_ports(3)
    web = WEB_PLUGIN.exists()
    (place / "orthanc.json").write_text(json.dumps({
        "Name": "Test", "StorageDirectory": str(place / "store"), "IndexDirectory": str(place / "store"),
        "HttpPort": http, "DicomPort": dicom, "DicomAet": "ORTHANC", "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD},
        "DicomAlwaysAllowEcho": False, "DicomAlwaysAllowStore": False, "DicomAlwaysAllowFind": False,
        "DicomModalities": {"medtl": {
            "AET": "MEDTL", "Host": "127.0.0.1", "Port": receive, "AllowEcho": True, "AllowStore": True,
            "AllowFind": True, "AllowGet": True, "AllowMove": True,
        }},
        "Plugins": [str(WEB_PLUGIN)] if web else [], "ConcurrentJobs": 1, "DicomThreadsCount": 2,
        "HttpThreadsCount": 4,
    }))  # fmt: skip
    with (place / "log.txt").open("w") as log:
        process = subprocess.Popen([str(ORTHANC), str(place / "orthanc.json")], stdout=log, stderr=log)
    pacs = Pacs(dicom, http, receive, f"http://127.0.0.1:{http}/dicom-web" if web else "")
    try:
        until = time.monotonic() + 30
        while True:
            try:
                pacs.asks("/system")
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, (place / "log.txt").read_text()
                time.sleep(0.05)
        yield pacs
    finally:
        process.terminate()
        process.wait(20)
