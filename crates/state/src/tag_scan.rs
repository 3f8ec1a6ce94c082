//! Tags of the entries of a small map, in the order of the entries: what is scanned instead of the
//! entries themselves, eight at a time. Sixteen bits of the hash make a false alarm one in sixty-four
//! thousand entries, and the tags of thirty-two entries share a cache line.

const LANES: usize = 8;

/// The tag of a [`crate::quick_hash::quick_hash`].
#[inline]
fn tag_of(hash: u64) -> u16 {
    (hash >> 48) as u16
}

#[derive(Debug, Default)]
pub(crate) struct TagScan {
    /// Lanes beyond the entries hold anything: whoever asks knows how many entries there are.
    blocks: Vec<[u16; LANES]>,
}

impl TagScan {
    /// The position whose tag fits the hash and for which `same` holds. `same` is also asked about
    /// positions beyond the entries.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(usize) -> bool) -> Option<usize> {
        let tag = tag_of(hash);
        for (at, block) in self.blocks.iter().enumerate() {
            // Without a way out in the middle, so that it is one comparison of all lanes.
            let hit = block.iter().fold(false, |hit, &other| hit | (other == tag));
            if !hit {
                continue;
            }
            for (lane, &other) in block.iter().enumerate() {
                if other == tag && same(at * LANES + lane) {
                    return Some(at * LANES + lane);
                }
            }
        }
        None
    }

    /// Notes that the entry with this hash lies at `at`, at most one beyond the last.
    #[inline]
    pub(crate) fn set(&mut self, at: usize, hash: u64) {
        if at / LANES == self.blocks.len() {
            self.blocks.push([0; LANES]);
        }
        let lane = self.blocks.get_mut(at / LANES);
        if let Some(lane) = lane.and_then(|block| block.get_mut(at % LANES)) {
            *lane = tag_of(hash);
        }
    }

    /// Reads a word of each cache line, and says how many were odd.
    #[inline]
    pub(crate) fn touch(&self) -> usize {
        const BLOCKS_A_LINE: usize = 64 / (2 * LANES);
        let lines = self.blocks.iter().step_by(BLOCKS_A_LINE);
        lines.map(|[tag, ..]| usize::from(tag & 1)).sum()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<[u16; LANES]>()
    }
}
