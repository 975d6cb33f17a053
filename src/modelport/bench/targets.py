"""Where a file can be deployed: yes or no, each with its reason, from facts about formats and from limits.

The facts are those of the documentation that :data:`SOURCES` names, read in November 2026.  Nothing here is measured;
what can be measured is in the table beside it."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..describe import peak
from ..hub.opset import split
from ..ir.graph import Graph
from ..proof.sides import Side

TARGETS: Mapping[str, str] = {"cloud": "cloud", "ios": "iOS", "android": "Android",
                              "edge": "edge (Raspberry Pi, Linux)", "jetson": "Jetson", "browser": "browser",
                              "mcu": "microcontroller"}
"""Names on the command line and titles."""

SOURCES: Mapping[str, str] = {
    "onnx": "onnxruntime.ai: install, mobile, web/large-models; docs.nvidia.com: TensorRT operators",
    "tflite": "ai.google.dev/edge/litert: android, ios, web/get_started; tflite-micro: the resolver of all operators",
    "tensorflow": "tensorflow.org/tfx/guide/serving",
    "tfjs": "tensorflow.org/js: platform and environment, React Native",
    "keras": "keras.io: serialization and saving", "torch": "docs.pytorch.org: torch.export",
    "torchscript": "docs.pytorch.org: jit; pytorch.org/mobile", "torch-source": "docs.pytorch.org",
    "executorch": "docs.pytorch.org/executorch: edge platforms",
    "sklearn": "scikit-learn.org: model persistence", "xgboost": "xgboost.readthedocs.io: model IO, JVM package",
    "lightgbm": "lightgbm.readthedocs.io: installation", "catboost": "catboost.ai: applying models",
}

FLASH = 2_000_000
"""Bytes of a large microcontroller's program memory (STM32H7, nRF5340, RP2040 boards have 1 to 2 MB)."""
RAM = 1_000_000
"""Bytes of a large microcontroller's working memory (STM32H7: 1 MB)."""
ARRAY = 0x7FE00000
"""Bytes that one ArrayBuffer of Chrome holds at most: a file that is fetched is one."""

MICRO = frozenset("""ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE
DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD
FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS
LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL
NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE""".split())
"""The builtin operators that TensorFlow Lite Micro has kernels of (the build of 2026-10-23)."""

TENSORRT = frozenset("""Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
BatchNormalization BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu Clip Concat Constant ConstantOfShape
Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike
Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If
InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual LinearAttention Log
LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow QuantizeLinear RMSNormalization RNN RandomNormal
RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign
RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice
Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile
TopK Transpose Trilu Unsqueeze Upsample Where Xor""".split())
"""The ONNX operators that NVIDIA's parser reads (of TensorRT for RTX 1.7; that of TensorRT 10 is the same source)."""

Answer = tuple[bool, str]
Check = Callable[[Side, int], "Answer | None"]


@dataclass(frozen=True)
class Rule:
    """What is true of every file of a format, and a check of what is not."""

    able: bool
    why: str
    check: Check | None = None


def deploys(s: Side, size: int, format: str = "") -> dict[str, Answer]:
    """For each target whether a file of ``size`` bytes can be deployed there, and why."""
    rules = RULES.get(format or s.format, {})
    return {t: _answer(rules.get(t, Rule(False, "nothing is known of this format there")), s, size) for t in TARGETS}


def _answer(rule: Rule, s: Side, size: int) -> Answer:
    found = rule.check(s, size) if rule.check is not None else None
    return found if found is not None else (rule.able, rule.why)


def dynamic(graph: Graph) -> bool:
    """Whether a size of an input is free."""
    return any(not isinstance(d, int) for v in graph.inputs.values()
               for d in ((None,) if v.shape is None else v.shape))


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _fetched(s: Side, size: int) -> Answer | None:
    """What one ArrayBuffer holds."""
    return (False, f"{size / 1e9:.1f} GB: a browser's ArrayBuffer ends at 2 GB") if size > ARRAY else None


