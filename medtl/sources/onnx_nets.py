"""Networks from ONNX files: looked through, trimmed to their features, converted by onnx2torch, cut into stages.

The file is a stranger's. It may not point to other files, bring operations of its own or hold graphs within its graph;
and every name in it is replaced by the one function that converts, whether the file was brought or kept: torch.fx
writes names into Python source unescaped, so that a step named `x"), …` would be code that runs. What is kept on disk
is the graph without its weights.

Letters: B cases, C channels, h and w cells, N tokens, D features.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from medtl.errors import BadInput, MedtlError
from medtl.sources import limits
from medtl.sources.foreign import (
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
from medtl.sources.network import Network, Stage, reinitialise
from medtl.vocabulary import InputSpec

AGREES = 1e-3  # largest difference from ONNX Runtime, as a share of the largest value
USUAL_SIZE = 224
_OPSET = 17
_WITHOUT_VALUES = "its values lie in weights.safetensors"  # said in the tensor itself
_EMPTIED_FROM = 1024  # values; smaller constants (shapes, scales) stay, as the conversion looks at them
_WEIGHING = {"MatMul", "Gemm", "Conv", "ConvTranspose", "Add", "Mul", "Concat", "PRelu", "LayerNormalization"}
# What may stand between a classifier and the output.
_AFTER = {"Softmax", "LogSoftmax", "Sigmoid", "Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Add"}
_EXPORT = (
    "Export it with torch.onnx.export(model, x, 'model.onnx', dynamo=False, opset_version=17, input_names=['x'], "
    "dynamic_axes={'x': {0: 'n'}})."
)


def bring(path: Path, stated: Stated) -> Brought:
    """The network of an ONNX file with its weights, made where a file may cost little (`receiver`).

    Raises MedtlError with what is wrong with the file, and where to go from there.
    """
    need("onnx2torch", "An ONNX file")
    graph, notes = _trimmed(_read(path))
    channels, side = _input(graph, stated)
    if side is None:
        notes.append(f"The file leaves the size of the picture open: {USUAL_SIZE} pixels a side were assumed.")
    if not (stated.mean or stated.std or stated.range):
        notes.append("An ONNX file does not say how brightness was scaled: ImageNet's mean and std were assumed.")
    spec = stated.input(channels, side or USUAL_SIZE, (InputSpec.mean, InputSpec.std))
    try:
        network = _network(_converted(graph), spec, 2)
        difference = _difference(network, graph, spec)
    except MedtlError:
        raise
    except (MemoryError, RuntimeError, ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        raise BadInput(
            f"The network in '{path.name}' does not run on two pictures of {spec.size} pixels at once "
            f"({_short(error)}).",
            f"It may be fixed to one picture, or made for another size. {_EXPORT}",
        ) from error
    if not difference <= AGREES:
        raise BadInput(
            f"Converted, the network in '{path.name}' does not give the numbers ONNX Runtime gives (largest difference "
            f"{difference:.1g} of the largest value).",
            "Export it again with another opset (17), or bring its weights as .safetensors for a named network.",
        )
    notes.append(f"It gives the numbers of ONNX Runtime: largest difference {difference:.1g} of the largest value.")
    return Brought(network, spec, _without_values(graph).SerializeToString(), tuple(notes))


def build(graph: Path, spec: InputSpec, classes: int) -> Network:
    """The architecture kept in `graph` with random weights; looked through again, as a file may have been changed."""
    need("onnx2torch", "A source from an ONNX file")
    with bounded_memory():
        model = _looked_through(_parsed(_filled(read_whole(graph)), graph.name), graph.name)
        network = _network(_converted(model), spec, classes)
    reinitialise(network)
    return network


# ---- looking through the file ----------------------------------------------------------------------------------------


def _read(path: Path) -> Any:
    model = _parsed(read_whole(path), path.name)
    if any(tensor.doc_string == _WITHOUT_VALUES for tensor in model.graph.initializer):
        raise BadInput(
            f"'{path.name}' holds an architecture without its weights, as MedTL keeps it beside weights.safetensors.",
            "Bring the ONNX file this source was made of.",
        )
    return _looked_through(model, path.name)


def _parsed(content: bytes, name: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise BadInput(f"'{name}' is not an ONNX file, or not a whole one.", "Export it again.") from error


def _looked_through(model: Any, name: str) -> Any:
    """The model, when it holds nothing but standard steps over its own tensors."""
    import onnx

    graph = model.graph
    if len(graph.node) > limits.NODES:
        raise BadInput(f"'{name}' has {len(graph.node):,} steps; {limits.NODES:,} are the limit.", "Simplify it.")
    tensors = [*graph.initializer]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise BadInput(
                    f"'{name}' holds a graph within its graph ({_plain(node.op_type)}).",
                    "Export the plain network for one kind of input, without loops and branches.",
                )
            tensors += [attribute.t, *attribute.tensors]
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                tensors += [sparse.values, sparse.indices]
    if graph.sparse_initializer or any(
        tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors
    ):
        raise BadInput(
            f"'{name}' keeps its values in other files, which are not read.",
            "Save it as one file: onnx.save(onnx.load('model.onnx'), 'whole.onnx'), "
            "or export it with external_data=False.",
        )
    foreign = sorted({_plain(node.domain) for node in graph.node if node.domain not in ("", "ai.onnx")})
    if model.functions or model.training_info or foreign:
        what = f"operations of {', '.join(foreign)}" if foreign else "functions of its own"
        raise BadInput(f"'{name}' uses {what}; only ONNX's standard operations are read.", _EXPORT)
    for domain in [one for one in model.opset_import if one.domain not in ("", "ai.onnx")]:
        model.opset_import.remove(domain)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise BadInput(f"'{name}' is not a valid ONNX graph ({_short(error)}).", "Export it again.") from error
    return model


def _input(model: Any, stated: Stated) -> tuple[int, int | None]:
    """Channels and side (None where the file leaves it open) of its one input (B, C, H, W)."""
    shape = model.graph.input[0].type.tensor_type.shape.dim
    channels, height, width = (dim.dim_value or None for dim in shape[1:])
    return channels or 3, square(height, width, stated.size) or stated.size


# ---- trimming it to the features -------------------------------------------------------------------------------------


def _trimmed(model: Any) -> tuple[Any, list[str]]:
    """The graph from its picture to its features, under names of ours, for any number of pictures at once."""
    import onnx

    graph = model.graph
    _settle_constants(graph)
    constants = {tensor.name for tensor in graph.initializer}
    given = [value for value in graph.input if value.name not in constants]
    _check_input(given)
    feature, notes = _feature(model, constants)
    if len(graph.output) > 1:
        notes.append(f"It has {len(graph.output)} outputs; the first is used.")
    makes = {name: node for node in graph.node for name in node.output}
    wanted, kept = [feature], set()
    while wanted:
        name = wanted.pop()
        if name in makes and makes[name].output[0] not in kept:
            kept.add(makes[name].output[0])
            wanted += makes[name].input
    nodes = [node for node in graph.node if node.output[0] in kept]
    if not nodes or not any(given[0].name in node.input for node in nodes):
        raise BadInput("No step of this network leads from the picture to its output.", _EXPORT)
    new = onnx.GraphProto(name="network")
    names = {"": "", given[0].name: "picture"}
    used = {name for node in nodes for name in node.input}
    for tensor in graph.initializer:
        if tensor.name in used:
            names[tensor.name] = f"w{len(names)}"
            copy = new.initializer.add()
            copy.CopyFrom(tensor)
            copy.name, copy.doc_string = names[tensor.name], ""
    _add_input(new, given[0], nodes, names)
    for node in nodes:
        copy = new.node.add()
        copy.CopyFrom(node)
        for name in node.output:
            names.setdefault(name, f"v{len(names)}")
        del copy.input[:], copy.output[:]
        copy.input.extend(names[name] for name in node.input)
        copy.output.extend(names[name] for name in node.output)
    new.output.add(name=names[feature]).type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    if given[0].type.tensor_type.shape.dim[0].dim_value:
        _free_the_batch(new)
    whole = onnx.helper.make_model(new, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    output = onnx.shape_inference.infer_shapes(whole).graph.output[0]
    if not output.type.tensor_type.HasField("shape"):
        raise BadInput("This network seems to be made for one picture at a time.", _EXPORT)
    whole.graph.output[0].CopyFrom(output)
    return _looked_through(_in_known_words(whole), "the trimmed network"), notes


def _in_known_words(model: Any) -> Any:
    """The same graph in the latest version of ONNX that onnx2torch knows whole, where it can be said in it."""
    import onnx

    if all(one.version <= _OPSET for one in model.opset_import):
        return model
    for node in model.graph.node:
        if node.op_type.startswith("Reduce") and len(node.input) > 1:  # says nothing beside axes, and is not taken back
            for attribute in [one for one in node.attribute if one.name == "noop_with_empty_axes"]:
                node.attribute.remove(attribute)
    try:
        return onnx.version_converter.convert_version(model, _OPSET)
    except (RuntimeError, ValueError, onnx.version_converter.ConvertError):
        return model  # onnx2torch may know the steps all the same, or says which it does not know


def _settle_constants(graph: Any) -> None:
    """Constants written as steps, and copies of constants, become constants: the conversion looks for weights there."""
    kept, known = [], {tensor.name: tensor for tensor in graph.initializer}
    renamed: dict[str, str] = {}
    for node in graph.node:
        values = [attribute.t for attribute in node.attribute if attribute.name == "value"]
        if node.op_type == "Constant" and values:
            tensor = graph.initializer.add()
            tensor.CopyFrom(values[0])
            tensor.name = node.output[0]
            known[tensor.name] = tensor
        elif node.op_type == "Identity" and renamed.get(node.input[0], node.input[0]) in known:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    outputs = {value.name for value in graph.output}
    if outputs & renamed.keys():
        raise BadInput("The output of this network is a constant.", _EXPORT)
    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    nodes = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)


def _check_input(given: list[Any]) -> None:
    import onnx

    if len(given) != 1:
        raise BadInput(f"This network has {len(given)} inputs; it should have one, the picture.", _EXPORT)
    kind = given[0].type.tensor_type
    shape = kind.shape.dim
    if kind.elem_type != onnx.TensorProto.FLOAT or len(shape) != 4:
        raise BadInput(
            "The input of this network is not one picture as float32 of four dimensions (cases, channels, height, "
            "width).",
            _EXPORT,
        )
    if shape[1].dim_value not in (0, 1, 3) and shape[3].dim_value not in (1, 3):
        raise BadInput(
            f"This network is shown {shape[1].dim_value} channels; pictures here have 1 (grey) or 3 (colour).",
            "Bring a network for grey or colour pictures.",
        )


def _add_input(new: Any, given: Any, nodes: Iterable[Any], names: dict[str, str]) -> None:
    """The picture as (B, C, H, W); a network that takes (B, H, W, C), as TensorFlow's do, gets it turned first."""
    import onnx

    shape = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
    last = shape[1] not in (1, 3) and shape[3] in (1, 3)
    if last:
        new.node.add(
            op_type="Transpose", input=["picture"], output=["turned"],
            attribute=[onnx.helper.make_attribute("perm", [0, 2, 3, 1])],
        )  # fmt: skip
        names[given.name] = "turned"
        shape = [shape[0], shape[3], shape[1], shape[2]]
    sides = [known or name for known, name in zip(shape[1:], ("channels", "height", "width"), strict=True)]
    new.input.append(onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["cases", *sides]))


