//! Follows marshalled objects byte by byte.
//!
//! The format is that of `Python/marshal.c`, versions 3.4 to 3.14; its types
//! are single characters, and the highest bit says that an object is counted.

/// Says how a code object is laid out, which Python changes now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Python 3.11 and later.
    Python311,
    /// Python 3.8 to 3.10.
    Python38,
    /// Python 3.4 to 3.7.
    Python34,
}

impl Layout {
    /// Lists all of them, the newest first.
    pub const ALL: [Layout; 3] = [Layout::Python311, Layout::Python38, Layout::Python34];

    /// Returns how many bytes of counts and flags a code object begins with.
    fn head(self) -> u64 {
        match self {
            Layout::Python311 | Layout::Python34 => 20,
            Layout::Python38 => 24,
        }
    }

    /// Returns how many objects are behind its first line: the tables of lines
    /// and exceptions.
    fn tail(self) -> u32 {
        match self {
            Layout::Python311 => 2,
            Layout::Python38 | Layout::Python34 => 1,
        }
    }
}

/// Counts the bytes before the object in a file (PEP 552).
const HEADER: u64 = 16;

/// Says how a marshalled module is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// How its code objects are laid out.
    pub layout: Layout,
    /// Whether it has the header of a `.pyc` file.
    pub is_file: bool,
}

impl Module {
    /// Marks a file in the byte of a patch; the rest of that is the layout.
    const FILE: u8 = 4;

    /// Reads what a byte of a patch says; `None` if that is not known.
    pub fn of_byte(byte: u8) -> Option<Self> {
        let layout = Layout::ALL.get(usize::from(byte & !Self::FILE))?;
        Some(Module {
            layout: *layout,
            is_file: byte & Self::FILE != 0,
        })
    }

    /// Returns the byte that says this in a patch.
    pub fn byte(self) -> u8 {
        let layout = Layout::ALL.iter().position(|layout| *layout == self.layout);
        layout.unwrap_or_default() as u8 | if self.is_file { Self::FILE } else { 0 }
    }
}

/// Says what a byte begins that is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A counted object, with its number.
    Object(u32),
    /// The four bytes of a reference to a counted object.
    Reference,
    /// The four bytes of a first line.
    Line,
    /// The four bytes of a number in a table, of which so many items are left
    /// in the tuple it is in, itself included.
    Number(u32),
}

/// Limits how deep objects may lie within each other.
const MAX_DEPTH: usize = 1000;

/// Counts the objects before a code object's first line, from its bytecode to
/// its name.
const BEFORE_LINE: u32 = 8;

/// Describes an object whose parts are still to come.
#[derive(Clone, Copy)]
enum Open {
    /// So many objects more.
    Items(u32),
    /// Keys and values, up to a null.
    Dict,
    /// The objects of a code object: before its first line, and behind it.
    Code(u32),
    CodeTail(u32),
}

/// Says what a number is for that is being read.
#[derive(Clone, Copy)]
enum Count {
    Bytes,
    /// Digits of two bytes, with a sign.
    Digits,
    Items,
}

#[derive(Clone, Copy)]
enum Next {
    Type,
    /// So many bytes of no interest, then the next object.
    Skip(u64),
    /// So many bytes, then the objects of a code object.
    Head(u64),
    Number {
        left: u8,
        shift: u8,
        value: u32,
        count: Count,
    },
    /// So many bytes of a field.
    Field(u8, Meaning),
    /// There is nothing more, or it is not understood.
    End,
}

/// Keeps track of where one is in a marshalled object.
pub struct Walker {
    layout: Layout,
    next: Next,
    open: Vec<Open>,
    objects: u32,
    understood: bool,
}

impl Walker {
    /// Counts what it takes in memory at most.
    pub(crate) const WEIGHT: u64 = 2 * (MAX_DEPTH * size_of::<Open>()) as u64;

    /// Starts at the beginning of a module: of its object, or of a file that has
    /// it behind a header.
    pub fn new(module: Module) -> Self {
        Walker {
            layout: module.layout,
            next: if module.is_file {
                Next::Head(HEADER)
            } else {
                Next::Type
            },
            open: Vec::new(),
            objects: 0,
            understood: true,
        }
    }

    /// Returns whether all bytes so far were one whole object.
    pub fn is_complete(&self) -> bool {
        self.understood && self.open.is_empty() && matches!(self.next, Next::End)
    }

