"""The `gonogo` command. Commands parse and print; what they do is done by a `Session`.

What a command needs is imported inside it: `gonogo status` in a pipeline loads neither the console nor a
client library.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from checklist import glyphs, language
from checklist.language import gettext as _
from cli.check import check, status
from cli.demo.command import demo
from cli.exits import refuse
from cli.help import Command, Group, Option, asked_language
from cli.lists import export, import_
from cli.marks import attest, reopen, resolve, waive
from cli.options import env_option, place_of
from cli.probe import probe
from cli.records import log, report
from cli.schema import init, schema
from cli.sessions import interrupted, need_terminal, open_session


class Door(Group):
    """A group whose first word may also be a checklist to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `gonogo [CHECKLIST]` as `gonogo console [CHECKLIST]`."""
        end = _options(args)
        rest = args[end:]
        if rest and rest[0] in self.commands:
            rest = [rest[0], *args[:end], *rest[1:]]
        elif not rest or self._is_checklist(rest[0]):
            rest = ["console", *args]
        return super().parse_args(ctx, rest)

    def _is_checklist(self, word: str) -> bool:
        """Tell a path from a mistyped command: it is there, or it looks like one."""
        if word in self.commands or word.startswith("-"):
            return False
        return Path(word).exists() or "/" in word or "." in word


_VALUED = ("--checklist", "--env", "--lang")
"""The options that take a value and may stand before the command."""


def _options(args: Sequence[str]) -> int:
    """Return how many words at the beginning are options of the command that follows, or of the console."""
    end = 0
    while args[end : end + 1] and args[end].partition("=")[0] in {*_VALUED, "--readonly"}:
        end += 2 if args[end] in _VALUED else 1
    return end


_READONLY = "Open the console to look only: it runs and changes nothing."


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--readonly", is_flag=True, expose_value=False, help=_READONLY, cls=Option)
@click.version_option(
    package_name="gonogo",
    message="%(prog)s %(version)s",
    cls=Option,
    help="Show the version and exit.",
)
def command() -> None:
    """Prove a production-readiness checklist before a release: GO or NO-GO.

    `gonogo [CHECKLIST]` opens the console; the commands below are for shells and pipelines.

    Exit codes: 0 GO, 1 NO-GO, 2 the checklist, its status or the call is wrong, 3 a probe could not tell,
    130 interrupted.
    """


for one in (
    check,
    status,
    resolve,
    attest,
    waive,
    reopen,
    report,
    log,
    probe,
    import_,
    export,
    init,
    schema,
    demo,
):
    command.add_command(one)


@command.command(cls=Command, hidden=True)
@click.argument("path", type=click.Path(path_type=Path), required=False, metavar="[CHECKLIST]")
@click.option("--checklist", type=click.Path(path_type=Path), hidden=True)
@click.option("--readonly", is_flag=True, help=_READONLY, cls=Option)
@env_option
def console(path: Path | None, checklist: Path | None, readonly: bool, env: str) -> None:
    """Open the console."""
    need_terminal()
    session = open_session(place_of(path or checklist, env))
    session.readonly = readonly
    from tui.app import open_console

    sys.exit(open_console(session))


def main() -> None:
    """Run the command; every ending has its exit code."""
    language.choose(asked_language(sys.argv[1:]))
    glyphs.choose()
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        message = error.format_message()
        message += "" if message.endswith((".", "?")) else "."
        if context:
            message = _("{message} See: {command} -h").format(message=message, command=context.command_path)
        refuse(message)
    except (click.Abort, KeyboardInterrupt):
        interrupted()
