//! The tables themselves. Bounds stand here with their unit, and the reason where it is not plain.

use super::Shape::{
    Bytes, Choice, Duration, Exactly, Form as Of, Forms, Number, Percent, Text as T, TextMap,
    Texts, Truth, Whole,
};
use super::{Form, Key, Text, Word};

const NAME: Text = Text { pattern: "^[a-z0-9][a-z0-9._-]{0,62}$", bytes_max: 63 };
const ENDPOINT: Text = Text { pattern: "^https?://[^/?#@\\s]+$", bytes_max: 300 };
const PATH_PATTERN: Text = Text { pattern: "^/", bytes_max: 1_024 };
const HOST_PATTERN: Text = Text { pattern: "^(\\*\\.)?[^*/\\s]+$", bytes_max: 255 };
const METHOD: Text = Text { pattern: "^[A-Z0-9-]+$", bytes_max: 32 };
const HEADER: Text = Text { pattern: "^[A-Za-z0-9!#$%&'*+.^`|~-]+$", bytes_max: 128 };
const HEADER_VALUE: Text = Text { pattern: "^[\\x20-\\x7e]*$", bytes_max: 1_024 };
const SCRAPE_PATH: Text = Text { pattern: "^/[\\x21-\\x7e]*$", bytes_max: 1_024 };
const SERIES: Text = Text { pattern: "^[a-zA-Z_:][a-zA-Z0-9_:]*$", bytes_max: 200 };
const PARAMETER: Text = Text { pattern: "^[^&=#*\\s]+$", bytes_max: 128 };

/// Slots are kept in 32-bit counters; a million calls in flight is beyond one process.
const SLOTS_MAX: u32 = 1_000_000;

/// A policy file.
pub(crate) const FILE: Form = Form {
    title: "policy",
    noun: "a policy file",
    about: "A policy file of Sumun. All files of the folder together are one policy.",
    exactly_one: &[],
    keys: &[
        Key::new("version", Exactly(1), "Version of the format. Every file says it.").required(),
        Key::new("pool", Of(&POOL), "Concurrency of all functions. At most once in the folder."),
        Key::new(
            "upstreams",
            Forms { of: &UPSTREAM, max: 1_000 },
            "The services behind the gateway, by name.",
        ),
        Key::new(
            "functions",
            Forms { of: &FUNCTION, max: 10_000 },
            "Named shares of the pool, by name.",
        ),
        Key::new(
            "routes",
            Forms { of: &ROUTE, max: 10_000 },
            "Which calls are taken and what holds for them, by name. The most specific route \
             wins, not the first.",
        ),
    ],
};

/// The concurrency pool.
const POOL: Form = Form {
    title: "pool",
    noun: "`pool`",
    about: "Concurrency of the whole gateway's functions, as an account's in AWS Lambda.",
    exactly_one: &[],
    keys: &[
        Key::new("total", Whole { min: 1, max: SLOTS_MAX }, "Calls in flight over all functions.")
            .or("1000"),
        Key::new(
            "unreserved_min",
            Whole { min: 0, max: SLOTS_MAX },
            "What the reservations must leave for functions without one. Where `total` is less \
             than the default, `total`.",
        )
        .or("100"),
    ],
};

/// An upstream.
const UPSTREAM: Form = Form {
    title: "upstream",
    noun: "an upstream",
    about: "A service behind the gateway: its instances and how its load is read.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "endpoints",
            Texts { of: ENDPOINT, min: 1, max: 256 },
            "Its instances, each `http://` or `https://`, host and port, nothing more.",
        )
        .required(),
        Key::new(
            "protocol",
            Choice(&[
                Word::new("auto", "HTTP/1.1; on TLS whatever ALPN yields"),
                Word::new("http1", "HTTP/1.1 only"),
                Word::new("http2", "HTTP/2 only, without TLS by prior knowledge; for gRPC"),
            ]),
            "HTTP version spoken to it.",
        )
        .or("auto"),
        Key::new("timeout", Of(&TIMEOUT), "Time limits of a call to it."),
        Key::new(
            "signals",
            Of(&SIGNALS),
            "Where its load is read. ORCA response headers are read whenever they are there.",
        ),
        Key::new(
            "workers_max",
            Whole { min: 1, max: 100_000 },
            "Workers per endpoint, used where no signal tells it; the gateway's own calls in \
             flight are then the busy ones.",
        ),
    ],
};