def _free_the_batch(graph: Any) -> None:
    """A network exported for one picture: where it reshapes to "1, …", it takes the number of pictures instead."""
    import onnx

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes and tensor.data_type == onnx.TensorProto.INT64:
            values = onnx.numpy_helper.to_array(tensor).copy()
            if values.ndim == 1 and len(values) > 1 and values[0] == 1:
                values[0] = 0  # "as it comes in", unless the step says that 0 means 0
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for node in graph.node:
        for attribute in [one for one in node.attribute if node.op_type == "Reshape" and one.name == "allowzero"]:
            node.attribute.remove(attribute)


def _feature(model: Any, constants: set[str]) -> tuple[str, list[str]]:
    """The name of the tensor that goes into the classifier, or of the output where there is none."""
    graph = model.graph
    makes = {name: node for node in graph.node for name in node.output}
    ranks = _ranks(model)
    name = graph.output[0].name
    while (node := makes.get(name)) is not None:
        given = [one for one in node.input if one and one not in constants]
        if node.op_type in ("Gemm", "MatMul") and node.input[1] in constants and ranks.get(node.input[0], 2) == 2:
            classes = _width(graph, node)
            said = f" of {classes} outputs" if classes else ""
            return node.input[0], [f"Its own last layer{said} was left out; yours takes its place."]
        if node.op_type not in _AFTER or len(given) != 1:
            break
        name = given[0]
    return graph.output[0].name, ["It has no last layer for classes: its output is taken as its features."]


