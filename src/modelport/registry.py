"""The one list of formats: names, suffixes and signatures as data; a module is imported when it is asked for.

Others add formats through the entry point group ``modelport.formats`` (an object with the attributes of
:class:`Format`); the group is consulted only for names, suffixes and signatures that this list lacks."""
from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from .errors import CorruptFile, ModelportError, UnknownFormat, UsageError, printable

if TYPE_CHECKING:
    from .codecs.limits import Limits
    from .ir.graph import Graph


class FormatModule(Protocol):
    """What the package of a format offers; ``from_hub`` and ``write`` only where ``Format.writes``."""

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether the first bytes (at most 4096) look like this format."""

    def read(self, path: Path, limits: Limits = ..., **options: Any) -> Graph:
        """The file as a raw graph, in the source's own operators."""

    def to_hub(self, raw: Graph) -> Graph:
        """A raw graph as a hub graph."""

    def from_hub(self, hub: Graph, **options: Any) -> Graph:
        """A hub graph as a raw graph of this format."""

    def write(self, raw: Graph, path: Path, **options: Any) -> None:
        """Writes a raw graph; companions go beside ``path``."""


@dataclass(frozen=True)
class Format:
    """One file family.  ``magic`` are signatures, each ``(offset, bytes)``, that its files may begin with; ``folder``
    the files of which one makes a folder a model of this format; ``layout`` is ``first`` if its operators are channels
    first, else ``""``.

    ``runtime`` names the runtime that is asked first (an entry of :data:`modelport.runtimes.RUNTIMES`), ``framework``
    the original framework where that is another one, too heavy to be started unasked; ``options`` are the options of
    reading and writing that this format understands.  ``doubles``: its models compute in double precision because all
    of the library does, so that a target without it gets them in float32 unasked (with a note)."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    module: str
    reads: bool = True
    writes: bool = False
    magic: tuple[tuple[int, bytes], ...] = ()
    folder: tuple[str, ...] = ()
    layout: str = ""
    runtime: str = ""
    framework: str = ""
    doubles: bool = False
    read_options: tuple[str, ...] = ()
    write_options: tuple[str, ...] = ()
    passes: str = "default"
    """What is done to a graph before it is written, unless other passes are asked for."""

    def load(self) -> FormatModule:
        """The format's package."""
        return cast(FormatModule, importlib.import_module(self.module))


FORMATS: tuple[Format, ...] = (  # formats with a signature first: it says more than a suffix
    Format("tflite", "TensorFlow Lite", (".tflite", ".lite"), "modelport.formats.tflite", magic=((4, b"TFL3"),),
           writes=True, runtime="tflite", read_options=("signature", "state"),
           write_options=("float16", "float32", "recurrent")),
    Format("onnx", "ONNX", (".onnx",), "modelport.formats.onnx", writes=True, layout="first", runtime="onnxruntime",
           write_options=("opset", "external_data", "zipmap", "fast")),
    Format("tensorflow", "TensorFlow", (".pb", ".pbtxt", ".meta", ".savedmodel"), "modelport.formats.tensorflow",
           folder=("saved_model.pb", "saved_model.pbtxt"), runtime="graphdef", framework="tensorflow",
           writes=True, read_options=("signature", "tags", "inputs", "outputs", "state"),
           write_options=("trainable",)),
    Format("tfjs", "TensorFlow.js", (".tfjs",), "modelport.formats.tfjs", magic=((0, b"{"),), folder=("model.json",),
           writes=True, runtime="tfjs", read_options=("inputs", "outputs"), write_options=("float32", "quantize")),
    Format("keras", "Keras", (".keras", ".h5", ".hdf5"), "modelport.formats.keras",
           magic=((0, b"\x89HDF\r\n\x1a\n"), (0, b"PK\x03\x04")), folder=("model.weights.h5",), writes=True,
           framework="keras", read_options=("weights", "state")),
    Format("torch", "PyTorch", (".pt2", ".pt", ".pth", ".ptl", ".jit", ".th", ".safetensors"),
           "modelport.formats.torch", layout="first", framework="torch", writes=True,
           magic=((0, b"PK\x03\x04"), (2, b"\x8a\nl\xfc\x9cF"), (11, b"\x8a\nl\xfc\x9cF"), (8, b"{")),
           folder=("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json",
                   "pytorch_model.bin.index.json"),
           read_options=("inputs", "module", "state")),
    Format("torchscript", "TorchScript", (), "modelport.formats.torch.torchscript", layout="first", reads=False,
           writes=True, framework="torch"),
    Format("torch-source", "PyTorch source", (".py",), "modelport.formats.torch.source", layout="first", reads=False,
           writes=True, framework="torch",  # norms stay layers of their own
           passes="fold,clean,fuse_matmul,fuse_blocks,fuse_attention,fold,clean"),
    Format("executorch", "ExecuTorch", (".pte",), "modelport.formats.executorch", magic=((4, b"ET"),), layout="first",
           writes=True, framework="executorch"),
    Format("sklearn", "scikit-learn", (".pkl", ".pickle", ".joblib", ".sav", ".skops"), "modelport.formats.sklearn",
           magic=tuple((0, m) for m in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"c", b"(", b"]", b"}",
                                        b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x78", b"ZF0x",
                                        b"\x04\x22\x4d\x18", b"PK\x03\x04")),
           writes=True, framework="sklearn", doubles=True, read_options=("inputs", "outputs", "split_at")),
    Format("xgboost", "XGBoost", (".ubj", ".json", ".model", ".bst", ".xgb"), "modelport.formats.xgboost",
           magic=tuple((0, m) for m in (b"{", b"binf", b"bs64", b"\x00\x05_cls_", b"\x00\x05_reg_")),
           writes=True, runtime="trees", framework="xgboost", read_options=("outputs",),
           write_options=("schema", "float32")),
    Format("lightgbm", "LightGBM", (".txt", ".lgb", ".json"), "modelport.formats.lightgbm",
           magic=((0, b"tree\n"), (0, b"tree\r\n"), (0, b"{")), writes=True, runtime="trees", framework="lightgbm",
           doubles=True, read_options=("outputs",)),
    Format("catboost", "CatBoost", (".cbm", ".json"), "modelport.formats.catboost",
           magic=((0, b"CBM1"), (0, b"{")), runtime="trees", framework="catboost", read_options=("outputs",)),
)

_LOOKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "a zip archive (PyTorch .pt, .pt2, Core ML .mlpackage)"),
    (0, b"\x80\x02", "a Python pickle"), (0, b"\x80\x03", "a Python pickle"), (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"), (0, b"\x1f\x8b", "a gzip file"), (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ", "an xz file"), (0, b"binf", "an XGBoost binary model"), (0, b"bs64", "an XGBoost binary model"),
    (0, b"CBM1", "a CatBoost model"), (0, b"tree\n", "a LightGBM model"), (4, b"ET", "an ExecuTorch program"),
    (0, b"\x7fELF", "a program"), (0, b"%PDF", "a PDF document"), (0, b"\x89PNG", "a picture"),
    (0, b"GGUF", "a GGUF file"), (0, b"{", "JSON text"), (0, b"<", "HTML or XML text"),
)


def formats() -> Iterator[Format]:
    """Every format of the list, then those of installed plug-ins, which are not looked for before the list ends."""
    yield from FORMATS
    yield from _plugins()


def _plugins() -> Iterator[Format]:
    from importlib.metadata import entry_points
    for point in entry_points(group="modelport.formats"):
        yield cast(Format, point.load())


def named(name: str) -> Format:
    """The format of that name, or :class:`UsageError`."""
    for f in formats():
        if f.name == name:
            return f
    raise UsageError(f"there is no format '{printable(name)}'",
                     hint=f"formats: {', '.join(f.name for f in formats())}")


def for_suffix(path: Path) -> Format | None:
    """The format that files of this suffix usually have."""
    return _first(lambda f: path.suffix.lower() in f.suffixes)


def _first(test: Callable[[Format], bool]) -> Format | None:
    return next((f for f in formats() if test(f)), None)


def detect(path: Path) -> Format:
    """The format of an existing file, by its content; the suffix only settles what the content leaves open.

    Raises :class:`UnknownFormat` saying what the file looks like, :class:`CorruptFile` if it is an archive that was cut
    off, or :class:`UsageError` if there is no such file."""
    if not path.exists():
        raise UsageError(f"there is no file {printable(path)}")
    if path.is_dir():
        found = _first(lambda f: any((path / name).is_file() for name in f.folder))
        if found is None:
            raise UnknownFormat(f"{printable(path)} is a folder without a model that modelport knows; it reads "
                                f"{_readable()}")
        return found
    if not path.is_file():
        raise UnknownFormat(f"{printable(path)} is not a regular file")
    try:
        with open(path, "rb") as f:
            head = f.read(4096)
    except OSError as e:
        raise UsageError(f"cannot read {printable(path)}: {e.strerror}") from None
    if not head:
        raise UnknownFormat(f"{printable(path)} is empty")
    look = next((what for at, magic, what in _LOOKS if head[at:at + len(magic)] == magic), None)
    found = _fitting(FORMATS, path, head, look) or _fitting(tuple(_plugins()), path, head, look)
    if found is not None:
        return found
    if head.startswith(b"PK\x03\x04") and _cut_off(path):
        raise CorruptFile(f"{printable(path)} is a zip archive without its end: the file is cut off",
                          hint="copy or download it again")
    if head.startswith(b"version https://git-lfs"):
        look = "a Git LFS pointer, not the model itself; fetch it with 'git lfs pull'"
    what = f"looks like {look}" if look else f"starts with the bytes {head[:8].hex(' ')}"
    raise UnknownFormat(f"{printable(path)} {what}; modelport reads {_readable()} so far",
                        hint="if you know better, name the format with --from")


def _cut_off(path: Path) -> bool:
    import zipfile
    return not zipfile.is_zipfile(path)


def _fitting(known: tuple[Format, ...], path: Path, head: bytes, look: str | None) -> Format | None:
    """The format that a file has by its signature and insides; of a container of several the suffix is asked first."""
    suffix = path.suffix.lower()
    signed = [f for f in known if any(head[at:at + len(magic)] == magic for at, magic in f.magic)]
    able = sorted(signed or ([f for f in known if not f.magic or suffix in f.suffixes] if look is None else []),
                  key=lambda f: suffix not in f.suffixes)
    found = next((f for f in able if _sniffs(f, head, path)), None)
    return found or (next((f for f in able if suffix in f.suffixes), None) if look is None else None)


def _sniffs(f: Format, head: bytes, path: Path) -> bool:
    try:
        return f.load().sniff(head, path)
    except ModelportError:
        return False


def _readable() -> str:
    titles = [f.title + (f" ({f.suffixes[0]})" if f.suffixes else "") for f in formats() if f.reads]
    return " and ".join(filter(None, [", ".join(titles[:-1]), titles[-1]]))
