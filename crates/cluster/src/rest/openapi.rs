//! The OpenAPI document of what is answered, made of the routes themselves.

use serde_json::{Map, Value, json};

use super::route::Route;
use super::routes::ROUTES;

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        add(&mut paths, route);
    }
    of_paths(paths)
}

/// Adds a route, unless there is one of that path and method.
pub(super) fn add<H>(paths: &mut Map<String, Value>, route: &Route<H>) {
    let operations = paths.entry(path(route)).or_insert_with(|| json!({}));
    if let Some(operations) = operations.as_object_mut() {
        let method = route.method.as_str().to_lowercase();
        operations.entry(method).or_insert_with(|| operation(route));
    }
}

/// The document of these.
pub(super) fn of_paths(paths: Map<String, Value>) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rheos",
            "description": "Flink's paths and fields; fields that have no meaning without a JVM are 0.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Errors": {
                    "type": "object",
                    "required": ["errors"],
                    "properties": {
                        "errors": { "type": "array", "items": { "type": "string" } },
                    },
                },
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
    })
}

/// With its names as OpenAPI writes them.
fn path<H>(route: &Route<H>) -> String {
    let segments = route
        .path
        .split('/')
        .map(|segment| match segment.strip_prefix(':') {
            Some(name) => format!("{{{name}}}"),
            None => segment.to_owned(),
        });
    segments.collect::<Vec<_>>().join("/")
}

fn operation<H>(route: &Route<H>) -> Value {
    let parameter = |name: &str, place: &str| {
        json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": { "type": "string" },
        })
    };
    let named = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix(':'));
    let mut parameters: Vec<Value> = named.map(|name| parameter(name, "path")).collect();
    parameters.extend(route.query.iter().map(|name| parameter(name, "query")));
    let status = if route.accepted { "202" } else { "200" };
    json!({
        "summary": route.about,
        "parameters": parameters,
        "responses": {
            status: { "description": route.about },
            "default": {
                "description": "Why it is not",
                "content": {
                    "application/json": { "schema": { "$ref": "#/components/schemas/Errors" } },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations: usize = paths
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(operations, ROUTES.len());
        let job = &paths["/jobs/{jobid}"];
        assert_eq!(
            job["patch"]["responses"]["202"]["description"],
            "Cancels it"
        );
        assert_eq!(job["get"]["parameters"][0]["name"], "jobid");
    }
}