def _litert_web(s: Side, size: int) -> Answer | None:
    if dynamic(s.graph):
        return False, "LiteRT.js takes no free sizes: convert with --batch 1 or --shape"
    return _fetched(s, size)


def _micro(s: Side, size: int) -> Answer | None:
    used = {n.op.rpartition(".")[2] for n in s.raw.walk()} if s.raw is not None else set()
    if lacking := sorted(used - MICRO):
        return False, f"TensorFlow Lite Micro has no kernel of {_few(lacking)}"
    if dynamic(s.graph):
        return False, "TensorFlow Lite Micro plans its memory beforehand: convert with --batch 1 or --shape"
    if size > FLASH:
        return False, f"{size / 1e6:.1f} MB: a large microcontroller has {FLASH / 1e6:g} MB of flash"
    needed = peak(s.raw or s.graph) or 0  # in the file's own element types
    if needed > RAM:
        return False, (f"activations take {needed / 1e6:.1f} MB at once: a large microcontroller has {RAM / 1e6:g} MB "
                       "of RAM")
    return True, (f"TensorFlow Lite Micro has all its operators; {size / 1e3:.0f} kB of flash, activations of "
                  f"{needed / 1e3:.1f} kB at least")


def _served(s: Side, size: int) -> Answer | None:
    if s.path is not None and not s.path.is_dir():
        return True, "TensorFlow in Python or C++; TensorFlow Serving takes SavedModels: convert to .savedmodel"
    return None


def _executorch_micro(s: Side, size: int) -> Answer | None:
    return (False, f"{size / 1e6:.1f} MB: a large microcontroller has {FLASH / 1e6:g} MB of flash") \
        if size > FLASH else None


def _tensorrt(s: Side, size: int) -> Answer | None:
    names = {split(n.op) for n in s.graph.walk()}
    lacking = sorted({n for d, n in names if d not in ("", "ai.onnx") or n not in TENSORRT})
    if not lacking:
        return None
    return True, f"by ONNX Runtime; TensorRT's parser has no {_few(lacking)}, which stays on the processor"


_SERVED = "served by ONNX Runtime, Triton and KServe"
_LIBRARY = "{} is a Python and C++ library for servers; it has no release for it"


def _library(name: str, cloud: str, edge: str) -> dict[str, Rule]:
    """A format that only its own library on a computer reads."""
    no = Rule(False, _LIBRARY.format(name))
    return {"cloud": Rule(True, cloud), "edge": Rule(True, edge), "jetson": Rule(True, f"{edge}; on the processor"),
            "ios": no, "android": no, "browser": no, "mcu": no}


