"""What each verb prints."""
from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from .. import api, registry
from ..codecs.atomic import size, writing
from ..codecs.limits import DEFAULT, Limits
from ..errors import ModelportError, UnsupportedModel, UsageError, printable
from ..notes import lines
from .main import Progress, parser

NOT_COMPARED = 7
"""The exit code of ``verify`` where nothing could be compared: a gate must not take that for agreement."""


def _limits(options: Namespace) -> Limits:
    out = DEFAULT
    names = {f.name for f in fields(Limits)}
    for item in options.limit:
        name, _, number = item.partition("=")
        if name not in names or not re.fullmatch("[0-9]+(_[0-9]+)*", number):
            raise UsageError(f"--limit {printable(item)}: expected NAME=NUMBER",
                             hint=f"names: {', '.join(sorted(names))}")
        out = replace(out, **{name: int(number)})
    return out


def _dimension(text: str) -> int | str:
    text = text.strip()
    if re.fullmatch("-?[0-9]+", text):
        return int(text)
    if not text.isidentifier():
        raise UsageError(f"'{printable(text)}' is neither a number nor a name of a dimension")
    return text


def _shapes(items: list[str]) -> dict[str, tuple[int | str, ...]]:
    out = {}
    for item in items:
        name, equals, dims = item.rpartition("=")
        if not equals or not name:
            raise UsageError(f"--shape {printable(item)}: expected INPUT=1,3,224,224")
        out[name] = tuple(_dimension(d) for d in dims.split(",") if d.strip())
    return out


def _read_options(options: Namespace) -> dict[str, Any]:
    lists = {k: tuple(re.split(r",(?![^\[]*\])", v)) for k in ("tags", "inputs", "outputs")
             if (v := getattr(options, k)) is not None}
    texts = ("signature", "weights", "state", "split_at", "module")
    return {**{k: v for k in texts if (v := getattr(options, k)) is not None}, **lists}


def _save(text: str, path: str) -> None:
    with writing(path, force=True) as f:
        f.write(text.encode("utf-8"))


def _check_report(options: Namespace) -> None:
    """Refuses a report that could not be written, or would overwrite a model, before the work is done."""
    if options.report is None:
        return
    path = Path(options.report)
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {printable(path.parent)}", hint="--report writes there")
    for model in (options.source, options.target):
        if path == Path(model) or (path.exists() and Path(model).exists() and path.samefile(model)):
            raise UsageError(f"--report {printable(path)} would overwrite a model")


def completion(options: Namespace) -> int:
    from .completion import script
    print(script(options.shell, parser()))
    return 0


def convert(options: Namespace) -> int:
    _check_report(options)
    progress = Progress()
    write = {"opset": options.opset, "external_data": options.external_data, "float16": options.float16,
             "float32": options.float32, "recurrent": options.recurrent, "trainable": options.trainable,
             "quantize": options.quantize, "zipmap": options.zipmap, "fast": options.fast, "schema": options.schema}
    try:
        done = api.convert(
            options.source, options.target, to=options.to, format=options.format, passes=options.passes,
            shapes=_shapes(options.shape), batch=None if options.batch is None else _dimension(options.batch),
            verify=None if options.no_verify else "prove" if options.prove else "auto", force=options.force,
            strict=options.strict, limits=_limits(options), read=_read_options(options), seed=options.seed,
            sample=options.sample, golden=options.golden, layout=_layouts(options.layout), progress=progress,
            **write)
    except ModelportError as e:
        report = getattr(e, "report", None)
        if report is not None and options.report:
            _save(report.to_json(), options.report)
        raise
    finally:
        progress.done()
    if options.report and done.report is not None:
        _save(done.report.to_json(), options.report)
    if options.json:
        print(json.dumps({
            "path": str(done.path), "bytes": size(done.path), "notes": [str(n) for n in done.notes],
            "seconds": {k: round(v, 3) for k, v in done.seconds.items()},
            "report": None if done.report is None else json.loads(done.report.to_json())}, indent=2, sort_keys=True))
        return 0
    for line in lines(done.notes):
        print(printable(line, 500), file=sys.stderr)
    seconds = sum(done.seconds.values())
    print(f"{done.path}: {size(done.path):,} bytes, {seconds:.2f} s")
    print(done.report.text() if done.report is not None else "not verified")
    return 0


