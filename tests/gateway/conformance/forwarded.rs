//! What trusted proxies tell (`X-Forwarded-*`, `Forwarded`) is in the key of a stored answer or does not
//! reach the origin that gives it: services make links and redirects of it without a `Vary`.

use super::rows;

/// What one caller told through the proxy makes an answer of its own: who tells nothing is asked for
/// anew, and gets neither the other's answer nor any trace of it.
macro_rules! keyed {
    ($($name:ident: $told:literal => $seen:literal)*) => {
        rows! {
            $($name: (concat!(
                "trusted
                < 200 | cache-control: max-age=60 | body: theirs
                > GET | host: h.test | ", $told, "
                = miss | origin ", $seen, "
                < 200 | cache-control: max-age=60 | body: ours
                > GET | host: h.test
                = miss | body ours | origin x-forwarded-proto: http | origin x-forwarded-host: h.test \
                | origin x-forwarded-port: - | origin x-forwarded-prefix: - | origin forwarded: -
                > GET | host: h.test | ", $told, "
                = hit | body theirs
                > GET | host: h.test
                = hit | body ours"
            )))*
        }
    };
}

keyed! {
    a_scheme: "x-forwarded-proto: https" => "x-forwarded-proto: https"
    a_scheme_of_a_list: "x-forwarded-proto: https, http" => "x-forwarded-proto: https"
    a_host: "x-forwarded-host: evil.test" => "x-forwarded-host: evil.test"
    a_host_in_two_lines: "x-forwarded-host: evil.test | x-forwarded-host: h.test" =>
        "x-forwarded-host: evil.test"
    a_host_with_a_port: "x-forwarded-host: h.test:8080" => "x-forwarded-host: h.test:8080"
    a_port: "x-forwarded-port: 444" => "x-forwarded-port: 444"
    a_prefix: "x-forwarded-prefix: /evil" => "x-forwarded-prefix: /evil"
    a_host_by_rfc7239: "forwarded: for=6.6.6.6;host=evil.test" => "x-forwarded-host: evil.test"
    a_scheme_by_rfc7239: "forwarded: proto=https;by=6.6.6.6" => "x-forwarded-proto: https"
}

/// What is of one client alone does not reach the origin of an answer that others get.
macro_rules! kept_back {
    ($($name:ident: $field:literal: $value:literal => $seen:literal)*) => {
        rows! {
            $($name: (concat!(
                "trusted
                < 200 | cache-control: max-age=60
                > GET | ", $field, ": ", $value, "
                = miss | origin ", $field, ": ", $seen, "
                > GET
                = hit"
            )))*
        }
    };
}

kept_back! {
    an_address: "x-forwarded-for": "6.6.6.6" => "127.0.0.1"
    a_real_address: "x-real-ip": "6.6.6.6" => "-"
    an_element: "forwarded": "for=6.6.6.6" => "-"
    a_scheme_that_is_none: "x-forwarded-proto": "javascript" => "http"
    a_host_that_is_none: "x-forwarded-host": "h.test/evil" => "gateway.test"
    what_some_call_a_scheme: "x-forwarded-scheme": "nothttps" => "-"
}

rows! {
    a_head_tells_no_more_than_a_get: "
        trusted
        < 200 | cache-control: max-age=60 | etag: \"1\" | age: 70
        > GET
        < 200 | cache-control: max-age=60 | etag: \"1\" | no-body:
        > HEAD | x-real-ip: 6.6.6.6 | x-forwarded-for: 6.6.6.6
        = miss | origin x-real-ip: - | origin x-forwarded-for: 127.0.0.1"
    a_revalidation_tells_no_more_either: "
        trusted
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 304 | etag: \"1\" | cache-control: max-age=60
        > GET | x-real-ip: 6.6.6.6 | forwarded: for=6.6.6.6
        = asks | origin x-real-ip: - | origin forwarded: -
        > GET
        = hit"
    a_host_that_the_call_itself_names_counts_beside_the_clients: "
        trusted
        < 200 | cache-control: max-age=60
        > GET | host: inner.test | x-forwarded-host: h.test
        = origin host: inner.test | origin x-forwarded-host: h.test
        < 200
        > GET | host: evil.test | x-forwarded-host: h.test
        = miss
        < 200
        > GET | host: h.test
        = miss"
    a_proxy_that_tells_what_is_known_shares_what_is_stored: "
        trusted
        < 200 | cache-control: max-age=60
        > GET | host: h.test
        > GET | host: h.test | x-forwarded-proto: http | x-forwarded-host: H.test:80 | x-real-ip: 6.6.6.6
        = hit"
    a_post_through_the_proxy_invalidates_what_the_client_sees: "
        trusted
        < 200 | cache-control: max-age=60
        > GET | host: inner.test | x-forwarded-proto: https | x-forwarded-host: h.test
        < 201 | location: https://h.test/other
        > POST | host: inner.test | x-forwarded-proto: https | x-forwarded-host: h.test | x-real-ip: 6.6.6.6
        = origin x-real-ip: 6.6.6.6 | origin x-forwarded-for: 127.0.0.1
        < 200
        > GET | host: inner.test | x-forwarded-proto: https | x-forwarded-host: h.test
        = miss"
    what_is_not_for_the_store_is_passed_on_as_it_came: "
        trusted
        < 200
        > GET | body: x | x-forwarded-for: 6.6.6.6 | x-real-ip: 6.6.6.6 | x-forwarded-host: H.test
        = origin x-forwarded-for: 6.6.6.6, 127.0.0.1 | origin x-real-ip: 6.6.6.6 | origin x-forwarded-host: H.test"
    what_the_policy_keys_is_passed_on_as_it_came: "
        trusted
        keys: key: { headers: [x-real-ip] }
        < 200 | cache-control: max-age=60
        > GET | x-real-ip: 6.6.6.6
        = origin x-real-ip: 6.6.6.6
        < 200
        > GET | x-real-ip: 7.7.7.7
        = miss"
    a_host_is_asked_for_as_it_is_keyed: "
        < 200 | cache-control: max-age=60
        > GET | host: Upper.test:80
        = origin host: upper.test | origin x-forwarded-host: upper.test"
}
