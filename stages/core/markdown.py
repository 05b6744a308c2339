"""Markdown from the reduced HTML that resiliparse writes."""

import html
import re

_PRE = re.compile(r"<pre>(.*?)</pre>", re.S)
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.S)
_LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.S)
_OTHER = re.compile(r"</?(?:p|li|a)\b[^>]*>|<br\s*/?>")
_ROWS = re.compile(r"(?:^[^\t\n]+(?:\t+[^\t\n]+)+\n?){2,}", re.M)
_EMPTY = re.compile(r"\n{3,}")


def markdown_of(page: str) -> str:
    """Headings, lists, code blocks, tables (lines of cells with tabs between) and links."""
    code: list[str] = []

    def keep(found: re.Match[str]) -> str:
        code.append(html.unescape(found.group(1)).strip("\n"))
        return f"\n\x00{len(code) - 1}\x00\n"

    text = _PRE.sub(keep, page.replace("\x00", ""))
    text = _HEADING.sub(lambda found: f"\n{'#' * int(found.group(1))} {' '.join(found.group(2).split())}\n", text)
    text = _LINK.sub(r"[\2](\1)", text)
    text = _lists(text)
    text = html.unescape(_OTHER.sub("", text))
    text = _ROWS.sub(_table, text)
    text = _EMPTY.sub("\n\n", text).strip()
    return re.sub("\x00(\\d+)\x00", lambda found: f"```\n{code[int(found.group(1))]}\n```", text)


def _lists(text: str) -> str:
    """Items with their marks, indented by two blanks a level."""
    kinds: list[list[int]] = []  # for each open list the number of its next item, 0 in one without numbers
    lines = []
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped in ("<ul>", "<ol>"):
            kinds.append([int(stripped == "<ol>")])
        elif stripped in ("</ul>", "</ol>"):
            del kinds[-1:]
        elif stripped.startswith("<li>") and kinds:
            number = kinds[-1][0]
            kinds[-1][0] += number > 0
            lines.append(
                f"{'  ' * (len(kinds) - 1)}{f'{number}.' if number else '-'} {stripped[4:].removesuffix('</li>').strip()}"
            )
        else:
            lines.append(line)
    return "\n".join(lines)


def _table(found: re.Match[str]) -> str:
    rows = [[cell.strip() for cell in re.split(r"\t+", line)] for line in found.group().strip("\n").split("\n")]
    width = max(map(len, rows))
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:], ""])
