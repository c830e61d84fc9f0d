"""Networks from `.keras` files: the list of layers is checked by name, Keras makes them, torch trains them.

The file is a stranger's. Keras's own safe mode had holes more than once, so only layers named here are made at all: no
Lambda, no object of the file's own, nothing that reads files. What a layer is called never becomes the name of a module
or of a file, and Keras's parts are never written out as code (torch.fx is turned away). Weights are read once, when the
file is brought; what is kept is the list of layers, and the weights as safetensors.

Keras computes on tensors that belong to torch modules here (`_Held`), so that `train()`, `to()`, `state_dict()` and the
optimiser do what they do with every other network.

Letters: B cases, C channels, H and W pixels, h and w cells, N tokens, D features.
"""

import contextlib
import copy
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from medtl.errors import BadInput, MedtlError, NotReady
from medtl.sources import limits
from medtl.sources.foreign import (
    RANGES,
    Brought,
    Stated,
    bounded_memory,
    crossings,
    into_stages,
    largest_difference,
    need,
    read_whole,
    square,
)
from medtl.sources.network import Network, Stage
from medtl.vocabulary import InputSpec

FLOOR = (3, 15)  # earlier versions follow links in the weights to other files
AGREES = 1e-3
USUAL_SIZE = 224
_CONFIG, _METADATA, _WEIGHTS, _BORDER = "config.json", "metadata.json", "model.weights.h5", "border.json"

_PLAIN_LAYERS = {
    "InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense", "Activation", "ReLU",
    "LeakyReLU", "PReLU", "ELU", "Softmax", "BatchNormalization", "LayerNormalization", "GroupNormalization",
    "UnitNormalization", "RMSNormalization", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D",
    "GlobalMaxPooling2D", "GlobalAveragePooling1D", "Flatten", "Reshape", "Permute", "ZeroPadding2D", "Cropping2D",
    "UpSampling2D", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Dropout",
    "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "Rescaling", "Normalization", "Resizing", "CenterCrop",
    "MultiHeadAttention", "Identity", "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast",
    "RandomBrightness", "RandomTranslation", "RandomCrop",
}  # fmt: skip
_MODELS = {"Functional", "Sequential", "Model"}
_KNOWN = {
    "keras": _MODELS | {"DTypePolicy"},
    "keras.models": _MODELS,
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.layers": _PLAIN_LAYERS,
    "keras.src.applications.convnext": {"LayerScale", "StochasticDepth"},
    "keras.src.ops.numpy": {
        "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Mean", "Max", "Reshape", "Transpose", "Concatenate",
        "GetItem", "BroadcastTo", "Clip", "Negative",
    },
    "keras.src.ops.nn": {"Relu", "Relu6", "Sigmoid", "Softmax", "Silu", "Gelu", "HardSigmoid", "HardSilu"},
    "keras.initializers": {
        "Zeros", "Ones", "Constant", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform",
        "LecunNormal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Orthogonal",
    },
    "keras.regularizers": {"L1", "L2", "L1L2", "OrthogonalRegularizer"},
    "keras.constraints": {"MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"},
}  # fmt: skip
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__"}  # tensors and arrays written into the list of layers

# How keras.applications' networks were shown pictures, by the name Keras gives them.
_CAFFE = {"resnet50", "resnet101", "resnet152", "vgg16", "vgg19"}
_CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)  # in the order red, green, blue
_MINUS_ONE = (
    "mobilenet_",
    "mobilenetv2",
    "inception",
    "xception",
    "nasnet",
    "resnet50v2",
    "resnet101v2",
    "resnet152v2",
)
_IMAGENET = ("densenet",)
_NORMS = {"BatchNormalization"}
_AFTER = {"Activation", "Softmax", "Dropout", "Identity", "Flatten"}  # between the last Dense and the output


