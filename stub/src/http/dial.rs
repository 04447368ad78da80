//! Connects: finds addresses, tries them side by side (RFC 8305), goes
//! through proxies, and speaks TLS.

use super::proxy::{Proxies, Proxy};
use super::transport::{Plain, Proxied, Socket, tunnel};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
};

/// Says after how long without an answer the next address is tried beside the
/// one before (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// More addresses than this are not tried.
const MOST_ADDRESSES: usize = 16;

/// Where no time is set.
const LONG: Duration = Duration::from_secs(60);

/// Says what is wrong with the way through a proxy.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// The proxy wants a name and a password.
    #[error("the proxy asks for a name and a password")]
    Password,
    /// The proxy refuses to make a tunnel.
    #[error("the proxy {proxy} answers {status}")]
    Status {
        /// Its address.
        proxy: String,
        /// The HTTP status.
        status: u16,
    },
    /// The environment names one that cannot be used.
    #[error("{0}")]
    Setting(String),
}

/// Makes the connections of one client.
#[derive(Debug)]
pub(super) struct Dial {
    proxies: Proxies,
    tls: RustlsConnector,
    /// Addresses of hosts, those that answered first, those that did not last.
    known: Mutex<Vec<(String, Vec<SocketAddr>)>>,
    /// How many connections were asked for.
    count: Arc<AtomicUsize>,
}

impl Dial {
    /// Connects through the proxies of this computer.
    pub(super) fn new(count: Arc<AtomicUsize>) -> Self {
        Dial {
            proxies: Proxies::of_this_computer(),
            tls: RustlsConnector::default(),
            known: Mutex::default(),
            count,
        }
    }

    fn secure(
        &self,
        details: &ConnectionDetails,
        uri: &Uri,
        inner: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        if uri.scheme_str() != Some("https") {
            return Ok(inner);
        }
        let details = ConnectionDetails {
            uri,
            addrs: details.addrs.clone(),
            config: details.config,
            // The certificates are the same for all requests; those of a
            // single request would be loaded for each connection.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let secured = self.tls.connect(&details, Some(inner))?;
        Ok(Box::new(secured.ok_or(Error::ConnectionFailed)?))
    }

    fn through(
        &self,
        proxy: &Proxy,
        details: &ConnectionDetails,
        until: Instant,
    ) -> Result<Box<dyn Transport>, Error> {
        let stream = self.open(&proxy.host, proxy.port, until)?;
        let mut inner: Box<dyn Transport> = Box::new(Socket::new(stream, details.config));
        if proxy.tls {
            let uri = format!("https://{}/", proxy.address());
            let uri = uri.parse().map_err(|_| Error::InvalidProxyUrl)?;
            inner = self.secure(details, &uri, inner)?;
        }
        let host = details.uri.host().unwrap_or_default();
        if details.uri.scheme_str() != Some("https") {
            let origin = format!("http://{host}:{}", port(details.uri));
            let origin = origin.trim_end_matches(":80").to_owned();
            let authorization = proxy.authorization.clone();
            let plain = Plain {
                origin,
                authorization,
            };
            return Ok(Box::new(Proxied::new(inner, Some(plain))));
        }
        let target = format!("{host}:{}", port(details.uri));
        let timeout = || NextTimeout {
            after: until.saturating_duration_since(Instant::now()).into(),
            ..details.timeout
        };
        let who = proxy.authorization.as_deref();
        match tunnel(inner.as_mut(), &target, who, timeout)? {
            200..300 => Ok(Box::new(Proxied::new(inner, None))),
            407 => Err(other(ProxyError::Password)),
            status => Err(other(ProxyError::Status {
                proxy: proxy.address(),
                status,
            })),
        }
    }

    fn open(&self, host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
        let name = format!("{host}:{port}");
        let known = self.known(|known| {
            let found = known.iter().position(|(n, _)| *n == name)?;
            Some(known.swap_remove(found).1)
        });
        let mut addresses = match known {
            Some(addresses) => addresses,
            None => interleaved(resolve(host, port, until)?),
        };
        let (winner, stream) = race(&addresses, until)?;
        stream.set_nodelay(true)?;
        // Those before it were tried before it.
        addresses.rotate_left(winner);
        self.known(|known| known.push((name, addresses)));
        Ok(stream)
    }

    fn known<T>(&self, work: impl FnOnce(&mut Vec<(String, Vec<SocketAddr>)>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Connector for Dial {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + (*details.timeout.after).min(LONG);
        let proxy = self.proxies.of(details.uri);
        let inner = match proxy.map_err(|e| other(ProxyError::Setting(e)))? {
            Some(proxy) => self.through(&proxy, details, until)?,
            None => {
                let host = bare(details.uri.host().unwrap_or_default());
                let stream = self.open(host, port(details.uri), until)?;
                Box::new(Socket::new(stream, details.config))
            }
        };
        self.secure(details, details.uri, inner).map(Some)
    }
}

fn other(error: ProxyError) -> Error {
    Error::Other(Box::new(error))
}

fn port(uri: &Uri) -> u16 {
    let https = uri.scheme_str() == Some("https");
    uri.port_u16().unwrap_or(if https { 443 } else { 80 })
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Leaves it to [`Dial`], which knows whether there is a proxy.
#[derive(Debug)]
pub(super) struct Later;

impl Resolver for Later {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut some = self.empty();
        some.push(SocketAddr::from(([0; 4], 0)));
        Ok(some)
    }
}

/// Asks the name service, which may not answer.
fn resolve(host: &str, port: u16, until: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, answer) = mpsc::sync_channel(1);
    let name = host.to_owned();
    std::thread::Builder::new().spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        // Nobody may be waiting any more.
        drop(sender.send(found.map(Iterator::collect)));
    })?;
    let found: Vec<_> = answer
        .recv_timeout(until.saturating_duration_since(Instant::now()))
        .map_err(|_| {
            let text = format!("the name service did not resolve {host} in time");
            io::Error::new(ErrorKind::TimedOut, text)
        })??;
    if found.is_empty() {
        Err(io::Error::new(
            ErrorKind::NotFound,
            format!("{host} has no address"),
        ))
    } else {
        Ok(found)
    }
}

