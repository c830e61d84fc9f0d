"""The HTTP way to a PACS (DICOMweb, PS3.18): QIDO-RS, WADO-RS and STOW-RS over one connection to the address named.

Python's own HTTP client: it follows no redirect, asks no proxy and goes nowhere but to the host of the settings; only
UIDs that were checked come into a path.
"""

import base64
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from medtl.cohorts import limits
from medtl.errors import BadInput
from medtl.pacs.common import MOST_STUDIES, SECONDS, Object, Query, Sent, Study, Unreachable, texts
from medtl.pacs.incoming import UID, Folder, check_uid
from medtl.pacs.settings import Settings

JSON_BYTES = 20 * 10**6  # of one answer in JSON
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
DATE, MODALITIES, WORDS, PATIENT, IMAGES = "00080020", "00080061", "00081030", "00100020", "00201208"
FAILED, REASON, REFERENCED = "00081198", "00081197", "00081155"
DICOM = 'multipart/related; type="application/dicom"'


def echo(settings: Settings) -> float:
    """Seconds until it answered a query for one study."""
    began = time.monotonic()
    with _connected(settings) as server:
        server.json("/studies", {"limit": "1"})
    return time.monotonic() - began


def find(settings: Settings, query: Query) -> list[Study]:
    asked = {
        "StudyDate": query.dates, "ModalitiesInStudy": query.modality, "StudyDescription": query.words,
        "PatientID": query.patient,
    }  # fmt: skip
    given = {key: value for key, value in asked.items() if value}
    fields = ",".join((WORDS, MODALITIES, IMAGES))
    with _connected(settings) as server:
        answer = server.json("/studies", {**given, "includefield": fields, "limit": str(MOST_STUDIES)})
    return [study for one in answer[:MOST_STUDIES] if (study := _study(one)) is not None]


def fetch(settings: Settings, studies: Sequence[str], folder: Folder) -> int:
    """One instance after the other, so that nothing large is held. Returns how many could not be had."""
    failed = 0
    with _connected(settings) as server:
        for uid in studies:
            folder.next_study()
            for one in server.json(f"/studies/{check_uid(uid)}/instances", {}):
                series, instance = _first(one, SERIES), _first(one, INSTANCE)
                if not (UID.fullmatch(series) and UID.fullmatch(instance)):
                    failed += 1
                    continue
                data = server.file(f"/studies/{uid}/series/{series}/instances/{instance}")
                if data is None:
                    failed += 1
                else:
                    folder.keep(data)
    return failed


def send(settings: Settings, objects: Sequence[Object]) -> Iterator[Sent]:
    with _connected(settings) as server:
        for one in objects:
            yield Sent(one, server.store(one.path.read_bytes(), one.sop_instance))


# ---- one connection -------------------------------------------------------------------------------------------------


