//! The board: QEMU's `virt` map, as one table. The address map and the device tree are built from it.
//!
//! Not there (yet): flash at 0, PCIe. The tree does not promise them, and an access to their addresses is an external abort, but
//! for the configuration space of PCIe, which is found empty: kernels probe it when their tree was made for QEMU's board. The
//! virtio-mmio slots and the platform bus are empty too, and the tree has them, as QEMU's has.

use crate::bus::{BadRange, Bus, Target};
use crate::dev::ecam::Ecam;
use crate::dev::fw_cfg::FwCfg;
use crate::dev::gic::v2::Frame;
use crate::dev::gic::{Gic, Version};
use crate::dev::pl011::Pl011;
use crate::dev::pl031::Pl031;
use crate::dev::pl061::Pl061;
use crate::dev::virtio_mmio::VirtioMmio;
use crate::dev::Device;

/// Where RAM begins.
pub const RAM_BASE: u64 = 0x4000_0000;
/// INTID of SPI 0.
pub const SPI: u32 = 32;
/// What the clock shows at virtual time 0 unless configured: 2026-01-01 00:00 UTC.
pub const EPOCH: u32 = 1_767_225_600;

/// First address and bytes of QEMU's bus for devices that are added by hand. There are none: an access is an external abort.
pub const PLATFORM_BUS: (u64, u64) = (0x0c00_0000, 0x0200_0000);

/// What a board can be told.
#[derive(Clone, Copy, Debug)]
pub struct BoardConfig {
    /// CPUs, 1 to 8.
    pub cpus: usize,
    /// Seconds since 1970 that the real-time clock shows at virtual time 0.
    pub epoch: u32,
    /// Which interrupt controller.
    pub gic: Version,
    /// The CPUs have EL2: a GICv2 has its virtual interface.
    pub el2: bool,
}

impl Default for BoardConfig {
    fn default() -> BoardConfig {
        BoardConfig {
            cpus: 1,
            epoch: EPOCH,
            gic: Version::V3,
            el2: true,
        }
    }
}

/// One range of the map.
pub struct Row {
    /// Its device; in the device tree, the node's name.
    pub name: &'static str,
    /// First physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Shared peripheral interrupt (INTID less 32), level-sensitive.
    pub spi: Option<u32>,
    /// What it is.
    pub kind: Kind,
}

/// How a range appears in the device tree, and what answers there.
pub enum Kind {
    /// GIC Distributor; the tree has one node for both frames.
    Gicd,
    /// GIC Redistributors, 128 KiB for each CPU.
    Gicr,
    /// The GIC's ITS: control and translation frame, 64 KiB each; a node below the GIC's.
    Its,
    /// A frame of a GICv2, in the place of the three above.
    GicV2(Frame),
    /// A device on the peripheral bus (Arm PrimeCell).
    PrimeCell {
        /// `compatible`, before `arm,primecell`.
        compatible: &'static str,
        /// `clock-names`; all are the bus clock.
        clocks: &'static [&'static str],
        /// Makes it.
        make: fn(&BoardConfig) -> Target,
    },
    /// A PL061, whose pin 3 is the power button: a node for it, and one for the key.
    Gpio {
        /// Makes it.
        make: fn(&BoardConfig) -> Target,
    },
    /// The virtio-mmio slots: a node for each.
    VirtioMmio {
        /// SPI of the first.
        spi: u32,
        /// Makes them all.
        make: fn(&BoardConfig) -> Target,
    },
    /// QEMU's firmware configuration.
    FwCfg {
        /// Makes it.
        make: fn(&BoardConfig) -> Target,
    },
    /// There, but the tree does not tell.
    Unlisted {
        /// Makes it.
        make: fn(&BoardConfig) -> Target,
    },
}

