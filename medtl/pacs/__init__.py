"""The clinic's own image archive (PACS): what MedTL made is sent there, and studies are fetched from there.

Only to and from the one address the user named, only when asked, each time with a line in the workspace's audit log
that names nobody. Without that address nothing here does anything. `dimse` speaks DICOM, `dicomweb` HTTP.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from medtl.errors import BadInput, NotReady
from medtl.pacs import dicomweb, dimse
from medtl.pacs.common import Query, Sent, Study
from medtl.pacs.incoming import Folder, check_uid
from medtl.pacs.outgoing import ours
from medtl.pacs.settings import Settings, forget, load, save
from medtl.workspace import Workspace

Way = Literal["dimse", "web"]
__all__ = [
    "Query", "Sent", "Settings", "Study", "Way", "echo", "fetch", "find", "forget", "load", "save", "send", "told",
]  # fmt: skip


def told(ws: Workspace) -> dict[str, Any]:
    """What the screen says before anything is sent: where to, over what, and what to know of that address."""
    settings = load(ws)
    if settings is None:
        return {"configured": False, "says": "No PACS is named, so nothing can be sent or fetched.", "warning": ""}
    return {"configured": True, **settings.shown(), "says": settings.says(), "warning": settings.warning()}


def echo(ws: Workspace, way: Way | None = None) -> dict[str, Any]:
    """Whether it answers, in seconds."""
    settings, how = _configured(ws, way)
    return {"way": how, "seconds": round(_program(how).echo(settings), 3), "warning": settings.warning()}


def find(ws: Workspace, query: Query, way: Way | None = None) -> list[Study]:
    """Studies, newest first. Asks for no names. Raises BadInput for a query that would list the whole archive."""
    settings, how = _configured(ws, way)
    query.check()
    return sorted(_program(how).find(settings, query), key=lambda study: study.date, reverse=True)


def fetch(
    ws: Workspace, studies: Sequence[str], out: Path, label: str = "", *, way: Way | None = None, move: bool = False
) -> dict[str, Any]:
    """The images of these studies as files in `out`/`label`/, to be brought in as a cohort, which makes them anonymous.

    `move` asks the PACS to send them to us (C-MOVE), which it must be set up for; otherwise we take them (C-GET).
    """
    settings, how = _configured(ws, way)
    if not studies:
        raise BadInput("No study is named.", "Find some first.")
    for uid in studies:
        check_uid(uid)
    if move and how == "web":
        raise BadInput("DICOMweb knows no C-MOVE.", "Leave the one or the other out.")
    folder = Folder(out, label)
    try:
        failed = dicomweb.fetch(settings, studies, folder) if how == "web" else dimse.fetch(
            settings, studies, folder, move
        )  # fmt: skip
    finally:
        ws.ensure().audit(
            "fetched from PACS", host=settings.name(how), way=how, studies=len(studies), objects=folder.count
        )
    return {
        "folder": str(folder.place), "studies": len(studies), "files": folder.count, "bytes": folder.bytes,
        "failed": failed, "warning": settings.warning(),
    }  # fmt: skip


def send(ws: Workspace, paths: Sequence[Path], way: Way | None = None) -> dict[str, Any]:
    """Objects MedTL wrote, and nothing else. Raises BadInput for any other file, before anything is sent."""
    settings, how = _configured(ws, way)
    if not paths:
        raise BadInput("No file is named.", "Name what `predict --dicom` wrote.")
    objects = [ours(path) for path in paths]
    done: list[Sent] = []
    try:
        for one in _program(how).send(settings, objects):
            done.append(one)
    finally:
        arrived = [one for one in done if not one.why]
        ws.ensure().audit(
            "sent to PACS", host=settings.name(how), way=how, objects=len(arrived), failed=len(objects) - len(arrived),
            uids=[one.object.sop_instance for one in arrived], named=sum(one.object.named for one in arrived),
        )  # fmt: skip
    return {
        "way": how,
        "to": settings.name(how),
        "sent": len(arrived),
        "failed": [{"file": one.object.path.name, "why": one.why} for one in done if one.why],
        "warning": settings.warning(),
    }


def _configured(ws: Workspace, way: Way | None) -> tuple[Settings, Way]:
    settings = load(ws)
    if settings is None:
        raise NotReady(
            "No PACS is named in this workspace.",
            "Name one: python -m medtl pacs set --host ADDRESS --port PORT --called AE.",
        )
    how: Way = way or ("dimse" if settings.host else "web")
    if (how == "dimse" and not settings.host) or (how == "web" and not settings.web):
        raise NotReady(
            f"The PACS is not named for {'DICOM' if how == 'dimse' else 'DICOMweb'}.",
            "Give --host, --port and --called, or --web URL, with `pacs set`.",
        )
    return settings, how


def _program(how: Way) -> Any:
    return dimse if how == "dimse" else dicomweb
