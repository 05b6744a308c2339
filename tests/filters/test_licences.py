"""Licences are known in their usual spellings, and a document stays only under one that is allowed."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.licences import Licences
from schemas.errors import InputError
from stages.core.docs import Docs
from stages.core.licence_names import is_allowed, spdx

SPELLINGS = {
    "MIT": ["MIT", "mit", "MIT License", "The MIT License", "Expat", "MIT/Expat", "https://opensource.org/licenses/MIT"],
    "Apache-2.0": [
        "Apache-2.0",
        "apache 2.0",
        "Apache 2",
        "Apache License, Version 2.0",
        "Apache Software License v2.0",
        "ASL 2.0",
        "http://www.apache.org/licenses/LICENSE-2.0",
        "https://spdx.org/licenses/Apache-2.0.html",
    ],
    "BSD-3-Clause": ["BSD 3-Clause", "bsd-3-clause", "New BSD License", "Modified BSD"],
    "BSD-2-Clause": ["BSD 2-Clause", "Simplified BSD License", "FreeBSD"],
    "0BSD": ["0BSD"],
    "BSD": ["BSD", "BSD License"],
    "CC-BY-4.0": [
        "CC BY 4.0",
        "cc-by-4.0",
        "CC-BY 4.0",
        "Creative Commons Attribution 4.0 International",
        "Creative Commons Attribution 4.0 International License",
        "https://creativecommons.org/licenses/by/4.0/",
        "creativecommons.org/licenses/by/4.0/deed.en",
        "CC BY 4.0 (UCI SMS Spam Collection)",
    ],
    "CC-BY-SA-3.0": [
        "CC BY-SA 3.0",
        "Creative Commons Attribution-ShareAlike 3.0 Unported",
        "Creative Commons Attribution Share Alike 3.0",
        "http://creativecommons.org/licenses/by-sa/3.0/de/",
    ],
    "CC-BY-NC-ND-4.0": ["CC BY-NC-ND 4.0", "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International"],
    "CC-BY-NC-SA-4.0": ["cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0"],
    "CC-BY": ["CC BY", "CC-BY", "Creative Commons Attribution"],
    "CC0-1.0": [
        "CC0-1.0",
        "CC0",
        "CC0 1.0 Universal",
        "Creative Commons Zero v1.0 Universal",
        "CC Zero",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ],
    "public-domain": [
        "public domain",
        "Public Domain",
        "Public Domain Mark 1.0",
        "https://creativecommons.org/publicdomain/mark/1.0/",
    ],
    "GPL-3.0-only": ["GPL-3.0", "GPLv3", "GPL v3", "GPL-3.0-only", "GNU General Public License v3.0", "GNU GPL 3"],
    "GPL-2.0-or-later": [
        "GPL-2+",
        "GPLv2+",
        "GPL-2.0+",
        "GPL-2.0-or-later",
        "GNU General Public License, version 2 or later",
        "GPL version 2 or (at your option) any later version",
        "GNU General Public License v2.0 or any later version",
    ],
    "LGPL-2.1-or-later": ["LGPL-2.1+", "GNU Lesser General Public License v2.1 or later"],
    "AGPL-3.0-only": ["AGPL-3.0", "AGPLv3", "https://www.gnu.org/licenses/agpl-3.0.html"],
    "GFDL-1.3-only": ["GFDL 1.3", "GNU Free Documentation License 1.3"],
    "MPL-2.0": ["MPL 2.0", "MPL-2.0", "MPLv2", "Mozilla Public License 2.0"],
    "EPL-2.0": ["EPL-2.0", "Eclipse Public License v2.0"],
    "ODC-By-1.0": ["ODC-BY", "ODC-By v1.0", "Open Data Commons Attribution License"],
    "ODbL-1.0": ["ODbL", "Open Database License v1.0"],
    "PSF-2.0": ["PSF-2.0", "Python Software Foundation License 2.0"],
    "Artistic-2.0": ["Artistic-2.0", "Artistic License 2.0"],
    "ISC": ["ISC", "ISC License"],
    "Unlicense": ["Unlicense", "The Unlicense"],
    "our own terms": ["Our own  terms", " our own terms "],
}


@pytest.mark.parametrize(("identifier", "names"), SPELLINGS.items())
def test_the_usual_spellings_are_one_licence(identifier: str, names: list[str]) -> None:
    assert {name: spdx(name) for name in names} == dict.fromkeys(names, identifier)


@pytest.mark.parametrize(
    "name",
    [
        "public domain text (ELTeC; markup CC BY 4.0)",
        "fortune collection (BSD/public domain; see package copyright)",
        "licence texts and notices, redistributable verbatim",
        "publishers' (saved page)",
        "MIT 2.0",
        "not MIT",
        "CC",
        "CC BY 4.0 and 3.0",
        "Creative Commons",
        "CC BY maybe 4.0",
    ],
)
def test_what_only_contains_a_licence_s_name_is_not_that_licence(name: str) -> None:
    assert spdx(name) == name.lower()


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT OR GPL-2.0-only", True),
        ("GPL-2.0-only or MIT", True),
        ("GPL-2.0-only OR GPL-3.0-only", False),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-2.0-only", False),
        ("MIT, Apache-2.0", True),
        ("MIT, GPL-2", False),
        ("(MIT AND GPL-2.0-only) OR Apache-2.0", True),
        ("MIT AND (GPL-2.0-only OR Apache-2.0)", True),
        ("(MIT)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT/Apache-2.0", True),
        ("GPL-2.0/GPL-3.0", False),
        ("https://opensource.org/licenses/MIT", True),
        ("https://example.org/MIT/terms", False),
        ("GPL-2+ or CC BY-SA 3.0", False),
        ("Artistic or GPL-1+", False),
        ("MIT or Apache-2.0", True),
        ("Apache License 2.0 or later", True),
        ("MIT OR", False),
        ("", False),
    ],
)
def test_of_or_one_is_enough_and_of_and_all_must_be(expression: str, allowed: bool) -> None:
    assert is_allowed(expression, {"MIT", "Apache-2.0"}.__contains__) == allowed


def measured(values: list[Any], **keys: Any) -> dict[str, list[int]]:
    docs = Docs(pa.table({"license": pa.array(values, pa.string())}))
    return {name: column.tolist() for name, column in Licences(**keys).measure(docs).items()}


def test_what_is_not_on_the_list_is_not_allowed_and_what_is_not_stated_is_unknown() -> None:
    values = ["MIT License", "GPLv3", None, "", "UNKNOWN", "NOASSERTION", "House rules", "cc by 4.0", "CC BY"]
    found = measured(values, allow=("mit", "CC-BY-4.0", "house RULES"))
    assert found == {"not_allowed": [0, 1, 0, 0, 0, 0, 0, 0, 1], "unknown": [0, 0, 1, 1, 1, 1, 0, 0, 0]}


def test_what_is_not_stated_goes_or_stays_by_policy() -> None:
    limits = {}
    for policy in ("drop", "keep"):
        rules = Licences(allow=("MIT",), unknown=policy).rules()
        limits[policy] = [rule.name for rule in rules if rule.limit is not None]
    assert limits == {"drop": ["allow", "unknown"], "keep": ["allow"]}


def test_a_list_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text("# ours\n\nMIT\nCreative Commons Attribution 4.0  # as on Wikinews\n", encoding="utf-8")
    assert measured(["mit", "cc-by-4.0", "# ours"], allow_files=(str(path),))["not_allowed"] == [0, 0, 1]
    assert Licences(allow_files=(str(path),)).files() == (str(path),)
    with pytest.raises(InputError, match="cannot be read"):
        measured(["MIT"], allow_files=(str(tmp_path / "none.txt"),))
    (tmp_path / "binary").write_bytes(b"a\xff")
    with pytest.raises(InputError, match="not UTF-8 at byte 1"):
        measured(["MIT"], allow_files=(str(tmp_path / "binary"),))


def test_a_list_is_needed_and_a_column_of_strings() -> None:
    with pytest.raises(ValidationError, match="no list"):
        Licences()
    with pytest.raises(ValueError, match="expected strings"):
        Licences(allow=("MIT",)).measure(Docs(pa.table({"license": [1, 2]})))
