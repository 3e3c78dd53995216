"""What one worker alone agrees on with itself."""

from nst_training.workers.group import Workers


def test_one_alone_writes_and_asks_nobody():
    workers = Workers()
    assert workers.first
    assert workers.devices == []
    assert workers.any(True)
    assert not workers.any(False)
    broken = {"a.jpg": "is damaged"}
    assert workers.all_broken(broken) is broken
