from typing import Any

from analysis.findings.best_config import collect
from analysis.findings.table_notes import notes
from analysis.report import summary


def joined(sentences: tuple[str, ...]) -> str:
    return " ".join(sentences)


def test_setup(load: Any, content: dict[str, Any]) -> None:
    content["study"]["config"]["search"] = {"sampler": {"name": "gp", "seed": 3}, "scheduler": {"name": "asha"}}
    content["study"]["cut_short"] = {"search": {"runs": 8, "reason": "the budget of 2 h is spent"}}
    text = joined(summary.setup(load(content)))
    assert "The search was cut short after 8 runs: the budget of 2 h is spent." in text
    assert "T (temperature) from 0.5 to 16 (logarithmic) and λ_cls (lambda_cls) from 0.1 to 8 (logarithmic)" in text
    assert "of cs_kd for preact_resnet18 (width 64, input size 32) on cifar100" in text
    assert "Search trials: 7 completed, 1 pruned; each of at most 200 epochs with batches of 128" in text
    assert "sampler gp (seed 3)" in text
    assert "scheduler asha stopped" in text
    assert "validation top-1 error, is minimized" in text
    assert "Confirmation: 5 arms with the fresh seeds 11, 12, 13; runs: 15 completed." in text
    assert f"trained for {25 * 11.0 / 60:.0f} minutes" in text


def test_findings_have_the_numbers_of_the_table(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    text, winner = joined(summary.findings(results)), collect(results).arms[0]
    assert "The winner is search/7: cs_kd with T = 4.1, λ_cls = 0.9." in text
    assert f"{100 * winner.test.mean:.2f} ± {100 * winner.test.std:.2f} %" in text
    low, high = (f"{100 * end:+.2f}".replace("-", "−") for end in winner.difference.interval)
    assert f"95 % interval {low} to {high}, p < 0.001, 3 pairs of seeds" in text
    assert f"optimism {100 * winner.optimism:+.2f} points".replace("-", "−") in text
    verdicts = [sentence for sentence in notes(collect(results)) if "distinguishable" in sentence]
    papers = [sentence for sentence in notes(collect(results)) if sentence.startswith("Paper, cs_kd:")]
    assert verdicts[0] in text
    assert papers[0] in text


def test_an_unconfirmed_winner_has_an_optimistic_value(load: Any, unconfirmed: dict[str, Any]) -> None:
    results = load(unconfirmed)
    text = joined(summary.findings(results))
    assert "best search trial is search/7" in text
    assert "22.95 %, optimistic because it was selected" in text
    assert "Nothing is confirmed yet." in joined(summary.setup(results))


def test_without_a_completed_trial(load: Any, unconfirmed: dict[str, Any]) -> None:
    for trial in unconfirmed["trials"]:
        trial |= {"state": "FAIL"}
    results = load(unconfirmed)
    assert joined(summary.findings(results)).startswith("No search trial has completed (8 failed)")
    assert "No winner has been selected." in joined(summary.protocol(results))


def test_readings_are_counted_against_runs(load: Any, content: dict[str, Any]) -> None:
    assert "The test set has not been read." in joined(summary.protocol(load(content)))
    content["study"]["ledger"] = [{"trial": trial, "attempt": 1} for trial in range(15)]
    text = joined(summary.protocol(load(content)))
    assert "The test set was read 15 times, by 15 of 15 confirmation runs." in text
    assert "50 images of each class, seed 0" in text
    assert "0123456789abcdef" in text
    assert "selected on validation data before the test set was read" in text
    content["study"]["ledger"] += [{"trial": 3, "attempt": 2}]
    text = joined(summary.protocol(load(content)))
    assert "16 times, by 15 of 15 confirmation runs; 1 repeated attempt" in text


def test_readings_of_each_epoch_and_of_repeated_attempts_are_distinguished(load, content) -> None:
    ledger = [{"trial": trial, "attempt": 1} for trial in range(15) for _ in range(3)]
    content["study"]["ledger"] = ledger
    content["study"]["config"]["confirm"] = {"test_each_epoch": True}
    assert "read 45 times, by 15 of 15 confirmation runs: after each epoch" in summary.protocol(load(content))[-1]
    content["study"]["config"]["confirm"] = {"test_each_epoch": False}
    content["study"]["ledger"] = [{"trial": 0, "attempt": 1}, {"trial": 0, "attempt": 2}, {"trial": 1, "attempt": 1}]
    assert "by 2 of 15 confirmation runs; 1 repeated attempt of a run" in summary.protocol(load(content))[-1]


def test_two_objectives_are_both_named(load: Any, content: dict[str, Any]) -> None:
    content["study"]["objectives"] = ["validation/top1_error", "validation/recall_at_1"]
    words = joined(summary.setup(load(content)))
    assert "two objectives, validation top-1 error (minimized) and validation recall@1 (maximized)" in words


def test_options_have_readable_names_and_bytes_have_units() -> None:
    part = {"name": "cub200", "memory_limit": 2**33, "test_fraction": 0.2, "verify": True, "root": None}
    assert summary._part(part) == "cub200 (memory limit 8 GiB, test fraction 0.2)"