def _ranks(model: Any) -> dict[str, int]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in inferred.graph.value_info
        if value.type.tensor_type.HasField("shape")
    }


def _width(graph: Any, node: Any) -> int:
    weight = next(tensor for tensor in graph.initializer if tensor.name == node.input[1])
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return int(weight.dims[0 if turned else -1]) if weight.dims else 0


# ---- the graph without its values, as it is kept ---------------------------------------------------------------------


def _without_values(model: Any) -> Any:
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for tensor in bare.graph.initializer:
        size = int(np.prod(tensor.dims, dtype=np.int64))
        if tensor.data_type == onnx.TensorProto.FLOAT and size >= _EMPTIED_FROM:
            name, dims = tensor.name, list(tensor.dims)
            tensor.Clear()
            tensor.name, tensor.data_type, tensor.doc_string = name, onnx.TensorProto.FLOAT, _WITHOUT_VALUES
            tensor.dims.extend(dims)
    return bare


def _filled(content: bytes) -> bytes:
    """The graph as kept, zeros where its values were taken out."""
    model = _parsed(content, "model.onnx")
    room = limits.FILE_BYTES
    for tensor in model.graph.initializer:
        if tensor.doc_string == _WITHOUT_VALUES:
            size = 4 * int(np.prod([int(side) for side in tensor.dims], dtype=object))
            room -= size
            if size < 0 or room < 0:
                raise BadInput("The architecture of this source is damaged.", "Add the source again.")
            tensor.raw_data = bytes(size)
    return bytes(model.SerializeToString())


