"""C4's line rules, line by line."""

import re

from stages.kernels.c4_lines import NO_LIMIT, LineRules

POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def slow_edit(text: str, rules: LineRules) -> tuple[str, int, int, int, int]:
    """Edited text, lines, lines removed, lorem_ipsum, curly_bracket."""
    lines = text.splitlines()
    kept = []
    for original in lines:
        line = original.strip()
        words = line.split()
        if rules.max_word_length != NO_LIMIT and any(len(word) > rules.max_word_length for word in words):
            continue
        if rules.citations:
            line = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
        if rules.terminal_punctuation and (line[-1:] not in tuple(".?!\"'") or line.endswith("...")):
            continue
        if len(words) < rules.min_words_per_line:
            continue
        lower = line.lower()
        if rules.lorem_ipsum and "lorem ipsum" in lower:
            return text, len(lines), 0, 1, 0
        if rules.javascript and "javascript" in lower:
            continue
        if rules.curly_bracket and "{" in line:
            return text, len(lines), 0, 0, 1
        if rules.policy and any(policy in lower for policy in POLICIES):
            continue
        kept.append(line)
    return "\n".join(kept).strip(), len(lines), len(lines) - len(kept), 0, 0
