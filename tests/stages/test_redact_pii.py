"""What is masked, what is left, and what is told of it."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from stages.core.stage import Edited
from stages.pii.search import TYPES
from stages.redact_pii import RedactPii

JUDGED = json.loads((Path(__file__).parent / "pii_judged.json").read_text(encoding="utf-8"))


def edited(*texts: str | None, **keys: Any) -> Edited:
    return RedactPii(**keys).open()(pa.table({"text": pa.array(texts, pa.large_string())}))


def masked(text: str, **keys: Any) -> str:
    result: str = edited(text, **keys).table["text"][0].as_py()
    return result


def found(text: str, **keys: Any) -> list[tuple[str, str]]:
    """Type and text of each finding, cut out by the offsets and lengths that the ledger gets."""
    told = edited(text, **keys)
    spans = zip(told.type, told.offset.tolist(), told.length.tolist(), strict=True)
    return [(name, text[offset : offset + length]) for name, offset, length in spans]


@pytest.mark.parametrize(
    ("type_", "value", "before", "after"),
    [
        ("email", "john.doe+list@mail.example.co.uk", "Write to <", ">."),
        ("email", "josé.garcía@example.es", "", ""),
        ("email", "info@example.cn", "联系", "。"),
        ("email", "a_b-c@xn--mnchen-3ya.de", "(", ")"),
        ("email", "me@example.org", "mailto:", "?subject=x"),
        ("ip", "93.184.216.34", "from ", ":8080"),
        ("ip", "93.184.216.34", "1 ", ", "),
        ("ip", "8.8.8.8", "", ""),
        ("ip", "1.1.1.1", "ping ", ""),
        ("ip", "192.169.0.1", "", ""),
        ("ip", "2001:4860:4860::8888", "[", "]:53"),
        ("ip", "2a01:238:43ed:c300:10c3:bcf3:3266:da74", "", "\n"),
        ("phone", "+49 30 901820", "Tel. ", "."),
        ("phone", "+44 (0)20 7946 0958", "", ""),
        ("phone", "(212) 736-5000", "", ""),
        ("phone", "212-736-5000", "Call ", "!"),
        ("phone", "1-212-736-5000 x123", "", ""),
        ("phone", "212.736.5000", "", " or"),
        ("phone", "2127365000", "phone: ", ""),
        ("phone", "212 736 5000", "Fax ", ""),
        ("phone", "2127365000", "电话", "。"),
        ("phone", "212-736-5000", "A4 ", " 2nd"),
        ("iban", "GB82 WEST 1234 5698 7654 32", "IBAN ", ", "),
        ("iban", "DE89370400440532013000", "", ""),
        ("iban", "fr1420041010050500013m02606", "", ""),
        ("iban", "NO9386011117947", "", ""),
        ("card", "4111111111111111", "", ""),
        ("card", "5555 5555 5555 4444", "", "."),
        ("card", "3782-822463-10005", "", ""),
        ("card", "6011111111111117", "", ""),
        ("card", "4222222222222", "my card ", ""),
        ("us_ssn", "514-69-0360", "", ""),
        ("us_ssn", "514 69 0360", "SSN: ", ""),
        ("us_ssn", "514690360", "social security number ", ""),
        ("br_cpf", "111.444.777-35", "CPF ", ""),
        ("cn_resident_id", "11010519491231002X", "", ""),
        ("it_codice_fiscale", "RSSMRA85T10A562S", "", ""),
        ("uk_nino", "AB 12 34 56 C", "", ""),
        ("uk_nino", "AB123456C", "", ""),
        ("es_dni", "12345678Z", "", ""),
        ("es_dni", "X1234567L", "", ""),
        ("de_tax_id", "86 095 742 719", "", ""),
        ("key", "AKIAIOSFODNN7EXAMPLE", "", ""),
        ("key", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "token ", ""),
        ("key", "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "", ""),
        ("key", "AIzaSyD3x9Kq7LmN2pR5tVwXyZ1a4bC6dE8fG0h", "", ""),
        ("key", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "", ""),
        ("key", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "", ""),
        ("key", "a8F3kL9mQ2xZ7vB4nW6t", 'api_key = "', '"'),
        ("key", "a8F3kL9mQ2xZ7vB4nW6t", "SECRET_KEY=", "\n"),
        ("key", "a8F3kL9mQ2xZ7vB4nW6t", '{"password": "', '"}'),
    ],
)
def test_what_is_found(type_: str, value: str, before: str, after: str) -> None:
    assert found(before + value + after, types=TYPES) == [(type_, value)]
    assert masked(before + value + after, types=TYPES) == f"{before}[{type_.upper()}_1]{after}"


@pytest.mark.parametrize(
    "text",
    [
        # e-mail
        "user@localhost", "logo@2x.png", "getty@tty1.service", "git@github.com:me/it.git", "https://me:word@example.com/",
        "Message-ID: <2004.1@example.com>", "-- Larry Wall in <1995.2@example.com>", "ssh -v me@example.com", "@decorator.name",
        "scp a me@example.com:/tmp", "lodash@4.17.21", "a@b",
        # addresses
        "version 93.184.216.34", "v93.184.216.34", "foo-93.184.216.34", "93.184.216.34-1", "93.184.216.34.tar.gz", "1.2.3.4.5",
        "10.1.2.3", "192.168.1.1", "127.0.0.1", "172.16.0.1", "100.64.1.1", "169.254.1.1", "192.0.2.1", "198.51.100.7",
        "203.0.113.9", "224.0.0.1", "255.255.255.0", "0.0.0.0", "256.1.1.1", "1.2.3.4", "see 6.2.4.3 for more", "93.184.0.0",
        "\n11.5.2.2. Mounting shares on a server", "OID 93.184.216.34", "::1", "2001:db8::1", "fe80::1", "std::abs", "2002::",
        "aa:bb:cc:dd:ee:ff", "50:06:01:60:3b:a0:11:22", "12:34:56", "fd00::1234",
        # telephone numbers
        "2024-01-31 12:33:44", "1706704424", "20240131123344", "212-736-500", "112-736-5000", "ISBN 0-306-40615-2",
        "ISBN 978-3-16-148410-0", "Clause 252.227-7013", "212 736 5000", "2127365000", "id=2127365000", "$212,736,5000",
        "3.141592653589793", "10.1000/212-736-5000", "1999-2001", "+1 000 000 0000", "1,212,736,500", "0x2127365000",
        # accounts and cards
        "GB82 WEST 1234 5698 7654 33", "DE8937040044053201300", "XX82WEST12345698765432", "GB82 WES T123 4569 8765 432",
        "4111111111111112", "411111111111111", "0.4111111111111111", "4111 1111 1111 1111 1", "4222222222222",
        "nonce: 4242424242424242", "3333333344444444 4455555555556666 5555555555554444",
        "9999999999999995", "0000000000000000", "d41d8cd98f00b204e9800998ecf8427e",
        # identity numbers
        "666-12-1234", "000-12-1234", "900-12-1234", "514-00-0360", "514-69-0000", "078-05-1120", "514690360", "514-69-03601",
        "111.444.777-36", "111.111.111-11", "110105194912310021", "11010519491331002X", "RSSMRA85T10A562T",
        "BG123456C", "AB123456E", "12345678A", "X1234567A", "86095742718", "11111111111",
        # keys
        "AKIAXXXXXXXXXXXXXXXX", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "hf_hub_download",
        "sk-learn-is-a-library-for-machine-learning",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----", "-----BEGIN PGP SIGNED MESSAGE-----",
        'api_key = "your-api-key-goes-here-1"', 'key = "a8F3kL9mQ2xZ7vB4nW6t"', "token=os.environ.get1234567890",
        'api_key = "AbCdEfGhIjKlMnOpQrStUvWx"', "eyJhbGciOiJIUzI1NiJ9", 'commit = "e83c5163316f89bfbde7d9ab23ca2e25604af290"',
    ],
)  # fmt: skip
def test_what_is_left(text: str) -> None:
    assert found(text, types=TYPES) == []
    assert masked(text) == text


def test_a_private_key_is_masked_from_begin_to_end_or_to_where_the_text_ends() -> None:
    lines = "\n".join(["MIIEowIBAAKCAQEAx9Kq7LmN2pR5tVwXyZ1a4bC6dE8fG0hIjKlMnOpQrStUvWx0"] * 3)
    whole = f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"
    assert masked(f"key:\n{whole}\nend") == "key:\n[KEY_1]\nend"
    assert masked(f"key:\n{whole[:200]}") == "key:\n[KEY_1]"


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: f"{row['verdict']}-{row['value'][:20]}")
def test_what_was_judged_on_real_text_is_still_found_or_left(row: dict[str, Any]) -> None:
    text = row["before"] + row["value"] + row["after"]
    assert ((row["type"], row["value"]) in found(text)) == row["found"]


def test_judged_findings_are_right_at_19_of_20_for_each_type() -> None:
    for type_ in ("email", "ip"):
        verdicts = [row["verdict"] for row in JUDGED if row["type"] == type_ and row["found"]]
        assert len(verdicts) >= 30
        assert verdicts.count("right") >= 0.95 * len(verdicts)


def test_one_value_has_one_mask_in_a_document_in_any_spelling() -> None:
    text = "a@example.org, b@example.org, A@Example.ORG; +1 212 736 5000 (212-736-5000) and +1 212-736-5001"
    after = "[EMAIL_1], [EMAIL_2], [EMAIL_1]; [PHONE_1] ([PHONE_1]) and [PHONE_2]"
    assert masked(text) == after
    table = edited("x b@example.org", text, "b@example.org").table
    assert table["text"].to_pylist() == ["x [EMAIL_1]", after, "[EMAIL_1]"]


def test_of_findings_that_overlap_a_key_stays_then_the_first_then_the_longest() -> None:
    assert masked('token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a.x1"') == 'token = "[KEY_1]"'
    assert masked('api_key="212-736-5000-a8F3kL9mQ2xZ7vB4"') == 'api_key="[KEY_1]"'
    assert masked("IBAN GB82 WEST 1234 5698 7654 32") == "IBAN [IBAN_1]"


def test_a_long_row_of_marks_takes_no_time() -> None:
    for text in (
        "_" * 60 + ".@a.b",
        "a." * 32 + "@b",
        "1-" * 5000,
        "::" * 5000,
        "key=" * 5000,
        "@a.b" * 5000,
        "-----BEGIN " * 500,
    ):
        assert masked(text) == text


def test_masks_by_type() -> None:
    assert masked("a@example.org b@example.org", mask="type") == "[EMAIL] [EMAIL]"


def test_values_that_replace_are_well_formed_and_masked_as_themselves_again() -> None:
    text = (
        "a@host.org b@host.org 93.184.216.34 2001:4860:4860::8888 +49 30 901820 4111111111111111 GB82WEST12345698765432"
        " 514-69-0360 AKIAIOSFODNN7EXAMPLE"
    )
    once = masked(text, mask="replace")
    assert once == (
        "email1@example.com email2@example.com 192.0.2.1 2001:db8::2 +1 202-555-0100 4000000000000010"
        " GB75TEST00000000000001 900-01-0002 EXAMPLE_KEY_1"
    )
    assert masked(once, mask="replace") == once
    assert masked(" ".join(f"{n}.99.1.2" for n in range(20, 90)), mask="replace").startswith("192.0.2.1 192.0.2.2 ")


def test_counts_are_columns_and_edits_are_in_code_points() -> None:
    told = edited("é漢 a@example.org and 8.8.8.8", "nothing", None, "😀 b@example.org")
    assert told.table["text"].to_pylist() == ["é漢 [EMAIL_1] and [IP_1]", "nothing", "", "😀 [EMAIL_1]"]
    assert told.table["pii_count"].to_pylist() == [2, 0, 0, 1]
    assert told.table["pii_email"].to_pylist() == [1, 0, 0, 1]
    assert told.table["pii_ip"].to_pylist() == [1, 0, 0, 0]
    assert told.row.tolist() == [0, 0, 3]
    assert list(told.type) == ["email", "ip", "email"]
    assert told.offset.tolist() == [3, 21, 2]
    assert told.length.tolist() == [13, 7, 13]


def test_counting_leaves_the_text() -> None:
    told = edited("a@example.org", action="count")
    assert told.table["text"].to_pylist() == ["a@example.org"]
    assert told.table["pii_count"].to_pylist() == [1]
    assert "text" not in RedactPii(action="count").columns_written()


def test_text_without_findings_is_not_copied() -> None:
    table = pa.table({"text": pa.array(["a", "b"], pa.large_string())})
    after = RedactPii().open()(table).table
    assert after["text"].chunk(0).buffers()[2].address == table["text"].chunk(0).buffers()[2].address


def test_only_types_asked_for_are_looked_for() -> None:
    told = edited("a@example.org 8.8.8.8", types=("ip",))
    assert told.table["text"].to_pylist() == ["a@example.org [IP_1]"]
    assert [name for name in told.table.column_names if name.startswith("pii_")] == ["pii_count", "pii_ip"]


def test_national_numbers_are_those_of_the_regions() -> None:
    text = "Tel. 030 901820, phone 020 7946 0958"
    assert found(text) == []
    assert found(text, phone_regions=("DE",)) == [("phone", "030 901820")]
    assert found(text, phone_regions=("GB",)) == [("phone", "020 7946 0958")]
    assert found(text, phone_regions=("DE", "GB")) == [("phone", "030 901820"), ("phone", "020 7946 0958")]
    assert found("in groups 01 42 68 53 00 of two", phone_regions=("FR",)) == [("phone", "01 42 68 53 00")]
    assert found("in groups 014 268 530 0 of three", phone_regions=("FR",)) == []
    assert found("a prime of 22.338.618 or 699 956 915 digits", phone_regions=("DE", "DK", "PL")) == []
    assert found("phone 699 956 915", phone_regions=("DE", "DK", "PL")) == [("phone", "699 956 915")]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"phone_regions": ("us",)}, "expected countries in two capital letters"),
        ({"types": ("email", "email")}, "names one twice"),
        ({"types": ("name",)}, "Input should be 'email'"),
        ({"engine": "presidio"}, "needs spacy_model"),
        ({"spacy_model": "en_core_web_sm"}, "is for engine: presidio"),
    ],
)
def test_parameters_that_cannot_be_are_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        RedactPii(**keys)


def test_findings_do_not_depend_on_neighbours_and_survive_pickling() -> None:
    texts = ["1", "8.8.8.8", "call 212-", "736-5000", "a@", "example.org", "a@example.org"]
    stage = pickle.loads(pickle.dumps(RedactPii()))
    whole = stage.open()(pa.table({"text": pa.array(texts, pa.large_string())})).table["text"].to_pylist()
    assert whole == [masked(text) for text in texts]
    assert whole == ["1", "[IP_1]", "call 212-", "736-5000", "a@", "example.org", "[EMAIL_1]"]


def test_an_empty_batch_has_the_same_columns() -> None:
    assert edited().table.schema == edited("a@example.org").table.schema
    assert np.asarray(edited().row).tolist() == []


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A spaCy pipeline that knows one person and one place."""
    import spacy

    pipeline = spacy.blank("en")
    patterns = [{"label": "PERSON", "pattern": "Ada Lovelace"}, {"label": "GPE", "pattern": "London"}]
    pipeline.add_pipe("entity_ruler").add_patterns(patterns)
    pipeline.to_disk(tmp_path / "model")
    return str(tmp_path / "model")


