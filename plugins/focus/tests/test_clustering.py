import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness_focus.index.clustering import Clustering


def reference(features, threshold, limit):
    """Plain lists: members of each cluster, centroids worked out anew each time."""
    members, active = [], []
    for n, feature in enumerate(features):
        distances = [np.linalg.norm(np.mean([features[m] for m in members[c]], axis=0) - feature) for c in active]
        if distances and min(distances) < threshold:
            members[active[int(np.argmin(distances))]].append(n)
            continue
        members.append([n])
        active.append(len(members) - 1)
        if len(active) > limit:
            active.remove(min(active[:-1], key=lambda c: len(members[c])))
    return members


def run(features, threshold, limit):
    clustering = Clustering(threshold=threshold, limit=limit)
    found = {}
    for n, feature in enumerate(features):
        joined = clustering.add(feature.astype(np.float32), np.ones(2, dtype=np.float32))
        found.setdefault(joined.cluster.number, []).append(n)
    return list(found.values()), clustering


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.2, 3.0), st.integers(1, 8))
def test_clusters_are_those_of_plain_lists(seed, threshold, limit):
    features = np.random.default_rng(seed).normal(size=(60, 3))
    assert run(features, threshold, limit)[0] == reference(features, threshold, limit)


def test_at_threshold_zero_each_object_is_a_cluster_even_equal_ones():
    assert len(run(np.zeros((20, 3)), 0.0, 100)[0]) == 20


def test_what_stands_for_a_cluster_is_nearest_to_its_centroid_when_it_joins():
    rng = np.random.default_rng(1)
    clustering = Clustering(threshold=100.0)
    features = rng.normal(size=(50, 4)).astype(np.float32)
    shown = None
    for n, feature in enumerate(features):
        joined = clustering.add(feature, np.ones(1, dtype=np.float32))
        centroid = features[: n + 1].mean(0)
        if shown is None or np.linalg.norm(feature - centroid) < np.linalg.norm(features[shown] - centroid):
            assert joined.representative
            shown = n
        else:
            assert not joined.representative
    assert np.array_equal(clustering.active[0].shown, features[shown])


def test_going_on_with_the_active_clusters_is_as_if_nothing_had_happened():
    features = np.random.default_rng(2).normal(size=(80, 3))
    whole, _ = run(features, 1.0, 5)
    first, clustering = run(features[:40], 1.0, 5)
    resumed = Clustering(threshold=1.0, limit=5)
    resumed.resume(clustering.active, clustering.next)
    found = {n: list(members) for n, members in enumerate(first)}
    for n, feature in enumerate(features[40:], 40):
        joined = resumed.add(feature.astype(np.float32), np.ones(2, dtype=np.float32))
        found.setdefault(joined.cluster.number, []).append(n)
    assert list(found.values()) == whole
