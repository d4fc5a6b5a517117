//! The address map outside RAM: typed ranges, each with its device.
