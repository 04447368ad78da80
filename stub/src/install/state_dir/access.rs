//! Decides what the owner and the access control list of a folder of Windows mean for it.
//! Users and groups are named by their identifiers in text.

/// The owner of a folder, and its list. A file system that knows none of this, as FAT,
/// may have neither.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    pub owner: Option<String>,
    /// Without a list everybody may do everything.
    pub entries: Option<Vec<Entry>>,
}

/// An entry of the list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub kind: Kind,
    /// The rights, as bits.
    pub mask: u32,
    /// Whose they are.
    pub who: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Allows,
    /// Takes rights away, which opens nothing.
    Denies,
    /// Not looked into.
    Other,
}

/// Who may write to a folder besides those who may do so anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writers {
    /// Somebody else.
    pub others: bool,
    /// Nobody: the mark of a folder that was open to others and is not empty yet.
    pub nobody: bool,
}

const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// Windows itself is installed by it.
const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// Whoever makes something in the folder.
const CREATOR_OWNER: &str = "S-1-3-0";
const OWNER_RIGHTS: &str = "S-1-3-4";
const NOBODY: &str = "S-1-0-0";

/// Returns whether a folder belongs to this user, to an administrator or the system, who
/// may do everything anyway, or to whom the install dir belongs. A file system that
/// knows no owners has nothing against anybody.
pub(super) fn is_trusted(owner: Option<&str>, user: &str, install_dir: Option<&str>) -> bool {
    owner.is_none_or(|owner| {
        [user, SYSTEM, ADMINISTRATORS].contains(&owner) || install_dir == Some(owner)
    })
}

/// Returns whether something belongs to the administrators or the system.
pub(super) fn is_of_administrators(found: &Security) -> bool {
    let owner = found.owner.as_deref();
    owner.is_some_and(|owner| [SYSTEM, ADMINISTRATORS].contains(&owner))
}

/// Each of these is enough to change what is in a folder, or to take that right.
const TO_WRITE: u32 = {
    const WRITE_DATA: u32 = 0x2;
    const APPEND_DATA: u32 = 0x4;
    const DELETE_CHILD: u32 = 0x40;
    const DELETE: u32 = 0x1_0000;
    const WRITE_DAC: u32 = 0x4_0000;
    const WRITE_OWNER: u32 = 0x8_0000;
    const GENERIC_ALL: u32 = 0x1000_0000;
    const GENERIC_WRITE: u32 = 0x4000_0000;
    let data = WRITE_DATA | APPEND_DATA | DELETE_CHILD | DELETE;
    data | WRITE_DAC | WRITE_OWNER | GENERIC_ALL | GENERIC_WRITE
};

/// Returns who may write to a folder besides `user`, administrators, the system, and those
/// whom the folder and the install dir belong to.
pub(super) fn writers(found: &Security, user: &str, install_dir: Option<&str>) -> Writers {
    let Some(entries) = &found.entries else {
        return Writers {
            others: true,
            nobody: false,
        };
    };
    let known = [
        user,
        SYSTEM,
        ADMINISTRATORS,
        TRUSTED_INSTALLER,
        CREATOR_OWNER,
        OWNER_RIGHTS,
    ];
    let is_known = |who: &str| {
        known.contains(&who) || [found.owner.as_deref(), install_dir].contains(&Some(who))
    };
    let mut writers = Writers::default();
    for entry in entries {
        match entry.kind {
            Kind::Denies => {}
            Kind::Allows if entry.mask & TO_WRITE == 0 => {}
            Kind::Allows if entry.who == NOBODY => writers.nobody = true,
            Kind::Allows if is_known(&entry.who) => {}
            Kind::Allows | Kind::Other => writers.others = true,
        }
    }
    writers
}

