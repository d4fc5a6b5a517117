//! What has been compiled, and who jumps to whom.

use super::emit::Emitter;
use super::frame::Frame;
use super::memory::Memory;
use super::one;
use super::plan::Plan;
use gdbhv_model::exec::block::{Block, Tier};
use gdbhv_model::exec::native::{forget, Compiler, Enter};
use gdbhv_model::feature::Features;

/// A block that has native code.
struct Compiled {
    block: *const Block,
    entry: u32,
    /// Sites that jump to it, by index.
    incoming: Vec<u32>,
}

/// A jump that may be a direct one.
struct Site {
    /// Where its displacement is, and where it goes without a target.
    at: u32,
    stub: u32,
    linked: bool,
}

/// Sites have numbers of 30 bits, of which a block has at most two.
const MOST_SITES: u32 = (1 << 30) - 3;

/// The tier of a machine.
pub struct Tier1 {
    features: Features,
    memory: Memory,
    frame: Frame,
    plan: Plan,
    emitter: Emitter,
    compiled: Vec<Compiled>,
    sites: Vec<Site>,
    /// Number of the first of them: numbers are not used again, so that an old one is known as such.
    first_site: u32,
}

// SAFETY: the pointers to blocks go where the machine goes that owns them and the tier.
unsafe impl Send for Tier1 {}

impl Tier1 {
    /// For a machine with `features`.
    ///
    /// # Errors
    /// A sentence: the host lacks an instruction, or gives no memory for code.
    pub fn new(features: Features) -> Result<Tier1, String> {
        for (has, name) in [
            (std::arch::is_x86_feature_detected!("bmi2"), "BMI2"),
            (std::arch::is_x86_feature_detected!("lzcnt"), "LZCNT"),
            (std::arch::is_x86_feature_detected!("avx2"), "AVX2"),
            (std::arch::is_x86_feature_detected!("fma"), "FMA"),
        ] {
            if !has {
                return Err(format!(
                    "the compiling tier needs {name}, which this host's CPU lacks"
                ));
            }
        }
        let mut memory = Memory::new()?;
        let frame = Frame::new(&mut memory);
        Ok(Tier1 {
            features,
            memory,
            frame,
            plan: Plan::default(),
            emitter: Emitter::new(frame),
            compiled: Vec::new(),
            sites: Vec::new(),
            first_site: 0,
        })
    }
}

impl Compiler for Tier1 {
    fn enter(&self) -> Enter {
        self.frame.enter(&self.memory)
    }
    fn compile(&mut self, block: &Block, words: &[u32]) -> usize {
        if !self.plan.make(words, self.features) {
            return 0;
        }
        for _ in 0..2 {
            let base = self.memory.next();
            let site = self.first_site + self.sites.len() as u32;
            if site > MOST_SITES {
                return 0;
            }
            let code = self.emitter.block(block, &self.plan, base, site);
            let Some(entry) = self.memory.put(&code.bytes) else {
                self.clear();
                continue;
            };
            for s in code.sites {
                let (at, stub) = (entry + s.at, entry + s.stub);
                self.memory.patch(at, stub);
                self.sites.push(Site {
                    at,
                    stub,
                    linked: false,
                });
            }
            block.tier.set(Tier {
                native: self.memory.address(entry),
                index: self.compiled.len() as u32,
            });
            self.compiled.push(Compiled {
                block,
                entry,
                incoming: Vec::new(),
            });
            return code.bytes.len();
        }
        0
    }
    fn link(&mut self, site: u64, to: &Block) {
        let index = site.checked_sub(self.first_site as u64);
        let Some(s) = index.and_then(|i| self.sites.get_mut(i as usize)) else {
            return;
        };
        let target = &mut self.compiled[to.tier.get().index as usize];
        if !s.linked {
            s.linked = true;
            self.memory.patch(s.at, target.entry);
            target.incoming.push(site as u32 - self.first_site);
        }
    }
    fn killed(&mut self, block: &Block) {
        let tier = block.tier.get();
        if tier.native.is_null() {
            return;
        }
        let c = &mut self.compiled[tier.index as usize];
        c.block = std::ptr::null();
        for site in std::mem::take(&mut c.incoming) {
            let s = &mut self.sites[site as usize];
            s.linked = false;
            self.memory.patch(s.at, s.stub);
        }
    }
    fn unlink(&mut self) {
        for c in &mut self.compiled {
            c.incoming.clear();
        }
        for s in self.sites.iter_mut().filter(|s| s.linked) {
            s.linked = false;
            self.memory.patch(s.at, s.stub);
        }
    }
    fn go_on_panicking(&mut self) -> ! {
        one::go_on_panicking()
    }
    fn clear(&mut self) {
        for c in self.compiled.drain(..).filter(|c| !c.block.is_null()) {
            // SAFETY: blocks that are out of use have been taken off the list (`killed`).
            forget(unsafe { &*c.block });
        }
        self.first_site += self.sites.len() as u32;
        self.sites.clear();
        self.memory.truncate(self.frame.end);
    }
}
