from pipeline.results_warnings import warnings_of


def count(documents):
    return {"documents": documents, "bytes": 10 * documents, "tokens": documents}


def step(name, came, left, rules=(), kind="filter", **more):
    counts = {"in": count(came), "out": count(left), "dropped": count(came - left), "quarantined": count(0)}
    return {"step": name, "stage": name, "kind": kind, "rules": list(rules), **counts, **more}


def rule(name, broken, limit=1):
    return {"rule": name, "measure": "m", "op": "at_most", "limit": limit, "broken": broken, "first": broken, "only": broken}


def manifest(came=100, left=50, **more):
    return {"counts": {"in": count(came), "out": count(left), "quarantined": count(0)}, **more}


def test_a_calm_run_gives_no_warning():
    assert warnings_of(manifest(steps=[step("word_count", 100, 50, [rule("min_words", 50)])])) == []
    assert warnings_of({}) == ["No documents came in: the inputs are empty."]


def test_nothing_kept_is_told():
    assert warnings_of(manifest(100, 0)) == ["No document was kept: 100 came in, and the data files are empty."]


def test_fewer_documents_than_asked_for_are_told():
    recipe = {"report": {"min_documents": 50}}
    assert warnings_of(manifest(100, 50, recipe=recipe)) == []
    [told] = warnings_of(manifest(100, 49, recipe=recipe))
    assert told == "Only 49 documents were kept; the recipe asks for at least 50."


def test_rules_that_never_fired_are_told_by_step():
    rules = [rule("a", 0), rule("b", 3), rule("c", 0), rule("off", 0, None)]
    assert warnings_of(manifest(steps=[step("gopher", 100, 97, rules)])) == ["gopher: no document broke a or c."]


def test_a_rule_that_everything_breaks_is_told():
    some = [rule("a", 100)]
    assert warnings_of(manifest(steps=[step("f", 100, 0, some)])) == ["f kept none of 100 documents."]
    assert warnings_of(manifest(steps=[step("f", 60, 1, some, measured=100)])) == [
        "f: every document breaks a (of 100 measured)."
    ]
    assert warnings_of(manifest(steps=[step("f", 60, 1, some, measured=101)])) == []


def test_alarms_of_a_step_are_told():
    steps = [step("minhash_dedup", 100, 9, kind="global", facts={"alarms": ["a cluster is large"]}), step("c", 9, 9, facts={})]
    assert warnings_of(manifest(steps=steps)) == ["minhash_dedup: a cluster is large."]


def test_a_source_that_lost_more_than_the_limit_is_told():
    sources = {"web": {"in": count(100), "out": count(5)}, "books": {"in": count(100), "out": count(4)}}
    assert warnings_of(manifest(sources=sources)) == ["Source books lost 96.0 % of its 100 documents."]
    assert len(warnings_of(manifest(sources=sources, recipe={"report": {"source_loss": 0.5}}))) == 2


def test_a_language_that_was_asked_for_and_is_not_there_is_told():
    recipe = {"stages": ["detect_language", {"language_is": {"languages": ["en", "th"]}}]}
    languages = {"en": {"out": count(50)}}
    some = [step("language_is", 100, 50)]
    assert warnings_of(manifest(steps=some, languages=languages, recipe=recipe)) == ["language_is kept no document in th."]


def test_more_than_a_fifth_without_language_is_told():
    def languages(unknown):
        return {"en": {"in": count(80), "out": count(80)}, "und": {"in": count(unknown), "out": count(0)}}

    assert warnings_of(manifest(languages=languages(20))) == []
    [told] = warnings_of(manifest(languages=languages(21)))
    assert told == "No language could be told for 20.8 % of the documents that came in (und)."


def test_repeated_ids_quarantined_and_files_left_out_are_told():
    found = manifest(repeated_ids={"web": 2, "books": 0}, left_out=[{"path": "a.md", "reason": "no reader"}])
    found["counts"]["quarantined"] = count(1)
    assert warnings_of(found) == [
        "1 document was quarantined.",
        "Source web: 2 ids occur more than once.",
        "1 file of the input folders was not read, such as a.md.",
    ]


def test_what_was_judged_by_limits_for_other_languages_is_told():
    counts = {"zh": 1200, "de": 30, "fr": 30, "und": 3, "th": 2, "ja": 1, "ko": 1}
    [told] = warnings_of(manifest(steps=[step("gopher_quality", 100, 50, [rule("a", 1)], other_languages=counts)]))
    assert told == (
        "gopher_quality judged 1,267 documents by limits chosen for other languages "
        "(1,200 zh, 30 de, 30 fr, 3 und, 2 th, 2 in others): set limits by language, or `other_languages: pass`."
    )
    assert warnings_of(manifest(steps=[step("f", 100, 50, [rule("a", 1)], other_languages={})])) == []