/// Returns the list, in the language of the system, by which nobody else can write to a
/// folder or look into it, but see whom it belongs to. `is_empty`: without the mark.
pub(super) fn closed(user: &str, install_dir: Option<&str>, is_empty: bool) -> String {
    let mut list = String::from("D:P");
    let owner = install_dir.filter(|owner| !["S-1-1-0", NOBODY].contains(owner));
    let full = [Some(SYSTEM), Some(ADMINISTRATORS), Some(user), owner];
    for who in full.into_iter().flatten() {
        list.push_str(&format!("(A;OICI;FA;;;{who})"));
    }
    // READ_CONTROL, SYNCHRONIZE, FILE_READ_ATTRIBUTES, FILE_READ_EA.
    list.push_str("(A;;0x120088;;;S-1-1-0)");
    if !is_empty {
        list.push_str(&format!("(A;;0x2;;;{NOBODY})"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "S-1-5-21-1-2-3-1001";
    const OTHER: &str = "S-1-5-21-1-2-3-1002";
    const EVERYBODY: &str = "S-1-1-0";
    const AUTHENTICATED: &str = "S-1-5-11";
    const MODIFY: u32 = 0x13_01bf;
    const READ: u32 = 0x12_00a9;
    const FULL: u32 = 0x1f_01ff;

    fn allows(who: &str, mask: u32) -> Entry {
        let (kind, who) = (Kind::Allows, who.into());
        Entry { kind, mask, who }
    }

    fn of(entries: &[Entry]) -> Security {
        let entries = Some(entries.to_vec());
        Security {
            owner: Some(USER.into()),
            entries,
        }
    }

    fn others(entries: &[Entry]) -> bool {
        writers(&of(entries), USER, Some(ADMINISTRATORS)).others
    }

    #[test]
    fn who_may_do_everything_anyway_is_nobody_else() {
        let usual = [
            SYSTEM,
            ADMINISTRATORS,
            USER,
            CREATOR_OWNER,
            OWNER_RIGHTS,
            TRUSTED_INSTALLER,
        ];
        let usual: Vec<_> = usual.iter().map(|who| allows(who, FULL)).collect();
        assert!(!others(&usual));
        for reader in [EVERYBODY, AUTHENTICATED, OTHER] {
            assert!(!others(&[&usual[..], &[allows(reader, READ)]].concat()));
        }
        let denies = Entry {
            kind: Kind::Denies,
            ..allows(EVERYBODY, FULL)
        };
        assert!(!others(&[denies]));
        // Below Program Files, and in a profile.
        assert!(!others(&[
            allows(ADMINISTRATORS, FULL),
            allows("S-1-5-32-545", READ)
        ]));
    }

    #[test]
    fn each_right_to_write_opens_a_folder() {
        for who in [EVERYBODY, AUTHENTICATED, OTHER, "S-1-5-32-545"] {
            assert!(others(&[allows(USER, FULL), allows(who, MODIFY)]), "{who}");
        }
        for bit in [
            0x2,
            0x4,
            0x40,
            0x1_0000,
            0x4_0000,
            0x8_0000,
            0x1000_0000,
            0x4000_0000,
        ] {
            assert!(others(&[allows(OTHER, READ | bit)]), "{bit:#x}");
        }
        let unknown = Entry {
            kind: Kind::Other,
            ..allows(SYSTEM, 0)
        };
        assert!(others(&[unknown]));
        let without_list = Security {
            entries: None,
            ..of(&[])
        };
        assert!(writers(&without_list, USER, None).others);
        assert!(!others(&[]), "an empty list lets nobody in");
    }

    #[test]
    fn whom_the_folders_belong_to_is_nobody_else() {
        let entries = [allows(OTHER, FULL)];
        assert!(!writers(&of(&entries), USER, Some(OTHER)).others);
        let theirs = Security {
            owner: Some(OTHER.into()),
            ..of(&entries)
        };
        assert!(!writers(&theirs, USER, None).others);
        assert!(writers(&of(&entries), USER, None).others);
        assert!(is_trusted(Some(OTHER), USER, Some(OTHER)) && is_trusted(None, USER, None));
        assert!(!is_trusted(Some(OTHER), USER, Some(USER)));
        assert!(
            [USER, SYSTEM, ADMINISTRATORS]
                .iter()
                .all(|it| is_trusted(Some(it), USER, None))
        );
    }

    #[test]
    fn a_folder_that_was_closed_is_closed_and_marked_until_it_is_empty() {
        let marked = [
            allows(USER, FULL),
            allows(EVERYBODY, 0x12_0088),
            allows(NOBODY, 0x2),
        ];
        let found = writers(&of(&marked), USER, None);
        assert_eq!(
            found,
            Writers {
                others: false,
                nobody: true
            }
        );
        assert_eq!(writers(&of(&marked[..2]), USER, None), Writers::default());
        assert!(closed(USER, None, false).ends_with(&format!("(A;;0x2;;;{NOBODY})")));
        let list = closed(USER, Some(OTHER), true);
        assert!(list.starts_with("D:P(") && !list.contains(NOBODY), "{list}");
        assert!(
            list.contains(&format!("FA;;;{USER})")) && list.contains(&format!("FA;;;{OTHER})"))
        );
        // On a file system without owners everything is everybody's.
        assert!(!closed(USER, Some(EVERYBODY), true).contains("FA;;;S-1-1-0"));
    }
}
