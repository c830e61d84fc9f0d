"""The page list and the frame around every page; nothing else."""

import streamlit as st

from pages.ui import frame, selection, show

st.set_page_config(page_title="MedTL", page_icon=frame.icon(), layout="wide", initial_sidebar_state="expanded")
page = st.navigation(frame.pages(), position="hidden")
show.guarded(selection.follow)()
frame.sidebar()
show.toasts()
page.run()