class _Server:
    """Asks the server of the settings; every path begins with theirs."""

    def __init__(self, settings: Settings, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.base = urlsplit(settings.web).path.rstrip("/")
        self.headers: dict[str, str] = {}
        if settings.user:
            pair = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {pair}"

    def json(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        where = path + (f"?{urlencode(query, safe='*,')}" if query else "")  # some servers do not know %2A
        status, _, data = self._ask("GET", where, {"Accept": "application/dicom+json"}, JSON_BYTES)
        if status == 204 or (status == 404 and path != "/studies"):
            return []
        _check(status)
        try:
            answer = json.loads(data or b"[]")
        except (ValueError, RecursionError) as error:
            raise _not_dicomweb() from error
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise _not_dicomweb()
        return answer

    def file(self, path: str) -> bytes | None:
        """None where the server has it no more or cannot give it."""
        accept = {"Accept": f"{DICOM}; transfer-syntax=*"}
        status, kind, data = self._ask("GET", path, accept, limits.FILE_BYTES + 10_000)
        if status in (404, 406, 410, 500):
            return None
        _check(status)
        return _part(kind, data)

    def store(self, data: bytes, instance: str) -> str:
        """ "" where it arrived, else why not."""
        edge = secrets.token_hex(16)
        head = f"--{edge}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = head + data + f"\r\n--{edge}--\r\n".encode()
        headers = {"Content-Type": f"{DICOM}; boundary={edge}", "Accept": "application/dicom+json"}
        status, _, answer = self._ask("POST", "/studies", headers, JSON_BYTES, body)
        if status in (409, 415):
            return f"The PACS does not take it ({_reason(answer, instance) or f'HTTP {status}'})."
        _check(status)
        reason = _reason(answer, instance)
        return f"The PACS does not take it ({reason})." if reason else ""

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], most: int, body: bytes | None = None
    ) -> tuple[int, str, bytes]:
        """(status, content type, body of at most `most` bytes)."""
        try:
            self.connection.request(method, f"{self.base}{path}", body, {**self.headers, **headers})
            answer = self.connection.getresponse()
            data = answer.read(most + 1)
        except TimeoutError as error:
            raise Unreachable("The PACS did not answer in time.", "Check --web; a firewall may be between.") from error
        except ssl.SSLError as error:
            raise Unreachable(
                "The PACS cannot show that it is who it says it is (its certificate).",
                "Ask IT for the certificate and name it with --authority.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable("Nobody answers at the DICOMweb address.", "Check --web, and whether it runs.") from error
        if len(data) > most:
            raise BadInput("The PACS gives more than is read at once.", "Ask for less.")
        return answer.status, answer.headers.get("Content-Type", ""), data


@contextmanager
def _connected(settings: Settings) -> Iterator[_Server]:
    parts = urlsplit(settings.web)
    assert parts.hostname is not None
    if parts.scheme == "https":
        try:
            trusted = ssl.create_default_context(cafile=settings.authority or None)
        except (OSError, ssl.SSLError) as error:
            raise BadInput("The file of certificates cannot be used.", "Give a PEM file with --authority.") from error
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=SECONDS, context=trusted
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
    try:
        yield _Server(settings, connection)
    finally:
        connection.close()


def _check(status: int) -> None:
    if status in (401, 403):
        raise Unreachable("The PACS wants another user or password.", "Give them with `pacs set --user`.")
    if 300 <= status < 400:
        raise Unreachable("The DICOMweb address leads elsewhere; that is not followed.", "Give the final --web URL.")
    if status == 404:
        raise _not_dicomweb()
    if not 200 <= status < 300:
        raise Unreachable(f"The PACS says no (HTTP {status}).", "Give IT this number.")


def _not_dicomweb() -> Unreachable:
    return Unreachable(
        "Somebody answers there, but not as DICOMweb does.", "Check the path of --web, often /dicom-web."
    )


# ---- reading answers ------------------------------------------------------------------------------------------------


def _part(kind: str, data: bytes) -> bytes:
    """The one file of a multipart answer (RFC 2046)."""
    if kind.startswith("application/dicom") and "json" not in kind:
        return data
    words = dict(part.strip().split("=", 1) for part in kind.split(";")[1:] if "=" in part)
    edge = words.get("boundary", "").strip('"').encode()
    start = data.find(b"--" + edge) if edge else -1
    head = data.find(b"\r\n\r\n", start)
    end = data.rfind(b"\r\n--" + edge)
    if start < 0 or head < 0 or end < head:
        raise _not_dicomweb()
    following = data.find(b"\r\n--" + edge, head + 4)
    return data[head + 4 : following]


def _study(one: Mapping[str, Any]) -> Study | None:
    uid = _first(one, STUDY)
    if not UID.fullmatch(uid):
        return None
    images = _first(one, IMAGES)
    return Study(
        uid, _first(one, DATE), texts(_values(one, MODALITIES)), _first(one, WORDS),
        int(images) if images.isdigit() else 0, _first(one, PATIENT),
    )  # fmt: skip


def _values(one: Mapping[str, Any], tag: str) -> list[Any]:
    element = one.get(tag)
    value = element.get("Value") if isinstance(element, dict) else None
    return value if isinstance(value, list) else []


def _first(one: Mapping[str, Any], tag: str) -> str:
    values = _values(one, tag)
    return str(values[0]) if values and isinstance(values[0], (str, int, float)) else ""


def _reason(answer: bytes, instance: str) -> str:
    """Why a STOW answer says that this object failed; "" where it does not."""
    try:
        said = json.loads(answer or b"{}")
    except (ValueError, RecursionError):
        return ""
    said = said[0] if isinstance(said, list) and said else said
    for one in _values(said, FAILED) if isinstance(said, dict) else ():
        if isinstance(one, dict) and _first(one, REFERENCED) in (instance, ""):
            code = _first(one, REASON)
            return f"reason {int(code):04X}" if code.isdigit() else "no reason given"
    return ""
