"""Features for nearest-neighbour tests, with and without ties."""

import numpy as np

KINDS = ("ties", "floats", "half collapsed", "collapsed", "far")


def features_of(kind: str, rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Returns float32 features ``[count, width]``: small integers, modified according to ``kind``."""
    features = rng.integers(-2, 3, (count, width)).astype(np.float32)
    if kind == "floats":
        features += rng.normal(size=features.shape)
    elif kind == "half collapsed":
        features[: count // 2] = 0.1
    elif kind == "collapsed":
        features[:] = rng.normal()
    elif kind == "far":
        features = features * np.float32(1e-6) + np.float32(1e4)
    return features
