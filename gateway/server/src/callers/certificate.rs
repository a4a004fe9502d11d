//! The names in a client certificate that the TLS handshake has verified: the common name of its
//! subject, and the first URI or DNS name among its alternative names.
//!
//! DER as RFC 5280 §4.1 lays it out, read and never written: definite lengths only, nothing copied
//! but the names. A certificate that is laid out otherwise has no names.

use super::CallerName;

/// The names of a client certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject's common name: of several the last, which is the most specific.
    pub subject: Option<CallerName>,
    /// The first URI (as SPIFFE ids are), else the first DNS name.
    pub alternative: Option<CallerName>,
}

/// Tags (X.690 §8.1.2).
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` to `[3]` of a `TBSCertificate`: version, issuer's and subject's unique id, extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `[2]` and `[6]` of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;

/// 2.5.4.3, RFC 5280 appendix A.1.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17, RFC 5280 §4.2.1.6.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

// === impl CertificateNames ===

impl CertificateNames {
    /// The names of a certificate in DER.
    pub fn read(der: &[u8]) -> Self {
        Self::whole(der).unwrap_or_default()
    }

    fn whole(der: &[u8]) -> Option<Self> {
        let mut to_be_signed = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
        to_be_signed.take(VERSION); // absent: version 1
        to_be_signed.take(INTEGER)?; // serial number
        to_be_signed.take(SEQUENCE)?; // signature algorithm
        to_be_signed.take(SEQUENCE)?; // issuer
        to_be_signed.take(SEQUENCE)?; // validity
        let subject = common_name(to_be_signed.take(SEQUENCE)?);
        to_be_signed.take(SEQUENCE)?; // public key
        let mut alternative = None;
        while let Some((tag, body)) = to_be_signed.next() {
            if tag == EXTENSIONS {
                alternative = alternative_name(body);
            }
        }
        Some(Self { subject, alternative })
    }
}

/// `RDNSequence`: a sequence of sets of attributes.
fn common_name(subject: &[u8]) -> Option<CallerName> {
    let mut last = None;
    let mut sets = Der(subject);
    while let Some(set) = sets.take(SET) {
        let mut attributes = Der(set);
        while let Some(attribute) = attributes.take(SEQUENCE) {
            let mut attribute = Der(attribute);
            if attribute.take(OBJECT_ID)? == COMMON_NAME {
                let (tag, text) = attribute.next()?;
                let is_text = matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING);
                last = is_text.then(|| name(text)).flatten();
            }
        }
    }
    last
}

fn alternative_name(extensions: &[u8]) -> Option<CallerName> {
    let mut extensions = Der(Der(extensions).take(SEQUENCE)?);
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.take(OBJECT_ID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let value = std::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == OCTET_STRING);
        let names = Der(value?.1).take(SEQUENCE)?;
        let first = |wanted| {
            let mut names = Der(names);
            std::iter::from_fn(move || names.next()).find(|(tag, _)| *tag == wanted)
        };
        return first(URI).or_else(|| first(DNS_NAME)).and_then(|(_, text)| name(text));
    }
    None
}

fn name(text: &[u8]) -> Option<CallerName> {
    CallerName::new(str::from_utf8(text).ok()?)
}

/// Elements of DER, one behind another.
struct Der<'a>(&'a [u8]);

// === impl Der ===

impl<'a> Der<'a> {
    /// The next element, tag and contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // A certificate of 16 MiB is no certificate.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, if it is of this kind; else it stays.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.next().map(|(_, contents)| contents)
    }
}

#[cfg(test)]
mod tests;
