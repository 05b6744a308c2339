"""Say documents in other words, in the styles of the published recipes."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from stages.core.generation import Generation

Style = Literal["easy", "medium", "hard", "qa", "wikipedia", "diverse_qa", "distill", "extract_knowledge", "knowledge_list"]


class Rephrase(Generation):
    """Rephrase documents: a new document in each style, with its history, beside or in the place of the old one.

        rephrase: {styles: [wikipedia, diverse_qa], keep_source: true, endpoint: {base_url: ..., model: ...}}

    easy, medium, hard, qa            WRAP (Maini et al. 2024, section 3): for a child, as in an encyclopedia, for a scholar, as
                                      questions and answers
    wikipedia, diverse_qa, distill,   Nemotron-CC (Su et al. 2024, section 2.3 and appendix): the first for low quality, the
    extract_knowledge,                others for high quality text; diverse_qa gives the questions behind the text, as there
    knowledge_list

    The prompts are our own wording of what these papers ask for: `sluice prompts NAME` shows one.
    """

    example: ClassVar[dict[str, Any]] = {"script": {}}

    styles: tuple[Style, ...] = Field(("wikipedia",), description="one new document in each", min_length=1)

    def prompt_names(self) -> Sequence[str]:
        return self.styles
