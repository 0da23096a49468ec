from analysis.words.wording import probability, signed, spread


def test_numbers() -> None:
    assert spread(0.21994, 0.001349, "test/top1_error") == "21.99 ± 0.13"
    assert spread(None, None, "test/nll") is None
    assert signed(0.0063, "validation/ece") == "+0.63"
    assert signed(-1e-9, "validation/ece") == "+0.00"
    assert signed(None, "test/nll") is None
    assert probability(0.0005) == "<0.001"
    assert probability(None) is None
