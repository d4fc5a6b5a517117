"""CPU profiles side by side: what their identification registers say, and which features they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdbhv.tables import decode, field
from gdbhv.views.table import table

PA_BITS = (32, 36, 40, 42, 44, 48, 52)  # ID_AA64MMFR0_EL1.PARange


def document(name: str, features: Sequence[str], reset: Mapping[str, int]) -> dict[str, Any]:
    """Return the facts about a profile, for scripts.

    :param features: FEAT_ names without FEAT_.
    :param reset: values of its registers at reset, by name (Arm ARM D24.2 has their fields).
    """
    mmfr0, dfr0 = (decode(name, reset[name]) for name in ("ID_AA64MMFR0_EL1", "ID_AA64DFR0_EL1"))
    granules = ["4K"] * (mmfr0["TGran4"] != 15) + ["16K"] * (mmfr0["TGran16"] != 0) + ["64K"] * (mmfr0["TGran64"] != 15)
    return {
        "name": name,
        "midr": reset["MIDR_EL1"],
        "pa_bits": PA_BITS[mmfr0["PARange"]],
        "va_bits": 52 if "LVA" in features or "LPA2" in features else 48,
        "granules": granules,
        "vmid_bits": 16 if "VMID16" in features else 8,
        "counters": field("PMCR_EL0.N").of(reset["PMCR_EL0"]),
        "breakpoints": dfr0["BRPs"] + 1,
        "watchpoints": dfr0["WRPs"] + 1,
        "aarch32_registers": "AA32EL1" in features,
        "features": [f for f in features if f not in ("base", "AA32EL1")],
        "id_registers": {
            n: v for n, v in reset.items() if n.startswith(("ID_AA64", "MIDR", "REVIDR", "CTR", "DCZID", "CLIDR"))
        },
    }


ROWS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "MIDR_EL1": lambda d: f"{d['midr']:#010x}",
    "bits of PA": lambda d: d["pa_bits"],
    "bits of VA": lambda d: d["va_bits"],
    "granules": lambda d: " ".join(d["granules"]),
    "bits of VMID": lambda d: d["vmid_bits"],
    "event counters": lambda d: d["counters"],
    "breakpoints": lambda d: d["breakpoints"],
    "watchpoints": lambda d: d["watchpoints"],
    "DACR32_EL2 ...": lambda d: "yes" if d["aarch32_registers"] else "-",  # AArch32 itself is nowhere
}


def compare(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table with a column for each profile and a row for each feature; those that all have are the last line."""
    rows = [[label, *(value(d) for d in documents)] for label, value in ROWS.items()]
    known = list(dict.fromkeys(f for d in sorted(documents, key=lambda d: -len(d["features"])) for f in d["features"]))
    common = [f for f in known if all(f in d["features"] for d in documents)]
    rows += [[f"FEAT_{f}", *("yes" if f in d["features"] else "-" for d in documents)] for f in known if f not in common]
    lines = table(["", *(d["name"] for d in documents)], rows)
    return [*lines, "all of them: " + " ".join(f"FEAT_{f}" for f in common)]
