//! Types that contain themselves: which of them are being described, on this thread, right now.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::Arc;

use super::Schema;

thread_local! {
    static OPEN: RefCell<Vec<(TypeId, Arc<str>)>> = const { RefCell::new(Vec::new()) };
}

/// Closes a scope also when the description panics.
struct Open;

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| open.pop());
    }
}

/// The schema of the named type `T`: what `describe` answers or, inside of that, a reference: to
/// the name itself, or where `T` is a union, to its `variants`.
///
/// `#[derive(Row)]` wraps every record and enum in it.
pub fn named<T: 'static>(
    name: impl FnOnce() -> String,
    variants: &[&str],
    describe: impl FnOnce(Arc<str>) -> Schema,
) -> Schema {
    let id = TypeId::of::<T>();
    let known = OPEN.with_borrow(|open| {
        open.iter()
            .find(|(t, _)| *t == id)
            .map(|(_, name)| Arc::clone(name))
    });
    if let Some(name) = known {
        let variant = |variant| Schema::Ref(format!("{name}_{variant}").into());
        return match variants {
            [] => Schema::Ref(name),
            _ => Schema::Union(variants.iter().map(variant).collect()),
        };
    }
    let name: Arc<str> = name().into();
    OPEN.with_borrow_mut(|open| open.push((id, Arc::clone(&name))));
    let open = Open;
    let schema = describe(name);
    drop(open);
    schema
}
