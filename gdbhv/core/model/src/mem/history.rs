//! Snapshots of memory: what each page held when one was made, of those pages alone that have changed.
//!
//! Snapshots are the nodes of a tree, and memory is at its root: a snapshot says how it differs from the one that is nearer to
//! memory, and the nearest ([`History::base`]) how it differs from memory itself. So one costs nothing when it is made; a page costs
//! a copy when it is first written to after it. To restore one, the differences on the way to it are exchanged with memory, one
//! after the other, and then tell the way back (H. Baker, "Shallow binding makes functional arrays fast", 1991).

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Pages, by number from the start of RAM, and what they hold. Each page is there once.
#[derive(Default)]
struct Pages {
    /// Page, and whether its bytes are in `data` (in this order); else it is zero.
    pages: Vec<(u32, bool)>,
    data: Vec<u8>,
}

impl Pages {
    fn push(&mut self, page: u32, bytes: &[u8]) {
        let some = bytes != &ZEROS[..bytes.len()];
        self.pages.push((page, some));
        if some {
            self.data.extend_from_slice(bytes);
        }
    }
    fn clear(&mut self) {
        self.pages.clear();
        self.data.clear();
    }
    /// Each page and its bytes.
    fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut data = self.data.chunks_exact(PAGE);
        self.pages.iter().map(move |&(page, some)| {
            let bytes = if some {
                data.next().expect("as many as marked")
            } else {
                &ZEROS[..]
            };
            (page, bytes)
        })
    }
}

static ZEROS: [u8; PAGE] = [0; PAGE];

struct Node {
    /// The neighbour nearer to memory; None: memory itself.
    toward: Option<u32>,
    /// How this one differs from it.
    differs: Pages,
    /// Nobody asks for it any more, but others say how they differ from it.
    forgotten: bool,
}

/// All snapshots of a memory.
#[derive(Default)]
pub struct History {
    nodes: BTreeMap<u32, Node>,
    /// The one nearest to memory: pages that are written to for the first time since are kept for it.
    base: Option<u32>,
    next: u32,
}