def bring(path: Path, stated: Stated) -> Brought:
    """The network of a `.keras` file with its weights, made where a file may cost little (`receiver`).

    Raises MedtlError with what is wrong with the file, and where to go from there.
    """
    keras = loaded("A .keras file")
    members = _members(path)
    config = _checked(members[_CONFIG], path.name)
    if _WEIGHTS not in members:
        raise BadInput(
            f"'{path.name}' holds no weights ({_WEIGHTS}).", "Save the trained network: model.save('model.keras')."
        )
    notes: list[str] = []
    with _cpu(keras):
        model = _made(keras, config, path.name)
        _load(model, members[_WEIGHTS], path.name)
        channels, side, first = _input(model, stated)
        if side is None:
            notes.append(f"The file leaves the size of the picture open: {USUAL_SIZE} pixels a side were assumed.")
        size = side or USUAL_SIZE
        usual, flip, said = _usual(config, channels)
        if not (stated.mean or stated.std or stated.range):
            notes.append(said)
        else:
            flip = False
        spec = stated.input(channels, size, usual)
        border = {"channels_first": first, "flip": flip}
        pieces, rest, dropped = _without_classifier(_pieces(keras, model))
        notes = [*dropped, *notes]
        network = _network(keras, model, pieces, border, spec, 2, path.name)
        difference = _difference(keras, network, rest, model, spec)
    if not difference <= AGREES:
        raise BadInput(
            f"Cut into stages, the network in '{path.name}' does not give the numbers Keras gives (largest difference "
            f"{difference:.1g} of the largest value).",
            "Export it as ONNX instead: model.export('model.onnx', format='onnx').",
        )
    notes.append(f"It gives the numbers of Keras itself: largest difference {difference:.1g} of the largest value.")
    return Brought(network, spec, _bare(config, members[_METADATA], border), tuple(notes))


def build(graph: Path, spec: InputSpec, classes: int) -> Network:
    """The architecture kept in `graph` with random weights; checked again, as a file may have been changed."""
    keras = loaded("A source from a .keras file")
    members = _members(graph)
    try:
        border = {key: bool(json.loads(members[_BORDER])[key]) for key in ("channels_first", "flip")}
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput("The architecture of this source is damaged.", "Add the source again.") from error
    config = _checked(members[_CONFIG], graph.name)
    with bounded_memory(), _cpu(keras):
        keras.utils.set_random_seed(int(torch.randint(2**31, ())))
        model = _made(keras, config, graph.name)
        pieces, _, _ = _without_classifier(_pieces(keras, model))
        return _network(keras, model, pieces, border, spec, classes, graph.name)


def loaded(what: str) -> Any:
    """Keras on torch; the first import in a process decides on what it computes."""
    need("keras", what)
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if keras.backend.backend() != "torch":
        raise NotReady("Keras was loaded with another backend in this process.", "Start the app again.")
    if tuple(int(part) for part in keras.__version__.split(".")[:2]) < FLOOR:
        raise NotReady(
            f"Keras {keras.__version__} is too old: {'.'.join(map(str, FLOOR))} or newer is needed.",
            "Run: pip install --upgrade keras",
        )
    return keras


@contextlib.contextmanager
def _cpu(keras: Any) -> Iterator[None]:
    with keras.device("cpu"):
        yield


# ---- looking through the file ----------------------------------------------------------------------------------------


def _members(path: Path) -> dict[str, bytes]:
    """What lies in the zip, by name: nothing but what Keras writes for a network of plain layers."""
    content = read_whole(path)
    known = {_CONFIG: limits.CONFIG_BYTES, _METADATA: limits.MB, _BORDER: limits.MB, _WEIGHTS: limits.FILE_BYTES}
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                if info.filename not in known or info.filename in found:
                    raise BadInput(
                        f"'{path.name}' holds more than layers and weights ('{_plain(info.filename)}').",
                        "Bring a network of plain layers, saved with model.save('model.keras').",
                    )
                packed = max(1, info.compress_size)
                if info.file_size > known[info.filename] or info.file_size > limits.RATIO * packed + limits.MB:
                    raise BadInput(f"'{path.name}' is too large unpacked ({_plain(info.filename)}).", "Save it again.")
                found[info.filename] = archive.read(info)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BadInput(f"'{path.name}' is not a .keras file, or not a whole one.", "Save it again.") from error
    if _CONFIG not in found:
        raise BadInput(f"'{path.name}' is not a .keras file: it has no {_CONFIG}.", "Save it with Keras 3.")
    found.setdefault(_METADATA, b"{}")
    return found