def rescue(options: Namespace) -> int:
    from ..rescue import diagnose
    source, limits = Path(options.source), _limits(options)
    found = diagnose(source, limits)
    if not options.json:
        print(found.text(), flush=True)
    target = Path(options.target) if options.target else source.with_suffix(found.suffix)
    progress = Progress()
    try:
        done = api.convert(source, target, force=options.force, limits=limits, progress=progress,
                           verify="prove" if options.prove else "auto")
    finally:
        progress.done()
    if options.json:
        print(json.dumps({"written": found.written, "obstacles": found.obstacles, "path": str(done.path),
                          "report": None if done.report is None else json.loads(done.report.to_json())}, indent=2,
                         sort_keys=True))
        return 0
    for line in lines(done.notes):
        print(printable(line, 500), file=sys.stderr)
    print(f"{done.path}: {size(done.path):,} bytes")
    print(done.report.text() if done.report is not None else "not verified")
    return 0


def _layouts(given: list[str]) -> dict[str, str] | None:
    """``nhwc`` for all inputs, ``NAME=nhwc`` for one."""
    return {name: order for name, _, order in (g.rpartition("=") for g in given)} or None


def inspect(options: Namespace) -> int:
    limits = _limits(options)
    if options.target:
        problem = api.obstacles(options.source, options.target, limits=limits,
                                **({"opset": options.opset} if options.opset else {}))
        title = registry.named(options.target).title
        if options.json:
            found = () if problem is None else problem.problems
            print(json.dumps({"format": options.target, "fits": problem is None, "problems": [
                {"op": p.op, "reason": p.reason, "where": p.where} for p in found]}, indent=2, sort_keys=True))
        elif problem is None:
            print(f"{printable(options.source)} can be written as {title}")
        else:
            print(problem)
            for p in problem.problems:
                print(f"  {printable(p.where)}: {printable(p.op)}: {printable(p.reason)}")
        return 0 if problem is None else UnsupportedModel.exit_code
    if options.graph:
        if options.hub:
            print(api.load(options.source, limits=limits, **_read_options(options)).graph)
        else:
            path = Path(options.source)
            print(registry.detect(path).load().read(path, limits, **_read_options(options)))
        return 0
    summary = api.inspect(options.source, limits=limits, **_read_options(options))
    print(summary.to_json() if options.json else summary.text())
    return 0


def verify(options: Namespace) -> int:
    limits, level = _limits(options), "prove" if options.prove else "auto"
    if options.rerun:
        from ..proof import rerun
        again = rerun(Path(options.rerun), limits=limits)
        print(again.to_json() if options.json else again.text())
        return 0 if again.ok else 1
    if options.source is None or options.target is None:
        raise UsageError("verify takes two files, or --rerun REPORT.json")
    _check_report(options)
    progress = Progress()
    progress("verify")
    try:
        report = api.verify(options.source, options.target, level=level, seed=options.seed, sample=options.sample,
                            golden=options.golden, limits=limits)
    finally:
        progress.done()
    if options.report:
        _save(report.to_json(), options.report)
    print(report.to_json() if options.json else report.text())
    if not report.ok and options.bisect:
        from ..proof import bisect
        found = bisect(api.load(options.source, limits=limits), Path(options.target), repro=Path(options.bisect),
                       seed=options.seed, limits=limits)
        print("no layer could be singled out" if found is None else found.text())
    return {"pass": 0, "fail": 1}.get(report.verdict, NOT_COMPARED)


def diff(options: Namespace) -> int:
    found = api.diff(options.source, options.target, limits=_limits(options))
    print(found.to_json() if options.json else found.text())
    return 0 if found.same else 1


def _how(options: Namespace) -> Any:
    from .. import bench
    from ..bench import How, files
    models = options.files if options.verb == "bench" else [options.source]
    for path in map(Path, options.report):
        files.check(path)
        if any(path == Path(m) or (path.exists() and Path(m).exists() and path.samefile(m)) for m in models):
            raise UsageError(f"--report {printable(path)} would overwrite a model")
    if options.verb != "recommend":
        if options.fail_if_slower and not options.baseline:
            raise UsageError("--fail-if-slower compares with --baseline REPORT.json")
        if options.baseline:
            bench.read(options.baseline)
        _share(options.fail_if_slower)
    batches = tuple(_whole("--batch", b) for b in options.batch.split(","))
    if options.threads < 1 or not 0 < options.seconds <= 3600 or not 0 < options.timeout <= 86400:
        raise UsageError("--threads is at least 1, --seconds more than 0 and at most 3600, --timeout more than 0")
    if options.seed < 0:
        raise UsageError("--seed must not be negative")
    sample = None
    if options.sample:
        from ..proof.inputs import arrays_of
        sample = arrays_of(options.sample)
    return How(threads=options.threads, seconds=options.seconds, batches=batches, shapes=_shapes(options.shape),
               sample=sample, seed=options.seed, timeout=options.timeout)


def _whole(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text.strip()) or not int(text):
        raise UsageError(f"{name} {printable(text)}: expected whole numbers with commas between")
    return int(text)


