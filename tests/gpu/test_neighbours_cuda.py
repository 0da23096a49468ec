"""A search on a GPU finds the nearest neighbours of ``trainables.metrics.classification``."""

import numpy as np
import pytest
import torch

from tests.kit.inputs.features import KINDS, features_of
from trainables.metrics import classification
from trainables.training.neighbours import search_for

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "width"), [(2, 1), (40, 6), (2500, 512)])
def test_recall_at_1_is_the_same_on_the_device(kind, count, width):
    features = features_of(kind, np.random.default_rng(0), count, width)
    labels = np.random.default_rng(1).integers(0, 5, count)
    search = search_for(torch.device("cuda"))
    assert (
        classification.nearest_neighbours(features, search).tolist()
        == classification.nearest_neighbours(features).tolist()
    )
    assert classification.recall_at_1(features, labels, search) == classification.recall_at_1(features, labels)
