//! The board: QEMU's `virt` map, as one table. The address map and the device tree are built from it.
//!
//! PCIe is there for machines that ask for it. In others the tree does not promise it, and an access to its addresses is an external
//! abort, but for the configuration space, which is found empty: kernels probe it when their tree was made for QEMU's board. The platform
//! bus is empty, and so are the virtio-mmio slots that no device was put into; the tree has them, as QEMU's has.

use crate::bus::{BadRange, Bus, Target};
use crate::dev::flash::Flash;
use crate::dev::fw_cfg::FwCfg;
use crate::dev::gic::v2::Frame;
use crate::dev::gic::{Gic, Version};
use crate::dev::pci::{self, Pci};
use crate::dev::pl011::Pl011;
use crate::dev::pl031::Pl031;
use crate::dev::pl061::{self, Pl061};
use crate::dev::virtio::{self, Virtio};
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
    /// There is flash: a machine below a hypervisor of the host's has none.
    pub flash: bool,
}

impl Default for BoardConfig {
    fn default() -> BoardConfig {
        BoardConfig {
            cpus: 1,
            epoch: EPOCH,
            gic: Version::V3,
            el2: true,
            flash: true,
        }
    }
}

/// One range of the map: all that is said of a device. The bus, its interrupt, the device tree, a hosted VM's map and what Python shows
/// are made from it.
pub struct Row {
    /// Its device, as [`Device::name`] says it; in the device tree, the node's name.
    pub name: &'static str,
    /// First physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Shared peripheral interrupt (INTID less 32), level-sensitive; of [`Node::Slots`] the first slot's.
    pub spi: Option<u32>,
    /// How the device tree shows it.
    pub node: Node,
    /// What answers there.
    pub make: Make,
}

impl Row {
    /// INTID of its interrupt line, or of the first.
    pub fn intid(&self) -> Option<u32> {
        self.spi.map(|n| SPI + n)
    }
    /// How many interrupt lines it has.
    pub fn lines(&self) -> u32 {
        match self.node {
            Node::Slots { size, .. } => (self.size / size) as u32,
            Node::Pcie => pci::LINES,
            _ => self.spi.is_some() as u32,
        }
    }
    /// Whether it is a UART.
    pub fn has_console(&self) -> bool {
        let device = self.device(&BoardConfig::default());
        device.is_some_and(|mut d| d.console().is_some())
    }
    /// The device, if it is one by itself and no part of the interrupt controller.
    pub fn device(&self, config: &BoardConfig) -> Option<Box<dyn Device>> {
        match self.make {
            Make::Device(make) => Some(make(config)),
            _ => None,
        }
    }
}

/// Shapes of nodes in the device tree (`fdt.rs` writes them).
pub enum Node {
    /// A host bridge of PCI, of whose lines the row has the first; the tree tells of it if the machine has it.
    Pcie,
    /// None of its own: a frame of the interrupt controller, which has one node for all.
    OfGic,
    /// `compatible`, and DMA that is coherent.
    Plain(&'static str),
    /// A device on the peripheral bus (Arm PrimeCell).
    PrimeCell {
        /// `compatible`, before `arm,primecell`.
        compatible: &'static str,
        /// `clock-names`; all are the bus clock.
        clocks: &'static [&'static str],
    },
    /// A PrimeCell with GPIO pins: a node for it, and one for the power button.
    Gpio {
        /// As above.
        compatible: &'static str,
        /// As above.
        clocks: &'static [&'static str],
        /// Number of the pin that the power button is at.
        power_button: u32,
    },
    /// Flash: one node, with a range for each bank.
    Banks {
        /// `compatible`.
        compatible: &'static str,
        /// How many, of equal size.
        banks: u64,
        /// Bytes of a word of a bank.
        width: u32,
    },
    /// A node for each slot, with an edge-triggered interrupt each, counted up from the row's.
    Slots {
        /// The nodes' name.
        name: &'static str,
        /// `compatible`.
        compatible: &'static str,
        /// Bytes of a slot.
        size: u64,
    },
}

/// What answers in a range.
#[derive(Clone, Copy)]
pub enum Make {
    /// GIC Distributor.
    Gicd,
    /// GIC Redistributors, 128 KiB for each CPU.
    Gicr,
    /// The GIC's ITS: control and translation frame, 64 KiB each.
    Its,
    /// A frame of a GICv2, in the place of the three above.
    GicV2(Frame),
    /// A device, which the function makes.
    Device(fn(&BoardConfig) -> Box<dyn Device>),
}

