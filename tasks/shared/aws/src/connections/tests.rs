//! Connections through a proxy. Faults of connections are tested in `tests/connections.rs`.

#[path = "../../tests/front_end/mod.rs"]
mod front_end;

use aws_smithy_async::time::SystemTimeSource;
use front_end::{BOTH, FrontEnd, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

/// Starts a proxy that connects to every host. Returns its address, and the requests that it got.
async fn proxy() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, all) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert!(client.read_buf(&mut head).await.unwrap() > 0);
            }
            let head = String::from_utf8(head).unwrap();
            let host = head.split(' ').nth(1).unwrap().to_owned();
            asked.send(head).unwrap();
            let mut server = TcpStream::connect(host).await.unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    (address, all)
}

async fn get(client: &Connections, url: &str) -> u16 {
    client.call(HttpRequest::get(format!("{url}/")).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn https_goes_through_the_proxy_unless_it_is_excepted() {
    let (address, mut asked) = proxy().await;
    let front_end = FrontEnd::start(BOTH, [Reply::answer("{}")]);
    let client = |no_proxy: &str| {
        let proxies = Matcher::builder().https(format!("http://user:secret@{address}")).no(no_proxy.to_owned());
        Connections::through(proxies.build(), tls().unwrap(), front_end.trusted(), SystemTimeSource::new())
    };
    assert_eq!(get(&client(""), &front_end.url()).await, 200);
    let head = asked.recv().await.unwrap();
    assert!(head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", front_end.address().port())), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ="), "{head}");
    assert_eq!(get(&client("localhost"), &front_end.url()).await, 200);
    assert!(asked.try_recv().is_err());
}
