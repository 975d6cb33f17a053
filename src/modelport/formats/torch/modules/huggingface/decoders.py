"""GPT-2 and the family of Llama.  Source: transformers/models/{gpt2,llama,mistral,qwen2}, modeling_rope_utils.py."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from .....errors import Unsupported, printable
from .....ir.graph import constant
from ...machine import Box
from ..run import Run
from .common import F32, Config, Weights, act, architecture, attend, causal, heads, ids, layer_norm, linear


def _names(c: Config) -> list[str]:
    return ["input_ids", "attention_mask"]


@architecture("gpt2", names=_names, inputs=lambda c: ids(2))
def gpt2(run: Run, c: Config, w: Weights, input_ids: Any, attention_mask: Any) -> Any:
    c.only(scale_attn_by_inverse_layer_idx=False, reorder_and_upcast_attn=False, add_cross_attention=False)
    root = w("transformer") if w.has("transformer") else w
    x = run.call("embedding", root("wte")["weight"], input_ids)
    x = run.call("add", x, run.call("slice", root("wpe")["weight"], 0, 0, run.size(input_ids, 1), 1))
    bias = causal(run, attention_mask, input_ids)
    scale = (c.n_embd // c.n_head) ** -0.5 if c.get("scale_attn_weights", True) else 1.0
    for n in range(c.n_layer):
        layer = root(f"h.{n}")
        y = _conv(run, layer("attn.c_attn"), layer_norm(run, layer("ln_1"), x, c.layer_norm_epsilon))
        q, k, v = (heads(run, part, c.n_head) for part in run.call("chunk", y, 3, 2))
        x = run.call("add", _conv(run, layer("attn.c_proj"), attend(run, q, k, v, scale, bias)), x)
        y = _conv(run, layer("mlp.c_fc"), layer_norm(run, layer("ln_2"), x, c.layer_norm_epsilon))
        x = run.call("add", x, _conv(run, layer("mlp.c_proj"), act(run, c.activation_function, y)))
    x = layer_norm(run, root("ln_f"), x, c.layer_norm_epsilon)
    return _language(run, c, w, x, root("wte")["weight"], ("GPT2Model", "GPT2LMHeadModel"))


def _conv(run: Run, w: Weights, x: Any) -> Any:
    """Conv1D of GPT-2: a product whose weight is not transposed."""
    run.label = w.name
    return run.call("add", run.call("matmul", x, w["weight"]), w["bias"])


def _language(run: Run, c: Config, w: Weights, x: Any, table: Box, classes: tuple[str, str]) -> Any:
    if c.cls in ("", classes[0]):
        w.ignore("lm_head.")
        return {"last_hidden_state": x}
    if c.cls != classes[1]:
        raise Unsupported(f"the class {printable(c.cls, 60)}")
    head = w("lm_head")
    return {"logits": run.call("linear", x, head.get("weight", table))}


@architecture("llama", "mistral", "qwen2", names=_names, inputs=lambda c: ids(2))
def llama(run: Run, c: Config, w: Weights, input_ids: Any, attention_mask: Any) -> Any:
    if c.get("sliding_window") is not None and c.get("use_sliding_window", c.type == "mistral"):
        raise Unsupported("attention within a window (sliding_window)")
    if set(c.get("layer_types", ())) - {"full_attention"}:
        raise Unsupported("layers with attention of several kinds (layer_types)")
    root = w("model") if w.has("model") else w
    table = root("embed_tokens")["weight"]
    x = run.call("embedding", table, input_ids)
    count, shared = c.num_attention_heads, c.get("num_key_value_heads", c.num_attention_heads)
    width = c.get("head_dim", c.hidden_size // count)
    cos, sin = _rotations(run, c, input_ids, width)
    bias = causal(run, attention_mask, input_ids)
    for n in range(c.num_hidden_layers):
        layer = root(f"layers.{n}")
        own = layer("self_attn")
        y = _rms(run, layer("input_layernorm"), x, c.rms_norm_eps)
        q = _turned(run, heads(run, linear(run, own("q_proj"), y), count), cos, sin)
        k = _turned(run, heads(run, linear(run, own("k_proj"), y), shared), cos, sin)
        v = heads(run, linear(run, own("v_proj"), y), shared)
        if count != shared:
            k, v = (run.call("repeat_interleave", t, count // shared, 1) for t in (k, v))
        x = run.call("add", x, linear(run, own("o_proj"), attend(run, q, k, v, width ** -0.5, bias)))
        y = _rms(run, layer("post_attention_layernorm"), x, c.rms_norm_eps)
        gate = act(run, c.hidden_act, linear(run, layer("mlp.gate_proj"), y))
        y = linear(run, layer("mlp.down_proj"), run.call("mul", gate, linear(run, layer("mlp.up_proj"), y)))
        x = run.call("add", x, y)
    x = _rms(run, root("norm"), x, c.rms_norm_eps)
    stem = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2"}[c.type]
    return _language(run, c, w, x, table, (f"{stem}Model", f"{stem}ForCausalLM"))


def _rms(run: Run, w: Weights, x: Any, eps: float) -> Any:
    run.label = w.name
    mean = run.call("mean", run.call("mul", x, x), [-1], True)
    return run.call("mul", w["weight"], run.call("mul", x, run.call("rsqrt", run.call("add", mean, eps))))


def _rotations(run: Run, c: Config, input_ids: Any, width: int) -> tuple[Any, Any]:
    """Cosines and sines of [sequence, width]."""
    said = c.get("rope_parameters") or c.get("rope_scaling") or {}
    base = float(said.get("rope_theta") or c.get("rope_theta", 10000.0))
    if said.get("partial_rotary_factor", c.get("partial_rotary_factor", 1.0)) != 1.0:
        raise Unsupported("rotary embeddings of a part of each head")
    frequencies = 1.0 / base ** (np.arange(0, width, 2, dtype=np.float32) / np.float32(width))
    kind = said.get("rope_type", said.get("type", "default"))
    if kind == "linear":
        frequencies = frequencies / said["factor"]
    elif kind == "llama3":
        frequencies = _llama3(frequencies, said)
    elif kind != "default":
        raise Unsupported(f"rotary embeddings of the kind {printable(kind, 40)}")
    places = run.call("to", run.call("arange", run.size(input_ids, 1)), F32)
    row = Box(constant(frequencies.astype(np.float32)[None]))
    angles = run.call("mul", run.call("unsqueeze", places, 1), row)
    angles = run.call("cat", [angles, angles], 1)
    return run.call("cos", angles), run.call("sin", angles)


def _llama3(frequencies: np.ndarray[Any, Any], said: Any) -> Any:
    """Low frequencies are divided by a factor, high ones kept, those between mixed."""
    factor, low, high = said["factor"], said["low_freq_factor"], said["high_freq_factor"]
    old = said["original_max_position_embeddings"]
    lengths = 2 * math.pi / frequencies
    smooth = (old / lengths - low) / (high - low)
    mixed = (1 - smooth) * frequencies / factor + smooth * frequencies
    return np.where(lengths > old / low, frequencies / factor, np.where(lengths < old / high, frequencies, mixed))


def _turned(run: Run, x: Any, cos: Any, sin: Any) -> Any:
    a, b = run.call("chunk", x, 2, 3)
    half = run.call("cat", [run.call("neg", b), a], 3)
    return run.call("add", run.call("mul", x, cos), run.call("mul", half, sin))
