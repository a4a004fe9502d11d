use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Demo, DemoAddresses, DemoError};

fn any_port() -> DemoAddresses {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    DemoAddresses { mailbox: [any; 2], catalog: any, functions: any }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn services_answer_once_started_and_are_gone_once_stopped() {
    let demo = Demo::services_only(any_port()).unwrap();
    let at = demo.addresses();
    for mailbox in at.mailbox {
        let answer = get(mailbox, "/actuator/prometheus");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("tomcat_threads_busy_threads{name=\"http-nio-8080\"} 0.0\n"));
    }
    let item = get(at.catalog, "/catalog/items/1").to_lowercase();
    assert!(item.contains("\r\nlast-modified: ") && !item.contains("\r\netag: "), "{item}");
    assert!(get(at.functions, "/functions/thumbnails").starts_with("HTTP/1.1 405 "));
    demo.stop();
    for address in [at.mailbox[0], at.mailbox[1], at.catalog, at.functions] {
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
}

#[test]
fn a_taken_port_is_named_and_nothing_is_left_behind() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let listen = DemoAddresses { catalog: address, ..any_port() };
    let error = Demo::services_only(listen).unwrap_err();
    assert!(matches!(error, DemoError::PortTaken { service: "catalog", .. }));
    assert!(error.to_string().starts_with(&format!("port {} is taken:", address.port())));
}

#[test]
fn a_demo_whose_gateway_is_not_there_still_stops_at_once() {
    // Bound, then closed: nobody listens there.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let demo = Demo::start(any_port(), nobody).unwrap();
    let began = std::time::Instant::now();
    demo.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn default_ports_are_those_of_the_example_policies() {
    let at = DemoAddresses::default();
    let ports = [at.mailbox[0], at.mailbox[1], at.catalog, at.functions].map(|at| at.port());
    assert_eq!(ports, [9101, 9102, 9103, 9104]);
    assert!(at.catalog.ip().is_loopback());
}
