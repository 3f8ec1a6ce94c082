//! `#[derive(Row)]`, see `rheos_core::row`.
//!
//! The type is read once into a [`shape::Shape`] with its attributes checked; then each trait
//! method is generated from that. An error is reported at the attribute or field that it is about.
//!
//! | attribute | where | effect |
//! |---|---|---|
//! | `#[row(rename = "n")]` | field, variant | its name in schemas and formats |
//! | `#[row(alias = "n")]`, repeated | struct, enum, field, variant | a former name, still read |
//! | `#[row(default)]` | field | `Default::default()` where it is missing |
//! | `#[row(default = expr)]` | field | that value where it is missing; string literals are converted |
//! | `#[row(default)]` | variant of an enum without fields | stands for variants that are unknown |
//! | `#[row(name = "n")]` | struct, enum | the name of its schema; else the name of the type |
//! | `#[row(crate = path)]` | struct, enum | where `rheos_core` is, if re-exported |
//!
//! A struct with one unnamed field is that field. A field of type `Option` is `None` where it is
//! missing.

mod attribute;
mod codec;
mod fill;
mod key;
mod schema;
mod shape;
mod show;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path, parse_macro_input, parse_quote};

/// Implements `rheos_core::Row`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input, &core_path()).into()
}

/// Implements `Row` for programs that depend on `rheos` alone, which re-exports this as `Row`.
#[proc_macro_derive(FacadeRow, attributes(row))]
pub fn derive_facade_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input, &parse_quote!(::rheos::core)).into()
}

fn expand(input: &DeriveInput, home: &Path) -> proc_macro2::TokenStream {
    let shape = match shape::Shape::read(input, home) {
        Ok(shape) => shape,
        Err(error) => return error.into_compile_error(),
    };
    let mut generics = input.generics.clone();
    let home = &shape.home;
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#home::row::Row));
    }
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let name = &input.ident;
    let has_heap = key::has_heap(&shape);
    let methods = [
        schema::schema(&shape),
        codec::encode(&shape),
        codec::decode(&shape),
        fill::from_source(&shape),
        show::visit(&shape),
        key::heap_bytes(&shape),
        key::key_bytes(&shape),
        key::key_hash(&shape),
        key::key_eq(&shape),
    ];
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, unused_variables, unreachable_patterns)]
        impl #parameters #home::row::Row for #name #arguments #conditions {
            const HAS_HEAP: bool = #has_heap;
            #(#methods)*
        }
    }
}

/// Where `rheos_core` is for the crate that derives: itself where it is a dependency, else in `rheos`.
fn core_path() -> syn::Path {
    let found = |name: &str| proc_macro_crate::crate_name(name).ok();
    match (found("rheos-core"), found("rheos")) {
        (Some(proc_macro_crate::FoundCrate::Name(name)), _) => {
            let name = proc_macro2::Ident::new(&name, proc_macro2::Span::call_site());
            parse_quote!(::#name)
        }
        (None, Some(proc_macro_crate::FoundCrate::Name(name))) => {
            let name = proc_macro2::Ident::new(&name, proc_macro2::Span::call_site());
            parse_quote!(::#name::core)
        }
        _ => parse_quote!(::rheos_core),
    }
}
