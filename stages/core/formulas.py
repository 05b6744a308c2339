"""Formulas of a page as TeX between dollar signs, before an extractor sees the page."""

_RENDERED = (
    "//span[contains(concat(' ', @class, ' '), ' katex-html ')]|//*[contains(@class, 'MathJax') and not(self::script)]"
    "|//*[starts-with(local-name(), 'mjx-')]"
)
"""what scripts drew, beside the source of the formula"""
_SOURCES = ("<math", "<MATH", "math/tex", "MATH/TEX")
"""one of these is in a page with formulas. In any other case it is mostly a script's: `i<Math.max(...)`"""


def with_formulas(html: str) -> str:
    """The page with each formula as text: `$...$`, or `$$...$$` where it stands by itself. What has no TeX stays as it is."""
    if not any(source in html for source in _SOURCES):
        return html
    import lxml.html
    from lxml.etree import ParserError

    try:
        tree = lxml.html.document_fromstring(html)
    except (ParserError, ValueError):  # nothing in it, or a declared encoding that text cannot have
        return html
    for script in tree.xpath("//script[starts-with(@type, 'math/tex')]"):
        _replace(script, script.text or "", "display" in script.get("type"))
    for math in tree.xpath("//math"):
        source = math.xpath(".//annotation[contains(@encoding, 'tex')]") or []
        tex = source[0].text_content() if source else math.get("alttext")
        if tex and tex.strip():
            block = math.get("display") == "block" or bool(math.xpath("ancestor::span[contains(@class, 'katex-display')]"))
            _replace(math, tex, block)
    for drawn in tree.xpath(_RENDERED):
        if drawn.getparent() is not None and "$" not in (drawn.text_content() or ""):
            drawn.drop_tree()
    return str(lxml.html.tostring(tree, encoding="unicode"))


def _replace(element: object, tex: str, block: bool) -> None:
    import lxml.html

    mark = "$$" if block else "$"
    text = lxml.html.Element("span")
    text.text = f"{mark}{' '.join(tex.split())}{mark}"
    text.tail = element.tail  # type: ignore[attr-defined]
    element.getparent().replace(element, text)  # type: ignore[attr-defined]
