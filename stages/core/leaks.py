"""What chat models say that belongs to the chat, not to the text they were asked for; English."""

import re
from typing import NamedTuple


def _either(*choices: str) -> str:
    return "(?:" + "|".join(choices) + ")"


def _patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(source, re.IGNORECASE) for source in sources)


_WITHIN = r"[^.!?\n]"
"""what may stand between two words of one sentence"""

_ABLE = _either("able", "allowed", "permitted", "programmed", "designed", "comfortable", "in a position")
_CANNOT = _either(
    r"can(?:no|['’])t",
    "can not",
    r"won['’]t|will not|would not be able|shouldn['’]t|should not|would (?:rather|prefer) not",
    rf"(?:am|['’]m) (?:not {_ABLE}|unable|uncomfortable|prohibited)",
    r"(?:(?:must|have to|need to|will) (?:respectfully )?)?(?:decline|refuse)",
    r"(?:do not|don['’]t) (?:feel|have|see|understand|think)",
)
_SORRY = _either(
    r"I(?:['’]m| am)? (?:(?:very|really|so|truly|deeply) )?(?:sorry|afraid|apologi[sz]e|regret)",
    "(?:(?:my|sincere) )?apologies",
    "sorry",
    "unfortunately",
    "regrettably",
)
_TASK = _either(
    r"help\w*|assist\w*|fulfil\w*|comply|provide|answer|respond|offer|discuss|engage|support|share|verify|give|accept|complete",
    r"re(?:write|writing|phras\w+|word\w*)|paraphras\w+|summari[sz]\w+|translat\w+|generat\w+|produc\w+|creat\w+|writ\w+",
    "continue|process|do (?:that|this|so)|be able|say more|browse|access|in good conscience|comfortable|opinion",
    "(?:enough|any|the|this|that) (?:information|context|text|passage|request|question)",
)
_GIVEN = _either("text", "passage", "paragraph", "document", "article", "content", "request", "sentence", "excerpt", "message")
_WANTED = _either(
    "text", "passage", "paragraph", "document", "article", "content", "sentence", "context", "details", "information"
)
_RULES = _either("guidelines?", "polic(?:y|ies)", "programming", "terms", "instructions", "principles")

REFUSALS = _patterns(
    rf"{_SORRY}\b{_WITHIN}{{0,60}}?\b(?:I\b{_WITHIN}{{0,20}}?{_CANNOT}|not something|something I can|beyond my)",
    r"^\W*(?:I(?:['’]m| am) )?(?:(?:very|really|so) )?sorry,? but\b",
    rf"\bI ?{_CANNOT}\b{_WITHIN}{{0,40}}?\b{_TASK}",
    r"\bnot be (?:appropriate|possible|right|ethical) for me to\b",
    rf"\b(?:my|our) (?:\w+ )?{_RULES}\b{_WITHIN}{{0,20}}\b(?:allow|permit|prevent|prohibit|forbid|require)",
    rf"\b(?:goes against|violat\w+) (?:my|our|the) (?:\w+ )?{_RULES}\b",
    rf"(?:\b(?:could|can|would) you (?:please )?|^\W*please )(?:provide|share|paste|send|supply|give)\b"
    rf"{_WITHIN}{{0,40}}\b{_WANTED}\b",
    r"\byou (?:have(?: not|n['’]t)|did(?: not|n['’]t)) (?:\w+ )?(?:include|provide|share|give|paste|suppl)",
    rf"^\W*(?:there (?:is|was|seems to be) )?no {_GIVEN}\b{_WITHIN}{{0,20}}\b(?:rephrase|rewrite|summari|provided|given|here)",
    rf"\b{_GIVEN} (?:that )?you(?:['’]ve| have)? (?:provided|given|shared|supplied|sent|pasted)\b{_WITHIN}{{0,40}}"
    r"\b(?:incomplete|empty|missing|unclear|blank|truncated|cut off|too short)\b",
    rf"^\W*I (?:would |will |do )?need (?:some )?(?:more|additional|further) {_WANTED}\b",
    rf"^\W*(?:thank you|thanks) for (?:your|the) (?:request|message|question|text|passage)\b{_WITHIN}{{0,20}}"
    r"\b(?:but|however)\b",
)

_ASSISTANT = (
    r"(?:AI|artificial intelligence|language model|LLM|chat ?bot|virtual assistant)\b(?! (?:\w+er|expert|scientist)s?\b)"
)

SELF_REFERENCES = _patterns(
    rf"\b(?:as|I(?:['’]m| am)(?: (?:just|only|merely|simply))?) an? (?:\w+[ -]){{0,3}}{_ASSISTANT}",
    r"\bI (?:was|am|have been) (?:trained|created|developed|designed|programmed)"
    r" (?:by (?:OpenAI|Google|Anthropic|Meta|Microsoft|Alibaba|Mistral|DeepSeek)|to (?:be an? |assist|help|provide)|on a)",
    r"\bmy (?:training data|knowledge (?:cut-?off|ends|is limited)|last (?:knowledge )?update)\b",
    r"\bI (?:do not|don['’]t) (?:have|hold|possess) (?:any )?(?:personal )?"
    r"(?:opinions?|beliefs|feelings|emotions|preferences)\b",
)

