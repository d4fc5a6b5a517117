"""What ``scripts/fetch_guests.py`` makes for hypervisors: a device tree for Xen, and what a user of KVM needs."""
