from medtl.cohorts.findings.phrases import counted, listed, percent, plural


def test_lists_read_like_speech():
    assert [listed(words) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert listed("abcde", most=2) == "a, b and 3 more"
    assert listed("ab", most=2) == "a and b"


def test_one_and_many():
    assert (plural(1, "is", "are"), plural(0, "is", "are")) == ("is", "are")
    assert (counted(1, "case", "cases"), counted(1200, "case", "cases")) == ("1 case", "1,200 cases")
    assert percent(0.916) == "92 %"