def _checked(content: bytes, name: str) -> dict[str, Any]:
    """The list of layers, when each is one that is known here. How it was trained is left out of it."""
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"'{name}' is not a whole .keras file.", "Save it again.") from error
    if not isinstance(config, dict):
        raise BadInput(f"'{name}' is not a .keras file.", "Save it again.")
    counted = [0]
    config.pop("compile_config", None)
    _look(config, name, 0, counted)
    return config


def _look(value: Any, name: str, depth: int, counted: list[int]) -> None:
    if depth > limits.DEPTH or counted[0] > 50 * limits.NODES:
        raise BadInput(f"The layers in '{name}' lie too deep within one another.", "Save a plain network.")
    counted[0] += 1
    if isinstance(value, list):
        for one in value:
            _look(one, name, depth + 1, counted)
    elif isinstance(value, dict):
        if "class_name" in value:
            _look_at_class(value, name)
        for key, one in value.items():
            _look(one, name, depth + 1, counted)
            if key == "dtype" and isinstance(one, dict) and isinstance(one.get("config"), dict):
                one["config"] = {"name": "float32"}  # mixed precision is for the device to decide
            elif key == "dtype" and one in ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16"):
                value[key] = "float32"


def _look_at_class(value: dict[str, Any], name: str) -> None:
    kind, module, registered = value["class_name"], value.get("module"), value.get("registered_name")
    said = _plain(str(kind))
    if kind in _VALUES and module is None:
        return
    if kind == "Lambda" or kind == "__lambda__":
        raise BadInput(
            f"'{name}' holds a Lambda layer: code of its own, which is not run.",
            "Replace the Lambda layer by a plain layer (Rescaling, Reshape, ...), copy the weights, and save it again.",
        )
    if not isinstance(kind, str) or not isinstance(module, str) or kind not in _KNOWN.get(module, ()):
        raise BadInput(
            f"'{name}' holds '{said}', which is not among the layers that are read.",
            "Only Keras's plain image layers are. Rebuild the network of those and save it with Keras 3, or export it: "
            "model.export('model.onnx', format='onnx').",
        )
    if registered not in (None, kind):
        raise BadInput(
            f"'{name}' holds an object of its own ('{_plain(str(registered))}'), which is not made.",
            "Use Keras's plain layers, or export it: model.export('model.onnx', format='onnx').",
        )


def _made(keras: Any, config: dict[str, Any], name: str) -> Any:
    try:
        model = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
        built = isinstance(model, keras.Model) and len(model.inputs) == 1 and len(model.outputs) == 1
    except MedtlError:
        raise
    except Exception as error:  # Keras fails on odd lists of layers in its own ways; nothing is made
        raise BadInput(f"Keras cannot make the network in '{name}' ({_short(error)}).", "Save it again.") from error
    if not built:
        raise BadInput(
            f"The network in '{name}' does not have one picture as input and one output.", "Save such a network."
        )
    model = keras.Model(model.inputs, model.outputs)
    model.trainable = True  # what trains is for the strategy to say
    return model


def _load(model: Any, weights: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="medtl-keras-") as folder:
        path = Path(folder) / _WEIGHTS
        path.write_bytes(weights)
        try:
            # A functional model around the same layers would look for them under other names.
            model.load_weights(path)
        except Exception as error:  # h5py and Keras fail in their own ways; said, and nothing is made
            raise BadInput(
                f"The weights in '{name}' do not fit its layers ({_short(error)}).", "Save it again with Keras 3."
            ) from error


