"""`gonogo probe`: one probe by hand, without a checklist."""

import sys
from pathlib import Path

import click

from checklist.language import gettext as _
from cli.exits import of_outcome, refuse
from cli.help import Command, Option
from cli.options import format_option, output_option, put


@click.command(cls=Command)
@click.argument("use", required=False)
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--list", "list_", is_flag=True, help="List the installed probes.", cls=Option)
@click.option("--describe", is_flag=True, help="Tell what the probe USE can be told.", cls=Option)
@format_option("text", "json")
@output_option
def probe(  # noqa: PLR0917  # click passes them by name
    use: str | None,
    parameters: tuple[str, ...],
    list_: bool,
    describe: bool,
    form: str,
    output: Path | None,
) -> None:
    """Run one probe by hand, without a checklist.

    A VALUE that starts with [ or { is read as TOML; ${NAME} is taken from the environment.
    """
    import asyncio

    from checklist.reports import text
    from checklist.reports.status_report import encode
    from probes import registry
    from probes.outcome import Outcome
    from probes.runner import Runner

    if list_:
        put("".join(f"{name}\n" for name in registry.names()), output)
        return
    if use is None:
        refuse(_("name a probe; there are {names}").format(names=", ".join(registry.names())))
    if describe:
        put(_description(use), output)
        return
    raw = _parameters(parameters)
    _refuse_bad(use, raw)

    async def once() -> Outcome:
        runner = Runner(Path.cwd())
        try:
            return await runner.run(use, raw, lax=True)
        finally:
            await runner.close()

    outcome = asyncio.run(once())
    put(text.outcome(outcome) if form == "text" else encode(outcome), output)
    sys.exit(of_outcome(outcome.verdict))


def _description(use: str) -> str:
    """Return what a probe can be told: each key with what it takes, its default and its meaning."""
    import textwrap

    from probes import registry
    from probes.describe import introduction, settings

    try:
        kind = registry.find(use).parameters
    except (registry.ProbeNotFoundError, registry.BrokenProbeError) as error:
        refuse(str(error))
    fill = textwrap.TextWrapper(
        96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    ).fill
    parts = [introduction(kind)]
    for name, takes, default, words in settings(kind):
        said = _("required") if default is None else _("default {value}").format(value=default)
        parts.append(f"{name}  ({takes}; {said})\n{fill(words)}")
    return "\n\n".join(parts) + "\n"


def _parameters(words: tuple[str, ...]) -> dict[str, object]:
    raw: dict[str, object] = {}
    for key, value in map(_parameter, words):
        if key in raw:
            refuse(_("{key} is given twice").format(key=key))
        raw[key] = value
    return raw


def _parameter(word: str) -> tuple[str, object]:
    import tomllib

    key, equals, value = word.partition("=")
    if not equals or not key:
        refuse(_("{word!r}: expected KEY=VALUE").format(word=word))
    if value.startswith(("[", "{")):
        try:
            return key, tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            refuse(_("{key}: not a TOML value: {why}").format(key=key, why=error))
    return key, value


def _refuse_bad(use: str, raw: dict[str, object]) -> None:
    """Tell a wrong call (exit 2) from a probe that could not tell (exit 3)."""
    import msgspec

    from checklist.definition import of_probe
    from checklist.reading import explain
    from probes import registry
    from probes.clean import redact, secrets_of
    from probes.outcome import CannotTell
    from probes.parameters import Expanded, convert, expand

    expanded = Expanded({}, {}, ())
    try:
        kind = registry.find(use).parameters
        expanded = expand(raw)
        convert(expanded.values, kind, lax=True)
    except (registry.ProbeNotFoundError, registry.BrokenProbeError) as error:
        refuse(str(error))
    except msgspec.ValidationError as error:
        fault = explain(error, expanded.values, {"": kind})
        refuse(redact(of_probe(use, fault.under(fault.path)), secrets_of(expanded.read)))
    except CannotTell:
        pass  # an unset variable is the probe's own doubt: unknown, config
