"""torch.nn's recurrent layers.  Source: torch/nn/modules/rnn.py."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ..script.interpreter import Named
from .run import Run, forward
from .tree import Module


def _weights(m: Module) -> list[Any]:
    """The weights as ATen wants them: for each layer and direction those of the input and of the state, the biases of
    both, and the projection."""
    found = []
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if m.bias else []),
             *(["weight_hr"] if m.get("proj_size", 0) else [])]
    for layer in range(m.num_layers):
        for way in ("", "_reverse") if m.bidirectional else ("",):
            found += [getattr(m, f"{n}_l{layer}{way}") for n in names]
    return found


def initial(run: Run, m: Module, x: Any, width: int) -> Any:
    """Zeros of [layers * directions, batch, width]."""
    if isinstance(x, Named):
        batch, x = run.call("item", run.call("select", x[1], 0, 0)), x[0]
    else:
        batch = run.size(x, 0 if m.batch_first else 1)
    count = m.num_layers * (2 if m.bidirectional else 1)
    return run.call("new_zeros", x, [count, batch, width])


def _ordered(run: Run, states: Any, order: Any) -> Any:
    """A state or states, [layers * directions, batch, width], with the sequences in another order."""
    if isinstance(states, (list, tuple)):
        return [run.call("index_select", h, 1, order) for h in states]
    return run.call("index_select", states, 1, order)


@forward("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU")
def recurrent(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    kind = m.mode
    packed = x if isinstance(x, Named) else None
    alone = packed is None and run.rank(x) == 2
    if packed is not None and packed[2] is not None and hx is not None:
        hx = _ordered(run, hx, packed[2])
    if alone:
        x = run.call("unsqueeze", x, 0 if m.batch_first else 1)
        hx = None if hx is None else tuple(run.call("unsqueeze", h, 1) for h in hx) if kind == "LSTM" \
            else run.call("unsqueeze", hx, 1)
    if hx is None:
        own = m.get("proj_size", 0) or m.hidden_size
        hx = initial(run, m, x, own)
        if kind == "LSTM":
            hx = (hx, initial(run, m, x, m.hidden_size))
    names = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu"}
    if kind not in names:
        raise Unsupported(f"a recurrent layer of the kind {kind}", m.node)
    weights = [list(hx) if kind == "LSTM" else hx, _weights(m), m.bias, m.num_layers, 0.0, False, m.bidirectional]
    if packed is not None:
        made = run.machine.call(names[kind], [*packed[:2], *weights], {}, "data", run.label)
        last = made[1:] if packed[3] is None else _ordered(run, made[1:], packed[3])
        made = [Named(packed.fields, [made[0], *packed[1:]]), *last]
        return (made[0], (made[1], made[2])) if kind == "LSTM" else (made[0], made[1])
    made = run.machine.call(names[kind], [x, *weights, m.batch_first], {}, "input", run.label)
    if alone:
        made = [run.call("squeeze", made[0], 0 if m.batch_first else 1), *(run.call("squeeze", h, 1) for h in made[1:])]
    return (made[0], (made[1], made[2])) if kind == "LSTM" else (made[0], made[1])


@forward("torch.nn.LSTMCell")
def lstm_cell(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    if hx is None:
        zero = run.call("new_zeros", x, [*(run.size(x, k) for k in range(run.rank(x) - 1)), m.hidden_size])
        hx = (zero, zero)
    h, c = hx
    parts = run.call("chunk", _gates(run, m, x, h), 4, -1)
    i, f, o = (run.call("sigmoid", parts[k]) for k in (0, 1, 3))
    c = run.call("add", run.call("mul", f, c), run.call("mul", i, run.call("tanh", parts[2])))
    return run.call("mul", o, run.call("tanh", c)), c


@forward("torch.nn.GRUCell")
def gru_cell(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    h = hx if hx is not None else run.call(
        "new_zeros", x, [*(run.size(x, k) for k in range(run.rank(x) - 1)), m.hidden_size])
    a = run.call("chunk", run.call("linear", x, m.weight_ih, m.get("bias_ih")), 3, -1)
    b = run.call("chunk", run.call("linear", h, m.weight_hh, m.get("bias_hh")), 3, -1)
    r, z = (run.call("sigmoid", run.call("add", a[k], b[k])) for k in (0, 1))
    n = run.call("tanh", run.call("add", a[2], run.call("mul", r, b[2])))
    return run.call("add", n, run.call("mul", z, run.call("sub", h, n)))


@forward("torch.nn.RNNCell")
def rnn_cell(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    h = hx if hx is not None else run.call(
        "new_zeros", x, [*(run.size(x, k) for k in range(run.rank(x) - 1)), m.hidden_size])
    return run.call("relu" if m.nonlinearity == "relu" else "tanh", _gates(run, m, x, h))


def _gates(run: Run, m: Module, x: Any, h: Any) -> Any:
    return run.call("add", run.call("linear", x, m.weight_ih, m.get("bias_ih")),
                    run.call("linear", h, m.weight_hh, m.get("bias_hh")))