/// Time limits.
const TIMEOUT: Form = Form {
    title: "timeout",
    noun: "`timeout`",
    about: "Time limits of one call to an upstream.",
    exactly_one: &[],
    keys: &[
        Key::new("connect", Duration { min: "1ms", max: "1m" }, "TCP and TLS set-up.").or("1s"),
        Key::new(
            "response",
            Duration { min: "1ms", max: "1h" },
            "From the request sent to the response head, and between two chunks of its body.",
        )
        .or("30s"),
    ],
};

/// Load signals.
const SIGNALS: Form = Form {
    title: "signals",
    noun: "`signals`",
    about: "How an upstream's load is read from each of its endpoints.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "source",
            Choice(&[
                Word::new("actuator", "Spring Boot Actuator's Prometheus text"),
                Word::new("prometheus", "any Prometheus text; say `path` and the series"),
                Word::new("orca", "ORCA response headers only, nothing is fetched"),
                Word::new("none", "no signals"),
            ]),
            "Where the readings come from.",
        )
        .or("none"),
        Key::new(
            "path",
            T(SCRAPE_PATH),
            "Path that is fetched from each endpoint. For `actuator` it is \
             `/actuator/prometheus` where it is not written; `prometheus` needs it.",
        ),
        Key::new("every", Duration { min: "100ms", max: "1m" }, "Period of the fetches.").or("1s"),
        Key::new(
            "workers",
            Of(&WORKER_SERIES),
            "The series of the worker pool. `actuator` knows Tomcat's.",
        ),
        Key::new(
            "cpu",
            T(SERIES),
            "The series of the CPU share, 0 to 1. For `actuator` it is `system_cpu_usage` where \
             it is not written.",
        ),
    ],
};

/// Series of a worker pool.
const WORKER_SERIES: Form = Form {
    title: "worker_series",
    noun: "`workers`",
    about: "Names of the Prometheus series of a worker pool.",
    exactly_one: &[],
    keys: &[
        Key::new("busy", T(SERIES), "Gauge of the busy workers.").required(),
        Key::new("max", T(SERIES), "Gauge of the most workers.").required(),
    ],
};

/// A function.
const FUNCTION: Form = Form {
    title: "function",
    noun: "a function",
    about: "A named share of the pool, as a function's reserved concurrency in AWS Lambda.",
    exactly_one: &[],
    keys: &[
        Key::new("upstream", T(NAME), "The upstream that runs it.").required(),
        Key::new(
            "reserved",
            Whole { min: 0, max: SLOTS_MAX },
            "So many slots are always there for it, and never more. 0: always throttled. Not \
             written: it shares what is unreserved.",
        ),
    ],
};

/// A route.
const ROUTE: Form = Form {
    title: "route",
    noun: "a route",
    about: "Which calls are taken, where they go, and what holds for them.",
    exactly_one: &["function", "upstream"],
    keys: &[
        Key::new("match", Of(&MATCH), "Which calls it takes: all conditions hold.").required(),
        Key::new("function", T(NAME), "Calls go through this function's quota to its upstream."),
        Key::new("upstream", T(NAME), "Calls go straight to this upstream."),
        Key::new(
            "class",
            Choice(&[
                Word::new("interactive", "never shed"),
                Word::new("default", "shed last"),
                Word::new("batch", "shed second"),
                Word::new("bulk", "shed first"),
            ]),
            "How much its calls may be shed. A call may say a lower class in `Sumun-Class`, and a \
             higher one where the setting `callers.may_raise` lists its caller; the upstream is \
             told the class that holds. Quotas hold for every class.",
        )
        .or("interactive"),
        Key::new("admission", Of(&ADMISSION), "Thresholds over which calls are refused with 429."),
        Key::new(
            "cache",
            Of(&CACHE),
            "The shared cache for GET and HEAD; `{}` is RFC 9111 with what the origin says. Not \
             written: no caching.",
        ),
        Key::new("websocket", Truth, "Whether `Upgrade: websocket` is passed on.").or("false"),
        Key::new(
            "strict_path",
            Truth,
            "Whether paths with encoded dots and slashes, backslashes and the like are refused \
             with 400. Turn it off only where the upstream needs such paths.",
        )
        .or("true"),
    ],
};

