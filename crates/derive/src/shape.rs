//! The type that is derived for, as the generators see it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Fields, Lit, Member, Path, Result, Type};

use crate::attribute::{self, Container, Default};

/// A struct or enum.
pub struct Shape {
    pub home: Path,
    /// The name of its schema.
    pub name: String,
    pub aliases: Vec<String>,
    /// The type parameters, which are part of the schema's name.
    pub parameters: Vec<Ident>,
    pub body: Body,
}

pub enum Body {
    Struct(Record),
    Enum(Vec<Variant>),
}

/// Fields that belong together.
pub struct Record {
    pub fields: Vec<Field>,
    /// Whether the fields have no names of their own.
    pub positional: bool,
    /// Whether there is one unnamed field, for which the whole stands.
    pub transparent: bool,
}

pub struct Field {
    pub member: Member,
    /// A local variable for it.
    pub variable: Ident,
    pub name: String,
    pub aliases: Vec<String>,
    pub ty: Type,
    default: Option<Default>,
}

pub struct Variant {
    pub ident: Ident,
    pub name: String,
    pub aliases: Vec<String>,
    pub record: Record,
    pub is_default: bool,
}

impl Shape {
    pub fn read(input: &DeriveInput, home: &Path) -> Result<Self> {
        if let Some(lifetime) = input.generics.lifetimes().next() {
            return Err(Error::new(
                lifetime.span(),
                "a row owns its data: use `Str` or `String` in place of borrowed text",
            ));
        }
        if let Some(constant) = input.generics.const_params().next() {
            return Err(Error::new(
                constant.span(),
                "a row can't have const parameters: they would not show in its schema's name",
            ));
        }
        let container = Container::read(&input.attrs)?;
        let name = match &container.name {
            Some(name) => name.value(),
            None => {
                let name = input.ident.unraw().to_string();
                attribute::check_name(&name, input.ident.span())?;
                name
            }
        };
        let body = match &input.data {
            Data::Struct(data) => Body::Struct(Record::read(&data.fields)?),
            Data::Enum(data) => Body::Enum(
                data.variants
                    .iter()
                    .map(Variant::read)
                    .collect::<Result<Vec<_>>>()?,
            ),
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span(),
                    "a union does not know which of its fields it holds: use an enum",
                ));
            }
        };
        let shape = Self {
            home: container.home.unwrap_or_else(|| home.clone()),
            name,
            aliases: container.aliases.iter().map(syn::LitStr::value).collect(),
            parameters: input
                .generics
                .type_params()
                .map(|p| p.ident.clone())
                .collect(),
            body,
        };
        shape.check(input)?;
        Ok(shape)
    }

    fn check(&self, input: &DeriveInput) -> Result<()> {
        let Body::Enum(variants) = &self.body else {
            return Ok(());
        };
        if variants.is_empty() {
            return Err(Error::new(
                input.ident.span(),
                "an enum without variants has no values",
            ));
        }
        if variants.len() > usize::from(u16::MAX) {
            return Err(Error::new(
                input.ident.span(),
                "a row has at most 65,535 variants",
            ));
        }
        let names = variants
            .iter()
            .map(|v| (&v.name, &v.aliases, v.ident.span()));
        distinct(names)?;
        let defaults: Vec<_> = variants.iter().filter(|v| v.is_default).collect();
        if let [_, second, ..] = defaults.as_slice() {
            return Err(Error::new(second.ident.span(), "a second default variant"));
        }
        if let [default, ..] = defaults.as_slice()
            && !self.is_plain_enum()
        {
            return Err(Error::new(
                default.ident.span(),
                "only an enum whose variants all have no fields can have a default variant",
            ));
        }
        Ok(())
    }

    /// Whether it is an enum whose variants have no fields: Avro's enum.
    pub fn is_plain_enum(&self) -> bool {
        match &self.body {
            Body::Struct(_) => false,
            Body::Enum(variants) => variants.iter().all(|v| v.record.fields.is_empty()),
        }
    }

    /// The fields of all variants.
    pub fn fields(&self) -> Vec<&Field> {
        match &self.body {
            Body::Struct(record) => record.fields.iter().collect(),
            Body::Enum(variants) => variants.iter().flat_map(|v| &v.record.fields).collect(),
        }
    }
}

impl Variant {
    fn read(variant: &syn::Variant) -> Result<Self> {
        let member = attribute::Member::read(&variant.attrs)?;
        let is_default = match &member.default {
            None => false,
            Some(Default::Trait) => true,
            Some(Default::Expr(expr)) => {
                return Err(Error::new(expr.span(), "a default variant takes no value"));
            }
        };
        let name = match &member.rename {
            Some(name) => name.value(),
            None => variant.ident.unraw().to_string(),
        };
        attribute::check_name(&name, variant.ident.span())?;
        let mut record = Record::read(&variant.fields)?;
        // The schema names the one field of `A(T)` `f0`, so `A { f0: T }` is the same.
        record.transparent = matches!(record.fields.as_slice(), [f] if f.name == "f0");
        Ok(Self {
            ident: variant.ident.clone(),
            name,
            aliases: member.aliases.iter().map(syn::LitStr::value).collect(),
            record,
            is_default,
        })
    }