# ---- conversion ------------------------------------------------------------------------------------------------------


class _Constant(nn.Module):
    """A tensor of the graph that no layer holds: a weight that learns, or a number that stays."""

    def __init__(self, value: Tensor, used_by: set[str]) -> None:
        super().__init__()
        self.used_by = used_by
        if value.is_floating_point() and value.numel() > 1 and used_by & _WEIGHING:
            self.value: Tensor = nn.Parameter(value)
        else:
            self.register_buffer("value", value)

    def forward(self) -> Tensor:
        return self.value

    def start_over(self) -> None:
        """Random again: scales one, offsets zero, everything else small."""
        if not isinstance(self.value, nn.Parameter):
            return
        vector = self.value.numel() == max(self.value.shape)
        if vector and "Mul" in self.used_by:
            nn.init.ones_(self.value)
        elif vector and "Add" in self.used_by:
            nn.init.zeros_(self.value)
        else:
            width = self.value.shape[-2] if self.value.dim() > 1 else len(self.value)
            nn.init.trunc_normal_(self.value, std=min(0.02, max(1, width) ** -0.5))


def _under_our_names(model: Any) -> None:
    """Every name in the graph, in place, by its position: the graph as brought and as kept get the same ones, so that
    the state's keys are the same. The kind of a step is one of ONNX's own, as its checker has seen."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    names = {"": ""}

    def ours(name: str) -> str:
        return names.setdefault(name, f"v{len(names)}")

    for number, value in enumerate(value for value in graph.input if value.name not in constants):
        names[value.name] = f"picture{number or ''}"
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name, value.doc_string = ours(value.name), value.doc_string * (value.doc_string == _WITHOUT_VALUES)
    for number, node in enumerate(graph.node):
        kind = node.op_type if node.op_type.isascii() and node.op_type.isidentifier() else "Step"
        node.name, node.domain, node.doc_string = f"n{number}_{kind}", "", ""
        given, made = [ours(name) for name in node.input], [ours(name) for name in node.output]
        del node.input[:], node.output[:]
        node.input.extend(given)
        node.output.extend(made)
    for one in model.opset_import:
        one.domain = ""
    graph.name, graph.doc_string = "network", ""
    del graph.value_info[:], graph.quantization_annotation[:]


def _converted(model: Any) -> fx.GraphModule:
    """`model`, under names of ours from here on, as torch's modules in a row."""
    import onnx2torch

    _under_our_names(model)
    try:
        module = onnx2torch.convert(model)
    except NotImplementedError as error:
        needed = sorted({node.op_type for node in model.graph.node})
        missing = [name for name in needed if f"'{name}'" in str(error) or f"={name!r}" in str(error)]
        raise BadInput(
            f"This network uses a step that onnx2torch cannot convert ({', '.join(missing) or _short(error)}).",
            "Export it again with opset 17, or bring its weights as .safetensors for a named network.",
        ) from error
    except MedtlError:
        raise
    except Exception as error:  # a converter fails on odd graphs in its own ways; nothing is made
        raise BadInput(f"onnx2torch cannot convert this network ({_short(error)}).", _EXPORT) from error
    graph = module.graph
    for number, node in enumerate([node for node in graph.nodes if node.op == "get_attr"]):
        owner, _, name = str(node.target).rpartition(".")
        value = getattr(module.get_submodule(owner), name)
        users = {str(user.target).partition("_")[2] for user in node.users if user.op == "call_module"}
        module.add_module(f"c{number}", _Constant(value.detach().clone(), users))
        with graph.inserting_before(node):
            held = graph.call_module(f"c{number}")
        node.replace_all_uses_with(held)
        graph.erase_node(node)
    module.delete_all_unused_submodules()
    graph.lint()
    module.recompile()
    return module.eval()