/// The map outside RAM.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row { name: "flash",       base: 0,              size: 0x800_0000,  spi: None,
          node: Node::Banks { compatible: "cfi-flash", banks: 2, width: 4 }, make: Make::Device(|_| Box::new(Flash::default())) },
    Row { name: "gicd",        base: 0x0800_0000,    size: 0x1_0000,    spi: None,     node: Node::OfGic,
          make: Make::Gicd },
    Row { name: "its",         base: 0x0808_0000,    size: 0x2_0000,    spi: None,     node: Node::OfGic,
          make: Make::Its },
    Row { name: "gicr",        base: 0x080a_0000,    size: 0xf6_0000,   spi: None,     node: Node::OfGic,
          make: Make::Gicr },
    Row { name: "pl011",       base: 0x0900_0000,    size: 0x1000,      spi: Some(1),
          node: Node::PrimeCell { compatible: "arm,pl011", clocks: &["uartclk", "apb_pclk"] },
          make: Make::Device(|_| Box::new(Pl011::default())) },
    Row { name: "pl031",       base: 0x0901_0000,    size: 0x1000,      spi: Some(2),
          node: Node::PrimeCell { compatible: "arm,pl031", clocks: &["apb_pclk"] },
          make: Make::Device(|c| Box::new(Pl031::new(c.epoch))) },
    Row { name: "fw-cfg",      base: 0x0902_0000,    size: 0x18,        spi: None,     node: Node::Plain("qemu,fw-cfg-mmio"),
          make: Make::Device(|c| Box::new(FwCfg::new(c.cpus))) },
    Row { name: "pl061",       base: 0x0903_0000,    size: 0x1000,      spi: Some(7),
          node: Node::Gpio { compatible: "arm,pl061", clocks: &["apb_pclk"], power_button: pl061::POWER_BUTTON },
          make: Make::Device(|_| Box::new(Pl061::default())) },
    Row { name: "virtio-mmio", base: 0x0a00_0000,    size: 0x4000,      spi: Some(16),
          node: Node::Slots { name: "virtio_mmio", compatible: "virtio,mmio", size: virtio::SLOT },
          make: Make::Device(|_| Box::new(Virtio::default())) },
    Row { name: "pcie-ecam",   base: 0x40_1000_0000, size: 0x1000_0000, spi: Some(3),  node: Node::Pcie,
          make: Make::Device(|_| Box::new(Pci::default())) },
];

/// What stands in the place of GICv3's frames where the board has a GICv2.
#[rustfmt::skip]
pub const GICV2_ROWS: &[Row] = &[
    Row { name: "gicd",  base: 0x0800_0000, size: 0x1_0000,  spi: None, node: Node::OfGic, make: Make::GicV2(Frame::Gicd) },
    Row { name: "gicc",  base: 0x0801_0000, size: 0x1_0000,  spi: None, node: Node::OfGic, make: Make::GicV2(Frame::Gicc) },
    Row { name: "gich",  base: 0x0803_0000, size: 0x1_0000,  spi: None, node: Node::OfGic, make: Make::GicV2(Frame::Gich) },
    Row { name: "gicv",  base: 0x0804_0000, size: 0x1_0000,  spi: None, node: Node::OfGic, make: Make::GicV2(Frame::Gicv) },
    Row { name: "v2m",   base: 0x0802_0000, size: 0x1000,    spi: None, node: Node::OfGic, make: Make::GicV2(Frame::V2m) },
];

/// The rows of a board.
pub fn rows(gic: Version) -> impl Iterator<Item = &'static Row> {
    let of_v3 = |r: &&Row| matches!(r.make, Make::Gicd | Make::Gicr | Make::Its);
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

/// Give a board PCIe: the windows, and a host bridge that is found.
pub fn add_pcie(bus: &mut Bus) {
    let base = row("pcie-ecam").expect("a row").base;
    for (first, size) in pci::WINDOWS {
        let done = bus.add(first, size, Target::Window(base));
        done.expect("the map has room there");
    }
    bus.pci().expect("a row").present = true;
}

/// The address map with its devices, and the interrupt controller.
pub fn devices(config: &BoardConfig) -> Result<(Bus, Gic), BadRange> {
    let mut bus = Bus::default();
    for r in rows(config.gic) {
        let target = match r.make {
            Make::GicV2(Frame::Gich | Frame::Gicv) if !config.el2 => continue,
            Make::Device(_) if matches!(r.node, Node::Banks { .. }) && !config.flash => continue,
            Make::Gicd => Target::Gicd,
            Make::Gicr => Target::Gicr,
            Make::Its => Target::Its,
            Make::GicV2(frame) => Target::GicV2(frame),
            Make::Device(make) => Target::Device(make(config), r.intid()),
        };
        bus.add(r.base, r.size, target)?;
    }
    Ok((bus, Gic::of(config.gic, config.cpus)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_the_name_of_its_row() {
        for r in ROWS {
            let named = r.device(&BoardConfig::default()).map(|d| d.name());
            assert_eq!(named.unwrap_or(r.name), r.name);
        }
    }
}
