"""Configurations of layers that :mod:`.keras` and :mod:`.keras_more` leave out: every argument that tells while inferring."""
from __future__ import annotations

import numpy as np

from .keras import add, f, given, i
from .keras_more import holes

# -- convolutions, pooling, normalisation, shapes

for n, shape in ((1, (2, 3, 9)), (2, (2, 4, 7, 9)), (3, (1, 2, 5, 6, 5))):
    add(f"Conv{n}D/channels_first", f"L.Conv{n}D(6, 3, padding='same', strides=2, data_format='channels_first')", f(*shape))
    add(f"Conv{n}D/channels_first_valid", f"L.Conv{n}D(5, 2, dilation_rate=2, data_format='channels_first')", f(*shape))
    add(f"Conv{n}DTranspose/channels_first", f"L.Conv{n}DTranspose(5, 3, strides=2, padding='same', data_format='channels_first')", f(*shape))
    if n < 3:
        add(f"DepthwiseConv{n}D/channels_first", f"L.DepthwiseConv{n}D(3, depth_multiplier=2, data_format='channels_first')", f(*shape))
        add(f"SeparableConv{n}D/channels_first", f"L.SeparableConv{n}D(5, 3, depth_multiplier=2, data_format='channels_first')", f(*shape))
        add(f"DepthwiseConv{n}D/dilated", f"L.DepthwiseConv{n}D(3, dilation_rate=2, padding='same', use_bias=False)", f(2, *shape[2:], 3), both=n == 2)
        add(f"SeparableConv{n}D/dilated", f"L.SeparableConv{n}D(4, 3, dilation_rate=2, padding='same', activation='relu', use_bias=False)", f(2, *shape[2:], 3), both=n == 2)
        add(f"SeparableConv{n}D/strided", f"L.SeparableConv{n}D(4, 3, strides=2, padding='same', activation='relu')", f(2, *shape[2:], 3), both=True)
        add(f"DepthwiseConv{n}D/dynamic", f"L.DepthwiseConv{n}D(3, strides=2, padding='same')", f(2, *shape[2:], 3, dynamic=range(1, n + 1)))
    add(f"Conv{n}D/groups_strided", f"L.Conv{n}D(6, 3, groups=3, strides=2, padding='same')", f(1, *shape[2:], 3), both=n == 2)
    for kind in ("Max", "Average"):
        add(f"{kind}Pooling{n}D/channels_first_same", f"L.{kind}Pooling{n}D(2, data_format='channels_first', padding='same')", f(*shape))
        add(f"{kind}Pooling{n}D/asymmetric", f"L.{kind}Pooling{n}D({(3, 2, 1)[:n] if n > 1 else 3}, strides={(1, 2, 3)[:n] if n > 1 else 1}, padding='same')", f(*shape), both=True)
        add(f"Global{kind}Pooling{n}D/channels_first_keep", f"L.Global{kind}Pooling{n}D(data_format='channels_first', keepdims=True)", f(*shape), both=True)
        add(f"Global{kind}Pooling{n}D/dynamic", f"L.Global{kind}Pooling{n}D()", f(*shape, dynamic=range(1, n + 1)))
        add(f"Adaptive{kind}Pooling{n}D/channels_first", f"L.Adaptive{kind}Pooling{n}D(2, data_format='channels_first')", f(*shape))
        if n > 1:
            add(f"Adaptive{kind}Pooling{n}D/sizes", f"L.Adaptive{kind}Pooling{n}D({(4, 2, 3)[:n]})", f(*shape))
