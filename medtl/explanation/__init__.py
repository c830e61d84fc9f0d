"""Where a network looked, and which cases it finds alike. Never where the disease is."""
