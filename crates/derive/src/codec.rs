//! `encode` and `decode`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::shape::{Body, Field, Record, Shape};

pub fn encode(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let row = quote!(#home::row::Row);
    let body = match &shape.body {
        Body::Struct(record) => {
            let fields = record.fields.iter().map(|f| {
                let member = &f.member;
                quote!(#row::encode(&self.#member, out);)
            });
            quote!(#(#fields)*)
        }
        Body::Enum(variants) => {
            let arms = variants.iter().enumerate().map(|(i, variant)| {
                let index = i as i64;
                let pattern = variant.pattern(variable);
                let fields = variant.record.fields.iter().map(|f| {
                    let variable = &f.variable;
                    quote!(#row::encode(#variable, out);)
                });
                quote!(#pattern => { out.long(#index); #(#fields)* })
            });
            quote!(match self { #(#arms)* })
        }
    };
    quote! {
        #[inline]
        fn encode(&self, out: &mut #home::row::Writer) {
            #body
        }
    }
}

pub fn decode(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let body = match &shape.body {
        Body::Struct(record) => {
            let value = read(record, home);
            quote!(::core::result::Result::Ok(Self #value))
        }
        Body::Enum(variants) => {
            let count = variants.len();
            let last = count.saturating_sub(1);
            // The last arm takes all: the reader has refused what is not below `count`.
            let arms = variants.iter().enumerate().map(|(i, variant)| {
                let pattern = if i == last { quote!(_) } else { quote!(#i) };
                let ident = &variant.ident;
                let value = read(&variant.record, home);
                quote!(#pattern => Self::#ident #value,)
            });
            quote!(::core::result::Result::Ok(match input.index(#count)? { #(#arms)* }))
        }
    };
    quote! {
        #[inline]
        fn decode(
            input: &mut #home::row::Reader<'_>,
        ) -> ::core::result::Result<Self, #home::row::RowError> {
            #body
        }
    }
}

fn read(record: &Record, home: &Path) -> TokenStream {
    record.build(|f| {
        let (ty, name) = (&f.ty, &f.name);
        let value = quote_spanned!(ty.span()=> <#ty as #home::row::Row>::decode(input));
        if record.transparent {
            quote!(#value?)
        } else {
            quote!(#value.map_err(|error| error.in_field(#name))?)
        }
    })
}

/// The variable to which a pattern binds the field.
pub fn variable(field: &Field) -> TokenStream {
    let variable = &field.variable;
    quote!(#variable)
}