def bench(options: Namespace) -> int:
    from .. import bench as measuring
    how, progress = _how(options), Progress()
    try:
        found = measuring.bench(options.files, runtimes=options.runtime, device=options.device, how=how,
                                read=_read_options(options), limits=_limits(options), progress=progress,
                                command=_command())
    finally:
        progress.done()
    return _reported(found, options)


def compare(options: Namespace) -> int:
    return _reported(_compared(options), options)


def _compared(options: Namespace) -> Any:
    how, progress = _how(options), Progress()
    try:
        return api.compare(options.source, options.out, variants=options.only.split(",") if options.only else (),
                           how=how, budget=_span(options.budget), prove=options.prove, read=_read_options(options),
                           limits=_limits(options), progress=progress, command=_command())
    finally:
        progress.done()


def recommend(options: Namespace) -> int:
    from ..bench import files, read
    from ..bench.recommend import BYTES, SHARES, SPANS, Limits, amount
    from ..bench.recommend import recommend as advise
    asked = {"latency": (options.max_latency, "--max-latency", SPANS, "10ms"),
             "size": (options.max_size, "--max-size", BYTES, "5MB"),
             "memory": (options.max_memory, "--max-memory", BYTES, "200MB"),
             "agreement": (options.min_agreement, "--min-agreement", SHARES, "99%")}
    limits = {}
    for key, (text, name, units, example) in asked.items():
        if text is not None:
            limits[key] = amount(text, units)
            if limits[key] is None:
                raise UsageError(f"{name} {printable(text)}: expected a number such as {example}")
    if options.source.endswith(".json") and _is_report(options.source):
        found = read(options.source)
    else:
        found = _compared(options)
        for path in options.report:
            files.write(path, found)
    advice = advise(found, options.target, Limits(**limits))
    print(json.dumps(advice.as_data(), indent=2) if options.json else advice.text())
    return 0 if advice.ranked else UnsupportedModel.exit_code


def _is_report(path: str) -> bool:
    """Whether a .json is a report of ours; boosters are .json too."""
    from ..bench.report import SCHEMA
    try:
        with open(path, "rb") as f:
            f.seek(0, 2)
            f.seek(max(0, f.tell() - 200))
            return SCHEMA.encode() in f.read()
    except OSError:
        return False


def frameworks(options: Namespace) -> int:
    from ..frameworks import frameworks as known
    from ..frameworks import text
    print(json.dumps([f.as_data() for f in known()], indent=2) if options.json else text(known()))
    return 0


def _span(text: str | None) -> float:
    """Seconds of a text such as "60s", "5m" or "60"; 0 for none."""
    if text is None:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|)", text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"--budget {printable(text)}: expected seconds or minutes, such as 60s or 5m")
    return float(found[1]) * (60 if found[2].startswith("m") else 1)


def _command() -> str:
    import shlex
    return shlex.join(["modelport", *sys.argv[1:]])


def _reported(found: Any, options: Namespace) -> int:
    """Prints and writes a measurement; 1 if a line is slower than its baseline allows, 6 if nothing could be run."""
    from .. import bench
    from ..bench import baseline, files
    from ..bench.text import text
    old = bench.read(options.baseline) if options.baseline else None
    changes = baseline.changes(found, old, _share(options.fail_if_slower)) if old is not None else []
    for path in options.report:
        files.write(path, found, changes)
    print(found.to_json() if options.json else text(found))
    if old is not None and not options.json:
        for line in [*baseline.warnings(found, old), *(c.text() for c in changes)]:
            print(printable(line, 300))
    if not found.measured:
        return 6
    return 1 if options.fail_if_slower and any(c.slower for c in changes) else 0


def _share(text: str | None) -> float:
    """A share of one from "10%" or "0.1"."""
    if text is None:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    if not found:
        raise UsageError(f"--fail-if-slower {printable(text)}: expected a percentage, such as 10%")
    return float(found[1]) / (100 if found[2] else 1)


def formats(options: Namespace) -> int:
    known = list(registry.formats())
    if options.json:
        print(json.dumps([{"name": f.name, "title": f.title, "suffixes": f.suffixes, "reads": f.reads,
                           "writes": f.writes, "runtime": f.runtime} for f in known], indent=2, sort_keys=True))
        return 0
    from ..runtimes.isolated import TITLES
    wide = max(len(" ".join(f.suffixes)) for f in known)
    print(f"{'format':<12} {'files':<{wide}} {'reads':<6} {'writes':<7} proven with")
    for f in known:
        print(f"{f.name:<12} {' '.join(f.suffixes):<{wide}} {'yes' if f.reads else 'no':<6} "
              f"{'yes' if f.writes else 'no':<7} "
              f"{', '.join(TITLES.get(r, r) for r in (f.runtime, f.framework) if r)}")
    print("docs/formats/ says which operators of each are supported, measured case by case.")
    return 0
