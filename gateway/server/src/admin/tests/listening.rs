//! The listener over real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::settings::AdminSettings;

fn start(fixture: &Fixture, address: &str) -> Result<Admin, StartError> {
    Admin::start(Opening {
        listener: Admin::bind(address.parse().unwrap())?,
        settings: &AdminSettings {
            listen: address.parse().unwrap(),
            read_only: false,
            users: Vec::new(),
        },
        state: &fixture.folder.path().join("state"),
        watch: Arc::clone(&fixture.watched) as Arc<dyn Watch>,
        reload: fixture.reload.clone(),
    })
}

/// Sends bytes and reads until the end.
fn exchanged(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn it_listens_shows_its_link_once_and_ends_when_dropped() {
    let fixture = Fixture::new().await;
    let admin = start(&fixture, "127.0.0.1:0").unwrap();
    let link = admin.login.clone().unwrap();
    let prefix = format!("http://{}/#token=", admin.address);
    let token = link.strip_prefix(&prefix).unwrap();
    let get = |path: &str, token: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", admin.address);
        exchanged(admin.address, &format!("{head}authorization: Bearer {token}\r\n\r\n"))
    };
    assert!(get("/livez", "").starts_with("HTTP/1.1 200"));
    assert!(get("/api/v1/status", "").starts_with("HTTP/1.1 401"));
    assert!(get("/api/v1/status", token).starts_with("HTTP/1.1 200"));
    let address = admin.address;
    drop(admin);
    assert!(TcpStream::connect(address).is_err());

    let again = start(&fixture, "127.0.0.1:0").unwrap();
    assert_eq!(again.login, None, "the link is shown once");
}

#[tokio::test]
async fn connections_are_bounded_and_those_beyond_wait() {
    let fixture = Fixture::new().await;
    let admin = start(&fixture, "127.0.0.1:0").unwrap();
    let mut idle: Vec<TcpStream> =
        (0..listen::CONNECTIONS_MAX).map(|_| TcpStream::connect(admin.address).unwrap()).collect();
    let waiting = std::thread::spawn({
        let address = admin.address;
        move || {
            exchanged(
                address,
                "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
        }
    });
    // One goes, the one that waits comes in.
    drop(idle.pop());
    assert!(waiting.join().unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_exposed_or_taken_address_is_refused() {
    let fixture = Fixture::new().await;
    assert!(matches!(start(&fixture, "0.0.0.0:0"), Err(StartError::Exposed(_))));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(matches!(start(&fixture, &address), Err(StartError::Listen(..))));
}
