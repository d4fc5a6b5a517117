"""A bare machine, whose guest owns EL2: the target itself, and its hypervisor's VMs as gdbhv finds them.

``machine.py``: the target; ``inspection.py``: what a debugger sees of it; ``vms.py``: VMs and their vCPUs; ``points.py``:
whose breakpoints are whose; ``interference.py``: answers and injections by a person or a script. The other kind of target:
:mod:`gdbhv.hv`.
"""