def _bare(config: dict[str, Any], metadata: bytes, border: dict[str, bool]) -> bytes:
    """The file as it is kept: layers and how the picture is handed over, no weights."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((_CONFIG, json.dumps(config)), (_METADATA, metadata), (_BORDER, json.dumps(border))):
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time: the same network, the same bytes
    return out.getvalue()


# ---- what it is shown ------------------------------------------------------------------------------------------------


def _input(model: Any, stated: Stated) -> tuple[int, int | None, bool]:
    """Channels, side (None where the file leaves it open), and whether channels come before height and width."""
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
        raise BadInput(
            f"This network is shown {shape}; pictures here have 1 (grey) or 3 (colour) channels.",
            "Bring a network for pictures of (height, width, channels).",
        )
    first = shape[3] not in (1, 3)
    height, width = (shape[2], shape[3]) if first else (shape[1], shape[2])
    return shape[1] if first else shape[3], square(height, width, stated.size), first


def _usual(config: dict[str, Any], channels: int) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], bool, str]:
    """Mean and std where the user said nothing, whether red and blue change places, and what was assumed."""
    if _scales_itself(config):
        return _of("0-255"), False, "It scales brightness itself: it is shown 0 to 255."
    for name in _names(config):
        low = name.lower()
        if low in _CAFFE and channels == 3:
            said = f"'{name}' of keras.applications: blue before red, ImageNet's mean taken off, 0 to 255."
            return (_CAFFE_MEAN, (1 / 255,)), True, said
        if low.startswith(_MINUS_ONE):
            return _of("-1-1"), False, f"'{name}' of keras.applications: it is shown -1 to 1."
        if low.startswith(_IMAGENET):
            return (InputSpec.mean, InputSpec.std), False, f"'{name}' of keras.applications: ImageNet's mean and std."
    return _of("0-1"), False, "The file does not say how brightness was scaled: 0 to 1 was assumed."


def _of(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = RANGES[name]
    return (mean,), (std,)


def _names(config: Any) -> list[str]:
    """The names of the model and of the models in it."""
    own = (
        [str(_inner(config).get("name", ""))]
        if isinstance(config, dict) and config.get("class_name") in _MODELS
        else []
    )
    return own + [name for layer in _layers(config) for name in _names(layer)]


def _inner(config: Any) -> dict[str, Any]:
    inner = config.get("config") if isinstance(config, dict) else None
    return inner if isinstance(inner, dict) else {}


def _layers(config: Any) -> list[Any]:
    layers = _inner(config).get("layers")
    return layers if isinstance(layers, list) else []


def _scales_itself(config: Any) -> bool:
    """Whether brightness is scaled before the first layer that has weights."""
    for kind in _kinds(config):
        if kind in ("Rescaling", "Normalization", "TrueDivide", "Divide", "Subtract", "Multiply", "GetItem"):
            return True
        if kind in ("Conv2D", "Dense", "SeparableConv2D", "DepthwiseConv2D", "BatchNormalization"):
            return False
    return False


def _kinds(config: Any) -> Iterator[str]:
    """The classes of the layers in the order of the file, those of models within in their place."""
    if layers := _layers(config):
        for layer in layers:
            yield from _kinds(layer)
    elif isinstance(config, dict):
        yield str(config.get("class_name"))


# ---- Keras layers as torch modules -----------------------------------------------------------------------------------


class _Same:
    """Holds something that copies of a network share: Keras's layers, whose weights lie elsewhere."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Same":
        return self


