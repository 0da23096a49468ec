"""What is said of a cluster that loses its nodes, and who may use them; a lost head is in test_cluster.py."""

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
    said: list[str],
    fitted: list,
    left_out: tuple[str, ...] = (),
    stopped: signal.Signals | None = None,
    share: Share = SHARE,
) -> ClusterWatch:
    return ClusterWatch(
        tmp_path,
        share,
        left_out=lambda: left_out,
        stopped=lambda: stopped,
        fit=fitted.append,
        say=said.append,
        farewell=lambda: None,
    )


@pytest.mark.fault(7)
def test_waiting_is_said_once_and_so_is_its_end(tmp_path) -> None:
    said: list[str] = []
    watch = watch_of(tmp_path, said, [])
    watch.look([node(CPU=2, GPU=1)])
    assert said == []
    for _ in range(2):
        watch.look([node(), node(alive=False, CPU=2, GPU=1), node(CPU=8), node(CPU=1, GPU=1)])
    assert said == ["no node is left with 2 CPUs and 1 GPUs; waiting for one"]
    for _ in range(2):
        watch.look([node(), node(CPU=2, GPU=1)])
    assert said[1:] == ["a node is there again; the study goes on"]


def test_a_node_without_the_memory_of_a_trial_is_none(tmp_path) -> None:
    said: list[str] = []
    share = Share(cpus=2, gpus=0, concurrent=1, memory=3 << 30)
    watch_of(tmp_path, said, [], share=share).look([node(CPU=8, memory=2 << 30)])
    assert said == ["no node is left with 2 CPUs and 3 GiB of memory; waiting for one"]


def test_a_study_is_fitted_to_the_nodes_that_come_and_go(tmp_path) -> None:
    fitted: list[list[Node]] = []
    watch = watch_of(tmp_path, [], fitted, left_out=("bad",))
    watch.look([node(CPU=2, GPU=1)])
    watch.look([node(CPU=2, GPU=1), node("good", CPU=8, GPU=2), node("bad", CPU=4, GPU=4), node(CPU=1, GPU=1)])
    watch.look([node("bad", CPU=4, GPU=4)])
    assert fitted == [[Node(2, 1)], [Node(2, 1), Node(8, 2)], []]


@pytest.mark.parametrize(
    ("stopped", "code", "words"),
    [
        (None, 69, "^cskd: Ray at 10.0.0.1:6379 was lost: its head does not answer; `cskd resume {}` goes on, with"),
        (signal.SIGTERM, 143, "^stopped; go on with: cskd resume {}$"),
        (signal.SIGINT, 130, "^stopped; go on with: cskd resume {}$"),
    ],
)
def test_a_driver_whose_ray_is_gone_says_whether_it_was_told_to_stop(
    tmp_path, capsys, monkeypatch: pytest.MonkeyPatch, stopped: signal.Signals | None, code: int, words: str
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(cluster_watch.os, "_exit", ended.append)
    watch_of(tmp_path, [], [], stopped=stopped)._end("10.0.0.1:6379")
    assert ended == [code]
    assert re.search(words.format(tmp_path), capsys.readouterr().err.strip())
