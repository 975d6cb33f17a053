"""The raw graph of a model: a node for each call of a layer, nested models inlined, weights as inputs.

A node's operator is the class of the layer (``Conv2D``), or ``ops.NAME`` for an operation; its inputs are the tensors
of the call, then the weights.  Wrappers (:mod:`.wrappers`) and masks (:mod:`.masks`) are said in further nodes."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...codecs.limits import Limits
from ...errors import CorruptFile, UnsafeModel, Unsupported, UnsupportedModel, printable
from ...ir.graph import Graph, Node, Value, constant
from ...ir.types import STRING, Dim, DType, Type
from ...notes import Note
from . import keras1, layers, masks, operations, wrappers
from .config import NONE_COUNTS, Call, Layer, Net, Ref, attributes, compute_dtype, inner, lambda_layer, net, snake
from .weights import Scope

F32 = Type(np.dtype(np.float32))
_STATIC = frozenset({"training", "use_causal_mask", "return_attention_scores", "reverse"})
"""Arguments of calls that are no tensors."""


def _holds_values(x: Any) -> bool:
    return isinstance(x, Value) or (isinstance(x, list) and any(_holds_values(y) for y in x))


class Reader:
    """Builds the raw graph of one model."""

    def __init__(self, limits: Limits, version: str, backend: str = "tensorflow", state: bool = False) -> None:
        self.limits, self.version, self.backend, self.explicit = limits, version, backend, state
        self.major = int(version.partition(".")[0]) if version.partition(".")[0].isdigit() else 1
        self.legacy = self.major < 3
        self.masks: dict[Value, Value] = {}
        self.problems: list[Unsupported] = []
        self.states: dict[str, Value] = {}
        self.next_states: dict[str, Value] = {}
        self.count = 0
        self.assets: Mapping[str, Callable[[], bytes]] = {}

    def model(self, kind: str, config: Any, scope: Scope) -> Graph:
        """The whole model.  Raises :class:`UnsupportedModel` with all layers that can't be read."""
        found = net(kind, config, self.limits)
        if self.major < 2:
            keras1.modernize(found)
        inputs: dict[str, Value] = {}
        for ref in found.inputs:
            layer = found.layers.get(ref.layer)
            if layer is None or layer.kind != "InputLayer":
                raise CorruptFile(f"the input '{printable(ref.layer)}' of the model is no input layer")
            inputs[layer.name] = Value(self._input_type(layer), layer.name)
        outs = self.run(found, list(inputs.values()), scope, "")
        if self.problems:
            raise UnsupportedModel(self.problems, "ONNX operators")
        outputs: dict[str, Value] = {}
        for ref, v in zip(found.outputs, outs, strict=True):
            name, k = ref.layer, 0
            while name in outputs or name in inputs:  # as Keras numbers outputs of one layer
                k += 1
                name = f"{ref.layer}_{k}"
            outputs[name] = v
        notes = []
        if self.next_states:
            if self.explicit:
                inputs.update(self.states)
                outputs.update(self.next_states)
                text = f"{len(self.states)} states are inputs state:<name> and outputs state:<name>:next"
            else:
                text = f"{len(self.next_states)} states start from zero in each run, as after reset_states()"
            notes.append(Note("changed", text))
        meta = {"keras:version": self.version}
        return Graph(inputs, outputs, found.name or "main", meta, tuple(notes))

    def _input_type(self, layer: Layer) -> Type:
        c = layer.config
        shape = c.get("batch_shape", c.get("batch_input_shape"))
        if c.get("ragged") or c.get("sparse"):
            raise UnsupportedModel([layer.problem(f"a {'ragged' if c.get('ragged') else 'sparse'} input")],
                                   "ONNX operators")
        if not isinstance(shape, list):
            raise UnsupportedModel([layer.problem("the model was saved before it knew the shape of its input")],
                                   "ONNX operators", hint="call the model once, or build it, before it is saved")
        self.limits.check("rank", len(shape))
        dims: list[Dim] = []
        for axis, d in enumerate(shape):
            if d is not None and (not isinstance(d, int) or isinstance(d, bool) or d < 0):
                raise CorruptFile(f"the input '{printable(layer.name)}' has the size {printable(d)}")
            dims.append(d if d is not None else "batch" if axis == 0 else f"{layer.name}_{axis}")
        name = compute_dtype(c)[0]
        return Type(self.dtype(name, layer), tuple(dims))

    def dtype(self, name: str, layer: Layer) -> DType:
        """An element type by Keras's name."""
        if name == "string":
            return STRING
        try:
            import ml_dtypes
            found = np.dtype(getattr(ml_dtypes, name)) if name == "bfloat16" else np.dtype(name)
        except (TypeError, ValueError, AttributeError):
            raise CorruptFile(f"there is no element type '{printable(name)}'") from None
        if found.kind not in "fiubV":
            raise UnsupportedModel([layer.problem(f"the element type {printable(name)}")], "ONNX operators")
        return found

    # -- nets

    def run(self, found: Net, given: Sequence[Value], scope: Scope, prefix: str) -> list[Value]:
        """The outputs of a net for its inputs.  Layers are called when somebody needs them."""
        if len(given) != len(found.inputs):
            raise CorruptFile(f"the model '{printable(found.name)}' is called with {len(given)} inputs and has "
                              f"{len(found.inputs)}")
        done: dict[tuple[str, int], list[Value]] = {}
        for ref, v in zip(found.inputs, given, strict=True):
            done[ref.layer, ref.call] = [v]
        paths, used = {}, dict[str, int]()
        for layer in found.layers.values():
            key = snake(layer.kind.rpartition(">")[2])
            used[key] = k = used.get(key, -1) + 1
            paths[layer.name] = f"{key}_{k}" if k else key
        outputs: dict[tuple[str, int], int] = {}
        for ref in [r for layer in found.layers.values() for c in layer.calls for r in c.refs()] + found.outputs:
            outputs[ref.layer, ref.call] = max(outputs.get((ref.layer, ref.call), 0), ref.output)
        for out in found.outputs:
            stack, opened = [(out.layer, out.call)], set[tuple[str, int]]()
            while stack:
                key_ = stack[-1]
                if key_ in done:
                    stack.pop()
                    continue
                layer, call = self._find(found, key_)
                needs = [k for k in dict.fromkeys((r.layer, r.call) for r in call.refs()) if k not in done]
                if needs:
                    if key_ in opened:
                        raise CorruptFile(f"the layer '{printable(layer.name)}' needs its own output")
                    opened.add(key_)
                    stack += needs
                    continue
                stack.pop()
                self.limits.check("nodes", self._counted())
                below = scope.layer(layer.name, paths[layer.name], layer.net is not None)
                done[key_] = self._call(layer, call, done, below, prefix, outputs.get(key_, 0) + 1)
        return [self._output(done, r) for r in found.outputs]

    def _counted(self) -> int:
        self.count += 1
        return self.count

    def _find(self, found: Net, key: tuple[str, int]) -> tuple[Layer, Call]:
        layer = found.layers.get(key[0])
        if layer is None:
            raise CorruptFile(f"there is no layer '{printable(key[0])}'")
        if layer.kind == "InputLayer":
            raise CorruptFile(f"the input layer '{printable(layer.name)}' is no input of its model")
        if key[1] >= len(layer.calls):
            raise CorruptFile(f"call {key[1]} of the layer '{printable(layer.name)}' is not in the file")
        return layer, layer.calls[key[1]]

    def _output(self, done: Mapping[tuple[str, int], list[Value]], r: Ref) -> Value:
        made = done.get((r.layer, r.call))
        if made is None or r.output >= len(made):
            raise CorruptFile(f"output {r.output} of the layer '{printable(r.layer)}' is not there")
        return made[r.output]

    def _call(self, layer: Layer, call: Call, done: Mapping[tuple[str, int], list[Value]], scope: Scope, prefix: str,
              outputs: int) -> list[Value]:
        def solid(x: Any) -> Any:
            if isinstance(x, Ref):
                return self._output(done, x)
            if isinstance(x, list):
                return [solid(y) for y in x]
            if isinstance(x, dict):
                return {k: solid(y) for k, y in x.items()}
            return x
        try:
            return self.layer(layer, solid(call.args), solid(call.kwargs), scope, prefix, outputs)
        except Unsupported as e:
            e.node = e.node or Node(layer.kind, [], {}, [], name=prefix + layer.name, origin=prefix + layer.name)
            self.problems.append(e)
            return [Value(F32, layer.name) for _ in range(max(outputs, 8))]
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as e:
            raise CorruptFile(f"the layer '{printable(prefix + layer.name)}' has a configuration that makes no sense "
                              f"({type(e).__name__}: {printable(e, 80)})") from e

    # -- layers

    def layer(self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], scope: Scope, prefix: str,
              outputs: int = 1) -> list[Value]:
        """The outputs of one call of a layer."""
        kind = layers.OLD_NAMES.get(layer.kind, layer.kind)
        kwargs = {k: v for k, v in kwargs.items() if k != "name"}
        here = prefix + layer.name
        if kwargs.pop("training", None) is True and self.legacy:  # today's models say at every call what holds
            raise Unsupported("called as while training")
        if layer.net is not None:
            return self._nested(layer.net, args, kwargs, scope, here)
        if layer.kind in layers.CODE:
            if layer.kind == "Lambda":
                raise lambda_layer(here)
            raise UnsafeModel(f"the layer '{printable(here)}' is {layers.CODE[layer.kind]}, which is never run",
                              hint="save the model as a SavedModel (model.export) and convert that")
        if self._is_operation(layer):
            return self._operation(layer, args, kwargs, here, outputs)
        flat = [v for a in args for v in (a if isinstance(a, list) else [a])]
        if (wrapped := wrappers.WRAPPERS.get(kind)) is not None or kind in layers.RECURRENT:
            return (wrapped or wrappers.recurrent)(self, layer, flat, kwargs, scope, here)
        mask = kwargs.pop("mask", None)
        tensors = self._tensors(kind, flat, kwargs, mask, here)
        if kind in layers.IDENTITY or (kind == "Activation" and layer.config.get("activation") in (None, "linear")):
            return self._same(kind, layer, tensors[0], mask, here)
        attrs, after = self._attributes(layer, kind, kwargs)
        if kind in ("StringLookup", "IntegerLookup", "TextVectorization"):
            attrs.update(self._vocabulary(kind, layer.config, scope))
        n = 1
        if kind in layers.TENSORS and (attrs.get("return_attention_scores") or kwargs.get("return_attention_scores")):
            n = 2
        inputs = [*tensors, *self.weights(kind, layer.config, scope, here)]
        known = masks.merged(self, kind, [v for v in tensors if v is not None], attrs, here)
        outs = list(self.node(kind, inputs, attrs, here, max(n, 1))) if known is None else [known]
        outs[:1] = self.activated(outs[0], after, scope, here)
        masks.propagate(self, kind, layer.config, [v for v in tensors if v is not None], outs, mask,
                        bool(kwargs.get("reverse")))
        return outs

    def _is_operation(self, layer: Layer) -> bool:
        """Whether a node is a function; an .h5 of Keras 3 does not say so, but functions have nothing to train."""
        return ".ops" in layer.module or layer.kind in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer") or \
            not (self.legacy or layer.module or "trainable" in layer.config or layer.kind in layers.BARE)

    def _same(self, kind: str, layer: Layer, x: Value | None, mask: Any, here: str) -> list[Value]:
        """A layer that does nothing while inferring: a node that says so, in the type of its policy."""
        attrs: dict[str, Any] = {}
        self.common(attrs, layer.config)
        outs = list(self.node("Identity", [x], attrs, here))
        if x is not None:
            masks.propagate(self, kind, layer.config, [x], outs, mask)
        return outs

    def _nested(self, inside: Net, args: Sequence[Any], kwargs: dict[str, Any], scope: Scope, here: str) -> list[Value]:
        """A model as a layer: its layers, their names behind its own."""
        if self.major < 2:
            keras1.modernize(inside)
        mask = kwargs.pop("mask", None)
        given = [v for a in args for v in (a.values() if isinstance(a, dict) else a if isinstance(a, list) else [a])]
        if kwargs:
            raise Unsupported(f"a model called with '{printable(next(iter(kwargs)))}'")
        values = []
        for k, v in enumerate(given):
            if not isinstance(v, Value):
                raise Unsupported("a model called with a constant")
            one = mask[k] if isinstance(mask, list) and k < len(mask) else mask
            if isinstance(one, Value):
                self.masks[v] = one
            values.append(v)
        return self.run(inside, values, scope, f"{here}/")

    def _tensors(self, kind: str, flat: Sequence[Any], kwargs: dict[str, Any], mask: Any,
                 here: str) -> list[Value | None]:
        """The tensors of a call in the order of the rules, masks that come implicitly included."""
        names = layers.TENSORS.get(kind, "").split()
        if not names:
            if kind in layers.MERGES or not kwargs.keys() - _STATIC:
                return [self.value(v) for v in flat]
            raise Unsupported(f"called with '{printable(next(iter(kwargs)))}'")
        found = dict(zip(names, flat, strict=False))
        if names[0] == "query" and "Attention" in kind and len(flat) == 1 and isinstance(kwargs.get("inputs"), list):
            found = dict(zip(names, kwargs.pop("inputs"), strict=False))
        for name in names:
            if name in kwargs and name != "mask":
                found[name] = kwargs.pop(name)
        if mask is not None and kind in ("Attention", "AdditiveAttention"):
            for name, m in zip(("query_mask", "value_mask"), mask if isinstance(mask, list) else [mask], strict=False):
                found[name] = m
        elif mask is not None and "mask" in names:
            found["mask"] = mask
        for name in ("query", "key", "value"):  # implicit masks
            v = found.get(name)
            told = found.get(f"{name}_mask") is not None
            if kind == "MultiHeadAttention" and name == "query" and not self.legacy:
                told = False  # today's layer takes the mask that its query carries, whatever it is called with
            if f"{name}_mask" in names and not told and isinstance(v, Value):
                found[f"{name}_mask"] = self.masks.get(v)
        first = found.get(names[0])
        if "mask" in names and found.get("mask") is None and isinstance(first, Value):
            found["mask"] = self.masks.get(first)
        return [None if found.get(n) is None else self.value(found[n]) for n in names]

    def value(self, x: Any) -> Value:
        """An argument as a value; Python's numbers have the widest type, which gives way to the others'."""
        if isinstance(x, Value):
            return x
        if isinstance(x, str):
            return constant(np.array(x, object))
        try:
            return constant(np.asarray(x))
        except (TypeError, ValueError):
            raise Unsupported(f"an argument {printable(x, 60)} where a tensor is needed") from None

    def weights(self, kind: str, config: Mapping[str, Any], scope: Scope, here: str) -> list[Value | None]:
        """The weights in the order of the rules, ``None`` where the configuration says there is none."""
        slots = layers.slots(kind, config, compute_dtype(config)[1])
        spec = [(part, name) for part, name, there in slots if there]
        old = self.major < 2 or (self.legacy and self.backend == "theano")
        try:
            found = iter(keras1.weights(kind, config, scope, spec, here, self.backend, self.major) if old
                         else scope.take(spec, here))
        except CorruptFile:
            if compute_dtype(config)[1].partition("/")[0] in ("gptq", "awq"):
                raise Unsupported("the zeros of its groups are not in the file: Keras 3.15 does not save them, and "
                                  "cannot load the file itself") from None
            raise
        return [next(found) if there else None for _, _, there in slots]

    def _attributes(self, layer: Layer, kind: str, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """The attributes of a node, and the layer that is its activation, if it has one as an object."""
        attrs = attributes(layer.config)
        after = None
        if "activation" in attrs:
            attrs["activation"], after = self.activation(attrs["activation"], layer)
        if "recurrent_activation" in attrs:
            attrs["recurrent_activation"], more = self.activation(attrs["recurrent_activation"], layer)
            if more is not None:
                raise Unsupported("a layer as the recurrent activation")
        if layer.config.get("lora_rank"):
            attrs.pop("lora_rank", None)  # saved merged into the kernel
        for name in _STATIC & kwargs.keys():
            if kwargs[name]:
                attrs[name] = kwargs[name]
        if left := [k for k in kwargs if k not in _STATIC and kwargs[k] is not None]:
            raise Unsupported(f"called with '{printable(left[0])}'")
        self.common(attrs, layer.config)
        return attrs, after

    def _vocabulary(self, kind: str, config: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        """The words of a lookup, which are in a file of their own where they were adapted."""
        out: dict[str, Any] = {}
        path = getattr(scope, "path", "")
        words = self.assets.get(f"assets/{path}/vocabulary.txt")
        if not isinstance(config.get("vocabulary"), list):
            if words is None:
                raise Unsupported("its adapted vocabulary is not in the file (an .h5 does not keep it): "
                                  "save the model as .keras")
            text = words().decode("utf-8", "surrogateescape")
            lines = text.split("\n")
            out["vocabulary"] = [int(w) for w in lines] if kind == "IntegerLookup" else lines
            out["special_tokens"] = True  # the file has those in front that a configuration leaves out
        if config.get("output_mode") in ("tf_idf", "tf-idf") and not isinstance(config.get("idf_weights"), list):
            part = "_lookup_layer" if kind == "TextVectorization" else ""
            found = getattr(scope.part(part, "") if part else scope, "groups", ())
            weights = next((g.get(n) for g in found for n in ("vars/idf_weights", "vars/0") if g.get(n)), None)
            if weights is None:
                raise Unsupported("its inverse document frequencies are not in the file")
            out["idf_weights"] = weights.numpy().tolist()
        return out

    def common(self, attrs: dict[str, Any], config: Mapping[str, Any]) -> None:
        """What every node of a layer may have: another element type, quantization, the older generation."""
        dtype, quantized = compute_dtype(config)
        if dtype != "float32":
            attrs["compute_dtype"] = dtype
        if quantized:
            attrs["quantization"] = quantized

    def activation(self, what: Any, layer: Layer) -> tuple[str, Any]:
        """The name of an activation function, and the layer to call afterwards if it is one."""
        if isinstance(what, str):
            return what, None
        if isinstance(what, dict):
            kind, config = what.get("class_name"), what.get("config")
            if kind in ("function", "Function") or isinstance(config, str):
                return str(config), None
            if kind == "__lambda__":
                raise lambda_layer(layer.name)
            if isinstance(kind, str) and isinstance(config, dict):
                if not config or set(config) <= {"name", "dtype", "trainable"}:
                    bare = snake(kind)
                    if bare in ("softmax", "relu", "elu", "leaky_relu"):
                        return "linear", inner(what, self.limits)
                    return bare, None
                return "linear", inner(what, self.limits)
        if isinstance(what, list):
            raise lambda_layer(layer.name)
        raise CorruptFile(f"the activation of '{printable(layer.name)}' is no name")

    def activated(self, x: Value, after: Any, scope: Scope, here: str) -> list[Value]:
        if after is None:
            return [x]
        after.name = "activation"
        return self.layer(after, [x], {}, scope.part("activation", "activation"), f"{here}/")[:1]

    # -- operations

    def _operation(self, layer: Layer, args: Sequence[Any], kwargs: dict[str, Any], here: str,
                   outputs: int) -> list[Value]:
        attrs: dict[str, Any] = {}
        if layer.kind == "TensorFlowOpLayer":
            return self._tensorflow_node(layer, args, here)
        if layer.kind in ("TFOpLambda", "SlicingOpLambda"):
            function = str(layer.config.get("function")).removeprefix("compat.v1.").removeprefix("compat.v2.")
            signature = operations.of_tensorflow(function)
            if signature is None:
                raise Unsupported(f"the function tf.{printable(function)}")
        else:
            signature = operations.of_keras(snake(layer.kind))
            attrs = {k: v for k, v in layer.config.items() if k not in ("name", "trainable")
                     and (v is not None or k in NONE_COUNTS) and not (k == "dtype" and isinstance(v, dict))}
        try:
            tensors, more = signature.bind(args, kwargs)
        except ValueError as e:
            raise Unsupported(str(e)) from None
        if signature.op == "einsum" and tensors and isinstance(tensors[0], str):
            more["subscripts"], *tensors = tensors
        computed = [k for k, v in more.items() if _holds_values(v)]
        for k in computed:  # a shape that is computed is one more input
            if k not in ("newshape", "shape", "repeats") or len(computed) > 1:
                raise Unsupported(f"a computed '{printable(k)}'")
            tensors.append(self._packed(more.pop(k), here))
        inputs = [None if t is None else self.value(t) for t in tensors]
        n = outputs
        if signature.op in operations.PAIRS:
            n = max(outputs, 2)
        return list(self.node(f"ops.{signature.op}", inputs, {**attrs, **more}, here, n))

    def _packed(self, parts: Any, here: str) -> Value:
        """A list of numbers, some of them computed, as one value."""
        if isinstance(parts, Value):
            return parts
        return self.node("ops.pack", [self.value(p) for p in parts], {}, here)[0]

    def _tensorflow_node(self, layer: Layer, args: Sequence[Any], here: str) -> list[Value]:
        from .config import parse
        record = layer.config.get("node_def")
        if isinstance(record, str):
            record = parse(record, self.limits, "a TensorFlow node")
        if not isinstance(record, dict) or not isinstance(record.get("op"), str):
            raise Unsupported("an operator without a name")
        kind: str = record["op"]
        constants = layer.config.get("constants") or {}
        if kind in operations.RAW_ATTRIBUTES and len(constants) == 1:
            name, attribute = operations.RAW_ATTRIBUTES[kind]
            (value,) = constants.values()
            inputs = [v for a in args for v in (a if isinstance(a, list) else [a])]
            if int(next(iter(constants))) != len(inputs):
                raise Unsupported(f"the TensorFlow operator {kind} with a constant before its tensors")
            kept = (record.get("attr") or {}).get("keep_dims", {}).get("b", False)
            attrs = {attribute: value, **({"keepdims": True} if kept else {})}
            return list(self.node(f"ops.{name}", [self.value(v) for v in inputs], attrs, here))
        if kind not in operations.RAW:
            raise Unsupported(f"the TensorFlow operator {printable(kind)}")
        inputs = [v for a in args for v in (a if isinstance(a, list) else [a])]
        for at, v in sorted((int(k), v) for k, v in (layer.config.get("constants") or {}).items() if str(k).isdigit()):
            inputs.insert(at, np.asarray(v, np.float32) if not isinstance(v, (int, float)) else v)
        return list(self.node(f"ops.{operations.RAW[kind]}", [self.value(v) for v in inputs], {}, here))

    # -- nodes

    def node(self, kind: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any], name: str,
             outputs: int = 1) -> tuple[Value, ...]:
        """One raw node; its outputs."""
        ins = list(inputs)
        while ins and ins[-1] is None:
            ins.pop()
        if self.legacy:
            attrs = {**attrs, "legacy": self.major}
        names = [name if k == 0 else f"{name}:{k}" for k in range(outputs)]
        return Node(kind, ins, attrs, [F32] * outputs, names, name=name, origin=name).outputs

    def mask_of(self, v: Value, given: Any) -> Value | None:
        """The mask of a call: the one it names, or the one that its input has."""
        if isinstance(given, list):
            given = given[0] if given else None
        return given if isinstance(given, Value) else self.masks.get(v)
