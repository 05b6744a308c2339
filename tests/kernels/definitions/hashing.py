"""What is hashed of a text whose case and white space do not count."""


def plain_text(text: str) -> bytes:
    return " ".join(text.lower().replace("ς", "σ").split()).encode()
