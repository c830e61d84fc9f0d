"""The DICOM way to a PACS: echo, store, find, get and move, with pynetdicom; what goes wrong comes as words."""

import logging
import socket
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medtl.errors import BadInput, MedtlError
from medtl.pacs.common import MOST_STUDIES, SECONDS, Object, Query, Sent, Study, Unreachable, texts
from medtl.pacs.incoming import UID, Folder
from medtl.pacs.outgoing import EXPLICIT
from medtl.pacs.settings import Settings

warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")  # they quote values, and values may be names

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.association import Association

VERIFICATION = "1.2.840.10008.1.1"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))  # study root
IMPLICIT = "1.2.840.10008.1.2"
# Images that a cohort can be made of, and how they may be packed; one presentation context each pair, at most 128.
IMAGES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{n}"
    for n in (
        "1", "1.1", "1.2", "1.3", "2", "2.1", "3.1", "4", "4.1", "6.1", "7", "12.1", "20", "77.1.1", "77.1.4",
        "77.1.5.1", "77.1.5.4", "128",
    )
)  # fmt: skip
PACKED = tuple(f"1.2.840.10008.1.2.{n}" for n in ("4.50", "4.51", "4.70", "4.90", "4.91", "4.80", "5"))
PENDING, WARNING, OUT_OF_SPACE = (0xFF00, 0xFF01), 0xB000, 0xA700
REFUSED = {  # PS3.8 Table 9-21: source, reason
    (1, 1): ("It refuses without saying why.", "Ask IT whether this computer may connect."),
    (1, 2): ("It knows no such application.", "Ask IT for the right port."),
    (1, 3): ("It does not know our AE title {calling}.", "Ask IT to enter {calling} with this computer's address."),
    (1, 7): ("Its AE title is not {called}.", "Ask IT for the right one and set it with --called."),
    (2, 1): ("It refuses without saying why.", "Ask IT whether this computer may connect."),
    (3, 1): ("It is busy.", "Try again in some minutes."),
    (3, 2): ("It has as many connections as it takes.", "Try again in some minutes."),
}


def echo(settings: Settings) -> float:
    """Seconds until it answered C-ECHO."""
    began = time.monotonic()
    with _associated(settings, [(VERIFICATION, [EXPLICIT, IMPLICIT])]) as association:
        _final(association.send_c_echo(), "It did not answer.")
    return time.monotonic() - began


def send(settings: Settings, objects: Sequence[Object]) -> Iterator[Sent]:
    """One after the other; what is not taken has a reason. Nothing more is tried once the connection broke off."""
    classes = sorted({one.sop_class for one in objects})
    with _associated(settings, [(name, [EXPLICIT]) for name in classes]) as association:
        taken = {str(context.abstract_syntax) for context in association.accepted_contexts}
        broken = False
        for one in objects:
            if one.sop_class not in taken:
                yield Sent(one, "The PACS does not take this kind of object (its SOP class).")
                continue
            status = None if broken else _stored(association, one)
            broken = not status
            yield Sent(one, _why_not_stored(status))
        if broken:
            association.abort()


def _stored(association: "Association", one: Object) -> Any:
    """The status; nothing where the connection is gone."""
    from pydicom import dcmread

    try:
        return association.send_c_store(dcmread(one.path))
    except RuntimeError:  # it is gone since before this object
        return None


def find(settings: Settings, query: Query) -> list[Study]:
    """At most MOST_STUDIES. Names are not asked for."""
    from pydicom import Dataset

    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = ""
    asked.StudyDate, asked.StudyDescription, asked.PatientID = query.dates, query.words, query.patient
    asked.ModalitiesInStudy = query.modality
    asked.NumberOfStudyRelatedInstances = ""
    found: list[Study] = []
    with _associated(settings, [(FIND, [EXPLICIT, IMPLICIT])]) as association:
        for status, answer in association.send_c_find(asked, FIND):
            if not status:
                raise _silent()
            if status.Status not in PENDING:
                _final(status, "It could not search.")
            elif answer is not None and UID.fullmatch(str(answer.get("StudyInstanceUID", ""))):
                found.append(_study(answer))
            if len(found) >= MOST_STUDIES:
                association.abort()
                break
    return found


def fetch(settings: Settings, studies: Sequence[str], folder: Folder, move: bool = False) -> int:
    """Takes them (C-GET), or has them sent (C-MOVE). Returns how many objects the PACS could not give."""
    return _move(settings, studies, folder) if move else _get(settings, studies, folder)


