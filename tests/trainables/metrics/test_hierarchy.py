import numpy as np
import pytest

from trainables.metrics.hierarchy import hierarchy, hierarchy_of_predictions

GROUPS = ("bird",) * 200 + ("dog",) * 120 + ("indoor",) * 67


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_golden(golden, dtype):
    for case in golden["hierarchical"]["cases"]:
        predicted, labels = np.array(case["pred"]), np.array(case["true"])
        found = hierarchy(np.eye(387, dtype=dtype)[predicted], labels, GROUPS)
        assert found.groups == ("bird", "dog", "indoor")
        np.testing.assert_allclose(100 * found.confusion, case["confusion_percent"], atol=1e-8)
        np.testing.assert_allclose(100 * found.group_accuracy, case["hier_acc_percent_per_domain"], atol=1e-8)
        np.testing.assert_allclose(100 * found.top1_error, case["fine_top1_error_percent_per_domain"], atol=1e-8)
        assert found.accuracy == pytest.approx(
            np.mean([GROUPS[p] == GROUPS[t] for p, t in zip(predicted, labels, strict=True)])
        )


def test_a_wrong_class_of_the_right_group_counts_half():
    found = hierarchy_of_predictions(np.array([1, 0, 2]), np.array([0, 0, 2]), ("a", "a", "b"))
    assert found.accuracy == 1.0
    assert found.top1_error.tolist() == [0.5, 0.0]
    assert found.confusion.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_the_row_of_a_group_without_samples_is_nan():
    found = hierarchy_of_predictions(np.array([0]), np.array([0]), ("a", "b"))
    assert np.isnan(found.confusion[1]).all()
    assert np.isnan(found.top1_error[1])
    assert found.accuracy == 1.0
