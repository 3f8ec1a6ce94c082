//! Vectors that go round between stages, their memory with them.
//!
//! Invariant: a vector that has been emptied keeps its memory, and one that is too small is replaced,
//! not grown: growing an empty vector copies what it no longer holds. Batches are large enough for
//! their memory to come from the kernel, which clears each page of it; measured on the session
//! benchmark, memory that was freed and taken anew for each batch was a fifth of the time.
//!
//! # Unsafe code
//! [`drain_each`] reads each element out of a vector whose length it has set to zero before: an
//! element is read once, and never by the vector again. If the function panics, the elements that are
//! left leak, which is safe. `Vec::drain` does the same through an `Option` an element; where the
//! type has a niche, testing it splits the element, and the copy that follows waits for the store of
//! one byte (a third of the time of a map of 64-byte rows). `Vec::into_iter` gives the memory away.
#![allow(unsafe_code)]

/// Makes room for `n` more elements; an empty vector is replaced by one of the next power of two, so
/// that vectors that go round soon fit all.
pub fn make_room<T>(vector: &mut Vec<T>, n: usize) {
    if vector.capacity() - vector.len() >= n {
        return;
    }
    if vector.is_empty() {
        *vector = Vec::with_capacity(n.next_power_of_two());
    } else {
        vector.reserve(n);
    }
}

/// Takes every element out, in order; the vector keeps its memory. If `take` panics, the elements
/// that were not yet taken are forgotten.
#[inline]
pub fn drain_each<T>(vector: &mut Vec<T>, mut take: impl FnMut(T)) {
    let len = vector.len();
    // SAFETY: 0 is within the capacity, and no element below it needs to be initialised.
    unsafe { vector.set_len(0) };
    let elements = vector.as_ptr();
    for at in 0..len {
        // SAFETY: elements up to `len` are initialised, each is read once, and since the length is 0
        // nobody else reads or drops them. `vector` is borrowed, so its memory stays where it is.
        take(unsafe { elements.add(at).read() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_in_order_and_the_memory_stays() {
        let mut vector: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        let capacity = vector.capacity();
        let mut taken = Vec::new();
        drain_each(&mut vector, |text| taken.push(text));
        assert_eq!(taken, ["0", "1", "2", "3", "4"]);
        assert!(vector.is_empty());
        assert_eq!(vector.capacity(), capacity);
    }

    #[test]
    fn an_element_is_dropped_once_and_those_behind_a_panic_never() {
        use std::rc::Rc;
        let element = Rc::new(());
        let mut vector = vec![element.clone(), element.clone(), element.clone()];
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = 0;
            drain_each(&mut vector, |_| {
                seen += 1;
                assert!(seen < 2, "the second");
            });
        }));
        assert!(outcome.is_err());
        drop(vector);
        assert_eq!(Rc::strong_count(&element), 2, "this one and the third");
    }

    #[test]
    fn room_is_made_in_powers_of_two_and_never_below_what_is_there() {
        let mut vector = Vec::<u8>::new();
        make_room(&mut vector, 100);
        assert_eq!(vector.capacity(), 128);
        vector.push(1);
        make_room(&mut vector, 200);
        assert!(vector.capacity() > 200);
        assert_eq!(vector, [1]);
    }
}
