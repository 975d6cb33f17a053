"""Recurrent layers and cells, attention, transformers."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

for kind in ("LSTM", "GRU", "RNN"):
    low = kind.lower()
    M(low, f"nn.{kind}(3, 4)", "f[5,2,3]")
    M(f"{low}/batch first", f"nn.{kind}(3, 4, batch_first=True)", "f[2,5,3]")
    M(f"{low}/layers", f"nn.{kind}(3, 4, num_layers=2, dropout=0.5)", "f[5,2,3]")
    M(f"{low}/bidirectional", f"nn.{kind}(3, 4, bidirectional=True)", "f[5,2,3]")
    M(f"{low}/all", f"nn.{kind}(3, 4, num_layers=2, bidirectional=True, batch_first=True, bias=False)", "f[2,5,3]")
    M(f"{low}/no bias", f"nn.{kind}(3, 4, bias=False)", "f[5,2,3]")
    M(f"{low}/alone", f"nn.{kind}(3, 4)", "f[5,3]")
    M(f"{low}_cell", f"nn.{kind}Cell(3, 4)", "f[2,3]")
    M(f"{low}_cell/no bias", f"nn.{kind}Cell(3, 4, bias=False)", "f[2,3]")
for kind in ("GRU", "RNN"):
    M(f"{kind.lower()}/state", f"nn.{kind}(3, 4, num_layers=2)", "f[5,2,3] f[2,2,4]")
    M(f"{kind.lower()}_cell/state", f"nn.{kind}Cell(3, 4)", "f[2,3] f[2,4]")
F("lstm/state", "torch.lstm(x, (y, z), [u, v], False, 1, 0.0, False, False, False)",
  "f[5,2,3] f[1,2,4] f[1,2,4] f[16,3] f[16,4]", forms=("pt2", "ts"))
M("lstm/projected", "nn.LSTM(3, 4, proj_size=2)", "f[5,2,3]")
M("lstm/projected all", "nn.LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True, batch_first=True)", "f[2,5,3]")
M("rnn/relu", "nn.RNN(3, 4, nonlinearity='relu', bidirectional=True)", "f[5,2,3]")
M("rnn_cell/relu", "nn.RNNCell(3, 4, nonlinearity='relu')", "f[2,3]")


def packed(name: str, layer: str, inputs: str, first: bool = True, ordered: bool = False, more: str = "",
           between: str = "p") -> None:
    """A layer over what is packed, and padded again; torch.export has no packed sequences."""
    rnn = "nn.utils.rnn"
    pack = f"{rnn}.pack_padded_sequence(x, n, batch_first={first}, enforce_sorted={ordered})"
    layer = layer[:-1] + f", batch_first={first})"
    M(f"packed/{name}", "type('Packed', (nn.Sequential,), {'__module__': 'cases', 'forward': lambda self, x, n: "
      f"(lambda y: ({rnn}.pad_packed_sequence(y[0], batch_first={first}{more}), y[1]))"
      f"((lambda p: self[0]({between}))({pack}))}})({layer})", inputs, forms=("ts",))


ANY, FALLING = "f[3,5,3] i[3]=2,5,3", "f[3,5,3] i[3]=4,3,1"
for kind in ("LSTM", "GRU", "RNN"):
    low = kind.lower()
    packed(low, f"nn.{kind}(3, 4)", ANY)
    packed(f"{low}/ordered", f"nn.{kind}(3, 4)", FALLING, ordered=True)
    packed(f"{low}/all", f"nn.{kind}(3, 4, num_layers=2, bidirectional=True, bias=False)", ANY, more=", padding_value=-2.5")
    packed(f"{low}/steps first", f"nn.{kind}(3, 4, bidirectional=True)", "f[5,3,3] i[3]=1,4,4", first=False)
    packed(f"{low}/total", f"nn.{kind}(3, 4, bidirectional=True)", ANY, more=", total_length=7, padding_value=1.5")
    packed(f"{low}/rows", f"nn.{kind}(3, 4, bidirectional=True)", ANY,
           between="nn.utils.rnn.PackedSequence(torch.relu(p.data), p.batch_sizes, p.sorted_indices, "
                   "p.unsorted_indices)")
packed("rnn/relu", "nn.RNN(3, 4, nonlinearity='relu', bidirectional=True)", ANY)
packed("lstm/projected", "nn.LSTM(3, 4, proj_size=2)", ANY)
packed("lstm/projected all", "nn.LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)", ANY)
F("packed/only", "torch._pack_padded_sequence(x, y, True)", FALLING, forms=("ts",))
F("packed/only steps first", "torch._pack_padded_sequence(x, y, False)", "f[5,3] i[3]=4,2,2", forms=("ts",))
F("packed/padded", "torch._pad_packed_sequence(x, y, False, 0.5, 4)", "f[7,2] i[3]=3,3,1", forms=("ts",))
F("packed/lstm state", "torch.lstm(x, torch.tensor([3, 2, 1]), (y, z), [u, v], False, 1, 0.0, False, False)",
  "f[6,3] f[1,3,4] f[1,3,4] f[16,3] f[16,4]", forms=("ts",))

ATTENTION = "nn.MultiheadAttention(8, 2"
M("attention/self", f"{ATTENTION}, batch_first=True)", "f[2,5,8] f[2,5,8] f[2,5,8]")
M("attention/steps first", f"{ATTENTION})", "f[5,2,8] f[6,2,8] f[6,2,8]")
M("attention/no bias", f"{ATTENTION}, bias=False, batch_first=True)", "f[2,5,8] f[2,6,8] f[2,6,8]")
M("attention/widths", f"{ATTENTION}, kdim=4, vdim=6, batch_first=True)", "f[2,5,8] f[2,6,4] f[2,6,6]")
M("attention/more keys", f"{ATTENTION}, add_bias_kv=True, add_zero_attn=True)", "f[5,2,8] f[5,2,8] f[5,2,8]")
M("attention/padded", f"{ATTENTION}, batch_first=True)", "f[2,3,8] f[2,3,8] f[2,3,8] b[2,3]=0,0,0,0,0,1",
  forms=("pt2", "ts"))
M("attention/alone", f"{ATTENTION})", "f[5,8] f[6,8] f[6,8]")
F("sdpa", "F.scaled_dot_product_attention(x, y, z)", "f[2,2,5,4] f[2,2,6,4] f[2,2,6,4]")
F("sdpa/causal", "F.scaled_dot_product_attention(x, y, z, is_causal=True)", "f[2,2,5,4] f[2,2,5,4] f[2,2,5,4]")
F("sdpa/mask", "F.scaled_dot_product_attention(x, y, z, attn_mask=u)", "f[2,2,5,4] f[2,2,6,4] f[2,2,6,4] f[5,6]")
F("sdpa/flags", "F.scaled_dot_product_attention(x, y, z, attn_mask=u > -1)",
  "f[2,2,5,4] f[2,2,6,4] f[2,2,6,4] f[5,6]")
F("sdpa/nothing", "F.scaled_dot_product_attention(x, y, z, attn_mask=u > 9)", "f[2,5,4] f[2,6,4] f[2,6,4] f[5,6]")
F("sdpa/scale", "F.scaled_dot_product_attention(x, y, z, scale=0.3)", "f[2,5,4] f[2,6,4] f[2,6,4]")
F("sdpa/groups", "F.scaled_dot_product_attention(x, y, z, enable_gqa=True)", "f[2,4,5,4] f[2,2,6,4] f[2,2,6,4]",
  forms=("pt2", "ts"))

LAYER = "nn.TransformerEncoderLayer(8, 2, 12, batch_first=True"
for name, more in {"": "", "/norm first": ", norm_first=True", "/gelu": ", activation='gelu'",
                   "/no bias": ", bias=False", "/silu": ", activation=F.silu"}.items():
    M(f"encoder_layer{name}", f"{LAYER}{more})", "f[2,5,8]")
    M(f"decoder_layer{name}", f"{LAYER.replace('Encoder', 'Decoder')}{more})", "f[2,5,8] f[2,6,8]")
M("encoder_layer/steps first", "nn.TransformerEncoderLayer(8, 2, 12)", "f[5,2,8]")
M("encoder_layer/padded", f"{LAYER})", "f[2,3,8] b[3,3]=0,1,1,0,0,1,0,0,0 b[2,3]=0,0,0,0,0,1",
  forms=("pt2", "ts"))
M("encoder", f"nn.TransformerEncoder({LAYER}), 2, norm=nn.LayerNorm(8))", "f[2,5,8]")
M("decoder", f"nn.TransformerDecoder({LAYER.replace('Encoder', 'Decoder')}), 2)", "f[2,5,8] f[2,6,8]")
M("transformer", "nn.Transformer(8, 2, 1, 1, 12)", "f[5,2,8] f[4,2,8]")