# ---- taking and receiving -------------------------------------------------------------------------------------------


def _get(settings: Settings, studies: Sequence[str], folder: Folder) -> int:
    from pynetdicom import build_role, evt

    inbox = _Inbox(folder)
    contexts = [(GET, [EXPLICIT, IMPLICIT]), *_image_contexts()]
    roles = [build_role(name, scp_role=True) for name in IMAGES]
    failed = 0
    with _associated(settings, contexts, roles, [(evt.EVT_C_STORE, inbox.store)]) as association:
        for uid in studies:
            folder.next_study()
            failed += _asked(association.send_c_get(_whole(uid), GET), inbox)
    return failed


def _move(settings: Settings, studies: Sequence[str], folder: Folder) -> int:
    """We listen, only where the PACS reaches us and only as long as it takes, and take from its address only."""
    from pynetdicom import evt

    inbox = _Inbox(folder)
    local, remote = _reached(settings)
    listening = _entity(settings)
    listening.require_called_aet = True
    for name, syntaxes in _image_contexts(several=True):
        listening.add_supported_context(name, syntaxes)
    inbox.allowed = remote
    try:
        server = listening.start_server(
            (local, settings.receive_port), block=False,
            evt_handlers=[(evt.EVT_C_STORE, inbox.store), (evt.EVT_REQUESTED, inbox.requested)],
        )  # fmt: skip
    except OSError as error:
        raise MedtlError(
            f"Port {settings.receive_port} of this computer is not free, so nothing can be received.",
            "Choose another with --receive-port, and have IT enter it in the PACS.",
        ) from error
    assert server is not None
    failed = 0
    try:
        with _associated(settings, [(MOVE, [EXPLICIT, IMPLICIT])]) as association:
            for uid in studies:
                folder.next_study()
                failed += _asked(association.send_c_move(_whole(uid), settings.calling, MOVE), inbox)
    finally:
        server.shutdown()
    return failed