add("Conv1DTranspose/dilated", "L.Conv1DTranspose(4, 3, dilation_rate=2, padding='same')", f(2, 9, 3))
add("Conv3DTranspose/dilated", "L.Conv3DTranspose(4, 2, dilation_rate=2)", f(1, 4, 4, 4, 2))
add("Conv2DTranspose/dilated_same", "L.Conv2DTranspose(4, 3, dilation_rate=2, padding='same')", f(2, 7, 8, 3), both=True)
add("Conv2DTranspose/asymmetric", "L.Conv2DTranspose(4, (2, 5), strides=(3, 2), padding='same', use_bias=False, activation='tanh')", f(2, 4, 5, 3), both=True)
add("Conv2DTranspose/dynamic_valid", "L.Conv2DTranspose(4, 2, strides=3)", f(2, 4, 5, 3, dynamic=[1, 2]))
add("Conv1DTranspose/dynamic", "L.Conv1DTranspose(4, 3, strides=2, padding='same')", f(2, 9, 3, dynamic=[1]))
add("Conv2DTranspose/output_padding_two", "L.Conv2DTranspose(2, 4, strides=3, padding='same', output_padding=(2, 1))", f(2, 4, 5, 3), both=True)
add("Conv2D/activation_object", "L.Conv2D(4, 3, activation=L.LeakyReLU(negative_slope=0.3))", f(2, 6, 7, 3))
add("Conv1D/batches", "L.Conv1D(4, 3)", f(2, 3, 9, 3), old=True)
add("Conv2D/batches", "L.Conv2D(4, 3, padding='same', strides=2)", f(2, 2, 6, 5, 3), old=True)
add("Dense/rank4", "L.Dense(4)", f(2, 2, 3, 3), both=True)
add("BatchNormalization/mask", "lambda x: L.LSTM(3)(L.BatchNormalization()(L.Masking()(x)))", holes(), both=True)
add("BatchNormalization/rank5", "L.BatchNormalization(axis=-2)", f(2, 2, 3, 4, 5), both=True)
add("BatchNormalization/renorm", "L.BatchNormalization(renorm=True)", f(2, 4), both=True)
add("BatchNormalization/axis_list", "L.BatchNormalization(axis=[1, 2], fused=False)", f(2, 3, 4, 5), old=True)
add("BatchNormalization/virtual", "L.BatchNormalization(virtual_batch_size=2)", f(2, 4), old=True)
add("SyncBatchNormalization", "L.experimental.SyncBatchNormalization()", f(2, 4), old=True)
add("BatchNormalization/synchronized", "L.BatchNormalization(synchronized=True)", f(2, 4), both=True)
add("LayerNormalization/rms", "L.LayerNormalization(rms_scaling=True)", f(2, 4, 5))
add("LayerNormalization/no_center", "L.LayerNormalization(center=False)", f(2, 4, 5), both=True)
add("LayerNormalization/axes_first", "L.LayerNormalization(axis=(1, 2), scale=False)", f(2, 3, 4, 5), both=True)
add("RMSNormalization/axes", "L.RMSNormalization(axis=(1, 2), epsilon=0.01)", f(2, 3, 4))
add("GroupNormalization/no_scale", "L.GroupNormalization(groups=3, scale=False, epsilon=0.1)", f(2, 4, 5, 6), both=True)
add("GroupNormalization/sequence", "L.GroupNormalization(groups=2)", f(2, 4, 6), both=True)
add("GroupNormalization/middle", "L.GroupNormalization(groups=2, axis=2)", f(2, 3, 4, 3), both=True)
add("GroupNormalization/vector", "L.GroupNormalization(groups=2)", f(2, 6), both=True)
add("GroupNormalization/dynamic", "L.GroupNormalization(groups=2)", f(2, 4, 5, 6, dynamic=[1, 2]))
add("UnitNormalization/axes", "L.UnitNormalization(axis=(1, 2))", f(2, 4, 5), both=True)
add("SpectralNormalization/dense", "L.SpectralNormalization(L.Dense(4), power_iterations=2)", f(2, 5))
add("PReLU/sequence", "L.PReLU(shared_axes=[1])", f(2, 4, 5), both=True)
add("Softmax/robust", "lambda x, m: L.Softmax(robust_masking=True)(x, mask=m)", f(2, 5), given(np.arange(10).reshape(2, 5) % 3 > 0), old=True)
add("Softmax/mask_axes", "lambda x, m: L.Softmax(axis=(1, 2))(x, mask=m)", f(2, 5, 3), given(np.arange(30).reshape(2, 5, 3) % 3 > 0), both=True)
add("Softmax/mask_old", "lambda x, m: L.Softmax()(x, mask=m)", f(2, 5), given(np.arange(10).reshape(2, 5) % 3 > 0), old=True)
add("Dot/same_axis_one", "L.Dot(axes=(1, 2))", f(2, 4, 3), f(2, 5, 4), both=True)
add("Dot/rank4", "L.Dot(axes=(3, 1))", f(2, 4, 3, 2), f(2, 2, 5), both=True)
add("Concatenate/negative", "L.Concatenate(axis=-2)", f(2, 4, 3), f(2, 1, 3), both=True)
add("Concatenate/dtypes", "lambda x, y: L.Concatenate()([x, y])", f(2, 4), i(2, 3))
add("Subtract/broadcast", "L.Subtract()", f(2, 4, 3), f(2, 1, 3), both=True)
add("Multiply/int", "L.Multiply()", i(2, 3), i(2, 3))
add("Average/int", "L.Average()", i(2, 3), i(2, 3))
add("Embedding/output_mask", "lambda x: L.GlobalAveragePooling1D()(L.Embedding(6, 3, mask_zero=True)(x))", given([[1, 2, 0, 0], [0, 3, 0, 5]], "int32"), both=True)
add("Embedding/lora", "L.Embedding(6, 3, lora_rank=2)", i(2, 3, high=6))
add("Embedding/rank1", "L.Embedding(6, 3)", i(4, high=6), both=True)
add("Embedding/input_length", "L.Embedding(6, 3, input_length=4)", i(2, 4, high=6), old=True)
add("ReversibleEmbedding/untied", "lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, tie_weights=False, logit_soft_cap=2.0))", i(2, 5))
add("ReversibleEmbedding/reverse_dtype", "lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, reverse_dtype='float32'))", i(2, 5))
add("ReversibleEmbedding/mask", "lambda x: L.LSTM(3)(L.ReversibleEmbedding(10, 4, mask_zero=True)(x))", i(2, 5, high=3))
add("EinsumDense/bias_middle", "L.EinsumDense('abc,cd->abd', output_shape=(3, 4), bias_axes='bd')", f(2, 3, 5), both=True)
add("EinsumDense/ellipsis_front", "L.EinsumDense('ab...,bc->ac...', output_shape=(4, None), bias_axes='c')", f(2, 3, 5), both=True)
add("Dense/lora", "L.Dense(4, lora_rank=2)", f(2, 3))
add("Permute/one", "L.Permute((1,))", f(2, 3), both=True)
add("UpSampling2D/lanczos", "L.UpSampling2D(2, interpolation='lanczos3')", f(2, 4, 3, 2))
add("UpSampling2D/lanczos5", "L.UpSampling2D(2, interpolation='lanczos5')", f(2, 4, 3, 2))
for m in ("area","gaussian","mitchellcubic","lanczos3","bicubic"):
    add(f"UpSampling2D/{m}_old", f"L.UpSampling2D(2, interpolation='{m}')", f(2, 4, 3, 2), old=True)
add("UpSampling2D/bilinear_first", "L.UpSampling2D((2, 3), interpolation='bilinear', data_format='channels_first')", f(2, 2, 4, 3))
add("UpSampling3D/first", "L.UpSampling3D(2, data_format='channels_first')", f(1, 2, 3, 2, 2), both=True)
add("UpSampling1D/dynamic", "L.UpSampling1D(2)", f(2, 4, 3, dynamic=[1]))
add("ZeroPadding1D/first", "L.ZeroPadding1D(2, data_format='channels_first')", f(2, 4, 3))
add("ZeroPadding3D/first", "L.ZeroPadding3D((1, 2, 0), data_format='channels_first')", f(2, 2, 4, 3, 2), both=True)
add("Cropping3D/first", "L.Cropping3D(1, data_format='channels_first')", f(2, 2, 4, 3, 5), both=True)
add("Cropping2D/dynamic", "L.Cropping2D(((1, 0), (0, 1)))", f(2, 4, 5, 2, dynamic=[1, 2]))
add("Reshape/scalar", "L.Reshape(())", f(2, 1), both=True)
add("Reshape/flat", "L.Reshape((-1,))", f(2, 4, 3, dynamic=[1, 2]))
add("Flatten/scalar", "L.Flatten()", f(3), old=True)
add("Masking/float", "L.Masking(mask_value=0.5)", given([[[.5, .5], [.5, 2], [0, 0]]], "float32"), both=True)
add("Rescaling/float_list", "L.Rescaling(scale=[[0.5, 2.0, 3.0]])", f(2, 4, 3))

# -- recurrence and attention

def bits(*shape, k=3): return given(np.arange(int(np.prod(shape))).reshape(shape) % k > 0)
SEQ_MASK = given([[True, True, False], [True, False, False]])
for n, shape in ((1, (2, 3, 2, 6)), (2, (2, 3, 2, 5, 6)), (3, (1, 2, 2, 4, 4, 4))):
    add(f"ConvLSTM{n}D/channels_first", f"L.ConvLSTM{n}D(3, 3, data_format='channels_first', return_sequences=True)", f(*shape))
for n, shape in ((1, (2, 3, 6, 2)), (2, (2, 3, 5, 6, 2)), (3, (2, 3, 4, 3, 4, 2))):
    add(f"ConvLSTM{n}D/mask", f"lambda x, m: L.ConvLSTM{n}D(3, 2, return_sequences=True)(x, mask=m)", f(*shape), SEQ_MASK, both=n == 2)
    add(f"ConvLSTM{n}D/mask_last", f"lambda x, m: L.ConvLSTM{n}D(3, 2, padding='same', return_state=True)(x, mask=m)", f(*shape), SEQ_MASK, both=n == 2)
    add(f"ConvLSTM{n}D/stateful", f"L.ConvLSTM{n}D(3, 2, stateful=True)", f(*shape, batch=False), both=n == 2)
    add(f"ConvLSTM{n}D/state", f"L.ConvLSTM{n}D(3, 2, return_state=True, return_sequences=True)", f(*shape), both=n == 2)
    add(f"Bidirectional/ConvLSTM{n}D", f"L.Bidirectional(L.ConvLSTM{n}D(3, 2, return_sequences=True))", f(*shape), both=n == 2)
    add(f"Bidirectional/ConvLSTM{n}D_last", f"L.Bidirectional(L.ConvLSTM{n}D(3, 2, padding='same'), merge_mode='sum')", f(*shape), both=n == 2)
