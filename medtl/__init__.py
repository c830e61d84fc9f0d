"""MedTL: transfer learning that clinicians run themselves. The engine; it never imports Streamlit."""

__version__ = "0.1.0"
