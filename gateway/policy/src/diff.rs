//! What changed between two policies, in words, for people who review or audit a change.
//!
//! Every part is spelled out as *facts*, a label and a text each; the difference of two parts is
//! that of their facts. The facts take the types apart field by field, so that a new field does
//! not compile until it has its words. Where something was written (file, line) is no change.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::policy::{
    Admission, Cache, CacheKey, Function, Policy, Pool, Route, Signals, Target, Upstream,
};
use crate::units::{Name, show_bytes, show_duration};

/// What differs, one sentence each: the pool, then upstreams, functions and routes by name.
///
/// Empty exactly where the two policies mean the same. For example
/// `route mail-receive: workers enter 85% → 80%`.
pub fn diff(old: &Policy, new: &Policy) -> Vec<String> {
    let mut words = Vec::new();
    changed(&mut words, "pool", &pool_facts(old.pool), &pool_facts(new.pool));
    section(&mut words, "upstream", &old.upstreams, &new.upstreams, upstream_facts);
    section(&mut words, "function", &old.functions, &new.functions, function_facts);
    section(&mut words, "route", &old.routes, &new.routes, route_facts);
    words
}

/// Facts that go without saying of what is added: the defaults.
const USUAL: [(&str, &str); 9] = [
    ("protocol", "auto"),
    ("mode", "enforce"),
    ("rps per", "route"),
    ("on_stale", "proven"),
    ("cache key query sort", "false"),
    ("cache store_set_cookie", "false"),
    ("cache require_public", "false"),
    ("websocket", "false"),
    ("strict_path", "true"),
];

/// Facts in their order; a label may come more than once (lists), each time with another text.
type Facts = Vec<(&'static str, String)>;

fn section<T>(
    words: &mut Vec<String>,
    kind: &str,
    old: &BTreeMap<Name, T>,
    new: &BTreeMap<Name, T>,
    facts: fn(&T) -> Facts,
) {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        words.push(format!("{kind} {name} removed"));
    }
    for (name, item) in new {
        let facts_now = facts(item);
        if let Some(before) = old.get(name) {
            changed(words, &format!("{kind} {name}"), &facts(before), &facts_now);
        } else {
            let facts: Vec<_> = facts_now
                .iter()
                .filter(|(label, text)| !USUAL.contains(&(*label, text)))
                .map(|(label, text)| join(label, text))
                .collect();
            words.push(format!("{kind} {name} added: {}", facts.join(", ")));
        }
    }
}

fn changed(words: &mut Vec<String>, what: &str, old: &Facts, new: &Facts) {
    let only = |facts: &Facts, other: &Facts| -> Facts {
        facts.iter().filter(|fact| !other.contains(fact)).cloned().collect()
    };
    let (mut gone, fresh) = (only(old, new), only(new, old));
    for (label, text) in fresh {
        match gone.iter().position(|(other, _)| *other == label) {
            Some(at) => {
                let (_, before) = gone.remove(at);
                words.push(format!("{what}: {label} {before} → {text}"));
            }
            None => words.push(format!("{what}: {} added", join(label, &text))),
        }
    }
    for (label, text) in gone {
        words.push(format!("{what}: {} removed", join(label, &text)));
    }
}

fn join(label: &str, text: &str) -> String {
    if text.is_empty() { label.to_owned() } else { format!("{label} {text}") }
}

fn pool_facts(pool: Pool) -> Facts {
    let Pool { total, unreserved_min } = pool;
    vec![("total", total.to_string()), ("unreserved_min", unreserved_min.to_string())]
}

fn upstream_facts(upstream: &Upstream) -> Facts {
    let Upstream { name: _, origin: _, endpoints, protocol, timeout, signals, workers_max } =
        upstream;
    let mut facts: Facts =
        endpoints.iter().map(|endpoint| ("endpoint", endpoint.to_string())).collect();
    facts.push(("protocol", protocol.as_str().to_owned()));
    facts.push(("connect timeout", show_duration(timeout.connect)));
    facts.push(("response timeout", show_duration(timeout.response)));
    if let Some(Signals { source, path, every, workers, cpu }) = signals {
        facts.push(("signals from", source.as_str().to_owned()));
        facts.push(("signals path", path.clone()));
        facts.push(("signals every", show_duration(*every)));
        if let Some(workers) = workers {
            facts.push(("series of busy workers", workers.busy.clone()));
            facts.push(("series of most workers", workers.max.clone()));
        }
        optional(&mut facts, "series of cpu", cpu.as_ref());
    }
    optional(&mut facts, "workers_max", workers_max.as_ref());
    facts
}

