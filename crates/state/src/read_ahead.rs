//! Asks the processor for memory before it is needed, so that the cache misses of a batch overlap.
//!
//! A load from memory takes a hundred nanoseconds or more, and a processor has some twenty of them
//! under way at once if it knows of them; row after row it would wait for each. So the state of a
//! batch is asked for in stages, each over all rows: the cells; what the cells point to; and, where
//! the user's function says which, entries of maps.
//!
//! It is a load whose value nobody waits for, not a prefetch instruction: processors may drop those
//! where the address translation is missing too, which is where they are needed most (measured on an
//! AMD EPYC: with prefetches the loads that followed took three times as long). On processors other
//! than x86-64 and AArch64 it does nothing.
//!
//! Why `unsafe`: in Rust's terms a byte of a value may be padding, which nobody may read; to the
//! processor it is a byte. So the load is written in assembly, of a byte within a value that a
//! reference points to, and what it loads is thrown away.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;
/// Asked for at most, of one value: larger ones are read in order, which the processor sees by itself.
const MOST: usize = 4 * LINE;

/// Asks for the memory of a value, up to its first four cache lines.
#[inline(always)]
pub(crate) fn read_ahead<T: ?Sized>(value: &T) {
    let size = size_of_val(value).min(MOST);
    let start = std::ptr::from_ref(value).cast::<u8>();
    if size == 0 {
        return;
    }
    let mut offset = 0;
    while offset < size {
        line_ahead(start.wrapping_add(offset));
        offset += LINE;
    }
    // A value that does not begin with a line ends in one more.
    line_ahead(start.wrapping_add(size - 1));
}

#[inline(always)]
fn line_ahead(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `at` lies within a value that is borrowed; the loaded byte is not used.
    unsafe {
        std::arch::asm!(
            "movzx {byte:e}, byte ptr [{at}]",
            at = in(reg) at,
            byte = out(reg) _,
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "ldrb {byte:w}, [{at}]",
            at = in(reg) at,
            byte = out(reg) _,
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}
