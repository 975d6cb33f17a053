"""A report put to the test again: are these the files, and do they still give the same verdict?"""
from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..codecs.limits import DEFAULT, Limits
from ..errors import UsageError, VerificationFailed, printable
from .report import Report, load, record
from .sides import inside, side
from .verify import verify


@dataclass(frozen=True)
class Rerun:
    """A report made anew: ``same`` if verdict and level are those of the old one, ``remarks`` on what is not."""

    report: Report
    same: bool
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the verdict is the old one, and nothing speaks against the conversion."""
        return self.same and self.report.ok

    def to_json(self) -> str:
        """The new report as canonical JSON."""
        return self.report.to_json()

    def text(self) -> str:
        """A line of judgement, then the new report."""
        head = "same verdict" if self.same else "ANOTHER VERDICT"
        return "\n".join([head, *(f"  {r}" for r in self.remarks), self.report.text()])


def rerun(path: str | os.PathLike[str], *, source: Path | None = None, target: Path | None = None,
          sample: Path | None = None, isolated: bool = True, limits: Limits = DEFAULT) -> Rerun:
    """Recomputes the digests of the files that a report names and runs its suite again.

    Files are looked for where the report says, then beside the report; ``source``, ``target`` and ``sample`` say
    otherwise. Raises :class:`UsageError` if one is missing, :class:`VerificationFailed` if one is not the file of the
    report."""
    data = load(path)
    signed, unsigned = data["signed"], data.get("unsigned", {})
    paths = unsigned.get("paths", {})
    folder = Path(path).parent
    try:
        files = [_find(role, given, signed[role]["files"], str(paths.get(role, "")), folder)
                 for role, given in (("source", source), ("target", target))]
        options, was = signed["suite"], (str(signed["verdict"]), str(signed["level"]))
        rows = sample or (Path(paths["sample"]) if paths.get("sample") else None)
        golden = tuple(Path(g) for g in paths.get("golden", ()))
        how: dict[str, Any] = {"level": str(options["level"]), "suite_level": str(options["suite"]),
                               "seed": int(options["seed"]), "lower": str(options["lower"]) or None,
                               "retyped": bool(options.get("retyped")),
                               "threads": int(options["threads"]), "device": str(options["device"]),
                               "optimize": bool(options["optimize"])}
    except (KeyError, TypeError, ValueError) as e:
        raise UsageError(f"{printable(path)} is no complete report ({type(e).__name__}: {e})") from None
    for file, role in zip(files, ("source", "target"), strict=True):
        _same_files(file, signed[role], role)
    report = verify(files[0], files[1], sample=rows, golden=(golden[0], golden[1]) if len(golden) == 2 else None,
                    isolated=isolated, limits=limits, **how)
    remarks = []
    now = (report.verdict, report.level)
    if now != was:
        remarks.append(f"the report says {was[0]} ({was[1]}), now it is {now[0]} ({now[1]})")
    if report.suite["feeds_sha256"] != options.get("feeds_sha256"):
        remarks.append("the inputs are not those of the report: another version of numpy or of modelport makes them")
    remarks += _runtimes(signed, report)
    return Rerun(report, now == was, tuple(remarks))


def _find(role: str, given: Path | None, files: list[Mapping[str, Any]], recorded: str, folder: Path) -> Path:
    if not files:
        raise UsageError(f"the {role} of the report was no file; it cannot be run again")
    name = Path(str(files[0]["name"]).split("/")[0]).name  # of a folder the files inside are recorded
    for candidate in (given, Path(recorded) if recorded else None, folder / name):
        if candidate is not None and candidate.exists():
            return candidate
    raise UsageError(f"the {role} '{printable(name)}' of the report is not here", hint=f"name it with --{role}")


def _same_files(path: Path, signed: Mapping[str, Any], role: str) -> None:
    """Whether the files have the digests of the report; the main file before the reader sees it."""
    wanted = [(str(f["name"]), str(f["sha256"])) for f in signed["files"]]
    if path.is_dir():
        name = wanted[0][0].partition("/")[0]
        if [(f.name, f.sha256) for f in inside(path, name)] != wanted:
            raise VerificationFailed(f"{printable(path)} is not the {role} of the report: its files are others")
        return
    if record(path).sha256 != wanted[0][1]:
        raise VerificationFailed(f"{printable(path)} is not the {role} of the report: its sha256 is another")
    have = {f.name: f.sha256 for f in side(path).files()[1:]}
    for name, digest in wanted[1:]:
        if have.get(name) != digest:
            raise VerificationFailed(f"'{printable(name)}' beside {printable(path)} is not the file of the report")


def _runtimes(signed: Mapping[str, Any], report: Report) -> list[str]:
    out = []
    for role, now in (("source", report.source), ("target", report.target)):
        was = signed[role]
        if (was.get("runtime"), was.get("version")) != (now.runtime, now.version):
            out.append(f"the {role} ran on {printable(was.get('runtime'))} {printable(was.get('version'))}, "
                       f"now on {now.runtime} {now.version}")
    return out
