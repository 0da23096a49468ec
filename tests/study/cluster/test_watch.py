"""Tests the messages about lost nodes and the usable nodes; test_inventory.py tests a lost head."""

import itertools
import re
import signal

import pytest

from study.cluster import watch as cluster_watch
from study.cluster.inventory import Node
from study.cluster.share import Share
from study.cluster.watch import ClusterWatch

IDS = map(str, itertools.count())
SHARE = Share(cpus=2, gpus=1, concurrent=1)


def node(name: str | None = None, alive: bool = True, **resources: float) -> dict:
    return {"NodeID": name or next(IDS), "Alive": alive, "Resources": resources}


def watch_of(
    tmp_path,
    lines: list[str],
    usable: list,
    excluded: tuple[str, ...] = (),
    stopped: signal.Signals | None = None,
    share: Share = SHARE,
) -> ClusterWatch:
    return ClusterWatch(
        tmp_path,
        share,
        excluded=lambda: excluded,
        stopped=lambda: stopped,
        on_nodes=usable.append,
        say=lines.append,
        on_exit=lambda: None,
    )


@pytest.mark.fault(7)
def test_waiting_and_its_end_are_each_reported_once(tmp_path) -> None:
    lines: list[str] = []
    watch = watch_of(tmp_path, lines, [])
    watch.look([node(CPU=2, GPU=1)])
    assert lines == []
    for _ in range(2):
        watch.look([node(), node(alive=False, CPU=2, GPU=1), node(CPU=8), node(CPU=1, GPU=1)])
    assert lines == ["no node is left with 2 CPUs and 1 GPUs; waiting for one"]
    for _ in range(2):
        watch.look([node(), node(CPU=2, GPU=1)])
    assert lines[1:] == ["a node is available again; the study continues"]


def test_a_node_without_memory_for_a_trial_is_not_usable(tmp_path) -> None:
    lines: list[str] = []
    share = Share(cpus=2, gpus=0, concurrent=1, memory=3 << 30)
    watch_of(tmp_path, lines, [], share=share).look([node(CPU=8, memory=2 << 30)])
    assert lines == ["no node is left with 2 CPUs and 3 GiB of memory; waiting for one"]


def test_the_usable_nodes_are_passed_on_when_nodes_join_and_leave(tmp_path) -> None:
    usable: list[list[Node]] = []
    watch = watch_of(tmp_path, [], usable, excluded=("bad",))
    watch.look([node(CPU=2, GPU=1)])
    watch.look([node(CPU=2, GPU=1), node("good", CPU=8, GPU=2), node("bad", CPU=4, GPU=4), node(CPU=1, GPU=1)])
    watch.look([node("bad", CPU=4, GPU=4)])
    assert usable == [[Node(2, 1)], [Node(2, 1), Node(8, 2)], []]


@pytest.mark.parametrize(
    ("stopped", "code", "message"),
    [
        (
            None,
            69,
            "^cskd: Ray at 10.0.0.1:6379 was lost: its head does not answer; continue with `cskd resume {}`, or with",
        ),
        (signal.SIGTERM, 143, "^stopped; resume with: cskd resume {}$"),
        (signal.SIGINT, 130, "^stopped; resume with: cskd resume {}$"),
    ],
)
def test_a_lost_ray_is_reported_unless_the_driver_was_asked_to_stop(
    tmp_path, capsys, monkeypatch: pytest.MonkeyPatch, stopped: signal.Signals | None, code: int, message: str
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(cluster_watch.os, "_exit", ended.append)
    watch_of(tmp_path, [], [], stopped=stopped)._end("10.0.0.1:6379")
    assert ended == [code]
    assert re.search(message.format(tmp_path), capsys.readouterr().err.strip())