/// The conditions of a route.
const MATCH: Form = Form {
    title: "match",
    noun: "`match`",
    about: "Which calls a route takes: all conditions hold.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "methods",
            Texts { of: METHOD, min: 1, max: 16 },
            "Methods in capitals. Not written: any.",
        ),
        Key::new(
            "path",
            T(PATH_PATTERN),
            "`/a/b` is exact, `*` stands for one segment, `**` at the end for any rest (also \
             none).",
        )
        .required(),
        Key::new(
            "host",
            T(HOST_PATTERN),
            "Host without port, or `*.example.internal` for every host under it. Not written: \
             any.",
        ),
        Key::new(
            "headers",
            TextMap { names: HEADER, texts: HEADER_VALUE, max: 8 },
            "Headers that are there with exactly this value.",
        ),
    ],
};

/// Thresholds of a route.
const ADMISSION: Form = Form {
    title: "admission",
    noun: "`admission`",
    about: "Thresholds over which a route's calls are refused. Not for interactive routes.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "mode",
            Choice(&[
                Word::new("enforce", "refuse"),
                Word::new("shadow", "count and report what would be refused, refuse nothing"),
                Word::new("off", "decide nothing"),
            ]),
            "Whether refusals are real.",
        )
        .or("enforce"),
        Key::new("rps", Of(&RPS), "Requests per second."),
        Key::new("cpu", Of(&CPU), "CPU share of the upstream or of the gateway."),
        Key::new("workers", Of(&WORKERS), "Busy workers of the upstream, as a share of the most."),
        Key::new(
            "on_stale",
            Choice(&[
                Word::new("proven", "the limit under which the last hour was healthy"),
                Word::new("open", "no limit"),
                Word::new("closed", "refuse"),
            ]),
            "What holds when the signal is gone.",
        )
        .or("proven"),
    ],
};

/// A limit of requests per second.
const RPS: Form = Form {
    title: "rps",
    noun: "`rps`",
    about: "A limit of requests per second: a token bucket.",
    exactly_one: &[],
    keys: &[
        Key::new("limit", Number { min: 0.001, max: 1_000_000.0 }, "Requests per second.")
            .required(),
        Key::new(
            "burst",
            Whole { min: 1, max: 1_000_000 },
            "Size of the bucket in requests. Not written: one second's worth, at least 1.",
        ),
        Key::new(
            "per",
            Choice(&[
                Word::new("route", "all calls of the route share one bucket"),
                Word::new(
                    "caller",
                    "each caller has its own, as the setting `callers.by` tells them apart; calls \
                     of nobody that is known share one",
                ),
            ]),
            "Whose calls are counted together.",
        )
        .or("route"),
    ],
};

/// A CPU threshold.
const CPU: Form = Form {
    title: "cpu",
    noun: "`cpu`",
    about: "A threshold on a CPU share.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "of",
            Choice(&[
                Word::new("upstream", "the upstream's"),
                Word::new("gateway", "the gateway's own"),
            ]),
            "Whose CPU.",
        )
        .or("upstream"),
        Key::new("enter", Percent { min: "1%" }, "Over this the limit on calls in flight is cut, reading by reading; the last `exit / enter` of it is a ramp.").required(),
        Key::new("exit", Percent { min: "0%" }, EXIT),
    ],
};

