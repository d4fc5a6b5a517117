//! Ranges of numbers that may overlap, cut into pieces where one begins or ends: a value is in one piece, which lists its ranges' owners.

/// Ranges with their owners.
#[derive(Debug)]
pub struct Spans {
    /// First value of each piece; the first piece begins at 0.
    starts: Vec<u64>,
    /// By piece: the part of `owners` that lists its owners.
    places: Vec<(u32, u32)>,
    owners: Vec<u32>,
    /// First and last value of the last piece without owners that was looked up: most values are in it again.
    empty: (u64, u64),
}

impl Spans {
    /// Make the pieces from ranges (first value, last value, owner).
    pub fn new(rows: &[(u64, u64, u32)]) -> Spans {
        let mut starts = vec![0];
        for &(low, high, _) in rows {
            starts.push(low);
            starts.extend(high.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        let (mut places, mut owners) = (Vec::new(), Vec::new());
        let (mut next, mut open) = (0, Vec::<(u64, u32)>::new());
        for &start in &starts {
            open.retain(|o| o.0 >= start);
            while let Some(&(low, high, owner)) = sorted.get(next).filter(|r| r.0 == start) {
                debug_assert_eq!(low, start);
                open.push((high, owner));
                next += 1;
            }
            let first = owners.len() as u32;
            owners.extend(open.iter().map(|o| o.1));
            places.push((first, owners.len() as u32));
        }
        Spans {
            starts,
            places,
            owners,
            empty: (1, 0),
        }
    }

    /// Whether a value is in none of the ranges.
    #[inline]
    pub fn misses(&mut self, value: u64) -> bool {
        (self.empty.0 <= value && value <= self.empty.1) || self.at(value).is_empty()
    }

    /// Whether no value from `low` to `high` is in any range, if they are in one piece with the value that was looked up last.
    pub fn misses_all(&self, low: u64, high: u64) -> bool {
        self.empty.0 <= low && high <= self.empty.1
    }

    /// The owners of the ranges that a value is in.
    pub fn at(&mut self, value: u64) -> &[u32] {
        let piece = self.starts.partition_point(|s| *s <= value) - 1;
        let (first, end) = self.places[piece];
        if first == end {
            let last = self.starts.get(piece + 1).map_or(u64::MAX, |s| s - 1);
            self.empty = (self.starts[piece], last);
        }
        &self.owners[first as usize..end as usize]
    }
}
