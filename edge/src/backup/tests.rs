use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hadir_shared::{
    chain::Head,
    ids::InstitutionId,
    sign::{SecretKey, Signature},
    wire::{
        PROTO,
        enrolment::Enrolled,
        held::{HeldLog, HeldLogs, HeldRecords},
        request::NONCE_HEADER,
    },
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    ids::Ids,
    membership::{self, Membership},
    node::{Code, Node, ScanRequest},
    store::log::Kept,
    testing::{Hands, TestBox},
};

const AT: Millis = Millis(1_763_682_300_000);
const DEVICE: DeviceId = DeviceId(Uuid::from_u128(5));

async fn pass(box_: &TestBox, numbers: std::ops::Range<u32>) {
    for number in numbers {
        box_.hands().pass(1_000);
        let request = ScanRequest {
            code: Code::Number(number.to_string()),
            direction: None,
            class: None,
            position: None,
            gate: "Gerbang 1".into(),
            operator: None,
        };
        box_.node().scan(request).await.unwrap();
    }
}

fn made(box_: &TestBox, to: &Path) -> Manifest {
    make(box_.folder(), to, &**box_.hands()).unwrap().0
}

async fn put(file: &Path, place: &Path, ask: Ask) -> Result<Rebuilt, NoBackup> {
    rebuild(file, place, ask, Hands::at(AT), &Ids::seeded(9)).await
}

fn kept(data_dir: &Path) -> Vec<(LogId, Vec<Kept>)> {
    let conn = crate::store::open::reader(data_dir).unwrap();
    let all = log::all(&conn).unwrap();
    all.into_iter().map(|log| (log.log, log::records(&conn, log.number, 1, 100_000).unwrap())).collect()
}

#[tokio::test]
async fn a_box_comes_out_of_its_backup_as_it_was() {
    let folder = TempDir::new().unwrap();
    let (file, place) = (folder.path().join("a.tar.zst"), folder.path().join("new/edge"));
    let box_ = TestBox::demo(AT).await;
    pass(&box_, 1001..1011).await;
    assert_eq!(last(box_.folder()), None);
    let manifest = made(&box_, &file);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let told = box_.node().sync_status().await.last_backup.unwrap();
    assert_eq!((told.at, told.recorded), (manifest.made_at, 10));
    assert_eq!(told.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    // What comes after it is not in it.
    pass(&box_, 1011..1012).await;

    let rebuilt = put(&file, &place, Ask::WhatIsMissing).await.unwrap();
    assert_eq!(rebuilt.manifest, manifest);
    assert!(rebuilt.unasked.is_none(), "a box that stands alone has nobody to ask");
    let (mut here, there) = (kept(box_.folder()), kept(&place));
    here[0].1.pop();
    assert_eq!(here, there);
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(
        fs::read(place.join("secret.key")).unwrap(),
        fs::read(box_.folder().join("secret.key")).unwrap()
    );
    let mut config = box_.node().config().clone();
    config.data_dir = place;
    let again = Node::open(config, Hands::at(AT), Ids::seeded(3), AT).await.unwrap();
    assert_eq!(again.roster().people().count(), box_.node().roster().people().count());
}

#[tokio::test]
async fn nothing_is_put_where_something_is_or_out_of_what_is_not_whole() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.tar.zst");
    let box_ = TestBox::demo(AT).await;
    pass(&box_, 1001..1004).await;
    made(&box_, &file);
    let whole = fs::read(&file).unwrap();
    let place = folder.path().join("edge");

    // Wherever it is cut, and whichever byte is another one.
    let broken = folder.path().join("broken");
    for step in 1..40 {
        let at = whole.len() * step / 40;
        fs::write(&broken, &whole[..at]).unwrap();
        assert!(
            matches!(put(&broken, &place, Ask::WhatIsMissing).await, Err(NoBackup::Damaged(_))),
            "cut at {at}"
        );
        let mut other = whole.clone();
        other[at] ^= 0x10;
        fs::write(&broken, &other).unwrap();
        let came = put(&broken, &place, Ask::WhatIsMissing).await;
        assert!(matches!(came, Err(NoBackup::Damaged(_) | NoBackup::Open(_))), "changed at {at}: {came:?}");
    }
    assert!(!place.exists());
    assert!(matches!(
        put(&folder.path().join("none"), &place, Ask::WhatIsMissing).await,
        Err(NoBackup::NoFile { .. })
    ));

    fs::create_dir(&place).unwrap();
    fs::write(place.join("notes.txt"), "mine").unwrap();
    assert!(matches!(put(&file, &place, Ask::WhatIsMissing).await, Err(NoBackup::NotEmpty(_))));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no folder of work is left");
    fs::remove_file(place.join("notes.txt")).unwrap();
    put(&file, &place, Ask::WhatIsMissing).await.unwrap();
}

