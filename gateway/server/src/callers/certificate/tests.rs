use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use super::*;

/// A self-signed certificate with these common names and alternative names.
fn certificate(names: &[&str], alternatives: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    for name in names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.subject_alt_names = alternatives;
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

#[test]
fn subject_and_alternative_name_are_read() {
    let der =
        certificate(&["Order Service"], vec![dns("orders.test"), uri("spiffe://mesh/orders")]);
    let names = CertificateNames::read(&der);
    assert_eq!(names.subject, CallerName::new("Order Service"));
    assert_eq!(names.alternative, CallerName::new("spiffe://mesh/orders"), "the URI comes first");
    let names = CertificateNames::read(&certificate(&[], vec![dns("a.test"), dns("b.test")]));
    assert_eq!(names.subject, None);
    assert_eq!(names.alternative, CallerName::new("a.test"));
    let names = CertificateNames::read(&certificate(&["x"], vec![]));
    assert_eq!(names.alternative, None);
}

#[test]
fn a_name_that_is_no_name_is_none() {
    assert_eq!(CertificateNames::read(&certificate(&["caf\u{e9}"], vec![])).subject, None);
    let long = "x".repeat(300);
    assert_eq!(CertificateNames::read(&certificate(&[&long], vec![])).subject, None);
}

#[test]
fn a_piece_of_a_certificate_has_no_names() {
    let der = certificate(&["orders"], vec![dns("orders.test")]);
    for end in 0..der.len() {
        assert_eq!(CertificateNames::read(&der[..end]), CertificateNames::default(), "{end}");
    }
}

proptest! {
    #[test]
    fn whatever_it_is_it_is_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        CertificateNames::read(&bytes);
    }

    #[test]
    fn a_certificate_with_one_byte_changed_is_read_to_an_end(at in 0_usize..300, byte in any::<u8>()) {
        let mut der = certificate(&["orders"], vec![dns("orders.test")]);
        let at = at % der.len();
        der[at] = byte;
        CertificateNames::read(&der);
    }
}