class _Held(nn.Module):
    """The numbers of one Keras layer as parameters (what learns) and buffers (statistics, states of chance)."""

    def __init__(self, variables: list[Any], learning: set[int]) -> None:
        super().__init__()
        self.keys = []
        for number, variable in enumerate(variables):
            # Keras counts nameless variables through the whole process: such a name is not the same the next time.
            name = "" if variable.name.startswith("variable") else re.sub(r"[^A-Za-z0-9_]", "_", variable.name)[:60]
            key = f"{number}_{name}"
            value = variable.value.detach().clone()
            if id(variable) in learning:
                self.register_parameter(key, nn.Parameter(value))
            else:
                self.register_buffer(key, value)
            self.keys.append(key)
        self.variables = _Same(variables)

    def pairs(self) -> list[tuple[Any, Tensor]]:
        return [(variable, getattr(self, key)) for variable, key in zip(self.variables.value, self.keys, strict=True)]


class _Mode(nn.Module):
    """Says whether a part trains. It belongs to the trunk, too, so that `train()` of a network reaches it."""


class _Norms(nn.modules.batchnorm._BatchNorm):
    """Stands for the batch norms within a part. The engine finds batch norms by their type and puts them into eval
    mode one by one; Keras's follow this one. It computes nothing."""

    def __init__(self) -> None:
        super().__init__(1, affine=False, track_running_stats=False)

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError


class _Part(nn.Module):
    """Some layers in a row, computed by Keras with the numbers held here."""

    def __init__(self, model: Any, held: list[_Held]) -> None:
        super().__init__()
        self.model = _Same(model)
        self.held = nn.ModuleList(held)
        self.mode, self.norms = _Mode(), _Norms()
        self._norm_layers = _Same([one for one in model._flatten_layers() if type(one).__name__ in _NORMS])

    def modes(self) -> list[tuple[str, nn.Module]]:
        return [("mode", self.mode), ("norms", self.norms)] if self._norm_layers.value else [("mode", self.mode)]

    def forward(self, x: Tensor) -> Tensor:
        import keras

        if isinstance(x, fx.Proxy):
            raise TypeError("Keras cannot be traced")
        training = self.mode.training
        pairs = [pair for held in self.held for pair in held.pairs()]  # type: ignore[operator]
        for layer in self._norm_layers.value:
            layer.trainable = self.norms.training  # in Keras a batch norm that does not train keeps its statistics
        where = "cpu" if x.device.type == "cpu" else f"{x.device.type}:{x.device.index or 0}"
        with keras.device(where), keras.StatelessScope(state_mapping=pairs) as scope:
            y: Tensor = self.model.value(x, training=training)
        if training:
            for variable, mine in pairs:
                now = scope.get_current_value(variable)
                if now is not None and now is not mine and not isinstance(mine, nn.Parameter):
                    with torch.no_grad():
                        mine.copy_(now.detach())
        return y


class _Border(nn.Module):
    """Hands the picture over: channels last, as Keras takes it, and blue before red where the network learned that."""

    def __init__(self, channels_first: bool, flip: bool) -> None:
        super().__init__()
        self.channels_first, self.flip = channels_first, flip

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H, W, C), or as it is."""
        x = x.flip(1) if self.flip else x
        return x if self.channels_first else x.permute(0, 2, 3, 1)


class _Mean(nn.Module):
    def __init__(self, over: tuple[int, ...]) -> None:
        super().__init__()
        self.over = over

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, D), (B, D, h, w) or (B, N, D) -> (B, D)."""
        return x.mean(self.over)


class _Turned:
    def __call__(self, x: Tensor) -> Tensor:
        """(B, h, w, D) -> (B, D, h, w)."""
        return x.permute(0, 3, 1, 2)


# ---- cutting ---------------------------------------------------------------------------------------------------------


class _Piece:
    """The layers between two cuts: from one tensor of Keras's graph to the next."""

    def __init__(self, given: Any, made: Any, operations: list[Any]) -> None:
        self.given, self.made, self.operations = given, made, operations

    @property
    def kind(self) -> str:
        return type(self.operations[0]).__name__ if len(self.operations) == 1 else ""


