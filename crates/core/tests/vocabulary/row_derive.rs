//! What `#[derive(Row)]` gives to every shape of type.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::{Reader, Schema, Str, Value, Writer};

#[derive(Row, Clone, Debug, PartialEq)]
struct Everything {
    flag: bool,
    small: i8,
    wide: u64,
    ratio: f64,
    half: f32,
    letter: char,
    name: Str,
    owned: String,
    raw: Vec<u8>,
    nothing: (),
    list: Vec<Option<i32>>,
    pair: (i64, Str),
    counts: BTreeMap<Str, u32>,
    by_number: HashMap<i32, Vec<u8>>,
    shared: Arc<Point>,
    id: UserId,
    shape: Shape,
    day: Day,
    unit: Unit,
    tree: Option<Box<Tree>>,
    nested: Option<Option<i32>>,
    maybe_shape: Option<Shape>,
    generic: Page<Point>,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Point(i32, i32);

#[derive(Row, Clone, Debug, PartialEq, Eq, Hash)]
struct UserId(u64);

#[derive(Row, Clone, Debug, PartialEq)]
struct Unit;

#[derive(Row, Clone, Debug, PartialEq)]
enum Day {
    Monday,
    #[row(rename = "SUNDAY", alias = "Sun")]
    Sunday,
    #[row(default)]
    Other,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Line(Point, Point),
    Rect {
        corner: Point,
        width: u32,
        height: u32,
    },
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Tree {
    label: Str,
    children: Vec<Tree>,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Expr {
    Number(i64),
    Neg(Box<Expr>),
    Add(Box<Expr>, Option<Box<Expr>>),
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Page<T> {
    items: Vec<T>,
    next: Option<T>,
}

fn everything() -> Everything {
    Everything {
        flag: true,
        small: -7,
        wide: u64::MAX,
        ratio: -0.25,
        half: 1.5,
        letter: 'ß',
        name: "UA".into(),
        owned: "a string too long to be held inline".into(),
        raw: vec![0, 255, 1],
        nothing: (),
        list: vec![Some(1), None, Some(i32::MIN)],
        pair: (i64::MIN, "x".into()),
        counts: [("a".into(), 1), ("b".into(), u32::MAX)].into(),
        by_number: [(-1, vec![1, 2]), (7, vec![])].into(),
        shared: Arc::new(Point(1, -1)),
        id: UserId(42),
        shape: Shape::Rect {
            corner: Point(0, 0),
            width: 2,
            height: 3,
        },
        day: Day::Sunday,
        unit: Unit,
        tree: Some(Box::new(Tree {
            label: "root".into(),
            children: vec![Tree {
                label: "leaf".into(),
                children: vec![],
            }],
        })),
        nested: Some(None),
        maybe_shape: Some(Shape::Empty),
        generic: Page {
            items: vec![Point(1, 2)],
            next: None,
        },
    }
}

fn round_trip<T: Row + PartialEq + std::fmt::Debug>(value: &T) {
    let mut out = Writer::new();
    value.encode(&mut out);
    let mut input = Reader::new(out.as_slice());
    assert_eq!(&T::decode(&mut input).unwrap(), value);
    input.finish().unwrap();
    for len in 0..out.len() {
        assert!(
            T::decode(&mut Reader::new(&out.as_slice()[..len])).is_err(),
            "cut at {len}"
        );
    }
    assert_eq!(&T::from_value(&value.to_value()).unwrap(), value);
}

#[test]
fn every_shape_survives_the_codec_and_the_dynamic_value() {
    round_trip(&everything());
    for shape in [
        Shape::Empty,
        Shape::Circle(1.0),
        Shape::Line(Point(1, 2), Point(3, 4)),
    ] {
        round_trip(&shape);
        round_trip(&(Some(Some(shape)), 1u8));
    }
    round_trip(&(Some(None::<()>), Some(()), 0u8));
    let one = || Box::new(Expr::Neg(Box::new(Expr::Number(1))));
    round_trip(&(Expr::Add(one(), Some(one())), true));
}

#[test]
fn a_type_that_contains_itself_has_a_finite_schema() {
    let Schema::Record(tree) = Tree::schema() else {
        panic!()
    };
    assert_eq!(
        tree.fields[1].schema,
        Schema::array(Schema::Ref("Tree".into()))
    );
    let Schema::Union(expr) = Expr::schema() else {
        panic!()
    };
    let Schema::Record(neg) = &expr[1] else {
        panic!()
    };
    assert_eq!(
        neg.fields[0].schema,
        Schema::Union(vec![
            Schema::Ref("Expr_Number".into()),
            Schema::Ref("Expr_Neg".into()),
            Schema::Ref("Expr_Add".into()),
        ])
    );
}

#[test]
fn a_missing_field_takes_its_default_or_is_named() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Order {
        id: u64,
        #[row(default = "none")]
        coupon: Str,
        #[row(default = 1 + 1)]
        count: u16,
        #[row(default)]
        tags: Vec<Str>,
        note: Option<Str>,
        #[row(rename = "price_eur", alias = "price")]
        price: f64,
    }
    let fields = |fields: &[(&str, Value)]| {
        let fields = fields
            .iter()
            .map(|(n, v)| (Arc::from(*n), v.clone()))
            .collect();
        Order::from_value(&Value::Record("Order".into(), fields))
    };
    let order = fields(&[("price", Value::Integer(3)), ("id", Value::Integer(9))]).unwrap();
    assert_eq!(
        order,
        Order {
            id: 9,
            coupon: "none".into(),
            count: 2,
            tags: vec![],
            note: None,
            price: 3.0
        }
    );
    let error = fields(&[("id", Value::Integer(9))]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "price_eur: the field is missing and has no default"
    );
    let error = fields(&[("id", Value::Integer(-9))]).unwrap_err();
    assert_eq!(error.to_string(), "id: -9 is out of range for u64");
}

#[test]
fn an_error_has_its_path() {
    let mut value = everything().to_value();
    let Value::Record(_, fields) = &mut value else {
        panic!()
    };
    let list = fields.iter_mut().find(|(n, _)| &**n == "list").unwrap();
    list.1 = Value::Array(vec![Value::Null, Value::String("x".into())]);
    let error = Everything::from_value(&value).unwrap_err();
    assert_eq!(
        error.to_string(),
        "list[1]: expected an integer, found a string"
    );
}

#[test]
fn an_unknown_variant_is_the_default_one_or_refused() {
    let value = |name: &str| Value::String(name.into());
    assert_eq!(Day::from_value(&value("Sun")).unwrap(), Day::Sunday);
    assert_eq!(Day::from_value(&value("Friday")).unwrap(), Day::Other);
    let error = Shape::from_value(&value("Cube")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Shape has no variant \"Cube\", only Empty, Circle, Line, Rect"
    );
    let error = Shape::from_value(&value("Rect")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the variant Shape.Rect has fields, and none were given"
    );
}

#[test]
fn sizes_are_those_of_the_heap() {
    #[derive(Row, Clone)]
    struct Flat(u64, Option<f64>, (i32, bool));
    const { assert!(!Flat::HAS_HEAP) };
    assert_eq!(Str::from("exactly twenty-four byte").heap_bytes(), 0);
    assert!(Str::from("one byte more than inline").heap_bytes() >= 25);
    let list: Vec<u64> = Vec::with_capacity(10);
    assert_eq!(list.heap_bytes(), 80);
    let texts = vec![String::with_capacity(100)];
    assert_eq!(texts.heap_bytes(), 24 + 100);
    assert_eq!(size_of::<Str>(), size_of::<String>());
}

#[test]
fn a_number_too_large_for_a_float_is_told_and_not_made_infinite() {
    let error = f32::from_value(&Value::Double(-1e300)).unwrap_err();
    assert_eq!(error.to_string(), "-1e300 is out of range for f32");
    assert_eq!(f32::from_value(&Value::Double(1e30)), Ok(1e30));
    let infinite = f32::from_value(&Value::Double(f64::INFINITY)).unwrap();
    assert_eq!(infinite, f32::INFINITY);
}