_RULES: Mapping[str, Mapping[str, Rule]] = {
    "onnx": {
        "cloud": Rule(True, _SERVED), "ios": Rule(True, "the onnxruntime-c and -objc packages, with Core ML"),
        "android": Rule(True, "the onnxruntime-android package, with NNAPI and XNNPACK"),
        "edge": Rule(True, "onnxruntime has wheels for 64-bit ARM"),
        "jetson": Rule(True, "TensorRT builds its engine from it on the device", _tensorrt),
        "browser": Rule(True, "onnxruntime-web, 14 MB of WebAssembly", _fetched),
        "mcu": Rule(False, "ONNX Runtime needs an operating system")},
    "tflite": {
        "cloud": Rule(True, "LiteRT has wheels for servers; few serving systems take it"),
        "ios": Rule(True, "the TensorFlowLiteSwift packages, with Core ML"),
        "android": Rule(True, "the litert package, on processor, graphics and neural units"),
        "edge": Rule(True, "ai-edge-litert has wheels for 64-bit ARM"),
        "jetson": Rule(True, "LiteRT on the processor; TensorRT does not read it"),
        "browser": Rule(True, "LiteRT.js, 9.5 MB of WebAssembly", _litert_web),
        "mcu": Rule(True, "", _micro)},
    "tensorflow": {
        "cloud": Rule(True, "TensorFlow Serving, Vertex AI and SageMaker take SavedModels", _served),
        "ios": Rule(False, "TensorFlow has no runtime for it but LiteRT: convert to .tflite"),
        "android": Rule(False, "TensorFlow has no runtime for it but LiteRT: convert to .tflite"),
        "edge": Rule(True, "tensorflow has wheels for 64-bit ARM, of some 600 MB installed"),
        "jetson": Rule(True, "by NVIDIA's builds of TensorFlow; TensorRT reads ONNX"),
        "browser": Rule(False, "TensorFlow.js reads its own form: convert to .tfjs"),
        "mcu": Rule(False, "TensorFlow needs an operating system")},
    "keras": {
        "cloud": Rule(True, "Keras and a backend in Python; TensorFlow Serving takes SavedModels instead"),
        **{t: Rule(False, "Keras is a Python library; convert to .tflite or .onnx") for t in ("ios", "android")},
        "edge": Rule(True, "Keras and a backend have wheels for 64-bit ARM"),
        "jetson": Rule(True, "by NVIDIA's builds of a backend; TensorRT reads ONNX"),
        "browser": Rule(False, "TensorFlow.js reads its own form: convert to .tfjs"),
        "mcu": Rule(False, "Keras needs Python")},
    "tfjs": {
        "cloud": Rule(True, "TensorFlow.js in Node"),
        **{t: Rule(False, "TensorFlow.js runs in a web view or in React Native only: convert to .tflite")
           for t in ("ios", "android")},
        "edge": Rule(True, "TensorFlow.js in Node"), "jetson": Rule(True, "TensorFlow.js in Node, on the processor"),
        "browser": Rule(True, "TensorFlow.js, 1.5 MB of script and 0.4 MB of WebAssembly"),
        "mcu": Rule(False, "TensorFlow.js needs a browser or Node")},
    "torch": {
        "cloud": Rule(True, "PyTorch; AOTInductor compiles it"),
        **{t: Rule(False, "PyTorch Mobile has ended; convert to .pte") for t in ("ios", "android")},
        "edge": Rule(True, "torch has wheels for 64-bit ARM"),
        "jetson": Rule(True, "by NVIDIA's builds of PyTorch, and Torch-TensorRT"),
        "browser": Rule(False, "PyTorch has no runtime for it: convert to .onnx"),
        "mcu": Rule(False, "PyTorch needs an operating system: convert to .pte")},
    "executorch": {
        "cloud": Rule(True, "the executorch wheel; made for devices"), "ios": Rule(True, "the executorch package"),
        "android": Rule(True, "the executorch-android package"),
        "edge": Rule(True, "ExecuTorch builds on 64-bit ARM"),
        "jetson": Rule(True, "ExecuTorch on the processor"),
        "browser": Rule(False, "ExecuTorch has no release for it: convert to .onnx"),
        "mcu": Rule(True, "ExecuTorch's portable kernels run without an operating system on Cortex-M",
                    _executorch_micro)},
    "sklearn": _library("scikit-learn", "scikit-learn in Python; a pickle runs code when opened",
                        "scikit-learn has wheels for 64-bit ARM"),
    "xgboost": _library("XGBoost", "XGBoost in Python, C or on the JVM; Triton takes it",
                        "xgboost has wheels for 64-bit ARM"),
    "lightgbm": _library("LightGBM", "LightGBM in Python or C; Triton takes it", "lightgbm has wheels for 64-bit ARM"),
    "catboost": _library("CatBoost", "CatBoost in Python, C or on the JVM", "catboost has wheels for 64-bit ARM"),
}
RULES: Mapping[str, Mapping[str, Rule]] = {
    **_RULES,
    "torchscript": {**_RULES["torch"], "cloud": Rule(True, "LibTorch in C++, Triton; TorchScript is deprecated")},
    "torch-source": {**_RULES["torch"], "cloud": Rule(True, "PyTorch in Python")}}
