"""The clinic's image archive on the screen: named once, asked whether it answers, sent to, and fetched from.

Nothing leaves before a button is pressed, and what would leave and where to stands above that button.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from medtl import pacs
from medtl.errors import MedtlError
from pages.ui import selection, shelf, show, words
from pages.ui.escape import md

FETCHED = "fetched"  # folder of the spool where studies lie before they become a cohort


def panel(files: Sequence[Path], key: str) -> None:
    ws = shelf.workspace()
    told = pacs.told(ws)
    st.markdown("**PACS**")
    st.caption(md(told["says"]))
    if told["warning"]:
        st.warning(md(told["warning"]), icon=":material/public:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if told["configured"]:
            why = None if files else "Make the files first."
            if st.button("Send the files", type="primary", disabled=not files, help=why, icon=":material/send:",
                         key=f"send-{key}"):  # fmt: skip
                _send(files)
            if st.button("Does it answer?", icon=":material/network_ping:", key=f"echo-{key}"):
                _echo()
        if st.button("Change the PACS" if told["configured"] else "Name a PACS", icon=":material/settings:",
                     type="tertiary", key=f"pacs-{key}"):  # fmt: skip
            _settings(told)
        if told["configured"] and st.button("Fetch images", icon=":material/download:", type="tertiary",
                                            key=f"fetch-{key}"):  # fmt: skip
            _fetch()


def _send(files: Sequence[Path]) -> None:
    try:
        with st.spinner("Sending…"):
            done = pacs.send(shelf.workspace(), files)
    except MedtlError as wrong:
        show.error(wrong)
        return
    st.success(f"Sent {words.count(done['sent'], 'file')} to {md(done['to'])}.", icon=":material/check:")
    for one in done["failed"]:
        st.error(f"**{md(one['file'])} did not arrive.**  \n{md(one['why'])}")


def _echo() -> None:
    try:
        with st.spinner("Asking…"):
            done = pacs.echo(shelf.workspace())
        st.success(f"It answers, in {done['seconds']:.2f} s.", icon=":material/check:")
    except MedtlError as wrong:
        show.error(wrong)


@st.dialog("The PACS of this clinic", icon=":material/settings:")
@show.guarded
def _settings(told: dict[str, Any]) -> None:
    st.caption("Your IT department knows these. They stay on this computer; nothing is sent before you press Send.")
    with st.form("pacs-form", border=False):
        host = st.text_input("Address", told.get("host", ""), placeholder="pacs.clinic.local", max_chars=253)
        port = st.number_input("Port", 1, 65535, int(told.get("port", 104)))
        called = st.text_input("AE title of the PACS", told.get("called", ""), max_chars=16)
        calling = st.text_input(
            "AE title of this program, as the PACS knows it", told.get("calling", "MEDTL"), max_chars=16
        )
        tls = st.toggle("Encrypted (TLS)", bool(told.get("tls", False)))
        kept = st.form_submit_button("Keep it", type="primary")
    if kept:
        ws = shelf.workspace()
        before = pacs.load(ws)
        more = {} if before is None else {
            name: getattr(before, name) for name in ("authority", "receive_port", "web", "user", "password")
        }  # fmt: skip
        try:
            pacs.save(ws, pacs.Settings(host.strip(), int(port), called.strip(), calling.strip(), tls, **more))
        except MedtlError as wrong:
            show.error(wrong)
            return
        st.rerun()
    if told["configured"] and st.button("Name none any more", icon=":material/delete:", type="tertiary"):
        pacs.forget(shelf.workspace())
        st.rerun()


@st.dialog("Fetch images from the PACS", width="large", icon=":material/download:")
@show.guarded
def _fetch() -> None:
    """Studies by date and kind; what is fetched is brought in on the Data page, which makes it anonymous."""
    with st.form("pacs-find", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        since = st.date_input("From", value=None, key="pacs-since", width=150)
        until = st.date_input("To", value=None, key="pacs-until", width=150)
        modality = st.text_input("Kind", placeholder="US", max_chars=16, width=90).strip().upper()
        description = st.text_input("Words of its description", max_chars=64, width=220)
        asked = st.form_submit_button("Find")
    if asked:
        query = pacs.Query(_day(since), _day(until), modality, description.strip())
        try:
            with st.spinner("Asking…"):
                st.session_state["pacs-found"] = pacs.find(shelf.workspace(), query)
        except MedtlError as wrong:
            show.error(wrong)
    found: list[pacs.Study] = st.session_state.get("pacs-found") or []
    if not found:
        st.caption("Give at least a date, a kind or words; names are never asked for.")
        return
    event: Any = st.dataframe(
        {
            "date": [one.date for one in found], "kind": [", ".join(one.modalities) for one in found],
            "description": [md(one.description) for one in found], "images": [one.images or None for one in found],
        },
        hide_index=True, on_select="rerun", selection_mode="multi-row", key="pacs-table",
        alt="Studies that were found",
    )  # fmt: skip
    rows = event["selection"]["rows"] if event else []
    label = st.text_input("Their class, if all are of one", max_chars=100, key="pacs-label")
    if st.button(f"Fetch {words.count(len(rows), 'study', 'studies')}", type="primary", disabled=not rows):
        folder = shelf.workspace().spool / f"{FETCHED}-{len(found)}-{rows[0]}"
        try:
            with st.spinner("Fetching…"):
                done = pacs.fetch(shelf.workspace(), [found[row].uid for row in rows], folder, label.strip())
        except MedtlError as wrong:
            show.error(wrong)
            return
        st.success(f"{words.count(done['files'], 'file')} in the folder below. Give its path on the Data page.")
        st.code(str(folder), language=None)
        st.session_state["pacs-folder"] = str(folder)
    if "pacs-folder" in st.session_state and st.button("Go to the Data page", icon=":material/photo_library:"):
        selection.go("data", **selection.NOTHING)


def _day(value: Any) -> str:
    return value.strftime("%Y%m%d") if value else ""
