//! `visit`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use crate::codec::variable;
use crate::shape::{Body, Field, Record, Shape};

pub fn visit(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let owner = &shape.name;
    let body = match &shape.body {
        Body::Struct(record) => show(record, home, owner, |f| {
            let member = &f.member;
            quote!(&self.#member)
        }),
        Body::Enum(variants) => {
            let arms = variants.iter().map(|variant| {
                let name = &variant.name;
                let pattern = variant.pattern(variable);
                if variant.record.fields.is_empty() {
                    return quote!(#pattern => visitor.unit_variant(#owner, #name),);
                }
                let fields = show(&variant.record, home, name, variable);
                quote! {
                    #pattern => {
                        visitor.begin_variant(#owner, #name)?;
                        #fields?;
                        visitor.end_variant()
                    }
                }
            });
            quote!(match self { #(#arms)* })
        }
    };
    quote! {
        fn visit(
            &self,
            visitor: &mut dyn #home::row::FieldVisitor,
        ) -> ::core::result::Result<(), #home::row::RowError> {
            #body
        }
    }
}

/// An expression that shows the fields.
fn show(
    record: &Record,
    home: &Path,
    owner: &str,
    place: impl Fn(&Field) -> TokenStream,
) -> TokenStream {
    if let ([field], true) = (record.fields.as_slice(), record.transparent) {
        let place = place(field);
        return quote!(#home::row::Row::visit(#place, visitor));
    }
    let len = record.fields.len();
    let positional = record.positional;
    let fields = record.fields.iter().enumerate().map(|(i, f)| {
        let (name, place) = (&f.name, place(f));
        quote! {
            visitor.field(#i, #name)?;
            #home::row::Row::visit(#place, visitor).map_err(|error| error.in_field(#name))?;
        }
    });
    quote! {{
        visitor.begin_record(#owner, #len, #positional)?;
        #(#fields)*
        visitor.end_record()
    }}
}