    /// Takes the next byte, and says what it begins.
    pub fn feed(&mut self, byte: u8) -> Option<Meaning> {
        match self.next {
            Next::Type => self.object(byte),
            Next::Skip(left) => {
                self.skip(left - 1);
                None
            }
            Next::Head(1) => {
                self.next = Next::Type;
                None
            }
            Next::Head(left) => {
                self.next = Next::Head(left - 1);
                None
            }
            Next::Field(left, meaning) => {
                match (left, meaning) {
                    (1, Meaning::Line) => self.next = Next::Type,
                    (1, _) => self.done(),
                    _ => self.next = Next::Field(left - 1, meaning),
                }
                (left == 4).then_some(meaning)
            }
            Next::Number {
                left,
                shift,
                value,
                count,
            } => {
                let value = value | u32::from(byte) << shift;
                match left {
                    1 => self.counted(value, count),
                    _ => {
                        self.next = Next::Number {
                            left: left - 1,
                            shift: shift + 8,
                            value,
                            count,
                        }
                    }
                }
                None
            }
            Next::End => {
                self.understood = false;
                None
            }
        }
    }

    fn skip(&mut self, bytes: u64) {
        match bytes {
            0 => self.done(),
            _ => self.next = Next::Skip(bytes),
        }
    }

    fn number(&mut self, bytes: u8, count: Count) {
        self.next = Next::Number {
            left: bytes,
            shift: 0,
            value: 0,
            count,
        };
    }

    fn counted(&mut self, value: u32, count: Count) {
        match count {
            Count::Bytes => self.skip(value.into()),
            Count::Digits => self.skip(2 * u64::from((value as i32).unsigned_abs())),
            Count::Items if value == 0 => self.done(),
            Count::Items => self.enter(Open::Items(value)),
        }
    }

    fn enter(&mut self, open: Open) {
        if self.open.len() == MAX_DEPTH {
            return self.lost();
        }
        self.open.push(open);
        self.next = match open {
            Open::Code(_) => Next::Head(self.layout.head()),
            _ => Next::Type,
        };
    }

    fn lost(&mut self) {
        self.understood = false;
        self.open = Vec::new();
        self.next = Next::End;
    }

    fn object(&mut self, byte: u8) -> Option<Meaning> {
        const COUNTED: u8 = 0x80;
        let meaning = (byte & COUNTED != 0).then(|| {
            self.objects = self.objects.saturating_add(1);
            Meaning::Object(self.objects - 1)
        });
        match byte & !COUNTED {
            // Null, which ends a dictionary.
            b'0' => match self.open.pop() {
                Some(Open::Dict) => self.done(),
                _ => self.lost(),
            },
            b'N' | b'F' | b'T' | b'S' | b'.' => self.done(),
            b'i' => match (self.open.first(), self.open.last()) {
                // Those of modules are constants.
                (Some(Open::Items(_)), Some(Open::Items(left))) => {
                    self.next = Next::Field(4, Meaning::Number(*left));
                }
                _ => self.skip(4),
            },
            b'I' | b'g' => self.skip(8),
            b'y' => self.skip(16),
            b'r' => self.next = Next::Field(4, Meaning::Reference),
            b'l' => self.number(4, Count::Digits),
            b's' | b'u' | b't' | b'a' | b'A' => self.number(4, Count::Bytes),
            b'z' | b'Z' | b'f' => self.number(1, Count::Bytes),
            b')' => self.number(1, Count::Items),
            b'(' | b'[' | b'<' | b'>' => self.number(4, Count::Items),
            b':' => self.enter(Open::Items(3)),
            b'{' => self.enter(Open::Dict),
            b'c' => self.enter(Open::Code(BEFORE_LINE)),
            _ => self.lost(),
        }
        meaning
    }

    /// Ends an object, and with it perhaps those that it is the last of.
    fn done(&mut self) {
        loop {
            self.next = Next::Type;
            let Some(open) = self.open.last_mut() else {
                self.next = Next::End;
                return;
            };
            match open {
                Open::Dict => return,
                Open::Code(1) => {
                    *open = Open::CodeTail(self.layout.tail());
                    self.next = Next::Field(4, Meaning::Line);
                    return;
                }
                Open::Items(1) | Open::CodeTail(1) => self.open.pop(),
                Open::Items(left) | Open::Code(left) | Open::CodeTail(left) => {
                    *left -= 1;
                    return;
                }
            };
        }
    }
}
