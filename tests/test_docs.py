"""What the documentation shows is what the commands print."""
from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelport.cli.main import main

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "digits"


def transcripts(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the console blocks, and what it prints."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command, printed = "", []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, "\n".join(printed)
                command, printed = line[2:], []
            else:
                printed.append(line)
        yield command, "\n".join(printed)


def plain(text: str) -> str:
    """Without what differs between runs and machines: seconds, versions, the last digits of sizes and errors."""
    text = re.sub(r"\d+\.\d+ s$", "TIME", text, flags=re.MULTILINE)
    text = re.sub(r"(LiteRT|ONNX Runtime) \d+(\.\d+)*", r"\1 VERSION", text)
    text = re.sub(r"worst error \S+ of range", "worst error E of range", text)
    return re.sub(r"[\d,]+ bytes", "SIZE", text)


def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("digits.tflite", "digits_int8.tflite"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = list(transcripts((ROOT / "docs" / "commands.md").read_text()))
    assert len(shown) > 8
    for command, printed in shown:
        program, *arguments = shlex.split(command)
        assert program == "modelport"
        main(arguments)
        out = capsys.readouterr()
        assert plain(out.out + out.err).rstrip() == plain(printed).rstrip(), command


def test_the_readme_shows_what_convert_prints() -> None:
    """The block after the first command is the output of that command, which docs/commands.md tests."""
    readme = (ROOT / "README.md").read_text()
    shown = next(printed for command, printed in transcripts((ROOT / "docs" / "commands.md").read_text())
                 if command.startswith("modelport convert digits.tflite"))
    assert plain(shown) in plain(readme)


def test_every_verb_and_option_is_documented() -> None:
    import argparse

    from modelport.cli.main import parser
    text = (ROOT / "docs" / "commands.md").read_text()
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    for verb, p in verbs.items():
        assert f"## {verb}" in text
        for action in p._actions:
            for option in action.option_strings:
                if option.startswith("--") and option != "--help":
                    assert option in text, f"{verb} {option}"


def test_links_inside_the_docs_lead_somewhere() -> None:
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
