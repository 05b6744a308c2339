"""What every command shares: JSON on stdout, words on stderr, errors as one message, and the check before stages are used."""

import errno
import os
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from schemas.errors import RecipeError, SluiceError

if TYPE_CHECKING:
    from rich.console import Console


class Commands(TyperGroup):
    """Turns what a command raises into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Each error of ours ends it with that error's `exit_code`, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except SluiceError as error:
            _fail(str(error), error.exit_code, error)
        except KeyboardInterrupt as error:
            resumes = ctx.invoked_subcommand in ("run", "stage", "retry")
            _fail("stopped; the same command goes on where this one ended" if resumes else "stopped", 130, error)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            # the framework ends a command quietly when its reader (`| head`) has gone, and shows its own usage errors
            if (isinstance(error, OSError) and error.errno == errno.EPIPE) or hasattr(error, "exit_code"):
                raise
            _fail(f"{type(error).__name__}: {error} (SLUICE_TRACEBACK=1 shows where)", 1, error)


def _fail(message: str, code: int, error: BaseException) -> None:
    if os.environ.get("SLUICE_TRACEBACK") == "1":
        traceback.print_exception(error, file=sys.stderr)
    print(f"sluice: {message}", file=sys.stderr)
    raise typer.Exit(code) from error


def ready() -> None:
    """Fail early if a package of our generic names is somebody else's."""
    from pipeline import registry

    registry.check_ownership()


def screen() -> "Console":
    """stdout for tables and stories."""
    from rich.console import Console

    return Console()


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(value, default=_plain, option=options).decode() + "\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def parameters(settings: list[str]) -> dict[str, Any]:
    """`key=value` pairs of one stage; values are YAML."""
    import io

    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    found = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {setting}: expected key=value")
        try:
            found[key] = YAML(typ="safe").load(io.StringIO(text))
        except YAMLError as error:
            raise RecipeError(f"--set {setting}: the value is not valid YAML") from error
    return found


def outline(value: Any, indent: str = "") -> str:
    """Nested mappings and lists as indented lines, for reading."""
    if isinstance(value, Mapping):
        lines = []
        for key, item in value.items():
            nested = isinstance(item, Mapping | list | tuple) and item
            lines.append(f"{indent}{key}:\n{outline(item, indent + '  ')}" if nested else f"{indent}{key}: {_scalar(item)}")
        return "\n".join(lines)
    if isinstance(value, list | tuple):
        return "\n".join(f"{indent}- {outline(item, indent + '  ').lstrip()}" for item in value)
    return f"{indent}{_scalar(value)}"


def _scalar(value: Any) -> str:
    if value in ([], {}, (), None):
        return "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
