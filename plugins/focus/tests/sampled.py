"""The calibration sample of a stream, worked out object by object."""

from harness_focus.footage.footage import TEST, VALIDATION, Footage
from harness_focus.footage.scoring import dominant
from harness_focus.networks import OTHER
from harness_focus.tuning.clustered import clustered
from harness_focus.tuning.tuning import Search, embedded


def calibration_sample(footage: Footage, search: Search) -> set[int]:
    """What must be labelled to choose among a grid's settings.

    These are the objects of both parts that choose, and each that stands for a cluster with an object to validate on,
    if some query that is tried looks at the cluster.
    """
    part = [int(footage.parts[int(second)]) for second in footage.seconds]
    sample = {n for n in range(len(part)) if part[n] != TEST}
    asked = {footage.classes[n] for n in dominant(footage.named(footage.labels[sorted(sample)]))}
    grid = search.grid
    for network in search.networks:
        found = embedded(network, footage)
        columns = {network.classes.index(name if name in network.classes else OTHER) for name in asked}
        for threshold in grid.thresholds:
            index = clustered(*found, network.classes, threshold=threshold, active=grid.active)
            validated = {int(index.cluster[n]) for n in range(len(part)) if part[n] == VALIDATION}
            looked = {c for c in validated if min(index.ranks[c, column] for column in columns) < max(grid.ks)}
            sample |= {int(index.shown[c]) for c in looked}
    return sample
