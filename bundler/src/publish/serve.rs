//! Serves static files for trying things out. Loopback only, no TLS: it is not
//! for publishing.

use crate::keys::is_private_key;
use crate::output::{Output, complain};
use notsotuf_stub::fs;
use serde_json::json;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tiny_http::{Header, Method, Request, Response, Server};

/// Says why the server for trying things out does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve on {address}: {source}")]
pub(crate) struct ServeError {
    /// Where it should listen.
    address: String,
    /// What went wrong.
    source: Box<dyn std::error::Error + Send + Sync>,
}

const WORKERS: usize = 4;

/// Names what is served.
#[derive(Debug, Clone)]
pub(crate) enum Served {
    /// The repository of a project, in this folder.
    Repository(PathBuf),
    /// Whatever is in this folder.
    Folder(PathBuf),
}

impl Served {
    fn folder(&self) -> &Path {
        match self {
            Served::Repository(folder) | Served::Folder(folder) => folder,
        }
    }

    /// The file that a URL names; `None` if it is not to be seen: it could be
    /// outside of the folder, or is a private key, or beside metadata and none.
    fn file(&self, url: &str) -> Option<PathBuf> {
        let path = path_in(url)?;
        let is_unknown = path.starts_with("metadata/") && !path.ends_with(".json");
        if is_unknown && matches!(self, Served::Repository(_)) {
            return None;
        }
        let file = fs::join(self.folder(), &path);
        (!is_private_key(&file)).then_some(file)
    }
}

/// Serves files until the process is ended. Says where once it listens; port 0
/// takes any free one.
///
/// # Errors
/// If it cannot listen there.
pub(crate) fn serve(
    served: &Served,
    port: u16,
    quiet: bool,
    output: &Output,
) -> Result<(), ServeError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = listen(address).map_err(|source| ServeError {
        address: address.to_string(),
        source,
    })?;
    let url = format!("http://{}", server.server_addr());
    let folder = served.folder();
    let text = format!("serving {} on {url}", folder.display());
    output.say_now(&text, &json!({ "folder": folder, "url": url }));
    let server = Arc::new(server);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (server, served) = (Arc::clone(&server), served.clone());
            std::thread::spawn(move || {
                for request in server.incoming_requests() {
                    let line = format!("{} {}", request.method(), request.url());
                    match answer(&served, request) {
                        Ok(status) if !quiet => complain(format!("{status} {line}")),
                        Ok(_) => {}
                        Err(e) => complain(format!("{line}: {e}")),
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        if worker.join().is_err() {
            complain("a worker ended unexpectedly");
        }
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<Server, Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind(address)?;
    // Connections inherit it. Without it, a body that follows its header
    // waits 40 ms for the client's delayed acknowledgement.
    socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
    Server::from_listener(listener, None)
}

fn answer(served: &Served, request: Request) -> io::Result<u16> {
    let head = *request.method() == Method::Head;
    if !head && *request.method() != Method::Get {
        return empty(request, 405);
    }
    let Some(path) = served.file(request.url()) else {
        return empty(request, 404);
    };
    let mut file = match std::fs::File::open(&path) {
        Ok(file) if file.metadata()?.is_file() => file,
        _ => return empty(request, 404),
    };
    let found = file.metadata()?;
    let changed = found.modified()?.duration_since(UNIX_EPOCH);
    let changed = changed.map_or(0, |since| since.as_nanos());
    let etag = format!("\"{changed:x}-{:x}\"", found.len());
    let tag = header("ETag", &etag);
    if value(&request, "If-None-Match").is_some_and(|known| known == etag) {
        request.respond(Response::empty(304).with_header(tag))?;
        return Ok(304);
    }
    let current = value(&request, "If-Range").is_none_or(|known| known == etag);
    let range = value(&request, "Range").filter(|_| current);
    let range = range.and_then(|range| parse_range(&range, found.len()));
    let (status, start, length) = match range {
        Some((start, length)) => (206, start, length),
        None => (200, 0, found.len()),
    };
    file.seek(SeekFrom::Start(start))?;
    let body = file.take(length);
    let size = usize::try_from(length).map_err(io::Error::other)?;
    let mut response = Response::new(status.into(), vec![tag], body, Some(size), None)
        // Chunks would hide the length from the client.
        .with_chunked_threshold(usize::MAX);
    response.add_header(header("Accept-Ranges", "bytes"));
    if status == 206 {
        let range = format!("bytes {start}-{}/{}", start + length - 1, found.len());
        response.add_header(header("Content-Range", &range));
    }
    request.respond(response)?;
    Ok(status)
}

fn empty(request: Request, status: u16) -> io::Result<u16> {
    request.respond(Response::empty(status))?;
    Ok(status)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("visible ASCII")
}

fn value(request: &Request, name: &str) -> Option<String> {
    let header = request
        .headers()
        .iter()
        .find(|header| header.field.as_str().as_str().eq_ignore_ascii_case(name))?;
    Some(header.value.to_string())
}

/// `bytes=START-` or `bytes=START-END`: start and length.
fn parse_range(range: &str, size: u64) -> Option<(u64, u64)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = start.parse().ok()?;
    let end = match end {
        "" => size.checked_sub(1)?,
        end => end.parse::<u64>().ok()?.min(size.checked_sub(1)?),
    };
    (start <= end).then(|| (start, end - start + 1))
}

/// The path that a URL names; `None` if it could lead out of the folder.
fn path_in(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let rules = notsotuf_stub::bundle::Rules::portable();
    rules.check_path(&path).ok()?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let served = Served::Folder("/srv".into());
        let local = |url: &str| served.file(url);
        assert_eq!(local("/a/b%20c?x=1"), Some("/srv/a/b c".into()));
        for url in [
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/a/..%2f..%2fx",
            "x",
            "/",
        ] {
            assert_eq!(local(url), None, "{url}");
        }
    }

    #[test]
    fn one_range_to_the_end_is_served_and_others_are_ignored() {
        assert_eq!(parse_range("bytes=0-", 10), Some((0, 10)));
        assert_eq!(parse_range("bytes=4-5", 10), Some((4, 2)));
        assert_eq!(parse_range("bytes=4-99", 10), Some((4, 6)));
        for bad in [
            "bytes=10-",
            "bytes=5-4",
            "bytes=-5",
            "lines=1-2",
            "bytes=0-1,3-4",
        ] {
            assert_eq!(parse_range(bad, 10), None, "{bad}");
        }
        assert_eq!(parse_range("bytes=0-", 0), None);
    }
}
