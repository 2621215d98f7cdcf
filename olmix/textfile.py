"""Reading the user's text files: whatever is wrong with one is said in one line."""

import stat
from pathlib import Path

from olmix.errors import InputError

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}


def read_text(path: Path, kind: str) -> str:
    """The text of a UTF-8 file, line ends as they are, without a byte order mark.

    kind: what is allowed, for the message, such as "a YAML file". Raises InputError.
    """
    try:
        mode = stat.S_IFMT(path.stat().st_mode)
        if mode in _KINDS:  # a pipe that nobody writes to would be waited for without end
            raise InputError(f"{path}: found {_KINDS[mode]}; allowed: {kind}")
        return path.read_bytes().decode().removeprefix("\ufeff")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; allowed: {kind}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    except ValueError as error:  # a null byte in the path
        raise InputError(f"{str(path)!r}: cannot be read: {error}") from None
