import os
import signal
import threading

from olmix.process import stop_without_deadlock


def test_a_stop_request_never_waits_for_what_it_interrupts():
    lock, handled = threading.Lock(), threading.Event()

    def handler(*_):
        with lock:
            handled.set()

    before = signal.signal(signal.SIGTERM, handler)
    try:
        stop_without_deadlock()
        with lock:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not handled.wait(0.05)  # the main thread goes on
        assert handled.wait(5)
    finally:
        signal.signal(signal.SIGTERM, before)