_VERSION = _either(
    "version", "text", "passage", "paragraph", "paraphrase", "rewrite", "rewriting", "rephrasing", "summary", "translation",
    "article", "answer", "response", "attempt", "explanation", "edit", "draft", "revision",
)  # fmt: skip
_DONE = _either(
    r"re(?:phras|writ|word)\w+", r"paraphras\w+", r"summari[sz]\w+", r"translated?", "simplified", "revised", "edited",
    "improved", "updated", "requested", "condensed",
)  # fmt: skip

OPENERS = _patterns(
    # only with a mark behind them: "Sure of himself, he ..." is prose
    r"^\W*(?:sure(?: thing)?|certainly|absolutely|of course|okay|ok|alright|got it|understood|no problem|gladly)\s*[!,.:—–]",
    r"^\W*(?:great|good|excellent) question\b",
    r"^\W*(?:[\w' ]{0,40}[,:!.]\s+)?(?:here(?:['’]s| is| are)|below (?:is|are)|this is|the following (?:is|are))\b"
    rf"[^\n]{{0,30}}?\b(?:{_DONE}|{_VERSION})\b[^\n]{{0,80}}?(?::|\n|$|\.\s)",
    r"^\W*(?:[\w' ]{0,40}, )?here(?:['’]s| is| are) (?:what|my|the|an?|some)\b[^.\n]{0,80}:\s*\n",
    r"^\W*here you (?:go|are)\b",
    rf"^\W*(?:my )?(?:{_DONE} )?{_VERSION}\W{{0,3}}:",
    rf"^\W*(?:{_DONE}|output|result|assistant|model|user|human|AI|bot|system)\W{{0,3}}:",
    r"^\W*(?:I(?:['’]d| would) be|I(?:['’]m| am)) (?:happy|glad|delighted) to (?:help|assist|rephrase|rewrite)",
    r"^\W*let me (?:rephrase|rewrite|try|help|summari)",
)

CLOSERS = _patterns(
    r"\b(?:I )?hope (?:this|that|it) (?:helps|is helpful|meets|works|clarifies|answers)\b[^\n]{0,80}$",
    r"\b(?:let me know (?:if|whether|how)|feel free to (?:ask|reach|let)|don['’]t hesitate to)\b[^\n]{0,120}$",
    r"\b(?:is there anything else|would you like me to|do you want me to|can I help you with)\b[^\n]{0,100}\?\W*$",
    rf"(?:^|\n)\W*(?:please )?note\W{{0,3}}[^\n]{{0,60}}"
    rf"\b(?:I (?:have|kept|tried|used|made|changed)|this {_VERSION}|{_DONE})\b[^\n]*$",
    rf"\n\W*(?:this|the) (?:{_DONE} )?(?:version|rewrite|paraphrase|rephrasing|revision) [^\n]{{0,160}}$",
)

TEMPLATE_TOKENS = _patterns(
    r"<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>",
    r"\[/?INST\]|<</?SYS>>|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\]",
    r"</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_turn>|</?(?:think|thinking|answer|response|scratchpad|tool_call)>",
    r"(?:^|\n)\s*#{2,4}\s*(?:instructions?|response|input|output|assistant|user|system|human)\s*(?::|\n|$)",
    r"(?:^|\n)\s*(?-i:USER|ASSISTANT|SYSTEM|HUMAN)\s*:",
)

PLACEHOLDERS = _patterns(
    r"\{\{?\s*(?:text|document|input|passage|content|question|answer|context|topic|name|prompt|instruction|title|source|article"
    r"|query|output|response|language|style)\w*\s*\}\}?",
    r"[\[<](?:insert|your|enter|add|placeholder|fill in|name of)\b[^\]>\n]{0,40}[\]>]",
    r"\[(?:name|date|company|author|source|topic|title|city|location|position|recipient)(?: name| here)?\]",
)


class Family(NamedTuple):
    """Patterns of one kind, and how many code points of a text's beginning or end they are looked for in; 0 is all of it."""

    patterns: tuple[re.Pattern[str], ...]
    beginning: int = 0
    end: int = 0

    def found(self, text: str, source: str) -> int:
        """How many of the patterns are found, that are not found anywhere in the source."""
        part = text[: self.beginning] if self.beginning else text[-self.end :] if self.end else text
        return sum(pattern.search(part) is not None and pattern.search(source) is None for pattern in self.patterns)


FAMILIES = {
    # the last words of a long text, or the first of it, are the model's own; in its middle somebody may be quoted
    "refusals": Family(REFUSALS, beginning=400),
    "self_references": Family(SELF_REFERENCES),
    "openers": Family(OPENERS, beginning=300),
    "closers": Family(CLOSERS, end=300),
    "template_tokens": Family(TEMPLATE_TOKENS),
    "placeholders": Family(PLACEHOLDERS),
}