add("ConvLSTM2D/activations", "L.ConvLSTM2D(3, 2, activation='relu', recurrent_activation='sigmoid', use_bias=False)", f(2, 3, 5, 6, 2), both=True)
add("ConvLSTM2D/initial_state", "lambda x, h, c: L.ConvLSTM2D(3, 2, padding='same')(x, initial_state=[h, c])", f(2, 3, 5, 6, 2), f(2, 5, 6, 3), f(2, 5, 6, 3), both=True)
add("ConvLSTM2D/backwards_mask", "lambda x, m: L.ConvLSTM2D(3, 2, go_backwards=True, return_sequences=True)(x, mask=m)", f(2, 3, 5, 6, 2), SEQ_MASK, both=True)
add("ConvLSTM2D/dynamic_time", "L.ConvLSTM2D(3, 2)", f(2, 3, 5, 6, 2, dynamic=[1]), both=True)
add("Bidirectional/ConvLSTM2D_mask", "lambda x, m: L.Bidirectional(L.ConvLSTM2D(3, 2, return_sequences=True))(x, mask=m)", f(2, 3, 5, 6, 2), SEQ_MASK, both=True)
for kind in ("LSTM", "GRU", "SimpleRNN"):
    add(f"{kind}/stateful_sequences", f"L.{kind}(4, stateful=True, return_sequences=True, return_state=True)", f(2, 5, 3, batch=False), both=True)
    add(f"{kind}/unrolled_mask", f"lambda x: L.{kind}(4, unroll=True, return_sequences=True)(L.Masking()(x))", holes(), both=True)
    add(f"{kind}/state_backwards_mask", f"lambda x: L.{kind}(4, go_backwards=True, return_state=True, return_sequences=True)(L.Masking()(x))", holes(), both=True)
    add(f"{kind}/explicit_mask", f"lambda x, m: L.{kind}(4, return_sequences=True)(x, mask=m)", f(2, 3, 3), SEQ_MASK, both=True)
    add(f"{kind}/dropout", f"L.{kind}(4, dropout=0.3, recurrent_dropout=0.2)", f(2, 5, 3), both=True)
    add(f"{kind}/time_major_mask", f"lambda x: L.{kind}(4, return_sequences=True, time_major=True)(x)", f(5, 2, 3, batch=False), old=True)
    add(f"{kind}/time_major_last", f"L.{kind}(4, time_major=True, return_state=True)", f(5, 2, 3, batch=False), old=True)
    add(f"{kind}/batch_state", f"lambda x: (lambda o: L.{kind}(4)(x, initial_state=o[1:]))(L.{kind}(4, return_state=True)(x))", f(2, 5, 3), both=True)
    for act in ("elu", "selu", "softsign", "softplus", "leaky_relu", "gelu", "exponential"):
        if kind == "LSTM":
            add(f"{kind}/{act}", f"L.{kind}(4, activation='{act}', return_sequences=True)", f(2, 5, 3, low=-0.5, high=0.5))
    add(f"{kind}/zero_backwards", f"lambda x: L.{kind}(4, go_backwards=True, return_sequences=True, zero_output_for_mask=True)(L.Masking()(x))", holes(), both=True)
    add(f"Bidirectional/{kind}_mask_sum", f"lambda x: L.Bidirectional(L.{kind}(3, return_sequences=True, zero_output_for_mask=True), merge_mode='sum')(L.Masking()(x))", holes(), both=True)
    add(f"Bidirectional/{kind}_state_sequences", f"L.Bidirectional(L.{kind}(3, return_state=True, return_sequences=True))", f(2, 5, 3), both=True)
    add(f"Bidirectional/{kind}_state_none", f"L.Bidirectional(L.{kind}(3, return_state=True), merge_mode=None)", f(2, 5, 3), both=True)
    add(f"Bidirectional/{kind}_stateful", f"L.Bidirectional(L.{kind}(3, stateful=True))", f(2, 5, 3, batch=False), both=True)
    add(f"RNN/{kind}Cell_mask", f"lambda x: L.RNN(L.{kind}Cell(4), return_sequences=True, return_state=True)(L.Masking()(x))", holes(), both=True)
    add(f"RNN/{kind}Cell_stateful", f"L.RNN(L.{kind}Cell(4), stateful=True)", f(2, 5, 3, batch=False), both=True)
    add(f"RNN/{kind}Cell_stack_mask", f"lambda x: L.RNN([L.{kind}Cell(4), L.{kind}Cell(3)], return_sequences=True)(L.Masking()(x))", holes(), both=True)
    add(f"RNN/{kind}Cell_stack_mask_last", f"lambda x: L.RNN([L.{kind}Cell(4), L.{kind}Cell(3)], return_state=True)(L.Masking()(x))", holes(), both=True)
    add(f"Bidirectional/RNN_{kind}Cell", f"L.Bidirectional(L.RNN(L.{kind}Cell(3), return_sequences=True))", f(2, 5, 3), both=True)
    add(f"Bidirectional/RNN_{kind}Cell_stack", f"L.Bidirectional(L.RNN([L.{kind}Cell(3), L.{kind}Cell(2)]))", f(2, 5, 3), both=True)
    add(f"TimeDistributed/{kind}_sequences", f"L.TimeDistributed(L.{kind}(4, return_sequences=True))", f(2, 3, 4, 3), both=True)
    add(f"TimeDistributed/Bidirectional_{kind}", f"L.TimeDistributed(L.Bidirectional(L.{kind}(3)))", f(2, 3, 4, 3), both=True)
