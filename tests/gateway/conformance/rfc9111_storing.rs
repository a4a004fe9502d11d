//! RFC 9111 §3: which answers are stored, and what of them (§3.1).

use super::rows;

/// Any final status with explicit freshness (§3), by status.
macro_rules! statuses {
    ($($name:ident: $status:literal => $then:ident)*) => {
        rows! {
            $($name: (concat!(
                "< ", $status, " | cache-control: max-age=60 | etag: \"1\"\n> GET\n= miss | ", $status,
                "\n< 200 | body: other\n> GET\n= ", stringify!($then)
            )))*
        }
    };
}

statuses! {
    s3_status_200: "200" => hit
    s3_status_203: "203" => hit
    s3_status_204: "204" => hit
    s3_status_299: "299" => hit
    s3_status_300: "300" => hit
    s3_status_301: "301" => hit
    s3_status_302: "302" => hit
    s3_status_303: "303" => hit
    s3_status_307: "307" => hit
    s3_status_308: "308" => hit
    s3_status_399: "399" => hit
    s3_status_400: "400" => hit
    s3_status_404: "404" => hit
    s3_status_405: "405" => hit
    s3_status_410: "410" => hit
    s3_status_414: "414" => hit
    s3_status_499: "499" => hit
    s3_status_500: "500" => hit
    s3_status_501: "501" => hit
    s3_status_502: "502" => hit
    s3_status_503: "503" => hit
    s3_status_504: "504" => hit
    s3_status_599: "599" => hit
    s3_3_status_206_is_a_part: "206" => miss
    s3_status_412_is_about_the_request: "412" => miss
    s3_status_413_is_about_the_request: "413" => miss
    s3_status_416_is_about_the_request: "416" => miss
    s3_status_417_is_about_the_request: "417" => miss
    s3_status_431_is_about_the_request: "431" => miss
}

