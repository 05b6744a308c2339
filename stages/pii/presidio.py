"""Names and places, found by a spaCy model through Microsoft's presidio-analyzer."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from stages.kernels.text import Text, column_of
from stages.pii.search import Span


def files_of_model(model: str) -> tuple[str, ...]:
    """Every file of a spaCy model, which is a folder or an installed package; none if it is not there."""
    folder = _folder(model)
    found = sorted(str(path) for path in folder.rglob("*") if path.is_file()) if folder else []
    return tuple(path for path in found if "__pycache__" not in path)


def _folder(model: str) -> Path | None:
    if Path(model).is_dir():
        return Path(model)
    spec = importlib.util.find_spec(model) if model.isidentifier() else None
    return Path(spec.origin).parent if spec and spec.origin else None


class Presidio:
    """An analyzer with one recognizer, that of spaCy's entities; its other recognizers are what our rules do.

    The labels of models (PER, GPE, LOC, ...) become presidio's entities by its own table. Nothing is downloaded: a model
    that is not there is an error.
    """

    def __init__(self, model: str, language: str, entities: Sequence[str], min_score: float) -> None:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpEngineProvider
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer

        if _folder(model) is None:  # presidio would download it
            raise FileNotFoundError(f"spacy_model {model!r} is neither a folder nor an installed package")
        configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
        engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
        registry = RecognizerRegistry(supported_languages=[language])
        registry.add_recognizer(SpacyRecognizer(supported_language=language, supported_entities=list(entities)))
        self._analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
        self._language, self._entities, self._min_score = language, list(entities), min_score
        self._one_at_a_time = Lock()  # spaCy's pipelines are not made for several threads

    def find(self, text: Text) -> list[Span]:
        """Entities of each document. A loop over documents: a model's pass takes milliseconds."""
        spans: list[Span] = []
        for document, value in enumerate(column_of(text).to_pylist()):
            with self._one_at_a_time:
                found = self._analyzer.analyze(value, self._language, entities=self._entities, score_threshold=self._min_score)
            base, at, characters = int(text.offsets[document]), 0, 0
            for entity in sorted(found, key=lambda one: (one.start, -one.end)):
                if entity.start < characters:
                    continue
                start = at + len(value[characters : entity.start].encode())
                at, characters = start + len(value[entity.start : entity.end].encode()), entity.end
                name = value[entity.start : entity.end]
                spans.append(
                    Span(document, base + start, base + at, entity.entity_type.lower(), " ".join(name.split()).casefold())
                )
        return spans
