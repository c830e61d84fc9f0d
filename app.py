"""The page list and the frame around every page; nothing else. Both are in pages/ui/frame.py."""

from pages.ui import frame

frame.put_up().run()
