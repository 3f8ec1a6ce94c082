//! Size, canonical key bytes, hash and equality.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::codec::variable;
use crate::shape::{Body, Field, Shape};

pub fn has_heap(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let fields = shape.fields().into_iter().map(|f| {
        let ty = &f.ty;
        quote_spanned!(ty.span()=> || <#ty as #home::row::Row>::HAS_HEAP)
    });
    quote!(false #(#fields)*)
}

pub fn heap_bytes(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let row = quote!(#home::row::Row);
    let size = |f: &Field, place: TokenStream| {
        let ty = &f.ty;
        // Left out at compile time where the type owns nothing.
        quote!(+ if <#ty as #row>::HAS_HEAP { #row::heap_bytes(#place) } else { 0 })
    };
    let body = match &shape.body {
        Body::Struct(record) => {
            let fields = record.fields.iter().map(|f| {
                let member = &f.member;
                size(f, quote!(&self.#member))
            });
            quote!(0usize #(#fields)*)
        }
        Body::Enum(variants) => {
            let arms = variants.iter().map(|variant| {
                let pattern = variant.pattern(variable);
                let fields = variant.record.fields.iter().map(|f| size(f, variable(f)));
                quote!(#pattern => 0usize #(#fields)*,)
            });
            quote!(match self { #(#arms)* })
        }
    };
    quote! {
        #[inline]
        fn heap_bytes(&self) -> usize {
            #body
        }
    }
}

pub fn key_bytes(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let row = quote!(#home::row::Row);
    let body = match &shape.body {
        Body::Struct(record) => {
            let members = record.fields.iter().map(|f| &f.member);
            quote!(#(#row::key_bytes(&self.#members, out);)*)
        }
        Body::Enum(variants) => {
            let arms = variants.iter().enumerate().map(|(i, variant)| {
                let [high, low] = (i as u16).to_be_bytes();
                let pattern = variant.pattern(variable);
                let fields = variant.record.fields.iter().map(|f| &f.variable);
                quote! {
                    #pattern => {
                        out.put(&[#high, #low]);
                        #(#row::key_bytes(#fields, out);)*
                    }
                }
            });
            quote!(match self { #(#arms)* })
        }
    };
    quote! {
        #[inline]
        fn key_bytes<KeySinkOfRow: #home::row::KeySink>(&self, out: &mut KeySinkOfRow) {
            #body
        }
    }
}

/// Of a struct that stands for its one field, the field's own, which may be quicker.
pub fn key_hash(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    match &shape.body {
        Body::Struct(record) if record.fields.len() == 1 => {
            let members = record.fields.iter().map(|f| &f.member);
            quote! {
                #[inline]
                fn key_hash(&self) -> u64 {
                    #(#home::row::Row::key_hash(&self.#members))*
                }
            }
        }
        _ => TokenStream::new(),
    }
}

pub fn key_eq(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let row = quote!(#home::row::Row);
    let body = match &shape.body {
        Body::Struct(record) => {
            let members = record.fields.iter().map(|f| &f.member);
            quote!(true #(&& #row::key_eq(&self.#members, &other.#members))*)
        }
        Body::Enum(variants) => {
            let arms = variants.iter().map(|variant| {
                let other = |f: &Field| format_ident!("other_{}", f.variable);
                let left = variant.pattern(variable);
                let right = variant.pattern(|f| {
                    let other = other(f);
                    quote!(#other)
                });
                let fields = variant.record.fields.iter().map(|f| {
                    let (a, b) = (&f.variable, other(f));
                    quote!(&& #row::key_eq(#a, #b))
                });
                quote!((#left, #right) => true #(#fields)*,)
            });
            quote!(match (self, other) { #(#arms)* _ => false })
        }
    };
    quote! {
        #[inline]
        fn key_eq(&self, other: &Self) -> bool {
            #body
        }
    }
}
