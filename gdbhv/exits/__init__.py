"""VM exits and entries: what one was, which are meant, how many there were, how long they took, and how to answer one.

``records.py``: one exit; ``exitspec.py``: which exits are meant, with ``catches.py`` and ``conditions.py``;
``accounting.py``: counts and times; ``lives.py``: virtual interrupts; ``looping.py``: the same exception again and again;
``smccc.py``: names of calls; ``answering.py``: an answer in place of the hypervisor.
"""
