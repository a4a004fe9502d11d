//! RFC 9211: `Cache-Status` tells how the cache took part.

use super::rows;

rows! {
    s2_2_uri_miss: "
        < 200
        > GET
        = cache-status: ~sumun; fwd=uri-miss"
    s2_5_stored: "
        < 200 | cache-control: max-age=60
        > GET
        = cache-status: sumun; fwd=uri-miss; stored"
    s2_1_hit: "
        < 200 | cache-control: max-age=600
        > GET
        > GET
        = cache-status: ~sumun; hit; ttl="
    s2_4_ttl_is_what_is_left: "
        < 200 | cache-control: max-age=600 | age: 599
        > GET
        > GET | cache-control: max-stale
        = hit | cache-status: ~sumun; hit; ttl="
    s2_4_ttl_is_negative_where_it_is_stale: "
        < 200 | cache-control: max-age=60 | age: 1000 | etag: \"1\"
        > GET
        > GET | cache-control: max-stale
        = hit | cache-status: ~sumun; hit; ttl=-94"
    s2_2_vary_miss: "
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1
        < 200
        > GET | foo: 2
        = cache-status: ~fwd=vary-miss"
    s2_2_stale: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 200
        > GET
        = cache-status: ~fwd=stale"
    s2_2_request: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > GET | cache-control: no-cache
        = cache-status: ~fwd=request"
    s2_2_method: "
        < 200
        > POST
        = cache-status: sumun; fwd=method"
    s2_2_bypass: "
        < 200
        > GET | body: x
        = cache-status: sumun; fwd=bypass; detail=body"
    s2_2_partial: "
        < 206 | content-range: bytes 0-0/2 | body: b
        > GET | range: bytes=0-0
        = cache-status: sumun; fwd=partial"
    s2_3_fwd_status_of_a_validation: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = cache-status: sumun; fwd=stale; fwd-status=304; stored"
    s2_3_fwd_status_of_a_304_of_ours: "
        < 200 | cache-control: max-age=60 | etag: \"1\"
        > GET | if-none-match: \"1\"
        = 304 | cache-status: ~fwd=uri-miss; stored; fwd-status=200"
    s2_3_fwd_status_of_an_error_that_was_spared: "
        < 200 | cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 503
        > GET
        = 200 | cache-status: ~fwd=stale; fwd-status=503; ttl=-1"
    s2_8_detail_no_store: "
        < 200 | cache-control: no-store
        > GET
        = cache-status: ~detail=no-store"
    s2_8_detail_private: "
        < 200 | cache-control: private
        > GET
        = cache-status: ~detail=private"
    s2_8_detail_no_freshness: "
        < 200
        > GET
        = cache-status: ~detail=no-freshness"
    s2_8_detail_stale: "
        < 200 | cache-control: max-age=0
        > GET
        = cache-status: ~detail=stale"
    s2_8_detail_authorization: "
        < 200 | cache-control: max-age=60
        > GET | authorization: x
        = cache-status: ~detail=authorization"
    s2_8_detail_set_cookie: "
        < 200 | cache-control: max-age=60 | set-cookie: a=1
        > GET
        = cache-status: ~detail=set-cookie"
    s2_8_detail_vary: "
        < 200 | cache-control: max-age=60 | vary: *
        > GET
        = cache-status: ~detail=vary"
    s2_8_detail_status: "
        < 412 | cache-control: max-age=60
        > GET
        = cache-status: ~detail=status"
    s2_8_detail_too_large: "
        keys: max_object: 1B
        < 200 | cache-control: max-age=60
        > GET
        = cache-status: ~detail=too-large"
    s2_8_detail_not_public: "
        keys: require_public: true
        < 200 | cache-control: max-age=60
        > GET
        = cache-status: ~detail=not-public"
    s2_appended_behind_the_caches_nearer_to_the_origin: "
        < 200 | cache-control: max-age=60 | cache-status: Inner; hit
        > GET
        = cache-status: Inner; hit, sumun; fwd=uri-miss; stored
        > GET
        = hit | cache-status: ~Inner; hit, sumun; hit"
}