add("RNN/nested_stack", "L.RNN(L.StackedRNNCells([L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), L.SimpleRNNCell(4)]), return_sequences=True)", f(2, 5, 3), both=True)
add("RNN/stack_initial", "lambda x, a, b: L.RNN([L.GRUCell(4), L.GRUCell(3)])(x, initial_state=[a, b])", f(2, 5, 3), f(2, 4), f(2, 3), both=True)
add("RNN/list_state", "L.RNN(L.StackedRNNCells([L.LSTMCell(4), L.LSTMCell(3)]), return_state=True)", f(2, 5, 3), both=True)
add("RNN/unrolled", "L.RNN(L.LSTMCell(4), unroll=True, return_sequences=True)", f(2, 5, 3), both=True)
add("RNN/time_major", "L.RNN(L.LSTMCell(4), time_major=True, return_sequences=True)", f(5, 2, 3, batch=False), old=True)
add("RNN/GRUCell_reset_before", "L.RNN(L.GRUCell(4, reset_after=False))", f(2, 5, 3), both=True)
add("RNN/zero", "lambda x: L.RNN(L.GRUCell(4), return_sequences=True, zero_output_for_mask=True)(L.Masking()(x))", holes(), both=True)
add("LSTM/no_unit_forget", "L.LSTM(4, unit_forget_bias=False, implementation=1)", f(2, 5, 3), both=True)
add("LSTMCell", "lambda x, h, c: L.LSTMCell(4)(x, [h, c])[0]", f(2, 3), f(2, 4), f(2, 4), both=True)
add("GRUCell", "lambda x, h: L.GRUCell(4)(x, h)[0]", f(2, 3), f(2, 4), both=True)
add("SimpleRNNCell", "lambda x, h: L.SimpleRNNCell(4)(x, h)[0]", f(2, 3), f(2, 4), both=True)
add("TimeDistributed/mask_LSTM", "lambda x, m: L.TimeDistributed(L.LSTM(3))(x, mask=m)", f(2, 3, 4, 3), given(np.arange(24).reshape(2, 3, 4) % 3 > 0), both=True)
add("TimeDistributed/mask_last", "lambda x: L.LSTM(3)(L.TimeDistributed(L.Dense(3))(L.Embedding(6, 3, mask_zero=True)(x)))", given([[1, 2, 0, 0], [0, 3, 0, 5]], "int32"), both=True)
add("TimeDistributed/embedding_mask", "lambda x: L.TimeDistributed(L.LSTM(3))(L.TimeDistributed(L.Embedding(6, 3, mask_zero=True))(x))", given([[[1, 2, 0, 0], [0, 3, 0, 5], [0, 0, 0, 0]]], "int32"), both=True)
add("TimeDistributed/pool", "L.TimeDistributed(L.GlobalAveragePooling2D())", f(2, 3, 4, 4, 2), both=True)
add("TimeDistributed/nested", "L.TimeDistributed(L.TimeDistributed(L.Dense(2)))", f(2, 3, 4, 3), both=True)
add("TimeDistributed/batch_norm", "L.TimeDistributed(L.BatchNormalization())", f(2, 3, 4), both=True)
add("TimeDistributed/functional", "lambda x: (lambda i: L.TimeDistributed(K.Model(i, L.Dense(2)(L.Flatten()(L.Conv2D(2, 2)(i)))))(x))(K.Input((4, 4, 2)))", f(2, 3, 4, 4, 2), both=True)
add("TimeDistributed/dropout", "L.TimeDistributed(L.Dropout(0.5))", f(2, 3, 4), both=True)
add("TimeDistributed/reshape", "L.TimeDistributed(L.Reshape((2, 2)))", f(2, 3, 4), both=True)
add("TimeDistributed/int", "L.TimeDistributed(L.Embedding(6, 2))", i(2, 3, 4, high=6), both=True)
add("MultiHeadAttention/mask_rank2", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m)", f(2, 5, 4), given(np.arange(25).reshape(1, 5, 5) % 3 > 0), both=True)
add("MultiHeadAttention/mask_heads", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m)", f(2, 5, 4), given(np.arange(100).reshape(2, 2, 5, 5) % 3 > 0), both=True)
add("MultiHeadAttention/mask_float", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m)", f(2, 5, 4), given((np.arange(50).reshape(2, 5, 5) % 3 > 0).astype('float32')), both=True)
add("MultiHeadAttention/mask_causal", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m, use_causal_mask=True)", f(2, 5, 4), given(np.arange(50).reshape(2, 5, 5) % 3 > 0), both=True)
add("MultiHeadAttention/mask_scores", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m, return_attention_scores=True)", f(2, 5, 4), given(np.arange(50).reshape(2, 5, 5) % 3 > 0), both=True)
add("MultiHeadAttention/padding_masks", "lambda x, q, v: L.MultiHeadAttention(2, 3)(x, x, query_mask=q, value_mask=v)", f(2, 5, 4), bits(2, 5), bits(2, 5, k=4))
add("MultiHeadAttention/key_mask", "lambda x, q, v: L.MultiHeadAttention(2, 3)(x, x, x, key_mask=q, attention_mask=v)", f(2, 5, 4), bits(2, 5), bits(2, 5, 5, k=4))
add("MultiHeadAttention/implicit_cross", "lambda x, y: L.MultiHeadAttention(2, 3)(y, L.Masking()(x))", holes(), f(3, 4, 3), both=True)
add("MultiHeadAttention/implicit_causal", "lambda x: L.LSTM(3)((lambda y: L.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True))(L.Masking()(x)))", holes(), both=True)
add("MultiHeadAttention/axis_mask", "lambda x, m: L.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x, attention_mask=m)", f(2, 3, 4, 5), bits(2, 3, 4, 4), both=True)
add("MultiHeadAttention/axes_mask", "lambda x, m: L.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x, x, attention_mask=m)", f(2, 3, 4, 5), bits(2, 3, 4, 3, 4), both=True)
add("MultiHeadAttention/axis_causal", "lambda x: L.MultiHeadAttention(2, 3, attention_axes=(1,))(x, x, use_causal_mask=True)", f(2, 3, 4, 5), both=True)
add("MultiHeadAttention/axis_last_causal", "lambda x: L.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x, use_causal_mask=True)", f(2, 3, 3, 5), both=True)
add("MultiHeadAttention/axes_scores", "lambda x: L.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x, return_attention_scores=True)", f(2, 3, 4, 5), both=True)
add("MultiHeadAttention/value_output", "lambda x, y: L.MultiHeadAttention(3, 2, value_dim=4, output_shape=(5,), use_bias=False)(x, y)", f(2, 4, 4), f(2, 6, 3), both=True)
add("MultiHeadAttention/flash", "lambda x: L.MultiHeadAttention(2, 3, flash_attention=False, seed=3)(x, x)", f(2, 5, 4))
add("MultiHeadAttention/window_mask", "lambda x, m: L.MultiHeadAttention(2, 3, sliding_window=2)(x, x, attention_mask=m)", f(2, 6, 4), bits(2, 6, 6))
add("MultiHeadAttention/gate_mask", "lambda x, m: L.MultiHeadAttention(2, 3, use_gate=True)(x, x, attention_mask=m, return_attention_scores=True)", f(2, 6, 4), bits(2, 6, 6))
add("MultiHeadAttention/zero_key", "lambda x, m: L.MultiHeadAttention(2, 3)(x, x, attention_mask=m)", f(2, 3, 4), given(np.zeros((2, 3, 3), bool)), both=True)
add("GroupQueryAttention/key", "lambda x, y, z: L.GroupQueryAttention(3, 4, 2)(x, y, z)", f(2, 5, 4), f(2, 6, 4), f(2, 6, 4))
add("GroupQueryAttention/one_head", "lambda x: L.GroupQueryAttention(3, 4, 1)(x, x)", f(2, 5, 4))
add("GroupQueryAttention/padding_masks", "lambda x, q, v: L.GroupQueryAttention(3, 4, 2)(x, x, query_mask=q, value_mask=v, use_causal_mask=True)", f(2, 5, 4), bits(2, 5), bits(2, 5, k=4))
add("GroupQueryAttention/mask_2d", "lambda x, m: L.GroupQueryAttention(3, 4, 2)(x, x, attention_mask=m)", f(2, 5, 4), given(np.arange(25).reshape(1, 5, 5) % 3 > 0))
add("GroupQueryAttention/scores_causal", "lambda x: L.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True, return_attention_scores=True)", f(2, 5, 4))
add("GroupQueryAttention/window", "lambda x: L.GroupQueryAttention(3, 4, 2, sliding_window=2)(x, x, use_causal_mask=True)", f(2, 6, 4))
add("GroupQueryAttention/gate", "lambda x: L.GroupQueryAttention(3, 4, 2, use_gate=True)(x, x)", f(2, 6, 4))
add("GroupQueryAttention/key_mask", "lambda x, q, v: L.GroupQueryAttention(3, 4, 2)(x, x, key_mask=q, attention_mask=v)", f(2, 5, 4), bits(2, 5), bits(2, 5, 5, k=4))
for kind in ("Attention", "AdditiveAttention"):
    add(f"{kind}/implicit", f"lambda x, y: L.{kind}()([L.Masking()(x), L.Embedding(6, 3, mask_zero=True)(y)])", holes(), i(3, 4, high=3), both=True)
    add(f"{kind}/implicit_next", f"lambda x: L.LSTM(3)((lambda y: L.{kind}()([y, y]))(L.Masking()(x)))", holes(), both=True)
    add(f"{kind}/causal_masks", f"lambda x, y, a, b: L.{kind}()([x, y], mask=[a, b], use_causal_mask=True, return_attention_scores=True)", f(2, 4, 3), f(2, 5, 3), bits(2, 4), bits(2, 5), both=True)
    add(f"{kind}/value_mask", f"lambda x, y, b: L.{kind}()([x, y], mask=[None, b])", f(2, 4, 3), f(2, 5, 3), bits(2, 5), both=True)
    add(f"{kind}/dynamic", f"L.{kind}(dropout=0.1)", f(2, 4, 3, dynamic=[1]), f(2, 5, 3, dynamic=[1]), both=True)
