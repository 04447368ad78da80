//! A server that does what servers and networks do wrong.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with every file whose path contains a given text.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with an HTML body.
    Status(u16),
    /// Status 200 and a page, as captive portals answer.
    Portal,
    /// One byte of the content is another one.
    Flipped,
    /// The connection ends after this many bytes, with the length announced.
    Truncated(usize),
    /// Ranges are served, but every connection ends after this many bytes.
    Breaking(usize),
    /// The second half where another part was asked for, and only half at
    /// first.
    WrongRange,
    /// More than the file has.
    Longer,
    /// Bytes without end, and no length.
    Endless,
    /// Nothing more after the headers.
    Stalled,
    /// A byte now and then.
    Dripping,
    /// Only for those who send this `Authorization`.
    Guarded(String),
    /// To this URL, with the path appended.
    Redirect(String),
    /// To this path of the server.
    Leads(String),
    /// Compressed, though nobody asked for that.
    Gzipped,
    /// As it is, but said to be compressed, as some servers say of `.gz`.
    Labelled,
    /// Status 206 and the first half, though all of it was asked for.
    Part,
    /// No length, and the connection ends after this many bytes.
    Closed(usize),
    /// Always from the start, and with each request so many bytes more before
    /// the connection ends.
    Anew(usize),
    /// The connection ends at once.
    Refused,
    /// Not a word.
    Silent,
}

/// Serves a folder with a fault, until this is dropped.
pub struct FaultyServer {
    stop: Arc<AtomicBool>,
    /// Where it listens, without a final slash.
    pub url: String,
    /// From which byte on parts of files were asked for.
    pub ranges: Arc<Mutex<Vec<usize>>>,
    /// The `Authorization` of each request.
    pub authorizations: Arc<Mutex<Vec<Option<String>>>>,
    /// How many bytes of files with the fault were sent.
    pub sent: Arc<AtomicUsize>,
}

impl FaultyServer {
    /// Files whose path contains `what` are served with `fault`, all others
    /// as they are.
    pub fn start(folder: &Path, what: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (folder, what) = (folder.to_path_buf(), what.to_owned());
        let ranges: Arc<Mutex<Vec<usize>>> = Arc::default();
        let authorizations: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let (asked, who) = (Arc::clone(&ranges), Arc::clone(&authorizations));
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let requests = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (folder, what, fault) = (folder.clone(), what.clone(), fault.clone());
                let (asked, who) = (Arc::clone(&asked), Arc::clone(&who));
                let (count, requests) = (Arc::clone(&count), Arc::clone(&requests));
                std::thread::spawn(move || {
                    // The client may hang up, which is what some tests want.
                    if let Err(e) = answer(
                        &folder, &what, &fault, &asked, &who, &requests, &count, stream,
                    ) {
                        eprintln!("faulty server: {e}");
                    }
                });
            }
        });
        FaultyServer {
            stop,
            url,
            ranges,
            authorizations,
            sent,
        }
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let address = self.url.trim_start_matches("http://");
        TcpStream::connect(address).expect("it still listens");
    }
}

