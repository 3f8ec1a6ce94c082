//! What the derive refuses, and in which words.

use quote::quote;
use syn::parse_quote;

use crate::expand;

/// The message for a type that is refused.
fn refused(input: proc_macro2::TokenStream) -> String {
    let input: syn::DeriveInput = syn::parse2(input).unwrap();
    match crate::shape::Shape::read(&input, &parse_quote!(::rheos_core)) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn attributes_are_checked() {
    assert_eq!(
        refused(quote!(
            struct A {
                #[row(renamed = "b")]
                a: u8,
            }
        )),
        "unknown: a field or variant takes `rename`, `alias`, `default`"
    );
    assert_eq!(
        refused(quote!(
            #[row(rename = "B")]
            struct A;
        )),
        "unknown: a struct or enum takes `name`, `alias`, `crate`"
    );
    assert_eq!(
        refused(quote!(
            struct A {
                #[row(default, default = 1)]
                a: u8,
            }
        )),
        "given twice"
    );
    assert!(
        refused(quote!(
            struct A {
                #[row(rename = "dep-delay")]
                a: u8,
            }
        ))
        .starts_with("\"dep-delay\" can't be the name of a field")
    );
}

#[test]
fn names_are_distinct() {
    assert_eq!(
        refused(quote!(
            struct A {
                a: u8,
                #[row(alias = "a")]
                b: u8,
            }
        )),
        "a second member is known as \"a\""
    );
    assert_eq!(
        refused(quote!(
            enum A {
                B,
                #[row(rename = "B")]
                C,
            }
        )),
        "a second member is known as \"B\""
    );
}

#[test]
fn types_that_can_be_no_rows_are_refused() {
    assert_eq!(
        refused(quote!(
            enum A {}
        )),
        "an enum without variants has no values"
    );
    assert!(refused(quote!(union A { a: u8 })).contains("use an enum"));
    assert!(
        refused(quote!(
            struct A<'a>(&'a str);
        ))
        .starts_with("a row owns its data")
    );
    assert!(
        refused(quote!(
            struct A<const N: usize>(u8);
        ))
        .contains("const parameters")
    );
    assert!(
        refused(quote!(
            struct A(#[row(default)] u8);
        ))
        .starts_with("the only unnamed field stands for the whole")
    );
}

#[test]
fn a_default_variant_is_one_of_an_enum_without_fields() {
    assert_eq!(
        refused(quote!(
            enum A {
                #[row(default)]
                B,
                #[row(default)]
                C,
            }
        )),
        "a second default variant"
    );
    assert!(
        refused(quote!(
            enum A {
                #[row(default)]
                B,
                C(u8),
            }
        ))
        .starts_with("only an enum whose variants all have no fields")
    );
}

#[test]
fn the_derive_of_the_facade_names_the_facade() {
    let input: syn::DeriveInput = parse_quote!(
        struct A {
            a: u8,
        }
    );
    let text = expand(&input, &parse_quote!(::rheos::core)).to_string();
    assert!(text.contains(":: rheos :: core :: row"));
    assert!(!text.contains("rheos_core"));
}