add("TimeDistributed/outer_mask", "lambda x: L.LSTM(3)(L.TimeDistributed(L.LSTM(3))(L.Embedding(6, 3, mask_zero=True)(x)))", given([[[1, 2, 0, 0], [0, 3, 0, 5], [0, 0, 0, 0]]], "int32"), old=True)

# -- preprocessing

add("Rescaling/integers", "L.Rescaling(2, offset=1)", i(2, 3), both=True)
add("Normalization/int_input", "L.Normalization(mean=1.0, variance=4.0)", i(2, 3), both=True)
add("Normalization/adapted_invert", "adapted(L.Normalization(invert=True), np.arange(24.0).reshape(8, 3))", f(2, 3), both=True)
add("Normalization/rank1", "adapted(L.Normalization(axis=None), np.arange(24.0))", f(5), both=True)
add("Normalization/axes_given", "L.Normalization(axis=(1, 2), mean=[[1.0, 2.0], [3.0, 4.0]], variance=[[4.0, 1.0], [0.25, 1.0]])", f(2, 2, 2))
add("Discretization/int_input", "L.Discretization([0, 3, 5])", i(2, 4), both=True)
add("Discretization/float_dtype", "L.Discretization([-1.0, 0.5], dtype='float32')", f(2, 4))
add("Discretization/one_hot_rank2", "L.Discretization([-1.0, 0.0, 1.0], output_mode='one_hot')", f(2, 4))
add("Discretization/multi_hot_rank1", "L.Discretization([-1.0, 0.0, 1.0], output_mode='multi_hot')", f(4))
add("CategoryEncoding/one_hot_rank2", "L.CategoryEncoding(5, output_mode='one_hot')", i(2, 3, high=5))
add("CategoryEncoding/one_hot_rank1", "L.CategoryEncoding(5, output_mode='one_hot')", i(4, high=5), both=True)
add("CategoryEncoding/multi_hot_rank1", "L.CategoryEncoding(5, output_mode='multi_hot')", i(4, high=5), both=True)
add("CategoryEncoding/count_rank3", "L.CategoryEncoding(5, output_mode='count')", i(2, 3, 2, high=5))
add("CategoryEncoding/multi_hot_rank3", "L.CategoryEncoding(5, output_mode='multi_hot')", i(2, 3, 2, high=5))
add("CategoryEncoding/float_input", "L.CategoryEncoding(5, output_mode='multi_hot')", given([[0., 1, 1], [3, 4, 0]], "float32"), both=True)
add("CategoryEncoding/weights_old", "lambda x, w: L.CategoryEncoding(5, output_mode='count')(x, count_weights=w)", given([[0, 1, 1], [3, 4, 0]], "int32"), f(2, 3), old=True)
for kind, voc, x, m in (("IntegerLookup", "[4, 7, 9]", given([[4, 9, 8, 0], [7, -1, 4, 4]], "int64"), "0"), ("StringLookup", "['a', 'b', 'c']", given([["a", "c", "x", ""], ["b", "[UNK]", "", "a"]]), "''")):
    add(f"{kind}/mask_multi_hot", f"L.{kind}(vocabulary={voc}, mask_token={m}, output_mode='multi_hot')", x, both=True)
    add(f"{kind}/mask_count", f"L.{kind}(vocabulary={voc}, mask_token={m}, output_mode='count')", x, both=True)
    add(f"{kind}/mask_int_no_oov", f"L.{kind}(vocabulary={voc}, mask_token={m}, num_oov_indices=0)", given([[4, 0]], "int64") if kind[0] == "I" else given([["a", ""]]), both=True)
    add(f"{kind}/max_tokens", f"L.{kind}(vocabulary={voc}, max_tokens=9, output_mode='count', pad_to_max_tokens=True)", x, both=True)
    add(f"{kind}/max_tokens_unpadded", f"L.{kind}(vocabulary={voc}, max_tokens=9, output_mode='count')", x, both=True)
    add(f"{kind}/invert_mask", f"L.{kind}(vocabulary={voc}, mask_token={m}, invert=True)", given([[0, 1, 2, 3, 4]], "int64"), both=True)
    add(f"{kind}/tf_idf_mask", f"L.{kind}(vocabulary={voc}, idf_weights=[0.5, 2.0, 1.0], mask_token={m}, output_mode='tf_idf')", x, both=True)
    add(f"{kind}/rank1", f"L.{kind}(vocabulary={voc})", given([4, 7, 1], "int64") if kind[0] == "I" else given(["a", "b", "q"]), both=True)
    add(f"{kind}/rank3", f"L.{kind}(vocabulary={voc})", given([[[4], [7]], [[1], [9]]], "int64") if kind[0] == "I" else given([[["a"], ["b"]], [["q"], [""]]]), both=True)
    add(f"{kind}/embedding", f"lambda x: L.Embedding(5, 2)(L.{kind}(vocabulary={voc})(x))", x, both=True)
    add(f"{kind}/given_special", f"L.{kind}(vocabulary={voc[0] + ('-1, ' if kind[0] == 'I' else repr('[UNK]') + ', ') + voc[1:]})", x, both=True)
    add(f"{kind}/oov_token", f"L.{kind}(vocabulary={voc}, oov_token={'-7' if kind[0]=='I' else repr('?')}, invert=True)", given([[0, 1, 2, 3]], "int64"), both=True)
