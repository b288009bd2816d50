"""An order in which the operations of all ranks can run, found by trying."""

from __future__ import annotations

from harness_pipedream.planning.schedule import Operation, Schedule


def segment(schedule: Schedule, rank: int, units: int) -> list[Operation]:
    return list(schedule.operations(*schedule.place(rank), lambda unit: unit < units))


def simulate(schedule: Schedule, units: int) -> list[tuple[int, Operation]]:
    """Run every rank as far as its inputs allow, again and again; updates of a stage wait for its replicas."""
    work = {rank: segment(schedule, rank, units) for rank in range(schedule.workers)}
    done: set[tuple[int, str, int]] = set()
    order: list[tuple[int, Operation]] = []
    last = len(schedule.replicas) - 1

    def ready(rank: int, op: Operation) -> bool:
        stage = schedule.place(rank)[0]
        if op.kind == "update":
            heads = [work[peer][0] if work[peer] else None for peer in schedule.ranks(stage)]
            return all(head and head[:3] == op[:3] for head in heads)
        if op.kind == "forward":
            return stage == 0 or (stage - 1, "forward", op.unit) in done
        return stage == last or (stage + 1, "backward", op.unit) in done

    while any(work.values()):
        before = len(order)
        for rank in work:
            while work[rank] and ready(rank, work[rank][0]):
                op = work[rank][0]
                stage = schedule.place(rank)[0]
                for peer in schedule.ranks(stage) if op.kind == "update" else (rank,):
                    order.append((peer, work[peer].pop(0)))
                done.add((stage, op.kind, op.unit))
        assert len(order) > before, "deadlock"
    return order
