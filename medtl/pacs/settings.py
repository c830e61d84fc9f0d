"""Which PACS the user named, kept in the workspace for its owner only. None by default; nothing is guessed."""

import ipaddress
import json
import re
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from medtl.errors import BadInput, MedtlError
from medtl.workspace import Workspace, write_whole

Place = Literal["this computer", "a private network", "a public address", "unknown"]
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
TITLE = re.compile(r"[\x21-\x5B\x5D-\x7E](?:[\x20-\x5B\x5D-\x7E]{0,15})")  # no backslash, at most 16 (PS3.5 6.2, AE)


@dataclass(frozen=True)
class Settings:
    """`host`, `port`, `called` (its AE title) and `calling` (ours) are for DICOM; `web` is the base of DICOMweb.

    `authority` names a file of certificates that vouch for the server where the system's own do not. `receive_port` is
    where the PACS sends to after C-MOVE. `user` and `password` are for DICOMweb.
    """

    host: str = ""
    port: int = 104
    called: str = ""
    calling: str = "MEDTL"
    tls: bool = False
    authority: str = ""
    receive_port: int = 11112
    web: str = ""
    user: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        if not self.host and not self.web:
            raise BadInput("No address is given.", "Give --host, --port and --called, or --web URL.")
        if self.host:
            _check_host(self.host)
            _check_title(self.called, "the PACS", "--called")
            _check_title(self.calling, "MedTL", "--calling")
        for port in (self.port, self.receive_port):
            if not 1 <= port <= 65535:
                raise BadInput(f"The port is {port}; ports go from 1 to 65535.", "104, 11112 and 4242 are common.")
        if self.web:
            _check_url(self.web)
        if self.authority and not Path(self.authority).is_file():
            raise BadInput("The file of certificates is not there.", "Give the path of a PEM file.")

    def name(self, way: str = "dimse") -> str:
        """Where to, without a password."""
        return f"{self.called}@{self.host}:{self.port}" if way == "dimse" else self.web

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "password": "set" if self.password else ""}

    def place(self) -> Place:
        return max((place_of(host) for host in self._hosts()), key=ORDER.index)

    def says(self) -> str:
        """For the screen: what leaves, where to, and when."""
        where = " and ".join(filter(None, (self.host and self.name(), self.web)))
        return f"What you choose to send goes to {where} ({self.place()}), when you press Send, and nowhere else."

    def warning(self) -> str:
        place = self.place()
        if place in ("this computer", "a private network"):
            return ""
        if place == "unknown":
            return "The address of the PACS cannot be looked up, so it is not known whether it is in your own network."
        open_ = (self.host and not self.tls) or self.web.startswith("http:")
        return "The address of the PACS is a public one: what is sent leaves your network" + (
            ", and it is not encrypted." if open_ else "."
        )

    def _hosts(self) -> list[str]:
        return [host for host in (self.host, urlsplit(self.web).hostname or "") if host]


ORDER: tuple[Place, ...] = ("this computer", "a private network", "unknown", "a public address")


def place_of(host: str) -> Place:
    """Where an address lies; of several the farthest."""
    try:
        found = {str(row[4][0]).split("%")[0] for row in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return "unknown"
    return max((_place(ipaddress.ip_address(one)) for one in found), key=ORDER.index, default="unknown")


def _place(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Place:
    if address.is_loopback:
        return "this computer"
    return "a private network" if address.is_private or address.is_link_local else "a public address"


# ---- kept in the workspace ------------------------------------------------------------------------------------------


def save(ws: Workspace, settings: Settings) -> None:
    ws.ensure()
    write_whole(ws.pacs_file, json.dumps(asdict(settings), indent=1))  # a new file is 0600 from the start
    ws.pacs_file.chmod(0o600)


def load(ws: Workspace) -> Settings | None:
    """None where nobody named one."""
    if not ws.pacs_file.exists():
        return None
    try:
        content = json.loads(ws.pacs_file.read_text("utf-8"))
        known = {field.name for field in fields(Settings)}
        return Settings(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MedtlError("What is kept of the PACS is damaged.", "Name it again with `pacs set`.") from error


def forget(ws: Workspace) -> bool:
    """Whether there was one."""
    known = ws.pacs_file.exists()
    ws.pacs_file.unlink(missing_ok=True)
    return known


# ---- what may stand there -------------------------------------------------------------------------------------------


def _check_host(host: str) -> None:
    if not HOST.fullmatch(host):
        raise BadInput("The address of the PACS is no name or number of a computer.", "Such as 10.1.2.3 or pacs.local.")


def _check_title(title: str, whose: str, option: str) -> None:
    if not TITLE.fullmatch(title):
        raise BadInput(
            f"The AE title of {whose} has {len(title)} characters, or some that are not allowed.",
            f"Give 1 to 16 letters and digits with {option}; your IT department knows it.",
        )


def _check_url(url: str) -> None:
    """An address and a path, nothing that could lead elsewhere."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput("The DICOMweb address is no URL.", "Such as https://pacs.local:8443/dicom-web.") from error
    fine = parts.scheme in ("http", "https") and parts.hostname and HOST.fullmatch(parts.hostname) and port != 0
    if not fine or parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise BadInput(
            "The DICOMweb address is no plain http or https URL.",
            "Such as https://pacs.local:8443/dicom-web; user and password are given apart.",
        )