def _network(module: fx.GraphModule, spec: InputSpec, classes: int) -> Network:
    """Cut where one tensor crosses; the state's keys are the names of the steps, wherever the cuts are."""
    shapes = _shapes(module, spec)
    steps = [node for node in module.graph.nodes if node.op not in ("placeholder", "output") and node.args]
    steps += [n for n in module.graph.nodes if n.op == "call_module" and not n.args and n.kwargs]
    order = {node: i for i, node in enumerate(module.graph.nodes)}
    steps.sort(key=order.__getitem__)
    place = {node: i for i, node in enumerate(steps)}
    cuts = [
        i
        for i in crossings([{place[n] for n in node.all_input_nodes if n in place} for node in steps])
        if steps[i] in shapes and not _needs_picture(steps[i + 1 :])
    ]
    if not cuts or cuts[-1] != len(steps) - 1:
        raise BadInput("The output of this network is not one tensor.", _EXPORT)
    pieces = [steps[a:b] for a, b in zip([0, *(c + 1 for c in cuts)], [c + 1 for c in cuts], strict=False)]
    weights = [sum(p.numel() for n in piece for p in _parameters(module, n)) for piece in pieces]
    stages, given = [], next(node for node in module.graph.nodes if node.op == "placeholder")
    for number, group in enumerate(into_stages(weights), start=1):
        nodes = [node for i in group for node in pieces[i]]
        stages.append(Stage(f"part {number}", [_part(module, nodes, given)]))
        given = nodes[-1]
    trunk = nn.Module()
    for name, child in module.named_children():
        trunk.add_module(name, child)
    pool, width = _pool(shapes[given])
    layer, reshape = _map(module, [steps[i] for i in cuts], steps, shapes)
    return Network(trunk, stages, pool, width, classes, layer, reshape).eval()


def _needs_picture(later: list[fx.Node]) -> bool:
    return any(one.op == "placeholder" for node in later for one in node.all_input_nodes)


def _parameters(module: fx.GraphModule, node: fx.Node) -> list[nn.Parameter]:
    """Those of the step itself and of the constants only it takes."""
    own = [node, *(one for one in node.all_input_nodes if one.op == "call_module" and not one.all_input_nodes)]
    return [p for one in own if one.op == "call_module" for p in module.get_submodule(str(one.target)).parameters()]


