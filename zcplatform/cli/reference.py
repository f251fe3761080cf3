"""docs/reference/cli.md, made from the commands themselves: `scripts/cli-reference` writes it, a test compares it."""

from collections.abc import Iterator
from typing import Any

HEAD = """# Command line

This page is generated from the commands: `scripts/cli-reference`.

`zcplatform COMMAND --help` explains every option. Commands that show something take `--json`, which prints the API's exact values. Commands that
start work show its steps and wait for the end; `--no-wait` returns as soon as the request is accepted. `zcplatform --install-completion` completes
commands and slugs in your shell.

## Signing in

| where | how |
|---|---|
| at a terminal, as a person | `zcplatform login URL --email ADDRESS`: a code is mailed to the address and asked for |
| the same, where no mail can be sent | `zcplatform login URL --link`, with a link that `zcplatform admin login-link EMAIL` prints on the host |
| in CI | the variables `ZCPLATFORM_API` and `ZCPLATFORM_TOKEN`, with a token from `zcplatform tokens create NAME` |
| on the host, as root | `zcplatform admin token create --name NAME --save`, which uses the local socket |
| with a token of your own | `zcplatform login URL`, which asks for the token, or `--token-file FILE` with any command |

A session lasts 24 hours, less when it is not used. Commands that need a fresh code (saving secrets, deleting a tenant, creating tokens) ask for one
when the last is older than ten minutes, and then continue. A token cannot do these things unless root made it on the host.

Logins are saved in `~/.config/zcplatform/login.json` (or below `XDG_CONFIG_HOME`), which only its owner can read: one for each address. The last one
is used unless `--api URL` or `ZCPLATFORM_API` names another. A saved login is sent to no other address than its own, and secrets are never command-line
arguments: other users could read them in the list of processes. An installation with a certificate authority of its own needs `SSL_CERT_FILE=FILE`.

## Values

Sizes are written as tables show them, `512M` or `1.5G`, in powers of 1024. Money is in dollars: `5` or `5.00`. `--since` takes a duration (`90s`, `5m`,
`2h`, `3d`) or a time such as `2026-01-31T12:00:00Z`. Values of settings are JSON where they can be read as JSON, otherwise text.

## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | refused or failed; standard error says what happened and what to do. With several tenants: at least one failed |
| 2 | wrong usage |
| 78 | the program must not start like this: settings, key or rights are wrong |
| 130 | interrupted; a request that was accepted continues |

While an operation is followed, an API that does not answer for up to 30 seconds is waited for.

## Global options

Every command takes these, before or after its name. Commands for the host (`admin`, `doctor`, `serve`, `edge`) take `--settings` only.

"""

TABLE = ("| command | meaning | options |", "|---|---|---|")


def page(root: Any) -> str:
    """The whole page for a tree of commands."""
    options = [parameter for parameter in root.params if parameter.rich_help_panel == "Global options"]
    lines = [HEAD.rstrip("\n"), "", "| option | meaning |", "|---|---|"]
    lines += [f"| `{option.opts[0]} {(option.metavar or option.name).upper()}` | {_cell(option.help)} |" for option in options]
    lines += ["", "## Commands"]
    sections = [section for section in root.commands.values() if hasattr(section, "commands")]
    alone = [(name,) for name, command in root.commands.items() if command not in sections]
    lines += ["", *TABLE, *(_row(path, root.commands[path[0]]) for path in alone)]
    for section in sections:
        lines += ["", f"### {section.name}", "", _first(section.help), "", *TABLE]
        lines += [_row(path, command) for path, command in commands(section, (section.name,))]
    return "\n".join(lines) + "\n"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) for every command."""
    inner = getattr(group, "commands", None)
    if inner is None:
        yield path, group
        return
    for name, command in inner.items():
        yield from commands(command, (*path, name))


def _row(path: tuple[str, ...], command: Any) -> str:
    return f"| `{_usage(path, command)}` | {_cell(_first(command.help))} | {_options(command)} |"


def _usage(path: tuple[str, ...], command: Any) -> str:
    arguments = [parameter for parameter in command.params if not parameter.opts[0].startswith("-")]
    return " ".join([*path, *(_argument(parameter) for parameter in arguments)])


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]").removesuffix("...") + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _options(command: Any) -> str:
    names = [
        parameter.opts[0] + (f"`/`{parameter.secondary_opts[0]}" if parameter.secondary_opts else "")
        for parameter in command.params
        if parameter.opts[0].startswith("--")
        and parameter.rich_help_panel is None
        and parameter.opts[0] not in ("--json", "--no-wait", "--help")
    ]
    return " ".join(f"`{name}`" for name in names)


def _first(text: str | None) -> str:
    return (text or "").strip().split("\n\n")[0].replace("\n", " ")


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