add("IntegerLookup/int32", "L.IntegerLookup(vocabulary=[4, 7, 9])", given([[4, 9, 8]], "int32"))
add("IntegerLookup/two_unknown", "L.IntegerLookup(vocabulary=[4, 7, 9], num_oov_indices=2)", given([[4, 9, 8, 5]], "int64"), both=True)
add("StringLookup/encoding", "L.StringLookup(vocabulary=['\u00e4', '\u00df'], encoding='utf-8')", given([["\u00e4", "a"]]), both=True)
add("Hashing/int", "L.Hashing(num_bins=3)", i(2, 3), both=True)
BINNED = given([["a", "Hello World"], ["", "\u00e9\u0416 and more than sixteen bytes"]])
add("Hashing/text", "L.Hashing(num_bins=1000)", BINNED, both=True)
add("Hashing/numbers", "L.Hashing(num_bins=1000)", given([[-(2**62), -1, 0], [12345678901, 7, 2**63 - 1]], "int64"), both=True)
add("Hashing/masked", "L.Hashing(num_bins=5, mask_value='')", BINNED, both=True)
add("Hashing/masked_numbers", "L.Hashing(num_bins=5, mask_value=7)", given([[7, -1], [0, 9]], "int64"), both=True)
add("Hashing/salt", "L.Hashing(num_bins=1000, salt=133)", BINNED, both=True)
add("Hashing/two_salts", "L.Hashing(num_bins=1000, salt=[133, 137])", BINNED, both=True)
for mode in ("one_hot", "multi_hot", "count"):
    add(f"Hashing/{mode}", f"L.Hashing(num_bins=4, output_mode='{mode}')", given([["a"], ["b"], ["a"]]) if mode == "one_hot" else given([["a", "b"], ["c", "c"]]), both=True)
add("Hashing/embedding", "lambda x: L.Embedding(50, 3)(L.Hashing(num_bins=50)(x))", BINNED, both=True)
add("HashedCrossing/mixed", "lambda a, b, c: L.HashedCrossing(num_bins=1000)((a, b, c))", given([["a"], ["Hello"], [""]]), given([[3], [-9], [0]], "int64"), given([["x"], ["y"], ["z"]]), old=True)
add("HashedCrossing/one_hot", "lambda a, b: L.HashedCrossing(num_bins=6, output_mode='one_hot')((a, b))", given([[1], [5], [1]], "int64"), given([["x"], ["y"], ["x"]]), both=True)
add("StringLookup/three_unknown", "L.StringLookup(vocabulary=['a', 'b', '\u4e2d'], num_oov_indices=3, mask_token='')", given([["a", "x", "yy", "\u4e2d"], ["", "Zebra", "b", "unknown word"]]), both=True)
add("StringLookup/two_unknown_count", "L.StringLookup(vocabulary=['a', 'b'], num_oov_indices=2, output_mode='count')", given([["a", "x", "yy"], ["z", "q", "b"]]), both=True)
add("IntegerLookup/farmhash", "L.IntegerLookup(vocabulary=[4, 7], num_oov_indices=3, oov_method='farmhash')", given([[4, 9, -8], [5, 0, 123456]], "int64"))
add("IntegerLookup/farmhash_salt", "L.IntegerLookup(vocabulary=[4, 7], num_oov_indices=3, oov_method='farmhash', salt=[1, 2])", given([[4, 9, -8], [5, 0, 123456]], "int64"))
SPELLED = given([["a B, a"], ["c\u00e9\u4e2d"], [""]])
add("TextVectorization/characters", "L.TextVectorization(vocabulary=['a', 'b', '\u4e2d', ' '], split='character')", SPELLED, both=True)
add("TextVectorization/characters_cut", "L.TextVectorization(vocabulary=['a', 'b', '\u4e2d'], split='character', standardize=None, output_sequence_length=4)", SPELLED, both=True)
add("TextVectorization/characters_count", "L.TextVectorization(vocabulary=['a', 'b', '\u4e2d', 'a  '], split='character', ngrams=(1, 2), output_mode='count')", SPELLED, both=True)
for mode in ("lanczos5", "gaussian", "mitchellcubic"):
    add(f"Resizing/{mode}", f"L.Resizing(5, 7, interpolation='{mode}')", f(2, 8, 6, 3), old=True)
for mode in ("nearest", "bilinear", "bicubic", "lanczos3", "area"):
    add(f"Resizing/{mode}_up", f"L.Resizing(11, 13, interpolation='{mode}')", f(2, 8, 6, 3), both=True)
    if mode != "nearest":
        add(f"Resizing/{mode}_antialias", f"L.Resizing(3, 4, interpolation='{mode}', antialias=True)", f(2, 8, 6, 3))
add("Resizing/int", "L.Resizing(5, 7)", i(2, 8, 6, 3, high=256, dtype="uint8"), old=True)
add("Resizing/int_nearest", "L.Resizing(5, 7, interpolation='nearest')", i(2, 8, 6, 3, high=256, dtype="uint8"), both=True)
add("Resizing/dynamic", "L.Resizing(5, 7)", f(2, 8, 6, 3, dynamic=[1, 2]), both=True)
add("Resizing/crop_wide", "L.Resizing(4, 7, crop_to_aspect_ratio=True)", f(2, 8, 5, 3), both=True)
add("Resizing/crop_first", "L.Resizing(4, 4, crop_to_aspect_ratio=True, data_format='channels_first')", f(2, 3, 8, 5))
add("Resizing/pad_wide", "L.Resizing(9, 4, pad_to_aspect_ratio=True)", f(2, 8, 5, 3))
add("Resizing/pad_first", "L.Resizing(5, 7, pad_to_aspect_ratio=True, data_format='channels_first', interpolation='nearest')", f(2, 3, 8, 5))
add("Resizing/unbatched", "L.Resizing(5, 7)", f(8, 6, 3, batch=False))
add("CenterCrop/first", "L.CenterCrop(4, 3, data_format='channels_first')", f(2, 3, 8, 6))
add("CenterCrop/int", "L.CenterCrop(4, 3)", i(2, 8, 6, 3), both=True)
add("CenterCrop/one_larger", "L.CenterCrop(4, 9)", f(2, 8, 6, 3), both=True)
add("RandomCrop", "L.RandomCrop(3, 3)", f(2, 4, 5, 3), old=True)
add("RandomCrop/larger", "L.RandomCrop(6, 7)", f(2, 4, 5, 3), both=True)
add("RandomHeight", "L.RandomHeight(0.2)", f(2, 4, 5, 3), old=True)
add("RandomWidth", "L.RandomWidth(0.2)", f(2, 4, 5, 3), old=True)
for nm in ("RandomHeight(0.2)", "RandomWidth(0.2)", "Rescaling(0.5)", "Resizing(3, 3)", "Normalization(mean=0.5, variance=2.0)", "CenterCrop(2, 2)", "RandomFlip()", "Discretization([0.0, 1.0])"):
    n0 = nm.partition("(")[0]
    add(f"{n0}/experimental", f"L.experimental.preprocessing.{nm}", f(2, 4, 5, 3), old=True)
