//! Moves bytes to and from a server, directly or through a proxy.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

/// Reads and writes on a connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    /// What the socket was told last.
    read: Option<Duration>,
    write: Option<Duration>,
}

impl Socket {
    /// Creates a transport over a connected stream.
    pub(super) fn new(stream: TcpStream, config: &ureq::config::Config) -> Self {
        Socket {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            read: None,
            write: None,
        }
    }
}

/// How long a call may take.
fn limit(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    match timeout.after {
        after if after.is_not_happening() => Ok(None),
        after if after.is_zero() => Err(Error::Timeout(timeout.reason)),
        after => Ok(Some(*after)),
    }
}

fn named(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let limit = limit(timeout)?;
        if limit != self.write {
            self.stream.set_write_timeout(limit)?;
            self.write = limit;
        }
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|e| named(e, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let limit = limit(timeout)?;
        if limit != self.read {
            self.stream.set_read_timeout(limit)?;
            self.read = limit;
        }
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.stream.read(input) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => break result.map_err(|e| named(e, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Nothing is to come between two requests, not even the end.
    fn is_open(&mut self) -> bool {
        let mut nothing = || {
            self.stream.set_nonblocking(true)?;
            let read = self.stream.read(&mut [0]);
            self.stream.set_nonblocking(false)?;
            read
        };
        matches!(nothing(), Err(e) if e.kind() == ErrorKind::WouldBlock)
    }
}

/// Holds a connection through a proxy: a tunnel, or one on which whole URLs are
/// asked for (RFC 9112, 3.2.2).
#[derive(Debug)]
pub(super) struct Proxied {
    inner: Box<dyn Transport>,
    plain: Option<Plain>,
}

/// Holds what turns a request into one to a proxy.
#[derive(Debug)]
pub(super) struct Plain {
    /// As in `http://host:port`, put before the path.
    pub origin: String,
    /// Value of the header `Proxy-Authorization`.
    pub authorization: Option<String>,
}

impl Plain {
    fn rewrite(&self, request: &[u8]) -> Option<Vec<u8>> {
        let line = request.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let target = request.strip_prefix(b"GET ")?;
        let mut whole = format!("GET {}", self.origin).into_bytes();
        whole.extend_from_slice(&target[..line - 4]);
        if let Some(value) = &self.authorization {
            whole.extend_from_slice(format!("Proxy-Authorization: {value}\r\n").as_bytes());
        }
        whole.extend_from_slice(&request[line..]);
        Some(whole)
    }
}

impl Proxied {
    /// Creates a transport over a connection to the proxy; `plain` unless it is
    /// a tunnel already.
    pub(super) fn new(inner: Box<dyn Transport>, plain: Option<Plain>) -> Self {
        Proxied { inner, plain }
    }
}

impl Transport for Proxied {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(plain) = &self.plain else {
            return self.inner.transmit_output(amount, timeout);
        };
        // There are no requests but GET, which come in one piece.
        let output = self.inner.buffers().output();
        let Some(request) = plain.rewrite(&output[..amount]) else {
            return Err(Error::ConnectionFailed);
        };
        let Some(place) = output.get_mut(..request.len()) else {
            return Err(Error::ConnectionFailed);
        };
        place.copy_from_slice(&request);
        self.inner.transmit_output(request.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    // If the way to the proxy is safe, the way to the server is not yet.
    fn is_tls(&self) -> bool {
        false
    }
}

/// Makes a tunnel to `target` (host and port) through a proxy, and returns
/// the status of its answer: 2xx if there is one.
///
/// # Errors
/// The connection broke, or what came is no answer.
pub(super) fn tunnel(
    proxy: &mut dyn Transport,
    target: &str,
    authorization: Option<&str>,
    timeout: impl Fn() -> NextTimeout,
) -> Result<u16, Error> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(value) = authorization {
        request.push_str(&format!("Proxy-Authorization: {value}\r\n"));
    }
    request.push_str("\r\n");
    let place = proxy.buffers().output().get_mut(..request.len());
    place
        .ok_or(Error::ConnectionFailed)?
        .copy_from_slice(request.as_bytes());
    proxy.transmit_output(request.len(), timeout())?;
    loop {
        let more = proxy.await_input(timeout())?;
        let input = proxy.buffers().input();
        let end = input.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = end {
            let line = String::from_utf8_lossy(&input[..end]);
            let status = line.split(' ').nth(1).and_then(|status| status.get(..3));
            let status = status.and_then(|status| status.parse().ok());
            proxy.buffers().input_consume(end + 4);
            return status.ok_or(Error::ConnectionFailed);
        }
        if !more {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_whole_urls() {
        let plain = |authorization: Option<&str>| Plain {
            origin: "http://h:8".into(),
            authorization: authorization.map(str::to_owned),
        };
        let request = b"GET /a?b HTTP/1.1\r\nHost: h:8\r\n\r\n";
        assert_eq!(
            plain(None).rewrite(request).unwrap(),
            b"GET http://h:8/a?b HTTP/1.1\r\nHost: h:8\r\n\r\n"
        );
        assert_eq!(
            plain(Some("Basic x")).rewrite(request).unwrap(),
            b"GET http://h:8/a?b HTTP/1.1\r\nProxy-Authorization: Basic x\r\nHost: h:8\r\n\r\n"
        );
        assert_eq!(plain(None).rewrite(b"GET /a HTTP/1.1"), None);
        assert_eq!(plain(None).rewrite(b"PUT /a HTTP/1.1\r\n\r\n"), None);
    }
}
