"""What goes back into the clinic's world: DICOM objects about one image, marked as research, that refer to it by UID.

`make` writes them for answers of a finished run. What an object holds is in a file of its own each; nothing here knows
torch, the screen or a network.
"""

from medtl.dicom_out.common import KINDS, Identity, Kind, Region, Written
from medtl.dicom_out.making import make

__all__ = ["KINDS", "Identity", "Kind", "Region", "Written", "make"]
