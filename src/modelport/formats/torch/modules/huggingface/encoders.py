"""BERT, RoBERTa and DistilBERT.  Source: transformers/models/{bert,roberta,distilbert}."""
from __future__ import annotations

from typing import Any

from .....errors import Unsupported, printable
from ..run import Run
from .common import Config, Weights, act, architecture, attend, heads, ids, layer_norm, linear, padding


def _bert_names(c: Config) -> list[str]:
    return ["input_ids", "attention_mask", *(["token_type_ids"] if c.get("type_vocab_size", 0) > 1 else [])]


@architecture("bert", "roberta", "xlm-roberta", "camembert", names=_bert_names,
              inputs=lambda c: ids(len(_bert_names(c))))
def bert(run: Run, c: Config, w: Weights, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
    c.only(position_embedding_type="absolute", is_decoder=False, add_cross_attention=False)
    base = next((p for p in ("bert", "roberta") if w.has(p)), "")
    root = w(base) if base else w
    x = _bert_embeddings(run, c, root("embeddings"), input_ids, token_type_ids)
    bias = padding(run, attention_mask)
    for k in range(c.num_hidden_layers):
        x = _bert_layer(run, c, root(f"encoder.layer.{k}"), x, bias)
    head = c.cls.partition("For")[2]
    return _head(run, c, w, root, x, head)


def _bert_embeddings(run: Run, c: Config, w: Weights, input_ids: Any, kinds: Any) -> Any:
    x = run.call("embedding", w("word_embeddings")["weight"], input_ids)
    if c.type == "bert":
        places = run.call("slice", w("position_embeddings")["weight"], 0, 0, run.size(input_ids, 1), 1)
    else:  # counted from behind the number of the padding, over what is none
        pad = int(c.get("pad_token_id", 1))
        real = run.call("to", run.call("ne", input_ids, pad), input_ids.value.dtype)
        at = run.call("add", run.call("mul", run.call("cumsum", real, 1), real), pad)
        places = run.call("embedding", w("position_embeddings")["weight"], at)
    table = w("token_type_embeddings")["weight"]
    kind = run.call("embedding", table, kinds) if kinds is not None else run.call("select", table, 0, 0)
    x = run.call("add", run.call("add", x, kind), places)
    return layer_norm(run, w("LayerNorm"), x, c.layer_norm_eps)


def _bert_layer(run: Run, c: Config, w: Weights, x: Any, bias: Any) -> Any:
    own = w("attention.self")
    q, k, v = (heads(run, linear(run, own(n), x), c.num_attention_heads) for n in ("query", "key", "value"))
    y = attend(run, q, k, v, (c.hidden_size // c.num_attention_heads) ** -0.5, bias)
    out = w("attention.output")
    x = layer_norm(run, out("LayerNorm"), run.call("add", linear(run, out("dense"), y), x), c.layer_norm_eps)
    y = linear(run, w("output.dense"), act(run, c.hidden_act, linear(run, w("intermediate.dense"), x)))
    return layer_norm(run, w("output.LayerNorm"), run.call("add", y, x), c.layer_norm_eps)


def _head(run: Run, c: Config, w: Weights, root: Weights, x: Any, head: str) -> Any:
    roberta = c.type != "bert"
    if not head:
        out = {"last_hidden_state": x}
        if root.has("pooler"):
            out["pooler_output"] = _pooled(run, root, x)
        w.ignore("cls.", "lm_head.")
        return out
    if head == "MaskedLM":
        w.ignore(f"{root.name}.pooler.", "cls.seq_relationship.")
        table = root("embeddings.word_embeddings")["weight"]
        if roberta:
            h, dense, norm = w("lm_head"), "dense", "layer_norm"
            y = run.call("gelu", linear(run, h(dense), x))
        else:
            h, dense, norm = w("cls.predictions"), "transform.dense", "transform.LayerNorm"
            y = act(run, c.hidden_act, linear(run, h(dense), x))
        y = layer_norm(run, h(norm), y, c.layer_norm_eps)
        own = h("decoder")
        tied = "weight" not in own
        bias = h.get("bias")
        if "bias" in own:
            bias = own["bias"]
        return {"logits": run.call("linear", y, table if tied else own["weight"], bias)}
    if head == "SequenceClassification":
        if roberta:
            first = run.call("select", x, 1, 0)
            y = run.call("tanh", linear(run, w("classifier.dense"), first))
            return {"logits": linear(run, w("classifier.out_proj"), y)}
        return {"logits": linear(run, w("classifier"), _pooled(run, root, x))}
    w.ignore(f"{root.name}.pooler.")
    if head == "TokenClassification":
        return {"logits": linear(run, w("classifier"), x)}
    if head == "QuestionAnswering":
        return _answers(run, linear(run, w("qa_outputs"), x))
    raise Unsupported(f"the class {printable(c.cls, 60)}")


def _pooled(run: Run, root: Weights, x: Any) -> Any:
    return run.call("tanh", linear(run, root("pooler.dense"), run.call("select", x, 1, 0)))


def _answers(run: Run, y: Any) -> dict[str, Any]:
    return {"start_logits": run.call("select", y, 2, 0), "end_logits": run.call("select", y, 2, 1)}


@architecture("distilbert", names=lambda c: ["input_ids", "attention_mask"], inputs=lambda c: ids(2))
def distilbert(run: Run, c: Config, w: Weights, input_ids: Any, attention_mask: Any) -> Any:
    root = w("distilbert") if w.has("distilbert") else w
    e = root("embeddings")
    x = run.call("embedding", e("word_embeddings")["weight"], input_ids)
    x = run.call("add", x, run.call("slice", e("position_embeddings")["weight"], 0, 0, run.size(input_ids, 1), 1))
    x = layer_norm(run, e("LayerNorm"), x, 1e-12)
    bias = padding(run, attention_mask)
    for n in range(c.n_layers):
        layer = root(f"transformer.layer.{n}")
        own = layer("attention")
        q, k, v = (heads(run, linear(run, own(f"{s}_lin"), x), c.n_heads) for s in "qkv")
        y = linear(run, own("out_lin"), attend(run, q, k, v, (c.dim // c.n_heads) ** -0.5, bias))
        x = layer_norm(run, layer("sa_layer_norm"), run.call("add", y, x), 1e-12)
        y = linear(run, layer("ffn.lin2"), act(run, c.activation, linear(run, layer("ffn.lin1"), x)))
        x = layer_norm(run, layer("output_layer_norm"), run.call("add", y, x), 1e-12)
    head = c.cls.partition("For")[2]
    if not head:
        w.ignore("vocab_")
        return {"last_hidden_state": x}
    if head == "MaskedLM":
        y = layer_norm(run, w("vocab_layer_norm"), act(run, c.activation, linear(run, w("vocab_transform"), x)), 1e-12)
        own = w("vocab_projector")
        table = own["weight"] if "weight" in own else e("word_embeddings")["weight"]
        return {"logits": run.call("linear", y, table, own.get("bias"))}
    if head == "SequenceClassification":
        y = run.call("relu", linear(run, w("pre_classifier"), run.call("select", x, 1, 0)))
        return {"logits": linear(run, w("classifier"), y)}
    if head == "TokenClassification":
        return {"logits": linear(run, w("classifier"), x)}
    if head == "QuestionAnswering":
        return _answers(run, linear(run, w("qa_outputs"), x))
    raise Unsupported(f"the class {printable(c.cls, 60)}")
