"""The modules of a written nn.Module: layers and tensors by dotted paths, as nested groups and lists."""
from __future__ import annotations

import keyword
from typing import Any

_RESERVED = frozenset(dir(dict)) | frozenset(
    "training forward parameters buffers modules children train eval half float double to cpu cuda type apply compile "
    "register_buffer register_parameter add_module state_dict load_state_dict zero_grad share_memory extra_repr "
    "named_parameters named_buffers named_modules named_children requires_grad_ get_parameter get_buffer "
    "get_submodule set_submodule dump_patches call_super_init T_destination bfloat16 ipu xpu mtia to_empty "
    "get_extra_state set_extra_state".split())


class Tree:
    """Paths such as "layer1.0.conv2", and the text that makes what is there."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self.grouped = False
        self._paths: set[str] = set()

    def free(self, path: str) -> str:
        """The path, or one like it that nothing is at, above or beneath."""
        path = ".".join(f"{p}_" if p in _RESERVED or keyword.iskeyword(p) or keyword.issoftkeyword(p) else p or "x"
                        for p in (part.lstrip("_") for part in path.split(".")))
        if any(path.startswith(p + ".") for p in self._paths):
            path = path.replace(".", "_")
        base, k = path, 1
        while any(path == p or path.startswith(p + ".") or p.startswith(path + ".") for p in self._paths):
            path = f"{base}_{k}"
            k += 1
        return path

    def add(self, path: str, make: str) -> None:
        """Puts what ``make`` makes at a path that is free."""
        self._paths.add(path)
        *parents, name = path.split(".")
        here = self.root
        for p in parents:
            here = here.setdefault(p, {})
        here[name] = make

    def _listed(self, group: dict[str, Any]) -> bool:
        """Whether a group is a list of modules: named 0, 1, 2, ..., without tensors."""
        return [*group] == [str(k) for k in range(len(group))] and not any(
            isinstance(v, str) and v.startswith(("nn.Parameter(", "torch.")) for v in group.values())

    def access(self, path: str) -> str:
        """The expression behind ``self.`` for what is at a path."""
        here: Any = self.root
        out = ""
        for p in path.split("."):
            if out and isinstance(here, dict) and self._listed(here):
                out += f"[{p}]"
            elif p.isidentifier() and not keyword.iskeyword(p):
                out += f".{p}" if out else p
            else:  # a name that only getattr takes
                made = here.get(p)
                what = "get_buffer" if isinstance(made, str) and made.startswith("torch.") else "get_parameter" \
                    if isinstance(made, str) and made.startswith("nn.Parameter(") else "get_submodule"
                out = f"{out}.{what}({p!r})" if out else f"{what}({p!r})"
            here = here[p]
        return out

    def lines(self) -> list[str]:
        """The statements of ``__init__``."""
        out: list[str] = []
        for name, made in self.root.items():
            if isinstance(made, dict):
                out += self._group(f"        self.{name} = ", made, "        ", "")
            elif made.startswith("torch."):
                out.append(f'        self.register_buffer("{name}", {made})')
            else:
                out.append(f"        self.{name} = {made}")
        return out or ["        pass"]

    def _group(self, head: str, group: dict[str, Any], indent: str, tail: str) -> list[str]:
        if self._listed(group):
            out, names = [f"{head}nn.ModuleList(["], [""] * len(group)
            end = "])"
        elif all(k.isidentifier() and not keyword.iskeyword(k) and k != "self" for k in group):
            self.grouped = True
            out, names, end = [f"{head}Group("], [f"{k}=" for k in group], ")"
        else:
            self.grouped = True
            out, names, end = [f"{head}Group(**{{"], [f'"{k}": ' for k in group], "})"
        for name, made in zip(names, group.values(), strict=True):
            if isinstance(made, dict):
                out += self._group(f"{indent}    {name}", made, indent + "    ", ",")
            else:
                out.append(f"{indent}    {name}{made},")
        return [*out, f"{indent}{end}{tail}"]
