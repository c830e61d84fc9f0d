from medtl.cohorts import limits


def test_every_limit_is_said_in_words():
    """ASVS 5.0, 5.1.1: the limits are documented."""
    said = " ".join(f"{what}: {number}" for what, number in limits.describe())
    assert "20,000" in said and "4 GB" in said and "50 megapixels" in said and "500 MB" in said
