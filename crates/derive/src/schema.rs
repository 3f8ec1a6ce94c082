//! `schema`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use crate::shape::{Body, Record, Shape, Variant};

pub fn schema(shape: &Shape) -> TokenStream {
    let home = &shape.home;
    let body = match &shape.body {
        Body::Struct(record) => match (record.fields.as_slice(), record.transparent) {
            ([field], true) => {
                let ty = &field.ty;
                quote!(<#ty as #home::row::Row>::schema())
            }
            _ => {
                let record = describe(record, home, &quote!(name), None, &shape.aliases);
                named(shape, &[], &record)
            }
        },
        Body::Enum(variants) if shape.is_plain_enum() => {
            let symbols = plain_enum(shape, variants);
            named(shape, &[], &symbols)
        }
        Body::Enum(variants) => {
            let branches = variants.iter().map(|variant| {
                let last = &variant.name;
                let name = quote!(::std::format!("{name}_{}", #last).into());
                describe(&variant.record, home, &name, Some(last), &variant.aliases)
            });
            let union = quote!(#home::row::Schema::Union(::std::vec![#(#branches),*]));
            named(shape, variants, &union)
        }
    };
    quote! {
        fn schema() -> #home::row::Schema {
            #body
        }
    }
}

/// Describes the type under its name, with the names of what its parameters stand for.
fn named(shape: &Shape, variants: &[Variant], schema: &TokenStream) -> TokenStream {
    let home = &shape.home;
    let name = &shape.name;
    let parameters = shape.parameters.iter().map(|parameter| {
        quote! {
            name.push('_');
            name.push_str(&<#parameter as #home::row::Row>::schema().identifier());
        }
    });
    let variants = variants.iter().map(|v| &v.name);
    quote! {
        #home::row::named::<Self>(
            || {
                let mut name = ::std::string::String::from(#name);
                #(#parameters)*
                name
            },
            &[#(#variants),*],
            |name| #schema,
        )
    }
}

fn describe(
    record: &Record,
    home: &Path,
    name: &TokenStream,
    variant: Option<&String>,
    aliases: &[String],
) -> TokenStream {
    let variant = match variant {
        Some(variant) => quote!(::core::option::Option::Some(#variant.into())),
        None => quote!(::core::option::Option::None),
    };
    let fields = record.fields.iter().map(|f| {
        let (name, ty, aliases) = (&f.name, &f.ty, &f.aliases);
        let missing = f.missing(home);
        quote! {
            #home::row::Field::new(#name, <#ty as #home::row::Row>::schema())
                .with_aliases(&[#(#aliases),*])
                .with_default(#missing.map(|value| #home::row::Row::to_value(&value)))
        }
    });
    quote! {
        #home::row::Schema::Record(::std::sync::Arc::new(#home::row::RecordSchema {
            name: #name,
            variant: #variant,
            aliases: ::std::vec![#(#aliases.into()),*],
            fields: ::std::vec![#(#fields),*],
        }))
    }
}

fn plain_enum(shape: &Shape, variants: &[Variant]) -> TokenStream {
    let home = &shape.home;
    let aliases = &shape.aliases;
    let symbols = variants.iter().map(|v| &v.name);
    let symbol_aliases = variants.iter().map(|v| {
        let aliases = &v.aliases;
        quote!(::std::vec![#(#aliases.into()),*])
    });
    let default = match variants.iter().position(|v| v.is_default) {
        Some(position) => quote!(::core::option::Option::Some(#position)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #home::row::Schema::Enum(::std::sync::Arc::new(#home::row::EnumSchema {
            name,
            aliases: ::std::vec![#(#aliases.into()),*],
            symbols: ::std::vec![#(#symbols.into()),*],
            symbol_aliases: ::std::vec![#(#symbol_aliases),*],
            default: #default,
        }))
    }
}
