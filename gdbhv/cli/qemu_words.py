"""The words of QEMU's options: KEY=VALUE,..., and what a network of QEMU's is here."""

from __future__ import annotations

from gdbhv.errors import GdbhvError

ON, OFF = ("on", "yes", "true"), ("off", "no", "false")


class Unserved(GdbhvError):
    """An option of QEMU's that cannot be served, and why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"qemu: {option}: {why}")


def keys(option: str, text: str, first: str | None = None) -> dict[str, str]:
    """Parse NAME=VALUE,...; what has no name is ``first``, or stands for NAME=on. Two commas are one."""
    found: dict[str, str] = {}
    for number, part in enumerate(text.replace(",,", "\0").split(",")):
        name, equals, value = part.replace("\0", ",").partition("=")
        if not equals and number == 0 and first is not None:
            name, value = first, name
        found[name] = value if equals or name == first else "on"
    if "" in found:
        raise Unserved(f"{option} {text}", "an empty key")
    return found


def flag(option: str, name: str, value: str) -> bool:
    """Parse on or off."""
    if value not in ON + OFF:
        raise Unserved(f"{option} {name}={value}", "on or off is needed")
    return value in ON


def user_network(option: str, text: str) -> tuple[str, dict[str, str]]:
    """Return what --net gets for a network of QEMU's, and the keys that are not the network's."""
    rest, forwards = [], ""
    for part in text.split(","):
        if part.startswith("hostfwd="):
            forwards += f",{part}"
        else:
            rest.append(part)
    found = keys(option, ",".join(rest), "type")
    kind = found.pop("type", "")
    if kind != "user":
        raise Unserved(f"{option} {text}", "user is served, and none")
    for name in [n for n in found if n not in ("id", "mac", "model", "restrict", "ipv6", "ipv4")]:
        raise Unserved(f"{option} {name}={found[name]}", "of a user network hostfwd= and restrict= are served")
    return f"user{forwards}", found