class _Inbox:
    """Puts what arrives into the folder, unopened; remembers what went wrong, as a handler may not raise."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.wrong: MedtlError | None = None
        self.allowed = ""  # the only address that may send; "" on a connection of our own

    def store(self, event: Any) -> int:
        try:
            self.folder.keep(event.encoded_dataset())
        except MedtlError as error:
            self.wrong = error
            return OUT_OF_SPACE
        except OSError:
            self.wrong = MedtlError("The folder cannot be written, or the disk is full.", "Choose another folder.")
            return OUT_OF_SPACE
        return 0

    def requested(self, event: Any) -> None:
        if self.allowed and event.assoc.requestor.address != self.allowed:
            event.assoc.abort()


def _asked(answers: Any, inbox: _Inbox) -> int:
    """Follows a C-GET or C-MOVE to its end. Returns how many objects failed."""
    failed = 0
    for status, _ in answers:
        if inbox.wrong:
            raise inbox.wrong
        if not status:
            raise _silent()
        if status.Status in PENDING:
            continue
        if status.Status == 0xA801:
            raise Unreachable(
                "The PACS does not know where to send to (our AE title is not in its list).",
                "Ask IT to enter our AE title with this computer's address and port, or leave --move out.",
            )
        failed = int(status.get("NumberOfFailedSuboperations") or 0)
        if status.Status != WARNING:
            _final(status, "It could not give the study.")
    return failed


def _whole(uid: str) -> Any:
    from pydicom import Dataset

    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", uid
    return asked


def _image_contexts(several: bool = False) -> list[tuple[str, list[str]]]:
    """Each packing in a context of its own, so that the PACS need not repack; `several`: as a listener names them."""
    if several:
        return [(name, [EXPLICIT, IMPLICIT, *PACKED]) for name in IMAGES]
    plain = [(name, [EXPLICIT, IMPLICIT]) for name in IMAGES]
    packed = [(name, [syntax]) for syntax in PACKED for name in IMAGES]
    return (plain + packed)[:127]  # with the one for the query at most 128


# ---- connections ----------------------------------------------------------------------------------------------------


@contextmanager
def _associated(
    settings: Settings, contexts: Sequence[tuple[str, list[str]]], roles: Sequence[Any] = (),
    handlers: Sequence[Any] = (),
) -> "Iterator[Association]":  # fmt: skip
    """An association, released or aborted in the end. Raises Unreachable in words."""
    from pynetdicom import evt

    _reached(settings)
    entity = _entity(settings)
    for name, syntaxes in contexts:
        entity.add_requested_context(name, syntaxes)
    told: list[Any] = []
    association = entity.associate(
        settings.host,
        settings.port,
        ae_title=settings.called,
        ext_neg=list(roles) or None,
        tls_args=(_tls(settings), settings.host) if settings.tls else None,
        evt_handlers=[*handlers, (evt.EVT_ACSE_RECV, lambda event: told.append(event.primitive))],
    )
    if not association.is_established:
        raise _not_established(settings, association, told)
    try:
        yield association
        if association.is_established:
            association.release()
    finally:
        if association.is_alive():  # an error on our side, with answers still to come: they are not waited for
            association.abort()


def _entity(settings: Settings) -> "AE":
    from pynetdicom import AE

    for name in ("pynetdicom", "pydicom"):  # they quote what is sent, and that may name somebody
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    entity = AE(ae_title=settings.calling)
    entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = SECONDS
    entity.network_timeout = 2 * SECONDS
    return entity


def _reached(settings: Settings) -> tuple[str, str]:
    """The two ends of a connection to it, (ours, its own). Raises Unreachable where there is none."""
    try:
        with socket.create_connection((settings.host, settings.port), timeout=SECONDS) as probe:
            return str(probe.getsockname()[0]), str(probe.getpeername()[0])
    except socket.gaierror as error:
        raise Unreachable("The name of the PACS is not known in this network.", "Check --host.") from error
    except TimeoutError as error:
        raise Unreachable("The PACS did not answer in time.", "Check --host and --port, and the firewall.") from error
    except OSError as error:
        raise Unreachable(
            f"Nobody answers at port {settings.port} of the PACS ({error.strerror or 'no connection'}).",
            "Check --port, and whether the PACS runs.",
        ) from error


def _tls(settings: Settings) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=settings.authority or None)
    except (OSError, ssl.SSLError) as error:
        raise BadInput("The file of certificates cannot be used.", "Give a PEM file with --authority.") from error


def _not_established(settings: Settings, association: "Association", told: Sequence[Any]) -> Unreachable:
    if association.is_rejected:
        last = told[-1] if told else None
        key = (getattr(last, "result_source", 0) or 0, getattr(last, "diagnostic", 0) or 0)
        message, advice = REFUSED.get(key, ("It refuses the connection.", "Ask IT whether this computer may connect."))
        names = {"calling": settings.calling, "called": settings.called}
        return Unreachable(f"The PACS refuses us. {message.format(**names)}", advice.format(**names))
    if any(getattr(one, "result", None) == 0 for one in told):  # it took us in and nothing of what we asked
        return Unreachable("The PACS takes nothing of what is asked (its SOP classes).", "Ask IT what it offers.")
    return Unreachable(
        "Somebody answers at that port, but not as a PACS does.",
        "Check --port"
        + (
            ", whether the PACS speaks TLS there, and its certificate (--authority)."
            if settings.tls
            else "; it may want --tls."
        ),
    )


def _silent() -> Unreachable:
    return Unreachable("The PACS did not answer in time, or broke the connection off.", "Try again; then ask IT.")


def _final(status: Any, what: str) -> None:
    """Raises where the last status is neither success nor a warning."""
    if not status:
        raise _silent()
    if status.Status != 0:
        raise Unreachable(f"The PACS says no. {what} (status {status.Status:04X})", "Give IT this status.")


def _why_not_stored(status: Any) -> str:
    if not status:
        return "The PACS did not answer in time, or broke the connection off."
    code = int(status.Status)
    if code == 0 or code >> 12 == 0xB:  # stored, or stored with a remark
        return ""
    return {0xA7: "The PACS has no space left", 0xA9: "It does not fit its class, says the PACS"}.get(
        code >> 8, "The PACS cannot understand or store it"
    ) + f" (status {code:04X})."


def _study(answer: Any) -> Study:
    def text(word: str) -> str:
        return str(answer.get(word, "") or "")

    images = text("NumberOfStudyRelatedInstances")
    return Study(
        text("StudyInstanceUID"), text("StudyDate"), texts(answer.get("ModalitiesInStudy")),
        text("StudyDescription"), int(images) if images.isdigit() else 0, text("PatientID"),
    )  # fmt: skip
