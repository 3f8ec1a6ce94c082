//! The `#[row(...)]` attributes, read and checked.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, LitStr, Path, Result};

/// What a missing field becomes.
pub enum Default {
    /// `Default::default()`.
    Trait,
    /// This expression.
    Expr(Expr),
}

/// What stands on a field or variant.
#[derive(std::default::Default)]
pub struct Member {
    pub rename: Option<LitStr>,
    pub aliases: Vec<LitStr>,
    pub default: Option<Default>,
}

/// What stands on the type.
#[derive(std::default::Default)]
pub struct Container {
    pub name: Option<LitStr>,
    pub aliases: Vec<LitStr>,
    pub home: Option<Path>,
}

impl Member {
    pub fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut member = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename") {
                set(&mut member.rename, name_of(&meta)?, &meta)
            } else if meta.path.is_ident("alias") {
                // Input may have names that no schema could: `dep-delay`, `Dep Delay`.
                member.aliases.push(meta.value()?.parse()?);
                Ok(())
            } else if meta.path.is_ident("default") {
                let default = match meta.input.peek(syn::Token![=]) {
                    true => Default::Expr(meta.value()?.parse()?),
                    false => Default::Trait,
                };
                set(&mut member.default, default, &meta)
            } else {
                Err(meta.error("unknown: a field or variant takes `rename`, `alias`, `default`"))
            }
        })?;
        Ok(member)
    }
}

impl Container {
    pub fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut container = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("name") {
                set(&mut container.name, full_name_of(&meta)?, &meta)
            } else if meta.path.is_ident("alias") {
                container.aliases.push(full_name_of(&meta)?);
                Ok(())
            } else if meta.path.is_ident("crate") {
                set(&mut container.home, meta.value()?.parse()?, &meta)
            } else {
                Err(meta.error("unknown: a struct or enum takes `name`, `alias`, `crate`"))
            }
        })?;
        Ok(container)
    }
}

fn each(
    attributes: &[Attribute],
    mut read: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|a| a.path().is_ident("row")) {
        attribute.parse_nested_meta(&mut read)?;
    }
    Ok(())
}

fn set<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("given twice")),
    }
}

fn name_of(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let literal: LitStr = meta.value()?.parse()?;
    check_name(&literal.value(), literal.span())?;
    Ok(literal)
}

/// A name that may have a namespace, as `com.acme.Order`.
fn full_name_of(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let literal: LitStr = meta.value()?.parse()?;
    for part in literal.value().split('.') {
        check_name(part, literal.span())?;
    }
    Ok(literal)
}

/// Refuses names that Avro can't have.
pub fn check_name(name: &str, span: proc_macro2::Span) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(Error::new(
        span,
        format!(
            "{name:?} can't be the name of a field, variant or row: names are ASCII letters, \
             digits and `_`, and begin with no digit; use `#[row(rename = \"...\")]`"
        ),
    ))
}