def _pieces(keras: Any, model: Any) -> list[_Piece]:
    """The network as a chain, models within it taken apart."""
    model = keras.Model(model.inputs, model.outputs)
    nodes = [n for depth in sorted(model._nodes_by_depth, reverse=True) for n in model._nodes_by_depth[depth]]
    nodes = [node for node in nodes if node.input_tensors]
    maker = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.output_tensors}
    needs = [{maker[id(t)] for t in node.input_tensors if id(t) in maker} for node in nodes]
    from_picture = [any(id(t) not in maker for t in node.input_tensors) for node in nodes]
    cuts = [i for i in crossings(needs) if len(nodes[i].output_tensors) == 1 and not any(from_picture[i + 1 :])]
    pieces: list[_Piece] = []
    start, given = 0, model.inputs[0]
    for cut in cuts:
        made = nodes[cut].output_tensors[0]
        made._sparse = False  # Keras takes the product with a number for sparse, which torch's tensors never are
        operations = [node.operation for node in nodes[start : cut + 1]]
        one = operations[0] if len(operations) == 1 else None
        if isinstance(one, keras.Model) and len(one.inputs) == 1 and len(one.outputs) == 1:
            pieces += _pieces(keras, one)
        else:
            pieces.append(_Piece(given, made, operations))
        start, given = cut + 1, made
    return pieces


def _network(
    keras: Any, model: Any, pieces: list[_Piece], border: dict[str, bool], spec: InputSpec, classes: int, name: str
) -> Network:
    """The network of some pieces of the model, with the numbers the model has now."""
    learning = {id(variable) for variable in model.trainable_variables}
    held = _held(model, pieces, learning)
    trunk = nn.Module()
    for number, one in enumerate(held):
        trunk.add_module(f"layer{number}", one)
    of_variable = {id(variable): one for one in held for variable in one.variables.value}
    weights = [_size(piece) for piece in pieces]
    last_map = max((i for i, piece in enumerate(pieces) if _is_map(piece.made.shape, border)), default=-1)
    stages: list[Stage] = []
    layer: nn.Module | None = None
    for number, group in enumerate(into_stages(weights), start=1):
        modules: list[nn.Module] = [] if stages else [_Border(**border)]
        for run in _runs(pieces, group, last_map):
            sub = keras.Model(pieces[run[0]].given, pieces[run[-1]].made)
            mine = list(dict.fromkeys(of_variable[id(v)] for v in sub.variables if id(v) in of_variable))
            modules.append(part := _Part(sub, mine))
            for kind, mode in part.modes():
                trunk.add_module(f"{kind}{number}_{len(modules)}", mode)
            if run[-1] == last_map:
                layer = modules[-1]
        stages.append(Stage(f"part {number}", modules))
    with torch.no_grad():
        x = torch.zeros(2, spec.channels, spec.size, spec.size)
        try:
            for stage in stages:
                stage.train(False)
                x = stage(x)
        except Exception as error:  # Keras fails on wrong sizes in its own ways
            raise BadInput(
                f"The network in '{name}' does not run on pictures of {spec.size} pixels ({_short(error)}).",
                "State the size it was made for.",
            ) from error
    pool, width = _pool(tuple(x.shape), border)
    reshape = None if border["channels_first"] else _Turned()
    return Network(trunk, stages, pool, width, classes, layer, reshape if layer is not None else None).eval()


