"""The limits of a network brought from another library: the numbers stand here and nowhere else."""

MB = 10**6
GB = 10**9

FILE_BYTES = 1000 * MB  # an .onnx or .keras file, and everything unpacked from it
CONFIG_BYTES = 20 * MB  # the description of the layers in a .keras file; ConvNeXt's has 0.4 MB
RATIO = 200  # unpacked / packed of one member of a .keras file
NODES = 20_000  # steps of an ONNX graph, layers of a Keras model; a ViT-L has about 2,500
DEPTH = 64  # lists and models within one another in a .keras file
SIDE = (16, 1024)  # px of the picture it is shown
FEATURES = 16_384  # width of what it says of one picture
MEMORY_BYTES = 8 * GB  # address space that looking through and converting one file may add
SECONDS = 300.0  # for looking through one file, until the process that does it is ended
CPU_SECONDS = 600.0  # the same on all cores together
CARD_BYTES = 1 * MB  # of a source folder somebody gave away: its card,
GRAPH_BYTES = 50 * MB  # its architecture without weights
TRACE_BYTES = 64 * MB  # and each file on the images it learned from, packed and unpacked
TITLE = 200  # characters
TEXT = 2_000  # characters of any other text on a card
LISTED = 1_000  # texts of one list on a card


def describe() -> tuple[tuple[str, str], ...]:
    """The limits in words, for the page, the documentation and `medtl doctor`."""
    return (
        ("one ONNX or Keras file", f"{FILE_BYTES // MB} MB, {NODES:,} steps"),
        (
            "looking through a network",
            f"{SECONDS:.0f} seconds ({CPU_SECONDS:.0f} of processor time), {MEMORY_BYTES // GB} GB of memory, in a "
            "process apart",
        ),
        ("picture it is shown", f"square, {SIDE[0]} to {SIDE[1]} pixels a side, grey or colour"),
        ("features of one picture", f"{FEATURES:,}"),
        (
            "source folder",
            f"card {CARD_BYTES // MB} MB, architecture {GRAPH_BYTES // MB} MB, weights {FILE_BYTES // MB} MB",
        ),
    )