impl History {
    /// Whether pages have to be kept before they change.
    #[inline]
    pub fn keeps(&self) -> bool {
        self.base.is_some()
    }
    /// Page `page` is about to change for the first time since the last snapshot was made or restored.
    pub fn keep(&mut self, page: u32, bytes: &[u8]) {
        let base = self.base.expect("only while there is one");
        self.nodes
            .get_mut(&base)
            .expect("a node")
            .differs
            .push(page, bytes);
    }
    /// Make one of memory as it is. From now on all pages are to be kept.
    pub fn add(&mut self) -> u32 {
        let id = self.next;
        self.next += 1;
        if let Some(base) = self.base.replace(id) {
            self.nodes.get_mut(&base).expect("a node").toward = Some(id);
        }
        let node = Node {
            toward: None,
            differs: Pages::default(),
            forgotten: false,
        };
        self.nodes.insert(id, node);
        id
    }
    /// Make memory what it was when `id` was made: the pages that change, some of them perhaps more than once. From now on all pages
    /// are to be kept for it.
    pub fn restore(&mut self, id: u32, memory: &mut [u8]) -> Vec<u32> {
        let mut changed = Vec::new();
        let mut room = Pages::default();
        for step in self.way(id).into_iter().rev() {
            let node = self.nodes.get_mut(&step).expect("a node");
            let before = node.toward.take();
            let mut theirs = std::mem::take(&mut node.differs);
            let mut ours = Pages::default();
            for (page, bytes) in theirs.iter() {
                let at = page as usize * PAGE;
                if before.is_some() {
                    ours.push(page, &memory[at..at + PAGE]);
                }
                memory[at..at + PAGE].copy_from_slice(bytes);
                changed.push(page);
            }
            // What memory was is the neighbour's now; what it was before the first step is nobody's, and leaves its room.
            match before {
                Some(before) => {
                    let neighbour = self.nodes.get_mut(&before).expect("a node");
                    neighbour.toward = Some(step);
                    neighbour.differs = ours;
                }
                None => {
                    theirs.clear();
                    room = theirs;
                }
            }
        }
        self.nodes.get_mut(&id).expect("a node").differs = room;
        self.base = Some(id);
        self.prune();
        changed
    }
    /// `id` and those between it and memory.
    fn way(&self, id: u32) -> Vec<u32> {
        let mut way = vec![id];
        while let Some(next) = self.nodes[&way[way.len() - 1]].toward {
            way.push(next);
        }
        way
    }
    /// What `page` held when `id` was made, if it is not what memory holds, for each such page.
    pub fn differences(&self, id: u32) -> BTreeMap<u32, &[u8]> {
        // Those farther from memory say the last word.
        let way = self.way(id);
        way.iter()
            .rev()
            .flat_map(|n| self.nodes[n].differs.iter())
            .collect()
    }
    /// Forget one.
    pub fn remove(&mut self, id: u32) {
        self.nodes.get_mut(&id).expect("a node").forgotten = true;
        self.prune();
    }
    /// Take out the forgotten ones that nobody, or only one other, says its differences from.
    fn prune(&mut self) {
        loop {
            let nearer = |id: u32| {
                self.nodes
                    .iter()
                    .filter(move |n| n.1.toward == Some(id))
                    .map(|n| *n.0)
            };
            let gone = self.nodes.iter().filter(|n| n.1.forgotten).map(|n| *n.0);
            let Some((id, farther)) = gone
                .map(|id| (id, nearer(id).collect::<Vec<_>>()))
                .find(|(_, farther)| farther.len() < 2)
            else {
                return;
            };
            let node = self.nodes.remove(&id).expect("a node");
            if let Some(other) = farther.first() {
                let other = self.nodes.get_mut(other).expect("a node");
                let own: BTreeSet<u32> = other.differs.pages.iter().map(|p| p.0).collect();
                for (page, bytes) in node.differs.iter().filter(|p| !own.contains(&p.0)) {
                    other.differs.push(page, bytes);
                }
                other.toward = node.toward;
            }
            if self.base == Some(id) {
                self.base = farther.first().copied();
            }
        }
    }
    /// Whether `page` may hold something else in one snapshot than in another one (None: in memory). It may have been written, and
    /// hold the same.
    pub fn differ(&self, one: u32, other: Option<u32>, page: u32) -> bool {
        let other = other.map_or(Vec::new(), |id| self.way(id));
        let one = self.way(one);
        // What both ways have in common is not between them.
        let between = one.iter().filter(|n| !other.contains(n));
        let between = between.chain(other.iter().filter(|n| !one.contains(n)));
        let has = |n: &u32| self.nodes[n].differs.pages.iter().any(|p| p.0 == page);
        between.into_iter().any(has)
    }
    /// The pages that need not be kept any more for the one nearest to memory.
    pub fn kept_pages(&self) -> impl Iterator<Item = u32> + '_ {
        let base = self.base.and_then(|id| self.nodes.get(&id));
        base.into_iter()
            .flat_map(|n| n.differs.pages.iter().map(|p| p.0))
    }
    /// Pages that one keeps for itself, and the bytes that they take.
    pub fn kept(&self, id: u32) -> (usize, usize) {
        let differs = &self.nodes[&id].differs;
        (differs.pages.len(), differs.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::ram::Ram;
    use crate::random_tests::random;

    /// Random writes, snapshots, restores and deletions against whole copies.
    #[test]
    fn every_snapshot_is_memory_as_it_was() {
        const PAGES: u64 = 16;
        const BASE: u64 = 0x4000_0000;
        let mut ram = Ram::new(BASE, PAGES * PAGE as u64);
        let mut copies: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut random = random(1);
        let all = |ram: &Ram| ram.get(BASE, PAGES * PAGE as u64).expect("RAM").to_vec();
        for _ in 0..20_000 {
            let one = |copies: &BTreeMap<u32, Vec<u8>>, n: u64| {
                *copies.keys().nth(n as usize).expect("one")
            };
            match random(20) {
                0 if copies.len() < 8 => {
                    let copy = all(&ram);
                    copies.insert(ram.save(), copy);
                }
                1 if !copies.is_empty() => {
                    let n = random(copies.len() as u64);
                    let id = one(&copies, n);
                    ram.restore(id);
                    assert!(all(&ram) == copies[&id], "restored");
                }
                2 if !copies.is_empty() => {
                    let n = random(copies.len() as u64);
                    let id = one(&copies, n);
                    ram.forget(id);
                    copies.remove(&id);
                }
                4 if copies.len() > 1 => {
                    let (n, m) = (random(copies.len() as u64), random(copies.len() as u64));
                    let (a, b) = (one(&copies, n), one(&copies, m));
                    let at = random(PAGES);
                    let page = |id: &u32| &copies[id][at as usize * PAGE..][..PAGE];
                    let differ = ram.differ(a, Some(b), BASE + at * PAGE as u64);
                    assert!(differ || page(&a) == page(&b), "it says so");
                }
                3 if !copies.is_empty() => {
                    let n = random(copies.len() as u64);
                    let id = one(&copies, n);
                    let mut told = all(&ram);
                    for (page, bytes) in ram.differences(id) {
                        told[page as usize * PAGE..][..PAGE].copy_from_slice(bytes);
                    }
                    assert!(told == copies[&id], "told");
                }
                _ => {
                    let (at, v) = (random(PAGES * PAGE as u64 - 8), random(3));
                    ram.write(BASE + at, 8, v).expect("RAM");
                }
            }
        }
        let ids: Vec<u32> = copies.keys().copied().collect();
        ids.into_iter().for_each(|id| ram.forget(id));
        assert!(!ram.is_guarded(BASE), "nothing is kept when nobody asks");
    }
}
