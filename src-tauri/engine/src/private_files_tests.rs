use std::os::unix::{
    fs::{FileTypeExt as _, PermissionsExt as _, chown, symlink},
    net::UnixListener,
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::geteuid,
};

use super::*;

/// What may be in a file's place, each with a function that puts it there.
type Intruder = (&'static str, fn(&Path));

const INTRUDERS: [Intruder; 5] = [
    ("a pipe", |path| mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe")),
    ("a socket", |path| drop(UnixListener::bind(path).expect("a socket"))),
    ("a folder", |path| fs::create_dir(path).expect("a folder")),
    ("a link to a file", |path| {
        let target = path.with_file_name("target");
        fs::write(&target, "precious").expect("written");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("set");
        symlink(target, path).expect("a link");
    }),
    ("a link to nothing", |path| symlink(path.with_file_name("nothing"), path).expect("a link")),
];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn whatever_is_no_regular_file_is_refused_without_waiting_and_without_touching_it() {
    for (name, put) in INTRUDERS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relink.lock");
        put(&path);
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        let ways: [fn(&Path) -> io::Result<()>; 3] =
            [|path| open(path).map(drop), |path| open_or_create(path).map(drop), make_private_if_exists];
        for open in ways {
            let refused = open(&path).expect_err(name).to_string();
            assert!(refused.contains("relink.lock is not a regular file"), "{name}: {refused}");
        }
        assert_eq!(fs::symlink_metadata(&path).expect("it is there").file_type(), kind, "{name}");
        let target = folder.path().join("target");
        if target.exists() {
            assert_eq!((mode(&target), fs::read_to_string(&target).expect("read").as_str()), (0o644, "precious"));
        }
        assert!(!folder.path().join("nothing").exists(), "{name}");
    }
}

#[test]
fn a_file_is_replaced_whatever_has_its_name_and_a_links_target_stays() {
    for (name, put) in INTRUDERS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relink.db.bak.part");
        put(&path);
        let replaced = replace_with_empty(&path);
        if path.is_dir() {
            assert!(replaced.expect_err(name).to_string().contains("relink.db.bak.part"), "{name}");
            continue;
        }
        replaced.expect(name);
        assert_eq!((mode(&path), fs::read_to_string(&path).expect("read").as_str()), (0o600, ""), "{name}");
        assert!(!fs::symlink_metadata(&path).expect("there").file_type().is_fifo(), "{name}");
    }
}

#[test]
fn a_file_is_private_when_it_is_created_and_becomes_private_when_it_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("relink.db");
    open_or_create(&path).expect("created");
    assert_eq!(mode(&path), 0o600);
    for loose in [0o644, 0o666, 0o777, 0o640] {
        fs::set_permissions(&path, fs::Permissions::from_mode(loose)).expect("set");
        open_or_create(&path).expect("opened");
        assert_eq!(mode(&path), 0o600, "{loose:o}");
    }
    let missing = open(&folder.path().join("missing")).expect_err("nothing is there");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound, "which callers tell from other errors");
    make_private_if_exists(&folder.path().join("missing")).expect("nothing to do");
}

#[test]
fn a_new_folder_is_private_and_an_existing_one_keeps_its_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("new/deep");
    ensure_folder(&deep).expect("created");
    assert_eq!((mode(&deep), mode(&folder.path().join("new"))), (0o700, 0o700));

    let existing = folder.path().join("existing");
    let link = folder.path().join("link");
    fs::create_dir(&existing).expect("a folder");
    symlink(&existing, &link).expect("a link");
    for (loose, is_accepted) in
        [(0o700, true), (0o755, true), (0o711, true), (0o775, false), (0o757, false), (0o777, false), (0o1777, false)]
    {
        fs::set_permissions(&existing, fs::Permissions::from_mode(loose)).expect("set");
        for path in [&existing, &link] {
            let outcome = ensure_folder(path);
            assert_eq!(outcome.is_ok(), is_accepted, "{loose:o} {}", path.display());
            assert!(is_accepted || outcome.is_err_and(|error| error.to_string().contains("chmod go-w")), "{loose:o}");
        }
        assert_eq!(mode(&existing), loose & 0o777, "it was not changed");
    }
}

#[test]
fn another_users_files_and_folders_are_refused() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give files to another user");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("relink.lock");
    fs::write(&path, "").expect("written");
    chown(&path, Some(65_534), None).expect("given away");
    for refused in [open(&path), open_or_create(&path)] {
        assert!(refused.expect_err("another user's").to_string().contains("relink.lock belongs to another user"));
    }
    chown(folder.path(), Some(65_534), None).expect("given away");
    assert!(ensure_folder(folder.path()).expect_err("another user's").to_string().contains("another user"));
}
