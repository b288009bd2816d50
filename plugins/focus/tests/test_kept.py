import threading
import time

import pytest

from harness_focus.kept import kept


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))


def test_what_two_ask_for_at_once_is_made_once():
    made = []

    def make(path):
        made.append(path)
        time.sleep(0.2)
        path.write_text("whole")

    threads = [threading.Thread(target=kept, args=("a.txt", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert kept("a.txt", make).read_text() == "whole"


def test_what_could_not_be_made_leaves_nothing_and_may_be_asked_for_again():
    def broken(path):
        path.write_text("half")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        kept("b.txt", broken)
    assert kept("b.txt", lambda path: path.write_text("whole")).read_text() == "whole"
