"""Answers in JSON: read, mended where that loses nothing, and checked against a pydantic model."""

import importlib
import json
import re
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.errors import RecipeError
from stages.core.requests import Reply

UNSUPPORTED = ("patternProperties", "unevaluatedProperties", "propertyNames", "not", "if", "dependentSchemas", "contains")
"""Keywords of JSON Schema that guided decoding of the common engines does not know."""


@lru_cache(maxsize=32)
def answer_class(name: str) -> type[BaseModel]:
    """The pydantic model `package.module:Class`. Raises `RecipeError` if there is none, or engines do not know its schema."""
    module, _, kind = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"answer: {name} cannot be imported: {error}; expected package.module:Class") from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise RecipeError(f"answer: {name} is no pydantic model")
    if used := sorted(set(_keywords(found.model_json_schema())) & set(UNSUPPORTED)):
        raise RecipeError(f"answer: the schema of {name} has {', '.join(used)}, which guided decoding does not know")
    return found


@lru_cache(maxsize=32)
def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of an answer, made once: every request of a stage has it."""
    return kind.model_json_schema()


def _keywords(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        return [key for name, value in schema.items() for key in (name, *_keywords(value))]
    return [key for value in schema for key in _keywords(value)] if isinstance(schema, list) else []


def parse(kind: type[BaseModel], reply: Reply) -> tuple[BaseModel | None, str]:
    """The object of an answer, or None and what is wrong with it.

    JSON is taken out of what stands around it (a code fence, a sentence before). What is not well-formed is mended, commas,
    quotes and the like; an answer that max_tokens cut is not, since what is missing would be missed by nobody.
    """
    text = reply.text or ""
    content = _json_in(text)
    try:
        value = json.loads(content)
    except ValueError as error:
        if reply.finish_reason == "length":
            return None, f"it is cut at max_tokens, behind {len(text)} characters"
        value = _mended(content)
        if value is None:
            return None, f"it is no JSON: {error}"
    try:
        return kind.model_validate(value), ""
    except ValidationError as error:
        told = [f"{'.'.join(map(str, item['loc'])) or 'the whole'}: {item['msg']}" for item in error.errors()[:5]]
        return None, "; ".join(told)


def _json_in(text: str) -> str:
    if fenced := re.search(r"```(?:json)?\s*\n(.*?)```", text, re.DOTALL):
        return fenced[1].strip()
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    return text[min(starts) :].strip() if starts else text.strip()


def _mended(content: str) -> Any:
    from json_repair import loads

    if not content.startswith(("{", "[")):
        return None
    value = loads(content)
    return value if isinstance(value, dict | list) and value else None