#[tokio::test]
async fn a_sound_file_with_another_content_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.tar.zst");
    let box_ = TestBox::demo(AT).await;
    pass(&box_, 1001..1004).await;
    made(&box_, &file);
    let place = folder.path().join("edge");
    for (change, why) in [
        ((|m| m["format"] = 2.into()) as fn(&mut serde_json::Value), "newer"),
        (|m| m["parts"][0]["sha256"] = "0".repeat(64).into(), "edge.db is not what was written"),
        (|m| m["logs"][0]["seq"] = 2.into(), "the logs do not end where its manifest says"),
        (|m| m["parts"][1]["name"] = "../../etc/passwd".into(), "does not belong there"),
        (|m| drop(m["parts"].as_array_mut().unwrap().pop()), "what its manifest does not name"),
    ] {
        let changed = folder.path().join("changed");
        repack(&file, &changed, change);
        let refused = put(&changed, &place, Ask::WhatIsMissing).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
        assert!(!place.exists());
    }
    // A database of a newer program, in a file that says so.
    let newer = folder.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::copy(box_.folder().join("secret.key"), newer.join("secret.key")).unwrap();
    crate::store::open::copy(box_.folder(), &newer.join(DATABASE)).unwrap();
    Connection::open(newer.join(DATABASE)).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = make(&newer, &folder.path().join("b.tar.zst"), &*Hands::at(AT)).unwrap_err().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

