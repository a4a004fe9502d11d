//! RFC 5861: stale answers while revalidating (§3) and on errors (§4); the policy's own windows.

use super::rows;

rows! {
    s3_serves_stale_and_asks_meanwhile: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600 | age: 70 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | x: new
        > GET
        = 200 | body b1 | age: >=70 | cache-status: ~detail=stale-while-revalidate | x: -"
    s3_not_behind_its_window: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=10 | age: 71 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_zero_is_no_window: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=0 | age: 61 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_not_against_must_revalidate: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600, must-revalidate | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_not_against_proxy_revalidate: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600, proxy-revalidate | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_not_against_s_maxage: "
        < 200 | cache-control: s-maxage=60, stale-while-revalidate=600 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_not_against_no_cache: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600, no-cache | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s3_not_against_the_requests_no_cache: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: no-cache
        = asks | body b2"
    s3_not_against_the_requests_max_age: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-age=65
        = asks | body b2"
    s3_not_against_the_requests_min_fresh: "
        < 200 | cache-control: max-age=60, stale-while-revalidate=600 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: min-fresh=1
        = asks | body b2"
    policy_stale_while_revalidate: "
        keys: stale_while_revalidate: 10m
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = 200 | body b1 | cache-status: ~detail=stale-while-revalidate"
    policy_stale_while_revalidate_does_not_overrule_the_origin: "
        keys: stale_while_revalidate: 10m
        < 200 | cache-control: max-age=60, stale-while-revalidate=1 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET
        = asks | body b2"
    s4_serves_stale_on_500: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 500
        > GET
        = miss | 200 | body b1 | age: >=70"
    s4_serves_stale_on_502: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 502
        > GET
        = miss | 200 | body b1"
    s4_serves_stale_on_503: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 503
        > GET
        = miss | 200 | body b1"
    s4_serves_stale_on_504: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 504
        > GET
        = miss | 200 | body b1"
    s4_not_on_501: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 501
        > GET
        = miss | 501"
    s4_not_on_404: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 404
        > GET
        = miss | 404"
    s4_not_behind_its_window: "
        < 200 | cache-control: max-age=60, stale-if-error=9 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 503"
    s4_not_without_leave: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 503"
    s4_not_against_must_revalidate: "
        < 200 | cache-control: max-age=60, stale-if-error=600, must-revalidate | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 503"
    s4_not_against_s_maxage: "
        < 200 | cache-control: s-maxage=60, stale-if-error=600 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 503"
    s4_the_request_may_ask_for_it: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET | cache-control: stale-if-error=600
        = asks | 200 | body b1"
    s4_the_requests_window_holds: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET | cache-control: stale-if-error=9
        = asks | 503"
    s4_head_is_spared_too: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 503 | no-body: | content-length: 9
        > HEAD
        = miss | 200 | content-length: 2"
    s4_a_range_is_spared_too: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 503
        > GET | range: bytes=1-1
        = miss | 206 | body 1"
    s4_a_broken_connection_is_an_error: "
        alone
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < reset
        < reset
        > GET
        = 200 | body b1 | cache-status: ~detail=stale-if-error"
    s4_a_broken_connection_behind_the_window: "
        alone
        < 200 | cache-control: max-age=60, stale-if-error=5 | age: 70 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
    policy_stale_if_error: "
        keys: stale_if_error: 10m
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 200 | body b1"
    policy_stale_if_error_has_a_window: "
        keys: stale_if_error: 5s
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = asks | 503"
    policy_stale_if_shed: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 200 | body b1 | age: >=70 | cache-status: ~detail=stale-if-shed
        > GET /other
        = hit | 429"
    policy_stale_if_shed_has_a_window: "
        alone
        keys: stale_if_shed: 5s; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 429"
    policy_stale_if_shed_not_against_must_revalidate: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60, must-revalidate | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 429"
    policy_stale_if_shed_not_against_s_maxage: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: s-maxage=60 | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 429"
    policy_stale_if_shed_not_against_the_requests_no_cache: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET | cache-control: no-cache
        = hit | 429"
    policy_stale_if_shed_serves_head_and_conditions: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > HEAD
        = hit | 200
        > GET | if-none-match: \"1\"
        = hit | 304"
    policy_without_stale_if_shed_is_429: "
        alone
        keys: ; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 429"
    s3_no_revalidation_while_shedding: "
        alone
        keys: stale_while_revalidate: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET
        = hit | 200 | body b1
        > GET
        = hit | 200 | body b1"
}