/// One request, one answer, and the connection ends.
#[allow(clippy::too_many_arguments)]
fn answer(
    folder: &Path,
    what: &str,
    fault: &Fault,
    asked: &Mutex<Vec<usize>>,
    who: &Mutex<Vec<Option<String>>>,
    requests: &AtomicUsize,
    sent: &AtomicUsize,
    stream: TcpStream,
) -> io::Result<()> {
    // So that what was sent is nearly what was received.
    rustix::net::sockopt::set_socket_send_buffer_size(&stream, 1 << 15)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let (mut from, mut authorization) = (None, None);
    for line in lines {
        let line = line?;
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
        let line = line.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    asked.lock().expect("no panic").extend(from);
    who.lock().expect("no panic").push(authorization.clone());
    let url = request.split(' ').nth(1).unwrap_or("/").to_owned();
    let path: PathBuf = folder.join(url.trim_start_matches('/'));
    let uncounted = AtomicUsize::new(0);
    let faulty = url.contains(what);
    let mut reply = Reply(stream, if faulty { sent } else { &uncounted });
    let page = b"<html><body>Please log in</body></html>";
    match fault {
        Fault::Status(status) if faulty => return reply.send(*status, "", page),
        Fault::Refused if faulty => return Ok(()),
        Fault::Silent if faulty => {
            std::thread::sleep(Duration::from_secs(30));
            return Ok(());
        }
        Fault::Leads(to) if faulty => {
            return reply.send(302, &format!("Location: {to}\r\n"), b"");
        }
        Fault::Leads(to) if url == *to => {
            return reply.send(200, "Content-Type: text/html; charset=utf-8\r\n", page);
        }
        _ => {}
    }
    let Ok(mut content) = std::fs::read(&path) else {
        return reply.send(404, "", b"no");
    };
    if !faulty {
        return reply.send(200, "", &content);
    }
    match fault {
        Fault::Guarded(expected) if authorization.as_ref() == Some(expected) => {
            reply.send(200, "", &content)
        }
        Fault::Guarded(_) => reply.send(401, "", page),
        Fault::Status(_) | Fault::Refused | Fault::Silent | Fault::Leads(_) => {
            unreachable!("answered already")
        }
        Fault::Gzipped => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&content)?;
            reply.send(200, "Content-Encoding: gzip\r\n", &gzip.finish()?)
        }
        Fault::Labelled => reply.send(200, "Content-Encoding: x-gzip\r\n", &content),
        Fault::Part => {
            let size = content.len();
            let range = format!("Content-Range: bytes 0-{}/{size}\r\n", size / 2 - 1);
            reply.send(206, &range, &content[..size / 2])
        }
        Fault::Closed(length) => {
            reply.head(200, "")?;
            reply.body(&content[..content.len().min(*length)])
        }
        Fault::Anew(step) => {
            let turn = requests.fetch_add(1, Ordering::Relaxed) + 1;
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            reply.body(&content[..content.len().min(step * turn)])
        }
        Fault::Portal => reply.send(200, "Content-Type: text/html\r\n", page),
        Fault::Flipped => {
            let middle = content.len() / 2;
            content[middle] ^= 1;
            reply.send(200, "", &content)
        }
        Fault::Redirect(to) => reply.send(302, &format!("Location: {to}{url}\r\n"), b""),
        Fault::Truncated(length) => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            reply.body(&content[..content.len().min(*length)])
        }
        Fault::Breaking(most) => {
            let size = content.len();
            let rest = &content[from.unwrap_or(0)..];
            let length = format!("Content-Length: {}\r\n", rest.len());
            match from {
                None => reply.head(200, &length)?,
                Some(from) => {
                    let range = format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1);
                    reply.head(206, &(length + &range))?;
                }
            }
            reply.body(&rest[..rest.len().min(*most)])
        }
        Fault::WrongRange => {
            let size = content.len();
            let half = size / 2;
            match from {
                None => {
                    reply.head(200, &format!("Content-Length: {size}\r\n"))?;
                    reply.body(&content[..half])
                }
                Some(from) => {
                    // It says what was asked for, and sends something else.
                    let mut rest = content.split_off(half);
                    rest.reverse();
                    rest.resize(size - from, 0);
                    let range = format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1);
                    reply.head(206, &format!("Content-Length: {}\r\n{range}", rest.len()))?;
                    reply.body(&rest)
                }
            }
        }
        Fault::Longer => {
            content.extend([0; 100]);
            reply.send(200, "", &content)
        }
        Fault::Stalled => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            std::thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        Fault::Dripping => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            for byte in content.chunks(1) {
                reply.body(byte)?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Fault::Endless => {
            reply.head(200, "")?;
            // Until the client hangs up.
            loop {
                reply.body(&[b' '; 4096])?;
            }
        }
    }
}

struct Reply<'a>(TcpStream, &'a AtomicUsize);

impl Reply<'_> {
    fn head(&mut self, status: u16, headers: &str) -> io::Result<()> {
        write!(
            self.0,
            "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}\r\n"
        )
    }

    fn send(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        self.head(
            status,
            &format!("{headers}Content-Length: {}\r\n", body.len()),
        )?;
        self.body(body)
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(1 << 14) {
            self.0.write_all(piece)?;
            self.1.fetch_add(piece.len(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Serves a folder, and closes each connection when it is asked for something
/// on it a second time, though it said that it would stay open.
pub struct ClosingServer {
    /// Where it listens, without a final slash.
    pub url: String,
    /// How often it did that.
    pub closed: Arc<AtomicUsize>,
}

impl ClosingServer {
    /// Until the test ends.
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let closed = Arc::new(AtomicUsize::new(0));
        let (folder, count) = (folder.to_path_buf(), Arc::clone(&closed));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (folder, count) = (folder.clone(), Arc::clone(&count));
                std::thread::spawn(move || {
                    if let Err(e) = once(&folder, &count, stream) {
                        eprintln!("closing server: {e}");
                    }
                });
            }
        });
        ClosingServer { url, closed }
    }
}

fn once(folder: &Path, closed: &AtomicUsize, mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut request = || -> io::Result<String> {
        let first = lines.next().transpose()?.unwrap_or_default();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        Ok(first)
    };
    let path = request()?;
    let path = path
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let (status, content) = match std::fs::read(folder.join(path)) {
        Ok(content) => (200, content),
        Err(_) => (404, Vec::new()),
    };
    let length = content.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(&content)?;
    if !request()?.is_empty() {
        closed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// An address that takes connections and packets and says nothing, as behind
/// a firewall that drops what it does not like: its queue is full.
pub struct Hole {
    address: std::net::SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

#[cfg(target_os = "linux")]
impl Hole {
    /// At a free port of 127.0.0.1.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        rustix::net::listen(&listener, 0).expect("it is a listener");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
        }
        Hole {
            address,
            _listener: listener,
            _queued: queued,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

#[cfg(target_os = "linux")]
impl Default for Hole {
    fn default() -> Self {
        Self::new()
    }
}
