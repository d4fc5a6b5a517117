//! The device tree of the board, from the board's table. Bindings: those of the Linux kernel, as QEMU's `virt` uses them.

use crate::board::{Make, Node, Row, GICV2_ROWS, PLATFORM_BUS, RAM_BASE, ROWS};
use crate::dev::gic::v2::Frame;
use crate::dev::pci;
use vm_fdt::{Error, FdtWriter};

/// Which instruction calls PSCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// HVC: the caller is a guest.
    Hvc,
    /// SMC: the caller owns EL2, and is told of the GIC's maintenance interrupt.
    Smc,
}

/// The interrupt controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// GICv3 alone: what a hosted VM has.
    V3,
    /// GICv3 with an ITS.
    V3Its,
    /// GICv2; with its virtual interface if the caller owns EL2.
    V2,
}

/// What the tree says.
#[derive(Clone, Debug)]
pub struct FdtConfig<'a> {
    /// CPUs, affinity 0.0.0.n.
    pub cpus: usize,
    /// Bytes of RAM.
    pub memory: u64,
    /// The kernel's command line.
    pub bootargs: &'a str,
    /// First address of the initial RAM disk, and the one after its last.
    pub initrd: Option<(u64, u64)>,
    /// How to call PSCI.
    pub psci: Conduit,
    /// Which interrupt controller.
    pub gic: Controller,
    /// The CPUs have EL2's virtual timer (FEAT_VHE), and the caller EL2.
    pub el2_virtual_timer: bool,
    /// `compatible` of the CPUs.
    pub compatible: &'a str,
    /// The CPUs have performance monitors.
    pub pmu: bool,
    /// The board has flash.
    pub flash: bool,
    /// The board has PCIe.
    pub pcie: bool,
}

// Phandles; CPU n has CPU0 + n.
const CLOCK: u32 = 0x8000;
const GIC: u32 = 0x8001;
const MSI: u32 = 0x8002; // the ITS, or the frame of GICv2m
const GPIO: u32 = 0x8003;
const CPU0: u32 = 0x8004;

// Interrupt specifiers: type, number, trigger.
const GIC_SPI: u32 = 0;
const GIC_PPI: u32 = 1;
const EDGE_RISING: u32 = 1;
const LEVEL_HIGH: u32 = 4;
/// The overflow interrupt of the performance monitors: INTID 23.
const PMU: u32 = 7;
/// The maintenance interrupt: INTID 25.
const MAINTENANCE: u32 = 9;
/// Secure physical, non-secure physical, virtual, hypervisor's physical and virtual timer: INTIDs 29, 30, 27, 26, 28.
const TIMERS: [u32; 5] = [13, 14, 11, 10, 12];

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

/// Build the tree.
///
/// # Errors
/// The command line has a NUL in it, or there are no CPUs.
pub fn build(c: &FdtConfig) -> Result<Vec<u8>, Error> {
    let mut f = FdtWriter::new()?;
    let root = f.begin_node("")?;
    f.property_u32("interrupt-parent", GIC)?;
    f.property_string("model", "linux,dummy-virt")?;
    f.property_u32("#size-cells", 2)?;
    f.property_u32("#address-cells", 2)?;
    f.property_string("compatible", "linux,dummy-virt")?;
    psci(&mut f, c)?;
    memory(&mut f, c)?;
    let told = |r: &&Row| c.flash || !matches!(r.node, Node::Banks { .. });
    for r in ROWS.iter().filter(told) {
        device(&mut f, r, c)?;
    }
    platform_bus(&mut f)?;
    gic(&mut f, c)?;
    cpus(&mut f, c)?;
    timer(&mut f, c)?;
    if c.pmu {
        pmu(&mut f, c)?;
    }
    clock(&mut f)?;
    chosen(&mut f, c)?;
    f.end_node(root)?;
    f.finish()
}