/// The map outside RAM.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row { name: "gicd",  base: 0x0800_0000, size: 0x1_0000,  spi: None,    kind: Kind::Gicd },
    Row { name: "its",   base: 0x0808_0000, size: 0x2_0000,  spi: None,    kind: Kind::Its },
    Row { name: "gicr",  base: 0x080a_0000, size: 0xf6_0000, spi: None,    kind: Kind::Gicr },
    Row { name: "pl011", base: 0x0900_0000, size: 0x1000,    spi: Some(1), kind: Kind::PrimeCell {
        compatible: "arm,pl011", clocks: &["uartclk", "apb_pclk"],
        make: |_| Target::Device(Box::new(Pl011::default()), Some(SPI + 1)) } },
    Row { name: "pl031", base: 0x0901_0000, size: 0x1000,    spi: Some(2), kind: Kind::PrimeCell {
        compatible: "arm,pl031", clocks: &["apb_pclk"],
        make: |c| Target::Device(Box::new(Pl031::new(c.epoch)), Some(SPI + 2)) } },
    Row { name: "fw-cfg", base: 0x0902_0000, size: 0x18,     spi: None,    kind: Kind::FwCfg {
        make: |c| Target::Device(Box::new(FwCfg::new(c.cpus)), None) } },
    Row { name: "pl061", base: 0x0903_0000, size: 0x1000,    spi: Some(7), kind: Kind::Gpio {
        make: |_| Target::Device(Box::new(Pl061::default()), Some(SPI + 7)) } },
    Row { name: "virtio-mmio", base: 0x0a00_0000, size: 0x4000, spi: None, kind: Kind::VirtioMmio {
        spi: 16,
        make: |_| Target::Device(Box::new(VirtioMmio), None) } },
    Row { name: "pcie-ecam", base: 0x40_1000_0000, size: 0x1000_0000, spi: None, kind: Kind::Unlisted {
        make: |_| Target::Device(Box::new(Ecam), None) } },
];

/// What stands in the place of GICv3's frames where the board has a GICv2.
#[rustfmt::skip]
pub const GICV2_ROWS: &[Row] = &[
    Row { name: "gicd",  base: 0x0800_0000, size: 0x1_0000,  spi: None,    kind: Kind::GicV2(Frame::Gicd) },
    Row { name: "gicc",  base: 0x0801_0000, size: 0x1_0000,  spi: None,    kind: Kind::GicV2(Frame::Gicc) },
    Row { name: "gich",  base: 0x0803_0000, size: 0x1_0000,  spi: None,    kind: Kind::GicV2(Frame::Gich) },
    Row { name: "gicv",  base: 0x0804_0000, size: 0x1_0000,  spi: None,    kind: Kind::GicV2(Frame::Gicv) },
    Row { name: "v2m",   base: 0x0802_0000, size: 0x1000,    spi: None,    kind: Kind::GicV2(Frame::V2m) },
];

/// The rows of a board.
pub fn rows(gic: Version) -> impl Iterator<Item = &'static Row> {
    let of_v3 = |r: &&Row| matches!(r.kind, Kind::Gicd | Kind::Gicr | Kind::Its);
    let own: &[Row] = match gic {
        Version::V2 => GICV2_ROWS,
        Version::V3 => &[],
    };
    let rest = ROWS.iter();
    own.iter()
        .chain(rest.filter(move |r| gic == Version::V3 || !of_v3(r)))
}

/// The row named `name`.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|r| r.name == name)
}

/// The device of the row named `name`, alone: for a VM whose host emulates the board. None: no row, or no device of its own.
pub fn device(name: &str, config: &BoardConfig) -> Option<Box<dyn Device>> {
    match row(name)?.kind {
        Kind::PrimeCell { make, .. }
        | Kind::VirtioMmio { make, .. }
        | Kind::Gpio { make }
        | Kind::FwCfg { make }
        | Kind::Unlisted { make } => match make(config) {
            Target::Device(d, _) => Some(d),
            _ => None,
        },
        _ => None,
    }
}

/// The address map with its devices, and the interrupt controller.
pub fn devices(config: &BoardConfig) -> Result<(Bus, Gic), BadRange> {
    let mut bus = Bus::default();
    for r in rows(config.gic) {
        if !config.el2 && matches!(r.kind, Kind::GicV2(Frame::Gich | Frame::Gicv)) {
            continue;
        }
        let target = match r.kind {
            Kind::Gicd => Target::Gicd,
            Kind::Gicr => Target::Gicr,
            Kind::Its => Target::Its,
            Kind::GicV2(frame) => Target::GicV2(frame),
            Kind::PrimeCell { make, .. }
            | Kind::VirtioMmio { make, .. }
            | Kind::Gpio { make }
            | Kind::FwCfg { make }
            | Kind::Unlisted { make } => make(config),
        };
        bus.add(r.base, r.size, target)?;
    }
    Ok((bus, Gic::of(config.gic, config.cpus)))
}