/// The same file with another manifest.
fn repack(from: &Path, to: &Path, change: fn(&mut serde_json::Value)) {
    let mut read = tar::Archive::new(zstd::Decoder::new(fs::File::open(from).unwrap()).unwrap());
    let mut written = tar::Builder::new(zstd::Encoder::new(fs::File::create(to).unwrap(), 1).unwrap());
    for entry in read.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let name = entry.path().unwrap().into_owned();
        if name == Path::new(MANIFEST) {
            let mut manifest = serde_json::from_slice(&bytes).unwrap();
            change(&mut manifest);
            bytes = serde_json::to_vec(&manifest).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        written.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    written.into_inner().unwrap().finish().unwrap();
}

#[tokio::test]
async fn only_a_backup_is_replaced_and_the_oldest_go() {
    let folder = TempDir::new().unwrap();
    let box_ = TestBox::demo(AT).await;
    let file = folder.path().join("a.tar.zst");
    fs::write(&file, "the school's accounts").unwrap();
    assert!(matches!(make(box_.folder(), &file, &**box_.hands()), Err(NoBackup::Occupied(_))));
    assert_eq!(fs::read_to_string(&file).unwrap(), "the school's accounts");
    fs::remove_file(&file).unwrap();
    made(&box_, &file);
    pass(&box_, 1001..1002).await;
    assert_eq!(made(&box_, &file).logs[0].head.seq, 1, "a newer one takes its place");
    let nothing = folder.path().join("nothing");
    assert!(matches!(make(&nothing, &file, &**box_.hands()), Err(NoBackup::NoBox(_))));

    let day = 86_400_000;
    let names: Vec<_> = (0..5).map(|n| file_name(Some(DEVICE), Millis(AT.0 + n * day))).collect();
    assert_eq!(names[0], "hadir-edge-00000005-20251120T234500Z.tar.zst");
    for name in &names {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let other = folder.path().join(file_name(None, AT));
    fs::write(&other, "x").unwrap();
    fs::create_dir(folder.path().join(".hadir-backup-old")).unwrap();
    // The clock was set back: what was made last has the oldest name.
    let made = folder.path().join(&names[0]);
    let gone = rotate(folder.path(), Some(DEVICE), 3, &made, Millis(i64::MAX / 2)).unwrap();
    assert_eq!(gone, [folder.path().join(&names[1]), folder.path().join(&names[2])]);
    for kept in [&made, &other, &file, &folder.path().join(&names[4])] {
        assert!(kept.exists(), "{}", kept.display());
    }
    assert!(!folder.path().join(".hadir-backup-old").exists(), "what was broken off long ago goes");
}

/// What a cloud holds of one box, and how it lies about it.
#[derive(Clone)]
struct Copies {
    key: SecretKey,
    logs: Arc<Mutex<BTreeMap<LogId, Vec<String>>>>,
    lie: Option<Lie>,
}

#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Unsigned,
    OldAnswer,
    Changed,
    Short,
}

impl Copies {
    fn new() -> Self {
        Self { key: SecretKey::from_seed(&[8; 32]), logs: Arc::default(), lie: None }
    }

    fn hold(&self, log: LogId, records: &[Kept]) {
        let bodies = records.iter().map(|kept| kept.body.clone()).collect();
        self.logs.lock().unwrap().insert(log, bodies);
    }

    async fn serve(&self) -> String {
        let router = Router::new()
            .route("/api/offline-sync/logs", get(heads_held))
            .route("/api/offline-sync/logs/{log}/records", get(records_held))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://{address}")
    }
}

async fn heads_held(State(copies): State<Copies>, headers: HeaderMap) -> Response {
    let of = |(log, events): (&LogId, &Vec<String>)| HeldLog {
        log: *log,
        head: events.iter().fold(Head::genesis(*log), |head, event| head.append(*log, event.as_bytes())),
        prunable_through: 1,
    };
    let logs = copies.logs.lock().unwrap().iter().map(of).collect();
    let nonce = if copies.lie == Some(Lie::OldAnswer) {
        Uuid::nil()
    } else {
        headers[NONCE_HEADER].to_str().unwrap().parse().unwrap()
    };
    let mut held = HeldLogs { proto: PROTO, device: DEVICE, nonce, logs, sig: Signature([0; 64]) };
    if copies.lie != Some(Lie::Unsigned) {
        held.sign(&copies.key);
    }
    serde_json::to_vec(&held).unwrap().into_response()
}

async fn records_held(State(copies): State<Copies>, OriginalUri(uri): OriginalUri) -> Response {
    let after: usize = uri.query().unwrap().trim_start_matches("after=").parse().unwrap();
    let log = LogId(uri.path().split('/').nth(4).unwrap().parse().unwrap());
    let Some(held) = copies.logs.lock().unwrap().get(&log).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut events: Vec<_> = held.into_iter().skip(after).take(3).collect();
    match copies.lie {
        Some(Lie::Changed) => events[0] = events[0].replace("Gerbang 1", "Gerbang 2"),
        Some(Lie::Short) => events.clear(),
        _ => {}
    }
    let page = HeldRecords { proto: PROTO, log, first_seq: after as u64 + 1, events };
    serde_json::to_vec(&page).unwrap().into_response()
}

/// A box of the school of `copies`, which knows its people: those of the demo.
async fn member(copies: &Copies, url: String) -> TestBox {
    let box_ = TestBox::demo(AT).await;
    let key = SecretKey::from_seed(&[4; 32]);
    let enrolled = Enrolled {
        proto: PROTO,
        device: DEVICE,
        institution: InstitutionId(1),
        institution_code: "A".into(),
        institution_name: "A".into(),
        cloud_key: copies.key.public(),
        time: AT,
    };
    let member = Membership::new(url, "Gerbang 1".into(), &key, enrolled);
    let node = box_.node();
    membership::join(node.store(), node.seal(), node.ids(), &member, AT).await.unwrap();
    box_
}

/// Ten records in the backup, 15 when the box died; all of them at the cloud.
async fn dead_box(folder: &Path) -> (Copies, PathBuf, LogId, Vec<Kept>) {
    let copies = Copies::new();
    let url = copies.serve().await;
    let box_ = member(&copies, url).await;
    let file = folder.join("a.tar.zst");
    pass(&box_, 1001..1011).await;
    made(&box_, &file);
    pass(&box_, 1011..1016).await;
    let log = box_.node().store().position().log;
    let (_, records) = kept(box_.folder()).into_iter().find(|(of, _)| *of == log).unwrap();
    copies.hold(log, &records);
    (copies, file, log, records)
}

#[tokio::test]
async fn what_the_backup_lacks_is_read_back_and_its_log_is_left() {
    let folder = TempDir::new().unwrap();
    let (copies, file, log, records) = dead_box(folder.path()).await;
    // A log the backup does not know: the box had to open it after the backup.
    let later = LogId(Uuid::from_u128(77));
    copies.hold(later, &records[..2]);
    for (ask, place) in [(Ask::WhatIsMissing, "restored"), (Ask::Everything, "drilled")] {
        let place = folder.path().join(place);
        let rebuilt = put(&file, &place, ask).await.unwrap();
        let found: BTreeMap<_, _> = rebuilt.logs.iter().map(|log| (log.log, *log)).collect();
        assert_eq!((found[&log].backup, found[&log].rebuilt.seq), (Some(10), 15));
        assert_eq!((found[&later].backup, found[&later].rebuilt.seq), (None, 2));
        assert!(rebuilt.logs.iter().all(Compared::is_equal), "{:?}", rebuilt.logs);

        let all = kept(&place);
        assert_eq!(all.iter().find(|(of, _)| *of == log).unwrap().1, records, "byte for byte");
        let conn = crate::store::open::reader(&place).unwrap();
        for log in log::all(&conn).unwrap() {
            log::verify_whole(&conn, &log).unwrap();
        }
        let lines = crate::attendance::store::compare_with_rebuild(&conn).unwrap();
        assert_eq!(lines, 15, "who passed after the backup is known again");
        let open = log::position(&conn).unwrap().unwrap();
        assert!(
            open.log != log && open.log != later && open.head.seq == 0,
            "a new log, and nothing to carry over"
        );
        assert_eq!(open.pending(), 0);
    }
}

#[tokio::test]
async fn a_cloud_that_holds_no_more_than_the_backup_lets_the_log_go_on() {
    let folder = TempDir::new().unwrap();
    let (copies, file, log, records) = dead_box(folder.path()).await;
    copies.hold(log, &records[..7]);
    let place = folder.path().join("edge");
    let rebuilt = put(&file, &place, Ask::Everything).await.unwrap();
    let own = rebuilt.logs.iter().find(|own| own.log == log).unwrap();
    assert_eq!((own.backup, own.cloud.unwrap().seq, own.rebuilt.seq), (Some(10), 7, 10));
    assert!(!own.is_equal(), "three are not delivered");
    let conn = crate::store::open::reader(&place).unwrap();
    let open = log::position(&conn).unwrap().unwrap();
    assert_eq!((open.log, open.acked.seq, open.pending()), (log, 7, 3));
}

#[tokio::test]
async fn what_is_not_proven_is_not_taken() {
    let folder = TempDir::new().unwrap();
    let (copies, _, _, records) = dead_box(folder.path()).await;
    let url = |lie| {
        let copies = Copies { lie: Some(lie), ..copies.clone() };
        async move { copies.serve().await }
    };
    for (lie, takes_part) in
        [(Lie::Unsigned, false), (Lie::OldAnswer, false), (Lie::Short, false), (Lie::Changed, true)]
    {
        let box_ = member(&copies, url(lie).await).await;
        pass(&box_, 1001..1011).await;
        let lied = folder.path().join("lied.tar.zst");
        let own = made(&box_, &lied).logs.last().unwrap().log;
        // The same history under the log of this box, and five more.
        let theirs = kept(box_.folder()).into_iter().find(|(of, _)| *of == own).unwrap().1;
        copies.hold(own, &[&theirs[..], &records[10..]].concat());
        let place = folder.path().join("edge");
        let came = put(&lied, &place, Ask::Everything).await;
        copies.logs.lock().unwrap().remove(&own);
        if takes_part {
            let rebuilt = came.unwrap_or_else(|why| panic!("{why}"));
            let own = rebuilt.logs.iter().find(|compared| compared.log == own).unwrap();
            assert!(!own.is_equal() && own.rebuilt.seq == 10, "{own:?}");
            fs::remove_dir_all(&place).unwrap();
        } else {
            assert!(matches!(came, Err(NoBackup::CannotAsk(CannotAsk::NotProven(_)))), "{came:?}");
            assert!(!place.exists());
        }
    }

    // A cloud nobody reaches: a box is restored all the same, and no drill passes.
    let box_ = member(&copies, "http://127.0.0.1:9".into()).await;
    let place = folder.path().join("edge");
    let far = folder.path().join("far.tar.zst");
    made(&box_, &far);
    assert!(matches!(put(&far, &place, Ask::Everything).await, Err(NoBackup::CannotAsk(_))));
    let rebuilt = put(&far, &place, Ask::WhatIsMissing).await.unwrap();
    assert!(matches!(rebuilt.unasked, Some(CannotAsk::Unreachable(_))));
}