def _without_classifier(pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece], list[str]]:
    """The chain up to what goes into the last Dense, the rest, and that in words. Augmentation is left out, too."""
    notes = []
    end = len(pieces)
    while end and pieces[end - 1].kind in _AFTER:
        end -= 1
    if end and pieces[end - 1].kind == "Dense":
        units = pieces[end - 1].operations[0].units
        notes.append(f"Its own last layer of {units:,} outputs was left out; yours takes its place.")
        end -= 1
        while end and pieces[end - 1].kind == "Dropout":
            end -= 1
    else:
        end = len(pieces)
        notes.append("It has no last layer for classes: its output is taken as its features.")
    kept = [piece for piece in pieces[:end] if not piece.kind.startswith("Random")]
    if len(kept) < end:
        notes.append("Layers that change pictures at random were left out; MedTL does that itself.")
    if not any(_size(piece) for piece in kept):
        raise BadInput("Before its last layer this network has nothing that learned.", "Bring a network for pictures.")
    return kept, pieces[end:], notes


def _runs(pieces: list[_Piece], group: range, last_map: int) -> list[list[int]]:
    """Pieces of a stage that can be one model of Keras: next to each other in one graph, the last map ending one."""
    runs: list[list[int]] = []
    for i in group:
        joins = runs and pieces[i].given is pieces[i - 1].made and i - 1 != last_map
        if joins and i - 1 in runs[-1]:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _size(piece: _Piece) -> int:
    known = {id(v): v for one in piece.operations for v in getattr(one, "trainable_variables", ())}
    return sum(int(torch.Size(v.shape).numel()) for v in known.values())


def _is_map(shape: tuple[int | None, ...], border: dict[str, bool]) -> bool:
    cells = shape[2:4] if border["channels_first"] else shape[1:3]
    return len(shape) == 4 and all(side is None or side > 1 for side in cells)


def _held(model: Any, pieces: list[_Piece], learning: set[int]) -> list[_Held]:
    """Every number of the pieces once, with the layer it belongs to most closely."""
    layers = sorted(model._flatten_layers(), key=lambda one: len(one.variables))
    used = {id(v) for piece in pieces for one in piece.operations for v in getattr(one, "variables", ())}
    taken = {id(v) for v in model.variables if id(v) not in used}
    owned: dict[int, list[Any]] = {}
    for layer in layers:
        mine = [v for v in layer.variables if id(v) not in taken]
        taken |= {id(v) for v in mine}
        if mine:
            owned[id(layer)] = mine
    in_order = [owned[id(layer)] for layer in model._flatten_layers() if id(layer) in owned]
    return [_Held(variables, learning) for variables in in_order]


def _pool(shape: tuple[int, ...], border: dict[str, bool]) -> tuple[list[nn.Module], int]:
    first = border["channels_first"]
    cells = (2, 3) if first else (1, 2)
    pools: dict[int, tuple[list[nn.Module], int]] = {
        2: ([], shape[-1]),
        3: ([_Mean((1,))], shape[-1]),
        4: ([_Mean(cells)], shape[1] if first else shape[-1]),
    }
    if len(shape) not in pools or shape[0] != 2:
        raise BadInput(f"The output of this network has the shape {shape} for two pictures.", "Save it up to its pool.")
    pool, width = pools[len(shape)]
    if width > limits.FEATURES:
        raise BadInput(
            f"This network says {width:,} numbers of a picture; {limits.FEATURES:,} are the limit.",
            "Save it up to a pooling layer (GlobalAveragePooling2D).",
        )
    return pool, width


def _difference(keras: Any, network: Network, rest: list[_Piece], model: Any, spec: InputSpec) -> float:
    """The largest difference of what the model says of two random pictures: cut, with its last layer, and whole."""
    x = torch.randn(2, spec.channels, spec.size, spec.size, generator=torch.Generator().manual_seed(0))
    border = network.stages[0].modules[0]
    with torch.no_grad():
        theirs = model(border(x), training=False)
        for stage in network.stages:
            x = stage(x)
        for piece in rest:
            x = keras.Model(piece.given, piece.made)(x, training=False)
    return largest_difference(x.numpy(), theirs.numpy())


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:60]


def _short(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return (
        f"{type(error).__name__}: {''.join(c for c in lines[0] if c.isprintable())[:160]}"
        if lines
        else (type(error).__name__)
    )
