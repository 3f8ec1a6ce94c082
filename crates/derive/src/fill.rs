//! `from_source`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use crate::codec::variable;
use crate::shape::{Body, Record, Shape, Variant, field_names};

pub fn from_source(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let body = match &shape.body {
        Body::Struct(record) => {
            let build = record.build(variable);
            let fields = read(record, home, &shape.name);
            quote!(#fields ::core::result::Result::Ok(Self #build))
        }
        Body::Enum(variants) => from_variant(shape, variants),
    };
    quote! {
        fn from_source(
            source: &mut dyn #home::row::FieldSource,
        ) -> ::core::result::Result<Self, #home::row::RowError> {
            #body
        }
    }
}

fn from_variant(shape: &Shape, variants: &[Variant]) -> TokenStream {
    let home = &shape.home;
    let names = field_names(
        home,
        &shape.name,
        variants
            .iter()
            .map(|v| (v.name.as_str(), v.aliases.as_slice())),
        false,
        variants.iter().position(|v| v.is_default),
    );
    let arms = variants.iter().enumerate().map(|(i, variant)| {
        let build = variant.pattern(variable);
        if variant.record.fields.is_empty() {
            return quote!(#i => #build,);
        }
        let name = &variant.name;
        let owner = format!("{}.{name}", shape.name);
        let fields = read(&variant.record, home, &owner);
        let message = format!("the variant {owner} has fields, and none were given");
        quote! {
            #i => {
                let ::core::option::Option::Some(source) = fields else {
                    return ::core::result::Result::Err(#home::row::RowError::mismatch(#message));
                };
                let read = || -> ::core::result::Result<Self, #home::row::RowError> {
                    #fields
                    ::core::result::Result::Ok(#build)
                };
                let mut read = read;
                read().map_err(|error| error.in_field(#name))?
            }
        }
    });
    let unread = format!("no variant of {} was given", shape.name);
    quote! {
        let mut value = ::core::option::Option::None;
        source.variant(#names, &mut |position, fields| {
            value = ::core::option::Option::Some(match position {
                #(#arms)*
                _ => return ::core::result::Result::Ok(()),
            });
            ::core::result::Result::Ok(())
        })?;
        value.ok_or_else(|| #home::row::RowError::mismatch(#unread))
    }
}

/// Statements that read `source` into the variables of the fields.
fn read(record: &Record, home: &Path, owner: &str) -> TokenStream {
    let row = quote!(#home::row::Row);
    if let ([field], true) = (record.fields.as_slice(), record.transparent) {
        let (variable, ty) = (&field.variable, &field.ty);
        return quote!(let #variable = <#ty as #row>::from_source(source)?;);
    }
    let names = record.names(home, owner);
    let declared = record.fields.iter().map(|f| {
        let (variable, ty) = (&f.variable, &f.ty);
        quote!(let mut #variable: ::core::option::Option<#ty> = ::core::option::Option::None;)
    });
    let arms = record.fields.iter().enumerate().map(|(i, f)| {
        let (variable, ty, name) = (&f.variable, &f.ty, &f.name);
        quote! {
            #i => #variable = ::core::option::Option::Some(
                <#ty as #row>::from_source(source).map_err(|error| error.in_field(#name))?,
            ),
        }
    });
    let filled = record.fields.iter().map(|f| {
        let (variable, name) = (&f.variable, &f.name);
        let missing = f.missing(home);
        quote! {
            let #variable = match #variable {
                ::core::option::Option::Some(value) => value,
                ::core::option::Option::None => match #missing {
                    ::core::option::Option::Some(value) => value,
                    ::core::option::Option::None => {
                        return ::core::result::Result::Err(#home::row::RowError::missing(#name));
                    }
                },
            };
        }
    });
    quote! {
        #(#declared)*
        source.record(#names, &mut |position, source| {
            match position {
                #(#arms)*
                _ => {}
            }
            ::core::result::Result::Ok(())
        })?;
        #(#filled)*
    }
}