/// One family and the other in turn, beginning with the one that the system
/// prefers (RFC 8305, section 4).
fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let first = all.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = all.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(one.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            mixed.truncate(MOST_ADDRESSES);
            return mixed;
        }
    }
}

/// Connects to the addresses side by side, each begun a little after the one
/// before or when that one fails; which was the first, and its connection.
fn race(addresses: &[SocketAddr], until: Instant) -> io::Result<(usize, TcpStream)> {
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1))
    };
    if let [address] = addresses {
        // Nothing to race with, so no thread either.
        let result = TcpStream::connect_timeout(address, left());
        return result.map(|stream| (0, stream)).map_err(|e| {
            let silent = e.kind() == ErrorKind::TimedOut;
            none_answers(addresses, Some(e).filter(|_| !silent))
        });
    }
    // Each gets its turn in the first half.
    let delay = ATTEMPT_DELAY.min(left() / (2 * addresses.len().max(1) as u32));
    let (sender, results) = mpsc::channel();
    let mut waiting = addresses.iter().enumerate();
    let mut running = 0;
    let mut last = None;
    loop {
        if let Some((index, &address)) = waiting.next() {
            let sender = sender.clone();
            let limit = left();
            std::thread::Builder::new().spawn(move || {
                let result = TcpStream::connect_timeout(&address, limit);
                // Another one may have been faster; this one then ends here.
                drop(sender.send((index, result)));
            })?;
            running += 1;
        } else if running == 0 {
            return Err(none_answers(addresses, last));
        }
        let more = waiting.len() > 0;
        match results.recv_timeout(if more { delay.min(left()) } else { left() }) {
            Ok((index, Ok(stream))) => return Ok((index, stream)),
            Ok((_, Err(e))) => {
                running -= 1;
                if e.kind() != ErrorKind::TimedOut {
                    last = Some(e);
                }
            }
            Err(_) if Instant::now() >= until => return Err(none_answers(addresses, None)),
            Err(_) => {}
        }
    }
}

/// What is wrong where all are dead: the error of one that said something,
/// unless others said nothing at all.
fn none_answers(addresses: &[SocketAddr], last: Option<io::Error>) -> io::Error {
    let list: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    let list = list.join(", ");
    match last {
        Some(e) if addresses.len() == 1 => e,
        Some(e) => io::Error::new(e.kind(), format!("{e} ({list})")),
        None => io::Error::new(ErrorKind::TimedOut, format!("no answer from {list}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| address(text)).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn families_take_turns() {
        let found = addresses(&[
            "[::1]:1",
            "[::2]:1",
            "[::1]:1",
            "[::3]:1",
            "1.1.1.1:1",
            "1.1.1.2:1",
        ]);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"];
        assert_eq!(interleaved(found), addresses(&expected));
        let found = addresses(&["1.1.1.1:1", "[::1]:1"]);
        assert_eq!(interleaved(found.clone()), found);
        assert_eq!(interleaved(Vec::new()), []);
        let many: Vec<_> = (1..=99).map(|n| SocketAddr::from(([1; 4], n))).collect();
        assert_eq!(interleaved(many).len(), MOST_ADDRESSES);
    }

    #[test]
    fn an_address_needs_no_name_service() {
        let expected = addresses(&["[::1]:80"]);
        assert_eq!(resolve("::1", 80, Instant::now()).unwrap(), expected);
        let error = resolve("localhost.invalid", 80, Instant::now()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn one_that_refuses_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        for (all, expected) in [(&[dead, good, dead][..], 1), (&[good], 0)] {
            let (winner, stream) = race(all, soon()).unwrap();
            assert_eq!((winner, stream.peer_addr().unwrap()), (expected, good));
        }
        let error = race(&[dead, dead], soon()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&dead.to_string()), "{error}");
        let error = race(&[dead], soon()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = race(&[], soon()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    /// A listener whose queue is full drops what comes, as broken networks do.
    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_swallows_packets_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let hole = TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = hole.local_addr().unwrap();
        rustix::net::listen(&hole, 0).unwrap();
        let brief = Duration::from_millis(100);
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&dead, brief) {
            queued.push(stream);
        }
        let (winner, _) = race(&[dead, dead, good], soon()).unwrap();
        assert_eq!(winner, 2);
        let until = Instant::now() + brief;
        for all in [&[dead, dead][..], &[dead]] {
            let error = race(all, until).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(error.to_string().contains(&dead.to_string()), "{error}");
        }
    }

    #[test]
    fn what_was_found_dead_is_tried_last() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let dead = address("127.0.0.1:9");
        let dial = Dial::new(Arc::default());
        let name = "u.example:80".to_owned();
        dial.known(|known| known.push((name.clone(), vec![dead, good])));
        dial.open("u.example", 80, soon()).unwrap();
        dial.known(|known| assert_eq!(*known, [(name, vec![good, dead])]));
    }
}