rows! {
    s3_a_304_that_nobody_asked_for_is_not_stored: "
        < 304 | cache-control: max-age=60 | etag: \"1\"
        > GET | if-none-match: \"1\" | cache-control: no-store
        = 304
        < 200
        > GET
        = miss | 200"
    s3_head_is_answered_from_a_stored_get: "
        < 200 | cache-control: max-age=60
        > GET
        > HEAD
        = hit | 200 | content-length: 2 | body -"
    s3_an_answer_to_head_is_not_stored_for_get: "
        < 200 | cache-control: max-age=60 | content-length: 2 | no-body:
        > HEAD
        = miss
        < 200
        > GET
        = miss | body b2"
    s3_an_answer_to_post_is_not_stored: "
        < 200 | cache-control: max-age=60
        > POST | body: x
        < 200
        > GET
        = miss | body b2"
    s3_an_answer_to_options_is_not_stored: "
        < 200 | cache-control: max-age=60
        > OPTIONS
        < 200
        > GET
        = miss | body b2"
    s3_post_is_not_answered_from_the_store: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > POST | body: x
        = miss | body b2"
    s3_an_unknown_method_is_not_answered_from_the_store: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > FOO
        = miss | body b2"
    s2_the_query_belongs_to_the_key: "
        < 200 | cache-control: max-age=60
        > GET ?a
        < 200
        > GET ?b
        = miss | body b2"
    s2_the_path_belongs_to_the_key: "
        < 200 | cache-control: max-age=60
        > GET /a
        < 200
        > GET /b
        = miss | body b2"
    s2_the_path_has_a_case: "
        < 200 | cache-control: max-age=60
        > GET /a
        < 200
        > GET /A
        = miss | body b2"
    s2_the_authority_belongs_to_the_key: "
        < 200 | cache-control: max-age=60
        > GET | host: a.test
        < 200
        > GET | host: b.test
        = miss | body b2"
    s2_the_authority_has_no_case: "
        < 200 | cache-control: max-age=60
        > GET | host: a.test
        > GET | host: A.TEST
        = hit"
    s2_the_default_port_is_no_other_authority: "
        < 200 | cache-control: max-age=60
        > GET | host: a.test
        > GET | host: a.test:80
        = hit"
    s3_1_fields_are_stored_with_order_and_duplicates: "
        < 200 | cache-control: max-age=60 | link: </a> | x: 1 | link: </b>
        > GET
        > GET
        = hit | link: </a>, </b> | x: 1"
    s3_1_unknown_fields_are_stored: "
        < 200 | cache-control: max-age=60 | x-foo: bar | content-foo: baz
        > GET
        > GET
        = hit | x-foo: bar | content-foo: baz"
    s3_1_content_type_is_stored: "
        < 200 | cache-control: max-age=60 | content-type: text/x; a=b
        > GET
        > GET
        = hit | content-type: text/x; a=b"
    s3_1_content_encoding_is_stored: "
        < 200 | cache-control: max-age=60 | content-encoding: gzip
        > GET
        > GET
        = hit | content-encoding: gzip"
    s3_1_expires_is_stored: "
        < 200 | expires: Thu, 18 Aug 2050 02:01:18 GMT
        > GET
        > GET
        = hit | expires: Thu, 18 Aug 2050 02:01:18 GMT"
    s3_1_date_stays_the_origins: "
        < 200 | cache-control: max-age=60 | date: Thu, 18 Aug 2050 02:01:18 GMT
        > GET
        > GET
        = hit | date: Thu, 18 Aug 2050 02:01:18 GMT"
    s3_1_security_fields_are_stored: "
        < 200 | cache-control: max-age=60 | content-security-policy: x | strict-transport-security: max-age=1
        > GET
        > GET
        = hit | content-security-policy: x | strict-transport-security: max-age=1"
    s3_1_fields_named_in_connection_are_not_stored: "
        < 200 | cache-control: max-age=60 | connection: a, b | a: 1 | b: 2 | c: 3
        > GET
        = a: - | b: -
        > GET
        = hit | a: - | b: - | c: 3"
    s3_1_keep_alive_is_not_stored: "
        < 200 | cache-control: max-age=60 | keep-alive: timeout=5
        > GET
        > GET
        = hit | keep-alive: -"
    s3_1_proxy_authenticate_is_not_stored: "
        < 200 | cache-control: max-age=60 | proxy-authenticate: Basic
        > GET
        > GET
        = hit | proxy-authenticate: -"
    s3_1_te_is_not_stored: "
        < 200 | cache-control: max-age=60 | te: trailers
        > GET
        > GET
        = hit | te: -"
    s3_1_trailer_is_not_stored: "
        < 200 | cache-control: max-age=60 | trailer: x
        > GET
        < 200
        > GET
        = miss"
    s7_3_set_cookie_is_refused_without_leave: "
        < 200 | cache-control: max-age=60 | set-cookie: a=1
        > GET
        = miss | set-cookie: a=1
        < 200
        > GET
        = miss | set-cookie: -"
    s7_3_set_cookie_is_stored_with_leave: "
        keys: store_set_cookie: true
        < 200 | cache-control: max-age=60 | set-cookie: a=1
        > GET
        > GET
        = hit | set-cookie: a=1"
    policy_require_public: "
        keys: require_public: true
        < 200 | cache-control: max-age=60
        > GET
        < 200 | cache-control: public, max-age=60
        > GET
        = miss
        > GET
        = hit | body b2"
    policy_max_object: "
        keys: max_object: 4B
        < 200 | cache-control: max-age=60 | body: 12345
        > GET
        < 200 | cache-control: max-age=60 | body: 1234
        > GET
        = miss
        > GET
        = hit | body 1234"
    s3_without_a_body: "
        < 200 | cache-control: max-age=60 | content-length: 0 | no-body:
        > GET
        > GET
        = hit | body - | content-length: 0"
    s3_an_event_stream_is_not_stored: "
        < 200 | cache-control: max-age=60 | content-type: text/event-stream
        > GET
        < 200
        > GET
        = miss"
}