fn function_facts(function: &Function) -> Facts {
    let Function { name: _, origin: _, upstream, reserved } = function;
    let reserved = reserved.map_or_else(|| "nothing".to_owned(), |slots| slots.to_string());
    vec![("upstream", upstream.to_string()), ("reserved", reserved)]
}

fn route_facts(route: &Route) -> Facts {
    let Route {
        name: _,
        origin: _,
        matcher,
        target,
        class,
        admission,
        cache,
        websocket,
        strict_path,
    } = route;
    let to = match target {
        Target::Upstream(upstream) => format!("upstream {upstream}"),
        // That the function's upstream changed is said at the function.
        Target::Function { function, upstream: _ } => format!("function {function}"),
    };
    let mut facts: Facts = vec![
        ("matches", matcher.to_string()),
        ("goes to", to),
        ("class", class.as_str().to_owned()),
    ];
    if let Some(admission) = admission {
        admission_facts(&mut facts, admission);
    }
    if let Some(cache) = cache {
        cache_facts(&mut facts, cache);
    }
    facts.push(("websocket", websocket.to_string()));
    facts.push(("strict_path", strict_path.to_string()));
    facts
}

fn admission_facts(facts: &mut Facts, admission: &Admission) {
    let Admission { mode, rps, cpu, workers, on_stale } = admission;
    facts.push(("mode", mode.as_str().to_owned()));
    if let Some(rps) = rps {
        facts.push(("rps limit", rps.limit.to_string()));
        facts.push(("rps burst", rps.burst.to_string()));
        facts.push(("rps per", rps.per.as_str().to_owned()));
    }
    if let Some(cpu) = cpu {
        facts.push(("cpu of", cpu.of.as_str().to_owned()));
        facts.push(("cpu enter", cpu.bounds.enter.to_string()));
        facts.push(("cpu exit", cpu.bounds.exit.to_string()));
    }
    if let Some(workers) = workers {
        facts.push(("workers enter", workers.bounds.enter.to_string()));
        facts.push(("workers exit", workers.bounds.exit.to_string()));
        if workers.full > workers.bounds.enter {
            facts.push(("workers full", workers.full.to_string()));
        }
        if let Some(wait) = workers.wait {
            facts.push(("workers wait", show_duration(wait)));
        }
    }
    facts.push(("on_stale", on_stale.as_str().to_owned()));
}

fn cache_facts(facts: &mut Facts, cache: &Cache) {
    let Cache {
        fresh_for,
        heuristic,
        stale_while_revalidate,
        stale_if_error,
        stale_if_shed,
        object_bytes_max,
        key,
        store_set_cookie,
        require_public,
    } = cache;
    let CacheKey { headers, query_drop, query_sort } = key;
    facts.push(("cache", String::new()));
    optional(facts, "cache fresh_for", fresh_for.map(show_duration).as_ref());
    optional(facts, "cache heuristic", heuristic.as_ref());
    let stale = [
        ("cache stale_while_revalidate", stale_while_revalidate),
        ("cache stale_if_error", stale_if_error),
        ("cache stale_if_shed", stale_if_shed),
    ];
    for (name, duration) in stale {
        optional(facts, name, duration.map(show_duration).as_ref());
    }
    facts.push(("cache max_object", show_bytes(*object_bytes_max)));
    facts.extend(headers.iter().map(|name| ("cache key header", name.to_string())));
    facts.extend(query_drop.iter().map(|name| ("cache key without parameter", name.to_string())));
    facts.push(("cache key query sort", query_sort.to_string()));
    facts.push(("cache store_set_cookie", store_set_cookie.to_string()));
    facts.push(("cache require_public", require_public.to_string()));
}

fn optional(facts: &mut Facts, label: &'static str, value: Option<&impl Display>) {
    if let Some(value) = value {
        facts.push((label, value.to_string()));
    }
}

#[cfg(test)]
mod tests;
