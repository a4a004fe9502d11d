//! Policy texts that several files start from.

/// One upstream `up` and one interactive route `all` that takes everything to it.
pub fn to(url: &str) -> String {
    policy(&upstream(url), "")
}

/// As [`to`] with more keys on the route, for example `websocket: true`.
pub fn to_with(url: &str, route: &str) -> String {
    policy(&upstream(url), route)
}

/// As [`to`] over HTTP/2 by prior knowledge.
pub fn to_h2(url: &str) -> String {
    policy(&format!("{}, protocol: http2", upstream(url)), "")
}

/// One route `all` through a function `fn` with these keys, for example `reserved: 3`.
pub fn function(url: &str, keys: &str) -> String {
    let comma = if keys.is_empty() { "" } else { ", " };
    format!(
        "version: 1\n\
         upstreams:\n  up: {{ {} }}\n\
         functions:\n  fn: {{ upstream: up{comma}{keys} }}\n\
         routes:\n  all: {{ match: {{ path: /** }}, function: fn }}\n",
        upstream(url)
    )
}

/// One upstream and one route with these keys.
pub fn policy(upstream: &str, route: &str) -> String {
    let comma = if route.is_empty() { "" } else { ", " };
    format!(
        "version: 1\n\
         upstreams:\n  up: {{ {upstream} }}\n\
         routes:\n  all: {{ match: {{ path: /** }}, upstream: up{comma}{route} }}\n"
    )
}

/// The keys of an upstream with time limits that end a test before its deadline.
pub fn upstream(url: &str) -> String {
    format!("endpoints: [\"{url}\"], timeout: {{ connect: 1s, response: 5s }}")
}
