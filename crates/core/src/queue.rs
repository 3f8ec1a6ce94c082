//! Elements that are taken from the front, and the memory that they lie in.
//!
//! Invariant: a queue is a vector whose elements before `from` have been taken. Life: filled from a
//! vector → its elements taken, in order → turned into a vector again, with what is left.
//!
//! A `VecDeque` does as much, through an `Option` an element. Where the type has a niche, asking that
//! option splits the element in two around one byte, and the copy of the halves waits for the store of
//! that byte, and so for all stores before it that miss the cache: measured on the session benchmark,
//! that was a sixth of its time. Here the element goes to whoever takes it as a whole.
//!
//! # Unsafe code
//! The vector's length is 0 and `from..to` says which elements there are: they were the vector's when
//! the queue was made of it, each is read once, and then `from` is behind it already. What is dropped
//! or left in the end is `from..to`.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;

/// Elements in order, taken from the front.
///
/// ```
/// use rheos_core::queue::Queue;
///
/// let mut queue = Queue::from(vec!["a".to_owned(), "b".to_owned()]);
/// assert_eq!(queue.take_first(|text| text.len()), Some(1));
/// assert_eq!(queue.as_slice(), ["b"]);
/// assert_eq!(Vec::from(queue), ["b"]);
/// ```
pub struct Queue<T> {
    /// Its length is 0.
    memory: Vec<T>,
    from: usize,
    to: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl<T> From<Vec<T>> for Queue<T> {
    fn from(mut memory: Vec<T>) -> Self {
        let to = memory.len();
        // SAFETY: 0 is within the capacity, and no element below it needs to be initialised.
        unsafe { memory.set_len(0) };
        Self {
            memory,
            from: 0,
            to,
        }
    }
}

impl<T> From<Queue<T>> for Vec<T> {
    fn from(queue: Queue<T>) -> Self {
        let mut queue = ManuallyDrop::new(queue);
        let mut memory = std::mem::take(&mut queue.memory);
        let (from, left) = (queue.from, queue.to - queue.from);
        let elements = memory.as_mut_ptr();
        // SAFETY: `from..to` lies within the memory and is initialised; the runs may overlap, which
        // `copy` allows. The queue is not dropped, so that the elements belong to the vector alone.
        unsafe {
            if from > 0 {
                elements.copy_from(elements.add(from), left);
            }
            memory.set_len(left);
        }
        memory
    }
}

impl<T> Queue<T> {
    /// How many are left.
    #[inline]
    pub fn len(&self) -> usize {
        self.to - self.from
    }

    /// Whether none is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// What is left, in order.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `from..to` is initialised, and nobody changes it while this is borrowed.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(self.from), self.len()) }
    }

    /// Gives the first element to `take`; none if there is none.
    #[inline]
    pub fn take_first<R>(&mut self, take: impl FnOnce(T) -> R) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        let at = self.from;
        self.from += 1;
        // SAFETY: it was the first of `from..to`, so it is initialised; it is so no more, so that it
        // is read once.
        Some(take(unsafe { self.memory.as_ptr().add(at).read() }))
    }

    /// Drops what is left.
    pub fn clear(&mut self) {
        while self.take_first(drop).is_some() {}
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn elements_come_in_order_and_what_is_left_goes_back_with_its_memory() {
        let vector: Vec<String> = (0..6).map(|n| n.to_string()).collect();
        let (capacity, address) = (vector.capacity(), vector.as_ptr());
        let mut queue = Queue::from(vector);
        assert_eq!(queue.take_first(|text| text).as_deref(), Some("0"));
        assert_eq!(queue.take_first(|text| text).as_deref(), Some("1"));
        assert_eq!(queue.as_slice(), ["2", "3", "4", "5"]);
        let left = Vec::from(queue);
        assert_eq!(left, ["2", "3", "4", "5"]);
        assert_eq!((left.capacity(), left.as_ptr()), (capacity, address));
        let mut queue = Queue::from(left);
        queue.clear();
        assert!(queue.is_empty());
        assert_eq!(queue.take_first(|_| ()), None);
        assert_eq!(Vec::from(queue).capacity(), capacity);
    }

    #[test]
    fn an_element_is_dropped_once_also_when_whoever_takes_it_panics() {
        let element = Rc::new(());
        let mut queue = Queue::from(vec![element.clone(), element.clone(), element.clone()]);
        assert_eq!(queue.take_first(drop), Some(()));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            queue.take_first(|_taken| panic!("the second"))
        }));
        assert!(outcome.is_err());
        assert_eq!(queue.len(), 1);
        drop(queue);
        assert_eq!(Rc::strong_count(&element), 1);
        let mut queue = Queue::from(vec![element.clone(), element.clone()]);
        assert_eq!(queue.take_first(drop), Some(()));
        assert_eq!(Vec::from(queue).len(), 1);
        assert_eq!(Rc::strong_count(&element), 1);
    }

    #[test]
    fn elements_without_a_size_are_counted_all_the_same() {
        let mut queue = Queue::from(vec![(); 3]);
        assert_eq!(queue.take_first(|()| 1), Some(1));
        assert_eq!(queue.as_slice().len(), 2);
        assert_eq!(Vec::from(queue).len(), 2);
    }
}