    /// `Self::A { x: v0, 1: v1 }` for patterns and expressions, with these variables.
    pub fn pattern(&self, variable: impl Fn(&Field) -> TokenStream) -> TokenStream {
        let ident = &self.ident;
        let record = self.record.build(variable);
        quote!(Self::#ident #record)
    }
}

impl Record {
    fn read(fields: &Fields) -> Result<Self> {
        let positional = matches!(fields, Fields::Unnamed(_));
        let fields = fields
            .iter()
            .enumerate()
            .map(|(i, field)| Field::read(i, field))
            .collect::<Result<Vec<_>>>()?;
        distinct(
            fields
                .iter()
                .map(|f| (&f.name, &f.aliases, f.member.span())),
        )?;
        let transparent = positional && fields.len() == 1;
        if let ([field], true) = (fields.as_slice(), transparent)
            && (field.default.is_some() || !field.aliases.is_empty() || field.name != "f0")
        {
            return Err(Error::new(
                field.ty.span(),
                "the only unnamed field stands for the whole: it has no name, alias or default",
            ));
        }
        Ok(Self {
            fields,
            positional,
            transparent,
        })
    }

    /// `{ x: v0, 1: v1 }` with these variables.
    pub fn build(&self, variable: impl Fn(&Field) -> TokenStream) -> TokenStream {
        let members = self.fields.iter().map(|f| &f.member);
        let variables = self.fields.iter().map(variable);
        quote!({ #(#members: #variables),* })
    }

    /// The static table of the names by which the fields are known.
    pub fn names(&self, home: &Path, owner: &str) -> TokenStream {
        let names = self
            .fields
            .iter()
            .map(|f| (f.name.as_str(), f.aliases.as_slice()));
        field_names(home, owner, names, self.positional, None)
    }
}

impl Field {
    fn read(index: usize, field: &syn::Field) -> Result<Self> {
        let attributes = attribute::Member::read(&field.attrs)?;
        let name = match (&attributes.rename, &field.ident) {
            (Some(name), _) => name.value(),
            (None, Some(ident)) => ident.unraw().to_string(),
            (None, None) => format!("f{index}"),
        };
        attribute::check_name(&name, field.ident.span())?;
        Ok(Self {
            member: match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => Member::Unnamed(index.into()),
            },
            variable: format_ident!("field_{index}"),
            name,
            aliases: attributes.aliases.iter().map(syn::LitStr::value).collect(),
            ty: field.ty.clone(),
            default: attributes.default,
        })
    }

    /// An `Option` of the value for when the field is missing.
    pub fn missing(&self, home: &Path) -> TokenStream {
        let ty = &self.ty;
        match &self.default {
            None => quote!(<#ty as #home::row::Row>::missing()),
            Some(Default::Trait) => {
                let span = ty.span();
                let value =
                    quote::quote_spanned!(span=> <#ty as ::core::default::Default>::default());
                quote!(::core::option::Option::Some(#value))
            }
            Some(Default::Expr(expr)) => {
                let value = match expr {
                    Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => {
                        quote!(::core::convert::Into::into(#expr))
                    }
                    other => other.to_token_stream(),
                };
                quote!(::core::option::Option::<#ty>::Some(#value))
            }
        }
    }
}

/// A `&'static FieldNames`.
pub fn field_names<'a>(
    home: &Path,
    owner: &str,
    names: impl Iterator<Item = (&'a str, &'a [String])>,
    positional: bool,
    default: Option<usize>,
) -> TokenStream {
    let names = names.map(|(name, aliases)| quote!(&[#name, #(#aliases),*]));
    let default = match default {
        Some(position) => quote!(::core::option::Option::Some(#position)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        {
            static NAMES: #home::row::FieldNames = #home::row::FieldNames {
                owner: #owner,
                fields: &[#(#names),*],
                positional: #positional,
                default: #default,
            };
            &NAMES
        }
    }
}

/// Refuses two members of one name.
fn distinct<'a>(
    members: impl Iterator<Item = (&'a String, &'a Vec<String>, proc_macro2::Span)>,
) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for (name, aliases, span) in members {
        for name in std::iter::once(name).chain(aliases) {
            if !seen.insert(name) {
                return Err(Error::new(
                    span,
                    format!("a second member is known as {name:?}"),
                ));
            }
        }
    }
    Ok(())
}
