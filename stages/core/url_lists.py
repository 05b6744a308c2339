"""Lists of domains, hosts and addresses in text files, one entry a line."""

from pathlib import Path

from schemas.errors import InputError


def entries(step: str, paths: tuple[Path, ...]) -> frozenset[str]:
    """The entries of some files, in lower case; what follows # does not count. `step` is who says so if one cannot be read."""
    found: set[str] = set()
    for text in texts(step, paths):
        lines = (line.partition("#")[0].strip().lower().rstrip(".") for line in text.splitlines())
        found.update(line for line in lines if line)
    return frozenset(found)


def texts(step: str, paths: tuple[Path, ...]) -> list[str]:
    """What stands in files of UTF-8. Raises `InputError` naming the one that cannot be read."""
    found = []
    for path in paths:
        try:
            found.append(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{step}: the list {path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{step}: the list {path} is not UTF-8 at byte {error.start}") from error
    return found


def address(url: str) -> str:
    """A URL in lower case as lists have it: without scheme, user, `www.`, fragment and final slash."""
    rest = url.partition("#")[0].strip()
    rest = rest.split("://", 1)[-1].removeprefix("//")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].removeprefix("www.")
    return f"{host}{slash}{path}".rstrip("/")
