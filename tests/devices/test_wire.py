import threading

import pytest

from harness.devices.wire import Lane, Mailbox
from harness.worker import PeerLost

A, B = Lane(0, 1), Lane(0, 2)


def test_a_lane_keeps_its_order_whatever_was_asked_first():
    mailbox = Mailbox()
    early = [mailbox.expect(1, A), mailbox.expect(1, A)]
    for text in ["first", "second", "third"]:
        mailbox.deliver(1, A, text)
    assert [pending.wait() for pending in [*early, mailbox.expect(1, A)]] == ["first", "second", "third"]


def test_lanes_and_sources_do_not_mix():
    mailbox = Mailbox()
    mailbox.deliver(1, A, "1A")
    mailbox.deliver(2, A, "2A")
    mailbox.deliver(1, B, "1B")
    assert [mailbox.expect(*key).wait() for key in [(1, B), (2, A), (1, A)]] == ["1B", "2A", "1A"]


def test_what_arrived_before_the_loss_is_still_given_out():
    mailbox = Mailbox()
    waiting = mailbox.expect(1, B)
    mailbox.deliver(1, A, "late")
    mailbox.lose(1, "it tripped")
    mailbox.lose(1, "a second reason")
    assert mailbox.expect(1, A).wait() == "late"
    for pending in [waiting, mailbox.expect(1, A)]:
        with pytest.raises(PeerLost, match="worker 1 is lost: it tripped"):
            pending.wait()
    assert mailbox.lost() == {1: "it tripped"}


def test_a_wait_that_has_begun_ends_when_the_source_is_lost():
    mailbox = Mailbox()
    timer = threading.Timer(0.05, mailbox.lose, (3, "gone"))
    timer.start()
    with pytest.raises(PeerLost, match="worker 3 is lost: gone"):
        mailbox.expect(3, A).wait()
    timer.join()
