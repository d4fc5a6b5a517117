"""Questions to any machine whose answers are gathered from several places: a row each for views and commands to show.

``layouts.py``: whole tables; ``tlb.py``: what TLBs hold; ``owners.py``: who sees a page; ``audit.py``: suspicious mappings;
``trapping.py``: what traps to EL2.
"""
