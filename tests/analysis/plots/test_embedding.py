"""Tests that maps show the same images for every method and are reproducible."""

from analysis.plots import embedding


def test_every_method_shows_the_same_images(load, content, with_predictions) -> None:
    content["confirmations"] = [run for run in content["confirmations"] if run["arm"] != "controls/1"]
    for run in content["confirmations"]:
        run["test/recall_at_1"] = 0.7
    data = embedding.collect(load(content))
    images = {label: group["image"].tolist() for label, group in data.points.groupby("label")}
    assert images["CS-KD"] == images["Cross-entropy"]
    assert len(images["CS-KD"]) == 200
    assert data.classes == (10, 10)
    assert data.recall == {"Cross-entropy": 0.7, "CS-KD": 0.7}
    assert embedding.collect(load(content)).points.equals(data.points)


def test_classes_and_images_are_limited(load, content, with_predictions, monkeypatch) -> None:
    content["confirmations"] = [run for run in content["confirmations"] if run["arm"] == "search/7"]
    monkeypatch.setattr(embedding, "CLASSES", 6)
    monkeypatch.setattr(embedding, "IMAGES", 100)
    data = embedding.collect(load(content))
    assert data.points["name"].nunique() == 6
    assert len(data.points) == 100
    assert "100 test images of 6 of 10 classes, drawn at random" in embedding.caption(data)


def test_with_too_few_images_there_is_no_figure(load, content, with_predictions, monkeypatch) -> None:
    monkeypatch.setattr(embedding, "IMAGES", 50)
    assert embedding.collect(load(content)) is None