def _part(module: fx.GraphModule, nodes: list[fx.Node], given: fx.Node) -> fx.GraphModule:
    """A module of some steps in a row; it shares the modules of the whole."""
    graph = fx.Graph()
    values = {given: graph.placeholder("x")}
    for node in nodes:
        for taken in node.all_input_nodes:
            if taken not in values:  # a constant; fetched where it is needed
                values[taken] = graph.node_copy(taken)
        values[node] = graph.node_copy(node, values.__getitem__)
    graph.output(values[nodes[-1]])
    return fx.GraphModule(module, graph)


class _Shapes(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.found[n] = tuple(result.shape)
        return result


def _shapes(module: fx.GraphModule, spec: InputSpec) -> Mapping[fx.Node, tuple[int, ...]]:
    """The shape every step gives for two pictures; steps that give several tensors are not among them."""
    shapes = _Shapes(module)
    with torch.no_grad():
        shapes.run(torch.zeros(2, spec.channels, spec.size, spec.size))
    return shapes.found


class _Tokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, D)."""
        return x.mean(1)


def _pool(shape: tuple[int, ...]) -> tuple[list[nn.Module], int]:
    pools: dict[int, tuple[list[nn.Module], int]] = {
        2: ([], shape[-1]),
        3: ([_Tokens()], shape[-1]),
        4: ([nn.AdaptiveAvgPool2d(1), nn.Flatten(1)], shape[1] if len(shape) > 1 else 0),
    }
    if len(shape) not in pools or shape[0] != 2:
        raise BadInput(f"The output of this network has the shape {shape} for two pictures.", _EXPORT)
    pool, width = pools[len(shape)]
    if width > limits.FEATURES:
        raise BadInput(
            f"This network says {width:,} numbers of a picture; {limits.FEATURES:,} are the limit.",
            "Export it up to its pooling layer.",
        )
    return pool, width


def _map(
    module: fx.GraphModule, cuts: list[fx.Node], steps: list[fx.Node], shapes: Mapping[fx.Node, tuple[int, ...]]
) -> tuple[nn.Module | None, Any]:
    """The last picture-like map: (B, C, h, w), or in a transformer the tokens that go into its last attention."""
    attentions = [i for i, node in enumerate(steps) if "Softmax" in str(node.target)]
    last_attention = max(attentions, default=-1)
    for node in reversed(cuts):
        shape = shapes[node]
        if node.op != "call_module":
            continue
        if len(shape) == 4 and shape[2] > 1 and shape[3] > 1:
            return module.get_submodule(str(node.target)), None
        if len(shape) == 3 and steps.index(node) < last_attention and (side := _side(shape[1])):
            return module.get_submodule(str(node.target)), _Grid(side)
    return None, None


def _side(tokens: int) -> int:
    """Cells a side of a square of so many tokens, with or without a class token; 0 where it is no square."""
    return next((int(n**0.5) for n in (tokens, tokens - 1) if n > 3 and int(n**0.5) ** 2 == n), 0)


class _Grid:
    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, tokens: Tensor) -> Tensor:
        """(B, N, D), N tokens of which the last are the cells -> (B, D, h, w)."""
        cells = tokens[:, -(self.side**2) :]
        return cells.transpose(1, 2).reshape(len(tokens), -1, self.side, self.side)


# ---- holding it against ONNX Runtime ---------------------------------------------------------------------------------


def _difference(network: Network, model: Any, spec: InputSpec) -> float:
    """The largest difference of the features of two random pictures, as a share of the largest value."""
    import onnxruntime

    x = np.random.default_rng(0).standard_normal((2, spec.channels, spec.size, spec.size), dtype=np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 2  # more would spin away the time one file has on all cores together
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"picture": x})
    theirs = {2: theirs, 3: theirs.mean(1) if theirs.ndim == 3 else theirs}.get(
        theirs.ndim, theirs.mean((2, 3)) if theirs.ndim == 4 else theirs
    )
    with torch.no_grad():
        ours = network.features(torch.from_numpy(x)).numpy()
    return largest_difference(ours, theirs)


def _plain(text: str) -> str:
    """A name from the file, for a sentence: no more than 60 printable characters."""
    return "".join(c for c in text if c.isprintable())[:60]


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {_plain_line(lines[0])}" if lines else type(error).__name__


def _plain_line(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:160]
