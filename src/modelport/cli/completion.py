"""Completion scripts, made from the parser itself."""
from __future__ import annotations

import argparse


def _verbs(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Each verb and its options."""
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: sorted(o for a in p._actions for o in a.option_strings if o.startswith("--"))
            for name, p in action.choices.items()}


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The completion script of ``bash``, ``zsh`` or ``fish``."""
    verbs = _verbs(parser)
    if shell == "fish":
        lines = [f"complete -c modelport -n __fish_use_subcommand -a {v}" for v in verbs]
        lines += [f"complete -c modelport -n '__fish_seen_subcommand_from {v}' -l {o[2:]}"
                  for v, options in verbs.items() for o in options]
        return "\n".join(lines)
    cases = "\n".join(f"    {v}) words='{' '.join(options)}' ;;" for v, options in verbs.items())
    bash = f"""_modelport() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} words=
  if [ "$COMP_CWORD" -eq 1 ]; then words='{" ".join(verbs)}'; else case ${{COMP_WORDS[1]}} in
{cases}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case $current in -*) ;; *) [ "$COMP_CWORD" -gt 1 ] && COMPREPLY+=($(compgen -f -- "$current")) ;; esac
}}
complete -o filenames -F _modelport modelport"""
    return bash if shell == "bash" else "autoload -U +X bashcompinit && bashcompinit\n" + bash