/// A workers threshold.
const WORKERS: Form = Form {
    title: "workers",
    noun: "`workers`",
    about: "A threshold on the share of busy workers, other people's calls included.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "enter",
            Percent { min: "1%" },
            "The share of the workers that calls of this route may fill, other people's calls included; over it they are shed.",
        )
        .required(),
        Key::new("exit", Percent { min: "0%" }, EXIT),
        Key::new(
            "full",
            Percent { min: "1%" },
            "With it, shedding begins at `enter`, rises smoothly, caller by caller, and is whole here: more of the service is used under overload, and less is left to others. At least `enter`. Not written: the same as `enter`.",
        ),
        Key::new(
            "wait",
            Duration { min: "0s", max: "250ms" },
            "How long a call may wait for a slot before it is refused, and never longer than calls typically take: evens out random bursts. Not written: not at all.",
        ),
    ],
};

const EXIT: &str = "Under this it ends; at most `enter`. Not written: ten points under `enter`.";
/// Longer than a year is a mistake: RFC 9111 caches treat it as for ever.
const LIFETIME_MAX: &str = "8760h";

/// The cache of a route.
const CACHE: Form = Form {
    title: "cache",
    noun: "`cache`",
    about: "The shared cache of a route: RFC 9111 with explicit freshness, and these.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "fresh_for",
            Duration { min: "1ms", max: LIFETIME_MAX },
            "Freshness where the origin gives none. Not written: such answers are not stored.",
        ),
        Key::new(
            "heuristic",
            Percent { min: "1%" },
            "Freshness as a share of Date minus Last-Modified, where the origin gives none; before \
             `fresh_for`. Not written: off.",
        ),
        Key::new(
            "stale_while_revalidate",
            Duration { min: "1ms", max: LIFETIME_MAX },
            "So long after its freshness an answer is served while it is revalidated, where the origin \
             says nothing of it.",
        ),
        Key::new(
            "stale_if_error",
            Duration { min: "1ms", max: LIFETIME_MAX },
            "So long after its freshness an answer is served where the upstream can't be reached or \
             answers 500, 502, 503 or 504, where the origin says nothing of it. Not written: a day \
             where it can't be reached, never on its errors.",
        ),
        Key::new(
            "stale_if_shed",
            Duration { min: "1ms", max: LIFETIME_MAX },
            "So long after its freshness an answer is served where the call would be refused with 429.",
        ),
        Key::new(
            "max_object",
            // An object is held whole while it is stored, once per call that fills the cache.
            Bytes { min: "1B", max: "64MiB" },
            "Largest body that is stored.",
        )
        .or("1MiB"),
        Key::new("key", Of(&CACHE_KEY), "What tells two stored answers apart, besides the URL."),
        Key::new("require_public", Truth, "Store only what the origin marks `public`.").or("false"),
        Key::new("store_set_cookie", Truth, "Store answers with `Set-Cookie`, too.").or("false"),
    ],
};

/// The cache key.
const CACHE_KEY: Form = Form {
    title: "cache_key",
    noun: "`key`",
    about: "Additions to, and omissions from, a route's cache key.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "headers",
            Texts { of: HEADER, min: 0, max: 8 },
            "Request headers whose values belong to the key.",
        ),
        Key::new("query", Of(&CACHE_QUERY), "How the query belongs to the key."),
    ],
};

/// The query within the cache key.
const CACHE_QUERY: Form = Form {
    title: "cache_query",
    noun: "`query`",
    about: "How the query belongs to a route's cache key.",
    exactly_one: &[],
    keys: &[
        Key::new(
            "drop",
            Texts { of: PARAMETER, min: 0, max: 64 },
            "Parameters that are left out of the key. A call whose answer may be stored is forwarded without \
             them, since what the key does not hold must not decide what others get.",
        ),
        Key::new(
            "sort",
            Truth,
            "Whether the key ignores the order of parameters; they are forwarded as they came.",
        )
        .or("false"),
    ],
};
