//! RFC 9111 §4.4: what an unsafe method makes invalid.

use super::rows;

/// A stored answer, a method with an answer of some status, and whether what is stored survives.
macro_rules! methods {
    ($($name:ident: $method:literal, $answer:literal => $then:ident)*) => {
        rows! {
            $($name: (concat!(
                "< 200 | cache-control: max-age=60\n> GET\n= miss\n< ", $answer, "\n> ", $method,
                "\n< 200\n> GET\n= ", stringify!($then)
            )))*
        }
    };
}

methods! {
    s4_4_post: "POST", "200" => miss
    s4_4_put: "PUT", "204" => miss
    s4_4_delete: "DELETE", "200" => miss
    s4_4_patch: "PATCH", "200" => miss
    s4_4_an_unknown_method: "FOO", "200" => miss
    s4_4_m_search: "M-SEARCH", "200" => miss
    s4_4_a_redirection: "POST", "303 | location: /elsewhere" => miss
    s4_4_created: "POST", "201" => miss
    s4_4_not_by_a_client_error: "POST", "400" => hit
    s4_4_not_by_404: "DELETE", "404" => hit
    s4_4_not_by_a_server_error: "POST", "500" => hit
    s4_4_not_by_503: "PUT", "503" => hit
    s4_4_not_by_options: "OPTIONS", "200" => hit
    s4_4_not_by_head: "HEAD", "500 | no-body:" => hit
}

/// A stored answer under `/a`, a POST to `/b` that names something, and whether `/a` survives.
macro_rules! names {
    ($($name:ident: $field:literal => $then:ident)*) => {
        rows! {
            $($name: (concat!(
                "< 200 | cache-control: max-age=60\n> GET /a | host: h.test\n= miss\n< 200 | ", $field,
                "\n> POST /b | host: h.test\n< 200\n> GET /a | host: h.test\n= ", stringify!($then)
            )))*
        }
    };
}

names! {
    s4_4_location: "location: /rfc9111_invalidation.s4_4_location/a" => miss
    s4_4_location_relative: "location: a" => miss
    s4_4_location_with_dots: "location: ./x/../a" => miss
    s4_4_location_absolute: "location: http://h.test/rfc9111_invalidation.s4_4_location_absolute/a" => miss
    s4_4_location_with_the_default_port:
        "location: http://H.TEST:80/rfc9111_invalidation.s4_4_location_with_the_default_port/a" => miss
    s4_4_location_with_a_fragment: "location: a#part" => miss
    s4_4_location_of_another_host:
        "location: http://other.test/rfc9111_invalidation.s4_4_location_of_another_host/a" => hit
    s4_4_location_of_another_scheme:
        "location: https://h.test/rfc9111_invalidation.s4_4_location_of_another_scheme/a" => hit
    s4_4_location_of_another_port:
        "location: http://h.test:81/rfc9111_invalidation.s4_4_location_of_another_port/a" => hit
    s4_4_location_of_another_path: "location: c" => hit
    s4_4_content_location: "content-location: a" => miss
    s4_4_content_location_of_another_host:
        "content-location: //other.test/rfc9111_invalidation.s4_4_content_location_of_another_host/a" => hit
    s4_4_content_location_with_another_query: "content-location: a?x" => hit
}

rows! {
    s4_4_all_variants_go: "
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 2
        < 200
        > POST
        < 200
        > GET | foo: 1
        = miss
        < 200
        > GET | foo: 2
        = miss"
    s4_4_all_keys_of_a_url_go: "
        keys: key: { headers: [x-tenant] }
        < 200 | cache-control: max-age=60
        > GET | x-tenant: a
        < 200
        > POST | x-tenant: b
        < 200
        > GET | x-tenant: a
        = miss"
    s4_4_another_query_stays: "
        < 200 | cache-control: max-age=60
        > GET ?a
        < 200
        > POST ?b
        > GET ?a
        = hit"
    s4_4_location_on_an_error_names_nothing: "
        < 200 | cache-control: max-age=60
        > GET /a
        < 500 | location: a
        > POST /b
        > GET /a
        = hit"
    s4_4_a_get_that_names_another_invalidates_nothing: "
        < 200 | cache-control: max-age=60
        > GET /a
        < 200 | content-location: a
        > GET /b
        > GET /a
        = hit"
    s4_4_what_is_stored_afterwards_is_served: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > POST
        < 200 | cache-control: max-age=60
        > GET
        = miss
        > GET
        = hit | body b3"
}
