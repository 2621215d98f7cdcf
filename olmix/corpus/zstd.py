"""Zstandard for fsspec and `datasets`: like their own reader, but a file that ends too early is an error.

The reader of the zstandard package takes a file without its end for a shorter one, so that documents would be missing
without a word.
"""

import io
from typing import IO, Any

import zstandard
from fsspec.compression import register_compression

_CHUNK = 1 << 20


class _Reader(io.RawIOBase):
    """The decompressed bytes of all frames of a file. Raises EOFError in a frame without its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._frame: Any = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end of the last frame."""
        while not self._ready:
            self._compressed = self._compressed or self._stream.read(_CHUNK)
            if not self._compressed:
                if self._frame:
                    raise EOFError("it ends in the middle of a frame; the file is not complete")
                return 0
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(self._compressed))
            self._compressed = b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        """Close the file below too."""
        self._stream.close()
        super().close()


def _open(stream: IO[bytes], mode: str = "rb") -> IO[bytes]:
    if "r" not in mode:
        return zstandard.ZstdCompressor().stream_writer(stream)
    return io.BufferedReader(_Reader(stream), _CHUNK)


def register() -> None:
    """Let fsspec read `.zst` by this module."""
    register_compression("zstd", _open, "zst", force=True)