add("CategoryEncoding/experimental", "L.experimental.preprocessing.CategoryEncoding(5, output_mode='multi_hot')", i(2, 3, high=5), old=True)
add("StringLookup/experimental", "L.experimental.preprocessing.StringLookup(vocabulary=['a', 'b'])", given([["a", "x"]]), old=True)
add("IntegerLookup/experimental", "L.experimental.preprocessing.IntegerLookup(vocabulary=[3, 4])", given([[3, 9]], "int64"), old=True)
add("EinsumDense/experimental", "L.experimental.EinsumDense('abc,cd->abd', output_shape=(None, 4))", f(2, 3, 4), old=True)
add("AutoContrast/first", "L.AutoContrast(data_format='channels_first')", f(2, 3, 4, 4, low=0, high=200))
add("Solarization/infer", "L.Solarization(addition_factor=(0.5, 0.5), threshold_factor=(0.3, 0.3))", f(2, 4, 4, 3, low=0, high=200))
add("RandomGrayscale/all", "L.RandomGrayscale(factor=1.0)", f(2, 4, 4, 3, low=0, high=1))
for pad in ("same", "valid"):
    add(f"STFTSpectrogram/{pad}_window", f"L.STFTSpectrogram(mode='magnitude', frame_length=12, frame_step=5, fft_length=16, window='hamming', padding='{pad}', periodic=True, scaling='spectrum')", f(1, 40, 1))
add("STFTSpectrogram/no_window", "L.STFTSpectrogram(frame_length=12, frame_step=5, fft_length=16, window=None, scaling=None)", f(1, 40, 1))
add("STFTSpectrogram/first", "L.STFTSpectrogram(frame_length=12, frame_step=5, fft_length=16, data_format='channels_first')", f(1, 2, 40))
add("STFTSpectrogram/first_expand", "L.STFTSpectrogram(mode='stft', frame_length=12, frame_step=5, fft_length=16, data_format='channels_first', expand_dims=True)", f(1, 2, 40))
add("STFTSpectrogram/dynamic", "L.STFTSpectrogram(frame_length=12, frame_step=5, fft_length=16)", f(1, 40, 1, dynamic=[1]))
for k, kw in enumerate(("window='hamming'", "ref_power=2.0, min_power=1e-6", "top_db=20.0", "min_freq=100.0, max_freq=4000.0, sampling_rate=8000", "mag_exp=1.0", "sequence_length=20", "window=None")):
    add(f"MelSpectrogram/{k}", f"L.MelSpectrogram(num_mel_bins=8, fft_length=32, sequence_stride=16, {kw})", f(2, 96))
add("MelSpectrogram/rank3", "L.MelSpectrogram(num_mel_bins=8, fft_length=32, sequence_stride=16)", f(1, 96, batch=False))

# -- policies

for p in ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"):
    for name, expression, x in (("Conv2D", "L.Conv2D(3, 3", f(2, 5, 5, 2)), ("LSTM", "L.LSTM(3", f(2, 4, 3)), ("BatchNormalization", "L.BatchNormalization(axis=-1", f(2, 4)), ("LayerNormalization", "L.LayerNormalization(axis=-1", f(2, 4)), ("Embedding", "L.Embedding(5, 3", i(2, 4, high=5)), ("Softmax", "L.Softmax(axis=-1", f(2, 4)), ("GRU", "L.GRU(3, return_sequences=True", f(2, 4, 3)), ("GroupNormalization", "L.GroupNormalization(2", f(2, 3, 4)), ("Rescaling", "L.Rescaling(0.5", i(2, 3))):
        if not (p == "float64" and name in ("Conv2D", "LSTM", "GRU")) and not (p == "bfloat16" and name in ("LSTM", "GRU")):  # those ONNX Runtime, these TensorFlow has no kernel for
            add(f"policy/{p}_{name}", f"{expression}, dtype='{p}')", x, both=p in ("mixed_float16", "float64"))
    add(f"policy/{p}_MultiHeadAttention", f"lambda x: L.MultiHeadAttention(2, 3, dtype='{p}')(x, x, use_causal_mask=True)", f(2, 4, 3), both=p in ("mixed_float16", "float64"))
# what GPTQ and AWQ make is marked as made, and its zeros are saved, which Keras 3.15 forgets
for p in ("int8", "int4/-1", "int4/2", "float8", "gptq/4/2", "gptq/8/2", "awq/4/2"):
    for src in ("float32", "mixed_bfloat16", "mixed_float16"):
        if p == "int8" and src == "mixed_float16":
            continue
        layers = [("Dense", "L.Dense(3, activation='relu'", f(2, 4)), ("EinsumDense", "L.EinsumDense('abc,cde->abde', output_shape=(None, 2, 3), bias_axes='de'", f(2, 3, 4)), ("EinsumDense_merged", "L.EinsumDense('abde,dec->abc', output_shape=(None, 4)", f(2, 3, 2, 4))]
        if p[0] == "i":
            layers += [("Embedding", "L.Embedding(10, 4", i(2, 3)), ("ReversibleEmbedding", "L.ReversibleEmbedding(10, 4", i(2, 3))]
        for name, expression, x in layers:
            made = f"{expression}, dtype='{p}_from_{src}')"
            if p[0] in "ga":
                made = f"lambda x: (lambda l: (l(x), setattr(l, 'is_{p[:p.index(chr(47))]}_calibrated', True), setattr(l, '_get_kernel_with_merged_lora', lambda: (None, None, l.kernel_zero)))[0])({made})"
            add(f"policy/{p.replace('/-1', '').replace('/', '_')}_{src}_{name}", made, x)
for p in ("int8", "int4/-1"):
    add(f"policy/{p.partition('/')[0]}_reverse", f"lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, dtype='{p}_from_float32', logit_soft_cap=3.0))", i(2, 3))
add("policy/int8_reverse_untied", "lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, tie_weights=False, dtype='int8_from_float32'))", i(2, 3))
add("policy/int4_reverse_blocks", "lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, dtype='int4/2_from_float32'))", i(2, 3))
add("policy/gptq_unsaved", "lambda x: (lambda l: (l(x), setattr(l, 'is_gptq_calibrated', True))[0])(L.Dense(3, dtype='gptq/4/2_from_float32'))", f(2, 4))

# -- weights by name, in the .h5 of Keras 3

