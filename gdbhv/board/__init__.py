"""What stands outside the board and is connected to it: networks, what lies in its slots, semihosting, firmware.

The devices themselves are in the core (``gdbhv/core/model/src/dev``).
"""
