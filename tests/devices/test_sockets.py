import socket
import threading

import numpy as np
import pytest

from harness.devices import Lane, SocketWire, connect, listen
from harness.worker import PeerLost

LANE = Lane(0, 0)


def pair():
    ours, theirs = socket.socketpair()
    return SocketWire(0, {1: ours}), SocketWire(1, {0: theirs})


def close_both(a, b, reason=""):
    threads = [threading.Thread(target=wire.close, args=(reason,)) for wire in (a, b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_more_than_any_buffer_holds_crosses_both_ways_without_a_receive():
    a, b = pair()
    arrays = [np.full(500_000, float(i)) for i in range(8)]
    sends = [wire.isend(array, to, LANE) for array in arrays for wire, to in ((a, 1), (b, 0))]
    for send in sends:
        send.wait()
    for wire, source in ((a, 1), (b, 0)):
        assert [wire.irecv(source, LANE).wait()[-1] for _ in arrays] == [float(i) for i in range(8)]
    close_both(a, b)


def test_what_was_sent_before_closing_arrives():
    a, b = pair()
    a.isend(np.arange(1_000_000), 1, LANE)
    thread = threading.Thread(target=a.close)
    thread.start()
    assert b.irecv(0, LANE).wait().sum() == 999_999 * 500_000
    with pytest.raises(PeerLost, match="worker 0 is lost: it has ended"):
        b.irecv(0, LANE).wait()
    b.close()
    thread.join()


def test_the_reason_for_parting_reaches_a_peer_that_waits():
    a, b = pair()
    waiting = b.irecv(0, LANE)
    a.close("ValueError: boom")
    with pytest.raises(PeerLost, match="worker 0 is lost: ValueError: boom"):
        waiting.wait()
    b.close()


def test_a_link_that_breaks_without_a_word_is_noticed_by_both_directions():
    ours, theirs = socket.socketpair()
    wire = SocketWire(0, {1: ours})
    waiting = wire.irecv(1, LANE)
    theirs.close()
    with pytest.raises(PeerLost, match="worker 1 is lost: its link closed without a word"):
        waiting.wait()
    with pytest.raises(PeerLost, match="worker 1 is lost"):
        [wire.isend(np.zeros(100_000), 1, LANE) for _ in range(3)][-1].wait()
    wire.close("done")


def test_a_frame_cut_in_the_middle_is_a_loss():
    ours, theirs = socket.socketpair()
    wire = SocketWire(0, {1: ours})
    theirs.sendall(b"\0\0\0")
    theirs.close()
    with pytest.raises(PeerLost, match="worker 1 is lost"):
        wire.irecv(1, LANE).wait()
    wire.close("done")


def test_nothing_is_sent_after_closing():
    a, b = pair()
    close_both(a, b)
    with pytest.raises(PeerLost, match="this worker closed its links"):
        a.isend(np.zeros(1), 1, LANE).wait()


def test_a_mesh_turns_away_callers_without_its_key():
    listeners = [listen(), listen()]
    addresses = [listener.getsockname() for listener in listeners]
    strangers = [socket.create_connection(addresses[0]) for _ in range(2)]
    strangers[0].sendall(b"x" * 20)
    strangers[1].close()
    links = {}

    def join(rank):
        links[rank] = connect(rank, addresses, listeners[rank], key=b"secret")

    threads = [threading.Thread(target=join, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wires = [SocketWire(rank, links[rank]) for rank in range(2)]
    wires[1].isend(np.array(5), 0, LANE)
    assert wires[0].irecv(1, LANE).wait() == 5
    close_both(*wires)
    for sock in [*listeners, strangers[0]]:
        sock.close()


def test_a_peer_that_never_calls_is_named():
    with listen() as listener, pytest.raises(PeerLost, match="worker 1 is lost: it did not connect within"):
        connect(0, [listener.getsockname(), ("127.0.0.1", 9)], listener, patience=0.1)


def test_a_peer_that_does_not_listen_is_named():
    with listen() as listener:
        silent = listener.getsockname()
    with listen() as listener, pytest.raises(PeerLost, match="worker 0 is lost: no connection to"):
        connect(1, [silent, listener.getsockname()], listener, patience=0.1)