for n, (expression, *xs) in enumerate((
        ("lambda x, h, c: L.LSTMCell(4)(x, [h, c])[0]", f(2, 3), f(2, 4), f(2, 4)),
        ("L.RNN(L.StackedRNNCells([L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), L.SimpleRNNCell(4)]), return_sequences=True)", f(2, 5, 3)),
        ("lambda x: L.MultiHeadAttention(2, 3, use_gate=True, attention_axes=(2,))(x, x)", f(2, 3, 4, 5)),
        ("L.STFTSpectrogram(frame_length=12, frame_step=5, fft_length=16)", f(1, 40, 1)),
        ("L.Dense(4, dtype='int8_from_float32')", f(2, 3)),
        ("L.Dense(4, dtype='int4/2_from_float32')", f(2, 4)),
        ("L.EinsumDense('abc,cd->abd', output_shape=(None, 4), bias_axes='d', dtype='int4/-1_from_float32')", f(2, 3, 4)),
        ("L.Embedding(10, 4, dtype='int4/2_from_float32')", i(2, 3)),
        ("lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, tie_weights=False))", i(2, 3)),
        ("lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4, tie_weights=False, dtype='int8_from_float32'))", i(2, 3)),
        ("L.Dense(4, dtype='float8_from_float32')", f(2, 3)),
        ("L.Bidirectional(L.ConvLSTM2D(3, 2, return_sequences=True))", f(2, 3, 5, 6, 2)),
        ("lambda x, m: L.ConvLSTM2D(3, 2, return_sequences=True)(x, mask=m)", f(2, 3, 5, 6, 2), given([[True, True, False], [True, False, False]])),
        ("L.TimeDistributed(L.Bidirectional(L.LSTM(3)))", f(2, 3, 4, 3)),
        ("L.TimeDistributed(L.TimeDistributed(L.Dense(2)))", f(2, 3, 4, 3)),
        ("L.SpectralNormalization(L.Conv2D(4, 3))", f(2, 5, 5, 3)),
        ("L.BatchNormalization(renorm=True)", f(2, 4)),
        ("L.Dense(4, dtype='mixed_float16')", f(2, 4)),
        ("lambda x: ops.median(ops.cross(x, x[:, ::-1]), axis=1)", f(2, 4, 3)),
        ("lambda x: ops.select([x > 1, x > 0], [x, x * 2], 0.5)", f(2, 4)),
        ("lambda x: ops.rearrange(x, 'a b c -> a (b c)')", f(2, 4, 3, batch=False)),
        ("lambda x: ops.segment_sum(x, np.array([0, 1]), num_segments=3)", f(2, 4, 3, batch=False)),
        ("lambda x: ops.where(ops.isin(x, np.array([1, 2])), x, 0)", i(2, 4)),
        ("lambda x, y: ops.fft2((x, y))[1]", f(2, 4, 5), f(2, 4, 5)))):
    add(f"h5/more_{n}", expression, *xs, h5=True)

# -- masks from layer to layer, shown by a mean or a last step

for n, (expression, *xs) in enumerate((
        ("lambda x: L.LSTM(3)(L.Conv1D(3, 2, padding='causal')(L.Masking()(x)))", holes()),
        ("lambda x: L.GRU(3, return_sequences=True)(L.LayerNormalization()(L.Masking()(x)))", holes()),
        ("lambda x: L.LSTM(3)(L.Concatenate(axis=1)([L.Masking()(x), L.Masking()(x)]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Concatenate()([L.Masking()(x), x]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Add()([L.Masking()(x), x]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Multiply()([L.Masking()(x), L.Masking(mask_value=1.0)(x)]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Permute((2, 1))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Reshape((5, 3))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.ZeroPadding1D(1)(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Activation('relu')(L.Dropout(0.2)(L.Masking()(x))))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Masking()(x) * 2)", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Rescaling(2.0)(L.Identity()(L.Masking()(x))))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.EinsumDense('abc,cd->abd', output_shape=(None, 2))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.TimeDistributed(L.Dense(2))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Bidirectional(L.LSTM(2, return_sequences=True))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalMaxPooling1D()(L.Masking()(x))", holes()),
        ("lambda x: L.Flatten()(L.Masking()(x))", holes()),
        ("lambda x: L.LSTM(3)(L.Attention()([L.Masking()(x), L.Masking()(x)]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()((lambda y: L.MultiHeadAttention(2, 3)(y, y))(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(K.Sequential([L.Masking(), L.Dense(3), L.Dropout(0.1)])(x))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(K.Sequential([L.Masking(), L.LSTM(3, return_sequences=True)])(x))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.RepeatVector(4)(L.LSTM(3)(L.Masking()(x))))", holes()),
        ("lambda x: L.LSTM(3, return_sequences=True)(L.LSTM(3, return_sequences=True, go_backwards=True)(L.Masking()(x)))", holes()),
        ("lambda x: L.Dot(axes=1)([L.Masking()(x), L.Masking()(x)])", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Average()([L.Masking()(x), L.Masking(mask_value=1.0)(x)]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Subtract()([L.Masking()(x), L.Masking(mask_value=1.0)(x)]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.PReLU()(L.SpatialDropout1D(0.3)(L.Masking()(x))))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Cropping1D(1)(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.MaxPooling1D(2)(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.UpSampling1D(2)(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Normalization(mean=0.5, variance=2.0)(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.SeparableConv1D(2, 2, padding='same')(L.Masking()(x)))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Embedding(5, 3, mask_zero=True)(L.Embedding(5, 1, mask_zero=True)(x)[..., 0]))", i(2, 4, high=3)),
        ("lambda x: L.GlobalAveragePooling1D()(L.AdditiveAttention()([L.Masking()(x), x]))", holes()),
        ("lambda x: L.GlobalAveragePooling1D()(L.Concatenate()([L.Embedding(5, 3, mask_zero=True)(x), L.Embedding(5, 2)(x)]))", i(2, 4, high=3)),
        ("lambda x: L.GlobalAveragePooling1D(keepdims=True)(L.Embedding(5, 3, mask_zero=True)(x))", i(2, 4, high=3)),
        ("lambda x: L.SimpleRNN(3)(L.RNN(L.GRUCell(3), return_sequences=True)(L.Masking()(x)))", holes()))):
    add(f"masks/{n}", expression, *xs, both=True)
for kind in ("Multiply", "Maximum", "Minimum", "Add", "Average", "Subtract"):
    add(f"{kind}/masks", f"lambda x: L.LSTM(3)(L.{kind}()([L.Masking()(x), L.Masking(mask_value=1.0)(x[:, ::-1])]))", holes(), both=True)
    add(f"{kind}/masks_value", f"lambda x: L.{kind}()([L.Masking()(x) + 0, L.Masking()(x)])", holes(), both=True)
    add(f"{kind}/one_mask", f"lambda x: L.{kind}()([L.Masking()(x), x[:, ::-1]])", holes(), both=True)
    add(f"{kind}/embeddings", f"lambda x, y: L.{kind}()([L.Embedding(6, 3, mask_zero=True)(x), L.Embedding(6, 3, mask_zero=True)(y)])", i(2, 5, high=4), i(2, 5, high=4), both=True)
    if kind != "Subtract":
        add(f"{kind}/three_masks", f"lambda x, y: L.{kind}()([L.Embedding(6, 3, mask_zero=True)(x), L.Embedding(6, 3)(y), L.Embedding(6, 3, mask_zero=True)(y)])", i(2, 5, high=4), i(2, 5, high=4))
