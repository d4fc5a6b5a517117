//! The entropy device (VIRTIO 1.2, 5.4): numbers that follow from a seed, so that a run is the same each time.

use super::queue::{Broken, Chain};
use crate::mem::Memory;

/// Most bytes of one request; a driver asks again for more.
const MOST: u64 = 1 << 16;

/// Fill a chain; how many bytes that were. `drawn` counts the numbers of 8 bytes, and is what a snapshot keeps.
///
/// # Errors
/// There is nothing to fill, or no memory where it says.
pub fn serve(
    seed: u64,
    drawn: &mut u64,
    chain: &Chain,
    mem: &mut dyn Memory,
) -> Result<u32, Broken> {
    let len = chain.write.len().min(MOST);
    if len == 0 {
        return Err(Broken);
    }
    let mut bytes = vec![0; len as usize];
    for part in bytes.chunks_mut(8) {
        let number = mixed(seed, *drawn).to_le_bytes();
        part.copy_from_slice(&number[..part.len()]);
        *drawn = drawn.wrapping_add(1);
    }
    chain.write.put(mem, 0, &bytes)?;
    Ok(len as u32)
}

/// Number `n` of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mixed(seed: u64, n: u64) -> u64 {
    let z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::mixed;

    #[test]
    fn numbers_are_those_of_the_generator() {
        // The first ones of the reference implementation (Vigna, splitmix64.c) for the seed 1234567.
        let first: Vec<u64> = (0..3).map(|n| mixed(1_234_567, n)).collect();
        let known = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, known);
    }
}