def test_presidio_finds_names_and_places_beside_the_rules(model: str) -> None:
    keys = {"engine": "presidio", "spacy_model": model}
    told = edited("é Ada Lovelace (ada@example.org) of London, Ada\u0020Lovelace.", "", "London", **keys)
    assert told.table["text"].to_pylist() == ["é [PERSON_1] ([EMAIL_1]) of [LOCATION_1], [PERSON_1].", "", "[LOCATION_1]"]
    assert list(told.type) == ["person", "email", "location", "person", "location"]
    assert told.offset.tolist() == [2, 16, 36, 44, 0]
    assert told.table["pii_person"].to_pylist() == [2, 0, 0]
    only = edited("Ada Lovelace of London", entities=("LOCATION",), **keys)
    assert only.table["text"].to_pylist() == ["Ada Lovelace of [LOCATION_1]"]
    assert RedactPii(**keys).requirements() == (("presidio_analyzer", "pii"),)  # type: ignore[arg-type]
    assert any(path.endswith("meta.json") for path in RedactPii(**keys).files())  # type: ignore[arg-type]


def test_a_model_that_is_not_there_is_an_error_and_no_download() -> None:
    with pytest.raises(FileNotFoundError, match="neither a folder nor an installed package"):
        RedactPii(engine="presidio", spacy_model="no_such_model").open()