fn psci(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let n = f.begin_node("psci")?;
    f.property_u32("cpu_on", 0xc400_0003)?;
    f.property_u32("cpu_off", 0x8400_0002)?;
    f.property_u32("cpu_suspend", 0xc400_0001)?;
    let method = match c.psci {
        Conduit::Hvc => "hvc",
        Conduit::Smc => "smc",
    };
    f.property_string("method", method)?;
    f.property_string_list(
        "compatible",
        strings(&["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]),
    )?;
    f.end_node(n)
}

fn memory(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let n = f.begin_node(&format!("memory@{RAM_BASE:x}"))?;
    f.property_array_u64("reg", &[RAM_BASE, c.memory])?;
    f.property_string("device_type", "memory")?;
    f.end_node(n)
}

/// Name of a row's node.
fn node_name(r: &Row) -> String {
    format!("{}@{:x}", r.name, r.base)
}

/// What the tree tells of a row.
fn device(f: &mut FdtWriter, r: &Row, c: &FdtConfig) -> Result<(), Error> {
    match r.node {
        Node::OfGic => Ok(()),
        Node::Pcie => pcie(f, r, c),
        Node::Plain(compatible) => {
            let n = f.begin_node(&node_name(r))?;
            f.property_null("dma-coherent")?;
            interrupts(f, r.spi, LEVEL_HIGH)?;
            f.property_array_u64("reg", &[r.base, r.size])?;
            f.property_string("compatible", compatible)?;
            f.end_node(n)
        }
        Node::PrimeCell { compatible, clocks } => {
            let n = f.begin_node(&node_name(r))?;
            prime_cell(f, r, compatible, clocks)?;
            f.end_node(n)
        }
        Node::Gpio {
            compatible,
            clocks,
            power_button,
        } => {
            let n = f.begin_node(&node_name(r))?;
            f.property_phandle(GPIO)?;
            f.property_null("gpio-controller")?;
            f.property_u32("#gpio-cells", 2)?;
            prime_cell(f, r, compatible, clocks)?;
            f.end_node(n)?;
            power_key(f, power_button)
        }
        Node::Banks {
            compatible,
            banks,
            width,
        } => {
            let size = r.size / banks;
            let reg: Vec<u64> = (0..banks).flat_map(|n| [r.base + n * size, size]).collect();
            let n = f.begin_node(&node_name(r))?;
            f.property_u32("bank-width", width)?;
            f.property_array_u64("reg", &reg)?;
            f.property_string("compatible", compatible)?;
            f.end_node(n)
        }
        Node::Slots {
            name,
            compatible,
            size,
        } => {
            for (slot, base) in (0..).zip((r.base..r.base + r.size).step_by(size as usize)) {
                let n = f.begin_node(&format!("{name}@{base:x}"))?;
                f.property_null("dma-coherent")?;
                interrupts(f, r.spi.map(|first| first + slot), EDGE_RISING)?;
                f.property_array_u64("reg", &[base, size])?;
                f.property_string("compatible", compatible)?;
                f.end_node(n)?;
            }
            Ok(())
        }
    }
}

/// A host bridge (binding: host-generic-pci.yaml): windows, lines by device and pin, messages by DeviceID.
fn pcie(f: &mut FdtWriter, r: &Row, c: &FdtConfig) -> Result<(), Error> {
    /// Space codes of `ranges` (IEEE 1275, PCI bus binding 2.2.1.1): 32 bits of memory, I/O, 64 bits of memory.
    const SPACES: [u32; 3] = [0x0200_0000, 0x0100_0000, 0x0300_0000];
    let Some(spi) = r.spi.filter(|_| c.pcie) else {
        return Ok(());
    };
    let halves = |v: u64| [(v >> 32) as u32, v as u32];
    let windows = pci::WINDOWS.into_iter().zip(SPACES);
    let mut ranges: Vec<Vec<u32>> = windows
        .map(|((base, size), space)| {
            let bus = if space == SPACES[1] { 0 } else { base }; // I/O begins at 0 there
            [&[space][..], &halves(bus), &halves(base), &halves(size)].concat()
        })
        .collect();
    ranges.swap(0, 1);
    let mut map = Vec::new();
    for (device, pin) in (0..pci::LINES).flat_map(|d| (0..pci::LINES).map(move |p| (d, p))) {
        let line = spi + (device + pin) % pci::LINES;
        let from = [device << 11, 0, 0, pin + 1, GIC];
        // The interrupt controller's own addresses, where it has any.
        map.extend([&from[..], &[0, 0, GIC_SPI, line, LEVEL_HIGH]].concat());
    }
    let n = f.begin_node(&format!("pcie@{:x}", pci::WINDOWS[0].0))?;
    f.property_array_u32("interrupt-map-mask", &[(pci::LINES - 1) << 11, 0, 0, 7])?;
    f.property_array_u32("interrupt-map", &map)?;
    f.property_u32("#interrupt-cells", 1)?;
    f.property_array_u32("ranges", &ranges.concat())?;
    f.property_array_u64("reg", &[r.base, r.size])?;
    if c.gic != Controller::V3 {
        f.property_array_u32("msi-map", &[0, MSI, 0, 0x1_0000])?;
    }
    f.property_null("dma-coherent")?;
    f.property_array_u32("bus-range", &[0, 0xff])?;
    f.property_u32("linux,pci-domain", 0)?;
    f.property_u32("#size-cells", 2)?;
    f.property_u32("#address-cells", 3)?;
    f.property_string("device_type", "pci")?;
    f.property_string("compatible", "pci-host-ecam-generic")?;
    f.end_node(n)
}

fn interrupts(f: &mut FdtWriter, spi: Option<u32>, trigger: u32) -> Result<(), Error> {
    match spi {
        Some(spi) => f.property_array_u32("interrupts", &[GIC_SPI, spi, trigger]),
        None => Ok(()),
    }
}

/// Properties of a PrimeCell (binding: primecell.yaml).
fn prime_cell(f: &mut FdtWriter, r: &Row, compatible: &str, clocks: &[&str]) -> Result<(), Error> {
    f.property_string_list("clock-names", strings(clocks))?;
    f.property_array_u32("clocks", &vec![CLOCK; clocks.len()])?;
    interrupts(f, r.spi, LEVEL_HIGH)?;
    f.property_array_u64("reg", &[r.base, r.size])?;
    f.property_string_list("compatible", strings(&[compatible, "arm,primecell"]))
}

/// The power button at a pin (binding: gpio-keys.yaml).
fn power_key(f: &mut FdtWriter, pin: u32) -> Result<(), Error> {
    /// KEY_POWER (Linux, input-event-codes.h).
    const POWER: u32 = 116;
    let keys = f.begin_node("gpio-keys")?;
    f.property_string("compatible", "gpio-keys")?;
    let n = f.begin_node("poweroff")?;
    f.property_array_u32("gpios", &[GPIO, pin, 0])?;
    f.property_u32("linux,code", POWER)?;
    f.property_string("label", "GPIO Key Poweroff")?;
    f.end_node(n)?;
    f.end_node(keys)
}

fn platform_bus(f: &mut FdtWriter) -> Result<(), Error> {
    let (base, size) = PLATFORM_BUS;
    let n = f.begin_node(&format!("platform-bus@{base:x}"))?;
    f.property_u32("interrupt-parent", GIC)?;
    f.property_array_u32(
        "ranges",
        &[0, (base >> 32) as u32, base as u32, size as u32],
    )?;
    f.property_u32("#address-cells", 1)?;
    f.property_u32("#size-cells", 1)?;
    f.property_string_list("compatible", strings(&["qemu,platform", "simple-bus"]))?;
    f.end_node(n)
}

fn gic(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    if c.gic == Controller::V2 {
        return gic_v2(f, c);
    }
    let frames: Vec<&Row> = ROWS
        .iter()
        .filter(|r| matches!(r.make, Make::Gicd | Make::Gicr))
        .collect();
    let n = f.begin_node(&format!("intc@{:x}", frames[0].base))?;
    f.property_phandle(GIC)?;
    if c.psci == Conduit::Smc {
        f.property_array_u32("interrupts", &[GIC_PPI, MAINTENANCE, LEVEL_HIGH])?;
    }
    let reg: Vec<u64> = frames.iter().flat_map(|r| [r.base, r.size]).collect();
    f.property_array_u64("reg", &reg)?;
    f.property_u32("#redistributor-regions", 1)?;
    f.property_string("compatible", "arm,gic-v3")?;
    f.property_null("ranges")?;
    f.property_u32("#size-cells", 2)?;
    f.property_u32("#address-cells", 2)?;
    f.property_null("interrupt-controller")?;
    f.property_u32("#interrupt-cells", 3)?;
    let its = ROWS.iter().filter(|r| matches!(r.make, Make::Its));
    for r in its.filter(|_| c.gic == Controller::V3Its) {
        let n = f.begin_node(&node_name(r))?;
        f.property_phandle(MSI)?;
        f.property_array_u64("reg", &[r.base, r.size])?;
        f.property_u32("#msi-cells", 1)?;
        f.property_null("msi-controller")?;
        f.property_string("compatible", "arm,gic-v3-its")?;
        f.end_node(n)?;
    }
    f.end_node(n)
}

fn gic_v2(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let n = f.begin_node(&format!("intc@{:x}", GICV2_ROWS[0].base))?;
    f.property_phandle(GIC)?;
    let el2 = c.psci == Conduit::Smc;
    if el2 {
        f.property_array_u32("interrupts", &[GIC_PPI, MAINTENANCE, LEVEL_HIGH])?;
    }
    let frames = &GICV2_ROWS[..if el2 { 4 } else { 2 }];
    let reg: Vec<u64> = frames.iter().flat_map(|r| [r.base, r.size]).collect();
    f.property_array_u64("reg", &reg)?;
    f.property_string("compatible", "arm,cortex-a15-gic")?;
    f.property_null("ranges")?;
    f.property_u32("#size-cells", 2)?;
    f.property_u32("#address-cells", 2)?;
    f.property_null("interrupt-controller")?;
    f.property_u32("#interrupt-cells", 3)?;
    let messages = |r: &&Row| matches!(r.make, Make::GicV2(Frame::V2m));
    for r in GICV2_ROWS.iter().filter(messages) {
        let n = f.begin_node(&node_name(r))?;
        f.property_phandle(MSI)?;
        f.property_array_u64("reg", &[r.base, r.size])?;
        f.property_null("msi-controller")?;
        f.property_string("compatible", "arm,gic-v2m-frame")?;
        f.end_node(n)?;
    }
    f.end_node(n)
}

fn cpus(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let all = f.begin_node("cpus")?;
    f.property_u32("#size-cells", 0)?;
    f.property_u32("#address-cells", 1)?;
    let map = ["cpu-map", "socket0", "cluster0"]
        .map(|name| f.begin_node(name))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    for cpu in 0..c.cpus as u32 {
        let n = f.begin_node(&format!("core{cpu}"))?;
        f.property_u32("cpu", CPU0 + cpu)?;
        f.end_node(n)?;
    }
    for n in map.into_iter().rev() {
        f.end_node(n)?;
    }
    for cpu in 0..c.cpus as u32 {
        let n = f.begin_node(&format!("cpu@{cpu:x}"))?;
        f.property_phandle(CPU0 + cpu)?;
        f.property_u32("reg", cpu)?;
        f.property_string("enable-method", "psci")?;
        f.property_string("compatible", c.compatible)?;
        f.property_string("device_type", "cpu")?;
        f.end_node(n)?;
    }
    f.end_node(all)
}

/// A level-sensitive private interrupt of every CPU: GICv2's binding tells which CPUs those are.
fn private_level(c: &FdtConfig) -> u32 {
    match c.gic {
        Controller::V2 => LEVEL_HIGH | ((1 << c.cpus) - 1) << 8,
        _ => LEVEL_HIGH,
    }
}

fn timer(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let flags = private_level(c);
    let n = f.begin_node("timer")?;
    let timers = &TIMERS[..if c.el2_virtual_timer { 5 } else { 4 }];
    let interrupts: Vec<u32> = timers.iter().flat_map(|t| [GIC_PPI, *t, flags]).collect();
    f.property_array_u32("interrupts", &interrupts)?;
    f.property_null("always-on")?;
    f.property_string_list(
        "compatible",
        strings(&["arm,armv8-timer", "arm,armv7-timer"]),
    )?;
    f.end_node(n)
}

fn pmu(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let n = f.begin_node("pmu")?;
    f.property_array_u32("interrupts", &[GIC_PPI, PMU, private_level(c)])?;
    f.property_string("compatible", "arm,armv8-pmuv3")?;
    f.end_node(n)
}

fn clock(f: &mut FdtWriter) -> Result<(), Error> {
    let n = f.begin_node("apb-pclk")?;
    f.property_phandle(CLOCK)?;
    f.property_string("clock-output-names", "clk24mhz")?;
    f.property_u32("clock-frequency", 24_000_000)?;
    f.property_u32("#clock-cells", 0)?;
    f.property_string("compatible", "fixed-clock")?;
    f.end_node(n)
}

fn chosen(f: &mut FdtWriter, c: &FdtConfig) -> Result<(), Error> {
    let n = f.begin_node("chosen")?;
    if let Some((start, end)) = c.initrd {
        f.property_u64("linux,initrd-start", start)?;
        f.property_u64("linux,initrd-end", end)?;
    }
    if !c.bootargs.is_empty() {
        f.property_string("bootargs", c.bootargs)?;
    }
    if let Some(r) = ROWS.iter().find(|r| r.has_console()) {
        f.property_string("stdout-path", &format!("/{}", node_name(r)))?;
    }
    f.end_node(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_with_nul_is_an_error() {
        let config = FdtConfig {
            cpus: 8,
            memory: 1 << 30,
            bootargs: "a\0b",
            initrd: None,
            psci: Conduit::Smc,
            gic: Controller::V3,
            el2_virtual_timer: true,
            compatible: "arm,armv8",
            pmu: true,
            flash: true,
            pcie: true,
        };
        assert!(build(&config).is_err());
        let tree = build(&FdtConfig {
            bootargs: "ab",
            ..config
        })
        .expect("a tree");
        assert_eq!(tree[..4], [0xd0, 0x0d, 0xfe, 0xed]);
    }
}
